use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value as Json, json};

use super::*;
use crate::cli::doctor::finding::Severity::{Failure, Good, Note, Skipped, Warning};
use crate::cli::doctor::testkit::{Machine, assert_finding, assert_one, assert_some};
use crate::io;
use crate::proto::PollOrder;

/// A node that answers every line with what `answer` makes of it, to everybody.
fn peer(answer: impl Fn(&Json) -> String + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            serve(stream, &answer);
        }
    });
    address
}

fn serve(mut stream: TcpStream, answer: &impl Fn(&Json) -> String) {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    for line in lines.map_while(Result::ok) {
        let said = answer(&serde_json::from_str(&line).unwrap_or_default());
        if stream.write_all(said.as_bytes()).is_err() {
            return;
        }
    }
}

/// What a node says whose clock is `ahead_us` ahead and which has this journal.
fn node(ahead_us: i64, journal: &'static str) -> impl Fn(&Json) -> String + Clone + Send {
    move |asked| {
        let wall_us = io::now().wall.as_unix_micros() + ahead_us;
        let boot = "0".repeat(32);
        let clock =
            json!({"boot": boot, "received_us": 1_000, "sent_us": 1_000, "wall_us": wall_us, "synced_us": 9});
        let answer = match asked["key"].as_str() {
            Some("PING") => json!({"id": asked["id"], "key": "PONG", "value": {"clock": clock}}),
            _ => json!({"id": asked["id"], "key": "STATUS",
                "value": {"node": "roof", "version": env!("CARGO_PKG_VERSION"), "journal": journal}}),
        };
        format!("{{\"news\":1}}\r\n{answer}\r\n")
    }
}

fn found(peers: &[String]) -> Vec<Finding> {
    let mut scene = Machine::new().scene(&[]);
    let interval = scene.settings.interval;
    scene.settings.role = RoleSettings::Primary {
        peers: peers.to_vec(),
        poll_interval: interval,
        deadline: interval,
        standby: None,
        order: PollOrder::AtOnce,
    };
    check(&scene)
}

#[test]
fn who_polls_nobody_has_no_peers() {
    assert_one(&check(&Machine::new().scene(&[])), Skipped, &["polls nobody"]);
    assert_one(&found(&[]), Note, &["no peers", "peers = ["]);
}

#[test]
fn a_peer_is_told_with_its_name_round_trip_and_clock() {
    let address = peer(node(0, "a"));
    let words = [address.as_str(), "roof answers in", "its clock is", "kept by network time"];
    assert_one(&found(std::slice::from_ref(&address)), Good, &words);
}

#[test]
fn a_clock_that_is_off_is_told_by_how_much() {
    // An hour and a half, by which no exchange here is late.
    assert_one(&found(&[peer(node(-5_400_000_000, "a"))]), Note, &["90 min behind", "`clock`"]);
    assert_one(&found(&[peer(node(5_400_000_000, "a"))]), Note, &["90 min ahead"]);
}

#[test]
fn a_peer_that_does_not_tell_its_clock_has_a_round_trip_all_the_same() {
    let plain = |asked: &Json| {
        let key = if asked["key"] == "PING" { "PONG" } else { "STATUS" };
        let value = if asked["key"] == "PING" { Json::Null } else { json!({"node": "old"}) };
        format!("{}\r\n", json!({"id": asked["id"], "key": key, "value": value}))
    };
    assert_one(&found(&[peer(plain)]), Good, &["old answers in", "does not tell its clock", "pisink ?"]);
}

#[test]
fn a_dead_peer_costs_the_others_nothing_and_says_why() {
    let dead = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let alive = peer(node(0, "a"));
    let found = found(&[dead.clone(), "nowhere.invalid:7001".into(), alive]);
    assert_finding(&found[0], Failure, &[&dead, "connection refused", "0.0.0.0:PORT"]);
    assert_finding(&found[1], Failure, &["nowhere.invalid:7001", "avahi"]);
    assert_finding(&found[2], Good, &["roof"]);
}

#[test]
fn what_is_no_pisink_is_told_apart() {
    assert_one(
        &found(&[peer(|_| "HTTP/1.1 400 Bad Request\r\n".into())]),
        Failure,
        &["no pisink", "--only port"],
    );
    assert_one(&found(&[peer(|_| "{\"key\":\"ERROR\"}\n".repeat(50))]), Failure, &["other things"]);
}

#[test]
fn a_slow_peer_is_a_warning() {
    let answer = Answer { round_trip: Duration::from_millis(300), ..Answer::default() };
    assert_one(&[judge("pi-2:7001", Ok(&answer))], Warning, &["300.0 ms", "slow", "--only wifi"]);
}

#[test]
fn two_peers_with_one_journal_are_told() {
    let found = found(&[peer(node(0, "a")), peer(node(0, "b")), peer(node(0, "a"))]);
    assert_eq!(found.len(), 4);
    assert_some(&found, Warning, &["one journal", "copied card"]);
}

#[test]
fn more_peers_than_are_asked_at_once_keep_their_order() {
    let address = peer(node(0, "a"));
    let peers: Vec<String> = (1..AT_ONCE + 4).map(|at| format!("127.0.0.{at}:1")).chain([address]).collect();
    let found = found(&peers);
    assert_eq!(found.len(), peers.len());
    assert!(found.iter().zip(&peers).all(|(finding, peer)| finding.what.starts_with(&format!("{peer}: "))));
}

/// What is found on a node of a ring with these peers, which is called `bench` and listens on 127.0.0.1:1.
fn found_in_ring(peers: &[String]) -> Vec<Finding> {
    let mut scene = Machine::new().scene(&[]);
    let time = scene.settings.interval;
    scene.settings.role = RoleSettings::Ring {
        peers: peers.to_vec(),
        sink_rank: None,
        makes_token: false,
        token_hold: time,
        round_interval: time,
        standby_after: time,
    };
    check(&scene)
}

/// One that says that it has this role and list.
fn member(role: &'static str, list: Vec<String>) -> String {
    peer(move |asked: &Json| {
        let key = if asked["key"] == "PING" { "PONG" } else { "STATUS" };
        let status = json!({"node": "roof", "role": role, "ring": {"list": list}});
        let value = if asked["key"] == "PING" { Json::Null } else { status };
        format!("{}\r\n", json!({"id": asked["id"], "key": key, "value": value}))
    })
}

#[test]
fn a_node_of_a_ring_is_in_its_list_and_the_others_have_the_same() {
    let own = "127.0.0.1:1".to_owned();
    let other = member("ring", vec![own.clone()]);
    let found = found_in_ring(&[own.clone(), other.clone()]);
    assert_eq!(found.len(), 3, "the own address is not asked");
    assert_some(&found, Good, &[&other, "roof answers"]);
    assert_some(&found, Good, &["127.0.0.1:1 is this node"]);
    assert_some(
        &found,
        Failure,
        &[&other, "another list of peers (127.0.0.1:1)", "the same list in the same order"],
    );

    let secondary = member("secondary", Vec::new());
    let found = found_in_ring(&["127.0.0.1:2".to_owned(), secondary.clone()]);
    assert_some(&found, Failure, &["called bench and listens on 127.0.0.1:1", "put its own address"]);
    assert_some(&found, Failure, &[&secondary, "is a secondary, and in no ring"]);
    assert_eq!(same_list("a:1", &Answer::default(), &[]), None, "an older one does not tell");
    let same = Answer { role: Some("ring".to_owned()), list: vec![own.clone()], ..Answer::default() };
    assert_eq!(same_list("a:1", &same, &[own]), None);
}
