//! A node as a station of Autopilot's network: with the real stations and nodes of auto-pi-lot, in both directions, and
//! with peers that do what breaks Autopilot's own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test ends at what it did not expect"
)]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;

use common::{
    Finished, Launch, PATIENCE, Process, Script, command, finished, free_address, own_rows, real_python,
    until,
};
use pisink::model::{Body, StationMessage};
use pisink::wire::zmtp::{encode_frames, greeting};
use pisink::wire::{Dialect, Framing};
use serde_json::{Value as Json, json};

fn node(dir: &tempfile::TempDir) -> Launch {
    Launch::secondary("sink", dir.path()).flags("--host=false --flush-interval 20ms")
}

fn port(process: &Process) -> &str {
    process.address.rsplit(':').next().unwrap()
}

/// The channels of a node's own journal with their values, in order; ERR is NaN.
fn values(dir: &tempfile::TempDir) -> Vec<(String, f64)> {
    let rows = own_rows(dir.path()).into_values();
    rows.map(|row| (row.channel, row.value.map_or(f64::NAN, f64::from_bits))).collect()
}

/// The next thing that a script hears under this key, as a value.
fn heard(script: &mut Script, word: &str) -> Json {
    loop {
        let line = script.line();
        if let Some(value) = line.strip_prefix(&format!("heard {word} ")) {
            return serde_json::from_str(value).unwrap();
        }
        assert!(["heard", "said", "ready"].iter().any(|word| line.starts_with(word)), "{line}");
    }
}

fn net_node(id: &str, upstream: &str, port: &str) -> Option<Script> {
    let mut script = Script::start_in("zmq", "autopilot_node.py", &[id, upstream, port])?;
    script.line_after("ready");
    Some(script)
}

#[test]
fn a_net_node_is_confirmed_answered_and_taken_down() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir).start();
    let Some(mut cam) = net_node("cam", "T", port(&node)) else { return };
    cam.say(r#"send T DATA {"pilot": "p1", "temperature": 21.5, "lick": NaN}"#);
    assert_eq!(heard(&mut cam, "CONFIRM"), json!("cam_0"));
    cam.say("send T PING null");
    assert_eq!(heard(&mut cam, "STATE"), json!("RUNNING"));
    let latest = until("the readings are told", || {
        cam.say("send T LATEST null");
        let latest = heard(&mut cam, "LATEST");
        (latest.as_array().unwrap().len() == 2).then_some(latest)
    });
    assert_eq!((&latest[1]["node"], &latest[1]["value"]), (&json!("p1"), &json!(21.5)));
    cam.say("array T 3 raw");
    heard(&mut cam, "CONFIRM");
    cam.say("array T 3 blosc");
    heard(&mut cam, "CONFIRM");
    for (line, why) in [
        ("send T KILL null", "--allow KILL"),
        ("send T START {}", "--allow START"),
        (r#"send T FILE "../x""#, "--allow FILE"),
        ("send T DANCE 3", "LATEST"),
    ] {
        cam.say(line);
        let error = heard(&mut cam, "ERROR");
        assert!(error["text"].as_str().unwrap().contains(why), "{line}: {error}");
    }
    // Autopilot keeps the end of a stream until another item comes.
    let all = until("the stream came", || {
        cam.say("stream CONTINUOUS 20 5");
        let all = values(&dir);
        (all.len() >= 9 + 20).then_some(all)
    });
    let one =
        |name: &str| all.iter().filter(|(channel, _)| channel == name).map(|(_, v)| *v).collect::<Vec<_>>();
    assert_eq!(one("p1/autopilot/temperature"), [21.5]);
    assert!(one("p1/autopilot/lick")[0].is_nan());
    assert_eq!((one("cam/autopilot/frame_2"), one("cam/autopilot/x")), (vec![1.0], vec![7.0, 7.0]));
    assert!(one("cam/autopilot/frame")[0].is_nan(), "what is a pickle is ERR");
    let came = one("cam/autopilot/n");
    assert_eq!(came, (0..).take(came.len()).map(f64::from).collect::<Vec<_>>());
    drop(cam);
    node.terminate();
}

/// The snippet of the page is run as it stands, but for the port and the key that ends it.
#[test]
fn what_the_page_shows_works() {
    let page = include_str!("../docs/autopilot.md");
    let snippet = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir).start();
    let Some(python) = real_python("zmq") else { return };
    let snippet = snippet.replace("port=7001", &format!("port={}", port(&node)));
    let mut child = std::process::Command::new(python)
        .args(["-c", &snippet])
        .env("HOME", dir.path())
        .env("AUTOPILOT_NO_PREFS_MANAGER", "1")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let said = std::io::BufReader::new(child.stdout.take().unwrap());
    let is_state = |line: &String| line.contains("the node is RUNNING");
    assert!(std::io::BufRead::lines(said).map_while(Result::ok).any(|line| is_state(&line)));
    until("both readings are there", || (values(&dir).len() == 2).then_some(()));
    assert_eq!(values(&dir)[1], ("cage-3/autopilot/weight".to_owned(), 31.5));
    child.kill().unwrap();
    child.wait().unwrap();
    node.terminate();
}

#[test]
fn a_real_pilot_passes_on_and_receipts_come_back_over_both_hops() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir).start();
    let own = free_address();
    let own = own.rsplit(':').next().unwrap();
    let Some(mut pilot) =
        Script::start_in("zmq", "autopilot_station.py", &["pilot", "pilot1", own, port(&node)])
    else {
        return;
    };
    pilot.line_after("ready");
    let mut cam = net_node("cam", "pilot1", own).unwrap();
    for n in 0..3 {
        cam.say(&format!(r#"send T DATA {{"pilot": "cam", "n": {n}}}"#));
        heard(&mut cam, "CONFIRM");
        cam.say("send T PING null");
        assert_eq!(heard(&mut cam, "STATE"), json!("RUNNING"), "again and again");
    }
    cam.say(r#"path pilot1,T DATA {"pilot": "cam", "n": 3}"#);
    heard(&mut cam, "CONFIRM");
    pilot.say(r#"push T DATA {"pilot": "pilot1", "weight": 3}"#);
    assert!(heard(&mut pilot, "T CONFIRM").as_str().unwrap().starts_with("pilot1_"));
    until("all came", || (values(&dir).len() == 5).then_some(()));
    drop(cam);
    drop(pilot);
    node.terminate();
}

#[test]
fn a_node_is_a_pilot_of_a_real_terminal_that_dies_and_returns() {
    let dir = tempfile::tempdir().unwrap();
    let terminal = free_address();
    let at = terminal.rsplit(':').next().unwrap().to_owned();
    let start = || Script::start_in("zmq", "autopilot_station.py", &["terminal", "T", &at]);
    let Some(mut real) = start() else { return };
    let pilot = Launch::secondary("pi", dir.path())
        .flags("--bus sim --chip sht3x@0x44 --interval 100ms --flush-interval 20ms")
        .flags(&format!("--terminal {terminal} --stream --stream-wait 200ms --allow START,STOP,PARAM"))
        .start();
    let hello = heard(&mut real, "pi HANDSHAKE");
    assert_eq!(
        (&hello["pilot"], &hello["state"], &hello["ip"]),
        (&json!("pi"), &json!("RUNNING"), &json!("127.0.0.1"))
    );
    assert_eq!(heard(&mut real, "pi STATE"), json!("RUNNING"));
    let reading = heard(&mut real, "pi CONTINUOUS");
    assert!(reading["sht3x-44/temperature"].is_number(), "{reading}");
    assert_eq!((&reading["pilot"], &reading["continuous"]), (&json!("pi"), &json!(true)));
    real.say("send pi STOP null");
    assert_eq!(heard(&mut real, "pi STATE"), json!("IDLE"));
    real.say(r#"send pi START {"interval": "50ms"}"#);
    assert_eq!(heard(&mut real, "pi STATE"), json!("RUNNING"));
    real.say(r#"send pi PARAM {"interval": "never"}"#);
    assert!(heard(&mut real, "pi ERROR")["text"].as_str().unwrap().contains("interval"));
    real.say("send pi KILL null");
    assert!(heard(&mut real, "pi ERROR")["text"].as_str().unwrap().contains("--allow KILL"));
    let last = heard(&mut real, "pi CONTINUOUS")["seq"].as_u64().unwrap();
    drop(real);
    let mut again = start().unwrap();
    heard(&mut again, "pi HANDSHAKE");
    let next = heard(&mut again, "pi CONTINUOUS")["seq"].as_u64().unwrap();
    assert!(next > 0 && last > 0);
    drop(again);
    pilot.terminate();
}

/// A DEALER of the test's own.
struct Dealer {
    stream: TcpStream,
    framing: Framing,
    input: Vec<u8>,
    identity: String,
    said: u32,
}

impl Dealer {
    fn to(address: &str, identity: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut bytes = Vec::new();
        greeting("DEALER", identity.as_bytes(), &mut bytes);
        stream.write_all(&bytes).unwrap();
        let framing = Framing::speaking(Dialect::Zmtp);
        Self { stream, framing, input: Vec::new(), identity: identity.to_owned(), said: 0 }
    }

    fn send(&mut self, frames: &[&[u8]]) {
        let mut bytes = Vec::new();
        encode_frames(frames, &mut bytes);
        self.stream.write_all(&bytes).unwrap();
    }

    fn say(&mut self, message: &Json) {
        let mut message = message.clone();
        message["sender"] = Json::from(self.identity.as_str());
        self.said += 1;
        message["id"] = Json::from(format!("{}_{}", self.identity, self.said));
        self.send(&[b"T", b"T", message.to_string().as_bytes()]);
    }

    /// The next message; `None` at the end of the connection.
    fn next(&mut self) -> Option<Body> {
        loop {
            let mut input = self.input.as_slice();
            if let Some(message) = self.framing.next(&mut input) {
                let rest = input.to_vec();
                self.input = rest;
                match message.unwrap().body {
                    Body::Introduced { .. } => continue,
                    body => return Some(body),
                }
            }
            self.input.clear();
            let mut buffer = [0; 4_096];
            match self.stream.read(&mut buffer) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.input.extend_from_slice(&buffer[..count]),
            }
        }
    }

    fn station(&mut self) -> StationMessage {
        match self.next() {
            Some(Body::Station(routed)) => routed.message,
            other => panic!("no station's message: {other:?}"),
        }
    }

    /// It is served: a question is answered.
    fn is_served(&mut self) {
        self.say(&message("PING", Json::Null, "q"));
        loop {
            let answer = self.station();
            if answer.key == "STATE" {
                return;
            }
        }
    }
}

fn message(key: &str, value: Json, timestamp: &str) -> Json {
    json!({"id": timestamp, "to": "T", "sender": "probe", "key": key, "value": value,
        "timestamp": timestamp, "flags": {},
        "blosc": false, "ttl": 2})
}

#[test]
fn what_breaks_autopilots_own_stations_leaves_this_one_serving_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let node =
        node(&dir).flags("--allow FILE --files").arg(dir.path().join("files").to_str().unwrap()).start();
    let mut other = Dealer::to(&node.address, "other");
    let mut bad = Dealer::to(&node.address, "probe");
    let mut errors = 0;
    let text = |body: Option<Body>| match body {
        Some(Body::Error { text, .. }) => text,
        Some(Body::Station(routed)) => routed.message.value["text"].as_str().unwrap_or_default().to_owned(),
        other => panic!("{other:?}"),
    };
    for frames in [
        [&b"T"[..], b"T", b"{\"id\": \"x\", "],
        [b"T", b"T", b"CLOSING"],
        [b"T", b"T", b"\xff\xfe\xfd"],
        [b"\xff\xfe", b"\xff", br#"{"id":"1","to":"T","sender":"p","key":"A","ttl":2,"flags":{}}"#],
        [b"T", b"T", br#"{"id":"1","to":null,"sender":"p","key":"A","ttl":2,"flags":{}}"#],
        [b"T", b"T", br#"{"id":"1","to":"T","sender":"p","key":"A","ttl":2,"flags":7}"#],
    ] {
        bad.send(&frames);
        assert!(!text(bad.next()).is_empty());
        errors += 1;
        other.is_served();
    }
    assert!(errors < 16, "or the link would be closed");
    // Values of every kind where something else is wanted.
    for key in ["STREAM", "HANDSHAKE", "STATE", "CHANGE", "FILE", "START", "CONFIRM", "COHERE", "DATA"] {
        for value in [Json::Null, json!(7), json!("x"), json!([1]), json!({"inner_key": 3, "payload": 4})] {
            bad.say(&message(key, value, &format!("{key}{errors}")));
            errors += 1;
        }
    }
    let short = json!({"x": {"NUMPY_ARRAY": "AAAA", "DTYPE": "float64", "SHAPE": [1]}});
    let pickle =
        json!({"x": {"NUMPY_ARRAY": "gASVCwAAAAAAAACMBXBvc2l4lC4=", "DTYPE": "object", "SHAPE": [1]}});
    for (n, array) in [short, pickle].into_iter().enumerate() {
        bad.say(&message("DATA", array, &format!("array{n}")));
    }
    bad.say(&message("FILE", json!({"path": "../outside", "file": "aGVsbG8="}), "escape"));
    bad.say(&message("KILL", Json::Null, "kill"));
    bad.is_served();
    other.is_served();
    assert!(!dir.path().join("outside").exists());
    // A second of the same name is turned away, and the first goes on.
    let mut double = Dealer::to(&node.address, "other");
    assert_eq!(double.next(), None);
    other.is_served();
    drop(bad);
    until("the name is free again", || {
        let mut again = Dealer::to(&node.address, "probe");
        again.say(&message("PING", Json::Null, "again"));
        again.next()
    });
    node.terminate();
}

#[test]
fn a_flood_and_a_slow_reader_cost_the_others_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir).start();
    let mut other = Dealer::to(&node.address, "other");
    let mut flood = Dealer::to(&node.address, "probe");
    // It asks again and again, and reads nothing: its link goes, or its own writing stops.
    flood.stream.set_write_timeout(Some(std::time::Duration::from_secs(2))).unwrap();
    let mut bytes = Vec::new();
    for n in 0..200 {
        let question = message("DANCE", json!("x".repeat(1_000)), &format!("n{n}")).to_string();
        encode_frames(&[b"T", b"T", question.as_bytes()], &mut bytes);
    }
    let stopped = (0..400).any(|_| flood.stream.write_all(&bytes).is_err());
    assert!(stopped, "80,000 questions are taken without their answers being read");
    other.is_served();
    let status = node.status();
    assert!(status["links"].as_u64().unwrap() <= 3);
    node.terminate();
}

/// `pisink` with these arguments, until it ends.
fn pisink(args: &[&str]) -> Finished {
    finished(&command("").args(args).output().unwrap())
}

#[test]
fn people_call_a_station_and_send_it_files() {
    let dir = tempfile::tempdir().unwrap();
    let files = dir.path().join("files");
    let node = node(&dir).flags("--allow FILE,STOP --files").arg(files.to_str().unwrap()).start();
    let at = node.address.as_str();
    assert_eq!(pisink(&["call", at, "PING"]).stdout.trim(), "RUNNING");
    assert_eq!(pisink(&["call", at, "DATA", r#"{"x": 1}"#]).stdout.trim(), "T has it");
    assert_eq!(pisink(&["call", at, "STOP"]).stdout.trim(), "IDLE");
    let refused = pisink(&["call", at, "KILL"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("--allow KILL"), "{}", refused.stderr);
    let answer: Json = serde_json::from_str(&pisink(&["call", at, "LATEST", "--json"]).stdout).unwrap();
    assert_eq!((&answer["confirmed"], &answer["answer"]["key"]), (&json!(true), &json!("LATEST")));
    let lost = pisink(&["call", at, "PING", "--to", "nobody", "--timeout", "300ms"]);
    assert!(lost.code == Some(1) && lost.stderr.contains("nobody"), "{}", lost.stderr);
    let bytes: Vec<u8> = (0..700_000_u32).map(|n| (n.wrapping_mul(n) % 253) as u8).collect();
    let file = dir.path().join("songs.bin");
    std::fs::write(&file, &bytes).unwrap();
    let sent = pisink(&["send-file", at, file.to_str().unwrap(), "--name", "a/b.bin"]);
    assert!(sent.code == Some(0) && sent.stdout.contains("700000 bytes"), "{}", sent.stderr);
    assert_eq!(std::fs::read(files.join("a/b.bin")).unwrap(), bytes);
    let escape = pisink(&["send-file", at, file.to_str().unwrap(), "--name", "../b.bin"]);
    assert!(escape.code == Some(1) && escape.stderr.contains("no path"), "{}", escape.stderr);
    node.terminate();
}
