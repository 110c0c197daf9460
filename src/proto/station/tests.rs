//! One station, input by input; how several get on with one another over links that lose things is in `net`.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::model::Command;
use crate::proto::contract::Watched;

mod net;
mod streaming;

pub(super) fn config(id: &str, above: Option<&str>) -> StationConfig {
    StationConfig {
        id: id.into(),
        above: above.map(|id| AboveConfig {
            id: id.into(),
            address: "127.0.0.1:5560".into(),
            ping_interval: Duration::from_secs(5),
            stream: Some(StreamConfig {
                inner_key: "CONTINUOUS".into(),
                subject: "s".into(),
                min_size: 5,
                max_wait: Duration::from_secs(1),
            }),
        }),
        repeat_interval: Duration::from_secs(5),
        allow: Commands::NONE.with(Command::Stop),
        state: "IDLE".into(),
        prefs: json!({"NAME": id, "IP": "10.0.0.9"}),
        seed: 1,
    }
}

pub(super) fn station(id: &str, above: Option<&str>) -> Watched<Station> {
    let start = Instant::from_micros(1_000_000);
    let mut station =
        Watched::new(Station::new(config(id, above), Seq(10), crate::proto::contract::at(start)), start);
    assert_eq!(station.input(|_, _| {}), []);
    station
}

const CAM: LinkId = LinkId(1);

fn from(sender: &str, n: u32, key: &str, value: Json) -> StationMessage {
    StationMessage::new(format!("{sender}_{n}"), (sender, "T"), key, value)
}

/// A terminal with `cam` linked to it.
fn terminal() -> Watched<Station> {
    let mut terminal = station("T", None);
    assert_eq!(terminal.input(|s, now| s.introduced(now, CAM, "cam")), []);
    terminal
}

fn tell(
    station: &mut Watched<Station>,
    link: LinkId,
    path: &[&str],
    message: StationMessage,
) -> Vec<StationOutput> {
    let path = path.iter().map(|name| (*name).to_owned()).collect();
    station.input(|s, now| s.message(now, link, Routed::new(path, message)))
}

/// What was sent: by which link, with which path, which key and value.
fn sent(outputs: &[StationOutput]) -> Vec<(u64, String, String, Json)> {
    let one = |output: &StationOutput| match output {
        StationOutput::Send(link, Routed { path, message, .. }) => {
            Some((link.0, path.join(" "), message.key.clone(), message.value.clone()))
        }
        _ => None,
    };
    outputs.iter().filter_map(one).collect()
}

fn readings(outputs: &[StationOutput]) -> Vec<(String, String, f64)> {
    let mut all = Vec::new();
    for output in outputs {
        if let StationOutput::Readings { pilot, values, .. } = output {
            all.extend(
                values.iter().map(|v| (pilot.clone(), v.quantity.clone(), v.value.unwrap_or(f64::NAN))),
            );
        }
    }
    all
}

#[test]
fn data_is_confirmed_and_becomes_readings_of_its_pilot_once() {
    let mut terminal = terminal();
    let data = from("cam", 0, "DATA", json!({"pilot": "p1", "temperature": 21.5}));
    let outputs = tell(&mut terminal, CAM, &["T", "T"], data.clone());
    assert_eq!(sent(&outputs), [(1, String::new(), "CONFIRM".into(), json!("cam_0"))]);
    assert_eq!(readings(&outputs), [("p1".into(), "temperature".into(), 21.5)]);
    // A repeat has lost its recipient; it is confirmed again, for the receipt may be what was lost.
    let outputs = tell(&mut terminal, CAM, &["T"], data);
    assert_eq!(sent(&outputs).len(), 1);
    assert_eq!(readings(&outputs), []);
    let unasked = from("cam", 1, "DATA", json!({"x": 1})).flagged(NOREPEAT);
    let outputs = tell(&mut terminal, CAM, &[], unasked);
    assert_eq!((sent(&outputs), readings(&outputs).len()), (vec![], 1));
}

#[test]
fn a_pickle_is_confirmed_named_and_not_read() {
    let mut terminal = terminal();
    let array = json!({"NUMPY_ARRAY": "gASVCwAAAA==", "DTYPE": "float64", "SHAPE": [1]});
    let mut data = from("cam", 0, "DATA", json!({"frame": array, "x": 2}));
    data.blosc = true;
    let outputs = tell(&mut terminal, CAM, &["T", "T"], data);
    assert_eq!(sent(&outputs).len(), 1);
    assert!(outputs.iter().any(
        |o| matches!(o, StationOutput::Report(StationReport::Unread { why, .. }) if why.contains("pickle"))
    ));
    let names: Vec<String> = readings(&outputs).into_iter().map(|(_, name, _)| name).collect();
    assert_eq!(names, ["frame", "x"]);
}

#[test]
fn commands_are_obeyed_only_where_they_are_allowed() {
    let mut terminal = terminal();
    for key in ["KILL", "START", "PARAM", "FILE"] {
        let outputs = tell(&mut terminal, CAM, &["T", "T"], from("cam", 1, key, Json::Null).flagged(key));
        let said = sent(&outputs);
        assert_eq!((said[0].2.as_str(), said[1].2.as_str()), ("CONFIRM", "ERROR"), "{key}");
        assert!(said[1].3["text"].as_str().unwrap().contains(&format!("--allow {key}")));
        assert!(!outputs.iter().any(|output| matches!(output, StationOutput::Order(..))), "{key}");
        terminal.input(|s, _| s.inbox = Inbox::default());
    }
    let outputs = tell(&mut terminal, CAM, &["T", "T"], from("cam", 9, "STOP", Json::Null));
    let asker = StationAsker { sender: "cam".into(), id: "cam_9".into() };
    assert_eq!(outputs.last(), Some(&StationOutput::Order(asker, StationOrder::Stop)));
}

#[test]
fn what_is_not_known_is_answered_with_what_is() {
    let mut terminal = terminal();
    let outputs =
        tell(&mut terminal, CAM, &["T", "T"], from("cam", 1, "DANCE", Json::Null).flagged(NOREPEAT));
    let said = sent(&outputs);
    assert_eq!((said.len(), said[0].2.as_str()), (1, "ERROR"));
    let text = said[0].3["text"].as_str().unwrap();
    assert!(text.contains("\"DANCE\"") && text.contains("LATEST"), "{text}");
    assert_eq!(said[0].3["re"], "cam_1");
    // An error is no reason for another one.
    let outputs =
        tell(&mut terminal, CAM, &[], from("cam", 2, "ERROR", json!({"text": "no"})).flagged(NOREPEAT));
    assert_eq!(sent(&outputs), []);
}

#[test]
fn a_stream_is_taken_apart() {
    let mut terminal = terminal();
    let value = json!({"inner_key": "CONTINUOUS", "headers": {"pilot": "p1", "subject": "s", "continuous": true},
        "payload": [{"a": 1}, {"a": 2}, 3, "hello", null]});
    let outputs =
        tell(&mut terminal, CAM, &["T", "T"], from("cam_video", 0, "STREAM", value).flagged(NOREPEAT));
    let expected = [("a", 1.0), ("a", 2.0), ("value", 3.0)];
    let expected: Vec<_> =
        expected.iter().map(|(name, v)| ("p1".to_owned(), (*name).to_owned(), *v)).collect();
    assert_eq!(readings(&outputs), expected);
    for bad in [
        json!(null),
        json!({"payload": []}),
        json!({"inner_key": "DATA"}),
        json!({"inner_key": "STREAM", "payload": []}),
    ] {
        let outputs = tell(&mut terminal, CAM, &["T", "T"], from("cam", 1, "STREAM", bad).flagged(NOREPEAT));
        assert_eq!(sent(&outputs)[0].2, "ERROR");
    }
}

#[test]
fn a_terminal_knows_its_pilots_and_speaks_to_all_of_them() {
    let mut terminal = terminal();
    let hello = json!({"pilot": "cam", "ip": "10.0.0.7", "state": "IDLE", "prefs": {}});
    let outputs = tell(&mut terminal, CAM, &["T", "T"], from("cam", 0, "HANDSHAKE", hello));
    assert!(
        matches!(&outputs[1], StationOutput::Report(StationReport::Pilot { state, .. }) if state == "IDLE")
    );
    let outputs = tell(&mut terminal, CAM, &["T", "T"], from("cam", 1, "STATE", json!("IDLE")));
    assert_eq!(outputs.len(), 1, "no news");
    let outputs = tell(&mut terminal, CAM, &["T", "T"], from("cam", 2, "INIT", Json::Null).flagged(NOREPEAT));
    assert_eq!(sent(&outputs), [(1, String::new(), "PING".into(), Json::Null)]);
    let outputs =
        tell(&mut terminal, CAM, &["T", "T"], from("cam", 3, "STOPALL", Json::Null).flagged(NOREPEAT));
    assert_eq!(sent(&outputs), [(1, String::new(), "STOP".into(), Json::Null)]);
    let outputs = tell(
        &mut terminal,
        CAM,
        &["T", "T"],
        from("cam", 4, "CHANGE", json!({"pilot": "cam"})).flagged(NOREPEAT),
    );
    assert_eq!(sent(&outputs)[0].2, "ERROR", "PARAM is not allowed");
    assert_eq!(terminal.machine().status()["pilots"]["cam"]["ip"], "10.0.0.7");
}

#[test]
fn those_who_watch_have_a_copy() {
    let mut terminal = terminal();
    terminal.input(|s, now| s.introduced(now, LinkId(2), "P_p1"));
    terminal.input(|s, now| s.introduced(now, LinkId(3), "_T"));
    let data = from("cam", 0, "DATA", json!({"pilot": "p1", "x": 1})).flagged(NOREPEAT);
    let links: Vec<u64> =
        sent(&tell(&mut terminal, CAM, &["T", "T"], data)).into_iter().map(|s| s.0).collect();
    assert_eq!(links, [3, 2]);
    // The agent within is answered on its own link.
    let ping = StationMessage::new("_T_0".into(), ("_T", "T"), "PING", Json::Null);
    let said = sent(&tell(&mut terminal, LinkId(3), &["T", "T"], ping)).into_iter().map(|s| (s.0, s.2));
    assert_eq!(said.collect::<Vec<_>>(), [(3, "CONFIRM".to_owned()), (3, "STATE".to_owned())]);
}

#[test]
fn a_second_of_one_name_is_refused() {
    let mut terminal = terminal();
    let outputs = terminal.input(|s, now| s.introduced(now, LinkId(7), "cam"));
    assert!(matches!(&outputs[0], StationOutput::Close(LinkId(7), why) if why.contains("cam")));
    terminal.input(|s, now| s.link_down(now, LinkId(7), "closed"));
    let ping = from("cam", 0, "PING", Json::Null).flagged(NOREPEAT);
    assert_eq!(sent(&tell(&mut terminal, CAM, &["T", "T"], ping))[0].0, 1, "the first is untouched");
    terminal.input(|s, now| s.link_down(now, CAM, "closed"));
    assert_eq!(terminal.input(|s, now| s.introduced(now, LinkId(8), "cam")), []);
}

#[test]
fn a_pilot_introduces_itself_says_how_it_is_and_tries_again() {
    let mut pilot = station("pi", Some("T"));
    assert_eq!(pilot.timeout(), [StationOutput::Connect]);
    let outputs = pilot.input(|s, now| s.above_up(now, CAM));
    let said = sent(&outputs);
    assert_eq!(
        (said[0].1.as_str(), said[0].2.as_str(), &said[0].3["ip"]),
        ("T T", "HANDSHAKE", &json!("10.0.0.9"))
    );
    assert_eq!((said[1].2.as_str(), &said[1].3), ("STATE", &json!("IDLE")));
    for n in 0..2 {
        let receipt = StationMessage::new(format!("T_{n}"), ("T", "pi"), "CONFIRM", json!(format!("pi_{n}")));
        tell(&mut pilot, CAM, &[], receipt);
    }
    let start = pilot.now();
    let outputs = pilot.run_until(start + Duration::from_secs(12));
    let keys: Vec<String> = sent(&outputs).into_iter().map(|said| said.2).collect();
    assert_eq!(keys, ["STATE", "STATE"], "each five seconds, and nothing else");
    let outputs = pilot.input(|s, now| s.link_down(now, CAM, "reset"));
    assert!(matches!(&outputs[..], [StationOutput::Report(StationReport::AboveLost { .. })]));
    let tries = pilot.run_until(start + Duration::from_secs(40));
    assert!(tries.iter().filter(|output| **output == StationOutput::Connect).count() >= 3);
    let told = tries.iter().filter(|output| matches!(output, StationOutput::Report(_))).count();
    assert_eq!(told, 0, "that it is lost was told");
}

#[test]
fn an_idle_terminal_has_nothing_to_do() {
    assert_eq!(terminal().machine().poll_timeout(), None);
}
