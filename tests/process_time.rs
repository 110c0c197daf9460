//! Nodes of the real binary that believe it is 1970. `libfaketime` (Debian: `apt install faketime`) shows a process
//! another wall clock, and leaves its monotonic one; where it is missing, these tests say so and pass.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends at what it did not expect"
)]

mod common;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use common::{Launch, assert_collected, pisink};
use serde_json::Value as Json;

/// Ten readings a second.
const BUSY: &str = "--bus sim --chip tmp102@0x48 --interval 100ms --flush-interval 50ms";
const YEAR_S: f64 = 365.0 * 86_400.0;

/// The library, if it is installed.
fn faketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten();
    let found =
        folders.map(|folder| folder.path().join("faketime/libfaketime.so.1")).find(|path| path.exists());
    if found.is_none() {
        eprintln!("passed over: libfaketime is not installed (apt install faketime)");
    }
    found
}

/// A process whose wall clock shows what the file says.
fn with_clock(launch: Launch, library: &Path, clock: &Path) -> Launch {
    launch
        .env("LD_PRELOAD", library.to_str().unwrap())
        .env("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap())
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("TZ", "UTC")
}

const IN_1970: &str = "@1970-01-01 00:02:00\n";
const RIGHT: &str = "+0\n";

fn unix_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn readings_of(data: &Path, node: &str) -> Vec<Json> {
    let done = pisink(&format!("export --data {} --format jsonl --node {node}", data.display()));
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// When an export says that a reading was taken, in seconds since 1970.
fn time_s(reading: &Json) -> f64 {
    let time: jiff::Timestamp = reading["time"].as_str().unwrap().parse().unwrap();
    time.as_microsecond() as f64 / 1e6
}

#[test]
fn readings_taken_in_1970_come_out_at_their_right_times() {
    let Some(library) = faketime() else { return };
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("clock"), IN_1970).unwrap();
    let launch = Launch::secondary("far", &at("far")).flags(BUSY);
    let launch = with_clock(launch, &library, &at("clock")).at(&common::free_address());
    let began = unix_s();
    // Before there is a sink, and before and after a restart: its clock begins in 1970 again.
    let far = launch.start();
    far.wait_for_own(20);
    far.terminate();
    let far = launch.start();
    far.wait_for_own(40);
    let sink = Launch::primary("sink", &at("sink"), &[&far.address]).start();
    let status = sink.wait_for_taken(&far.address, 60);

    let clock = &common::peer(&status, &far.address)["clock"];
    let offset_years = clock["offset_s"].as_f64().unwrap() / YEAR_S;
    assert!(offset_years < -50.0 && clock["error_s"].as_f64().unwrap() < 0.05, "{clock}");
    let told = pisink(&format!("status {}", sink.address)).stdout;
    assert!(told.contains(" days behind") && told.contains("NOT SET"), "{told}");
    let told = pisink(&format!("status {}", far.address)).stdout;
    assert!(told.contains("CLOCK    1970-01-01T00:0") && told.contains(": not set;"), "{told}");

    far.terminate();
    let ended = unix_s();
    sink.terminate();
    assert!(assert_collected(&at("sink"), &at("far")) >= 60);
    let readings = readings_of(&at("sink"), "far");
    for reading in &readings {
        assert!((began..ended).contains(&time_s(reading)), "{reading}");
        assert_eq!(reading["time_source"], "sink", "{reading}");
        assert!(reading["time_error_s"].as_f64().unwrap() < 0.05, "{reading}");
    }
    let times: Vec<f64> = readings.iter().map(time_s).collect();
    assert!(times.is_sorted(), "{times:?}");
    let close = times.windows(2).filter(|pair| pair[1] - pair[0] < 0.3).count();
    assert!(close >= 50, "ten a second: {times:?}");
    // The node itself knows no better than it did.
    let own = readings_of(&at("far"), "far");
    assert!(own.iter().all(|reading| reading["time_source"] == "unknown"), "{own:?}");
}

#[test]
fn a_clock_that_is_set_while_the_node_runs_is_believed_for_what_came_before() {
    let Some(library) = faketime() else { return };
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("clock"), IN_1970).unwrap();
    let began = unix_s();
    let node = with_clock(Launch::secondary("pi", &at("pi")).flags(BUSY), &library, &at("clock")).start();
    let before = node.wait_for_own(10)["last"].as_u64().unwrap();
    assert_eq!(node.status()["clock"]["is_set"], false);
    // Put in place whole: it is read all the time.
    std::fs::write(at("new"), RIGHT).unwrap();
    std::fs::rename(at("new"), at("clock")).unwrap();
    node.wait_for_own(before + 20);
    assert_eq!(node.status()["clock"]["is_set"], true);
    node.terminate();
    let ended = unix_s();
    for reading in readings_of(&at("pi"), "pi") {
        assert!((began - 0.05..ended).contains(&time_s(&reading)), "{reading}");
        assert_eq!(reading["time_source"], "node", "{reading}");
    }
}
