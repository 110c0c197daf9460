//! A node whose role changes while it runs: what of the former duty still comes, and what the new one begins with.

use std::collections::BTreeMap;

use super::*;
use crate::model::{RoleAnswer, RoleName, RoleOrigin, RoleRequest};
use serde_json::json;

/// Any role, as a driver may give it.
pub(super) fn random(rng: &mut fastrand::Rng) -> Role {
    match rng.u8(0..5) {
        0 => Role::Secondary,
        2 => Role::Standby(standing_by(2, 2)),
        1 => {
            let (sink_rank, makes_token) = (rng.bool().then_some(0), rng.bool());
            Role::Ring(RingPart { sink_rank, makes_token, seed: rng.u64(..), ..super::ring::part() })
        }
        _ => Role::Primary(PollConfig { seed: rng.u64(..), ..polling(3) }),
    }
}

fn become_(node: &mut Watched<Node>, role: Role) -> Vec<Output> {
    tell(node, Input::Become(Box::new(role)))
}

fn link_up(node: &mut Watched<Node>, peer: usize, link: u64) -> Vec<Output> {
    let remote = IpAddr::from([10, 0, 0, 1]);
    tell(node, Input::LinkUp { link: LinkId(link), far: Some(Far::Duty(PeerIx(peer))), remote })
}

fn role_of(node: &Watched<Node>) -> Json {
    node.machine().status(at(node.now()))["role"].clone()
}

fn polls(outputs: &[Output]) -> Vec<&PollRequest> {
    let poll = |message: &&Message| matches!(message.body, Body::Poll(_));
    let polls = sent(outputs).into_iter().filter(poll);
    polls.filter_map(|message| if let Body::Poll(poll) = &message.body { Some(poll) } else { None }).collect()
}

/// Readings of a peer's journal after `after`, in answer to the last poll among `outputs`.
fn answer(outputs: &[Output], after: u64, count: u64) -> Message {
    let poll = sent(outputs).into_iter().rfind(|message| matches!(message.body, Body::Poll(_))).unwrap();
    let mut readings = Readings {
        re: poll.id.clone(),
        journal: JournalId(0xb),
        last: Seq(after + count),
        ..piece(Seq(after))
    };
    let channel = crate::model::Channel {
        node: name("x"),
        chip: "c".into(),
        quantity: "q".into(),
        unit: String::new(),
    };
    let channel = std::sync::Arc::new(channel);
    for _ in 0..count {
        readings.pack.push(&channel, WallTime::from_unix_micros(1), Instant::from_micros(1), Ok(1.0));
    }
    let body = Body::Readings(readings);
    Message { id: "1".into(), to: None, sender: Some(name("x")), timestamp: None, body }
}

fn hear_message(node: &mut Watched<Node>, link: u64, message: Message) -> Vec<Output> {
    tell(node, Input::Message { link: LinkId(link), message })
}

/// A primary whose first peer has given readings 1 to 10 that are on their way to the disk.
fn primary_in_the_middle() -> Watched<Node> {
    let mut node = primary(3);
    let outputs = link_up(&mut node, 0, 5);
    let outputs = hear_message(&mut node, 5, answer(&outputs, 0, 0));
    let _ = link_up(&mut node, 1, 6);
    let asked = if polls(&outputs).is_empty() {
        node.run_until(node.now() + Duration::from_secs(1))
    } else {
        outputs
    };
    let asked_of_first: Vec<Output> =
        asked.into_iter().filter(|output| matches!(output, Output::Send(LinkId(5), _))).collect();
    let outputs = hear_message(&mut node, 5, answer(&asked_of_first, 0, 10));
    assert!(outputs.iter().any(|output| matches!(output, Output::Take(_))), "{outputs:?}");
    node
}

#[test]
fn the_former_duty_lets_all_its_links_go_and_nobody_waits_for_them_any_more() {
    let mut node = primary_in_the_middle();
    let outputs = become_(&mut node, Role::Secondary);
    let dropped: Vec<&Output> =
        outputs.iter().filter(|output| matches!(output, Output::Disconnect(_))).collect();
    // The third is being connected.
    let all = [0, 1, 2].map(|at| Output::Disconnect(Far::Duty(PeerIx(at))));
    assert_eq!(dropped, all.iter().collect::<Vec<_>>());
    assert_eq!((node.machine().poll_timeout(), role_of(&node)), (None, json!("secondary")));
    assert_eq!(node.machine().guests.links(), 1, "the one that somebody else opened");
}

#[test]
fn what_the_store_says_of_the_former_duty_does_no_harm() {
    for confirmed in [true, false] {
        for role in [Role::Secondary, Role::Primary(polling(1)), Role::Ring(super::ring::part())] {
            let mut node = primary_in_the_middle();
            become_(&mut node, role);
            let journal = JournalId(0xb);
            let reply = if confirmed {
                Input::Taken { journal, cursor: Seq(10) }
            } else {
                Input::Refused { journal }
            };
            assert_eq!(tell(&mut node, reply), []);
            node.timeout();
        }
    }
}

#[test]
fn what_was_confirmed_meanwhile_is_not_asked_for_again() {
    let mut node = primary_in_the_middle();
    // The store was asked before the readings were given to it, and has nothing.
    become_(&mut node, Role::Primary(polling(1)));
    tell(&mut node, Input::Taken { journal: JournalId(0xb), cursor: Seq(10) });
    node.timeout();
    let outputs = link_up(&mut node, 0, 7);
    let mut contact = answer(&outputs, 0, 0);
    if let Body::Readings(readings) = &mut contact.body {
        readings.last = Seq(12);
    }
    let outputs = hear_message(&mut node, 7, contact);
    let [poll] = polls(&outputs)[..] else { panic!("{outputs:?}") };
    assert_eq!((poll.after, poll.taken), (Seq(10), Seq(10)));
}

#[test]
fn a_secondary_that_becomes_a_primary_asks_for_what_its_store_has_not() {
    let mut node = node(Role::Secondary);
    let cursors = BTreeMap::from([(JournalId(0xb), Seq(4))]);
    become_(&mut node, Role::Primary(PollConfig { cursors, ..polling(1) }));
    let outputs = node.timeout();
    assert!(outputs.iter().any(|output| matches!(output, Output::Connect { far: Far::Duty(PeerIx(0)), .. })));
    let outputs = link_up(&mut node, 0, 7);
    let mut contact = answer(&outputs, 0, 0);
    if let Body::Readings(readings) = &mut contact.body {
        readings.last = Seq(9);
    }
    let outputs = hear_message(&mut node, 7, contact);
    let [poll] = polls(&outputs)[..] else { panic!("{outputs:?}") };
    assert_eq!((poll.after, poll.taken), (Seq(4), Seq(4)));
    assert_eq!(role_of(&node), json!("primary"));
}

#[test]
fn the_numbers_of_rounds_go_on_though_the_store_knew_fewer() {
    let mut node = primary(1);
    let rounds = |outputs: Vec<Output>| -> Vec<u64> {
        let round =
            |output: &Output| if let Output::AddRound(round) = output { Some(round.number) } else { None };
        outputs.iter().filter_map(round).collect()
    };
    let until = node.now() + Duration::from_secs(3);
    let before = rounds(node.run_until(until));
    assert!(before.len() >= 2, "{before:?}");
    become_(&mut node, Role::Primary(polling(1)));
    let until = node.now() + Duration::from_secs(3);
    let after = rounds(node.run_until(until));
    assert!(after.first() > before.last(), "{before:?} {after:?}");
}

#[test]
fn who_polls_this_node_notices_nothing() {
    let mut node = primary(2);
    let poll = r#"{"id":"9","sender":"sink","key":"POLL","value":{"after":0,"taken":0,"max":5}}"#;
    let poll = poll.replace("{\"after\"", &format!("{{\"journal\":\"{OWN}\",\"after\""));
    let outputs = hear(&mut node, LINK, &format!("{poll}\n"));
    assert!(outputs.iter().any(|output| matches!(output, Output::Read { asker: Asker::Link(LINK), .. })));
    become_(&mut node, Role::Ring(super::ring::part()));
    become_(&mut node, Role::Secondary);
    let outputs = tell(&mut node, Input::Piece { asker: Asker::Link(LINK), piece: Ok(piece(Seq::ZERO)) });
    let [Output::Send(LINK, Message { body: Body::Readings(readings), .. })] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!(readings.re, "9");
    let outputs = hear(&mut node, LINK, "{\"msg\": 21.5}\r");
    assert!(outputs.iter().any(|output| matches!(output, Output::Append(_))));
}

#[test]
fn a_connection_that_comes_about_too_late_is_nobodys() {
    let mut node = primary(1);
    become_(&mut node, Role::Secondary);
    assert_eq!(link_up(&mut node, 0, 7), []);
    assert_eq!(tell(&mut node, Input::LinkFailed { far: Far::Duty(PeerIx(0)), why: "refused".into() }), []);
    let outputs = hear_message(&mut node, 7, Message { body: Body::Ping, ..heard("1") });
    assert!(matches!(&sent(&outputs)[..], [Message { body: Body::Pong(..), .. }]));
}

fn heard(id: &str) -> Message {
    Message { id: id.into(), to: None, sender: None, timestamp: None, body: Body::Ping }
}

#[test]
fn who_wants_another_role_gets_the_drivers_answer() {
    let mut node = node(Role::Secondary);
    let line = "{\"key\":\"ROLE\",\"id\":\"4\",\"value\":{\"role\":\"primary\",\"peers\":[\"a:1\"],\"keep\":true}}\n";
    let outputs = hear(&mut node, LINK, line);
    let order = RoleOrder::Become(RoleRequest {
        peers: Some(vec!["a:1".to_owned()]),
        keep: true,
        ..RoleRequest::plain(RoleName::Primary)
    });
    assert_eq!(outputs, [Output::ChangeRole { link: LINK, id: "4".into(), order }]);

    let answer = RoleAnswer {
        re: String::new(),
        role: RoleName::Primary,
        origin: RoleOrigin::Kept,
        peers: Vec::new(),
        next_start: RoleName::Primary,
        note: None,
    };
    let answered = |answer| Input::OrderAnswered { link: LINK, id: "4".into(), answer };
    let outputs = tell(&mut node, answered(Ok(answer)));
    assert!(matches!(&sent(&outputs)[0].body, Body::RoleAnswer(answer) if answer.re == "4"));
    let outputs = tell(&mut node, answered(Err("no".into())));
    assert_eq!(fault(&outputs), ("4", "no"));
}

#[test]
fn what_is_no_role_is_refused_in_short() {
    let mut node = node(Role::Secondary);
    let peers: Vec<String> = (0..10_000).map(|at| format!("10.0.0.1:{}", at + 1)).collect();
    for value in [
        json!({"role": "emperor"}),
        json!({"role": "primary", "peers": peers}),
        json!({"role": "primary", "peers": ["nowhere"]}),
        json!({"role": "x".repeat(500_000)}),
        json!(7),
    ] {
        let outputs =
            hear(&mut node, LINK, &format!("{}\n", json!({"key": "ROLE", "id": 3, "value": value})));
        let (re, text) = fault(&outputs);
        assert!(re == "3" && text.starts_with("ROLE: ") && text.len() < 300, "{text}");
        // It may be told off a few times more before its link is closed.
        node = super::node(Role::Secondary);
    }
}
