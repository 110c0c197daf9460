//! What is counted while a run goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use super::outcome::{FaultOutcome, Latencies, Outcome, RingCount, Traffic};
use super::scenario::Scenario;
use crate::model::Instant;

/// The readings of all nodes of one sampling interval.
#[derive(Clone, Copy, Debug, Default)]
struct Tick {
    taken: u32,
    missing: u32,
    last_taken: Instant,
    done_at: Instant,
    is_closed: bool,
}

/// Everything that is counted.
#[derive(Debug)]
pub(super) struct Measures {
    interval: Duration,
    reading_micros: Vec<u64>,
    /// When each average was known, and after how long.
    averages: Vec<(Instant, Duration)>,
    /// The longest wait of a reading for the sink's disk, by the second in which it ended.
    longest_waits: Vec<Duration>,
    ticks: Vec<Tick>,
    closed: usize,
    pub(super) traffic: BTreeMap<&'static str, Traffic>,
    pub(super) rounds: u64,
    pub(super) unsynced: u64,
    pub(super) events: u64,
    pub(super) ring: RingCount,
    pub(super) formed_after: Option<Duration>,
    pub(super) faults: Vec<FaultOutcome>,
    links: Vec<Links>,
}

/// The links of one host over time.
#[derive(Clone, Copy, Debug, Default)]
struct Links {
    now: usize,
    most: usize,
    since: Instant,
    /// Links times seconds.
    sum: f64,
}

impl Measures {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let fault = |fault: &super::fault::PlannedFault| FaultOutcome {
            fault: fault.clone(),
            healed_after_begin: None,
            healed_after_end: None,
        };
        Self {
            interval: scenario.sampling.interval,
            reading_micros: Vec::new(),
            averages: Vec::new(),
            longest_waits: Vec::new(),
            ticks: Vec::new(),
            closed: 0,
            traffic: BTreeMap::new(),
            rounds: 0,
            unsynced: 0,
            events: 0,
            ring: RingCount::default(),
            formed_after: None,
            faults: scenario.faults.iter().map(fault).collect(),
            links: vec![Links::default(); scenario.nodes],
        }
    }

    /// The interval of a reading; none for those that were there when the run began.
    fn tick(&mut self, taken_at: Instant) -> Option<&mut Tick> {
        if taken_at < Instant::ZERO {
            return None;
        }
        let number = taken_at.saturating_since(Instant::ZERO).as_micros() / self.interval.as_micros();
        let number = usize::try_from(number).ok()?;
        if number >= self.ticks.len() {
            self.ticks.resize(number + 1, Tick::default());
        }
        self.ticks.get_mut(number)
    }

    /// A node takes a reading.
    pub(super) fn sensed(&mut self, now: Instant) {
        if let Some(tick) = self.tick(now) {
            tick.taken += 1;
            tick.missing += 1;
            tick.last_taken = now;
        }
        self.close_before(now);
    }

    /// Intervals are closed when the next one has begun: nobody takes a reading in them any more.
    fn close_before(&mut self, now: Instant) {
        let interval = self.interval;
        while let Some(tick) = self.ticks.get_mut(self.closed) {
            let ends = interval.saturating_mul(u32::try_from(self.closed + 1).unwrap_or(u32::MAX));
            if now.saturating_since(Instant::ZERO) < ends {
                return;
            }
            tick.is_closed = true;
            if tick.missing == 0 && tick.taken > 0 {
                let took = tick.done_at.saturating_since(tick.last_taken);
                self.averages.push((tick.done_at, took));
            }
            self.closed += 1;
        }
    }

    /// A reading that was taken then is gone: nobody waits for it.
    pub(super) fn gone(&mut self, taken_at: Instant) {
        self.unsynced += 1;
        if let Some(tick) = self.tick(taken_at) {
            tick.taken = tick.taken.saturating_sub(1);
            tick.missing = tick.missing.saturating_sub(1);
        }
    }

    /// A reading that was taken then is durable at a sink, for the first time.
    pub(super) fn collected(&mut self, now: Instant, taken_at: Instant) {
        if taken_at >= Instant::ZERO {
            self.waited(now, now.saturating_since(taken_at));
        }
        let Some(tick) = self.tick(taken_at) else { return };
        tick.missing = tick.missing.saturating_sub(1);
        tick.done_at = now;
        if tick.missing == 0 && tick.is_closed {
            let took = now.saturating_since(tick.last_taken);
            self.averages.push((now, took));
        }
        self.reading_micros.push(micros(now.saturating_since(taken_at)));
    }

    fn waited(&mut self, now: Instant, wait: Duration) {
        let second = usize::try_from(now.saturating_since(Instant::ZERO).as_secs()).unwrap_or(usize::MAX);
        if second >= self.longest_waits.len() {
            self.longest_waits.resize(second.saturating_add(1), Duration::ZERO);
        }
        if let Some(longest) = self.longest_waits.get_mut(second) {
            *longest = wait.max(*longest);
        }
    }

    /// A message is sent.
    pub(super) fn sent(&mut self, key: &'static str, bytes: usize) {
        let kind = self.traffic.entry(key).or_default();
        kind.messages += 1;
        kind.bytes += bytes as u64;
    }

    /// A host has so many links from now on.
    pub(super) fn links(&mut self, now: Instant, host: usize, count: usize) {
        if let Some(links) = self.links.get_mut(host) {
            links.sum += links.now as f64 * now.saturating_since(links.since).as_secs_f64();
            links.since = now;
            links.now = count;
            links.most = links.most.max(count);
        }
    }

    /// All that live are together: whatever had not healed has now.
    pub(super) fn whole(&mut self, now: Duration, is_over: impl Fn(usize) -> Option<Duration>) {
        self.formed_after.get_or_insert(now);
        for (at, fault) in self.faults.iter_mut().enumerate() {
            match is_over(at) {
                Some(ended) => {
                    fault.healed_after_end.get_or_insert(now.saturating_sub(ended));
                }
                None if fault.fault.from < now => {
                    fault.healed_after_begin.get_or_insert(now.saturating_sub(fault.fault.from));
                }
                None => {}
            }
        }
    }

    /// What it all comes to, but for what only the world knows.
    pub(super) fn outcome(mut self, now: Instant) -> Outcome {
        for host in 0..self.links.len() {
            let count = self.links.get(host).map_or(0, |links| links.now);
            self.links(now, host, count);
        }
        self.close_before(now + self.interval);
        let seconds = now.saturating_since(Instant::ZERO).as_secs_f64().max(f64::MIN_POSITIVE);
        self.averages.sort_unstable();
        let known = |(at, took): &(Instant, Duration)| (at.saturating_since(Instant::ZERO), *took);
        let averages = self.averages.iter().map(known).collect();
        Outcome {
            virtual_time: now.saturating_since(Instant::ZERO),
            events: self.events,
            rounds: self.rounds,
            reading_latency: Latencies::of(self.reading_micros),
            average_latency: Latencies::of(self.averages.iter().map(|(_, took)| micros(*took)).collect()),
            averages,
            longest_waits: self.longest_waits,
            readings: super::outcome::ReadingCount { unsynced: self.unsynced, ..Default::default() },
            traffic: self.traffic,
            links: self.links.iter().map(|links| (links.most, links.sum / seconds)).collect(),
            store_bytes: Vec::new(),
            formed_after: self.formed_after,
            faults: self.faults,
            ring: self.ring,
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
