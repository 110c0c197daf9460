//! The lab's text packets on the real binary, with Python programs that treat a connection as the lab's do: asked and
//! asking, the token's way, and packets that are none.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends at what it did not expect"
)]

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::Command;

use common::{Launch, PATIENCE, Process, Script, free_address, own_rows, until};
use serde_json::json;

/// The lab's five, on simulated chips; the anemometer's converter is dead.
const CHIPS: &str = "--bus sim --interval 100ms --chip sht3x@0x44 --chip seesaw@0x36 \
                     --chip ads1015@0x48,ain0=anemometer,ain1=off --fault ads1015@0x48=nack@0s..1h";

fn port(address: &str) -> &str {
    address.rsplit_once(':').unwrap().1
}

/// What a packet brings, and what follows it until the node closes.
fn say(address: &str, packet: &str, ends: bool) -> String {
    let mut link = TcpStream::connect(address).unwrap();
    link.set_read_timeout(Some(PATIENCE)).unwrap();
    link.write_all(packet.as_bytes()).unwrap();
    if ends {
        link.shutdown(Shutdown::Write).unwrap();
    }
    let mut answer = String::new();
    link.read_to_string(&mut answer).unwrap();
    answer
}

/// What the Python snippets of a page print, run against this node, in their order; `None` where there is no Python.
fn run_snippets(page: &str, address: &str) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let (host, port) = address.rsplit_once(':').unwrap();
    let mut said = Vec::new();
    for snippet in text.split("```python\n").skip(1) {
        let code =
            snippet.split("```").next().unwrap().replace("(\"sink\", 7001)", &format!("({host:?}, {port})"));
        assert!(code.contains(port), "no address to replace: {code}");
        let done = Command::new("python3").arg("-c").arg(&code).output().ok()?;
        assert!(done.status.success(), "{code}\n{}", String::from_utf8_lossy(&done.stderr));
        said.push(String::from_utf8(done.stdout).unwrap());
    }
    Some(said)
}

/// A node whose chips have been measured.
fn measuring(data: &Path, flags: &str) -> Process {
    let node = Launch::secondary("n", data).flags(CHIPS).flags(flags).start();
    node.wait_for_own(10);
    node
}

/// The lab's five as a post has them: key and text, in the lab's order.
fn assert_is_post(packet: &str) {
    let rest = packet.strip_prefix("Post Data,").unwrap_or_else(|| panic!("{packet}"));
    let pairs: Vec<(&str, &str)> =
        rest.strip_suffix(',').unwrap().split(',').map(|pair| pair.split_once(':').unwrap()).collect();
    let keys: Vec<&str> = pairs.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, ["rtemp", "rhumd", "stemp", "smois", "winds"], "{packet}");
    for (key, text) in &pairs[..4] {
        let decimals = text.split_once('.').unwrap().1;
        assert!(decimals.len() == 2 && text.parse::<f64>().is_ok(), "{key}:{text}");
    }
    assert_eq!(pairs[4].1, "ERR", "{packet}");
}

/// What a node has of others by lab text: channel, and value or ERR.
fn taken(data: &Path) -> Vec<(String, Result<f64, &'static str>)> {
    let all = own_rows(data).into_values().filter(|row| row.channel.contains("/lab/"));
    all.map(|row| (row.channel, row.value.map(f64::from_bits))).collect()
}

#[test]
fn a_request_is_answered_on_its_connection_and_where_the_labs_programs_listen() {
    let dir = tempfile::tempdir().unwrap();
    let back = free_address();
    let node = measuring(dir.path(), &format!("--lab-answer-port {}", port(&back)));
    // Nobody listens there yet, and the answer on the same connection comes all the same.
    for ends in [false, true] {
        assert_is_post(&say(&node.address, "Requesting Data", ends));
    }
    let Some(mut lab) = Script::start("lab.py", &["primary", "127.0.0.1", port(&node.address), port(&back)])
    else {
        return;
    };
    assert_eq!(lab.line(), "ready");
    for _ in 0..3 {
        lab.act("ask");
        assert_is_post(&lab.line_after("got"));
    }
    assert_eq!(node.status()["lab"]["requests"], 5);
    node.terminate();
}

#[test]
fn the_pages_snippets_do_what_they_say() {
    let dir = tempfile::tempdir().unwrap();
    let node = measuring(dir.path(), "");
    let Some(said) = run_snippets("docs/lab.md", &node.address) else { return };
    let lines: Vec<&str> = said[0].lines().collect();
    assert_eq!((lines.len(), lines[4]), (5, "winds None"), "{lines:?}");
    assert!(lines[0].strip_prefix("rtemp ").unwrap().parse::<f64>().is_ok(), "{lines:?}");
    node.status_when("the post is taken", |status| status["foreign"]["readings"] == 5);
    node.terminate();
}

#[test]
fn the_labs_secondaries_are_polled_and_one_that_dies_and_returns_is_missed_and_taken_again() {
    let dir = tempfile::tempdir().unwrap();
    let (here, door) = (free_address(), free_address());
    let start = |host: &str| {
        let mut lab = Script::start("lab.py", &["secondary", host, port(&door), port(&here)])?;
        assert_eq!(lab.line(), "ready");
        Some(lab)
    };
    let (Some(mut bench), Some(roof)) = (start("127.0.0.1"), start("127.0.0.2")) else { return };
    bench.act("post Post Data,rtemp:-3.50,rhumd:ERR,stemp:nan,smois:0.00,winds:2:3,extra:1.00,");
    let peers = format!("--lab-peer bench=127.0.0.1:{0} --lab-peer 127.0.0.2:{0}", port(&door));
    let node =
        Launch::primary("sink", dir.path(), &[]).at(&here).flags(&format!("{peers} --lab-interval 300ms"));
    let mut node = node.start();
    node.status_when("both have answered", |status| {
        status["lab"]["peers"].as_array().unwrap().iter().all(|peer| peer["answers"].as_u64() > Some(1))
    });
    drop(roof);
    node.wait_for_line("127.0.0.2 at 127.0.0.2:");
    let status =
        node.status_when("the roof is missed", |status| status["lab"]["peers"][1]["silent_s"].is_u64());
    assert_eq!(status["lab"]["peers"][0]["silent_s"], json!(null), "{status}");
    let answers = status["lab"]["peers"][1]["answers"].as_u64();
    let _roof = start("127.0.0.2").unwrap();
    let is_back = |peer: &serde_json::Value| peer["silent_s"].is_null() && peer["answers"].as_u64() > answers;
    node.status_when("it is taken again", |status| is_back(&status["lab"]["peers"][1]));
    assert!(node.has_logged("127.0.0.2:") && node.has_logged("answers again"));
    node.terminate();
    let taken = taken(dir.path());
    let is = |channel: &str, value: Result<f64, &'static str>| {
        let all: Vec<_> = taken.iter().filter(|(known, _)| known == channel).collect();
        assert!(all.len() > 1 && all.iter().all(|(_, is)| *is == value), "{channel}: {all:?}");
    };
    is("bench/lab/temperature", Ok(-3.5));
    is("bench/lab/humidity", Err("parse"));
    is("bench/lab/soil_temperature", Err("parse"));
    is("bench/lab/soil_moisture", Ok(0.0));
    is("bench/lab/wind_speed", Err("parse"));
    is("bench/lab/extra", Ok(1.0));
    is("127.0.0.2/lab/temperature", Ok(22.1));
    is("127.0.0.2/lab/wind_speed", Err("parse"));
}

#[test]
fn a_post_that_nobody_asked_for_is_its_senders_and_ends_with_a_pause_or_the_close() {
    let dir = tempfile::tempdir().unwrap();
    let node = Launch::secondary("n", dir.path()).start();
    // This one stays open and says nothing more.
    let mut quiet = TcpStream::connect(&node.address).unwrap();
    quiet.write_all(b"Post Data,rtemp:1.00,").unwrap();
    node.status_when("the pause has ended it", |status| status["foreign"]["readings"] == 1);
    quiet.write_all(b"Post Data,rtemp:2.00,winds:ERR,").unwrap();
    node.status_when("and the next", |status| status["foreign"]["readings"] == 3);
    // This one closes at once, in two pieces.
    let mut brief = TcpStream::connect(&node.address).unwrap();
    brief.set_nodelay(true).unwrap();
    brief.write_all(b"Post Data,rte").unwrap();
    brief.write_all(b"mp:3.00,").unwrap();
    drop(brief);
    node.status_when("the close has ended it", |status| status["foreign"]["readings"] == 4);
    node.terminate();
    let taken = taken(dir.path());
    let values: Vec<_> = taken.iter().map(|(_, value)| *value).collect();
    assert_eq!(values, [Ok(1.0), Ok(2.0), Err("parse"), Ok(3.0)]);
    assert_eq!(
        (taken[0].0.as_str(), taken[3].0.as_str()),
        ("127.0.0.1/lab/temperature", "127.0.0.1_2/lab/temperature")
    );
}

#[test]
fn the_labs_token_goes_round_and_brings_what_its_hosts_measured() {
    let (dirs, addresses) =
        ([(); 2].map(|()| tempfile::tempdir().unwrap()), [(); 3].map(|()| free_address()));
    let [first, host, last] = &addresses;
    let Some(mut lab) = Script::start("lab.py", &["host", "127.0.0.1", port(last), port(host)]) else {
        return;
    };
    assert_eq!(lab.line(), "ready");
    let ring = |next: &str| format!("--lab-next {next} --lab-hold 50ms");
    let second = Launch::secondary("last", dirs[1].path()).at(last).flags(CHIPS).flags(&ring(first)).start();
    second.wait_for_own(10);
    let sink = Launch::primary("sink", dirs[0].path(), &[]).at(first).flags(&ring(host));
    let sink = sink.arg("--lab-token").start();
    for _ in 0..3 {
        assert_eq!(lab.line_after("got"), "token,seq:1");
    }
    let status = sink.status_when("it was round twice", |status| status["lab"]["tokens"].as_u64() > Some(1));
    assert_eq!(status["lab"]["ring"]["made"], 1, "{status}");
    second.terminate();
    sink.terminate();
    let taken = taken(dirs[0].path());
    let of = |channel: &str| taken.iter().find(|(known, _)| known == channel).unwrap().1;
    assert_eq!((of("lab-1/lab/temperature"), of("lab-1/lab/wind_speed")), (Ok(10.0), Ok(5.0)));
    assert!(of("lab-2/lab/temperature").is_ok() && of("lab-2/lab/soil_moisture").is_ok(), "{taken:?}");
    assert_eq!(of("lab-2/lab/wind_speed"), Err("parse"));
}

#[test]
fn what_is_no_packet_hurts_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let node = measuring(dir.path(), "");
    let flood = "Post Data,".to_owned() + &"a:1,".repeat(10_000);
    let many_keys: String = (0..3_000).map(|n| format!("k{n}:1,")).collect();
    for packet in [
        "Post Data,",
        "Post Data,,,,,",
        "Post Data,rtemp",
        "Post Data,:::::",
        "Post Data,\u{0}:\u{0},",
        "token",
        "token,seq:",
        "token,seq:99999999999999",
        "token,seq:0",
        "tok,/,/,/,seq:4294967295",
        "Requesting Dat",
        &flood,
        &format!("Post Data,{many_keys}"),
        &format!("token,{many_keys}seq:3"),
    ] {
        // Whatever it is: the node closes, and says nothing that the lab's programs could take for a packet.
        let mut link = TcpStream::connect(&node.address).unwrap();
        link.set_read_timeout(Some(PATIENCE)).unwrap();
        let _ = link.write_all(packet.as_bytes());
        let _ = link.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = link.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"Post") && !answer.starts_with(b"tok"), "{packet:.40}");
    }
    // One that asks and is gone, again and again.
    for _ in 0..200 {
        TcpStream::connect(&node.address).unwrap().write_all(b"Requesting Data").unwrap();
    }
    // Of so many at once some are turned away; then there is room again.
    let answer = || Some(say(&node.address, "Requesting Data", false)).filter(|answer| !answer.is_empty());
    assert_is_post(&until("it answers again", answer));
    assert!(node.client().ask("PING", &json!(null))["key"] == "PONG");
    node.terminate();
}
