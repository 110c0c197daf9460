//! The ways that are compared, what is run, and what is measured of each.

use std::ops::RangeInclusive;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::io;
use crate::model::Instant;

/// How readings are brought together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The sink polls all others at once.
    AtOnce,
    /// The sink polls one after the other.
    InTurn,
    /// A token goes round.
    Ring,
}

impl Way {
    /// All, in the order in which they are shown.
    pub(super) const ALL: [Way; 3] = [Way::AtOnce, Way::InTurn, Way::Ring];

    /// What it is called.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Way::AtOnce => "polling all at once",
            Way::InTurn => "polling one after the other",
            Way::Ring => "the ring",
        }
    }
}

/// What is run, for each way and each number of nodes.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) nodes: Vec<usize>,
    /// How long each run is.
    pub(super) time: Duration,
    /// The last node is killed, and does not fall silent.
    pub(super) is_killed: bool,
    pub(super) interval: Duration,
    pub(super) channels: u16,
    pub(super) round: Duration,
    pub(super) flush_interval: Duration,
    pub(super) latency: RangeInclusive<Duration>,
    pub(super) loss: f64,
    pub(super) seed: u64,
}

/// What the store of a node that is asked may take to answer.
const STORE_ANSWERS_WITHIN: Duration = Duration::from_millis(4);

impl Plan {
    /// How often everybody is asked. One after the other that cannot be more often than all answers together allow, or
    /// the next is asked before the last has answered.
    pub(super) fn pace(&self, nodes: usize, way: Way, latency: Duration) -> Duration {
        let others = u32::try_from(nodes.saturating_sub(1)).unwrap_or(u32::MAX);
        let all_answers = (2 * latency + STORE_ANSWERS_WITHIN).saturating_mul(others);
        if way == Way::InTurn { self.round.max(all_answers) } else { self.round }
    }
}

/// What one way came to with one number of nodes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figures {
    pub(super) way: Way,
    pub(super) nodes: usize,
    /// From the last reading of an interval until its average is known, while all nodes live.
    pub(super) known: Known,
    /// The longest that a reading waits for the sink's disk while all nodes live; and after the last node has died.
    pub(super) longest_wait: Option<Duration>,
    pub(super) longest_wait_with_dead: Option<Duration>,
    pub(super) messages_per_reading: f64,
    pub(super) bytes_per_reading: f64,
    /// Open connections of the sink, and the most of another node.
    pub(super) sockets: (f64, f64),
    /// Bytes that the sink's store takes, and the most of another node.
    pub(super) store_bytes: (u64, u64),
}

/// How long averages took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// How many averages there were.
    pub(super) count: usize,
    pub(super) median: Option<Duration>,
    /// 99 of 100 took no longer.
    pub(super) p99: Option<Duration>,
    pub(super) longest: Option<Duration>,
}

/// What takes longer shows how far it is.
const PATIENCE: Duration = Duration::from_secs(2);

/// How far a comparison is.
pub(super) struct Progress {
    began_at: Instant,
    runs: usize,
    done: usize,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn new(plan: &Plan, is_real_too: bool) -> Self {
        let runs = plan.nodes.len() * Way::ALL.len() * if is_real_too { 2 } else { 1 };
        Self { began_at: io::now().mono, runs, done: 0, bar: None }
    }

    /// The next run begins.
    pub(super) fn next(&mut self, what: &str) {
        self.done += 1;
        self.show(what);
    }

    /// The run goes on: a bar that waits for its time is looked at again.
    pub(super) fn show(&mut self, what: &str) {
        if self.bar.is_none() && io::now().mono.saturating_since(self.began_at) < PATIENCE {
            return;
        }
        let runs = self.runs as u64;
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::new(runs);
            // The template is a constant; were it wrong, a plain bar would do.
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len}: {msg}") {
                bar.set_style(style);
            }
            bar
        });
        bar.set_position(self.done.saturating_sub(1) as u64);
        bar.set_message(what.to_owned());
    }

    /// Takes it off the terminal.
    pub(super) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
