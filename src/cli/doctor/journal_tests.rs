use std::sync::Arc;

use super::*;
use crate::cli::doctor::finding::Severity::{Failure, Good, Note, Warning};
use crate::cli::doctor::testkit::{Machine, NOON, assert_one, assert_some};
use crate::model::{BootId, Channel, Instant, JournalId, NodeName, Pack, WallTime};
use crate::store::{Check, OpenParams, Reader, Store};

/// A store below the machine's root with `count` readings, one a millisecond, the last one a second before noon.
fn store(machine: &Machine, count: i64) -> Store {
    let node = NodeName::new("bench").unwrap();
    let params = OpenParams {
        node: node.clone(),
        new_journal: JournalId(7),
        boot: BootId(1),
        now: NOON,
        check: Check::Auto,
    };
    let mut store = Store::open(&machine.path("data"), &params).unwrap().0;
    let channel = Arc::new(Channel {
        node,
        chip: "sht3x-44".into(),
        quantity: "temperature".into(),
        unit: "Cel".into(),
    });
    let mut pack = Pack::default();
    for place in 0..count {
        let before_us = 1_000_000 + (count - 1 - place) * 1_000;
        let wall = WallTime::from_unix_micros(NOON.as_unix_micros() - before_us);
        pack.push(&channel, wall, Instant::from_micros(place * 1_000), Ok(20.0));
    }
    if count > 0 {
        store.append(&pack).unwrap();
    }
    store.commit().unwrap();
    store
}

#[test]
fn no_store_is_no_trouble() {
    let machine = Machine::new();
    assert_one(&check(&machine.scene(&[])), Note, &["no store"]);
    assert!(!machine.path("data").exists(), "a look at nothing leaves nothing");
}

#[test]
fn a_sound_store_is_counted_while_its_node_writes_and_after() {
    let machine = Machine::new();
    let store = store(&machine, 500);
    let words = ["every page is sound", "500 readings of 1 journal", "2026-06-01 11:59:59 UTC"];
    assert_one(&check(&machine.scene(&[])), Good, &words);
    store.close().unwrap();
    assert_one(&check(&machine.scene(&[])), Good, &words);
    let left: Vec<_> =
        machine.path("data").read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "the store and its lock, and nothing beside: {left:?}");
    let machine = Machine::new();
    self::store(&machine, 0).close().unwrap();
    assert_one(&check(&machine.scene(&[])), Good, &["0 readings", "none of this node's own"]);
}

#[test]
fn a_node_that_runs_and_reads_nothing_is_told() {
    let machine = Machine::new();
    store(&machine, 10).close().unwrap();
    machine.put("data/lock", "process 812\n").put("proc/812/comm", "pisink\n");
    assert_one(&check(&machine.scene(&[])), Good, &["sound"]);
    let mut scene = machine.scene(&[]);
    scene.wall = NOON + Duration::from_secs(300);
    assert_one(&check(&scene), Warning, &["5 min ago, though a node runs", "pisink status 127.0.0.1:1"]);
    scene.settings.interval = Duration::from_secs(60);
    assert_one(&check(&scene), Good, &["sound"]);
    let mut early = machine.scene(&[]);
    early.wall = WallTime::from_unix_micros(0);
    assert_one(&check(&early), Note, &["still to come", "`clock`"]);
}

#[test]
fn damage_is_found_and_nothing_is_moved() {
    let machine = Machine::new();
    store(&machine, 2_000).close().unwrap();
    let path = machine.path("data").join(FILE_NAME);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8_192].fill(0xA5);
    std::fs::write(&path, &bytes).unwrap();
    assert_one(&check(&machine.scene(&[])), Failure, &["damaged", "copy the data folder"]);
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "it is left as it is");
}

#[test]
fn an_end_that_is_missing_is_damage() {
    let machine = Machine::new();
    store(&machine, 2_000).close().unwrap();
    let path = machine.path("data").join(FILE_NAME);
    let bytes = std::fs::metadata(&path).unwrap().len();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(bytes - 100).unwrap();
    assert_one(&check(&machine.scene(&[])), Failure, &["damaged", "bytes of"]);
}

#[test]
fn what_is_no_store_and_what_was_moved_aside_are_told() {
    let machine = Machine::new();
    machine.put("data/pisink.sqlite", "");
    assert_one(&check(&machine.scene(&[])), Failure, &["nothing is in", "look again"]);
    machine.put("data/pisink.sqlite", "no database at all, but long enough to be looked at as one");
    assert_one(&check(&machine.scene(&[])), Failure, &["damaged"]);
    let machine = Machine::new();
    let aside = "data/pisink.sqlite.damaged-20260531T101500Z";
    machine.put(aside, "").put(&format!("{aside}-wal"), "");
    assert_some(&check(&machine.scene(&[])), Warning, &["1 damaged store", "20260531T101500Z .recover"]);
}

#[test]
fn readings_that_nobody_will_have_are_told() {
    let machine = Machine::new();
    store(&machine, 10).close().unwrap();
    let mut stats = Reader::open(&machine.path("data")).unwrap().stats().unwrap();
    assert_eq!(losses(&stats), None);
    stats.sources[0].dropped_untaken = 3;
    stats.sources[0].missing = 2;
    assert_one(&[losses(&stats).unwrap()], Warning, &["3 readings were dropped", "2 were gone"]);
}
