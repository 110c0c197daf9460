//! What a run comes to, for people; and who watches it meanwhile.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use super::fault::{HostIx, PlannedFault};
use super::text::Short;
use crate::model::RoundRecord;

/// Who watches a run. All moments are counted from its begin. Every method may be left out.
pub trait Observer {
    /// Whether [`Observer::line`] is to be called: lines cost time.
    fn wants_lines(&self) -> bool {
        false
    }
    /// Something happened: one line for the log.
    fn line(&mut self, at: Duration, text: &str) {
        let _ = (at, text);
    }
    /// The run has come so far; it senses for `duration` and goes on for as long as it takes to collect everything.
    fn progress(&mut self, at: Duration, duration: Duration) {
        let _ = (at, duration);
    }
    /// A sink records a round.
    fn round(&mut self, at: Duration, sink: HostIx, round: &RoundRecord) {
        let _ = (at, sink, round);
    }
    /// The rings are others than before: the members of each, as they see themselves. Hosts in no ring are in none.
    fn rings(&mut self, at: Duration, rings: &[Vec<HostIx>]) {
        let _ = (at, rings);
    }
    /// A sink records where the clock of another host met its own, and how far at most they are from one moment.
    fn met(&mut self, at: Duration, sink: HostIx, other: HostIx, error: Duration) {
        let _ = (at, sink, other, error);
    }
    /// The fault with this number in the scenario begins or ends.
    fn fault(&mut self, at: Duration, number: usize, begins: bool) {
        let _ = (at, number, begins);
    }
    /// All that live are together (one ring; all peers answer), or no longer.
    fn whole(&mut self, at: Duration, is_whole: bool) {
        let _ = (at, is_whole);
    }
}

/// Nobody watches.
#[derive(Debug, Default)]
pub struct Nobody;

impl Observer for Nobody {}

/// Writes the log, a line for each event.
#[derive(Debug)]
pub struct LogTo<W> {
    out: W,
    failed: Option<std::io::Error>,
}

impl<W: Write> LogTo<W> {
    /// To `out`, which should be buffered.
    pub fn new(out: W) -> Self {
        Self { out, failed: None }
    }

    /// Gives back what was written to, or why a line could not be written.
    pub fn finish(mut self) -> std::io::Result<W> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.out.flush().map(|()| self.out),
        }
    }

    /// Writes one line.
    pub fn write(&mut self, at: Duration, text: &str) {
        if self.failed.is_none() {
            let micros = at.as_micros();
            let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
            self.failed = writeln!(self.out, "{seconds:>6}.{micros:06} {text}").err();
        }
    }
}

impl<W: Write> Observer for LogTo<W> {
    fn wants_lines(&self) -> bool {
        self.failed.is_none()
    }
    fn line(&mut self, at: Duration, text: &str) {
        self.write(at, text);
    }
}

/// Durations of one kind, for quantiles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    /// In microseconds, sorted.
    micros: Vec<u64>,
}

impl Latencies {
    pub(super) fn of(mut micros: Vec<u64>) -> Self {
        micros.sort_unstable();
        Self { micros }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.micros.len()
    }

    /// The duration that a share of them, from 0 to 1, does not pass: 0.5 for the median. `None` when there are none.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let last = self.micros.len().checked_sub(1)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of an index is one"
        )]
        let at = (last as f64 * share.clamp(0.0, 1.0)).round() as usize;
        self.micros.get(at).copied().map(Duration::from_micros)
    }

    /// The longest.
    pub fn longest(&self) -> Option<Duration> {
        self.quantile(1.0)
    }
}

/// Messages of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// How many were sent.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What became of the readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadingCount {
    /// Durable at the node that took them.
    pub taken: u64,
    /// Of these, durable at a sink.
    pub at_sink: u64,
    /// Of these, in a journal and at no sink: their node or every sink is dead, or they are on their way.
    pub waiting: u64,
    /// Of these, gone: their card was changed, or they were dropped before anybody had them.
    pub lost: u64,
    /// Sensed, and gone with a process before its disk had them: nobody was told of them.
    pub unsynced: u64,
}

/// What one fault did.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultOutcome {
    /// The fault.
    pub fault: PlannedFault,
    /// From its begin until all that lived and could reach one another were together; `None`: not before it ended.
    pub healed_after_begin: Option<Duration>,
    /// From its end until all were together; `None` where it has no end, or a later fault came first.
    pub healed_after_end: Option<Duration>,
}

/// What rings did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingCount {
    /// Hops of tokens.
    pub hops: u64,
    /// Claims of a lost token.
    pub claims: u64,
    /// Members that were skipped.
    pub skips: u64,
    /// How often a node began to act as the sink.
    pub sinks: u64,
}

/// What a run came to. Everything counts from its begin to its end, the collecting after the sensing too.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// How long it was, in the time of the run.
    pub virtual_time: Duration,
    /// Events that were simulated.
    pub events: u64,
    /// Rounds that sinks recorded.
    pub rounds: u64,
    /// From a reading taken until it is durable at a sink.
    pub reading_latency: Latencies,
    /// From the last reading of a sampling interval taken until all of that interval are durable at a sink, and so
    /// their average is known.
    pub average_latency: Latencies,
    /// When each average was known, from the begin of the run, and after how long; by time.
    pub averages: Vec<(Duration, Duration)>,
    /// The longest that a reading waited for the sink's disk, by the second in which that ended.
    pub longest_waits: Vec<Duration>,
    /// What became of the readings.
    pub readings: ReadingCount,
    /// Messages by their key.
    pub traffic: BTreeMap<&'static str, Traffic>,
    /// Open links of each host: the most at any time, and on average.
    pub links: Vec<(usize, f64)>,
    /// Bytes that each host's store takes, at 40 a reading.
    pub store_bytes: Vec<u64>,
    /// From the begin until all were together.
    pub formed_after: Option<Duration>,
    /// What each fault did, in the order of the scenario.
    pub faults: Vec<FaultOutcome>,
    /// What rings did.
    pub ring: RingCount,
}

impl Outcome {
    /// All messages together.
    pub fn sent(&self) -> Traffic {
        self.traffic.values().fold(Traffic::default(), |sum, kind| Traffic {
            messages: sum.messages + kind.messages,
            bytes: sum.bytes + kind.bytes,
        })
    }

    /// One line for people.
    pub fn summary(&self) -> String {
        let time = |latency: Option<Duration>| {
            latency.map_or("-".to_owned(), |time| format!("{:.1} ms", time.as_secs_f64() * 1e3))
        };
        format!(
            "{} of run, {} events, {} rounds, {} readings taken, {} at a sink, {} waiting, {} lost; average known \
             after {} (p50), {} (p99); {} messages, {} bytes",
            Short(self.virtual_time),
            self.events,
            self.rounds,
            self.readings.taken,
            self.readings.at_sink,
            self.readings.waiting,
            self.readings.lost,
            time(self.average_latency.quantile(0.5)),
            time(self.average_latency.quantile(0.99)),
            self.sent().messages,
            self.sent().bytes,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_what_is_there() {
        let latencies = Latencies::of((1..=100).rev().collect());
        assert_eq!(latencies.quantile(0.0), Some(Duration::from_micros(1)));
        assert_eq!(latencies.quantile(0.99), Some(Duration::from_micros(99)));
        assert_eq!(latencies.longest(), Some(Duration::from_micros(100)));
        assert_eq!(Latencies::default().quantile(0.5), None);
    }

    #[test]
    fn a_log_line_has_its_time() {
        let mut log = LogTo::new(Vec::new());
        log.line(Duration::from_micros(12_000_345), "something");
        assert_eq!(log.finish().unwrap(), b"    12.000345 something\n");
    }
}
