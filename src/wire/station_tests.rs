use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(path: &[&str], text: &str) -> Result<Routed, String> {
    let json = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match station_message(path, json, text.as_bytes()) {
        Ok(routed) => routed.map_err(|error| error.to_string()),
        Err(json) => Err(format!("none: {json}")),
    }
}

/// As `json.dumps` of auto-pi-lot 0.5.1 wrote it, with the fields in its order.
const SEEN: &str = concat!(
    r#"{"id": "cam_0", "to": "T", "sender": "cam", "key": "DATA", "value": {"pilot": "p1", "x": 2.5}, "#,
    r#""timestamp": "2026-11-20T19:20:00.123456", "changed": false, "flags": {"NOREPEAT": true}, "#,
    r#""blosc": false, "ttl": 2}"#
);

#[test]
fn a_message_that_was_seen_is_read_field_by_field() {
    let routed = read(&["T", "T"], SEEN).unwrap();
    assert_eq!(routed.path, ["T", "T"]);
    let message = routed.message;
    assert_eq!((message.id.as_str(), message.to.as_str()), ("cam_0", "T"));
    assert_eq!((message.sender.as_str(), message.key.as_str()), ("cam", "DATA"));
    assert_eq!(message.value, json!({"pilot": "p1", "x": 2.5}));
    assert_eq!(message.timestamp, "2026-11-20T19:20:00.123456");
    assert!(!message.wants_receipt() && !message.blosc && message.ttl == 2 && message.more.is_empty());
}

#[test]
fn it_goes_on_as_it_came_and_is_written_in_the_same_order() {
    let mut routed = read(&[], SEEN).unwrap();
    assert_eq!(encode_station(&routed), SEEN.as_bytes());
    routed.json.clear();
    let made = String::from_utf8(encode_station(&routed)).unwrap();
    assert_eq!(made, SEEN.replace(": ", ":").replace(", ", ","));
}

#[test]
fn what_others_say_is_not_taken_for_a_stations() {
    for text in [
        "21.5",
        "[1]",
        "null",
        r#"{"temperature": 3}"#,
        r#"{"key": "PING", "id": "1"}"#,
        r#"{"id": "1", "sender": "x", "key": "POLL", "value": {"after": 0}}"#,
    ] {
        assert!(read(&[], text).unwrap_err().starts_with("none"), "{text}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let cases = [
        (SEEN.replace("\"cam_0\"", "null"), "id is missing"),
        (SEEN.replace("\"DATA\"", "\"\""), "key is missing"),
        (SEEN.replace("\"to\": \"T\", ", ""), "to is missing"),
        (SEEN.replace("{\"NOREPEAT\": true}", "3"), "flags"),
        (SEEN.replace("\"ttl\": 2", "\"ttl\": \"x\""), "ttl"),
        (SEEN.replace("\"cam\"", &format!("\"{}\"", "c".repeat(300))), "sender has 300 bytes"),
    ];
    for (text, why) in cases {
        let said = read(&["T"], &text).unwrap_err();
        assert!(said.contains(why), "{text}: {said}");
    }
    assert!(read(&["x"; 17], SEEN).unwrap_err().contains("17 frames"));
    let json: Json = serde_json::from_str(SEEN).unwrap();
    let bad = station_message(&[b"\xff\xfe"], json, b"").unwrap().unwrap_err();
    assert!(bad.to_string().contains("no name") && !bad.is_fatal(), "{bad}");
}

#[test]
fn odd_fields_are_read_as_they_are_meant() {
    let text = SEEN
        .replace("\"to\": \"T\"", "\"to\": [\"T\", \"cam2\"]")
        .replace("\"cam_0\"", "7")
        .replace("\"ttl\": 2", "\"ttl\": -4, \"subject\": \"s1\"")
        .replace("\"timestamp\": \"2026-11-20T19:20:00.123456\", ", "");
    let message = read(&["T", ""], &text).unwrap().message;
    assert_eq!((message.to.as_str(), message.id.as_str(), message.ttl), ("cam2", "7", 0));
    assert_eq!((message.timestamp.as_str(), &message.more["subject"]), ("", &json!("s1")));
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        "[ -~]{0,12}".prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::btree_map("[a-z]{1,6}", inner, 0..6)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_made_is_read_as_the_same(
        id in "[ -~]{1,20}", to in "[a-zA-Z_0-9é]{1,20}", sender in "[a-z]{1,9}", key in "[A-Z]{1,9}",
        value in any_json(), timestamp in "[0-9T:.-]{0,26}", blosc in any::<bool>(), ttl in any::<u8>(),
        flags in prop::collection::btree_map("[A-Z]{1,8}", any_json(), 0..4),
        path in prop::collection::vec("[a-z_]{1,8}", 0..6),
    ) {
        let message = StationMessage {
            id, to, sender, key, value, timestamp, flags, blosc, ttl, more: Map::new(),
        };
        let made = Routed::new(path.clone(), message);
        let text = encode_station(&made);
        let json = serde_json::from_slice(&text).unwrap();
        let read = station_message(&path, json, &text).unwrap().unwrap();
        prop_assert_eq!(read.message, made.message);
        prop_assert_eq!(read.path, path);
    }

    #[test]
    fn no_json_breaks_it(json in any_json(), path in prop::collection::vec(any::<Vec<u8>>(), 0..20)) {
        let marked = json!({"id": json, "to": json, "sender": json, "key": json, "flags": json, "ttl": json});
        let _ = station_message(&path, marked, b"{}");
    }
}
