//! What goes wrong in the world, and how a seed chooses.

use std::collections::BTreeMap;

use super::world::{Event, NEVER, Setting, World, trace};
use super::*;

/// What one seed sets up. Each has its own choice of faults, so that rare ones meet in pure form too.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    faults: Vec<Fault>,
    every: Duration,
    pub(super) faults_for: Duration,
    /// Hosts that stay dead.
    pub(super) dead: usize,
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
    Cut,
    /// The hosts fall into two groups for a while.
    Partition,
    /// A host loses its power for a while.
    Crash,
    /// A process stands still for a while.
    Pause,
    /// A disk takes nothing for a while.
    DiskFull,
    /// A disk takes its time for a while.
    DiskSlow,
    /// A journal cannot be read for a while.
    Unreadable,
}

const FAULTS: [Fault; 10] = [
    Fault::Reset,
    Fault::Vanish,
    Fault::Stall,
    Fault::Cut,
    Fault::Partition,
    Fault::Crash,
    Fault::Pause,
    Fault::DiskFull,
    Fault::DiskSlow,
    Fault::Unreadable,
];

/// A fault that ends by itself.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    Cut(Vec<(usize, usize)>),
    DiskFull(usize),
    DiskSlow(usize),
    Unreadable(usize),
}

impl Plan {
    fn draw(rng: &mut fastrand::Rng, hosts: usize) -> Self {
        let mut faults = FAULTS.to_vec();
        rng.shuffle(&mut faults);
        faults.truncate(rng.usize(1..=4));
        Self {
            faults,
            every: Duration::from_millis(rng.u64(200..2_500)),
            faults_for: Duration::from_secs(rng.u64(3..15)),
            dead: if hosts > 2 && rng.bool() { 1 } else { 0 },
        }
    }
}

impl Setting {
    fn draw(rng: &mut fastrand::Rng) -> Self {
        let hosts = rng.usize(1..=7);
        let mut order: Vec<usize> = (0..hosts).collect();
        rng.shuffle(&mut order);
        let collecting = rng.usize(1..=hosts.min(3));
        let ranks: BTreeMap<usize, u8> = order.into_iter().take(collecting).zip(0..).collect();
        let is_deep = rng.u8(0..20) == 0;
        Self {
            hosts,
            ranks,
            delay: Duration::from_micros(*rng.choice(&[300, 1_000, 5_000, 40_000, 90_000]).expect("some")),
            commit: Duration::from_millis(*rng.choice(&[0, 20, 300]).expect("some")),
            standby_after: Duration::from_millis(rng.u64(500..5_000)),
            backlog: if is_deep { 5_000 } else { rng.u64(0..60) },
            reading_bytes: *rng.choice(&[60, 120, 700]).expect("some"),
            sample_every: Duration::from_millis(rng.u64(50..1_000)),
            makes_token: rng.bool().then(|| rng.usize(0..hosts)),
            defect: None,
            keeps_life: false,
        }
    }
}

impl World {
    /// A world of faults.
    pub(super) fn of_seed(seed: u64, defect: Option<Defect>) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let setting = Setting { defect, ..Setting::draw(&mut rng) };
        let plan = Plan::draw(&mut rng, setting.hosts);
        let mut world = Self::new(setting, seed);
        trace!(world, "{plan:?}");
        world.plan = Some(plan);
        world.schedule(Duration::from_millis(500), Event::Fault);
        world
    }

    /// Faults for a while, then none: within the bound there is one ring of all that live, and its sink has everything.
    pub(super) fn run_to_the_end(&mut self) {
        let plan = self.plan.clone().expect("a world of faults");
        self.run(plan.faults_for);
        self.heal(plan.dead);
        trace!(self, "no more faults");
        let living = self.living();
        self.run_until("one ring of all", self.healing_bound(), |world| world.is_one_ring(&living));
        let most = self.collecting_bound();
        self.run_until("everything at the sink", most, |world| {
            world.is_one_ring(&living) && world.is_collected(&living)
        });
    }

    /// The bound that docs/ring.md derives: faults have taught some members the longest patience there is.
    fn healing_bound(&self) -> Duration {
        let hosts = u32::try_from(self.hosts.len()).unwrap();
        2 * LOST_MOST + Duration::from_secs(4) + hosts * (Duration::from_millis(900) + 4 * self.setting.delay)
    }

    /// A standby's time, the disk's, and as many rotations as all readings need.
    fn collecting_bound(&self) -> Duration {
        let readings: u64 = self.hosts.iter().map(|host| host.disk.last).sum();
        let bytes = readings * (self.setting.reading_bytes as u64 + 20);
        let rotations = u32::try_from(bytes / (512 * 1024 / 2 / self.hosts.len() as u64) + 20).unwrap();
        let hosts = u32::try_from(self.hosts.len()).unwrap();
        let rotation = hosts * (2 * self.setting.delay + 30 * MS) + self.setting.commit;
        self.setting.standby_after + Duration::from_secs(10) + rotations * rotation
    }

    fn any_host(&mut self) -> usize {
        self.rng.usize(0..self.hosts.len())
    }

    pub(super) fn fault(&mut self) {
        let Some(plan) = self.plan.clone().filter(|_| !self.is_ending) else { return };
        let fault = plan.faults[self.rng.usize(0..plan.faults.len())];
        let host = self.any_host();
        trace!(self, "FAULT {fault:?} pi-{host}");
        match fault {
            Fault::Reset | Fault::Vanish | Fault::Stall => self.break_connection(fault),
            Fault::Cut => {
                let other = self.any_host();
                self.cut(vec![(host.min(other), host.max(other))]);
            }
            Fault::Partition => {
                let side = self.rng.u32(..);
                let pairs = (0..self.hosts.len()).flat_map(|one| (0..one).map(move |other| (other, one)));
                let apart = pairs.filter(|(one, other)| (side >> one) & 1 != (side >> other) & 1);
                self.cut(apart.collect());
            }
            Fault::Crash => {
                self.crash(host);
                let time = self.up_to(Duration::from_secs(5));
                self.schedule(time, Event::Start(host));
            }
            Fault::Pause => self.pause_host(host),
            Fault::DiskFull => {
                self.hosts[host].disk.is_failing = true;
                self.for_a_while(Trouble::DiskFull(host));
            }
            Fault::DiskSlow => {
                self.slow_disks.insert(host);
                self.for_a_while(Trouble::DiskSlow(host));
            }
            Fault::Unreadable => {
                self.unreadable.insert(host);
                self.for_a_while(Trouble::Unreadable(host));
            }
        }
        let wait = self.up_to(2 * plan.every);
        self.schedule(wait, Event::Fault);
    }

    fn pause_host(&mut self, host: usize) {
        self.hosts[host].paused_until = self.now + self.up_to(Duration::from_secs(4));
    }

    fn for_a_while(&mut self, trouble: Trouble) {
        let time = self.up_to(Duration::from_secs(6));
        self.schedule(time, Event::EndOf(trouble));
    }

    pub(super) fn end_trouble(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Cut(pairs) => self.blocked.retain(|pair| !pairs.contains(pair)),
            Trouble::DiskFull(host) => {
                self.hosts[host].disk.is_failing = false;
                self.begin_commit(host);
            }
            Trouble::DiskSlow(host) => drop(self.slow_disks.remove(&host)),
            Trouble::Unreadable(host) => drop(self.unreadable.remove(&host)),
        }
    }

    fn break_connection(&mut self, fault: Fault) {
        let open: Vec<u64> = self.connections.keys().copied().collect();
        let Some(&id) = self.rng.choice(&open) else { return };
        let until = self.now + self.up_to(Duration::from_secs(4));
        let connection = self.connections.get_mut(&id).expect("it is open");
        match fault {
            Fault::Vanish => connection.has_vanished = true,
            Fault::Stall => connection.hold_up(until),
            _ => self.reset(id),
        }
    }

    /// A connection breaks, and both ends hear of it.
    pub(super) fn reset(&mut self, id: u64) {
        for side in 0..2 {
            let wait = self.up_to(self.setting.delay);
            self.schedule(wait, Event::Closed(id, side));
        }
    }

    fn cut(&mut self, pairs: Vec<(usize, usize)>) {
        self.separate(&pairs);
        self.for_a_while(Trouble::Cut(pairs));
    }

    /// These pairs cannot reach one another until somebody says so.
    pub(super) fn separate(&mut self, pairs: &[(usize, usize)]) {
        self.blocked.extend(pairs);
        for connection in self.connections.values_mut() {
            let [one, other] = [connection.ends[0].host, connection.ends[1].host];
            connection.has_vanished |= pairs.contains(&(one.min(other), one.max(other)));
        }
    }

    /// The power of a host fails. Every other time its kernel lives on, and says that the process is gone.
    pub(super) fn crash(&mut self, host: usize) {
        let Some(running) = self.hosts[host].running.take() else { return };
        self.hosts[host].disk.crash();
        self.hosts[host].paused_until = self.now;
        let is_process = self.hosts[host].life % 2 == 1;
        for (id, side) in running.links.into_values() {
            if is_process {
                self.go_away(id, side);
            } else if let Some(connection) = self.connections.get_mut(&id) {
                connection.ends[side].is_up = false;
                connection.has_vanished = true;
                self.forget_if_over(id);
            }
        }
    }

    /// Everything works from now on, as far as it can: what has vanished stays so, and so many hosts stay dead.
    pub(super) fn heal(&mut self, dead: usize) {
        self.is_ending = true;
        self.blocked.clear();
        self.slow_disks.clear();
        self.unreadable.clear();
        for _ in 0..dead {
            let host = self.any_host();
            self.crash(host);
            self.hosts[host].life |= 1 << 20;
            self.hosts[host].paused_until = NEVER;
        }
        for host in 0..self.hosts.len() {
            self.hosts[host].disk.is_failing = false;
            if self.hosts[host].paused_until != NEVER {
                self.hosts[host].paused_until = self.now;
                self.start(host);
                // Own readings may have waited for the disk.
                self.begin_commit(host);
            }
        }
    }
}
