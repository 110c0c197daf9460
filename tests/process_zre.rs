//! A node among peers of ZRE: the real pyre, the command line, and somebody who sends what kills a pyre. Each is on a
//! host of its own at one switch, so that no beacon leaves. Passed over where no name spaces can be made, or nobody
//! has made the environments of the real peers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends at what it did not expect"
)]

mod common;

use std::process::Output;

use common::{Lan, Launch, Process, Script, real_python, until};
use rustix::process::Signal;
use serde_json::Value as Json;

const BROADCAST: &str = "192.0.2.255";

/// A node on the first host.
fn node(lan: &Lan, data: &tempfile::TempDir) -> Launch {
    let launch = Launch::secondary("pi-1", data.path()).at("0.0.0.0:7001");
    lan.launch(0, launch.flags("--zre eth0 --zre-group greenhouse --description wall"))
}

/// A pyre on a host.
fn pyre(lan: &Lan, at: usize, name: &str) -> Option<Script> {
    let python = real_python("zmq")?;
    let mut script = Script::spawn(lan.command(at, &python), "pyre_peer.py", &[name]);
    wait_for(&mut script, |event| event["event"] == "HERE");
    Some(script)
}

/// The next event that is meant.
fn wait_for(script: &mut Script, is_it: impl Fn(&Json) -> bool) -> Json {
    loop {
        let event: Json = serde_json::from_str(&script.line()).unwrap();
        if is_it(&event) {
            return event;
        }
    }
}

fn is(event: &Json, kind: &str, name: &str) -> bool {
    event["event"] == kind && event["name"] == name
}

/// What the node answers by WHISPER to a message with this id.
fn answer(script: &mut Script, id: &str) -> Json {
    loop {
        let event = wait_for(script, |event| is(event, "WHISPER", "pi-1"));
        let said: Json = serde_json::from_str(event["rest"][0].as_str().unwrap()).unwrap();
        if said["id"] == id || said["value"]["re"] == id {
            return said;
        }
    }
}

/// A command of pisink on a host.
fn pisink(lan: &Lan, at: usize, args: &[&str]) -> Output {
    lan.command(at, env!("CARGO_BIN_EXE_pisink").as_ref()).args(args).output().unwrap()
}

fn names(process: &mut Process) -> Vec<String> {
    let status = process.status();
    let peers = status["zre"]["peers"].as_array().unwrap().clone();
    peers.iter().map(|peer| peer["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_pyre_and_a_node_know_each_other_and_talk() {
    let data = tempfile::tempdir().unwrap();
    let Some(lan) = Lan::of(3) else { return };
    let mut node = node(&lan, &data).start();
    let Some(mut peer) = pyre(&lan, 1, "py-1") else { return };
    let entered = wait_for(&mut peer, |event| is(event, "ENTER", "pi-1"));
    let headers = &entered["headers"];
    assert_eq!(
        (&headers["pisink-role"], &headers["pisink-port"], &headers["description"]),
        (&"secondary".into(), &"7001".into(), &"wall".into())
    );
    for group in ["greenhouse", "pisink"] {
        wait_for(&mut peer, |event| is(event, "JOIN", "pi-1") && event["rest"][0] == group);
    }
    peer.say(r#"whisper pi-1 {"key":"PING","id":"1"}"#);
    assert_eq!(answer(&mut peer, "1")["key"], "PONG");
    peer.say(r#"shout greenhouse {"temperature":21.5}"#);
    peer.say(r#"whisper pi-1 {"humidity":40}"#);
    let latest = until("the readings are there", || {
        peer.say(r#"whisper pi-1 {"key":"LATEST","id":"2"}"#);
        let latest = answer(&mut peer, "2")["value"].clone();
        let of_peer = latest.as_array().unwrap().iter().filter(|reading| reading["node"] == "py-1");
        let values: Vec<f64> = of_peer.map(|reading| reading["value"].as_f64().unwrap()).collect();
        (values.len() == 2).then_some(values)
    });
    assert_eq!(latest.iter().sum::<f64>(), 61.5);
    peer.say(r#"whisper pi-1 {"key":"ROLE","id":"3","value":{"role":"primary","peers":[]}}"#);
    assert_eq!(answer(&mut peer, "3")["key"], "ERROR");

    // The command line, from a third host.
    let found = pisink(&lan, 2, &["peers", "--zre", "eth0", "--json", "--wait", "4s"]);
    let found: Json = serde_json::from_slice(&found.stdout).unwrap();
    let mut known: Vec<&str> =
        found.as_array().unwrap().iter().map(|peer| peer["name"].as_str().unwrap()).collect();
    known.sort_unstable();
    assert_eq!(known, ["pi-1", "py-1"]);
    let said =
        pisink(&lan, 2, &["whisper", "pi-1", r#"{"key":"STATUS"}"#, "--zre", "eth0", "--answers", "10s"]);
    assert!(String::from_utf8_lossy(&said.stdout).contains("\"role\":\"secondary\""), "{said:?}");
    let shouted = pisink(&lan, 2, &["shout", "greenhouse", "hello all", "--zre", "eth0", "--timeout", "20s"]);
    assert_eq!(String::from_utf8_lossy(&shouted.stdout), "taken by pi-1\n", "{shouted:?}");
    let nobody = pisink(&lan, 2, &["whisper", "pi-9", "x", "--zre", "eth0", "--timeout", "3s"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("pi-1"), "{nobody:?}");

    // More messages than there are numbers, both ways.
    peer.say("many pi-1 70000");
    assert_eq!(answer(&mut peer, "m69999")["key"], "PONG");
    peer.say(r#"whisper pi-1 {"key":"PING","id":"4"}"#);
    assert_eq!(answer(&mut peer, "4")["key"], "PONG");
    assert_eq!(names(&mut node), ["py-1"]);
    peer.say("end");
    until("it has said goodbye", || names(&mut node).is_empty().then_some(()));
}

#[test]
fn a_node_that_is_killed_comes_back_and_a_pyre_that_is_killed_is_gone() {
    let data = tempfile::tempdir().unwrap();
    let Some(lan) = Lan::of(2) else { return };
    let launch = node(&lan, &data);
    let first = launch.start();
    let Some(mut peer) = pyre(&lan, 1, "py-1") else { return };
    wait_for(&mut peer, |event| is(event, "ENTER", "pi-1"));
    let mut second = first.kill9().start();
    wait_for(&mut peer, |event| is(event, "EXIT", "pi-1"));
    wait_for(&mut peer, |event| is(event, "ENTER", "pi-1"));
    peer.say(r#"whisper pi-1 {"key":"PING","id":"1"}"#);
    assert_eq!(answer(&mut peer, "1")["key"], "PONG");
    // Its handle kills it: no goodbye is said.
    drop(peer);
    assert_eq!(names(&mut second), ["py-1"], "it may come back");
    until("it is taken for gone", || names(&mut second).is_empty().then_some(()));
    let log = second.wait_for_line("no peer by ZRE any more");
    assert!(log.contains("silent for 30 s"), "{log}");
}

#[test]
fn what_kills_a_pyre_leaves_the_node_serving_the_others() {
    let data = tempfile::tempdir().unwrap();
    let Some(lan) = Lan::of(3) else { return };
    let node = node(&lan, &data).start();
    let python = lan.command(1, "python3".as_ref());
    let mut hostile = Script::spawn(python, "zre_hostile.py", &[&Lan::address(0), "7001", BROADCAST]);
    assert_eq!(hostile.line(), "done");
    // Nothing was obeyed, and the node answers who comes now.
    let said = pisink(
        &lan,
        2,
        &["whisper", "pi-1", r#"{"key":"PING"}"#, "--zre", "eth0", "--answers", "20s", "--timeout", "20s"],
    );
    assert!(String::from_utf8_lossy(&said.stdout).contains("PONG"), "{said:?}");
    let status = node.status();
    assert!(status["foreign"]["offences"].as_u64().unwrap() >= 5, "{status}");
    hostile.say("end");
    drop(hostile);
    node.stop_by(Signal::TERM);
}

#[test]
fn a_primary_polls_the_nodes_that_it_finds_and_goes_on_where_they_come_back() {
    let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let Some(lan) = Lan::of(2) else { return };
    let launch = Launch::primary("sink", own.path(), &[]).at("0.0.0.0:7001").flags("--zre eth0");
    let sink = lan.launch(0, launch.arg("--discover")).start();
    let secondary =
        lan.launch(1, Launch::secondary("pi-2", other.path()).at("0.0.0.0:7002").flags("--zre eth0"));
    let first = secondary.start();
    let polled = |status: &Json, round: u64| {
        let peers = status["polling"]["peers"].as_array().unwrap();
        peers.len() == 1
            && peers[0]["address"] == "192.0.2.2:7002"
            && peers[0]["node"] == "pi-2"
            && status["polling"]["round"].as_u64().unwrap() > round
            && peers[0]["state"] == "up"
    };
    let when = |what: &str, is_so: &dyn Fn(&Json) -> bool| {
        until(what, || Some(sink.status()).filter(|status| is_so(status)))
    };
    let status = when("it polls the one that it found", &|status| polled(status, 0));
    let round = status["polling"]["round"].as_u64().unwrap();
    let again = first.terminate();
    when("it is still wanted", &|status| {
        let peer = &status["polling"]["peers"][0];
        peer["node"] == "pi-2" && peer["state"] != "up"
    });
    let _second = again.start();
    when("it is polled again, and is one peer", &|status| polled(status, round));
}

#[test]
fn off_unless_asked_for_and_told_where_it_cannot_be() {
    let data = tempfile::tempdir().unwrap();
    let (status, log) =
        Launch::secondary("pi-1", data.path()).flags("--zre nowhere7").at("127.0.0.1:0").fail();
    assert_eq!(status.code(), Some(1));
    assert!(log.iter().any(|line| line.contains("nowhere7") && line.contains("127.0.0.1")), "{log:?}");
    let Some(lan) = Lan::of(1) else { return };
    let launch = Launch::secondary("pi-1", data.path()).flags("--zre eth0").at("127.0.0.1:7001");
    let (status, log) = lan.launch(0, launch).fail();
    assert_eq!(status.code(), Some(1));
    assert!(log.iter().any(|line| line.contains("--listen 0.0.0.0:7001")), "{log:?}");
}
