//! Real primaries that die and come back, and their standbys: who collects, and what is in which store in the end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test ends at what it did not expect"
)]

mod common;

use std::path::Path;

use common::{
    Launch, Process, Proxy, assert_collected, free_address, own_journal, own_rows, pisink, rows, until,
};
use serde_json::Value as Json;

/// Chips that measure often.
const BUSY: &str = "--bus sim --chip sht3x@0x44 --chip tmp102@0x48 --interval 50ms --flush-interval 20ms";

/// Long enough for a machine that has much else to do, and short enough for a test.
const AFTER: &str = "--standby-after 2s";

fn acts(status: &Json) -> bool {
    status["standby"]["acts"] == true
}

fn last(node: &Process) -> u64 {
    node.status()["last"].as_u64().unwrap()
}

/// A standby of the sink at this address.
fn standby(name: &str, data: &Path, peers: &[&str], sink: &str) -> Launch {
    Launch::primary(name, data, peers).flags(&format!("--sink {sink} --standby 1 {AFTER}"))
}

/// Every reading that the node has made is in one of the stores, and each store is exact about what it has.
fn assert_together(stores: &[&Path], node: &Path, through: u64) {
    let journal = own_journal(node);
    let theirs = own_rows(node);
    let held: Vec<_> = stores.iter().map(|store| rows(store)).collect();
    for rows in &held {
        assert!(rows.iter().all(|((of, seq), row)| *of != journal || theirs.get(seq) == Some(row)));
    }
    for seq in 1..=through {
        assert!(held.iter().any(|rows| rows.contains_key(&(journal, seq))), "place {seq} is nowhere");
    }
}

#[test]
fn a_standby_takes_a_killed_primarys_place_and_gives_it_back() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let one = Launch::secondary("one", &at("one")).flags(BUSY).start();
    let two = Launch::secondary("two", &at("two")).flags(BUSY).start();
    let peers = [one.address.as_str(), &two.address];
    let sink = Launch::primary("sink", &at("sink"), &peers).at(&free_address()).start();
    let plots = format!("--plots {} --plot-interval 200ms", at("plots").display());
    let mut second = standby("second", &at("second"), &peers, &sink.address).flags(&plots).start();
    second.wait_for_line("collects");
    sink.wait_for_taken(&one.address, 30);
    let status = second.status();
    assert_eq!(
        (&status["role"], &status["standby"]["watches"][0]["node"]),
        (&"standby".into(), &"sink".into())
    );

    let launch = sink.kill9();
    second.wait_for_line("standby 1 takes the sink's place");
    for source in [&one, &two] {
        second.wait_for_taken(&source.address, last(source));
    }
    let text = pisink(&format!("status {}", second.address)).stdout;
    assert!(text.contains("standby  1, collects") && text.contains("SILENT"), "{text}");
    until("the standby draws", || at("plots").join("round.png").exists().then_some(()));
    let consumers = one.status()["consumers"].clone();
    assert!(consumers["second"].as_u64() > Some(0) && consumers["sink"].as_u64() > Some(0), "{consumers}");

    let sink = launch.start();
    second.wait_for_line("gives way");
    second.status_when("it no longer polls", |status| !acts(status) && status["polling"].is_null());
    let told = [last(&one), last(&two)];
    sink.wait_for_taken(&one.address, told[0]);
    sink.wait_for_taken(&two.address, told[1]);
    for node in [one, two, second, sink] {
        node.terminate();
    }
    for (name, told) in [("one", told[0]), ("two", told[1])] {
        assert!(assert_collected(&at("sink"), &at(name)) >= told, "the old sink has it all");
        assert!(assert_collected(&at("second"), &at(name)) > 0);
        assert_together(&[&at("sink"), &at("second")], &at(name), told);
    }
}

#[test]
fn a_primary_that_never_comes_back_leaves_its_standby_with_everything() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let source = Launch::secondary("source", &at("source")).flags(BUSY).start();
    let sink = Launch::primary("sink", &at("sink"), &[&source.address]).start();
    sink.wait_for_taken(&source.address, 30);
    let launch = standby("second", &at("second"), &[&source.address], &sink.address);
    let second = launch.start();
    sink.kill9();
    second.status_when("it takes the place", acts);
    second.wait_for_taken(&source.address, 60);
    // It is killed itself, and goes on where it was.
    second.kill9();
    let second = launch.start();
    second.status_when("it takes the place again", acts);
    let told = last(&source);
    second.wait_for_taken(&source.address, told);
    source.terminate();
    second.terminate();
    assert!(assert_collected(&at("second"), &at("source")) >= told);
    assert_together(&[&at("sink"), &at("second")], &at("source"), told);
}

#[test]
fn two_standbys_take_their_turns_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let source = Launch::secondary("source", &at("source")).flags(BUSY).start();
    let order = [free_address(), free_address(), free_address()];
    let config = at("site.toml");
    let text = format!(
        "role = \"primary\"\nbus = \"none\"\ninterval = \"1h\"\npoll_interval = \"200ms\"\npeers = [{:?}]\n\
         sink = {:?}\nstandby = [{:?}, {:?}]\nstandby_after = \"2s\"\n",
        source.address, order[0], order[1], order[2]
    );
    std::fs::write(&config, text).unwrap();
    // One file for all of them.
    let start = |name: &str, address: &str| {
        let launch = Launch::bare(&at(name)).flags(&format!("--name {name}")).at(address);
        launch.flags("--config").arg(&config).start()
    };
    let sink = start("sink", &order[0]);
    let first = start("first", &order[1]);
    let second = start("second", &order[2]);
    assert_eq!(
        (&first.status()["standby"]["rank"], &second.status()["standby"]["rank"]),
        (&1.into(), &2.into())
    );
    assert_eq!(sink.status()["role"], "primary");
    sink.wait_for_taken(&source.address, 20);

    let sink = sink.kill9();
    first.status_when("the first takes the place", acts);
    first.wait_for_taken(&source.address, last(&source));
    second.status_when("the second hears of it", |status| {
        !acts(status) && status["standby"]["watches"][1]["state"] == "acts"
    });
    let first = first.kill9();
    second.status_when("the second takes the place", acts);
    second.wait_for_taken(&source.address, last(&source));
    let first = first.start();
    second.status_when("the second gives way", |status| !acts(status));
    first.status_when("the first collects again", acts);
    let sink = sink.start();
    first.status_when("the first gives way", |status| !acts(status));
    let told = last(&source);
    sink.wait_for_taken(&source.address, told);
    for node in [source, sink, first, second] {
        node.terminate();
    }
    assert!(assert_collected(&at("sink"), &at("source")) >= told);
    assert!(assert_collected(&at("first"), &at("source")) > 0);
    assert!(assert_collected(&at("second"), &at("source")) > 0);
}

#[test]
fn a_standby_that_does_not_reach_its_primary_collects_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let source = Launch::secondary("source", &at("source")).flags(BUSY).start();
    let sink = Launch::primary("sink", &at("sink"), &[&source.address]).start();
    let line = Proxy::to(&sink.address);
    let second = standby("second", &at("second"), &[&source.address], &line.address).start();
    second.status_when("it hears of the sink", |status| status["standby"]["watches"][0]["state"] == "acts");
    line.cut();
    second.status_when("it takes the place", acts);
    let told = last(&source);
    second.wait_for_taken(&source.address, told);
    sink.wait_for_taken(&source.address, told);
    line.mend();
    second.status_when("it gives way", |status| !acts(status));
    let told = last(&source);
    sink.wait_for_taken(&source.address, told);
    for node in [source, sink, second] {
        node.terminate();
    }
    assert!(assert_collected(&at("sink"), &at("source")) >= told);
    assert!(assert_collected(&at("second"), &at("source")) > 0);
}
