use super::*;
use crate::cli::doctor::finding::Severity::{Failure, Good, Skipped, Warning};
use crate::cli::doctor::host::User;
use crate::cli::doctor::testkit::{Machine, assert_one};

const CHIP: &[&str] = &["sht3x@0x44"];

fn found(machine: &Machine) -> Vec<Finding> {
    check(&machine.scene(CHIP))
}

/// A machine with a bus that its group may open, and alice, who has the device's group if `is_in`.
fn machine(group: &str, members: &str, is_in: bool) -> Machine {
    let mut machine = Machine::new();
    machine.put("dev/i2c-1", "").mode("dev/i2c-1", 0o660);
    let of = machine.host().metadata("dev/i2c-1").unwrap();
    // The files are those of whoever runs the test; alice is another.
    let alice = of.uid() + 1_000;
    machine.put("etc/group", format!("audio:x:29:\n{group}:x:{}:{members}\n", of.gid()));
    machine
        .put("etc/passwd", format!("root:x:0:0::/:/bin/sh\nalice:x:{alice}:{alice}::/home/alice:/bin/sh\n"));
    machine.user = User { uid: alice, gids: if is_in { vec![of.gid()] } else { vec![alice] } };
    machine
}

#[test]
fn a_bus_that_is_there_and_may_be_opened_is_good() {
    assert_one(&found(&machine("i2c", "alice", true)), Good, &["/dev/i2c-1", "alice"]);
}

#[test]
fn who_may_not_open_it_is_told_which_group_and_when_to_log_in_again() {
    assert_one(&found(&machine("i2c", "bob", false)), Failure, &["usermod -aG i2c alice"]);
    assert_one(&found(&machine("i2c", "bob,alice", false)), Failure, &["yet", "log out and in"]);
    assert_one(&found(&machine("root", "", false)), Failure, &["apt install i2c-tools", "usermod"]);
}

#[test]
fn root_is_told_of_the_services_user() {
    let mut machine = machine("i2c", "alice", true);
    machine.user = User { uid: 0, gids: vec![0] };
    assert_one(&found(&machine), Good, &["root may open it"]);
    let of = machine.host().metadata("dev/i2c-1").unwrap();
    machine.put("etc/passwd", format!("pisink:x:{0}:{0}::/:/bin/false\n", of.uid() + 900));
    assert_one(&found(&machine), Failure, &["service's user pisink may not", "usermod -aG i2c pisink"]);
    machine.put("etc/group", format!("i2c:x:{}:pisink\n", of.gid()));
    assert_one(&found(&machine), Good, &["service's user pisink may"]);
}

#[test]
fn a_missing_module_is_told_apart_from_a_missing_bus() {
    let machine = Machine::new();
    machine.dir("sys/bus/i2c/devices/i2c-1");
    assert_one(&found(&machine), Failure, &["modprobe i2c-dev", "modules-load.d"]);
}

#[test]
fn a_missing_bus_is_explained_by_the_boot_configuration() {
    let machine = Machine::new();
    assert_one(&found(&machine), Failure, &["no Pi", "--bus none"]);
    machine.put("boot/firmware/config.txt", "arm_64bit=1\n").put("dev/i2c-20", "").put("dev/i2c-21", "");
    let words = [
        "/boot/firmware/config.txt does not enable",
        "there are pi:20, pi:21",
        "raspi-config nonint do_i2c 0",
    ];
    assert_one(&found(&machine), Failure, &words);
    machine.put("boot/firmware/config.txt", "\ndtparam=i2c_arm=off\n");
    assert_one(&found(&machine), Failure, &["config.txt:2 turns I2C off", "raspi-config"]);
    machine.put("boot/firmware/config.txt", "dtparam=i2c_arm=on\n");
    assert_one(&found(&machine), Failure, &["config.txt:1 enables it", "reboot"]);
    let mut third = machine.scene(CHIP);
    third.buses[0].bus = BusSpec::Pi(3);
    assert_one(&check(&third), Failure, &["/dev/i2c-3", "dtoverlay"]);
}

#[test]
fn without_chips_it_is_a_warning_and_without_a_bus_nothing() {
    let machine = Machine::new();
    assert_one(&check(&machine.scene(&[])), Warning, &["/dev/i2c-1"]);
    let mut scene = machine.scene(CHIP);
    scene.buses[0].bus = BusSpec::Sim(1);
    assert_one(&check(&scene), Skipped, &["sim"]);
    scene.buses.clear();
    assert_one(&check(&scene), Skipped, &["none"]);
}
