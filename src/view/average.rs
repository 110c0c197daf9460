//! Rounds to averages: for each round, the mean over the channels of one quantity. Streams: one pass over the
//! readings, one over the rounds, and memory by the number of channels only.

use std::collections::BTreeSet;
use std::time::Duration;

use super::spacing::{median_interval, since};
use super::{ErrAs, Round, Series};
use crate::model::{ErrReason, NodeName, Value, WallTime};

/// Values count as no more than this in a mean, so that no sum of finite values is infinite.
const VALUE_LIMIT: f64 = 1e300;

/// The mean of one quantity in one round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Average {
    /// When the round ended.
    pub time: WallTime,
    /// With ERR counted as zero.
    pub avg: f64,
    /// Of the good readings alone; `None` when there is none.
    pub avg_ok: Option<f64>,
    /// How many channels had a reading or an ERR.
    pub n: u32,
    /// How many of them had a good reading.
    pub n_ok: u32,
}

impl Average {
    /// Whether the two averages are not the same number.
    pub fn differs(&self) -> bool {
        self.n_ok != self.n && self.avg_ok != Some(self.avg)
    }

    /// The mean of what the channels contributed; `None` when none did.
    fn of(time: WallTime, contributions: impl Iterator<Item = Value>) -> Option<Self> {
        let (mut sum, mut sum_ok, mut n, mut n_ok) = (0.0, 0.0, 0_u32, 0_u32);
        for value in contributions {
            let value = value.map(|v| v.clamp(-VALUE_LIMIT, VALUE_LIMIT));
            sum += ErrAs::Zero.value(value).unwrap_or_default();
            n += 1;
            if let Some(good) = ErrAs::Gap.value(value) {
                sum_ok += good;
                n_ok += 1;
            }
        }
        let avg_ok = (n_ok > 0).then(|| sum_ok / f64::from(n_ok));
        (n > 0).then(|| Average { time, avg: sum / f64::from(n), avg_ok, n, n_ok })
    }
}

/// The averages of one quantity, round by round in order of time; rounds without any reading are left out.
///
/// A channel contributes its newest reading in `(end - hold, end]`, where `hold` is the time since the round before or
/// 1.5 times the channel's usual interval, whichever is longer. A node that did not answer is ERR `node_down` in that
/// round, whatever arrived later. Without rounds (a node that collects from nobody) the readings of the channel that
/// has the most of them are the rounds; one channel alone then has no average.
pub struct Averages<'a> {
    channels: Vec<Window<'a>>,
    ticks: Ticks<'a>,
    next: usize,
    before: Option<WallTime>,
    usual_interval: Option<Duration>,
}

/// What the averages are taken at.
enum Ticks<'a> {
    Rounds(Vec<&'a Round>),
    Readings(&'a [(WallTime, Value)]),
}

impl<'a> Averages<'a> {
    /// Over `series`, all of one quantity and unit, at `rounds`.
    pub fn new(series: &[&'a Series], rounds: &'a [Round]) -> Self {
        let ticks = if rounds.is_empty() {
            let fullest = series.iter().max_by_key(|s| s.points.len()).filter(|_| series.len() > 1);
            Ticks::Readings(fullest.map_or(&[], |s| &s.points))
        } else {
            // A wall clock may have been set back between two rounds; windows need order of time.
            let mut by_time: Vec<&Round> = rounds.iter().collect();
            by_time.sort_by_key(|round| round.time);
            Ticks::Rounds(by_time)
        };
        let usual_interval = median_interval(ticks.len(), |at| ticks.time(at));
        let channels = series.iter().map(|series| Window::new(series)).collect();
        Self { channels, ticks, next: 0, before: None, usual_interval }
    }

    /// The median time between two rounds; `None` with fewer than two.
    pub(super) fn usual_interval(&self) -> Option<Duration> {
        self.usual_interval
    }

    /// What each of `series` contributes to `round`, in their order, and the average.
    pub(super) fn in_round(
        series: &[&'a Series],
        rounds: &'a [Round],
        round: &Round,
    ) -> (Vec<Option<Value>>, Option<Average>) {
        let mut averages = Self::new(series, rounds);
        averages.skip_to(round);
        let mut contributions = Vec::with_capacity(series.len());
        averages.advance(|value| contributions.push(value));
        let average = Average::of(round.time, contributions.iter().copied().flatten());
        (contributions, average)
    }

    /// Passes over the rounds before `round`.
    fn skip_to(&mut self, round: &Round) {
        if let Ticks::Rounds(rounds) = &self.ticks {
            self.next = rounds
                .iter()
                .position(|r| r.number == round.number && r.time == round.time)
                .unwrap_or(rounds.len());
            self.before = self.next.checked_sub(1).and_then(|before| self.ticks.time(before));
        }
    }

    fn advance(&mut self, mut take: impl FnMut(Option<Value>)) -> Option<WallTime> {
        let time = self.ticks.time(self.next)?;
        let down = self.ticks.down(self.next);
        // What came before the first round is not known: it is taken to be as long as the others, and when there
        // is no other, everything up to its end belongs to it.
        let since_before = match self.before {
            Some(before) => since(before, time),
            None => self.usual_interval.unwrap_or(Duration::MAX),
        };
        for channel in &mut self.channels {
            let held = channel.newest(time, since_before);
            take(if down.contains(channel.node) { Some(Err(ErrReason::NodeDown)) } else { held });
        }
        self.before = Some(time);
        self.next += 1;
        Some(time)
    }
}

impl Iterator for Averages<'_> {
    type Item = Average;

    fn next(&mut self) -> Option<Average> {
        let mut contributions = Vec::with_capacity(self.channels.len());
        loop {
            contributions.clear();
            let time = self.advance(|value| contributions.extend(value))?;
            if let Some(average) = Average::of(time, contributions.iter().copied()) {
                return Some(average);
            }
        }
    }
}

impl<'a> Ticks<'a> {
    fn len(&self) -> usize {
        match self {
            Ticks::Rounds(rounds) => rounds.len(),
            Ticks::Readings(points) => points.len(),
        }
    }

    fn time(&self, at: usize) -> Option<WallTime> {
        match self {
            Ticks::Rounds(rounds) => rounds.get(at).map(|round| round.time),
            Ticks::Readings(points) => points.get(at).map(|(time, _)| *time),
        }
    }

    fn down(&self, at: usize) -> BTreeSet<&'a NodeName> {
        match self {
            Ticks::Rounds(rounds) => {
                rounds.get(at).map(|round| round.down.iter().collect()).unwrap_or_default()
            }
            Ticks::Readings(_) => BTreeSet::new(),
        }
    }
}

/// Walks through one channel's readings as the rounds go by.
struct Window<'a> {
    node: &'a NodeName,
    rest: std::slice::Iter<'a, (WallTime, Value)>,
    newest: Option<(WallTime, Value)>,
    hold_min: Duration,
}

impl<'a> Window<'a> {
    fn new(series: &'a Series) -> Self {
        let points = &series.points;
        let median = median_interval(points.len(), |at| points.get(at).map(|(time, _)| *time));
        let hold_min = median.unwrap_or_default().saturating_mul(3) / 2;
        Self { node: &series.channel.node, rest: points.iter(), newest: None, hold_min }
    }

    /// The newest reading in `(end - hold, end]`; `end` never goes back.
    fn newest(&mut self, end: WallTime, since_before: Duration) -> Option<Value> {
        while let Some(point) = self.rest.as_slice().first().filter(|(time, _)| *time <= end) {
            self.newest = Some(*point);
            self.rest.next();
        }
        let hold = self.hold_min.max(since_before);
        self.newest.filter(|(time, _)| since(*time, end) < hold).map(|(_, value)| value)
    }
}

#[cfg(test)]
#[path = "average_tests.rs"]
mod tests;
