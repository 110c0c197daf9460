//! What anybody on the network may do to a node's port: bounded, named in the log, and a normal client goes on being
//! served.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test ends at what it did not expect"
)]

mod common;

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use common::{Client, Launch, Process, own_rows, rng, until};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value as Json, json};

/// Longest line that a node takes.
const LINE_MAX_BYTES: usize = 1 << 20;
const MIB: u64 = 1 << 20;

const BUSY: &str = "--bus sim --chip sht3x@0x44 --chip tmp102@0x48 --interval 20ms --flush-interval 20ms";

fn node(dir: &tempfile::TempDir) -> Process {
    Launch::secondary("n", dir.path()).flags(BUSY).start()
}

/// Fills the journal with readings that somebody sends, for the chips would take their time.
fn fill_journal(node: &Process, count: u64) -> Json {
    let text: String = (0..count).map(|number| format!("{{\"msg\":{number}}}\r")).collect();
    node.client().send(text.as_bytes());
    node.wait_for_own(count)
}

/// The normal client: a poll of the journal from its start is answered as ever.
fn assert_served(client: &mut Client, node: &Process) {
    let journal = node.status()["journal"].as_str().unwrap().to_owned();
    assert_eq!(client.ask("PING", &Json::Null)["key"], "PONG");
    let readings = client.readings(&journal, 0, 0);
    assert!(readings.first.0 == 1 && !readings.pack.is_empty());
}

/// Waits until only as many links are there as the test knows of, and the one that asks.
fn wait_for_links(node: &Process, links: u64) {
    node.status_when("the other links are gone", |status| status["links"].as_u64() == Some(links + 1));
}

#[test]
fn garbage_is_answered_and_at_the_sixteenth_line_dropped() {
    let mut rng = rng();
    let dir = tempfile::tempdir().unwrap();
    let mut node = node(&dir);
    node.wait_for_own(10);
    let mut normal = node.client();
    let mut client = node.client();
    client.send(b"GET / HTTP/1.1\r\n");
    let answer = client.json();
    assert_eq!(answer["key"], "ERROR");
    assert!(
        answer["value"]["text"].as_str().unwrap().contains("no JSON")
            && answer.to_string().contains("GET / HTTP/1.1")
    );
    let line = node.wait_for_line("GET / HTTP/1.1");
    assert!(line.contains("WARN") && line.contains("127.0.0.1"), "{line}");
    assert_eq!(client.ask("PING", &Json::Null)["key"], "PONG", "one mistake is forgiven");
    for _ in 0..15 {
        client.try_send(b"{\"key\": nonsense\n");
    }
    assert!(client.is_closed_by_the_other_end());
    node.wait_for_line("its link is closed");
    for _ in 0..20 {
        let mut client = node.client();
        let bytes: Vec<u8> = (0..rng.usize(1..200_000)).map(|_| rng.u8(..)).collect();
        client.try_send(&bytes);
        // Whether it was closed or waits for the end of a line: nobody else notices.
        assert_served(&mut normal, &node);
    }
    wait_for_links(&node, 1);
    node.terminate();
}

#[test]
fn a_line_without_end_is_bounded_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = node(&dir);
    node.wait_for_own(10);
    let mut normal = node.client();
    // One byte less is a line like any other.
    let mut client = node.client();
    let ping = |pad: usize| format!("{{\"id\":\"1\",\"key\":\"PING\",\"pad\":\"{}\"}}", "x".repeat(pad));
    let padded = ping(LINE_MAX_BYTES - ping(0).len());
    assert_eq!(padded.len(), LINE_MAX_BYTES);
    client.send(format!("{padded}\n").as_bytes());
    assert_eq!(client.json()["key"], "PONG");
    let mut client = node.client();
    client.try_send(&[b' '; 100]);
    client.try_send(&vec![b'x'; 3 * LINE_MAX_BYTES]);
    assert!(client.is_closed_by_the_other_end());
    let line = node.wait_for_line("more than 1048576 bytes");
    assert!(line.contains("its link is closed") && line.contains("127.0.0.1"), "{line}");
    // Half a line, and then nothing: it waits for its end, and others do not.
    let mut slow = node.client();
    slow.send(b"{\"id\":\"1\",\"key\":");
    assert_served(&mut normal, &node);
    for byte in b"\"PING\"}" {
        slow.send(&[*byte]);
        assert_served(&mut normal, &node);
    }
    slow.send(b"\n");
    assert_eq!(slow.json()["key"], "PONG");
    node.terminate();
}

#[test]
fn unknown_keys_and_wrong_values_are_answered_with_what_is_right() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir);
    let mut client = node.client();
    for (message, words) in [
        (json!({"id": "7", "key": "STATSU"}), &["STATSU", "POLL", "STATUS", "PING"][..]),
        (json!({"id": "7", "key": "POLL"}), &["POLL"]),
        (json!({"id": "7", "key": "POLL", "value": {"after": -1, "taken": 0, "max": 1}}), &["POLL", "-1"]),
        (
            json!({"id": "7", "key": "POLL", "value": {"journal": "xyz", "after": 0, "taken": 0, "max": 1}}),
            &["journal", "xyz"],
        ),
        (json!({"id": "7", "key": "READINGS", "value": {}}), &["READINGS"]),
    ] {
        client.send_json(&message);
        let answer = client.json();
        assert_eq!((&answer["key"], &answer["value"]["re"]), (&json!("ERROR"), &json!("7")), "{answer}");
        let text = answer["value"]["text"].as_str().unwrap();
        assert!(words.iter().all(|word| text.contains(word)), "{words:?}: {text}");
    }
    // Nobody but a polled peer can put readings into a store.
    let pack = json!([{"n": "n/c/q", "t": 1, "v": 2}]);
    let (journal, boot) = ("00000000000000ab", "0".repeat(32));
    let readings = json!({"re": "1", "node": "n", "journal": journal, "boot": boot, "after": 0, "first": 1, "last": 1,
                          "pack": pack});
    assert!(
        client.ask("READINGS", &readings)["value"]["text"].as_str().unwrap().contains("nobody here asked")
    );
    node.terminate();
}

#[test]
fn a_client_that_has_said_all_still_gets_its_answers() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir);
    let status = fill_journal(&node, 1_000);
    let journal = status["journal"].as_str().unwrap();
    let mut client = node.client();
    client.send(b"{\"key\":\"STATUS\"}\n");
    client.shut_down_writing();
    assert_eq!(client.json()["value"]["node"], "n");
    assert!(client.is_closed_by_the_other_end());
    // What has to be read from the disk first comes as well.
    let mut client = node.client();
    let poll =
        json!({"id": "1", "key": "POLL", "value": {"journal": journal, "after": 0, "taken": 0, "max": 2000}});
    client.send(format!("{poll}\n{{\"id\":\"2\",\"key\":\"PING\"}}\n").as_bytes());
    client.shut_down_writing();
    let (one, two) = (client.json(), client.json());
    let keys = [&one, &two].map(|answer| answer["key"].as_str().unwrap().to_owned());
    assert!(keys.contains(&"PONG".to_owned()) && keys.contains(&"READINGS".to_owned()), "{keys:?}");
    assert!(client.is_closed_by_the_other_end());
    // So does a long answer that the socket does not take at once.
    let mut client = node.client();
    client.send("{\"key\":\"STATUS\"}\n".repeat(1_500).as_bytes());
    client.shut_down_writing();
    for _ in 0..1_500 {
        assert_eq!(client.json()["key"], "STATUS");
    }
    assert!(client.is_closed_by_the_other_end());
    wait_for_links(&node, 0);
    node.terminate();
}

#[test]
fn an_eager_client_that_reads_is_not_taken_for_one_that_does_not() {
    const QUESTIONS: usize = 10_000;
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir);
    node.wait_for_own(10);
    let mut client = node.client();
    let mut writer = client.stream().try_clone().unwrap();
    let asking =
        std::thread::spawn(move || writer.write_all("{\"key\":\"STATUS\"}\n".repeat(QUESTIONS).as_bytes()));
    for at in 0..QUESTIONS {
        let line = client.try_line().unwrap_or_else(|| panic!("closed after {at} answers"));
        assert!(line.contains("\"key\":\"STATUS\""));
    }
    asking.join().unwrap().unwrap();
    node.terminate();
}

/// Asks for much and reads nothing, until the node has had enough.
fn ask_without_reading(client: &Client) -> bool {
    let mut stream = client.stream();
    let question = "{\"key\":\"STATUS\"}\n".repeat(500);
    stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    // 64 MiB of questions, each with an answer forty times as long.
    (0..8_000).any(|_| match stream.write(question.as_bytes()) {
        Ok(_) => false,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    })
}

#[test]
fn a_client_that_never_reads_is_dropped_and_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = node(&dir);
    node.wait_for_own(10);
    let mut normal = node.client();
    let before = node.rss_bytes();
    let mut deaf = node.client();
    deaf.send(b"{\"msg\":1}\r");
    assert!(ask_without_reading(&deaf), "it is never dropped");
    let line = node.wait_for_line("does not read what it is sent");
    assert!(line.contains("WARN") && line.contains("127.0.0.1") && line.contains("closed"), "{line}");
    let grown = node.rss_bytes().saturating_sub(before);
    assert!(grown < 24 * MIB, "{grown} bytes more than before");
    assert_served(&mut normal, &node);
    wait_for_links(&node, 1);
    // Its name is free again.
    let mut next = node.client();
    next.send(b"{\"msg\":2}\r");
    next.status();
    drop((deaf, next, normal));
    node.terminate();
    let said = own_rows(dir.path()).into_values().filter(|row| row.channel.contains("/json/"));
    let said: Vec<_> = said.map(|row| (row.channel, row.value)).collect();
    let expected = [1.0_f64, 2.0].map(|value| ("127.0.0.1/json/value".to_owned(), Ok(value.to_bits())));
    assert_eq!(said, expected);
}

/// So many questions as a client may ask without reading before it is dropped, less some: what its answers hold in the
/// node's memory is then nearly what one link may hold. How much the system keeps besides differs.
fn questions_without_reading(node: &mut Process, normal: &mut Client) -> usize {
    const STEP: usize = 500;
    let mut deaf = deaf_client(node);
    for asked in 1..100 {
        deaf.try_send("{\"key\":\"STATUS\"}\n".repeat(STEP).as_bytes());
        assert_served(normal, node);
        if node.has_logged("does not read what it is sent") {
            return (asked - 2) * STEP;
        }
    }
    panic!("it is never dropped");
}

/// A client for which the system keeps as little as it can.
fn deaf_client(node: &Process) -> Client {
    let client = node.client();
    rustix::net::sockopt::set_socket_recv_buffer_size(client.stream(), 4_096).unwrap();
    client
}

#[test]
fn many_clients_that_never_read_are_bounded_together() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = node(&dir);
    node.wait_for_own(10);
    let mut normal = node.client();
    let before = node.rss_bytes();
    let questions = questions_without_reading(&mut node, &mut normal);
    let mut deaf: Vec<Client> = Vec::new();
    while !node.has_logged("links together") {
        assert!(deaf.len() < 16, "16 links hold nearly 4 MiB each, and nobody minds");
        let mut client = deaf_client(&node);
        client.try_send("{\"key\":\"STATUS\"}\n".repeat(questions).as_bytes());
        assert_served(&mut normal, &node);
        deaf.push(client);
        let grown = node.rss_bytes().saturating_sub(before);
        assert!(grown < 64 * MIB, "{grown} bytes more than before");
    }
    assert!(deaf.len() > 6, "{}", deaf.len());
    drop(deaf);
    wait_for_links(&node, 1);
    node.terminate();
}

#[test]
fn many_half_lines_are_bounded_together() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir);
    node.wait_for_own(10);
    let mut normal = node.client();
    let before = node.rss_bytes();
    let half = vec![b'x'; LINE_MAX_BYTES - 1];
    // All of them would have 150 MiB.
    let mut slow: Vec<Client> = (0..150).map(|_| node.client()).collect();
    for client in &mut slow {
        client.try_send(&half);
        assert_served(&mut normal, &node);
    }
    let grown = node.rss_bytes().saturating_sub(before);
    assert!(grown < 80 * MIB, "{grown} bytes more than before");
    assert!(node.has_logged("links together"), "the log says so");
    drop(slow);
    wait_for_links(&node, 1);
    node.terminate();
}

/// Whether this process may have so many files open.
fn may_open(files: u64) -> bool {
    let limit = getrlimit(Resource::Nofile);
    let maximum = limit.maximum.unwrap_or(u64::MAX);
    if maximum < files {
        eprintln!("passed over: at most {maximum} open files are allowed here");
        return false;
    }
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    true
}

#[test]
fn five_thousand_idle_connections_disturb_nobody() {
    const IDLE: usize = 5_000;
    if !may_open(IDLE as u64 + 200) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir);
    node.wait_for_own(10);
    let mut normal = node.client();
    let before = node.rss_bytes();
    let mut idle = Vec::new();
    while idle.len() < IDLE {
        idle.extend((0..250).map(|_| TcpStream::connect(&node.address).unwrap()));
        assert_served(&mut normal, &node);
    }
    node.status_when("all are there", |status| status["links"].as_u64() == Some(IDLE as u64 + 2));
    assert_served(&mut normal, &node);
    let each = node.rss_bytes().saturating_sub(before) / IDLE as u64;
    assert!(each < 4_096, "{each} bytes each");
    drop(idle);
    wait_for_links(&node, 1);
    node.terminate();
}

#[test]
fn a_flood_of_connections_disturbs_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir);
    node.wait_for_own(10);
    let mut normal = node.client();
    for round in 0..40 {
        for at in 0..50 {
            let mut stream = TcpStream::connect(&node.address).unwrap();
            // Some leave with a word, some in the middle of one, some without.
            let word: &[u8] =
                [&b""[..], b"{\"key\":\"STATUS\"}\n", b"{\"key\":\"ST", b"\r\n\r\n"][(round + at) % 4];
            stream.write_all(word).unwrap();
        }
        assert_served(&mut normal, &node);
    }
    wait_for_links(&node, 1);
    assert_eq!(node.status()["turned_away"], 0);
    node.terminate();
}

/// A node whose store can write nothing for a while, because another program has it locked: what it is given waits.
/// Whatever is too much shows now, however quick the disk is.
fn lock(node: &Process) -> rusqlite::Connection {
    let db = rusqlite::Connection::open(node.data.join("pisink.sqlite")).unwrap();
    db.busy_timeout(common::PATIENCE).unwrap();
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    settled(node, "/last");
    db
}

/// What the status says at this place, once it has not changed for a while.
fn settled(node: &Process, place: &str) -> u64 {
    let (mut seen, mut times) = (None, 0);
    until("nothing changes any more", || {
        let now = node.status().pointer(place).unwrap().as_u64();
        times = if now == seen { times + 1 } else { 0 };
        seen = now;
        seen.filter(|_| times == 10)
    })
}

#[test]
fn a_flood_of_a_scripts_readings_costs_no_reading_of_the_nodes_own() {
    const MESSAGES: u64 = 20_000;
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir);
    node.wait_for_own(10);
    let mut normal = node.client();
    let mut script = node.client();
    let mut writer = script.stream().try_clone().unwrap();
    let lock = lock(&node);
    let flood = std::thread::spawn(move || {
        // A question after each reading, so that no two of them go to the store together.
        let text = |number| format!("{{\"msg\":{number}}}\r{{\"key\":\"PING\"}}\n");
        writer.write_all((0..MESSAGES).map(text).collect::<String>().as_bytes()).unwrap();
    });
    let taken = settled(&node, "/foreign/messages");
    assert!(taken < MESSAGES, "the script has to wait when the store is behind");
    assert_eq!(normal.ask("PING", &Json::Null)["key"], "PONG");
    drop(lock);
    for _ in 0..MESSAGES {
        assert_eq!(script.json()["key"], "PONG");
    }
    flood.join().unwrap();
    node.wait_for_own(MESSAGES);
    assert_served(&mut normal, &node);
    assert_eq!(node.status()["store"]["dropped_readings"], 0);
    node.terminate();
    let said =
        own_rows(dir.path()).into_values().filter(|row| row.channel.contains("/json/")).map(|row| row.value);
    assert!(said.eq((0..MESSAGES).map(|number| Ok((number as f64).to_bits()))), "each once, and in order");
}

#[test]
fn a_flood_of_polls_does_not_keep_the_nodes_own_readings_from_the_disk() {
    const ASKERS: usize = 800;
    /// Polls that may wait for the store.
    const READS_MAX: usize = 64;
    if !may_open(ASKERS as u64 + 200) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir);
    let status = fill_journal(&node, 2_000);
    let journal = status["journal"].as_str().unwrap();
    let poll = json!({"key": "POLL", "value": {"journal": journal, "after": 0, "taken": 0, "max": 2_000}});
    let mut askers: Vec<Client> = (0..ASKERS).map(|_| node.client()).collect();
    let lock = lock(&node);
    for asker in &mut askers {
        asker.send_json(&poll);
    }
    // The first ones wait for the store, as all that is appended does; the others hear at once that they are too many.
    for asker in &mut askers[READS_MAX..] {
        let answer = asker.json();
        assert!(
            answer["value"]["text"].as_str().is_some_and(|text| text.contains("ask again later")),
            "{answer}"
        );
    }
    drop(lock);
    for asker in &mut askers[..READS_MAX] {
        assert_eq!(asker.json()["key"], "READINGS");
    }
    assert_eq!(askers[ASKERS - 1].ask("POLL", &poll["value"])["key"], "READINGS");
    let status = node.status();
    assert_eq!(status["store"]["dropped_readings"], 0);
    node.wait_for_own(status["last"].as_u64().unwrap() + 50);
    node.terminate();
}
