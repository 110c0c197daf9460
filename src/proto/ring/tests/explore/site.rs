//! Three real machines and what lies between them, small enough to be copied at every step: no disks, no delays. A
//! connection keeps the order of what is sent on it, as TCP does; everything else may happen in any order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use super::*;
use crate::proto::contract::at;

/// Connections that one input may lead to: more is a machine that tries for ever.
const FOLLOW_UPS_MAX: usize = 200;

/// What is broken, in words.
pub(super) type Checked = Result<(), String>;

#[derive(Clone, Debug, Default)]
pub(super) struct Lane {
    pub(super) items: VecDeque<Item>,
    /// What is on its way here stays there.
    pub(super) is_held: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Item {
    Message(Rc<Body>),
    Closed,
}

/// Side 0 is the one who opened it; a lane leads to the side of its place.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) hosts: [usize; 2],
    pub(super) is_up: [bool; 2],
    pub(super) lanes: [Lane; 2],
}

impl Connection {
    /// Only the one who did not open it is still to hear that it is closed: nothing comes of that.
    fn is_over(&self) -> bool {
        !self.is_up[0] && matches!(self.lanes[1].items.front(), Some(Item::Closed))
    }
}

#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) ring: Option<Ring>,
    /// The largest ring that this life has had a token of.
    newest: RingId,
    pub(super) lives: u64,
    /// A host without power does not even refuse a connection.
    pub(super) has_power: bool,
    pub(super) is_paused: bool,
}

/// One state of the world.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) now: Instant,
    pub(super) hosts: Vec<Rc<Host>>,
    /// One that is dead without a word is not here: what is sent on it is lost.
    pub(super) connections: BTreeMap<u64, Rc<Connection>>,
    next_connection: u64,
    /// Pairs of hosts that cannot reach one another, the smaller first.
    pub(super) blocked: BTreeSet<(usize, usize)>,
    /// Every token that was taken, and by whom.
    taken: Rc<BTreeMap<(RingId, u64), usize>>,
    /// Visits of one token in one ring of all that live, without a fault between them.
    pub(super) calm_visits: usize,
    calm_ring: RingId,
    /// When something last began or ceased to be out of order.
    pub(super) changed_at: Instant,
    /// Since when something is out of order.
    pub(super) trouble_at: Option<Instant>,
    /// Faults that may still begin.
    pub(super) faults_left: usize,
    /// The longest patience that a machine ever had.
    pub(super) patience: Duration,
    defect: Option<Defect>,
}

fn journal(host: usize) -> JournalId {
    JournalId(host as u64 + 1)
}

impl Site {
    pub(super) fn new(hosts: usize, makes_token: Option<usize>, defect: Option<Defect>) -> Self {
        let host =
            Host { ring: None, newest: RingId::default(), lives: 0, has_power: true, is_paused: false };
        let host = Rc::new(host);
        let mut site = Self {
            now: Instant::ZERO,
            hosts: vec![host; hosts],
            connections: BTreeMap::new(),
            next_connection: 0,
            blocked: BTreeSet::new(),
            taken: Rc::default(),
            calm_visits: 0,
            calm_ring: RingId::default(),
            changed_at: Instant::ZERO,
            trouble_at: None,
            faults_left: 0,
            patience: LOST_LEAST,
            defect,
        };
        (0..hosts).for_each(|host| site.start(host, makes_token == Some(host)));
        site
    }

    /// A node begins its next life.
    pub(super) fn start(&mut self, host: usize, makes_token: bool) {
        let peers = (0..self.hosts.len()).map(|host| (format!("pi-{host}"), None)).collect();
        let (now, defect) = (self.now, self.defect);
        let this = Rc::make_mut(&mut self.hosts[host]);
        this.lives += 1;
        this.has_power = true;
        let config = RingConfig {
            node: name(&format!("pi-{host}")),
            journal: journal(host),
            last: Seq::ZERO,
            part: RingPart {
                peers,
                sink_rank: None,
                cursors: BTreeMap::new(),
                makes_token,
                token_hold: 300 * MS,
                round_interval: Duration::from_secs(1),
                standby_after: Duration::from_secs(5),
                last_round: 0,
                seed: this.lives * 100 + host as u64,
            },
        };
        let mut ring = Ring::new(config, now);
        ring.planted.defect = defect;
        (this.ring, this.newest) = (Some(ring), RingId::default());
    }

    pub(super) fn ring(&self, host: usize) -> Option<&Ring> {
        self.hosts[host].ring.as_ref()
    }

    pub(super) fn living(&self) -> impl Iterator<Item = (usize, &Ring)> {
        self.hosts.iter().enumerate().filter_map(|(at, host)| Some((at, host.ring.as_ref()?)))
    }

    /// Whether this hop of a token was made.
    pub(super) fn is_taken(&self, hop: (RingId, u64)) -> bool {
        self.taken.contains_key(&hop)
    }

    /// Tells a machine something, and carries out all that it leads to. A connection stands, or is refused, at once.
    pub(super) fn input(&mut self, host: usize, input: impl FnOnce(&mut Ring, Now)) -> Checked {
        let mut follow_ups = VecDeque::new();
        self.input_one(host, input, &mut follow_ups)?;
        for _ in 0..FOLLOW_UPS_MAX {
            let Some(ix) = follow_ups.pop_front() else { return Ok(()) };
            self.connect(host, ix, &mut follow_ups)?;
        }
        Err(format!("pi-{host} tries to connect for ever"))
    }

    fn input_one(
        &mut self,
        host: usize,
        input: impl FnOnce(&mut Ring, Now),
        connects: &mut VecDeque<PeerIx>,
    ) -> Checked {
        let now = at(self.now);
        let Some(ring) = &mut Rc::make_mut(&mut self.hosts[host]).ring else { return Ok(()) };
        input(ring, now);
        let visits = std::mem::take(&mut ring.planted.visits);
        let mut outputs = Vec::new();
        while let Some(output) = ring.poll_output() {
            outputs.push(output);
        }
        self.patience = self.patience.max(ring.lost_after());
        for output in outputs {
            match output {
                RingOutput::Connect(ix) => connects.push_back(ix),
                RingOutput::Disconnect(ix, None) => connects.retain(|one| *one != ix),
                RingOutput::Disconnect(_, Some(link)) => self.hang_up(link.0 / 2, side(link)),
                RingOutput::Send(link, _, body) => self.send(link, body),
                _ => {}
            }
        }
        visits.into_iter().try_for_each(|hop| self.note_visit(host, hop))
    }

    fn note_visit(&mut self, host: usize, hop: (RingId, u64)) -> Checked {
        if let Some(before) = Rc::make_mut(&mut self.taken).insert(hop, host) {
            return Err(format!("pi-{host} takes {hop:?}, which pi-{before} took"));
        }
        let newest = &mut Rc::make_mut(&mut self.hosts[host]).newest;
        if hop.0 < std::mem::replace(newest, hop.0) {
            return Err(format!("pi-{host} goes back to {hop:?}"));
        }
        let is_calm = self.is_one_ring() && !self.is_troubled();
        self.calm_visits = if is_calm && hop.0 == self.calm_ring { self.calm_visits + 1 } else { 0 };
        self.calm_ring = hop.0;
        Ok(())
    }

    fn connect(&mut self, host: usize, ix: PeerIx, connects: &mut VecDeque<PeerIx>) -> Checked {
        let goal = ix.0;
        if self.is_blocked(host, goal) || !self.hosts[goal].has_power {
            return Ok(());
        }
        if self.hosts[goal].ring.is_none() {
            return self.input_one(host, |ring, now| ring.link_failed(now, ix, "refused"), connects);
        }
        let id = self.next_connection;
        self.next_connection += 1;
        let connection = Connection { hosts: [host, goal], is_up: [true; 2], lanes: Default::default() };
        self.connections.insert(id, Rc::new(connection));
        self.input_one(host, |ring, now| ring.link_up(now, ix, LinkId(2 * id)), connects)
    }

    fn send(&mut self, link: LinkId, body: Body) {
        let (id, side) = (link.0 / 2, side(link));
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.is_up == [true; 2] {
            let lane = &mut Rc::make_mut(connection).lanes[1 - side];
            lane.items.push_back(Item::Message(Rc::new(body)));
        }
    }

    /// One end is no more. What it had sent still arrives.
    pub(super) fn hang_up(&mut self, id: u64, side: usize) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let connection = Rc::make_mut(connection);
        connection.is_up[side] = false;
        connection.lanes[side] = Lane::default();
        connection.lanes[1 - side].items.push_back(Item::Closed);
        if !connection.is_up[1 - side] || connection.is_over() {
            self.connections.remove(&id);
        }
    }

    /// What is first in this lane arrives.
    pub(super) fn deliver(&mut self, id: u64, side: usize) -> Checked {
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        let connection = Rc::make_mut(connection);
        let (host, link) = (connection.hosts[side], LinkId(2 * id + side as u64));
        match connection.lanes[side].items.pop_front() {
            None => Ok(()),
            Some(Item::Message(body)) => {
                if connection.is_over() {
                    self.connections.remove(&id);
                }
                let body = Rc::unwrap_or_clone(body);
                self.input(host, |ring, now| assert!(ring.message(now, link, body), "a ring's message"))
            }
            Some(Item::Closed) => {
                connection.is_up[side] = false;
                if !connection.is_up[1 - side] {
                    self.connections.remove(&id);
                }
                self.input(host, |ring, now| {
                    ring.link_down(now, link, "closed");
                })
            }
        }
    }

    pub(super) fn is_blocked(&self, one: usize, other: usize) -> bool {
        self.blocked.contains(&(one.min(other), one.max(other)))
    }

    /// Whether something is out of order that will end.
    pub(super) fn is_troubled(&self) -> bool {
        let is_held = |connection: &Rc<Connection>| connection.lanes.iter().any(|lane| lane.is_held);
        !self.blocked.is_empty()
            || self.hosts.iter().any(|host| host.is_paused)
            || self.connections.values().any(is_held)
    }

    /// Whether all that live are one ring, and nobody else is in it.
    pub(super) fn is_one_ring(&self) -> bool {
        let Some((_, first)) = self.living().next() else { return true };
        let mut ids: Vec<MemberId> = self.living().map(|(_, ring)| ring.who.id).collect();
        ids.sort_unstable();
        self.living().all(|(_, ring)| {
            let mut members: Vec<MemberId> = ring.members.iter().map(|member| member.who.id).collect();
            members.sort_unstable();
            ring.is_member && ring.latest.0 == first.latest.0 && members == ids
        })
    }

    /// At most one member has a token of one name: to hand on, or on its way and not yet taken.
    pub(super) fn one_holder(&self) -> Checked {
        let mut holders: BTreeMap<RingId, usize> = BTreeMap::new();
        for (host, ring) in self.living() {
            let held = match &ring.state {
                State::Holding { token, .. } => token.ring,
                State::Handing(handing) if !self.is_taken(handing.hop()) => handing.hop().0,
                _ => continue,
            };
            if let Some(other) = holders.insert(held, host) {
                return Err(format!("pi-{other} and pi-{host} both have the token {held:?}"));
            }
        }
        Ok(())
    }
}

fn side(link: LinkId) -> usize {
    usize::from(link.0 % 2 == 1)
}
