//! A pilot's journal on its way to the station above.

use std::sync::Arc;

use super::*;
use crate::model::{BootId, Channel, ErrReason, JournalId, NodeName, Pack, Readings, WallTime};

const UP: LinkId = LinkId(5);

fn piece(first: u64, count: u64) -> Readings {
    let node = NodeName::new("pi").unwrap();
    let channel = Arc::new(Channel {
        node: node.clone(),
        chip: "bh1750-23".into(),
        quantity: "illuminance".into(),
        unit: "lx".into(),
    });
    let mut pack = Pack::default();
    for n in first..first + count {
        let value = if n % 10 == 3 { Err(ErrReason::Nack) } else { Ok(n as f64) };
        pack.push(&channel, WallTime::default(), Instant::ZERO, value);
    }
    Readings {
        re: String::new(),
        node,
        journal: JournalId(1),
        boot: BootId(1),
        after: Seq(first - 1),
        first: Seq(first),
        last: Seq(first + count - 1),
        clock: None,
        mark: None,
        pack,
    }
}

/// A pilot that streams, linked to its terminal, with nothing unconfirmed.
fn pilot() -> Watched<Station> {
    let mut pilot = station("pi", Some("T"));
    pilot.timeout();
    pilot.input(|s, now| s.above_up(now, UP));
    pilot.input(|s, now| s.set_streaming(now, true));
    confirm(&mut pilot, "pi_0");
    confirm(&mut pilot, "pi_1");
    pilot
}

fn confirm(pilot: &mut Watched<Station>, id: &str) -> Vec<StationOutput> {
    tell(pilot, UP, &[], StationMessage::new("T_0".into(), ("T", "pi"), "CONFIRM", json!(id)))
}

fn read(after: u64) -> StationOutput {
    StationOutput::Read { after: Seq(after), max: 1_000 }
}

fn stream_id(outputs: &[StationOutput]) -> String {
    let id = outputs.iter().find_map(|output| match output {
        StationOutput::Send(_, routed) if routed.message.key == "STREAM" => Some(routed.message.id.clone()),
        _ => None,
    });
    id.unwrap()
}

#[test]
fn enough_goes_at_once_and_the_next_when_that_is_received() {
    let mut pilot = pilot();
    assert_eq!(pilot.input(|s, now| s.appended(now, Seq(15))), [read(10)], "five are enough");
    let outputs = pilot.input(|s, now| s.piece(now, Ok(piece(11, 5))));
    let (_, _, key, value) = sent(&outputs).remove(0);
    assert_eq!((key.as_str(), &value["inner_key"]), ("STREAM", &json!("CONTINUOUS")));
    assert_eq!(value["headers"]["pilot"], "pi");
    let payload = value["payload"].as_array().unwrap();
    assert_eq!(payload[0]["bh1750-23/illuminance"], json!(11.0));
    assert_eq!(payload[2]["bh1750-23/illuminance"], "ERR");
    assert_eq!(payload[2]["seq"], 13);
    assert_eq!(pilot.input(|s, now| s.appended(now, Seq(30))), [], "one is on its way");
    assert_eq!(confirm(&mut pilot, &stream_id(&outputs)), [read(15)]);
    assert_eq!(pilot.machine().status()["streamed"], 5);
}

#[test]
fn the_tail_goes_when_it_has_waited_long_enough_and_an_idle_stream_sleeps() {
    let mut pilot = pilot();
    let start = pilot.now();
    assert_eq!(pilot.input(|s, now| s.appended(now, Seq(12))), [], "two are not worth a message");
    assert_eq!(pilot.run_until(start + Duration::from_millis(999)), []);
    assert_eq!(pilot.run_until(start + Duration::from_millis(1_001)), [read(10)]);
    let outputs = pilot.input(|s, now| s.piece(now, Ok(piece(11, 2))));
    confirm(&mut pilot, &stream_id(&outputs));
    let (due, why) = pilot.machine().poll_timeout().unwrap();
    assert!(why.contains("how this one is") && due == start + Duration::from_secs(5), "{why}");
}

#[test]
fn what_was_not_received_goes_again_after_a_break() {
    let mut pilot = pilot();
    pilot.input(|s, now| s.appended(now, Seq(15)));
    pilot.input(|s, now| s.piece(now, Ok(piece(11, 5))));
    pilot.input(|s, now| assert!(s.link_down(now, UP, "cut")));
    let later = pilot.now() + Duration::from_secs(60);
    let outputs = pilot.run_until(later);
    assert!(outputs.iter().all(|output| !matches!(output, StationOutput::Read { .. })), "nobody is there");
    // What was sent and not received is repeated; when that does not help either, the journal is read again.
    let outputs = pilot.input(|s, now| s.above_up(now, LinkId(6)));
    assert_eq!(sent(&outputs)[0].2, "STREAM");
    let later = pilot.now() + Duration::from_secs(6);
    let outputs = pilot.run_until(later);
    assert!(outputs.contains(&read(10)), "{outputs:?}");
    // It breaks while the journal is read, too.
    pilot.input(|s, now| assert!(s.link_down(now, LinkId(6), "cut")));
    assert_eq!(sent(&pilot.input(|s, now| s.piece(now, Ok(piece(11, 5))))), []);
    let outputs = pilot.input(|s, now| s.above_up(now, LinkId(7)));
    assert!(outputs.contains(&read(10)), "{outputs:?}");
}

#[test]
fn a_store_that_is_behind_is_asked_again_and_a_stop_ends_it() {
    let mut pilot = pilot();
    pilot.input(|s, now| s.appended(now, Seq(15)));
    pilot.input(|s, now| s.piece(now, Err("behind".into())));
    pilot.input(|s, now| s.appended(now, Seq(16)));
    let outputs = pilot.input(|s, now| s.piece(now, Ok(piece(11, 5))));
    pilot.input(|s, now| s.set_streaming(now, false));
    assert_eq!(confirm(&mut pilot, &stream_id(&outputs)), []);
    assert_eq!(pilot.input(|s, now| s.appended(now, Seq(99))), []);
    assert_eq!(pilot.input(|s, now| s.set_streaming(now, true)), [read(15)]);
}
