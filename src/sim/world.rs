//! The world of a run: hosts, what joins them, and what is to happen when. Everything that happens is an event out of
//! one queue or a time-out of one host, in an order that only the scenario decides.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt;
use std::time::Duration;

use super::check::{Broken, Invariant, Tokens, hold};
use super::disk::Stories;
use super::health::Health;
use super::host::Host;
use super::measure::Measures;
use super::net::Connection;
use super::outcome::Observer;
use super::scenario::Scenario;
use super::trouble::Trouble;
use crate::model::{Instant, JournalId, Readings, Seq};
use crate::node::{Asker, Input, Output};
use crate::proto::Far;
use crate::proto::defect::Planted;

/// Events in one run: more is a world that does not come to rest.
const EVENTS_MAX: u64 = 4_000_000_000;

/// Something that is to happen.
#[derive(Debug)]
pub(super) enum Event {
    /// Bytes may arrive at this end of this connection.
    Arrive(u64, usize),
    /// This end hears that its connection is gone.
    Closed(u64, usize),
    /// An attempt at a connection reaches its goal.
    Dial(Box<Dial>),
    /// The answer to an attempt comes back: the connection, or a refusal.
    Dialed(Box<Dial>, Option<u64>),
    /// A command reaches the store thread of a host in this life of it.
    Command(usize, u32, Box<Command>),
    Commit(usize, u32),
    /// The process hears something.
    Tell(usize, u32, Box<Input>),
    Sense(usize),
    /// A host is switched on for the first time.
    Start(usize),
    Fault(usize, bool),
    /// The world is looked at, unless that was called off.
    Look(u64),
    /// The sensing is over.
    EndOfSensing,
}

/// An attempt at a connection.
#[derive(Clone, Debug)]
pub(super) struct Dial {
    pub(super) host: usize,
    pub(super) life: u32,
    pub(super) far: Far,
    pub(super) attempt: u64,
    pub(super) goal: usize,
    pub(super) is_second_way: bool,
    pub(super) tries: u32,
}

/// What a store thread is asked.
#[derive(Debug)]
pub(super) enum Command {
    Take(Readings),
    Read(Asker, Seq, u32),
}

/// An event and its time. Of two at one time the one that was scheduled first comes first.
#[derive(Debug)]
struct Scheduled {
    at: Instant,
    serial: u64,
    event: Event,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.serial == other.serial
    }
}
impl Eq for Scheduled {}
impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.serial).cmp(&(other.at, other.serial))
    }
}

/// Random numbers, a source for each use: what one thing draws does not change what another gets.
#[derive(Debug)]
pub(super) struct Chances {
    pub(super) net: fastrand::Rng,
    pub(super) disk: fastrand::Rng,
    pub(super) sense: fastrand::Rng,
    pub(super) fault: fastrand::Rng,
}

impl Chances {
    fn new(seed: u64) -> Self {
        let mut of_seed = fastrand::Rng::with_seed(seed);
        let mut next = || fastrand::Rng::with_seed(of_seed.u64(..));
        Self { net: next(), disk: next(), sense: next(), fault: next() }
    }
}

/// Everything there is in a run.
pub(super) struct World<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) observer: &'a mut dyn Observer,
    pub(super) has_log: bool,
    pub(super) chances: Chances,
    pub(super) now: Instant,
    events: BinaryHeap<Reverse<Scheduled>>,
    serial: u64,
    pub(super) hosts: Vec<Host>,
    pub(super) addresses: BTreeMap<String, (usize, bool)>,
    pub(super) connections: BTreeMap<u64, Connection>,
    pub(super) next_link: u64,
    pub(super) next_boot: u32,
    pub(super) stories: Stories,
    /// On which host each journal that is still there lies.
    pub(super) homes: BTreeMap<JournalId, usize>,
    pub(super) trouble: Trouble,
    pub(super) tokens: Tokens,
    pub(super) measures: Measures,
    pub(super) health: Health,
    pub(super) is_sensing: bool,
    pub(super) outputs: Vec<Output>,
    pub(super) bytes: Vec<u8>,
    pub(super) planted: Planted,
}

impl<'a> World<'a> {
    pub(super) fn new(scenario: &'a Scenario, observer: &'a mut dyn Observer) -> Self {
        let has_log = observer.wants_lines();
        Self {
            scenario,
            observer,
            has_log,
            chances: Chances::new(scenario.seed),
            now: Instant::ZERO,
            events: BinaryHeap::new(),
            serial: 0,
            hosts: Vec::new(),
            addresses: BTreeMap::new(),
            connections: BTreeMap::new(),
            next_link: 1,
            next_boot: 1,
            stories: Stories::new(),
            homes: BTreeMap::new(),
            trouble: Trouble::new(scenario),
            tokens: Tokens::default(),
            measures: Measures::new(scenario),
            health: Health::new(scenario),
            is_sensing: true,
            outputs: Vec::new(),
            bytes: Vec::new(),
            planted: Planted::default(),
        }
    }

    /// From the begin of the run.
    pub(super) fn elapsed(&self) -> Duration {
        self.now.saturating_since(Instant::ZERO)
    }

    /// A line for the log, if there is one.
    pub(super) fn log(&mut self, text: fmt::Arguments<'_>) {
        if self.has_log {
            self.observer.line(self.now.saturating_since(Instant::ZERO), &text.to_string());
        }
    }

    pub(super) fn schedule(&mut self, wait: Duration, event: Event) {
        self.schedule_at(self.now + wait, event);
    }

    pub(super) fn schedule_at(&mut self, at: Instant, event: Event) {
        self.serial += 1;
        self.events.push(Reverse(Scheduled { at: at.max(self.now), serial: self.serial, event }));
    }

    /// Runs until everything is at a sink, or a rule is broken.
    pub(super) fn run(&mut self) -> Result<(), Broken> {
        self.begin()?;
        while !self.health.is_over {
            hold(Invariant::Progress, self.measures.events < EVENTS_MAX, || {
                format!("{EVENTS_MAX} events, and no end")
            })?;
            self.measures.events += 1;
            let (due, host) = self.first_due();
            match self.events.peek() {
                Some(Reverse(next)) if next.at <= due => {
                    let Some(Reverse(next)) = self.events.pop() else { continue };
                    self.now = self.now.max(next.at);
                    self.happen(next.event)?;
                }
                _ => {
                    self.now = self.now.max(due);
                    self.timeout(host)?;
                }
            }
        }
        Ok(())
    }

    /// The host whose machine wants to be called first, and when.
    fn first_due(&self) -> (Instant, usize) {
        let mut first = (super::host::NEVER, 0);
        for (at, host) in self.hosts.iter().enumerate() {
            if host.due < first.0 {
                first = (host.due, at);
            }
        }
        first
    }

    /// The host to whose process an event happens.
    fn process_of(&self, event: &Event) -> Option<usize> {
        match event {
            Event::Arrive(id, side) | Event::Closed(id, side) => {
                self.connections.get(id)?.ends.get(*side)?.host
            }
            Event::Dialed(dial, _) => Some(dial.host),
            Event::Command(host, ..)
            | Event::Commit(host, _)
            | Event::Tell(host, ..)
            | Event::Sense(host) => Some(*host),
            Event::Dial(_) | Event::Start(_) | Event::Fault(..) | Event::Look(_) | Event::EndOfSensing => {
                None
            }
        }
    }

    fn happen(&mut self, event: Event) -> Result<(), Broken> {
        if let Some(at) = self.process_of(&event)
            && let Some(host) = self.hosts.get_mut(at).filter(|host| host.is_paused)
        {
            host.deferred.push_back(event);
            return Ok(());
        }
        match event {
            Event::Arrive(id, side) => self.arrive(id, side),
            Event::Closed(id, side) => self.closed(id, side),
            Event::Dial(dial) => self.dial(*dial),
            Event::Dialed(dial, connection) => self.dialed(&dial, connection),
            Event::Command(host, life, command) if self.is_alive(host, life) => self.command(host, *command),
            Event::Commit(host, life) if self.is_alive(host, life) => self.commit(host),
            Event::Tell(host, life, input) if self.is_alive(host, life) => self.tell(host, *input),
            Event::Command(..) | Event::Commit(..) | Event::Tell(..) => Ok(()),
            Event::Sense(host) => self.sense(host),
            Event::Start(host) => self.switch_on(host),
            Event::Fault(number, begins) => self.fault(number, begins),
            Event::Look(number) => self.look(number),
            Event::EndOfSensing => self.end_sensing(),
        }
    }

    pub(super) fn is_alive(&self, host: usize, life: u32) -> bool {
        self.hosts.get(host).is_some_and(|host| host.running.is_some() && host.life == life)
    }

    /// A time of a range, by the network's chance.
    pub(super) fn latency(&mut self) -> Duration {
        between(&mut self.chances.net, &self.scenario.network.latency)
    }
}

/// A time of a range.
pub(super) fn between(rng: &mut fastrand::Rng, range: &std::ops::RangeInclusive<Duration>) -> Duration {
    let micros = |time: &Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let (least, most) = (micros(range.start()), micros(range.end()));
    Duration::from_micros(if least >= most { least } else { rng.u64(least..=most) })
}
