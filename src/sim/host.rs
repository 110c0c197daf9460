//! A host: a machine with clocks, a card, and a process that runs or does not.

use std::collections::{BTreeMap, VecDeque};

use super::clock::HostClock;
use super::disk::Disk;
use super::world::Event;
use crate::model::{Instant, NodeName, RingId};
use crate::node::Node;
use crate::proto::contract::Watched;
use crate::proto::{Far, LinkId};

/// A node that runs, and what its event loop holds.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) node: Watched<Node>,
    /// Its links: connection, and which end of it.
    pub(super) links: BTreeMap<LinkId, (u64, usize)>,
    /// Each peer's link, or the attempt at one.
    pub(super) peers: BTreeMap<Far, Result<LinkId, u64>>,
    /// How many tokens it had taken when it was last looked at, and the largest ring of them.
    pub(super) visits: u64,
    pub(super) newest: RingId,
}

/// One machine.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) name: NodeName,
    /// Its peers, in the order of its list: hosts, and whether by their second address.
    pub(super) peers: Vec<(usize, bool)>,
    pub(super) disk: Disk,
    pub(super) clock: HostClock,
    /// This boot; no other host has one of this number.
    pub(super) boot: u32,
    /// This process; 0 before the first.
    pub(super) life: u32,
    pub(super) running: Option<Running>,
    /// Its kernel answers, whether the process runs or not.
    pub(super) is_powered: bool,
    pub(super) is_paused: bool,
    /// What has happened to it while it stood still.
    pub(super) deferred: VecDeque<Event>,
    /// When its machine wants to be called, in true time; the end of time while it does not.
    pub(super) due: Instant,
    /// Commands to the store and its answers keep their order: the last of each arrives at these times.
    pub(super) commands_until: Instant,
    pub(super) replies_until: Instant,
    /// The next commit does not begin before.
    pub(super) flush_from: Instant,
    /// Time-outs in the present second.
    pub(super) timeouts: (u64, u32),
    /// How often its card was changed.
    pub(super) flashes: u32,
    /// What each of its channels last said.
    pub(super) values: Vec<f64>,
    /// The last round that it recorded: when, of how many nodes, and how many of them answered.
    pub(super) round: Option<(Instant, u32, u32)>,
}

impl Host {
    pub(super) fn new(name: NodeName, disk: Disk, clock: HostClock) -> Self {
        Self {
            name,
            peers: Vec::new(),
            disk,
            clock,
            boot: 0,
            life: 0,
            running: None,
            is_powered: true,
            is_paused: false,
            deferred: VecDeque::new(),
            due: NEVER,
            commands_until: Instant::ZERO,
            replies_until: Instant::ZERO,
            flush_from: Instant::ZERO,
            timeouts: (0, 0),
            flashes: 0,
            values: Vec::new(),
            round: None,
        }
    }

    /// Works out anew when its machine wants to be called.
    pub(super) fn set_due(&mut self) {
        let running = self.running.as_ref().filter(|_| !self.is_paused);
        let due = running.and_then(|running| running.node.machine().poll_timeout());
        self.due = due.map_or(NEVER, |(at, _)| self.clock.when(at));
    }

    /// Whether it runs and does not stand still.
    pub(super) fn is_awake(&self) -> bool {
        self.running.is_some() && !self.is_paused
    }
}

/// The end of time.
pub(super) const NEVER: Instant = Instant::from_micros(i64::MAX);
