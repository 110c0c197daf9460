//! Whether all that live are together, and how long it may take until they are: the bounds of docs/ring.md. And the
//! begin and the end of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use super::check::{Broken, Invariant, hold};
use super::clock::HostClock;
use super::disk::Disk;
use super::fault::HostIx;
use super::host::Host;
use super::outcome::{Outcome, ReadingCount};
use super::process::address;
use super::scenario::{Scenario, SimRole};
use super::world::{Event, World};
use crate::model::{Instant, JournalId, Member, NodeName, RingId};

/// From one look at the world to the next while something is to be waited for: how exactly healing is measured.
const LOOK_CLOSELY: Duration = Duration::from_millis(10);
/// And while all is well.
const LOOK: Duration = Duration::from_millis(250);
/// Nodes start within this time.
const START_WITHIN: Duration = Duration::from_millis(300);
/// The longest patience of a member that misses the token.
const LOST_MOST: Duration = Duration::from_secs(10);
/// Latencies up to which the ring's bounds hold: an acknowledgement comes back before the next try.
const LATENCY_BOUND_MAX: Duration = Duration::from_millis(90);
/// What a reading takes in a store (docs/store.md).
const STORE_READING_BYTES: u64 = 40;
/// What a reading needs on the wire at most, without what the scenario adds to it.
const READING_BYTES: u64 = 160;

/// What is not yet where it belongs.
#[derive(Debug)]
enum Missing {
    /// The one that is to collect does not.
    Sink(usize),
    /// Readings wait for the disk of their own source.
    Disk(usize),
    /// Readings after `held` through `last` of a source are not at a sink.
    Readings { source: usize, sink: usize, held: u64, last: u64 },
}

/// How the world stands.
#[derive(Debug)]
pub(super) struct Health {
    pub(super) is_over: bool,
    /// All that lived were together at the last look.
    is_whole: bool,
    /// The last fault began or ended then: what was seen before says nothing.
    unsettled_at: Instant,
    /// Rings are to be shown.
    pub(super) rings_changed: bool,
    rings: Vec<Vec<HostIx>>,
    shown_second: u64,
    /// Until then all have to be together; and everything at the sink.
    heal_by: Option<Duration>,
    has_healed: bool,
    collect_by: Option<Duration>,
    /// No fault ends after that.
    calm_from: Duration,
    /// The look that is to come; others were called off.
    next_look: u64,
}

impl Health {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let calm_from = scenario.calm_from();
        let heal_by = scenario.healing_bound().map(|bound| calm_from + bound);
        Self {
            is_over: false,
            is_whole: false,
            unsettled_at: Instant::ZERO,
            rings_changed: false,
            rings: Vec::new(),
            shown_second: 0,
            heal_by,
            has_healed: false,
            collect_by: None,
            calm_from,
            next_look: 0,
        }
    }

    /// Something begins or ends: nobody can say whether all are together before the next look.
    pub(super) fn unsettle(&mut self, now: Instant) {
        self.is_whole = false;
        self.unsettled_at = now;
    }
}

impl Scenario {
    /// From the last fault until all that live are together: what docs/ring.md derives, where faults have taught
    /// members the longest patience there is. `None` where nothing is promised: packets are on their way for too long.
    pub fn healing_bound(&self) -> Option<Duration> {
        let latency = *self.network.latency.end();
        let nodes = u32::try_from(self.nodes).unwrap_or(u32::MAX);
        match self.role {
            _ if latency > LATENCY_BOUND_MAX || self.network.bytes_per_s.is_some() => None,
            SimRole::Primary => None,
            SimRole::Ring => {
                let each = Duration::from_millis(900) + 4 * latency;
                Some(2 * LOST_MOST + Duration::from_secs(4) + nodes * each)
            }
        }
    }

    /// From there until every reading is at a sink, if a source has at most `most` of them, and all together `sum`.
    fn collecting_bound(&self, most: u64, sum: u64) -> Duration {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let latency = micros(*self.network.latency.end());
        let commit = micros(*self.disk.sync.end()) + micros(self.disk.flush_interval);
        let bytes_each = READING_BYTES + self.sampling.name_bytes as u64;
        let bytes_us = self.network.bytes_per_s.map_or(0, |rate| sum * bytes_each * 1_000_000 / rate);
        let time = match self.role {
            // For a link that is held up, a silence, the longest back-off, and as many silences as a slow link takes to
            // learn its pace; then all readings in their pieces.
            SimRole::Primary => {
                let pieces = most / u64::from(self.disk.piece_max.max(1)) + 1;
                60_000_000 + 2 * (pieces * 2 * (latency + 2 * micros(self.disk.queue_max)) + bytes_us)
            }
            // A standby's time, and as many rotations as all readings need: each member may put a piece into a token.
            SimRole::Ring => {
                let nodes = self.nodes as u64;
                let rotations = sum * bytes_each / (256 * 1024 / nodes)
                    + most / u64::from(self.disk.piece_max.max(1))
                    + 20;
                let rotation = nodes * (2 * latency + 30_000)
                    + commit
                    + 4 * micros(self.disk.queue_max)
                    + micros(self.ring.token_hold);
                micros(self.ring.standby_after) + 12_000_000 + rotations * rotation + 4 * bytes_us
            }
        };
        Duration::from_micros(time)
    }
}

impl World<'_> {
    /// Hosts, their lists, and what is to happen.
    pub(super) fn begin(&mut self) -> Result<(), Broken> {
        let scenario = self.scenario;
        for at in 0..scenario.nodes {
            let name = NodeName::new(&scenario.name_of(HostIx(at)))
                .map_err(|error| Broken { invariant: Invariant::NoPanic, what: error.to_string() })?;
            let offset_max = i64::try_from(scenario.clocks.offset_max.as_micros()).unwrap_or(i64::MAX);
            let offset = self.chances.sense.i64(-offset_max..=offset_max);
            let drift_max = i64::from(scenario.clocks.drift_max_ppm);
            let drift = self.chances.sense.i64(-drift_max..=drift_max);
            self.hosts.push(Host::new(name, Disk::new(JournalId(0)), HostClock::new(offset, drift)));
            self.new_journal(at, scenario.sampling.backlog)?;
            let ways: &[bool] = if scenario.site.has_two_ways { &[false, true] } else { &[false] };
            for way in ways {
                self.addresses.insert(address(at, *way), (at, *way));
            }
        }
        self.make_lists();
        for at in 0..scenario.nodes {
            let wait = super::world::between(&mut self.chances.sense, &(Duration::ZERO..=START_WITHIN));
            self.schedule(wait, Event::Start(at));
            let phase = super::world::between(
                &mut self.chances.sense,
                &(Duration::ZERO..=scenario.sampling.interval),
            );
            self.schedule(phase.min(scenario.sampling.interval - Duration::from_micros(1)), Event::Sense(at));
        }
        for (number, fault) in scenario.faults.iter().enumerate() {
            self.schedule(fault.from, Event::Fault(number, true));
            if let Some(to) = scenario.end_of(fault).filter(|_| !fault.fault.is_moment()) {
                self.schedule(to, Event::Fault(number, false));
            }
        }
        self.schedule(scenario.duration.max(scenario.calm_from()), Event::EndOfSensing);
        self.look_after(LOOK_CLOSELY);
        Ok(())
    }

    /// Who is listed where: in a ring all, in one order for all; at a primary all others.
    fn make_lists(&mut self) {
        let scenario = self.scenario;
        let mut order: Vec<usize> = (0..scenario.nodes).collect();
        if scenario.role == SimRole::Ring && scenario.ring.is_shuffled {
            self.chances.sense.shuffle(&mut order);
        }
        let ways: &[bool] = if scenario.site.has_two_ways { &[false, true] } else { &[false] };
        for (at, host) in self.hosts.iter_mut().enumerate() {
            let is_listed =
                |peer: &usize| scenario.role == SimRole::Ring || *peer != at || scenario.site.polls_itself;
            let listed = order.iter().copied().filter(is_listed);
            host.peers = match scenario.role {
                SimRole::Ring => listed.map(|peer| (peer, false)).collect(),
                SimRole::Primary if scenario.collects(HostIx(at)) => {
                    listed.flat_map(|peer| ways.iter().map(move |way| (peer, *way))).collect()
                }
                SimRole::Primary => Vec::new(),
            };
        }
    }

    /// The sensing is over: from here on it is only waited for what is on its way.
    pub(super) fn end_sensing(&mut self) -> Result<(), Broken> {
        self.is_sensing = false;
        self.calm_down();
        self.health.unsettle(self.now);
        self.log(format_args!("the sensing is over"));
        let counts = self.stories.values().map(|story| story.last());
        let (most, sum) = (counts.clone().max().unwrap_or(0), counts.sum());
        let from = self.elapsed().max(self.health.heal_by.unwrap_or_default());
        let latency_slack = if self.health.heal_by.is_some() { 1 } else { 4 };
        self.health.collect_by = Some(from + latency_slack * self.scenario.collecting_bound(most, sum));
        self.look_after(Duration::ZERO);
        Ok(())
    }

    /// Looks whether all are together, and whether that took too long.
    pub(super) fn look(&mut self, number: u64) -> Result<(), Broken> {
        if number != self.health.next_look {
            return Ok(());
        }
        let elapsed = self.elapsed();
        if elapsed.as_secs() > self.health.shown_second {
            self.health.shown_second = elapsed.as_secs();
            self.observer.progress(elapsed, self.scenario.duration);
        }
        let is_whole = self.is_whole();
        if is_whole != std::mem::replace(&mut self.health.is_whole, is_whole) {
            self.log(format_args!("all are together: {is_whole}"));
            self.observer.whole(elapsed, is_whole);
        }
        if is_whole {
            self.note_healed(elapsed);
        }
        self.hold_bounds(elapsed)?;
        if !self.is_sensing {
            let missing = self.missing();
            if (is_whole || self.health.heal_by.is_none()) && missing.is_none() {
                self.health.is_over = true;
            }
            if let (Some(by), Some(missing)) = (self.health.collect_by, missing) {
                hold(Invariant::Collected, elapsed <= by, || {
                    format!("{}; {}", self.say_missing(&missing), self.describe())
                })?;
            }
        }
        self.look_after(if is_whole && self.is_sensing { LOOK } else { LOOK_CLOSELY });
        Ok(())
    }

    /// Looks after this time, and not when it was to be before.
    pub(super) fn look_after(&mut self, wait: Duration) {
        self.health.next_look += 1;
        self.schedule(wait, Event::Look(self.health.next_look));
    }

    fn note_healed(&mut self, elapsed: Duration) {
        let (scenario, trouble) = (self.scenario, &self.trouble);
        let ended = |number: usize| {
            let fault = scenario.faults.get(number)?;
            let end = scenario.end_of(fault)?;
            (end <= elapsed && !trouble.is_active(number)).then_some(end)
        };
        self.measures.whole(elapsed, ended);
        let is_calm = elapsed >= self.health.calm_from && !trouble.is_any(scenario);
        self.health.has_healed |= is_calm;
    }

    fn hold_bounds(&self, elapsed: Duration) -> Result<(), Broken> {
        let Some(by) = self.health.heal_by.filter(|_| !self.health.has_healed) else { return Ok(()) };
        hold(Invariant::Heals, elapsed <= by, || {
            format!(
                "not together {:?} after the last fault; {}",
                self.scenario.healing_bound(),
                self.describe()
            )
        })
    }

    /// Hosts that run and can reach one another, directly or through others.
    fn groups(&self) -> Vec<Vec<usize>> {
        let awake: Vec<usize> = (0..self.hosts.len()).filter(|at| self.is_awake(*at)).collect();
        if self.trouble.is_all_open() {
            return vec![awake];
        }
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for at in awake {
            let reaches = |group: &Vec<usize>| group.iter().any(|other| self.trouble.joins(at, *other));
            let (mut joined, apart): (Vec<_>, Vec<_>) = groups.into_iter().partition(reaches);
            let mut group = joined.drain(..).flatten().collect::<Vec<_>>();
            group.push(at);
            groups = apart;
            groups.push(group);
        }
        groups
    }

    fn is_awake(&self, at: usize) -> bool {
        self.hosts.get(at).is_some_and(Host::is_awake)
    }

    fn is_whole(&self) -> bool {
        if self.elapsed() < START_WITHIN {
            return false;
        }
        match self.scenario.role {
            SimRole::Ring => self.groups().iter().all(|group| self.is_one_ring(group)),
            SimRole::Primary => {
                let (sinks, all) = (self.scenario.sinks, self.scenario.sinks + self.scenario.standbys);
                let is_led = all == sinks || (0..sinks).any(|sink| self.is_awake(sink));
                let is_stood_in = || (sinks..all).any(|sink| self.is_awake(sink) && self.all_answer(sink));
                let answer = (0..sinks).all(|sink| !self.is_awake(sink) || self.all_answer(sink));
                answer && (is_led || is_stood_in())
            }
        }
    }

    /// Whether these hosts are one ring, and nobody else is in it.
    fn is_one_ring(&self, hosts: &[usize]) -> bool {
        let view = |at: &usize| {
            let running = self.hosts.get(*at)?.running.as_ref()?;
            Some(running.node.machine().ring()?.view())
        };
        let mut ring = None;
        // Few comparisons say no in most cases.
        let is_alike = hosts.iter().all(|at| {
            view(at).is_some_and(|view| {
                view.members.len() == hosts.len() && *ring.get_or_insert(view.ring) == view.ring
            })
        });
        if !is_alike {
            return false;
        }
        let known = hosts.iter().filter_map(|at| self.hosts.get(*at));
        let mut journals: Vec<JournalId> = known.map(|host| host.disk.journal).collect();
        journals.sort_unstable();
        let mut last: &[Member] = &[];
        hosts.iter().filter_map(view).all(|view| {
            // Members in the same order as the last one had them are the same ones.
            let former = std::mem::replace(&mut last, view.members);
            ids(former).eq(ids(view.members)) || {
                let mut members: Vec<JournalId> = ids(view.members).collect();
                members.sort_unstable();
                members == journals
            }
        })
    }

    /// Whether all whom a primary can reach answered its last round.
    fn all_answer(&self, sink: usize) -> bool {
        let Some(host) = self.hosts.get(sink) else { return true };
        let Some((at, nodes, answered)) = host.round else { return false };
        let is_out = |peer: &&(usize, bool)| !self.is_awake(peer.0) || !self.trouble.joins(sink, peer.0);
        let out = host.peers.iter().filter(is_out).count();
        at > self.health.unsettled_at && u64::from(answered) + out as u64 >= u64::from(nodes)
    }

    /// The hosts in each ring, as they see themselves, for whoever watches.
    pub(super) fn show_rings(&mut self) {
        self.health.rings_changed = false;
        let mut rings: BTreeMap<RingId, Vec<HostIx>> = BTreeMap::new();
        for (at, host) in self.hosts.iter().enumerate() {
            let ring = host.running.as_ref().and_then(|running| running.node.machine().ring());
            if let Some(view) = ring.map(|ring| ring.view()).filter(|view| !view.members.is_empty()) {
                rings.entry(view.ring).or_default().push(HostIx(at));
            }
        }
        let rings: Vec<Vec<HostIx>> = rings.into_values().collect();
        if rings != self.health.rings {
            self.observer.rings(self.now.saturating_since(Instant::ZERO), &rings);
            self.health.rings = rings;
        }
    }

    /// What is not yet where it belongs.
    fn missing(&self) -> Option<Missing> {
        let awake = |sink: &usize| self.is_awake(*sink);
        let all = self.scenario.sinks + self.scenario.standbys;
        let mut sinks: Vec<usize> = (0..all).filter(awake).collect();
        if self.scenario.role == SimRole::Ring || self.scenario.standbys > 0 {
            // The first that lives collects, and from all.
            sinks.truncate(1);
        }
        for sink in sinks {
            let host = self.hosts.get(sink)?;
            let ring = host.running.as_ref().and_then(|running| running.node.machine().ring());
            if ring.is_some_and(|ring| !ring.view().acts) {
                return Some(Missing::Sink(sink));
            }
            for (at, source) in self.hosts.iter().enumerate() {
                if !source.is_awake() || !self.scenario.is_collected_by(sink, at) {
                    continue;
                }
                if source.disk.waiting() > 0 {
                    return Some(Missing::Disk(at));
                }
                let Some(story) = self.stories.get(&source.disk.journal) else { continue };
                let (last, held) = (story.last(), host.disk.cursor(source.disk.journal));
                // What its source has dropped is nowhere any more.
                if held.max(story.dropped_through) < last {
                    return Some(Missing::Readings { source: at, sink, held, last });
                }
            }
        }
        None
    }

    fn say_missing(&self, missing: &Missing) -> String {
        let name = |at: &usize| self.hosts.get(*at).map_or("?", |host| host.name.as_str());
        match missing {
            Missing::Sink(sink) => format!("{} does not act as the sink", name(sink)),
            Missing::Disk(source) => format!("readings of {} wait for its disk", name(source)),
            Missing::Readings { source, sink, held, last } => {
                format!("readings {} to {last} of {} are not at {}", held + 1, name(source), name(sink))
            }
        }
    }

    /// What the run came to.
    pub(super) fn outcome(self) -> Outcome {
        let mut readings = ReadingCount::default();
        for (journal, story) in &self.stories {
            readings.taken += story.last();
            readings.at_sink += story.collected;
            let not_there = story.last() - story.collected;
            let dropped = story.dropped_through.saturating_sub(story.collected).min(not_there);
            let lost = if self.homes.contains_key(journal) { dropped } else { not_there };
            readings.lost += lost;
            readings.waiting += not_there - lost;
        }
        let own = |host: &Host| self.stories.get(&host.disk.journal).map_or(0, |story| story.last());
        let store_bytes = self
            .hosts
            .iter()
            .map(|host| STORE_READING_BYTES * (own(host) + host.disk.held_readings))
            .collect();
        let mut outcome = self.measures.outcome(self.now);
        readings.unsynced = outcome.readings.unsynced;
        (outcome.readings, outcome.store_bytes) = (readings, store_bytes);
        outcome
    }

    /// How all hosts stand, for whoever looks for the reason.
    fn describe(&self) -> String {
        let line = |(at, host): (usize, &Host)| {
            let state = match &host.running {
                None => "down".to_owned(),
                Some(running) => match running.node.machine().ring().map(|ring| ring.view()) {
                    None => format!("up, next {:?}", running.node.machine().poll_timeout()),
                    Some(view) => {
                        let (ring, members, acts) = (view.ring.epoch, view.members.len(), view.acts);
                        let next = running.node.machine().poll_timeout();
                        format!("ring {ring} of {members}, acts {acts}, next {next:?}")
                    }
                },
            };
            format!("{} ({at}): {state}", host.name)
        };
        self.hosts.iter().enumerate().map(line).collect::<Vec<_>>().join("; ")
    }
}

/// The members of a ring, in their order.
fn ids(members: &[Member]) -> impl Iterator<Item = JournalId> {
    members.iter().map(|member| member.who.id.journal)
}
