use pisink_sensors::scan::Verdict;

use super::*;
use crate::cli::doctor::finding::Severity::{Failure, Good, Note, Skipped, Warning};
use crate::cli::doctor::testkit::{Machine, assert_one};

const CHIP: &[&str] = &["sht3x@0x44"];

/// What is said of a bus on which this came of a scan.
fn said(outcome: Outcome) -> Vec<Finding> {
    let settings = Machine::new().scene(CHIP).buses[0].clone();
    vec![bus_finding(&BusScan { settings, outcome })]
}

#[test]
fn a_bus_with_chips_answers() {
    let machine = Machine::new();
    let scene = machine.scene_on(CHIP, &["sht3x@0x44", "seesaw@0x36"], &[]);
    assert_one(&check_bus(&scene), Good, &["pi:1 answers", "2 chips", "ms"]);
    assert_one(&check_bus(&machine.scene_on(CHIP, CHIP, &[])), Good, &["1 chip,"]);
}

#[test]
fn silence_is_a_failure_only_where_chips_are_configured() {
    let machine = Machine::new();
    assert_one(&check_bus(&machine.scene_on(CHIP, &[], &[])), Failure, &["nothing answers", "pin 3"]);
    assert_one(
        &check_bus(&machine.scene_on(CHIP, CHIP, &["sht3x@0x44=gone"])),
        Failure,
        &["nothing answers"],
    );
    assert_one(&check_bus(&machine.scene_on(&[], &[], &[])), Note, &["nothing answers"]);
}

#[test]
fn lines_that_are_held_low_are_told_apart() {
    assert_one(&said(Outcome::Broken(BusError::Timeout)), Failure, &["times out", "one by one"]);
    let found = (0x08..=0x77).map(|address| Found { address, verdict: Verdict::Unknown }).collect();
    let everywhere = Outcome::Found { found, took: Duration::ZERO };
    assert_one(&said(everywhere), Failure, &["112 addresses", "short circuit of SDA"]);
    assert_one(&said(Outcome::Broken(BusError::Absent)), Failure, &["does not work", "dmesg"]);
}

#[test]
fn a_bus_that_does_not_open_points_to_the_reason() {
    let machine = Machine::new();
    let missing = OpenError::Missing { number: 1, others: String::new() };
    assert_one(
        &check_bus(&machine.scene_closed(CHIP, missing.clone())),
        Failure,
        &["cannot be opened", "`i2c`"],
    );
    assert_one(&check_bus(&machine.scene_closed(&[], missing)), Warning, &["cannot be opened"]);
    let odd = OpenError::Io { number: 1, why: "odd".into() };
    assert_one(&check_bus(&machine.scene_closed(CHIP, odd)), Failure, &["odd", "dmesg"]);
}

#[test]
fn a_bus_in_use_is_left_alone() {
    let machine = Machine::new();
    machine.put("proc/812/comm", "pisink\n").link("proc/812/fd/7", "/dev/i2c-1");
    let mut scene = machine.scene(CHIP);
    scene.open_bus = Box::new(|_| panic!("it was opened"));
    assert_one(&check_bus(&scene), Skipped, &["in use by pisink (process 812)", "systemctl stop"]);
    // Where the links of other users' processes do not show, the store's lock does.
    let machine = Machine::new();
    machine.put("proc/813/comm", "pisink\n").put("data/lock", "process 813\n");
    let mut scene = machine.scene(CHIP);
    scene.open_bus = Box::new(|_| panic!("it was opened"));
    assert_one(&check_bus(&scene), Skipped, &["process 813"]);
}

#[test]
fn a_machine_without_a_bus_has_nothing_to_look_at() {
    let mut scene = Machine::new().scene(&[]);
    scene.buses.clear();
    assert_one(&check_bus(&scene), Skipped, &["none"]);
}
