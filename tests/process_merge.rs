//! A sink dies, another takes its place, and `pisink merge` makes one store of the two; with real processes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test ends at what it did not expect"
)]

mod common;

use std::path::Path;
use std::process::Stdio;

use common::{
    Launch, assert_collected, command, cursor_of, free_address, own_journal, own_rows, pisink, rows, until,
};
use pisink::store::{FILE_NAME, Filter, Reader};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;

/// Chips that measure often.
const BUSY: &str = "--bus sim --chip sht3x@0x44 --chip tmp102@0x48 --interval 20ms --flush-interval 20ms";

fn merge(into: &Path, from: &[&Path], code: i32) -> Json {
    let from: Vec<_> = from.iter().map(|from| from.display().to_string()).collect();
    let done = pisink(&format!("merge --json --into {} {}", into.display(), from.join(" ")));
    assert_eq!(done.code, Some(code), "{}", done.stderr);
    serde_json::from_str(&done.stdout).unwrap()
}

#[test]
fn a_sink_and_the_one_that_took_its_place_have_every_reading_together() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let address = free_address();
    let bench = Launch::bare(&at("bench"))
        .flags(&format!("--role secondary --name bench {BUSY}"))
        .at(&address)
        .start();
    let sink = Launch::primary("sink", &at("sink"), &[&address]).start();
    sink.wait_for_taken(&address, 40);
    let sink = sink.kill9();
    let before = cursor_of(&at("sink"), own_journal(&at("bench")));

    let standby = Launch::primary("standby", &at("standby"), &[&address]).start();
    standby.wait_for_taken(&address, before + 60);
    // A node at work is no place to merge into, but one to merge from.
    let done = pisink(&format!("merge --into {} {}", at("standby").display(), at("sink").display()));
    assert_eq!(done.code, Some(1));
    assert!(done.stderr.contains("another pisink (process"), "{}", done.stderr);
    let report = merge(&at("sink"), &[&at("standby")], 0);
    assert!(report["new"].as_u64().unwrap() >= 60, "{report}");
    assert_eq!((report["conflicts"].as_u64(), report["made"].as_bool()), (Some(0), Some(false)));
    let held = assert_collected(&at("sink"), &at("bench"));
    assert!(held >= before + 60);

    // The sink is back and goes on from there, while the standby still collects.
    let sink = sink.start();
    sink.wait_for_taken(&address, held + 40);
    standby.terminate();
    bench.terminate();
    sink.terminate();
    let again = merge(&at("sink"), &[&at("standby")], 0);
    let journals = again["from"][0]["journals"].as_array().unwrap();
    let of_standby = journals.iter().find(|journal| journal["node"] == "standby").unwrap();
    let of_bench = journals.iter().find(|journal| journal["node"] == "bench").unwrap();
    assert_eq!((&of_bench["conflicts"], &of_bench["beyond_hole"]), (&Json::from(0), &Json::from(0)));
    assert_eq!(of_standby["cursor"].as_u64().unwrap(), own_rows(&at("standby")).len() as u64);
    assert_collected(&at("sink"), &at("bench"));
    assert_collected(&at("sink"), &at("standby"));
    let all = rows(&at("sink"));
    assert!(rows(&at("standby")).iter().all(|(place, row)| all.get(place) == Some(row)));
    let rounds = |data: &Path| Reader::open(data).unwrap().rounds(&Filter::default()).unwrap();
    let together = rounds(&at("sink"));
    assert!(together.len() > rounds(&at("standby")).len() && together.is_sorted_by_key(|round| round.time));
    let once_more = merge(&at("sink"), &[&at("standby")], 0);
    assert_eq!(once_more["new"], 0);
    let plot = pisink(&format!("plot --data {} --out {}", at("sink").display(), at("plots").display()));
    assert_eq!(plot.code, Some(0), "{}", plot.stderr);
}

#[test]
fn wrong_folders_are_refused_and_conflicts_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let node = Launch::bare(&at("node")).flags(&format!("--role secondary --name node {BUSY}")).start();
    node.wait_for_own(50);
    node.terminate();
    let shown = |args: &str, code: i32, words: &[&str]| {
        let done = pisink(args);
        assert_eq!(done.code, Some(code), "{args}: {}", done.stderr);
        let text = done.stderr + &done.stdout;
        assert!(words.iter().all(|word| text.contains(word)), "{args}: {text}");
    };
    let (node, all) = (at("node").display().to_string(), at("all").display().to_string());
    shown("merge --into all", 2, &["<FROM>"]);
    shown(&format!("merge {node}"), 2, &["--into"]);
    shown(&format!("merge --into {node} {node}/../node"), 2, &["both --into and to be merged"]);
    shown(&format!("merge --into {all} {node} {node}-2"), 1, &["not a pisink store"]);
    assert!(!at("all").exists(), "nothing was begun");
    shown(&format!("merge --into {all} --name archive {node}"), 0, &["readings are new", "which is new"]);
    shown(&format!("merge --into {all} {node}"), 0, &["0 readings are new"]);

    // The card is copied, and the copy goes on from an earlier place.
    std::fs::create_dir(at("copy")).unwrap();
    std::fs::copy(at("node").join(FILE_NAME), at("copy").join(FILE_NAME)).unwrap();
    for folder in ["node", "copy"] {
        let more = Launch::bare(&at(folder)).flags(&format!("--role secondary --name node {BUSY}")).start();
        let last = own_rows(&at("node")).len() as u64;
        more.wait_for_own(last + 20);
        more.terminate();
    }
    merge(&at("all"), &[&at("node")], 0);
    let before = rows(&at("all"));
    let report = merge(&at("all"), &[&at("copy")], 1);
    assert!(report["conflicts"].as_u64().unwrap() >= 20, "{report}");
    let first = &report["from"][0]["first_conflicts"];
    assert_eq!((first.as_array().unwrap().len(), &first[0]["node"]), (10, &Json::from("node")));
    let after = rows(&at("all"));
    assert!(before.iter().all(|(place, row)| after.get(place) == Some(row)), "what was there stays");
    shown(&format!("merge --into {all} {}", at("copy").display()), 1, &["CONFLICT", "is one card a copy"]);
}

#[test]
fn a_merge_that_is_killed_is_run_again() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let node = Launch::bare(&at("node")).flags(&format!("--role secondary --name node {BUSY}")).start();
    node.wait_for_own(300);
    node.terminate();
    let args = format!("merge --into {} {}", at("all").display(), at("node").display());
    for delay_ms in [0, 5, 10, 20, 40] {
        let mut child = command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::park_timeout(std::time::Duration::from_millis(delay_ms));
        // It may have ended already.
        let _ = kill_process(Pid::from_child(&child), Signal::KILL);
        until("it has ended", || child.try_wait().unwrap());
    }
    merge(&at("all"), &[&at("node")], 0);
    let held = assert_collected(&at("all"), &at("node"));
    assert_eq!(held, own_rows(&at("node")).len() as u64);
}
