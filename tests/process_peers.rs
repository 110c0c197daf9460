//! Peers in Python's standard library that speak `\r`-JSON, as the lab's scripts do: against a primary, against a
//! secondary, and as a primary's peer.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test ends at what it did not expect"
)]

mod common;

use std::path::Path;

use common::{Launch, Process, Script, own_rows};
use serde_json::{Value as Json, json};

/// A script that sends to this node and calls itself so.
fn slave(node: &Process, name: &str) -> Option<Script> {
    let (host, port) = node.address.rsplit_once(':').unwrap();
    Script::start("slave.py", &[host, port, name])
}

/// Waits until the node has had so many messages of scripts.
fn wait_for_messages(node: &Process, count: u64) -> Json {
    node.status_when("the scripts' messages are there", |status| status["foreign"]["messages"] == count)
}

/// What the scripts said that is a reading, in order: channel, unit and value.
fn said(data: &Path) -> Vec<(String, String, Result<f64, &'static str>)> {
    let all = own_rows(data).into_values().filter(|row| row.channel.contains("/json/"));
    all.map(|row| (row.channel, row.unit, row.value.map(f64::from_bits))).collect()
}

#[test]
fn a_slave_is_heard_by_either_role() {
    for role in ["primary", "secondary"] {
        let dir = tempfile::tempdir().unwrap();
        let launch = if role == "primary" {
            Launch::primary("n", dir.path(), &[])
        } else {
            Launch::secondary("n", dir.path())
        };
        let mut node = launch.start();
        let Some(mut slave) = slave(&node, "bench-3") else { return };
        slave.act("hello");
        node.wait_for_line("127.0.0.1: {\"msg\":\"hello\"} (0 readings)");
        slave.act("alive");
        node.wait_for_line("127.0.0.1: {\"msg\":\"still alive\"} (0 readings)");
        slave.act("number");
        node.wait_for_line("127.0.0.1: {\"msg\":21.5} (1 readings)");
        for act in ["pairs", "named", "split", "packed", "odd"] {
            slave.act(act);
        }
        let status = wait_for_messages(&node, 6 + 200 + 27);
        assert_eq!(
            (&status["foreign"]["readings"], &status["foreign"]["offences"]),
            (&json!(206 + 6), &json!(0))
        );
        slave.end();
        node.terminate();
        let said = said(dir.path());
        let is = |at: usize, channel: &str, unit: &str, value: Result<f64, &'static str>| {
            assert_eq!(said[at], (channel.to_owned(), unit.to_owned(), value), "{role}, {at}");
        };
        is(0, "127.0.0.1/json/value", "", Ok(21.5));
        is(1, "127.0.0.1/json/temperature", "Cel", Ok(22.1));
        is(2, "127.0.0.1/json/humidity", "%RH", Ok(41.2));
        is(3, "127.0.0.1/json/wind_speed", "m/s", Err("parse"));
        is(4, "bench-3/json/temperature", "Cel", Ok(3.0));
        is(5, "127.0.0.1/json/temperature", "Cel", Ok(22.25));
        for number in 0..200_u32 {
            is(6 + number as usize, "127.0.0.1/json/value", "", Ok(f64::from(number)));
        }
        // Of the odd ones two are numbers, each with three ends of a line.
        let odd: Vec<_> = said[206..].iter().map(|(_, _, value)| value.unwrap()).collect();
        assert_eq!(odd, [0.0, 0.0, 0.0, 1e-3, 1e-3, 1e-3]);
    }
}

#[test]
fn two_slaves_are_told_apart_and_one_that_returns_keeps_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let node = Launch::secondary("n", dir.path()).start();
    let (Some(mut first), Some(mut second)) = (slave(&node, "a"), slave(&node, "b")) else {
        return;
    };
    first.act("number");
    wait_for_messages(&node, 1);
    second.act("number");
    wait_for_messages(&node, 2);
    // Half a message of the one does not get into the other's.
    first.act("split");
    second.act("pairs");
    first.act("named");
    second.act("named");
    wait_for_messages(&node, 6);
    let links = node.status()["links"].as_u64().unwrap();
    second.end();
    node.status_when("the second is gone", |status| status["links"].as_u64().unwrap() < links);
    let mut again = slave(&node, "b").unwrap();
    again.act("number");
    again.act("named");
    wait_for_messages(&node, 8);
    first.act("number");
    wait_for_messages(&node, 9);
    first.end();
    again.end();
    node.terminate();
    let counts =
        said(dir.path()).into_iter().fold(std::collections::BTreeMap::new(), |mut counts, (channel, ..)| {
            *counts.entry(channel).or_insert(0) += 1;
            counts
        });
    let expected = [
        ("127.0.0.1/json/temperature", 1),
        ("127.0.0.1/json/value", 2),
        ("127.0.0.1_2/json/humidity", 1),
        ("127.0.0.1_2/json/temperature", 1),
        ("127.0.0.1_2/json/value", 2),
        ("127.0.0.1_2/json/wind_speed", 1),
        ("a/json/temperature", 1),
        ("b/json/temperature", 2),
    ];
    assert_eq!(counts, expected.map(|(channel, count)| (channel.to_owned(), count)).into());
}

#[test]
fn a_master_can_be_a_primarys_peer() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut master) = Script::start("master.py", &[]) else { return };
    let port = master.line().strip_prefix("port ").unwrap().to_owned();
    let address = format!("127.0.0.1:{port}");
    let node = Launch::primary("sink", dir.path(), &[&address]).start();
    let status = wait_for_messages(&node, 3);
    assert_eq!(common::peer(&status, &address)["state"], "foreign");
    let polls: Vec<Json> = (0..4)
        .map(|_| {
            let line = master.line();
            serde_json::from_str(line.strip_prefix("got ").unwrap_or_else(|| panic!("{line}"))).unwrap()
        })
        .collect();
    assert!(polls.iter().all(|poll| poll["key"] == "POLL" && poll["sender"] == "sink"), "{polls:?}");
    let round = node.status()["polling"]["round"].as_u64().unwrap();
    node.status_when("rounds go on", |status| status["polling"]["round"].as_u64() > Some(round + 2));
    node.terminate();
    let said = said(dir.path());
    let expected = [("value", Ok(12.75)), ("soil_moisture", Ok(345.0)), ("wind_speed", Ok(0.5))];
    let quantities: Vec<_> =
        said.iter().map(|(channel, _, value)| (channel.rsplit('/').next().unwrap(), *value)).collect();
    assert_eq!(quantities, expected);
    let rounds =
        pisink::store::Reader::open(dir.path()).unwrap().rounds(&pisink::store::Filter::default()).unwrap();
    assert!(
        rounds.iter().skip(1).all(|round| round.down.is_empty()),
        "a script that is there is not down: {rounds:?}"
    );
}

#[test]
fn the_real_peers_are_the_pinned_ones() {
    for environment in ["jsocket-1", "jsocket-2", "zmq"] {
        let pins = format!("{}/tests/peers/{environment}.txt", env!("CARGO_MANIFEST_DIR"));
        let Some(mut script) = Script::start_in(environment, "versions.py", &[&pins]) else { return };
        assert_eq!(script.line(), "all as pinned");
        script.end();
    }
}
