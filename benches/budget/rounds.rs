//! A round of polls over many secondaries, each with its own delay: as long as the slowest, not as long as all.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::backlog::Backlog;
use crate::kit::{Node, Row, median, wait_until};
use crate::player::{Play, Player};

const SLOWEST: Duration = Duration::from_millis(50);
const ROUNDS: usize = 15;
/// Rounds in which links come about and journals are found.
const FIRST_ROUNDS: usize = 3;
const TARGET: f64 = 1.3;

const MIB: f64 = 1_048_576.0;
const NODES_MAX: usize = 1_000;
/// Readings that each of so many nodes has when they all come back at once.
const BACKLOG: u64 = 2_000;
const TARGET_MIB: f64 = 32.0;

pub(crate) fn run() {
    let backlog = Backlog::new();
    rounds(&backlog);
    all_at_once(&backlog);
}

/// A thousand nodes come back after a day alone: what the sink holds at most.
fn all_at_once(backlog: &Arc<Backlog>) {
    let play = Play { nodes: NODES_MAX, backlog: BACKLOG, news: 5, slowest: Duration::from_millis(5) };
    let player = Player::start(play, backlog);
    let peers = player.peers();
    let mut arguments = vec!["--role", "primary", "--name", "sink", "--bus", "none", "--interval", "60s"];
    arguments.extend(peers.iter().map(String::as_str));
    let (begin, node) = (Instant::now(), Node::start(&arguments));
    let total = BACKLOG * NODES_MAX as u64;
    wait_until("all readings are durable", || player.seen.taken.load(Ordering::Relaxed) >= total);
    let rate = total as f64 / begin.elapsed().as_secs_f64();
    let peak = node.memory("VmHWM") / MIB;
    Row {
        what: "memory at most of a sink, 1,000 nodes with a backlog".into(),
        ours: peak,
        unit: "MiB",
        target: "32 MiB".into(),
        is_met: Some(peak < TARGET_MIB),
        note: format!("{BACKLOG} readings each, taken at {rate:.0}/s by the wall clock"),
        ..Row::default()
    }
    .print("rounds");
}

fn rounds(backlog: &Arc<Backlog>) {
    for nodes in [1, 100, NODES_MAX] {
        let player = Player::start(Play { nodes, backlog: 0, news: 5, slowest: SLOWEST }, backlog);
        let peers = player.peers();
        let mut arguments = vec!["--role", "primary", "--name", "sink", "--bus", "none"];
        arguments.extend(["--interval", "60s", "--poll-interval", "500ms", "--deadline", "400ms"]);
        arguments.extend(peers.iter().map(String::as_str));
        let node = Node::start(&arguments);
        let all = format!(": {nodes} of {nodes} answered in ");
        for _ in 0..FIRST_ROUNDS {
            node.wait_for_log(&all);
        }
        let cpu = node.cpu();
        let times_ms: Vec<f64> = (0..ROUNDS).map(|_| round_ms(&node.wait_for_log(&all))).collect();
        let cpu_ms = (node.cpu() - cpu).as_secs_f64() * 1e3 / ROUNDS as f64;
        let (round_ms, spread) = median(&times_ms);
        let slowest_ms = SLOWEST.as_secs_f64() * 1e3;
        Row {
            what: format!("a round over {nodes} secondaries"),
            ours: round_ms,
            unit: "ms",
            other: Some(("the slowest answers after", slowest_ms)),
            ratio: Some(round_ms / slowest_ms),
            target: "1.3 times".into(),
            is_met: Some(round_ms <= TARGET * slowest_ms),
            spread,
            note: format!(
                "{cpu_ms:.1} ms of processor time a round with 5 readings each; {:.1} MiB",
                node.memory("VmRSS") / MIB
            ),
        }
        .print("rounds");
    }
}

/// From `round 7: 100 of 100 answered in 51.2 ms`.
fn round_ms(line: &str) -> f64 {
    let words = line.split("answered in ").nth(1).and_then(|rest| rest.split(' ').next());
    words.and_then(|number| number.parse().ok()).expect("a time")
}
