//! The real jsocket, 1.9.6 and 2.0.3, with what is theirs on both sides: many of its clients at a node, one that dies
//! in the middle of a message and comes again, and its server asked by `pisink request`, gone and back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends at what it did not expect"
)]

mod common;

use common::{Launch, Process, Script, free_address, pisink};
use serde_json::{Value as Json, json};

/// Environments of the real library, each with what `pisink request` calls its dialect.
const LIBRARIES: [(&str, &str); 2] = [("jsocket-1", "1"), ("jsocket-2", "2")];

/// Clients at once.
const CLIENTS: usize = 40;

fn clients(library: &str, node: &Process, count: usize) -> Option<Script> {
    let (host, port) = node.address.rsplit_once(':').unwrap();
    let mut clients = Script::start_in(library, "jsocket_clients.py", &[host, port, &count.to_string()])?;
    assert_eq!(clients.line(), "ready");
    Some(clients)
}

/// Has each client ask; how many were answered, and what the first got.
fn ask(clients: &mut Script, question: &Json) -> (usize, Json) {
    clients.say(&format!("ask {question}"));
    let got = clients.line_after("got");
    let (count, answer) = got.split_once(' ').unwrap();
    (count.parse().unwrap(), serde_json::from_str(answer).unwrap())
}

#[test]
fn many_clients_are_answered_at_once_and_their_readings_are_kept() {
    for (library, _) in LIBRARIES {
        let dir = tempfile::tempdir().unwrap();
        let node = Launch::secondary("n", dir.path()).start();
        let Some(mut clients) = clients(library, &node, CLIENTS) else { return };
        for _ in 0..3 {
            let (count, answer) = ask(&mut clients, &json!({"key": "PING", "id": "7"}));
            assert_eq!(
                (count, &answer["key"], &answer["id"]),
                (CLIENTS, &json!("PONG"), &json!("7")),
                "{library}"
            );
        }
        clients.act("tell");
        node.status_when("all have told", |status| status["foreign"]["readings"] == CLIENTS);
        let all_are_there = |latest: &Json| {
            let told: Vec<_> = latest["value"].as_array().unwrap().iter().collect();
            (0..CLIENTS).all(|number| {
                let name = json!(format!("client-{number}"));
                told.iter().any(|reading| reading["node"] == name && reading["value"] == json!(number as f64))
            })
        };
        let asked = common::until("the newest of each is told", || {
            let (count, latest) = ask(&mut clients, &json!({"key": "LATEST"}));
            assert_eq!((count, &latest["sender"]), (CLIENTS, &json!("n")));
            all_are_there(&latest).then_some(count)
        });
        assert_eq!(asked, CLIENTS);
        clients.end();
        node.terminate();
    }
}

#[test]
fn one_that_dies_in_a_message_hurts_nobody_and_is_served_when_it_returns() {
    for (library, _) in LIBRARIES {
        let dir = tempfile::tempdir().unwrap();
        let node = Launch::secondary("n", dir.path()).start();
        let (Some(mut stays), Some(mut dies)) = (clients(library, &node, 1), clients(library, &node, 5))
        else {
            return;
        };
        // The length of a message that never comes: of 2.0.3 it is no message at all.
        dies.act("half");
        drop(dies);
        node.status_when("the dead are gone", |status| status["links"] == 2);
        assert_eq!(ask(&mut stays, &json!({"key": "PING"})).1["key"], "PONG");
        let mut again = clients(library, &node, 5).unwrap();
        assert_eq!(ask(&mut again, &json!({"key": "PING"})).0, 5);
        again.act("tell");
        node.status_when("they are heard again", |status| status["foreign"]["readings"] == 5);
        again.end();
        stays.end();
        node.terminate();
    }
}

#[test]
fn a_server_is_asked_misses_nothing_while_it_is_gone_and_is_asked_again() {
    for (library, dialect) in LIBRARIES {
        let address = free_address();
        let port = address.rsplit_once(':').unwrap().1.to_owned();
        let start = || {
            let mut server = Script::start_in(library, "jsocket_server.py", &[&port])?;
            assert_eq!(server.line(), "ready");
            Some(server)
        };
        let request = |rest: &str| pisink(&format!("request --json --jsocket={dialect} {rest}"));
        let asked = || {
            let answer = request(&format!("--tries 20 --pause 200ms --timeout 20s {address} {{\"n\":1.5}}"));
            assert_eq!(answer.code, Some(0), "{library}: {}", answer.stderr);
            serde_json::from_str::<Json>(&answer.stdout).unwrap()
        };
        let Some(server) = start() else { return };
        let expected = json!({"echo": {"n": 1.5}, "by": "jsocket"});
        for _ in 0..3 {
            assert_eq!(asked(), expected, "{library}");
        }
        // An object that gets no answer is an end in time, and no answer.
        let quiet = request(&format!("--timeout 300ms {address} {{\"quiet\":true}}"));
        assert_eq!((quiet.code, quiet.stdout.as_str()), (Some(1), ""), "{}", quiet.stderr);
        drop(server);
        let gone = request(&format!("--tries 2 --pause 50ms {address} {{\"n\":1}}"));
        assert!(gone.code == Some(1) && gone.stderr.contains(&address), "{}", gone.stderr);
        // It is asked while it is gone, and comes back meanwhile.
        let answer = std::thread::scope(|scope| {
            let asking = scope.spawn(asked);
            let _server = start().unwrap();
            asking.join().unwrap()
        });
        assert_eq!(answer, expected, "{library}");
    }
}
