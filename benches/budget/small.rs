//! Small messages of one script on one link: words, and numbers that become readings.

use std::io::{BufRead, BufReader, Write};
use std::time::{Duration, Instant};

use crate::kit::{Node, Row, median};

const MESSAGES: u64 = 1_000_000;
const REPEATS: usize = 3;
const TARGET_PER_S: f64 = 500_000.0;
const TARGET_US: f64 = 2.0;

pub(crate) fn run() {
    for (what, text) in [("words", "{\"msg\": \"hello\"}\r"), ("numbers, durable", "{\"msg\": 21.5}\r")] {
        let (mut rates, mut costs_us) = (vec![], vec![]);
        for _ in 0..REPEATS {
            let (wall, cpu) = flood(text, what != "words");
            rates.push(MESSAGES as f64 / wall.as_secs_f64());
            costs_us.push(cpu.as_secs_f64() * 1e6 / MESSAGES as f64);
        }
        let (per_s, spread) = median(&rates);
        Row {
            what: format!("small messages in on one link, {what}"),
            ours: per_s,
            unit: "/s",
            target: "500,000/s".into(),
            is_met: Some(per_s >= TARGET_PER_S),
            spread,
            ..Row::default()
        }
        .print("small");
        let (cost_us, spread) = median(&costs_us);
        Row {
            what: format!("processor time of one of them, {what}"),
            ours: cost_us,
            unit: "us",
            target: "2 us".into(),
            is_met: Some(cost_us < TARGET_US),
            spread,
            ..Row::default()
        }
        .print("small");
    }
}

/// Sends them all, and waits until all are counted, and durable if they are readings.
fn flood(text: &str, is_reading: bool) -> (Duration, Duration) {
    let node = Node::start(&["--role", "secondary", "--name", "sink", "--bus", "none", "--interval", "60s"]);
    let before = node.status()["last"].as_u64().expect("its journal's last place");
    let chunk = text.repeat(4_000);
    let mut stream = node.connect();
    let (begin, cpu) = (Instant::now(), node.cpu());
    for _ in 0..MESSAGES / 4_000 {
        stream.write_all(chunk.as_bytes()).expect("it reads");
    }
    stream.write_all(b"{\"id\":\"1\",\"key\":\"PING\"}\r").expect("it reads");
    let mut pong = String::new();
    BufReader::new(&stream).read_line(&mut pong).expect("it answers");
    if is_reading {
        node.wait_for_status(|status| {
            let dropped = &status["store"]["dropped_readings"];
            assert_eq!(*dropped, 0, "a reading is dropped");
            status["last"].as_u64().is_some_and(|last| last >= before + MESSAGES)
        });
    }
    let (wall, cpu) = (begin.elapsed(), node.cpu() - cpu);
    assert_eq!(node.status()["foreign"]["messages"], MESSAGES);
    (wall, cpu)
}
