//! A secondary on a small Pi: its memory, how soon its first reading is durable, and the size of the program.

use std::time::{Duration, Instant};

use pisink::store::{FILE_NAME, Reader};

use crate::kit::{Node, Row, folder, median, on_measured_core};

const MIB: f64 = 1_048_576.0;
const CHIPS: [&str; 8] =
    ["--bus", "sim", "--chip", "sht3x@0x44", "--chip", "seesaw@0x36", "--chip", "ads1115@0x48"];
const STARTS: usize = 7;
const START_MAX: Duration = Duration::from_secs(10);
const TARGET_MIB: f64 = 8.0;
const TARGET_START_MS: f64 = 100.0;

pub(crate) fn run() {
    let mut arguments = vec!["--role", "secondary", "--name", "pi-1", "--interval", "1s"];
    arguments.extend(CHIPS);
    let node = Node::start(&arguments);
    std::thread::sleep(Duration::from_secs(10));
    let (rss, peak) = (node.memory("VmRSS") / MIB, node.memory("VmHWM") / MIB);
    Row {
        what: "memory of a secondary with 3 chips after 10 s".into(),
        ours: rss,
        unit: "MiB",
        target: "8 MiB".into(),
        is_met: Some(rss < TARGET_MIB),
        note: format!("at most {peak:.1} MiB so far; the program's own pages are in it"),
        ..Row::default()
    }
    .print("node");
    let (ms, spread) = median(&[(); STARTS].map(|()| first_reading_ms()));
    Row {
        what: "start to the first durable reading".into(),
        ours: ms,
        unit: "ms",
        target: "100 ms".into(),
        is_met: Some(ms < TARGET_START_MS),
        spread,
        note: "a new data folder; seen by a reader beside the process".into(),
        ..Row::default()
    }
    .print("node");
    let bytes = std::fs::metadata(env!("CARGO_BIN_EXE_pisink")).map_or(f64::NAN, |file| file.len() as f64);
    Row {
        what: "the program, stripped".into(),
        ours: bytes / MIB,
        unit: "MiB",
        target: "8 MiB".into(),
        is_met: Some(bytes / MIB < TARGET_MIB),
        ..Row::default()
    }
    .print("node");
}

fn first_reading_ms() -> f64 {
    let data = folder();
    let begin = Instant::now();
    let mut child = on_measured_core(env!("CARGO_BIN_EXE_pisink"))
        .args(["run", "--role", "secondary", "--name", "pi-1", "--listen", "127.0.0.1:0", "--data"])
        .arg(data.path())
        .args(CHIPS)
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("pisink starts");
    let has_reading = || {
        let is_there = data.path().join(FILE_NAME).exists();
        is_there
            && Reader::open(data.path())
                .and_then(|reader| reader.stats())
                .is_ok_and(|stats| stats.sources.iter().any(|source| source.readings > 0))
    };
    while !has_reading() {
        assert!(begin.elapsed() < START_MAX, "no reading within {START_MAX:?}");
        std::thread::sleep(Duration::from_micros(500));
    }
    let ms = begin.elapsed().as_secs_f64() * 1e3;
    let _ = child.kill();
    let _ = child.wait();
    ms
}
