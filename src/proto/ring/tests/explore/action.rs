//! What may happen next: a message arrives, a time-out is over, a fault begins or ends. Messages are faster than time,
//! but for faults: so that a state has few successors, and each fault is one choice.

use std::rc::Rc;

use super::site::{Checked, Connection, Item, Lane, Site};
use super::*;

/// One step. Connections are told by their number, their sides by 0 (who opened it) and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// What is first on this connection arrives at this side.
    Arrive(u64, usize),
    /// This host's next time-out, however far off, is over.
    Timeout(usize),
    /// A fault: the same, while messages are on their way.
    Late(usize),
    /// A fault: a process ends; its kernel says so.
    Kill(usize),
    /// A fault: a host loses its power, without a word to anybody.
    PowerOff(usize),
    /// A node that was ended starts again.
    Start(usize),
    /// A fault: a connection breaks, and both ends are told.
    Reset(u64),
    /// A fault: a connection is dead, and nobody is told.
    Vanish(u64),
    /// A fault: what is on its way to this side stays on its way.
    Hold(u64, usize),
    /// And arrives after all.
    Release(u64, usize),
    /// A fault: a process stands still.
    Pause(usize),
    /// And goes on.
    Resume(usize),
    /// A fault: two hosts cannot reach one another.
    Cut(usize, usize),
    /// And can again.
    Join(usize, usize),
}

/// The faults that an exploration chooses from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Late,
    Kill,
    PowerOff,
    Reset,
    Vanish,
    Hold,
    Pause,
    Cut,
}

impl Action {
    pub(super) fn fault(self) -> Option<Fault> {
        Some(match self {
            Action::Late(_) => Fault::Late,
            Action::Kill(_) => Fault::Kill,
            Action::PowerOff(_) => Fault::PowerOff,
            Action::Reset(_) => Fault::Reset,
            Action::Vanish(_) => Fault::Vanish,
            Action::Hold(..) => Fault::Hold,
            Action::Pause(_) => Fault::Pause,
            Action::Cut(..) => Fault::Cut,
            _ => return None,
        })
    }

    /// Whether it is the end of a fault.
    pub(super) fn is_end(self) -> bool {
        use Action::{Join, Release, Resume, Start};
        matches!(self, Start(_) | Release(..) | Resume(_) | Join(..))
    }
}

impl Site {
    /// All that may happen now, without faults. No time-out is over after `until`.
    pub(super) fn actions(&self, until: Option<Instant>) -> Vec<Action> {
        let mut actions = Vec::new();
        for (id, connection) in &self.connections {
            let sides = (0..2).filter(|side| self.may_arrive(connection, *side));
            actions.extend(sides.map(|side| Action::Arrive(*id, side)));
        }
        let due = self.due();
        let first = due.iter().map(|(due, _)| *due).min();
        for (due, host) in due {
            let is_next = actions.is_empty() && Some(due) == first;
            if (is_next || due <= self.now) && until.is_none_or(|until| due <= until) {
                actions.push(Action::Timeout(host));
            }
        }
        self.ends(&mut actions);
        actions
    }

    fn ends(&self, actions: &mut Vec<Action>) {
        for (at, host) in self.hosts.iter().enumerate() {
            if host.ring.is_none() {
                actions.push(Action::Start(at));
            }
            if host.is_paused {
                actions.push(Action::Resume(at));
            }
        }
        for (id, connection) in &self.connections {
            let held = (0..2).filter(|side| connection.lanes[*side].is_held);
            actions.extend(held.map(|side| Action::Release(*id, side)));
        }
        actions.extend(self.blocked.iter().map(|&(one, other)| Action::Join(one, other)));
    }

    /// All faults of this kind that make a difference now.
    pub(super) fn faults(&self, kind: Fault) -> Vec<Action> {
        let mut faults = Vec::new();
        let count = self.hosts.len();
        let is_under_way = self.connections.values().any(|one| (0..2).any(|side| self.may_arrive(one, side)));
        if is_under_way {
            let first = self.due().into_iter().min().filter(|(due, _)| *due > self.now);
            faults.extend(first.map(|(_, host)| Action::Late(host)));
        }
        for host in (0..count).filter(|at| self.hosts[*at].ring.is_some() && !self.hosts[*at].is_paused) {
            faults.extend([Action::Kill(host), Action::PowerOff(host), Action::Pause(host)]);
        }
        for (id, connection) in &self.connections {
            if connection.is_up != [true; 2] {
                continue;
            }
            faults.extend([Action::Reset(*id), Action::Vanish(*id)]);
            let lanes = connection.lanes.iter().enumerate();
            let busy = lanes.filter(|(_, lane)| !lane.items.is_empty() && !lane.is_held);
            faults.extend(busy.map(|(side, _)| Action::Hold(*id, side)));
        }
        for one in 0..count {
            let others = (one + 1..count).filter(|other| !self.is_blocked(one, *other));
            faults.extend(others.map(|other| Action::Cut(one, other)));
        }
        faults.retain(|one| one.fault() == Some(kind));
        faults
    }

    fn may_arrive(&self, connection: &Connection, side: usize) -> bool {
        let lane = &connection.lanes[side];
        !lane.items.is_empty() && !lane.is_held && !self.hosts[connection.hosts[side]].is_paused
    }

    /// When each machine that runs wants to be called.
    fn due(&self) -> Vec<(Instant, usize)> {
        let running = self.living().filter(|(at, _)| !self.hosts[*at].is_paused);
        running.filter_map(|(at, ring)| Some((ring.poll_timeout()?.0, at))).collect()
    }

    /// Does it, and looks at whatever the step says it broke.
    pub(super) fn step(&mut self, action: Action) -> Checked {
        let is_fault = action.fault().is_some();
        self.faults_left -= usize::from(is_fault);
        match action {
            Action::Arrive(id, side) => self.deliver(id, side)?,
            Action::Timeout(host) | Action::Late(host) => self.timeout(host)?,
            Action::Kill(host) => self.end(host, true),
            Action::PowerOff(host) => self.end(host, false),
            Action::Start(host) => self.start(host, false),
            Action::Reset(id) => self.change(id, |connection| {
                let closed = Lane { items: [Item::Closed].into(), is_held: false };
                connection.is_up[1] = false;
                connection.lanes = [closed, Lane::default()];
            }),
            Action::Vanish(id) => {
                self.connections.remove(&id);
            }
            Action::Hold(id, side) => self.change(id, |connection| connection.lanes[side].is_held = true),
            Action::Release(id, side) => self.change(id, |connection| connection.lanes[side].is_held = false),
            Action::Pause(host) => Rc::make_mut(&mut self.hosts[host]).is_paused = true,
            Action::Resume(host) => Rc::make_mut(&mut self.hosts[host]).is_paused = false,
            Action::Cut(one, other) => {
                self.blocked.insert((one, other));
                let is_cut = |hosts: &[usize; 2]| hosts.contains(&one) && hosts.contains(&other);
                self.connections.retain(|_, connection| !is_cut(&connection.hosts));
            }
            Action::Join(one, other) => {
                self.blocked.remove(&(one, other));
            }
        }
        if is_fault || action.is_end() {
            (self.calm_visits, self.changed_at) = (0, self.now);
            self.trouble_at = self.is_troubled().then(|| self.trouble_at.unwrap_or(self.now));
        }
        self.one_holder()
    }

    /// What arrives by this step, in short.
    pub(super) fn told(&self, action: Action) -> String {
        let Action::Arrive(id, side) = action else { return String::new() };
        let Some(connection) = self.connections.get(&id) else { return String::new() };
        let [one, other] = [connection.hosts[1 - side], connection.hosts[side]];
        let text: String = format!("{:?}", connection.lanes[side].items.front()).chars().take(400).collect();
        format!("pi-{one} to pi-{other}: {text}")
    }

    fn change(&mut self, id: u64, change: impl FnOnce(&mut Connection)) {
        if let Some(connection) = self.connections.get_mut(&id) {
            change(Rc::make_mut(connection));
        }
    }

    fn timeout(&mut self, host: usize) -> Checked {
        let due = self.ring(host).and_then(|ring| ring.poll_timeout());
        let Some((due, _)) = due else { return Ok(()) };
        self.now = self.now.max(due);
        self.input(host, |ring, now| ring.handle_timeout(now))?;
        match self.ring(host).and_then(|ring| ring.poll_timeout()) {
            Some((due, why)) if due <= self.now => Err(format!("pi-{host}: {why}: due again at once")),
            _ => Ok(()),
        }
    }

    fn end(&mut self, host: usize, is_told: bool) {
        let this = Rc::make_mut(&mut self.hosts[host]);
        (this.ring, this.has_power, this.is_paused) = (None, is_told, false);
        if !is_told {
            return self.connections.retain(|_, connection| !connection.hosts.contains(&host));
        }
        for id in self.connections.keys().copied().collect::<Vec<_>>() {
            for side in 0..2 {
                let is_its = |one: &Rc<Connection>| one.hosts[side] == host && one.is_up[side];
                if self.connections.get(&id).is_some_and(is_its) {
                    self.hang_up(id, side);
                }
            }
        }
    }
}
