//! A round of polls over many secondaries, each with its own delay: as long as the slowest, not as long as all.

use std::time::Duration;

use crate::backlog::Backlog;
use crate::kit::{Node, Row, median};
use crate::player::{Play, Player};

const SLOWEST: Duration = Duration::from_millis(50);
const ROUNDS: usize = 15;
/// Rounds in which links come about and journals are found.
const FIRST_ROUNDS: usize = 3;
const TARGET: f64 = 1.3;

pub(crate) fn run() {
    let backlog = Backlog::new();
    for nodes in [1, 100, 1_000] {
        let player = Player::start(Play { nodes, backlog: 0, news: 5, slowest: SLOWEST }, &backlog);
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
                node.memory("VmRSS") / 1_048_576.0
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
