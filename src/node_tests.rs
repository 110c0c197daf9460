//! The node as a whole: what it answers, and what it bounds. What several of them keep among themselves is in `sim`.

use std::collections::BTreeMap;
use std::time::Duration;

use core::net::IpAddr;
use serde_json::json;

use super::*;
use crate::model::{
    BootId, ClockMark, ClockSample, PollRequest, Pong, RoleName, RoleOrder, Seq, SinkPart, SinkPlace,
    WallTime,
};
use crate::proto::contract::{Watched, at, for_seeds};
use crate::proto::{Far, PeerIx, PollOrder};
use crate::wire::{LineDecoder, encode};

#[path = "node/ring_tests.rs"]
mod ring;
#[path = "node/roles_tests.rs"]
mod roles;
#[path = "node/standby_tests.rs"]
mod standby_sink;
#[path = "node/world_clock_tests.rs"]
mod world_clock;

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

const OWN: JournalId = JournalId(0xa);
const LINK: LinkId = LinkId(1);

fn node(role: Role) -> Watched<Node> {
    let config = NodeConfig {
        name: name("pi-2"),
        journal: OWN,
        boot: BootId(7),
        synced: None,
        last: Seq(5),
        consumers: BTreeMap::new(),
        role,
    };
    let mut node = Watched::new(Node::new(config, at(Instant::ZERO)), Instant::ZERO);
    node.timeout();
    tell(&mut node, Input::LinkUp { link: LINK, far: None, remote: IpAddr::from([10, 0, 0, 7]) });
    node
}

fn primary(peers: usize) -> Watched<Node> {
    node(Role::Primary(polling(peers)))
}

/// A standby of `peers` polled nodes, after `before` others.
fn standby(peers: usize, before: usize) -> Watched<Node> {
    node(Role::Standby(standing_by(peers, before)))
}

fn standing_by(peers: usize, before: usize) -> StandbyPart {
    StandbyPart {
        poll: polling(peers),
        before: (0..before).map(|n| (format!("10.0.1.{n}:7000"), None)).collect(),
        standby_after: Duration::from_secs(5),
    }
}

fn polling(peers: usize) -> PollConfig {
    PollConfig {
        peers: (0..peers).map(|n| (format!("10.0.0.{n}:7000"), None)).collect(),
        cursors: BTreeMap::new(),
        poll_interval: Duration::from_secs(1),
        deadline: Duration::from_millis(400),
        order: PollOrder::AtOnce,
        last_round: 0,
        seed: 1,
    }
}

fn tell(node: &mut Watched<Node>, input: Input) -> Vec<Output> {
    node.input(|machine, now| machine.handle_input(now, input))
}

/// What comes of one line of bytes, read as the event loop reads it.
fn hear(node: &mut Watched<Node>, link: LinkId, line: &str) -> Vec<Output> {
    let (mut decoder, mut bytes, mut outputs) = (LineDecoder::default(), line.as_bytes(), Vec::new());
    while let Some(message) = decoder.next(&mut bytes) {
        let input = match message {
            Ok(message) => Input::Message { link, message },
            Err(error) => Input::Offence { link, error },
        };
        outputs.extend(tell(node, input));
    }
    outputs
}

fn sent(outputs: &[Output]) -> Vec<&Message> {
    let mut messages = Vec::new();
    for output in outputs {
        if let Output::Send(_, message) | Output::SendStatus(_, message) = output {
            messages.push(message);
        }
    }
    messages
}

/// The one error that was sent: to which message, and its text.
fn fault(outputs: &[Output]) -> (&str, &str) {
    match sent(outputs)[..] {
        [Message { body: Body::Error { re, text }, .. }] => (re, text),
        ref other => panic!("{other:?}"),
    }
}

fn reports(outputs: &[Output]) -> usize {
    outputs.iter().filter(|output| matches!(output, Output::Report(_))).count()
}

#[test]
fn a_ping_is_answered_with_its_id_and_a_status_with_what_is_known() {
    let mut node = node(Role::Secondary);
    let outputs = hear(&mut node, LINK, "{\"key\":\"PING\",\"id\":\"a7\"}\n");
    let mark = ClockMark { mono: node.now(), wall: at(node.now()).wall, synced: None };
    let clock = ClockSample { boot: BootId(7), received: node.now(), mark };
    assert_eq!(
        (sent(&outputs)[0].id.as_str(), &sent(&outputs)[0].body),
        ("a7", &Body::Pong(Pong { role: Some(RoleName::Secondary), clock: Some(clock), sink: None }))
    );
    let outputs = hear(&mut node, LINK, "{\"key\":\"STATUS\",\"id\":8}\n");
    let Body::Status(status) = &sent(&outputs)[0].body else { panic!("{outputs:?}") };
    assert_eq!(
        (&status["node"], &status["last"], &status["role"]),
        (&json!("pi-2"), &json!(5), &json!("secondary"))
    );
    assert_eq!(sent(&outputs)[0].id, "8");
}

#[test]
fn what_the_wall_clock_shows_is_noted_at_the_start_and_when_something_synchronises_it() {
    let config = NodeConfig {
        name: name("pi-2"),
        journal: OWN,
        boot: BootId(7),
        synced: None,
        last: Seq::ZERO,
        consumers: BTreeMap::new(),
        role: Role::Secondary,
    };
    let mut node = Watched::new(Node::new(config, at(Instant::ZERO)), Instant::ZERO);
    let marks = |outputs: Vec<Output>| {
        let mark = |output| if let Output::NoteMark(mark) = output { Some(mark) } else { None };
        outputs.into_iter().filter_map(mark).collect::<Vec<ClockMark>>()
    };
    let mark = |mono, synced| ClockMark { mono, wall: at(mono).wall, synced };
    assert_eq!(marks(node.timeout()), [mark(Instant::ZERO, None)]);
    node.advance(Instant::from_micros(20_000_000));
    assert_eq!(marks(node.timeout()), []);
    let well = Some(Duration::from_millis(3));
    assert_eq!(marks(tell(&mut node, Input::ClockSynced(well))), [mark(node.now(), well)]);
    let outputs = hear(&mut node, LINK, "{\"key\":\"STATUS\",\"id\":8}\n");
    let Body::Status(status) = &sent(&outputs)[0].body else { panic!("{outputs:?}") };
    let wall = "2023-11-14T22:13:40.000000Z";
    let expected = json!({"wall": wall, "synced_s": 0.003, "is_set": false, "time_source": "unknown"});
    assert_eq!(status["clock"], expected);
}

#[test]
fn what_is_not_understood_is_answered_with_what_would_be() {
    let mut node = node(Role::Secondary);
    let outputs = hear(&mut node, LINK, "{\"key\":\"POLLEN\",\"id\":4}\n");
    let (re, text) = fault(&outputs);
    assert_eq!(re, "4");
    assert!(text.contains("POLLEN") && text.contains("READINGS"), "{text}");
    let outputs = hear(&mut node, LINK, "{\"key\":\"POLL\",\"id\":5,\"value\":{}}\n");
    assert_eq!(fault(&outputs).0, "5");
}

#[test]
fn readings_that_nobody_asked_for_are_not_taken() {
    let line = "{\"key\":\"READINGS\",\"value\":{\"re\":\"9\",\"node\":\"x\",\"journal\":\"00000000000000bb\",\
                \"boot\":\"00000000000000000000000000000001\",\"after\":0,\"first\":1,\"last\":1,\
                \"pack\":[{\"n\":\"x/c/q\",\"v\":1}]}}\n";
    for mut node in [node(Role::Secondary), primary(1)] {
        let outputs = hear(&mut node, LINK, line);
        assert_eq!(fault(&outputs).0, "9");
        assert_eq!(outputs.len(), 1, "{outputs:?}");
    }
}

#[test]
fn what_a_script_says_goes_into_the_own_journal() {
    let mut node = node(Role::Secondary);
    let outputs = hear(&mut node, LINK, "{\"msg\": \"rtemp:22.10,winds:ERR,\"}\r");
    let [Output::Report(Report::Foreign { readings: 2, .. }), Output::Append(pack)] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!(pack.channels[0].to_string(), "10.0.0.7/json/temperature");
    assert_eq!(pack.readings[0].time, at(node.now()).wall);
    assert!(matches!(
        hear(&mut node, LINK, "{\"msg\": \"still alive\"}\r")[..],
        [Output::Report(Report::Foreign { readings: 0, .. })]
    ));
}

#[test]
fn a_script_without_end_is_logged_a_few_times_and_journalled_always() {
    let mut node = node(Role::Secondary);
    let outputs: Vec<Output> = (0..500).flat_map(|_| hear(&mut node, LINK, "{\"msg\": 1}\r")).collect();
    assert_eq!(reports(&outputs), 20);
    assert_eq!(outputs.iter().filter(|output| matches!(output, Output::Append(_))).count(), 500);
}

#[test]
fn a_link_that_talks_nonsense_is_closed_after_a_while() {
    let mut node = node(Role::Secondary);
    let closes = |outputs: &[Output]| outputs.iter().any(|output| matches!(output, Output::Close(LINK, _)));
    for _ in 0..15 {
        let outputs = hear(&mut node, LINK, "nonsense\n");
        assert!(!closes(&outputs) && fault(&outputs).1.contains("no JSON"));
    }
    assert!(closes(&hear(&mut node, LINK, "nonsense\n")));
    assert!(!closes(&hear(&mut node, LinkId(2), "nonsense\n")));
}

#[test]
fn a_peer_whose_bytes_cannot_be_followed_any_more_is_dropped_and_tried_again() {
    let mut node = primary(1);
    let link = LinkId(5);
    tell(
        &mut node,
        Input::LinkUp { link, far: Some(Far::Duty(PeerIx(0))), remote: IpAddr::from([10, 0, 0, 1]) },
    );
    let outputs = tell(&mut node, Input::Offence { link, error: WireError::Oversize { max_bytes: 9 } });
    assert!(outputs.iter().any(|output| matches!(output, Output::Close(closed, _) if *closed == link)));
    let outputs = node.run_until(node.now() + Duration::from_secs(1));
    assert!(outputs.iter().any(|output| matches!(output, Output::Connect { .. })));
}

#[test]
fn a_flood_of_errors_is_told_a_few_times_and_answered_never() {
    let mut node = primary(1);
    let line = "{\"key\":\"ERROR\",\"value\":{\"re\":\"1\",\"text\":\"no\"}}\n";
    let outputs: Vec<Output> = (0..500).flat_map(|_| hear(&mut node, LINK, line)).collect();
    assert_eq!((reports(&outputs), outputs.len()), (20, 20));
}

#[test]
fn a_refused_poll_is_told_once_though_two_might_tell_it() {
    let mut node = primary(1);
    let link = LinkId(5);
    let up = Input::LinkUp { link, far: Some(Far::Duty(PeerIx(0))), remote: IpAddr::from([10, 0, 0, 1]) };
    let outputs = tell(&mut node, up);
    let id = &sent(&outputs)[0].id;
    let line = format!("{{\"key\":\"ERROR\",\"value\":{{\"re\":\"{id}\",\"text\":\"no\"}}}}\n");
    let outputs = hear(&mut node, link, &line);
    let told =
        outputs.iter().filter(|output| matches!(output, Output::Report(report) if report.is_warning()));
    assert_eq!(told.count(), 1);
}

#[test]
fn long_words_of_a_peer_are_neither_sent_back_nor_logged_whole() {
    let mut node = node(Role::Secondary);
    let long = "x".repeat(500_000);
    for line in [
        format!("{{\"key\":\"POLL\",\"id\":\"{long}\",\"value\":{{\"after\":0,\"taken\":0,\"max\":1}}}}\n"),
        format!("{{\"key\":\"POLL\",\"id\":\"{long}\",\"value\":{{\"after\":\"{long}\"}}}}\n"),
        format!("{{\"key\":\"{long}\",\"id\":\"{long}\"}}\n"),
        format!("{{\"key\":\"PING\",\"id\":\"{long}\"}}\n"),
        format!("{{\"key\":\"ERROR\",\"value\":{{\"re\":\"{long}\",\"text\":\"{long}\"}}}}\n"),
        format!("{long}\n"),
    ] {
        for output in hear(&mut node, LINK, &line) {
            match output {
                Output::Send(_, message) => {
                    let mut bytes = Vec::new();
                    encode(&message, crate::model::WallTime::default(), &mut bytes);
                    assert!(bytes.len() < 1_000, "{} bytes for {:.60}", bytes.len(), line);
                }
                Output::Report(report) => assert!(report.to_string().len() < 400, "{:.60}", line),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_link_that_the_primary_drops_is_forgotten() {
    let mut node = primary(1);
    for link in 5..25 {
        tell(
            &mut node,
            Input::LinkUp {
                link: LinkId(link),
                far: Some(Far::Duty(PeerIx(0))),
                remote: IpAddr::from([10, 0, 0, 1]),
            },
        );
        // Its poll is never answered.
        let outputs = node.run_until(node.now() + Duration::from_secs(4));
        assert!(outputs.iter().any(|output| matches!(output, Output::Disconnect(Far::Duty(PeerIx(0))))));
        assert_eq!(node.machine().guests.links(), 1, "the one that somebody else opened");
    }
}

#[test]
fn it_keeps_the_contract_whatever_comes() {
    for_seeds(200, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut node = node(roles::random(&mut rng));
        for _ in 0..300 {
            let link = LinkId(rng.u64(1..12));
            let input = random_input(&mut rng, link);
            tell(&mut node, input);
            if rng.u8(0..4) == 0 {
                let until = node.now() + Duration::from_millis(rng.u64(0..3_000));
                node.run_until(until);
            }
            node.timeout();
        }
    });
}

/// An empty piece after `after`.
fn piece(after: Seq) -> Readings {
    Readings {
        re: String::new(),
        node: name("x"),
        journal: OWN,
        boot: BootId(1),
        after,
        first: after.next(),
        last: after,
        clock: None,
        mark: None,
        pack: Pack::default(),
    }
}

/// What a peer may say of its clocks that is wrong, or made up.
fn random_clock(rng: &mut fastrand::Rng) -> ClockSample {
    let mut time = || match rng.u8(0..4) {
        0 => rng.i64(..),
        1 => [i64::MIN, i64::MAX][rng.usize(0..2)],
        _ => rng.i64(0..5_000_000),
    };
    let (received, mono, wall) = (time(), Instant::from_micros(time()), WallTime::from_unix_micros(time()));
    let mark = ClockMark { mono, wall, synced: None };
    ClockSample { boot: BootId(rng.u128(0..3)), received: Instant::from_micros(received), mark }
}

fn random_input(rng: &mut fastrand::Rng, link: LinkId) -> Input {
    let peer = Far::Duty(PeerIx(rng.usize(0..4)));
    let (journal, seq) = (JournalId(rng.u64(0..4)), Seq(rng.u64(0..30)));
    let body = match rng.u8(0..10) {
        9 => {
            let place = SinkPlace { rank: rng.u8(0..3), part: SinkPart::ALL[rng.usize(0..3)] };
            Body::Pong(Pong { sink: rng.bool().then_some(place), ..Pong::default() })
        }
        0 => Body::Ping,
        1 => Body::StatusRequest,
        2 => Body::Unknown { key: "WHAT".into() },
        3 => Body::Foreign(json!({"msg": rng.u32(..), "sender": format!("s{}", rng.u8(..))})),
        4 => Body::Error { re: rng.u32(0..20).to_string(), text: "no".into() },
        5 | 6 => {
            let taken = Seq(rng.u64(0..30));
            let journal = [None, Some(OWN), Some(journal)][rng.usize(0..3)];
            Body::Poll(PollRequest { journal, after: seq, taken, max: rng.u32(..) })
        }
        7 => Body::Role(RoleOrder::Tell),
        _ => Body::Readings(Readings {
            re: rng.u32(0..20).to_string(),
            journal,
            last: Seq(rng.u64(..)),
            clock: Some(random_clock(rng)),
            ..piece(seq)
        }),
    };
    match rng.u8(0..14) {
        13 => Input::Become(Box::new(roles::random(rng))),
        12 => Input::ClockSynced(rng.bool().then(|| Duration::from_micros(rng.u64(..)))),
        0 => Input::LinkUp { link, far: rng.bool().then_some(peer), remote: IpAddr::from([10, 0, 0, 3]) },
        1 => Input::LinkFailed { far: peer, why: "refused".into() },
        2 => Input::LinkDown { link, why: "reset".into() },
        3 => Input::Offence { link, error: WireError::NotJson { why: "no".into(), excerpt: "x".into() } },
        4 => Input::Appended(seq),
        5 => Input::Piece { asker: Asker::Link(link), piece: Ok(piece(seq)) },
        6 => Input::Taken { journal, cursor: seq },
        7 => Input::Refused { journal },
        _ => {
            let message =
                Message { id: "1".into(), to: None, sender: Some(name("s")), timestamp: None, body };
            Input::Message { link, message }
        }
    }
}
