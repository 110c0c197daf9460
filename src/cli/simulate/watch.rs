//! Watches a run: the progress on a terminal, the log, and what the picture shows.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::io;
use crate::model::{Instant, RoundRecord};
use crate::sim::{Fault, HostIx, LogTo, Observer, Scenario, Short, SimRole};

/// What takes longer shows how far it is.
const PATIENCE: Duration = Duration::from_secs(2);
/// Changes of a number over time that are kept: more cannot be told apart on a picture.
const STEPS_MAX: usize = 100_000;

/// A number over time: where it changes, and to what.
pub(super) type Steps = Vec<(Duration, usize)>;

/// What was seen of a run.
pub(super) struct Seen {
    /// Nodes that run.
    pub(super) running: Steps,
    /// Members of the largest ring; or nodes that answered the sink's round, and the sink.
    pub(super) together: Steps,
}

/// The one who watches.
pub(super) struct Watch<'a> {
    scenario: &'a Scenario,
    log: Option<LogTo<Box<dyn Write>>>,
    began_at: Instant,
    bar: Option<ProgressBar>,
    down: BTreeSet<(HostIx, usize)>,
    seen: Seen,
}

impl<'a> Watch<'a> {
    pub(super) fn new(scenario: &'a Scenario, log: Option<LogTo<Box<dyn Write>>>) -> Self {
        let seen =
            Seen { running: vec![(Duration::ZERO, scenario.nodes)], together: vec![(Duration::ZERO, 0)] };
        Self { scenario, log, began_at: io::now().mono, bar: None, down: BTreeSet::new(), seen }
    }

    /// Takes the progress off the terminal, and ends the log.
    pub(super) fn finish(self) -> std::io::Result<Seen> {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        if let Some(log) = self.log {
            log.finish()?;
        }
        Ok(self.seen)
    }
}

/// A number is this from now on.
fn step(steps: &mut Steps, at: Duration, count: usize) {
    if steps.last().is_some_and(|(_, last)| *last != count) && steps.len() < STEPS_MAX {
        steps.push((at, count));
    }
}

fn new_bar(duration: Duration) -> ProgressBar {
    let bar = ProgressBar::new(duration.as_secs());
    // The template is a constant; were it wrong, a plain bar would do.
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {msg}") {
        bar.set_style(style);
    }
    bar
}

impl Observer for Watch<'_> {
    fn wants_lines(&self) -> bool {
        self.log.is_some()
    }

    fn line(&mut self, at: Duration, text: &str) {
        if let Some(log) = &mut self.log {
            log.line(at, text);
        }
    }

    fn progress(&mut self, at: Duration, duration: Duration) {
        if self.bar.is_none() && io::now().mono.saturating_since(self.began_at) < PATIENCE {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| new_bar(duration));
        bar.set_position(at.as_secs());
        let whole = |time: Duration| Duration::from_secs(time.as_secs());
        bar.set_message(format!("{} of {}", Short(whole(at)), Short(whole(duration))));
    }

    fn round(&mut self, at: Duration, sink: HostIx, round: &RoundRecord) {
        if self.scenario.role == SimRole::Primary && sink == HostIx(0) {
            step(&mut self.seen.together, at, usize::try_from(round.answered).unwrap_or(usize::MAX));
        }
    }

    fn rings(&mut self, at: Duration, rings: &[Vec<HostIx>]) {
        let largest = rings.iter().map(Vec::len).max().unwrap_or(0);
        step(&mut self.seen.together, at, largest);
    }

    fn fault(&mut self, at: Duration, number: usize, begins: bool) {
        let Some(planned) = self.scenario.faults.get(number) else { return };
        let halted = match planned.fault {
            Fault::Pause(host) => Some(host),
            ref other => other.downs(),
        };
        let Some(host) = halted else { return };
        if begins {
            self.down.insert((host, number));
        } else {
            self.down.remove(&(host, number));
        }
        let down: BTreeSet<HostIx> = self.down.iter().map(|(host, _)| *host).collect();
        step(&mut self.seen.running, at, self.scenario.nodes.saturating_sub(down.len()));
    }
}
