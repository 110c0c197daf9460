//! What goes wrong in the world, and how a seed chooses.

use std::time::Duration;

use super::{Event, World, ip, trace};
use crate::node::Input;
use crate::proto::{LinkId, PollOrder};

use super::net::End;

/// What one seed sets up. Each has its own choice of faults, so that rare ones meet in pure form too.
#[derive(Clone, Debug)]
pub(in crate::node) struct Plan {
    pub(super) hosts: usize,
    pub(super) primaries: usize,
    /// The second of two primaries, and those after it, stand by for those before them.
    pub(super) has_standbys: bool,
    pub(super) has_twins: bool,
    pub(super) polls_itself: bool,
    pub(super) has_two_ways: bool,
    pub(super) backlog: usize,
    /// Most readings in one read.
    pub(super) piece_max: u32,
    pub(super) poll_interval: Duration,
    pub(super) order: PollOrder,
    pub(super) deadline: Duration,
    pub(super) delay_ms_max: u64,
    pub(super) commit_ms_max: u64,
    /// A command's longest way to the store, and an answer's way back.
    pub(super) store_ms_max: u64,
    pub(super) micros_per_byte: u32,
    pub(super) faults_for: Duration,
    fault_every_ms: u64,
    faults: Vec<Fault>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// A connection breaks, and both ends hear of it.
    Reset,
    /// A connection breaks, and nobody hears of it.
    Vanish,
    /// A connection holds everything up for a while.
    Stall,
    /// Two hosts cannot reach one another for a while.
    Partition,
    /// A host loses its power for a while.
    Crash,
    /// A host gets a new card.
    Flash,
    /// A disk takes nothing for a while.
    DiskFull,
    /// A disk takes its time for a while.
    DiskSlow,
    /// A journal cannot be read for a while.
    Unreadable,
    /// A source drops what all its consumers have.
    Retention,
    /// A source drops what nobody has.
    Overflow,
    /// A script comes, says something, and goes.
    Guest,
    /// A primary becomes a secondary, or the other way round, while it runs.
    Role,
}

const FAULTS: [Fault; 12] = [
    Fault::Reset,
    Fault::Vanish,
    Fault::Stall,
    Fault::Partition,
    Fault::Crash,
    Fault::Flash,
    Fault::DiskFull,
    Fault::DiskSlow,
    Fault::Unreadable,
    Fault::Retention,
    Fault::Overflow,
    Fault::Guest,
];

/// A fault that ends by itself.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trouble {
    Partition(usize, usize),
    DiskFull(usize),
    DiskSlow(usize),
    Unreadable(usize),
    Guest(u64),
}

impl Plan {
    pub(super) fn draw(rng: &mut fastrand::Rng) -> Self {
        let primaries = if rng.u8(0..3) == 0 { 2 } else { 1 };
        let mut faults = FAULTS.to_vec();
        rng.shuffle(&mut faults);
        faults.truncate(rng.usize(1..=FAULTS.len()));
        let poll_ms = rng.u64(300..2_000);
        // No draw of its own: the other worlds stay what they were.
        faults.extend(poll_ms.is_multiple_of(3).then_some(Fault::Role));
        let is_deep = rng.u8(0..40) == 0;
        Self {
            hosts: primaries + rng.usize(1..4),
            primaries,
            // No draw of its own: the other worlds stay what they were.
            has_standbys: primaries > 1 && poll_ms.is_multiple_of(2),
            has_twins: rng.u8(0..5) == 0,
            polls_itself: rng.u8(0..5) == 0,
            has_two_ways: rng.u8(0..6) == 0,
            backlog: if is_deep { 11_000 } else { rng.usize(0..100) },
            piece_max: if is_deep { 2_000 } else { *rng.choice([3, 7, 20, 2_000].iter()).expect("some") },
            poll_interval: Duration::from_millis(poll_ms),
            deadline: Duration::from_millis(rng.u64(100..2_500)),
            delay_ms_max: *rng.choice([0, 5, 60, 400].iter()).expect("some"),
            commit_ms_max: *rng.choice([0, 20, 300, 1_500].iter()).expect("some"),
            store_ms_max: *rng.choice([0, 5, 200].iter()).expect("some"),
            micros_per_byte: *rng.choice([0, 0, 0, 10, 100, 1_000].iter()).expect("some"),
            faults_for: Duration::from_secs(rng.u64(5..25)),
            fault_every_ms: rng.u64(100..2_500),
            faults,
            order: if rng.u8(0..3) == 0 { PollOrder::InTurn } else { PollOrder::AtOnce },
        }
    }

    /// A swift network without faults of its own, in which all sinks but the first stand by.
    pub(super) fn of_standbys(sinks: usize, sources: usize, rng: &mut fastrand::Rng) -> Self {
        let calm = Self { hosts: sinks + sources, primaries: sinks, has_standbys: true, ..Self::draw(rng) };
        Self {
            has_twins: false,
            polls_itself: false,
            has_two_ways: false,
            backlog: 10,
            poll_interval: Duration::from_secs(1),
            deadline: Duration::from_millis(500),
            delay_ms_max: 5,
            commit_ms_max: 20,
            store_ms_max: 5,
            micros_per_byte: 0,
            ..calm
        }
    }

    /// From the last fault to the last reading, of which a source has at most `count`. A minute for a link that is held
    /// up, a silence, the longest back-off, and as many silences as a slow link takes to learn its pace; then all
    /// readings in their pieces, each asked for over the link, read, and sent; twice that, for a pace still low.
    pub(super) fn bound(&self, count: u64) -> Duration {
        const READING_BYTES: u64 = 150;
        let pieces = count / u64::from(self.piece_max) + 1;
        let waits_ms = pieces * 2 * (self.delay_ms_max + self.store_ms_max);
        let bytes_ms = count * READING_BYTES * u64::from(self.micros_per_byte) / 1_000;
        Duration::from_secs(60) + 2 * Duration::from_millis(waits_ms + bytes_ms)
    }
}

impl World {
    fn any_host(&mut self) -> usize {
        self.rng.usize(0..self.hosts.len())
    }

    pub(super) fn fault(&mut self) {
        if !self.is_faulty {
            return;
        }
        let fault = self.plan.faults[self.rng.usize(0..self.plan.faults.len())];
        trace!(self, "FAULT {fault:?}");
        match fault {
            Fault::Reset | Fault::Vanish | Fault::Stall => self.break_connection(fault),
            Fault::Partition => self.part(),
            Fault::Crash => {
                let host = self.any_host();
                self.crash(host);
            }
            Fault::Flash if self.rng.u8(0..4) == 0 => self.flash(),
            Fault::Flash => {}
            Fault::DiskFull => {
                let host = self.any_host();
                self.hosts[host].disk.is_failing = true;
                self.for_a_while(Trouble::DiskFull(host));
            }
            Fault::DiskSlow => {
                let host = self.any_host();
                self.slow_disks.insert(host);
                self.for_a_while(Trouble::DiskSlow(host));
            }
            Fault::Unreadable => {
                let host = self.any_host();
                self.unreadable.insert(host);
                self.for_a_while(Trouble::Unreadable(host));
            }
            Fault::Retention | Fault::Overflow => self.drop_readings(fault == Fault::Overflow),
            Fault::Guest => self.guest(),
            Fault::Role => self.change_role(),
        }
        let wait = self.millis(0, 2 * self.plan.fault_every_ms);
        self.schedule(wait, Event::Fault);
    }

    fn for_a_while(&mut self, trouble: Trouble) {
        let time = self.millis(50, 6_000);
        self.schedule(time, Event::EndOf(trouble));
    }

    pub(super) fn end_trouble(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Partition(one, other) => drop(self.blocked.remove(&(one, other))),
            Trouble::DiskFull(host) => self.hosts[host].disk.is_failing = false,
            Trouble::DiskSlow(host) => drop(self.slow_disks.remove(&host)),
            Trouble::Unreadable(host) => drop(self.unreadable.remove(&host)),
            Trouble::Guest(id) => self.go_away(id, 0),
        }
    }

    fn break_connection(&mut self, fault: Fault) {
        let open: Vec<u64> = self.connections.keys().copied().collect();
        let Some(&id) = self.rng.choice(&open) else { return };
        let until = self.now + self.millis(50, 8_000);
        let connection = self.connections.get_mut(&id).expect("it is open");
        match fault {
            Fault::Vanish => connection.has_vanished = true,
            Fault::Stall => connection.ends.iter_mut().for_each(|end| end.hold_up(until)),
            _ => {
                for side in 0..2 {
                    let wait = self.millis(0, self.plan.delay_ms_max);
                    self.schedule(wait, Event::Closed(id, side));
                }
            }
        }
    }

    fn part(&mut self) {
        let (one, other) = (self.any_host(), self.any_host());
        let pair = (one.min(other), one.max(other));
        self.for_a_while(Trouble::Partition(pair.0, pair.1));
        self.cut(pair);
    }

    /// Two hosts cannot reach one another; the lower comes first.
    pub(super) fn cut(&mut self, (one, other): (usize, usize)) {
        self.blocked.insert((one, other));
        for connection in self.connections.values_mut() {
            let [near, far] = [connection.ends[0].host, connection.ends[1].host];
            let is_hit = [(Some(one), Some(other)), (Some(other), Some(one))].contains(&(near, far));
            connection.has_vanished |= is_hit;
        }
    }

    fn crash(&mut self, host: usize) {
        if self.hosts[host].running.is_some() {
            self.stop(host);
            let time = self.millis(20, 6_000);
            self.schedule(time, Event::Start(host));
        }
    }

    /// A host is gone, until somebody starts it.
    pub(super) fn stop(&mut self, host: usize) {
        let Some(running) = self.hosts[host].running.take() else { return };
        self.hosts[host].disk.crash();
        for (id, side) in running.links.into_values() {
            // Power that fails tells nobody; a process that is killed does.
            if self.rng.bool() {
                self.go_away(id, side);
            } else if let Some(connection) = self.connections.get_mut(&id) {
                connection.ends[side].is_up = false;
                self.forget_if_over(id);
            }
        }
    }

    fn flash(&mut self) {
        let host = self.any_host();
        self.crash(host);
        let is_failing = self.hosts[host].disk.is_failing;
        self.hosts[host].disk = super::disk::Disk::new(self.new_journal());
        self.hosts[host].disk.is_failing = is_failing;
        self.hosts[host].flashes += 1;
        self.stories.entry(self.hosts[host].disk.journal).or_default();
    }

    fn drop_readings(&mut self, whatever: bool) {
        let host = self.any_host();
        let disk = &self.hosts[host].disk;
        let story = self.stories.get_mut(&disk.journal).expect("every card has its story");
        let through = if whatever { self.rng.u64(0..=story.last()) } else { disk.taken_by_all() };
        story.dropped_through = story.dropped_through.max(through);
    }

    fn change_role(&mut self) {
        let at = self.any_host();
        // A consumer is known by its name: of two that share one, neither may become a sink.
        if self.plan.has_twins && self.hosts[at].name.as_str() == "twin" {
            return;
        }
        let others = self.others(at);
        let host = &mut self.hosts[at];
        host.peers = if host.peers.is_some() { None } else { Some(others) };
        trace!(self, "{} is to be a primary: {}", self.hosts[at].name, self.hosts[at].peers.is_some());
        if self.hosts[at].running.is_some() {
            self.command(at, super::Command::Role);
        }
    }

    fn guest(&mut self) {
        let host = self.any_host();
        let link = LinkId(self.next_link);
        self.next_link += 1;
        if self.hosts[host].running.is_none() {
            return;
        }
        let id = self.open([End::new(None, LinkId(0)), End::new(Some(host), link)], true);
        self.feed(host, Input::LinkUp { link, peer: None, remote: ip(200) });
        for _ in 0..self.rng.usize(1..6) {
            let lines: [&[u8]; 5] = [
                b"{\"msg\": 21.5}\r",
                b"{\"msg\": \"rtemp:22.10,winds:ERR,\", \"sender\": \"bench\"}\r",
                b"garbage\r\n",
                b"{\"key\":\"POLL\",\"id\":4,\"value\":{\"after\":0,\"taken\":0,\"max\":9}}\n",
                b"{\"key\":\"READINGS\",\"value\":7}\n",
            ];
            let line = lines[self.rng.usize(0..lines.len())];
            if self.connections.contains_key(&id) {
                self.transmit(id, 1, line);
            }
        }
        self.for_a_while(Trouble::Guest(id));
    }

    /// Everything works from now on, as far as it can: what has vanished stays so.
    pub(super) fn heal(&mut self) {
        self.is_faulty = false;
        self.blocked.clear();
        self.slow_disks.clear();
        self.unreadable.clear();
        for host in 0..self.hosts.len() {
            self.hosts[host].disk.is_failing = false;
            self.start(host);
            // Own readings may have waited for the disk.
            self.begin_commit(host);
        }
        if self.plan.has_two_ways && self.rng.bool() {
            // Whoever can be reached the other way has to be.
            self.is_cut = true;
            self.connections
                .values_mut()
                .for_each(|connection| connection.has_vanished |= !connection.is_second_way);
        }
    }
}
