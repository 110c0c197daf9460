use proptest::prelude::*;

use super::*;

fn refused(text: &str) -> String {
    decode_order(text).unwrap_err()
}

fn requests() -> impl Strategy<Value = RoleRequest> {
    let role = prop::sample::select(RoleName::ALL.to_vec());
    let peers =
        prop::option::of(prop::collection::vec("[a-z0-9.-]{1,20}:[1-9][0-9]{0,3}", 0..RING_MEMBERS_MAX));
    let collects = prop_oneof![
        Just(None),
        Just(Some(Collects::Never)),
        (0..64_u8).prop_map(|rank| Some(Collects::Rank(rank)))
    ];
    let time = || prop::option::of((1..=INTERVAL_MAX_MS).prop_map(Duration::from_millis));
    let parts = (role, peers, collects, time(), time(), any::<bool>(), any::<bool>());
    parts.prop_map(|(role, peers, collects, poll_interval, deadline, makes_token, keep)| RoleRequest {
        role,
        peers,
        collects,
        poll_interval,
        deadline,
        makes_token,
        keep,
    })
}

proptest! {
    #[test]
    fn what_is_wanted_arrives_as_it_was_meant(request in requests()) {
        let order = RoleOrder::Become(request.clone());
        let bytes = encode_order(&order).unwrap();
        prop_assert_eq!(decode_order(std::str::from_utf8(&bytes).unwrap()), Ok(order));
        prop_assert_eq!(decode_role(&encode_role(&request)), Ok(request));
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let _ = (decode_order(&text), decode_answer(&text), decode_role(&text));
    }
}

#[test]
fn a_question_and_the_way_back_have_no_more_words_than_they_need() {
    for order in [RoleOrder::Tell, RoleOrder::Configured] {
        let bytes = encode_order(&order).unwrap();
        assert_eq!(decode_order(std::str::from_utf8(&bytes).unwrap()), Ok(order));
    }
    assert!(refused(r#"{"role":"configured","keep":true}"#).contains("say nothing more"));
    assert!(decode_role("null").is_err() && decode_role(r#"{"role":"configured"}"#).is_err());
}

#[test]
fn an_answer_arrives_as_it_was_meant() {
    let answer = RoleAnswer {
        re: "7".to_owned(),
        role: RoleName::Ring,
        origin: RoleOrigin::Command,
        peers: vec!["a:1".to_owned(), "b:2".to_owned()],
        next_start: RoleName::Secondary,
        note: Some("look".to_owned()),
    };
    let bytes = encode_answer(&answer).unwrap();
    assert_eq!(decode_answer(std::str::from_utf8(&bytes).unwrap()), Ok(answer));
}

#[test]
fn what_makes_no_sense_is_refused_with_what_would() {
    assert!(refused(r#"{"role":"emperor"}"#).contains("primary, secondary and ring"));
    assert!(refused(r#"{"role":"primary","peer":["a:1"]}"#).contains("unknown field `peer`"));
    for peer in ["", "a", "a:", ":1", "a:0", "a:99999", "a b:1", "a\n:1"] {
        let text = serde_json::json!({"role": "primary", "peers": [peer]}).to_string();
        assert!(refused(&text).contains("HOST:PORT"), "{peer:?}");
    }
    let long = format!("{}:1", "x".repeat(100_000));
    let why = refused(&serde_json::json!({"role": "primary", "peers": [long]}).to_string());
    assert!(why.contains("HOST:PORT") && why.len() < 200, "{why}");
    assert!(refused(r#"{"role":"primary","poll_interval_ms":0}"#).contains("poll_interval_ms"));
    assert!(refused(r#"{"role":"primary","deadline_ms":18446744073709551615}"#).contains("deadline_ms"));
    assert!(refused(r#"{"role":"ring","sink":true,"standby":2}"#).contains("one or the other"));
    for standby in [0, 64, 255] {
        let text = serde_json::json!({"role": "ring", "standby": standby}).to_string();
        assert!(refused(&text).contains("no place"), "{standby}");
    }
}

#[test]
fn lists_have_their_bounds() {
    let listing = |role: &str, count: usize| {
        let peers: Vec<String> = (0..count).map(|at| format!("10.0.0.1:{}", at + 1)).collect();
        decode_order(&serde_json::json!({"role": role, "peers": peers}).to_string())
    };
    assert!(listing("ring", RING_MEMBERS_MAX).is_ok() && listing("ring", RING_MEMBERS_MAX + 1).is_err());
    assert!(listing("primary", ROLE_PEERS_MAX).is_ok());
    assert!(listing("primary", 10_000).unwrap_err().contains("10000 are too many"));
}
