//! The polling primary: asks every peer (all at once, or one after the other), takes what comes after its cursor in
//! bounded pieces until it is caught up, and closes each round when all have answered or at the deadline.
//!
//! Readings are handed to the store as they come; a peer's cursor moves only when the store says that they are
//! durable, and only a durable place is ever acknowledged (in the next poll's `taken`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::defect::{Defect, Planted};
use super::journals::Journals;
use super::peer::{Asked, CONNECT_TIMEOUT, Peer, State};
use super::{Backoff, LinkId, PeerIx};
use crate::model::{
    Body, ClockLink, ClockSample, Instant, JournalId, NodeName, Now, Readings, RoundRecord, Seq,
};

mod asking;
mod discover;
mod leaving;
mod report;

pub use asking::PollOrder;
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
    /// In what order a round asks them.
    pub order: PollOrder,
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
    /// Drop this peer's link, or without one the attempt at it; nothing is answered.
    Disconnect(PeerIx, Option<LinkId>),
    /// Send this on this link, with this id.
    Send(LinkId, u64, Body),
    /// Make these durable; answer with [`Primary::taken`] or [`Primary::refused`].
    Take(Readings),
    /// Record a round.
    AddRound(RoundRecord),
    /// Keep where the clock of this node, whose journal this is, met this machine's.
    NoteLink {
        /// Whose clock.
        node: NodeName,
        /// Its journal.
        journal: JournalId,
        /// Where they met.
        link: ClockLink,
    },
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
    order: PollOrder,
    peers: Vec<Peer>,
    /// How many of them are listed.
    listed: usize,
    links: BTreeMap<LinkId, PeerIx>,
    journals: Journals,
    timers: BTreeSet<(Instant, PeerIx)>,
    /// Peers that are to be asked as soon as that may be, in the order of their turns: those that have more to give
    /// than there was room for, and with [`PollOrder::InTurn`] all that a round has still to ask.
    turns: VecDeque<PeerIx>,
    /// With [`PollOrder::InTurn`]: who is waited for at present, and until when.
    turn: Option<(PeerIx, Instant)>,
    round: u64,
    /// The open round's start and its end at the latest.
    open: Option<(Instant, Instant)>,
    /// How many peers the open round waits for.
    awaited: usize,
    next_round_at: Instant,
    next_id: u64,
    told: BTreeSet<String>,
    outputs: VecDeque<PrimaryOutput>,
    pub(super) planted: Planted,
}

impl Primary {
    /// Begins at `now`: connects to all peers at once, and opens the first round.
    pub fn new(config: PrimaryConfig, now: Instant) -> Self {
        let mut primary = Self {
            own: config.own,
            poll_interval: config.poll_interval.max(Duration::from_millis(1)),
            deadline: config.deadline.min(config.poll_interval).max(Duration::from_millis(1)),
            order: config.order,
            peers: Vec::new(),
            listed: config.peers.len(),
            links: BTreeMap::new(),
            journals: Journals::new(config.cursors),
            timers: BTreeSet::new(),
            turns: VecDeque::new(),
            turn: None,
            round: config.last_round,
            open: None,
            awaited: 0,
            next_round_at: now,
            next_id: 1,
            told: BTreeSet::new(),
            outputs: VecDeque::new(),
            planted: Planted::default(),
        };
        let count = config.peers.len();
        for (at, (address, node)) in config.peers.into_iter().enumerate() {
            let backoff = Backoff::new(config.seed.wrapping_add(at as u64), config.poll_interval, count);
            primary.peers.push(Peer::new(address, node, now, backoff));
            primary.set_timer(PeerIx(at));
        }
        primary
    }

    /// A peer's link stands.
    pub fn link_up(&mut self, now: Now, ix: PeerIx, link: LinkId) {
        // The journal may be another since the last link: ask for its name first.
        self.unlink(ix);
        let Some(peer) = self.peers.get_mut(ix.0) else { return };
        peer.state = State::Up { link, asked: None };
        peer.foreign = false;
        self.links.insert(link, ix);
        self.ask_for_round(now.mono, ix);
        self.resume(now.mono);
    }

    /// A peer's link could not be made.
    pub fn link_failed(&mut self, now: Now, ix: PeerIx, why: &str) {
        if self.peers.get(ix.0).is_some_and(|peer| matches!(peer.state, State::Connecting { .. })) {
            self.lose(now, ix, why);
        }
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
        let Some(asked) = self.take_answer(ix, &readings.re) else { return };
        let Some(peer) = self.peers.get_mut(ix.0) else { return };
        peer.foreign = false;
        peer.last = readings.last;
        let (journal, clock) = (readings.journal, readings.clock);
        let is_known = peer.journal == Some(readings.journal)
            && peer.node.as_ref() == Some(&readings.node)
            && self.journals.owner(readings.journal) == Some(ix);
        let goes_on = if is_known {
            self.take(now.mono, ix, asked, readings)
        } else {
            self.adopt(ix, readings.node, readings.journal)
        };
        if let Some(clock) = clock {
            self.meet(now.mono, ix, asked.sent_at, journal, &clock);
        }
        self.answered(now, ix);
        if goes_on {
            self.ask_for_more(now.mono, ix);
        }
        self.resume(now.mono);
    }

    /// A peer answered a poll with an error; whether it did.
    pub fn error(&mut self, now: Now, link: LinkId, re: &str, text: &str) -> bool {
        let Some(ix) = self.links.get(&link).copied() else { return false };
        let is_answer = self.take_answer(ix, re).is_some();
        if is_answer {
            self.give_up_on(now, ix);
            self.tell_refusal(ix, text);
            self.resume(now.mono);
        }
        is_answer
    }

    /// A peer speaks, but not our language: a script that sends when it likes.
    pub fn foreign(&mut self, now: Now, link: LinkId) {
        let Some(ix) = self.links.get(&link).copied() else { return };
        if let Some(peer) = self.peers.get_mut(ix.0) {
            peer.foreign = true;
        }
        self.set_timer(ix);
        self.end_turn_of(ix);
        self.answered(now, ix);
        self.resume(now.mono);
    }

    /// The store holds `journal` durably through `cursor`.
    pub fn taken(&mut self, now: Now, journal: JournalId, cursor: Seq) {
        self.journals.confirm(journal, cursor);
        if let Some(ix) = self.journals.owner(journal) {
            self.ask_for_more(now.mono, ix);
        }
        self.resume(now.mono);
    }

    /// The store could not take what came of `journal`: it is asked for again in the next round.
    pub fn refused(&mut self, journal: JournalId) {
        let owner = self.journals.owner(journal);
        if !self.planted.is(Defect::PollNeverRewinds) {
            self.journals.rewind(journal);
        }
        let Some(ix) = owner else { return };
        if let Some(peer) = self.peers.get_mut(ix.0) {
            peer.forget_asked();
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
        let turn = self.turn.map(|(_, until)| (until, "the next peer's turn"));
        [Some(round), peer, turn].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(&(at, ix)) = self.timers.first()
            && at <= now.mono
        {
            self.peer_timeout(now, ix);
        }
        if self.turn.is_some_and(|(_, until)| until <= now.mono) {
            self.turn = None;
            self.resume(now.mono);
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
                self.outputs.push_back(PrimaryOutput::Disconnect(ix, None));
                self.lose(now, ix, "no answer to the connection");
            }
            State::Up { link, .. } => {
                self.outputs.push_back(PrimaryOutput::Disconnect(ix, Some(link)));
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
        while self.next_round_at <= now.mono && !self.planted.is(Defect::RoundAtOnce) {
            let behind = now.mono.saturating_since(self.next_round_at);
            let missed =
                u32::try_from(behind.as_micros() / self.poll_interval.as_micros()).unwrap_or(u32::MAX);
            self.next_round_at =
                self.next_round_at + self.poll_interval.saturating_mul(missed.saturating_add(1));
        }
        self.awaited = 0;
        for at in 0..self.peers.len() {
            if let Some(peer) = self.peers.get_mut(at) {
                peer.begin_round(now.mono);
                self.awaited += usize::from(peer.expected);
            }
            self.ask_for_round(now.mono, PeerIx(at));
        }
        self.resume(now.mono);
        self.end_round_if_all_answered(now);
    }

    fn end_round(&mut self, now: Now) {
        let Some((began_at, _)) = self.open.take() else { return };
        let late = self.late();
        let down: BTreeSet<NodeName> = late.iter().filter_map(|peer| peer.name()).collect();
        let count = |nodes: usize| u32::try_from(nodes).unwrap_or(u32::MAX);
        let record = RoundRecord {
            number: self.round,
            time: now.wall,
            mono: now.mono,
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
        if self.open.is_some() && self.awaited == 0 {
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

    /// The poll that `re` names, if this peer was asked it; it is no longer.
    fn take_answer(&mut self, ix: PeerIx, re: &str) -> Option<Asked> {
        let State::Up { asked, .. } = &mut self.peers.get_mut(ix.0)?.state else { return None };
        let answered = asked.take_if(|asked| re.parse() == Ok(asked.id))?;
        if let Some(journal) = self.own_journal(ix) {
            self.journals.ask(journal, 0);
        }
        self.set_timer(ix);
        self.end_turn_of(ix);
        Some(answered)
    }

    /// Hands a piece of a peer's own journal to the store. False when there is nothing more to be had at once.
    fn take(&mut self, now: Instant, ix: PeerIx, asked: Asked, readings: Readings) -> bool {
        let count = readings.pack.len();
        let most = usize::try_from(asked.max).unwrap_or(usize::MAX);
        if count > most {
            self.tell_refusal(ix, &format!("sends {count} readings where {most} are asked for"));
            return false;
        }
        if count > 0 && readings.after != asked.after {
            let text =
                format!("sends what comes after {} where {} is asked for", readings.after, asked.after);
            self.tell_refusal(ix, &text);
            return false;
        }
        let is_quick = asked.silent_at.saturating_since(now) > self.silence() / 4 * 3;
        let Some(peer) = self.peers.get_mut(ix.0) else { return false };
        peer.refusal = None;
        if count > 0 && count == most && asked.max >= peer.piece_max && is_quick {
            peer.ask_for_larger_pieces();
        }
        if asked.max == 0 {
            // There was no room when it was asked; by now there may be.
            return true;
        }
        // The store may have been given this by another link meanwhile, and have confirmed it.
        if count == 0 || readings.through() <= self.journals.place(readings.journal).received {
            return false;
        }
        self.journals.receive(readings.journal, readings.through());
        self.outputs.push_back(PrimaryOutput::Take(readings));
        true
    }

    /// An answer said how the peer's clocks stand. Only of a journal that comes from this peer: another's readings are
    /// not to be dated by it.
    fn meet(&mut self, now: Instant, ix: PeerIx, sent_at: Instant, journal: JournalId, clock: &ClockSample) {
        if self.own_journal(ix) != Some(journal) {
            return;
        }
        let Some(peer) = self.peers.get_mut(ix.0) else { return };
        let Some(node) = peer.node.clone() else { return };
        if let Some(link) = peer.clock.exchange(journal, sent_at, clock, now) {
            self.outputs.push_back(PrimaryOutput::NoteLink { node, journal, link });
        }
    }

    fn adopt(&mut self, ix: PeerIx, node: NodeName, journal: JournalId) -> bool {
        let address = self.address(ix);
        if journal == self.own.1 {
            self.tell_once(PrimaryReport::Itself { address });
            return false;
        }
        let Some(peer) = self.peers.get_mut(ix.0) else { return false };
        if let Some(old) = peer.journal.filter(|&old| old != journal) {
            self.journals.release(old, ix);
        }
        if let Err(other) = self.journals.claim(journal, ix) {
            peer.journal = Some(journal);
            let first = self.address(other);
            self.tell_once(PrimaryReport::SameJournal { journal, first, second: address });
            return false;
        }
        self.tell_namesake(ix, &node);
        let taken = self.journals.place(journal).taken;
        let Some(peer) = self.peers.get_mut(ix.0) else { return false };
        let is_news = peer.node.as_ref() != Some(&node);
        let is_steady = peer.adopt(node.clone(), journal);
        if is_news {
            self.outputs.push_back(PrimaryOutput::NotePeer(address.clone(), node.clone()));
        }
        self.report(PrimaryReport::Found { address, node, journal, taken });
        is_steady
    }

    fn lose(&mut self, now: Now, ix: PeerIx, why: &str) {
        let Some(peer) = self.peers.get_mut(ix.0) else { return };
        if matches!(peer.state, State::Up { asked: Some(_), .. }) {
            peer.ask_for_less();
        }
        let delay = peer.backoff.next_delay();
        let delay = if self.planted.is(Defect::PeerNeverTriedAgain) { Duration::MAX } else { delay };
        let (first_failure, address, node) =
            (peer.backoff.failures() == 1, peer.address.clone(), peer.node.clone());
        if self.unlink(ix) || first_failure {
            self.report(PrimaryReport::Lost { address, node, why: why.to_owned() });
        }
        if let Some(peer) = self.peers.get_mut(ix.0) {
            peer.state = State::Down { retry_at: now.mono + delay };
        }
        self.set_timer(ix);
        self.end_turn_of(ix);
        self.give_up_on(now, ix);
        self.resume(now.mono);
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
}

#[cfg(test)]
#[path = "primary_tests.rs"]
mod tests;
