//! The polling primary: asks every peer at once, takes what comes after its cursor in bounded pieces until it is caught
//! up, and closes each round when all have answered or at the deadline.
//!
//! Readings are handed to the store as they come; a peer's cursor moves only when the store says that they are
//! durable, and only a durable place is ever acknowledged (in the next poll's `taken`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::peer::{Asked, CONNECT_TIMEOUT, Peer, State};
use super::{LinkId, POLL_MAX_READINGS, PeerIx};
use crate::model::{Body, Instant, JournalId, NodeName, Now, PollRequest, Readings, RoundRecord, Seq};

mod report;

pub use report::PrimaryReport;

/// What a primary is told at its start.
#[derive(Clone, Debug)]
pub struct PrimaryConfig {
    /// The sink's own name and journal, so that it does not take itself for another.
    pub own: (NodeName, JournalId),
    /// The peers' addresses, each with the node last seen there.
    pub peers: Vec<(String, Option<NodeName>)>,
    /// What is held of each journal.
    pub cursors: BTreeMap<JournalId, Seq>,
    /// From one round's start to the next.
    pub poll_interval: Duration,
    /// A round is over after this at the latest.
    pub deadline: Duration,
    /// The last round's number.
    pub last_round: u64,
    /// For the jitter.
    pub seed: u64,
}

/// What a driver has to carry out.
#[derive(Clone, Debug, PartialEq)]
pub enum PrimaryOutput {
    /// Open a link to this peer; answer with [`Primary::link_up`] or [`Primary::link_failed`].
    Connect(PeerIx),
    /// Drop the link, or the attempt at one; nothing is answered.
    Disconnect(PeerIx),
    /// Send this on this link, with this id.
    Send(LinkId, u64, Body),
    /// Make these durable; answer with [`Primary::taken`] or [`Primary::refused`].
    Take(Readings),
    /// Record a round.
    AddRound(RoundRecord),
    /// This node is at this address.
    NotePeer(String, NodeName),
    /// Tell people.
    Report(PrimaryReport),
}

/// The machine. See the [module](super) for its contract.
#[derive(Debug)]
pub struct Primary {
    own: (NodeName, JournalId),
    poll_interval: Duration,
    deadline: Duration,
    peers: Vec<Peer>,
    links: BTreeMap<LinkId, PeerIx>,
    owners: BTreeMap<JournalId, PeerIx>,
    cursors: BTreeMap<JournalId, Seq>,
    timers: BTreeSet<(Instant, PeerIx)>,
    round: u64,
    /// The open round's start and its end at the latest.
    open: Option<(Instant, Instant)>,
    next_round_at: Instant,
    next_id: u64,
    told: BTreeSet<String>,
    outputs: VecDeque<PrimaryOutput>,
}

/// Odd findings that are told once each; beyond so many, no more are remembered and none told.
const TOLD_MAX: usize = 1_000;

impl Primary {
    /// Begins at `now`: connects to all peers at once, and opens the first round.
    pub fn new(config: PrimaryConfig, now: Instant) -> Self {
        let mut primary = Self {
            own: config.own,
            poll_interval: config.poll_interval.max(Duration::from_millis(1)),
            deadline: config.deadline.min(config.poll_interval).max(Duration::from_millis(1)),
            peers: Vec::new(),
            links: BTreeMap::new(),
            owners: BTreeMap::new(),
            cursors: config.cursors,
            timers: BTreeSet::new(),
            round: config.last_round,
            open: None,
            next_round_at: now,
            next_id: 1,
            told: BTreeSet::new(),
            outputs: VecDeque::new(),
        };
        for (at, (address, node)) in config.peers.into_iter().enumerate() {
            primary.peers.push(Peer::new(address, node, now, config.seed.wrapping_add(at as u64)));
            primary.set_timer(PeerIx(at));
        }
        primary
    }

    /// A peer's link stands.
    pub fn link_up(&mut self, now: Now, ix: PeerIx, link: LinkId) {
        let Some(peer) = self.peers.get_mut(ix.0) else { return };
        peer.state = State::Up { link, asked: None };
        peer.foreign = false;
        // The journal may be another since the last link: ask for its name first.
        if let Some(journal) = peer.journal.take() {
            self.owners.remove(&journal);
        }
        self.links.insert(link, ix);
        self.ask(now.mono, ix);
    }

    /// A peer's link could not be made.
    pub fn link_failed(&mut self, now: Now, ix: PeerIx, why: &str) {
        self.lose(now, ix, why);
    }

    /// A link is gone; whether it was a peer's.
    pub fn link_down(&mut self, now: Now, link: LinkId, why: &str) -> bool {
        let Some(ix) = self.links.get(&link).copied() else { return false };
        self.lose(now, ix, why);
        true
    }

    /// The peer at the other end of `link`, if it is one.
    pub fn peer_of(&self, link: LinkId) -> Option<PeerIx> {
        self.links.get(&link).copied()
    }

    /// A piece of a journal came.
    pub fn readings(&mut self, now: Now, link: LinkId, readings: Readings) {
        let Some(ix) = self.links.get(&link).copied() else { return };
        if !self.take_answer(ix, &readings.re) {
            return;
        }
        self.answered(now, ix);
        let Some(peer) = self.peers.get_mut(ix.0) else { return };
        peer.last = readings.last;
        let known = peer.journal == Some(readings.journal) && peer.node.as_ref() == Some(&readings.node);
        if known {
            if readings.pack.is_empty() || readings.after != peer.received {
                return;
            }
            peer.received = readings.through();
            self.outputs.push_back(PrimaryOutput::Take(readings));
        } else if !self.adopt(ix, readings.node, readings.journal) {
            return;
        }
        self.ask_for_more(now.mono, ix);
    }

    /// A peer answered a poll with an error.
    pub fn error(&mut self, now: Now, link: LinkId, re: &str, text: &str) {
        let Some(ix) = self.links.get(&link).copied() else { return };
        if self.take_answer(ix, re) {
            self.give_up_on(now, ix);
            let address = self.address(ix);
            self.report(PrimaryReport::Refused { address, why: text.to_owned() });
        }
    }

    /// A peer speaks, but not our language: a script that sends when it likes.
    pub fn foreign(&mut self, now: Now, link: LinkId) {
        let Some(ix) = self.links.get(&link).copied() else { return };
        if let Some(peer) = self.peers.get_mut(ix.0) {
            peer.foreign = true;
        }
        self.set_timer(ix);
        self.answered(now, ix);
    }

    /// The store holds `journal` durably through `cursor`.
    pub fn taken(&mut self, now: Now, journal: JournalId, cursor: Seq) {
        self.cursors.insert(journal, cursor);
        let Some(ix) = self.owners.get(&journal).copied() else { return };
        let Some(peer) = self.peers.get_mut(ix.0) else { return };
        peer.taken = peer.taken.max(cursor);
        peer.received = peer.received.max(peer.taken);
        self.ask_for_more(now.mono, ix);
    }

    /// The store could not take what came of `journal`: it is asked for again in the next round.
    pub fn refused(&mut self, journal: JournalId) {
        let Some(ix) = self.owners.get(&journal).copied() else { return };
        if let Some(peer) = self.peers.get_mut(ix.0) {
            peer.rewind();
        }
        self.set_timer(ix);
    }

    /// When to call [`Primary::handle_timeout`] at the latest, and why.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let round = match self.open {
            Some((_, ends_at)) if ends_at < self.next_round_at => (ends_at, "the round's deadline"),
            _ => (self.next_round_at, "the next round"),
        };
        let peer = self.timers.first().map(|(at, _)| (*at, "a peer's link"));
        Some(peer.filter(|p| p.0 < round.0).unwrap_or(round))
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(&(at, ix)) = self.timers.first()
            && at <= now.mono
        {
            self.peer_timeout(now, ix);
        }
        if self.open.is_some_and(|(_, ends_at)| ends_at <= now.mono) {
            self.end_round(now);
        }
        if self.next_round_at <= now.mono {
            self.begin_round(now);
        }
    }

    /// The next thing to carry out.
    pub fn poll_output(&mut self) -> Option<PrimaryOutput> {
        self.outputs.pop_front()
    }

    fn peer_timeout(&mut self, now: Now, ix: PeerIx) {
        let Some(peer) = self.peers.get_mut(ix.0) else { return };
        match peer.state {
            State::Down { .. } => {
                peer.state = State::Connecting { until: now.mono + CONNECT_TIMEOUT };
                self.outputs.push_back(PrimaryOutput::Connect(ix));
                self.set_timer(ix);
            }
            State::Connecting { .. } => {
                self.outputs.push_back(PrimaryOutput::Disconnect(ix));
                self.lose(now, ix, "no answer to the connection");
            }
            State::Up { .. } => {
                self.outputs.push_back(PrimaryOutput::Disconnect(ix));
                self.lose(now, ix, "silent: polls are not answered");
            }
        }
    }

    fn begin_round(&mut self, now: Now) {
        if self.open.is_some() {
            self.end_round(now);
        }
        self.round += 1;
        self.open = Some((now.mono, now.mono + self.deadline));
        while self.next_round_at <= now.mono {
            let behind = now.mono.saturating_since(self.next_round_at);
            let missed =
                u32::try_from(behind.as_micros() / self.poll_interval.as_micros()).unwrap_or(u32::MAX);
            self.next_round_at =
                self.next_round_at + self.poll_interval.saturating_mul(missed.saturating_add(1));
        }
        for at in 0..self.peers.len() {
            if let Some(peer) = self.peers.get_mut(at) {
                peer.begin_round();
            }
            self.ask(now.mono, PeerIx(at));
        }
        self.end_round_if_all_answered(now);
    }

    fn end_round(&mut self, now: Now) {
        let Some((began_at, _)) = self.open.take() else { return };
        let late: Vec<&Peer> = self.peers.iter().filter(|peer| peer.answered_round != self.round).collect();
        let down: BTreeSet<NodeName> = late.iter().filter_map(|peer| peer.name()).collect();
        let count = |nodes: usize| u32::try_from(nodes).unwrap_or(u32::MAX);
        let record = RoundRecord {
            number: self.round,
            time: now.wall,
            nodes: count(self.peers.len() + 1),
            answered: count(self.peers.len() + 1 - late.len()),
            down: down.into_iter().collect(),
        };
        self.report(PrimaryReport::Round {
            number: record.number,
            nodes: self.peers.len(),
            down: record.down.clone(),
            took: now.mono.saturating_since(began_at),
        });
        self.outputs.push_back(PrimaryOutput::AddRound(record));
    }

    fn end_round_if_all_answered(&mut self, now: Now) {
        if self.open.is_some() && !self.peers.iter().any(|peer| peer.expected) {
            self.end_round(now);
        }
    }

    fn answered(&mut self, now: Now, ix: PeerIx) {
        let Some(peer) = self.peers.get_mut(ix.0) else { return };
        peer.backoff.reset();
        if self.open.is_some() {
            peer.answered_round = self.round;
        }
        self.give_up_on(now, ix);
    }

    /// The open round no longer waits for this peer.
    fn give_up_on(&mut self, now: Now, ix: PeerIx) {
        let Some(peer) = self.peers.get_mut(ix.0) else { return };
        if std::mem::take(&mut peer.expected) {
            self.end_round_if_all_answered(now);
        }
    }

    /// Whether `re` is the poll that this peer was asked; it is no longer.
    fn take_answer(&mut self, ix: PeerIx, re: &str) -> bool {
        let Some(peer) = self.peers.get_mut(ix.0) else { return false };
        let State::Up { asked, .. } = &mut peer.state else { return false };
        if !asked.is_some_and(|asked| re.parse() == Ok(asked.id)) {
            return false;
        }
        *asked = None;
        self.set_timer(ix);
        true
    }

    fn adopt(&mut self, ix: PeerIx, node: NodeName, journal: JournalId) -> bool {
        let address = self.address(ix);
        if journal == self.own.1 {
            self.tell_once(PrimaryReport::Itself { address });
            return false;
        }
        if let Some(other) = self.owners.get(&journal).copied().filter(|&other| other != ix) {
            let first = self.address(other);
            self.tell_once(PrimaryReport::SameJournal { journal, first, second: address });
            return false;
        }
        let bears_name = |peer: &&Peer| peer.link().is_some() && peer.node.as_ref() == Some(&node);
        let namesake =
            self.peers.iter().enumerate().filter(|(at, _)| *at != ix.0).map(|(_, p)| p).find(bears_name);
        if let Some(other) = namesake.map(|peer| peer.address.clone()) {
            self.tell_once(PrimaryReport::SameName {
                node: node.clone(),
                first: other,
                second: address.clone(),
            });
        } else if node == self.own.0 {
            let first = "this node itself".to_owned();
            self.tell_once(PrimaryReport::SameName { node: node.clone(), first, second: address.clone() });
        }
        let taken = self.cursors.get(&journal).copied().unwrap_or_default();
        let Some(peer) = self.peers.get_mut(ix.0) else { return false };
        if let Some(old) = peer.journal {
            self.owners.remove(&old);
        }
        let steady = peer.adopt(node.clone(), journal, taken);
        self.owners.insert(journal, ix);
        self.outputs.push_back(PrimaryOutput::NotePeer(address.clone(), node.clone()));
        self.report(PrimaryReport::Found { address, node, journal, taken });
        steady
    }

    fn ask_for_more(&mut self, now: Instant, ix: PeerIx) {
        if self.peers.get(ix.0).is_some_and(Peer::wants_more) {
            self.ask(now, ix);
        }
    }

    fn ask(&mut self, now: Instant, ix: PeerIx) {
        let silence = self.silence();
        let Some(peer) = self.peers.get_mut(ix.0) else { return };
        let (State::Up { link, asked }, id) = (&mut peer.state, self.next_id) else { return };
        if asked.is_some() && !peer.foreign {
            return;
        }
        *asked = Some(Asked { id, silent_at: now + silence });
        let poll = PollRequest {
            journal: peer.journal,
            after: peer.received,
            taken: peer.taken,
            max: POLL_MAX_READINGS,
        };
        self.next_id += 1;
        self.outputs.push_back(PrimaryOutput::Send(*link, id, Body::Poll(poll)));
        self.set_timer(ix);
    }

    /// A link on which a poll stays without answer for this long is dead, whatever TCP believes.
    fn silence(&self) -> Duration {
        const LEAST: Duration = Duration::from_secs(3);
        (self.deadline * 4).max(LEAST)
    }

    fn lose(&mut self, now: Now, ix: PeerIx, why: &str) {
        let Some(peer) = self.peers.get_mut(ix.0) else { return };
        let was_up = peer.link();
        if let Some(link) = was_up {
            self.links.remove(&link);
        }
        peer.rewind();
        let delay = peer.backoff.next_delay();
        peer.state = State::Down { retry_at: now.mono + delay };
        let (first_failure, address, node) =
            (peer.backoff.failures() == 1, peer.address.clone(), peer.node.clone());
        if let Some(journal) = peer.journal {
            self.owners.remove(&journal);
        }
        if was_up.is_some() || first_failure {
            self.report(PrimaryReport::Lost { address, node, why: why.to_owned() });
        }
        self.set_timer(ix);
        self.give_up_on(now, ix);
    }

    fn set_timer(&mut self, ix: PeerIx) {
        let Some(peer) = self.peers.get_mut(ix.0) else { return };
        let wanted = peer.deadline();
        if wanted == peer.timer {
            return;
        }
        if let Some(old) = peer.timer.take() {
            self.timers.remove(&(old, ix));
        }
        peer.timer = wanted;
        if let Some(at) = wanted {
            self.timers.insert((at, ix));
        }
    }

    /// The address of a peer.
    pub fn address(&self, ix: PeerIx) -> String {
        self.peers.get(ix.0).map(|peer| peer.address.clone()).unwrap_or_default()
    }

    fn report(&mut self, report: PrimaryReport) {
        self.outputs.push_back(PrimaryOutput::Report(report));
    }

    fn tell_once(&mut self, report: PrimaryReport) {
        if self.told.len() < TOLD_MAX && self.told.insert(report.to_string()) {
            self.report(report);
        }
    }
}
