use super::*;
use crate::cli::doctor::finding::Severity::{Failure, Good, Note, Skipped, Warning};
use crate::cli::doctor::testkit::{Machine, assert_one, assert_some};

/// A Pi with Wi-Fi that is connected, and says this of its signal.
fn machine(level: &str) -> Machine {
    let machine = Machine::new();
    machine
        .dir("sys/class/net/lo")
        .dir("sys/class/net/wlan0/phy80211")
        .put("sys/class/net/wlan0/operstate", "up\n");
    let table = "Inter-| sta-|   Quality        |\n face | tus | link level noise |\n";
    machine.put("proc/net/wireless", format!("{table} wlan0: 0000   54.  {level}  -256        0\n"));
    machine
}

const POWER_SAVE: &str = "iw dev wlan0 get power_save";
const INFO: &str = "iw dev wlan0 info";

#[test]
fn a_machine_without_wifi_is_passed_over() {
    let machine = Machine::new();
    machine.dir("sys/class/net/eth0");
    assert_one(&check(&machine.scene(&[])), Skipped, &["no Wi-Fi"]);
    assert_one(&check_adhoc(&machine.scene(&[])), Skipped, &["without infrastructure"]);
}

#[test]
fn power_save_and_signal_are_told() {
    let mut good = machine("-56.");
    good.tool(POWER_SAVE, "Power save: off\n").tool(INFO, "Interface wlan0\n\ttype managed\n");
    let found = check(&good.scene(&[]));
    assert_some(&found, Good, &["wlan0", "power save is off"]);
    assert_some(&found, Good, &["-56 dBm"]);
    let mut weak = machine("-79.");
    weak.tool(POWER_SAVE, "Power save: on\n");
    let found = check(&weak.scene(&[]));
    assert_some(&found, Warning, &["power save is on", "iw dev wlan0 set power_save off", "powersave 2"]);
    assert_some(&found, Warning, &["-79 dBm: weak"]);
    assert_some(&check(&machine("-91.").scene(&[])), Warning, &["-91 dBm: too weak"]);
}

#[test]
fn without_the_tool_and_without_the_table_it_says_so() {
    let found = check(&machine("-56.").scene(&[]));
    assert_some(&found, Skipped, &["apt install iw"]);
    let mut newer = machine("0.");
    assert_some(&check(&newer.scene(&[])), Skipped, &["signal is not known"]);
    newer.tool("iw dev wlan0 link", "Connected to 02:00:00:00:00:00 (on wlan0)\n\tsignal: -61 dBm\n");
    assert_some(&check(&newer.scene(&[])), Good, &["-61 dBm"]);
}

#[test]
fn an_interface_that_is_off_says_why() {
    let machine = machine("-56.");
    machine.put("sys/class/net/wlan0/operstate", "down\n");
    assert_one(&check(&machine.scene(&[])), Note, &["not connected"]);
    machine.put("sys/class/net/wlan0/phy80211/rfkill0/soft", "1\n");
    assert_one(&check(&machine.scene(&[])), Warning, &["rfkill", "do_wifi_country"]);
    machine.put("sys/class/net/wlan0/phy80211/rfkill0/hard", "1\n");
    assert_one(&check(&machine.scene(&[])), Warning, &["hardware"]);
}

#[test]
fn an_access_point_has_no_signal_of_its_own() {
    let mut machine = machine("0.");
    machine.tool(POWER_SAVE, "Power save: off\n").tool(INFO, "Interface wlan0\n\ttype AP\n");
    assert_one(&check(&machine.scene(&[])), Good, &["power save is off"]);
}

#[test]
fn a_link_without_infrastructure_has_an_address_and_others() {
    let mut machine = machine("-50.");
    machine.tool(INFO, "Interface wlan0\n\tifindex 3\n\ttype IBSS\n");
    assert_one(&check_adhoc(&machine.scene(&[])), Failure, &["no IPv4 address", "scripts/adhoc"]);
    machine.tool("ip -4 -brief address show dev wlan0", "wlan0            UP             10.77.1.3/16 \n");
    assert_one(
        &check_adhoc(&machine.scene(&[])),
        Warning,
        &["ad-hoc cell at 10.77.1.3/16", "0 other", "--channel"],
    );
    let dump =
        "Station 02:00:00:00:01:00 (on wlan0)\n\tsignal: -50 dBm\nStation 02:00:00:00:02:00 (on wlan0)\n";
    machine.tool("iw dev wlan0 station dump", dump).tool(INFO, "\ttype AP\n");
    assert_one(&check_adhoc(&machine.scene(&[])), Good, &["an access point at 10.77.1.3/16", "2 other"]);
}

#[test]
fn a_station_of_the_sites_own_access_point_is_on_the_link_too() {
    let mut machine = machine("-50.");
    machine.tool(INFO, "\ttype managed\n");
    machine.tool("ip -4 -brief address show dev wlan0", "wlan0 UP 192.168.1.7/24 \n");
    assert_one(&check_adhoc(&machine.scene(&[])), Skipped, &["without infrastructure"]);
    machine.dir("run/pisink-adhoc");
    assert_one(&check_adhoc(&machine.scene(&[])), Failure, &["was applied", "--undo"]);
    machine.tool("ip -4 -brief address show dev wlan0", "wlan0 UP 10.77.1.7/16 \n");
    assert_one(
        &check_adhoc(&machine.scene(&[])),
        Warning,
        &["a station in the site's own network", "0 other"],
    );
    machine.tool("iw dev wlan0 station dump", "Station 02:00:00:00:01:00 (on wlan0)\n");
    assert_one(&check_adhoc(&machine.scene(&[])), Good, &["10.77.1.7/16, with 1 other"]);
}
