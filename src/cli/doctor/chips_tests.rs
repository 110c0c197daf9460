use serde_json::json;

use super::*;
use crate::cli::doctor::finding::Severity::{Failure, Good, Note, Skipped, Warning};
use crate::cli::doctor::testkit::{Machine, assert_one, assert_some, node};
use pisink_sensors::bus::OpenError;

fn found(configured: &[&str], there: &[&str]) -> Vec<Finding> {
    check(&Machine::new().scene_on(configured, there, &[]))
}

#[test]
fn chips_that_are_where_the_config_says_are_good() {
    assert_one(&found(&["sht3x@0x44"], &["sht3x@0x44"]), Good, &["sht3x at 0x44 on pi:1, by status CRC"]);
    assert_one(&found(&["ads1115@0x48"], &["ads1115@0x48"]), Good, &["ads1115", "it can be one"]);
}

#[test]
fn a_chip_that_is_not_there_is_a_failure() {
    let found = found(&["sht3x@0x44", "seesaw@0x36"], &["seesaw@0x36"]);
    assert_eq!(found.len(), 2);
    assert_some(&found, Failure, &["sht3x does not answer at 0x44", "sensors scan --bus pi:1"]);
    assert_some(&found, Good, &["seesaw"]);
}

#[test]
fn another_chip_at_the_address_is_named() {
    assert_one(&found(&["sht3x@0x44"], &["sht4x@0x44"]), Failure, &["is sht4x", "says sht3x", "sht4x@0x44"]);
    assert_one(&found(&["bmp280@0x76"], &["bme280@0x76"]), Failure, &["is bme280", "chip id"]);
    assert_one(&found(&["tmp102@0x48"], &["ads1115@0x48"]), Warning, &["ads1115", "says tmp102", "printed"]);
}

#[test]
fn chips_that_the_config_does_not_have_are_offered() {
    let found = found(&["sht3x@0x44"], &["sht3x@0x44", "seesaw@0x36", "ads1015@0x4a"]);
    assert_some(&found, Note, &["seesaw", "\"seesaw@0x36\""]);
    assert_some(&found, Note, &["0x4a", "probably ads1015 or ads1115", "\"DRIVER@0x4a\""]);
}

#[test]
fn what_the_kernel_owns_is_told_with_its_driver() {
    let machine = Machine::new();
    machine.link("sys/bus/i2c/devices/1-0048/driver", "../../../../bus/i2c/drivers/lm75");
    let scene = machine.scene(&[]);
    let words = ["kernel's driver lm75", "echo 1-0048", "/sys/bus/i2c/drivers/lm75/unbind"];
    assert_one(&[owned(&scene, BusSpec::Pi(1), 0x48, "tmp102")], Failure, &words);
    assert_one(&[owned(&scene, BusSpec::Pi(1), 0x49, "tmp102")], Failure, &["(unknown)", "1-0049"]);
    let busy = Found { address: 0x68, verdict: Verdict::Busy };
    assert_one(&[strange(BusSpec::Pi(1), &busy)], Note, &["0x68", "kernel"]);
    let unknown = Found { address: 0x50, verdict: Verdict::Unknown };
    assert_one(&[strange(BusSpec::Pi(1), &unknown)], Note, &["0x50", "no driver"]);
    let chip = "bh1750@0x23".parse().unwrap();
    let unknown = [Found { address: 0x23, verdict: Verdict::Unknown }];
    assert_one(&[configured(&scene, BusSpec::Pi(1), &chip, &unknown)], Warning, &["not as bh1750 does"]);
}

#[test]
fn a_bus_that_was_not_scanned_is_told_once() {
    let machine = Machine::new();
    let missing = OpenError::Missing { number: 1, others: String::new() };
    let scene = machine.scene_closed(&["sht3x@0x44", "seesaw@0x36"], missing.clone());
    assert_one(&check(&scene), Skipped, &["see `bus`"]);
    assert_one(&check(&machine.scene_closed(&[], missing)), Skipped, &["no chip"]);
}

/// What is found where a node works on the bus and says this of its channels.
fn found_by_node(channels: serde_json::Value) -> Vec<Finding> {
    let machine = Machine::new();
    machine.put("proc/812/comm", "pisink\n").put("data/lock", "process 812\n");
    let mut scene = machine.scene(&["sht3x@0x44"]);
    scene.settings.listen = node(&json!({"node": "bench", "channels": channels}));
    check(&scene)
}

#[test]
fn where_a_node_works_on_the_bus_it_is_asked() {
    let channel = |quantity: &str, value: Option<f64>, err: Option<&str>| {
        let name = format!("bench/sht3x-44/{quantity}");
        json!({"channel": name, "unit": "Cel", "value": value, "err": err})
    };
    let good =
        json!([channel("temperature", Some(21.456), None), {"channel": "bench/host/load", "value": 1.0}]);
    assert_one(&found_by_node(good), Good, &["sht3x@0x44", "temperature 21.46 Cel"]);
    let bad = json!([channel("temperature", Some(21.4), None), channel("humidity", None, Some("crc"))]);
    assert_one(&found_by_node(bad), Failure, &["humidity ERR crc", "stop the node"]);
    assert_one(&found_by_node(json!([])), Warning, &["does not read sht3x@0x44", "restart pisink"]);
    assert_one(&found_by_node(json!("nonsense")), Warning, &["does not read"]);
}

#[test]
fn a_node_that_does_not_answer_leaves_it_open() {
    let machine = Machine::new();
    machine.put("proc/812/comm", "pisink\n").put("data/lock", "process 812\n");
    assert_one(&check(&machine.scene(&["sht3x@0x44"])), Skipped, &["no node answers"]);
}
