//! `pisink doctor` as people and programs meet it, beside a real node.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends at what it did not expect"
)]

mod common;

use common::{Finished, Launch, free_address, pisink};
use serde_json::Value as Json;

/// The findings of one check, by severity and text.
fn findings(done: &Finished, check: &str) -> Vec<(String, String)> {
    let json: Json =
        serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {}", done.stdout));
    let of = json["findings"].as_array().unwrap().iter().filter(|finding| finding["check"] == check);
    let text = |finding: &Json, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    of.map(|finding| (text(finding, "severity"), text(finding, "what"))).collect()
}

fn assert_found(done: &Finished, check: &str, severity: &str, words: &str) {
    let found = findings(done, check);
    let is_it = |(found, what): &(String, String)| found == severity && what.contains(words);
    assert!(found.iter().any(is_it), "no {severity} of {check} with {words:?}: {found:#?}");
}

#[test]
fn beside_a_running_node_it_asks_and_disturbs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (data, chips) = (dir.path().join("a"), "--bus sim --chip sht3x@0x44 --interval 50ms");
    let node = Launch::bare(&data).flags("--role secondary --name bench").flags(chips).start();
    node.wait_for_own(4);
    let sink = format!(
        "--data {} --listen {} --peer {}",
        dir.path().join("b").display(),
        free_address(),
        node.address
    );
    let done = pisink(&format!("doctor --json --bus none --only peers,space,journal,card {sink}"));
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert_found(&done, "peers", "good", "bench answers in");
    assert_found(&done, "peers", "good", "its clock is");
    assert_found(&done, "journal", "note", "no store");
    assert!(!dir.path().join("b").exists(), "a look at nothing leaves nothing");

    let own = format!("--data {} --listen {} {chips}", data.display(), node.address);
    let done = pisink(&format!("doctor --json --only version,port,node,i2c,bus,chips,journal {own}"));
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert_found(&done, "version", "good", env!("CARGO_PKG_VERSION"));
    assert_found(&done, "port", "good", "node bench (secondary, pisink");
    assert_found(&done, "node", "good", "bench has been up for");
    assert_found(&done, "chips", "good", "sht3x at 0x44 on sim");
    assert_found(&done, "journal", "good", "every page is sound");
    node.terminate();
}

#[test]
fn the_exit_code_is_that_of_the_worst_and_people_get_lines() {
    let dir = tempfile::tempdir().unwrap();
    let data = format!("--data {}", dir.path().join("data").display());
    let good = pisink(&format!("doctor --only bus,chips {data} --bus sim --chip sht3x@0x44"));
    assert_eq!((good.code, good.stderr.as_str()), (Some(0), ""));
    let lines: Vec<&str> = good.stdout.lines().collect();
    assert!(lines[0].starts_with("ok    bus       sim answers: 1 chip"), "{}", good.stdout);
    assert!(lines[1].starts_with("ok    chips     sht3x at 0x44"), "{}", good.stdout);
    assert_eq!(lines[2..], ["", "0 failures, 0 warnings, 0 notes, 2 good, 0 skipped"]);

    let bad =
        pisink(&format!("doctor --only chips {data} --bus sim --chip sht3x@0x44 --fault sht3x@0x44=nack"));
    assert_eq!((bad.code, bad.stderr.as_str()), (Some(1), ""));
    assert!(bad.stdout.starts_with("FAIL  chips     sht3x does not answer"), "{}", bad.stdout);
    assert!(bad.stdout.contains("\n                next: check its wires"), "{}", bad.stdout);

    let dead = pisink(&format!("doctor --json --only peers {data} --bus none --peer {}", free_address()));
    assert_eq!(dead.code, Some(1));
    assert_found(&dead, "peers", "failure", "connection refused");
}

#[test]
fn a_wrong_file_is_a_finding_and_a_wrong_flag_is_wrong_usage() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("site.toml");
    let path = config.display().to_string();
    for text in
        ["role = \"secondary\"\nintervall = \"1s\"\n", "role = \"secondary\"\nchips = [\"sht33@0x44\"]\n"]
    {
        std::fs::write(&config, text).unwrap();
        let done = pisink(&format!("doctor --json --only config,speed --config {path}"));
        assert_eq!(done.code, Some(1), "{text}: {}", done.stderr);
        assert_found(&done, "config", "failure", &path);
    }
    std::fs::write(&config, "role = \"primary\"\npeers = [\"pi-2:7001\"]\nbus = \"none\"\n").unwrap();
    let done = pisink(&format!("doctor --json --only config,i2c --config {path}"));
    assert_eq!(done.code, Some(0));
    assert_found(&done, "config", "good", "primary of 1 peer(s)");
    for (args, words) in [
        ("--only wiffi", "did you mean wifi"),
        ("--only nonsense-of-ours", "there are version, config"),
        ("--chip sht33@0x44", "sht3x"),
        ("--listen nowhere", "ADDRESS:PORT"),
    ] {
        let done = pisink(&format!("doctor {args}"));
        assert_eq!((done.code, done.stdout.as_str()), (Some(2), ""), "{args}");
        assert!(done.stderr.contains(words), "{args}: {}", done.stderr);
    }
    let list = pisink("doctor --list");
    assert!(list.code == Some(0) && list.stdout.lines().count() == 17, "{}", list.stdout);
}
