//! Faults: what they do when they begin and when they end. What lasts is worked out anew from all that last at the
//! moment, so that two at once do not undo one another.

use std::collections::BTreeSet;
use std::time::Duration;

use super::check::Broken;
use super::fault::{Fault, HostIx, LinkPick};
use super::links::ip;
use super::net::End;
use super::scenario::Scenario;
use super::world::{Event, World};
use crate::node::Input;
use crate::proto::LinkId;

/// What is wrong at the moment.
#[derive(Debug)]
pub(super) struct Trouble {
    /// By the number of the fault.
    active: Vec<bool>,
    /// From whom nothing comes to whom.
    blocked: BTreeSet<(usize, usize)>,
    full: BTreeSet<usize>,
    slow: BTreeSet<usize>,
    unreadable: BTreeSet<usize>,
    /// The share of packets that are lost.
    pub(super) loss: f64,
    /// What a link carries.
    pub(super) bytes_per_s: Option<u64>,
    /// The first of two ways to every host is gone for good.
    pub(super) is_first_way_gone: bool,
    /// Scripts that are there: the fault and the connection.
    guests: Vec<(usize, u64)>,
}

impl Trouble {
    pub(super) fn new(scenario: &Scenario) -> Self {
        Self {
            active: vec![false; scenario.faults.len()],
            blocked: BTreeSet::new(),
            full: BTreeSet::new(),
            slow: BTreeSet::new(),
            unreadable: BTreeSet::new(),
            loss: scenario.network.loss,
            bytes_per_s: scenario.network.bytes_per_s,
            is_first_way_gone: false,
            guests: Vec::new(),
        }
    }

    /// Whether what the one sends comes to the other.
    pub(super) fn is_open(&self, from: usize, to: usize) -> bool {
        self.blocked.is_empty() || !self.blocked.contains(&(from, to))
    }

    /// Whether nothing is in anybody's way.
    pub(super) fn is_all_open(&self) -> bool {
        self.blocked.is_empty()
    }

    /// Whether the two can speak with one another.
    pub(super) fn joins(&self, one: usize, other: usize) -> bool {
        self.is_open(one, other) && self.is_open(other, one)
    }

    pub(super) fn is_full(&self, host: usize) -> bool {
        self.full.contains(&host)
    }

    pub(super) fn is_slow(&self, host: usize) -> bool {
        self.slow.contains(&host)
    }

    pub(super) fn is_unreadable(&self, host: usize) -> bool {
        self.unreadable.contains(&host)
    }

    /// Works out what is wrong from the faults that last.
    fn work_out(&mut self, scenario: &Scenario, is_sensing: bool) {
        self.blocked.clear();
        self.full.clear();
        self.slow.clear();
        self.unreadable.clear();
        self.loss = if is_sensing { scenario.network.loss } else { 0.0 };
        self.bytes_per_s = scenario.network.bytes_per_s;
        let lasting = scenario.faults.iter().zip(&self.active).filter(|(_, active)| **active);
        for (fault, _) in lasting {
            match &fault.fault {
                Fault::Partition(groups) => block(&mut self.blocked, groups, scenario.nodes),
                Fault::Cut(one, other) => self.blocked.extend([(one.0, other.0), (other.0, one.0)]),
                Fault::OneWay(from, to) => drop(self.blocked.insert((from.0, to.0))),
                Fault::DiskFull(host) => drop(self.full.insert(host.0)),
                Fault::SlowDisk(host) => drop(self.slow.insert(host.0)),
                Fault::Unreadable(host) => drop(self.unreadable.insert(host.0)),
                Fault::Loss(percent) => self.loss = self.loss.max(percent / 100.0),
                Fault::Slow(most) => {
                    self.bytes_per_s = Some(self.bytes_per_s.map_or(*most, |other| other.min(*most)).max(1));
                }
                _ => {}
            }
        }
    }

    /// Whether a fault that lasts keeps this host from running.
    fn is_down(&self, scenario: &Scenario, host: usize) -> bool {
        self.lasts(scenario, |fault| fault.downs() == Some(HostIx(host)))
    }

    fn lasts(&self, scenario: &Scenario, is_it: impl Fn(&Fault) -> bool) -> bool {
        scenario.faults.iter().zip(&self.active).any(|(fault, active)| *active && is_it(&fault.fault))
    }

    /// Whether any fault lasts that is not to last for good.
    pub(super) fn is_any(&self, scenario: &Scenario) -> bool {
        let mut lasting = scenario.faults.iter().zip(&self.active).filter(|(_, active)| **active);
        lasting.any(|(fault, _)| scenario.end_of(fault).is_some())
    }

    pub(super) fn is_active(&self, number: usize) -> bool {
        self.active.get(number).copied().unwrap_or(false)
    }
}

/// Members of different groups cannot reach one another; who is in none is in the first.
fn block(blocked: &mut BTreeSet<(usize, usize)>, groups: &[Vec<HostIx>], nodes: usize) {
    let group_of = |host: usize| groups.iter().position(|group| group.contains(&HostIx(host))).unwrap_or(0);
    for one in 0..nodes {
        let apart = (0..nodes).filter(|other| group_of(one) != group_of(*other));
        blocked.extend(apart.map(|other| (one, other)));
    }
}

impl World<'_> {
    /// A fault begins or ends.
    pub(super) fn fault(&mut self, number: usize, begins: bool) -> Result<(), Broken> {
        let scenario = self.scenario;
        let Some(planned) = scenario.faults.get(number) else { return Ok(()) };
        self.log(format_args!("FAULT {} {}", if begins { "begins" } else { "ends" }, planned));
        self.observer.fault(self.now.saturating_since(crate::model::Instant::ZERO), number, begins);
        if let Some(active) = self.trouble.active.get_mut(number) {
            *active = begins && !planned.fault.is_moment();
        }
        let blocked_before = self.trouble.blocked.len();
        self.trouble.work_out(scenario, self.is_sensing);
        self.health.unsettle(self.now);
        if begins {
            self.begin_fault(number, &planned.fault)?;
        } else {
            self.end_fault(number, &planned.fault)?;
        }
        if self.trouble.blocked.len() < blocked_before {
            self.resend_what_waits();
        }
        self.look_after(Duration::ZERO);
        Ok(())
    }

    /// A host runs, unless a fault that lasts keeps it down.
    pub(super) fn switch_on(&mut self, at: usize) -> Result<(), Broken> {
        if self.trouble.is_down(self.scenario, at) {
            return Ok(());
        }
        self.start(at)
    }

    fn begin_fault(&mut self, number: usize, fault: &Fault) -> Result<(), Broken> {
        match fault {
            Fault::Kill(host) => self.crash(host.0, true)?,
            Fault::Power(host) => self.crash(host.0, false)?,
            Fault::Flash(host) => {
                self.crash(host.0, false)?;
                if let Some(host) = self.hosts.get_mut(host.0) {
                    host.flashes += 1;
                    host.boot = 0;
                }
                self.new_journal(host.0, 0)?;
            }
            Fault::Pause(host) => {
                if let Some(host) = self.hosts.get_mut(host.0) {
                    host.is_paused = true;
                    host.set_due();
                }
            }
            Fault::Partition(_) | Fault::Cut(..) | Fault::OneWay(..) => self.lose_some_links(),
            Fault::Break(pick) => self.break_link(*pick),
            Fault::Vanish(pick) => {
                if let Some(link) = self.pick_link(*pick).and_then(|id| self.connections.get_mut(&id)) {
                    link.has_vanished = true;
                }
            }
            Fault::Stall(pick) => self.stall_link(number, *pick),
            Fault::ClockStep(host, by_us) => {
                if let Some(host) = self.hosts.get_mut(host.0) {
                    host.clock.step(*by_us);
                }
            }
            Fault::Retain(host) => self.drop_readings(host.0, false),
            Fault::Overflow(host) => self.drop_readings(host.0, true),
            Fault::Guest(host) => self.guest(number, host.0)?,
            _ => {}
        }
        Ok(())
    }

    fn end_fault(&mut self, number: usize, fault: &Fault) -> Result<(), Broken> {
        match fault {
            Fault::Kill(host) | Fault::Power(host) | Fault::Flash(host) => {
                self.switch_on(host.0)?;
            }
            Fault::Pause(host) => {
                let is_paused = self
                    .trouble
                    .lasts(self.scenario, |fault| matches!(fault, Fault::Pause(other) if other == host));
                if let Some(host) = self.hosts.get_mut(host.0).filter(|_| !is_paused) {
                    host.is_paused = false;
                    host.set_due();
                    for event in std::mem::take(&mut host.deferred) {
                        self.schedule(Duration::ZERO, event);
                    }
                }
            }
            Fault::DiskFull(host) | Fault::SlowDisk(host) => self.begin_commit(host.0),
            Fault::Guest(_) => {
                let Some(at) = self.trouble.guests.iter().position(|(fault, _)| *fault == number) else {
                    return Ok(());
                };
                let (_, id) = self.trouble.guests.swap_remove(at);
                self.go_away(id, 0)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The sensing is over, and with it all that was to last until then.
    pub(super) fn calm_down(&mut self) {
        self.trouble.work_out(self.scenario, false);
        if self.scenario.site.loses_first_way && !std::mem::replace(&mut self.trouble.is_first_way_gone, true)
        {
            // Whoever can be reached the other way has to be.
            for link in self.connections.values_mut().filter(|link| !link.is_second_way) {
                link.has_vanished = true;
            }
        }
    }

    /// Of the links that a cut goes through, some never come back, whatever TCP hopes.
    fn lose_some_links(&mut self) {
        for connection in self.connections.values_mut() {
            let [one, other] = [connection.ends[0].host, connection.ends[1].host];
            if let (Some(one), Some(other)) = (one, other)
                && !self.trouble.joins(one, other)
            {
                connection.has_vanished |= self.chances.fault.bool();
            }
        }
    }

    fn pick_link(&mut self, pick: LinkPick) -> Option<u64> {
        let fits = |[near, far]: [Option<usize>; 2]| match pick {
            LinkPick::Any => true,
            LinkPick::Between(one, other) => {
                let (one, other) = (Some(one.0), Some(other.0));
                (near, far) == (one, other) || (near, far) == (other, one)
            }
        };
        let open = self.connections.iter().filter(|(_, link)| !link.has_vanished);
        let fitting = open.filter(|(_, link)| fits([link.ends[0].host, link.ends[1].host]));
        let ids: Vec<u64> = fitting.map(|(id, _)| *id).collect();
        self.chances.fault.choice(&ids).copied()
    }

    /// Both ends hear of it; what is on its way arrives in part or not at all.
    fn break_link(&mut self, pick: LinkPick) {
        let Some(id) = self.pick_link(pick) else { return };
        for side in 0..2 {
            let wait = self.latency();
            self.schedule(wait, Event::Closed(id, side));
        }
    }

    fn stall_link(&mut self, number: usize, pick: LinkPick) {
        let Some(id) = self.pick_link(pick) else { return };
        let planned = self.scenario.faults.get(number);
        let end = planned.and_then(|planned| self.scenario.end_of(planned)).unwrap_or_default();
        let until = crate::model::Instant::ZERO + end;
        if let Some(link) = self.connections.get_mut(&id) {
            link.ends.iter_mut().for_each(|end| end.hold_up(until));
        }
        for side in 0..2 {
            self.schedule_at(until, Event::Arrive(id, side));
        }
    }

    fn drop_readings(&mut self, at: usize, whatever: bool) {
        let Some(host) = self.hosts.get(at) else { return };
        let Some(story) = self.stories.get_mut(&host.disk.journal) else { return };
        let through = if whatever {
            self.chances.fault.u64(0..=story.last())
        } else {
            host.disk.taken_by_all().min(story.last())
        };
        story.dropped_through = story.dropped_through.max(through);
    }

    /// A script connects and says this and that.
    fn guest(&mut self, number: usize, at: usize) -> Result<(), Broken> {
        const LINES: [&[u8]; 5] = [
            b"{\"msg\": 21.5}\r",
            b"{\"msg\": \"rtemp:22.10,winds:ERR,\", \"sender\": \"bench\"}\r",
            b"garbage\r\n",
            b"{\"key\":\"POLL\",\"id\":4,\"value\":{\"after\":0,\"taken\":0,\"max\":9}}\n",
            b"{\"key\":\"READINGS\",\"value\":7}\n",
        ];
        if self.hosts.get(at).is_none_or(|host| host.running.is_none()) {
            return Ok(());
        }
        let link = LinkId(self.next_link);
        self.next_link += 1;
        let id = self.open([End::new(None, LinkId(0)), End::new(Some(at), link)], true);
        self.join(at, link, id, 1);
        self.trouble.guests.push((number, id));
        self.tell_soon(at, Input::LinkUp { link, far: None, remote: ip(60_000) });
        for _ in 0..self.chances.fault.usize(1..6) {
            let line = self.chances.fault.choice(&LINES).copied().unwrap_or_default();
            self.transmit(id, 1, line)?;
        }
        Ok(())
    }
}
