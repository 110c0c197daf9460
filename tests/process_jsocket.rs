//! jsocket's peers at a node's port, and who may speak what: three dialects, each answered in its own; what is wrong is
//! told and the others are served; other framings than line JSON are for this machine unless a listen line opens them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test ends at what it did not expect"
)]

mod common;

use std::io::Write;
use std::net::UdpSocket;
use std::process::Command;

use common::{Client, JsocketDialect as Dialect, JsocketPeer as Peer, Launch, Process, real_python, until};
use serde_json::{Value as Json, json};

/// Longest text that jsocket takes.
const JSOCKET_MAX_BYTES: u32 = 10 << 20;

fn node(dir: &tempfile::TempDir) -> Process {
    Launch::secondary("n", dir.path()).flags("--flush-interval 20ms").start()
}

/// The newest value of a script's channel, as a node tells it.
fn latest(peer: &mut Peer, quantity: &str) -> Option<Json> {
    let answer = peer.ask(&json!({"key": "LATEST", "id": 7}));
    assert_eq!(
        (&answer["key"], &answer["id"], &answer["sender"]),
        (&json!("LATEST"), &json!("7"), &json!("n"))
    );
    let list = answer["value"].as_array().unwrap();
    list.iter().find(|reading| reading["quantity"] == quantity).cloned()
}

#[test]
fn each_dialect_is_answered_in_its_own_and_its_readings_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir);
    for (number, dialect) in Dialect::ALL.into_iter().enumerate() {
        let mut peer = Peer::to(&node.address, dialect);
        assert_eq!(peer.ask(&json!({"key": "PING"}))["key"], "PONG");
        let answer = peer.ask(&json!({"key": "LATSET", "id": "9"}));
        let text = answer["value"]["text"].as_str().unwrap();
        assert!(
            answer["value"]["re"] == "9" && text.contains("LATSET") && text.contains("LATEST"),
            "{answer}"
        );
        // Falsy values are messages, and get no answer; the next answer is for the next question.
        for text in ["0", "null", "{}", "[]", "\"\"", "false"] {
            peer.send(text.as_bytes());
        }
        let (good, bad) = (format!("q{number}"), format!("bad{number}"));
        peer.send(format!("{{\"sender\": \"bench\", \"{good}\": 21.5, \"{bad}\": NaN}}").as_bytes());
        let reading = until("the reading is told", || latest(&mut peer, &good));
        assert_eq!((&reading["value"], &reading["node"]), (&json!(21.5), &json!("bench")));
        let reading = latest(&mut peer, &bad).unwrap();
        assert_eq!((&reading["err"], reading.get("value")), (&json!("parse"), None));
    }
    node.terminate();
}

#[test]
fn what_is_wrong_is_told_where_the_framing_allows_it_and_others_are_served() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir);
    let mut normal = Peer::to(&node.address, Dialect::V1);
    for dialect in Dialect::ALL {
        let mut peer = Peer::to(&node.address, dialect);
        for text in [&b"{"[..], b"\"\xff\"", b""] {
            peer.send(text);
            let answer = peer.receive().unwrap();
            assert!(answer["value"]["text"].as_str().unwrap().contains("no JSON"), "{answer}");
        }
        assert_eq!(peer.ask(&json!({"key": "PING"}))["key"], "PONG");
        // A length beyond the bound: told, and closed.
        let mut head = peer.head(b"1");
        let at = if dialect == Dialect::V2 { 4 } else { 0 };
        let length = JSOCKET_MAX_BYTES + 1;
        let length = if dialect == Dialect::V2012 { length.to_le_bytes() } else { length.to_be_bytes() };
        head[at..at + 4].copy_from_slice(&length);
        peer.stream.write_all(&head).unwrap();
        let answer = peer.receive().unwrap();
        assert!(answer["value"]["text"].as_str().unwrap().contains("10485760 bytes"), "{answer}");
        assert_eq!(peer.receive(), None);
        assert_eq!(normal.ask(&json!({"key": "PING"}))["key"], "PONG");
    }
    let mut peer = Peer::to(&node.address, Dialect::V2);
    let mut damaged = peer.head(b"{\"a\":1}");
    damaged.extend_from_slice(b"{\"a\":2}");
    peer.stream.write_all(&damaged).unwrap();
    assert!(peer.receive().unwrap()["value"]["text"].as_str().unwrap().contains("checksum"));
    assert_eq!(peer.ask(&json!({"key": "PING"}))["key"], "PONG", "the next one is read");
    peer.stream.write_all(b"nonsense, and more of it").unwrap();
    assert!(peer.receive().unwrap()["value"]["text"].as_str().unwrap().contains("JSN1"));
    assert_eq!(peer.receive(), None);
    // Half a message: nobody else waits, and it may come in its time.
    let mut half = Peer::to(&node.address, Dialect::V2012);
    half.stream.write_all(&[123, 0, 0]).unwrap();
    assert_eq!(normal.ask(&json!({"key": "PING"}))["key"], "PONG");
    half.stream.write_all(&[0]).unwrap();
    half.stream
        .write_all(format!("{{\"key\":\"PING\",\"pad\":\"{}\"}}", "x".repeat(123 - 23)).as_bytes())
        .unwrap();
    assert_eq!(half.receive().unwrap()["key"], "PONG");
    node.terminate();
}

#[test]
fn half_messages_are_bounded_together_whatever_they_announce() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = node(&dir);
    let mut normal = Peer::to(&node.address, Dialect::V2);
    let before = node.rss_bytes();
    let text = vec![b' '; JSOCKET_MAX_BYTES as usize];
    // All of them would have 90 MiB, and have announced 100.
    let mut slow: Vec<Peer> =
        (0..10).map(|number| Peer::to(&node.address, Dialect::ALL[number % 3])).collect();
    for peer in &mut slow {
        let head = peer.head(&text);
        // Whoever holds most is dropped at some time.
        let _ = peer.stream.write_all(&head).and_then(|()| peer.stream.write_all(&text[..9 << 20]));
        assert_eq!(normal.ask(&json!({"key": "PING"}))["key"], "PONG");
    }
    let grown = node.rss_bytes().saturating_sub(before);
    assert!(grown < 80 << 20, "{grown} bytes more than before");
    node.wait_for_line("links together too much");
    drop(slow);
    node.terminate();
}

#[test]
fn garbage_after_a_good_beginning_harms_nobody_else() {
    let mut rng = common::rng();
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir);
    let mut normal = Peer::to(&node.address, Dialect::V1);
    for number in 0..60 {
        let mut peer = Peer::to(&node.address, Dialect::ALL[number % 3]);
        assert_eq!(peer.ask(&json!({"key": "PING"}))["key"], "PONG");
        let garbage: Vec<u8> = (0..rng.usize(1..100_000)).map(|_| rng.u8(..)).collect();
        let _ = peer.stream.write_all(&garbage);
        assert_eq!(normal.ask(&json!({"key": "LATEST"}))["key"], "LATEST");
    }
    node.terminate();
}

#[test]
fn many_clients_are_served_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir);
    let mut peers: Vec<Peer> =
        (0..300).map(|number| Peer::to(&node.address, Dialect::ALL[number % 3])).collect();
    for _ in 0..2 {
        peers.iter_mut().for_each(|peer| peer.send(b"{\"key\":\"PING\"}"));
        assert!(peers.iter_mut().all(|peer| peer.receive().unwrap()["key"] == "PONG"));
    }
    node.terminate();
}

#[test]
fn what_changes_a_node_is_refused_unless_it_is_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let order = json!({"key": "ROLE", "id": "1", "value": {"role": "secondary"}});
    let node = node(&dir);
    let mut peer = Peer::to(&node.address, Dialect::V2);
    let answer = peer.ask(&order);
    assert!(answer["key"] == "ERROR" && answer["value"]["re"] == "1", "{answer}");
    assert!(answer["value"]["text"].as_str().unwrap().contains("--allow ROLE"), "{answer}");
    assert_eq!(peer.ask(&json!({"key": "ROLE"}))["key"], "ROLE_ANSWER", "asking changes nothing");
    node.terminate();
    let node = Launch::secondary("n", dir.path()).flags("--allow ROLE,START").start();
    assert_eq!(Peer::to(&node.address, Dialect::V2).ask(&order)["key"], "ROLE_ANSWER");
    assert_eq!(node.status()["allow"], "START,ROLE");
    node.terminate();
}

/// An address of this machine that is not its loopback; no packet is sent to find it.
fn own_address() -> Option<String> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then(|| address.to_string())
}

#[test]
fn other_framings_are_for_this_machine_unless_a_line_opens_them() {
    let Some(host) = own_address() else {
        eprintln!("passed over: this machine has only its loopback");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let ping = json!({"key": "PING"});
    let node = Launch::secondary("n", dir.path()).at("0.0.0.0:0").start();
    let port = node.address.rsplit_once(':').unwrap().1.to_owned();
    let (here, there) = (format!("127.0.0.1:{port}"), format!("{host}:{port}"));
    assert_eq!(Peer::to(&here, Dialect::V1).ask(&ping)["key"], "PONG");
    assert_eq!(Client::to(&there).ask("PING", &Json::Null)["key"], "PONG");
    let mut refused = Peer::to(&there, Dialect::V1);
    let answer = refused.ask(&ping);
    assert!(answer["value"]["text"].as_str().unwrap().contains("not open"), "{answer}");
    assert_eq!(refused.receive(), None);
    node.terminate();

    // What PISINK_LISTEN would have, parted by blanks.
    let lines = "line,jsocket=0.0.0.0:0 jsocket=127.0.0.1:0";
    let mut node = Launch::secondary("n", dir.path()).arg("--listen").arg(lines).start();
    let log = node.wait_for_line("open to the network");
    assert!(log.contains("line,jsocket at 0.0.0.0:"), "{log}");
    let status = Client::to(&node.address.replace("0.0.0.0", "127.0.0.1")).status();
    let ports = status["open"].as_array().unwrap();
    assert_eq!((ports.len(), &ports[0]["framings"]), (2, &json!("line,jsocket")), "{status}");
    let port = node.address.rsplit_once(':').unwrap().1.to_owned();
    assert_eq!(Peer::to(&format!("{host}:{port}"), Dialect::V1).ask(&ping)["key"], "PONG");
    let second = ports[1]["address"].as_str().unwrap();
    assert_eq!(Peer::to(second, Dialect::V2012).ask(&ping)["key"], "PONG");
    node.terminate();
}

/// The first piece of Python in a page.
fn snippet(page: &str) -> String {
    let path = format!("{}/{page}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let code = text.split("```python\n").find(|code| code.starts_with("import jsocket")).expect("it has one");
    code.split("```").next().unwrap().to_owned()
}

#[test]
fn what_the_pages_show_runs_with_the_real_jsocket() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir);
    let port = node.address.rsplit_once(':').unwrap().1;
    for environment in ["jsocket-1", "jsocket-2"] {
        let Some(python) = real_python(environment) else { return };
        for page in ["docs/jsocket.md", "README.md"] {
            let code = snippet(page).replace("7001", port);
            let told = until("the reading is told", || {
                let output = Command::new(&python).args(["-c", &code]).output().unwrap();
                assert!(output.status.success(), "{page}: {}", String::from_utf8_lossy(&output.stderr));
                let told = String::from_utf8(output.stdout).unwrap();
                told.contains("temperature").then_some(told)
            });
            assert!(told.contains("window") && told.contains("21.5"), "{page}: {told}");
        }
    }
}
