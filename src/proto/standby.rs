//! Standing by for a dead sink: watches those before this node in the order of sinks, and says whether it is this
//! node's turn to collect. Who collects then is the polling primary beside it; this machine only asks and counts time.
//!
//! It asks each of those before it how it stands (PING, and PONG with its place), five times in `standby_after`. Its
//! turn comes when none of them has known of a sink for `standby_after`, and one `standby_after` more for each standby
//! before it that lives and waits as well. It is over when one of them has known of a sink, without a break, for
//! `standby_after`. So whoever comes and goes faster than that moves nothing.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::contract::Machine;
use super::{LinkId, PeerIx};
use crate::model::{Body, Instant, NodeName, Now, SinkPart, SinkPlace};

mod before;
mod report;

use before::{Before, State};
pub use report::StandbyReport;

/// Questions in one `standby_after`.
const QUESTIONS: u32 = 5;
/// A link on which an answer, or a connection, is missing for so many questions is dead: there is time left to ask
/// over another one.
const SILENT_QUESTIONS: u32 = 2;
/// No shorter `standby_after` makes sense: an SD card may keep a sink's machine busy for longer.
const STANDBY_AFTER_LEAST: Duration = Duration::from_millis(500);

/// What a standby is told at its start.
#[derive(Clone, Debug)]
pub struct StandbyConfig {
    /// Its own name, so that it does not take itself for another.
    pub own: NodeName,
    /// The addresses of those before it in the order of sinks, the primary first, each with the node last seen there.
    /// How many they are is its rank.
    pub before: Vec<(String, Option<NodeName>)>,
    /// It collects when nobody did for so long.
    pub standby_after: Duration,
    /// For the jitter.
    pub seed: u64,
}

/// What a driver has to carry out.
#[derive(Clone, Debug, PartialEq)]
pub enum StandbyOutput {
    /// Open a link to this one of those before it; answer with [`Standby::link_up`] or [`Standby::link_failed`].
    Connect(PeerIx),
    /// Drop this link, or without one the attempt at it; nothing is answered.
    Disconnect(PeerIx, Option<LinkId>),
    /// Send this on this link, with this id.
    Send(LinkId, u64, Body),
    /// This node is at this address.
    NotePeer(String, NodeName),
    /// Tell people.
    Report(StandbyReport),
}

/// The machine. See the [module](super) for its contract.
#[derive(Debug)]
pub struct Standby {
    own: NodeName,
    rank: u8,
    standby_after: Duration,
    before: Vec<Before>,
    links: BTreeMap<LinkId, PeerIx>,
    acts: bool,
    /// When one who collects was last heard of; at the start, when this one began to listen.
    heard_at: Instant,
    next_id: u64,
    outputs: VecDeque<StandbyOutput>,
}

impl Standby {
    /// Begins to listen at `now`.
    pub fn new(config: StandbyConfig, now: Instant) -> Self {
        let standby_after = config.standby_after.max(STANDBY_AFTER_LEAST);
        let interval = standby_after / QUESTIONS;
        let one = |(at, (address, node))| {
            Before::new(address, node, now, (config.seed.wrapping_add(at as u64), interval))
        };
        let before: Vec<Before> = config.before.into_iter().enumerate().map(one).collect();
        Self {
            own: config.own,
            rank: u8::try_from(before.len()).unwrap_or(u8::MAX),
            standby_after,
            before,
            links: BTreeMap::new(),
            acts: false,
            heard_at: now,
            next_id: 1,
            outputs: VecDeque::new(),
        }
    }

    /// Whether it is this node's turn to collect.
    pub fn acts(&self) -> bool {
        self.acts
    }

    /// What it answers to those who ask how it stands.
    pub fn place(&self) -> SinkPlace {
        let knows = |before: &Before| before.part().is_some_and(SinkPart::knows_of_sink);
        let part = match self.acts {
            true => SinkPart::Acts,
            false if self.before.iter().any(knows) => SinkPart::Hears,
            false => SinkPart::Waits,
        };
        SinkPlace { rank: self.rank, part }
    }

    /// The address of one before it.
    pub fn address(&self, ix: PeerIx) -> String {
        self.before.get(ix.0).map(|before| before.address.clone()).unwrap_or_default()
    }

    /// A link stands.
    pub fn link_up(&mut self, now: Instant, ix: PeerIx, link: LinkId) {
        self.unlink(ix);
        let Some(before) = self.before.get_mut(ix.0) else { return };
        before.state = State::Up { link, asked: None, ask_at: now };
        self.links.insert(link, ix);
        self.ask(now, ix);
    }

    /// A link could not be made.
    pub fn link_failed(&mut self, now: Instant, ix: PeerIx, why: &str) {
        if self.before.get(ix.0).is_some_and(|before| matches!(before.state, State::Connecting { .. })) {
            self.lose(now, ix, why);
        }
    }

    /// A link is gone; whether it was one of this machine's.
    pub fn link_down(&mut self, now: Instant, link: LinkId, why: &str) -> bool {
        let Some(ix) = self.links.get(&link).copied() else { return false };
        self.lose(now, ix, why);
        true
    }

    /// An answer came: from this node, which has this place in the order of sinks.
    pub fn pong(
        &mut self,
        now: Instant,
        link: LinkId,
        id: &str,
        node: Option<NodeName>,
        place: Option<SinkPlace>,
    ) {
        let Some(ix) = self.links.get(&link).copied() else { return };
        let judged = self.judge(ix, node.as_ref(), place);
        let Some(before) = self.before.get_mut(ix.0) else { return };
        if !before.answered(id) {
            return;
        }
        let (part, finding) = match judged {
            Ok(part) => (Some(part), None),
            Err(finding) => (None, Some(finding)),
        };
        let is_news = before.hear(now, part);
        if let Some(node) = node.filter(|node| before.node.as_ref() != Some(node)) {
            before.node = Some(node.clone());
            self.outputs.push_back(StandbyOutput::NotePeer(before.address.clone(), node));
        }
        let steady_since = before.steady_since;
        if steady_since.is_some() {
            self.heard_at = now;
        }
        self.tell_heard(ix, part.filter(|_| is_news), finding);
        if self.acts && steady_since.is_some_and(|since| since + self.standby_after <= now) {
            self.acts = false;
            self.report(StandbyReport::GivesWay { to: self.whom(ix) });
        }
    }

    /// Drops every link and every attempt at one: it watches nobody any more, and is not to be driven any further.
    pub fn leave(&mut self) {
        for (at, before) in self.before.iter().enumerate() {
            let link = match before.state {
                State::Down { .. } => continue,
                State::Connecting { .. } => None,
                State::Up { link, .. } => Some(link),
            };
            self.outputs.push_back(StandbyOutput::Disconnect(PeerIx(at), link));
        }
    }

    /// When to call [`Standby::handle_timeout`] at the latest, and why.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let link = self.before.iter().map(|before| (before.deadline(), "one before this standby")).min();
        let turn = (!self.acts).then(|| (self.heard_at + self.wait(), "the turn of this standby"));
        link.into_iter().chain(turn).min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        for at in 0..self.before.len() {
            if self.before.get(at).is_some_and(|before| before.deadline() <= now) {
                self.link_timeout(now, PeerIx(at));
            }
        }
        if !self.acts && self.heard_at + self.wait() <= now {
            self.acts = true;
            self.report(StandbyReport::Acts { rank: self.rank, quiet: now.saturating_since(self.heard_at) });
        }
    }

    /// The next thing to carry out.
    pub fn poll_output(&mut self) -> Option<StandbyOutput> {
        self.outputs.pop_front()
    }

    /// How long nobody must have collected. Standbys before this one that wait as well have their turn first: but one
    /// that never gets so far does not keep the others waiting for ever.
    fn wait(&self) -> Duration {
        let waiting = self.before.iter().filter(|before| before.part() == Some(SinkPart::Waits)).count();
        self.standby_after.saturating_mul(1 + u32::try_from(waiting).unwrap_or(u32::MAX - 1))
    }

    fn interval(&self) -> Duration {
        self.standby_after / QUESTIONS
    }

    fn silence(&self) -> Duration {
        self.interval() * SILENT_QUESTIONS
    }

    /// Whether what one before this says is to be believed. Two that each take the other for one before itself would
    /// stand by for each other for ever.
    fn judge(
        &self,
        ix: PeerIx,
        node: Option<&NodeName>,
        place: Option<SinkPlace>,
    ) -> Result<SinkPart, StandbyReport> {
        let address = self.address(ix);
        match place {
            _ if node == Some(&self.own) => Err(StandbyReport::Itself { address }),
            None => Err(StandbyReport::NoSink { whom: self.whom_of(address, node) }),
            Some(place) if place.rank >= self.rank => Err(StandbyReport::Order {
                whom: self.whom_of(address, node),
                theirs: place.rank,
                ours: self.rank,
            }),
            Some(place) => Ok(place.part),
        }
    }

    fn link_timeout(&mut self, now: Instant, ix: PeerIx) {
        let until = now + self.silence();
        let Some(before) = self.before.get_mut(ix.0) else { return };
        match before.state {
            State::Down { .. } => {
                before.state = State::Connecting { until };
                self.outputs.push_back(StandbyOutput::Connect(ix));
            }
            State::Connecting { .. } => {
                self.outputs.push_back(StandbyOutput::Disconnect(ix, None));
                self.lose(now, ix, "no answer to the connection");
            }
            State::Up { link, asked: Some(_), .. } => {
                self.outputs.push_back(StandbyOutput::Disconnect(ix, Some(link)));
                self.lose(now, ix, "silent: it is not told how it stands");
            }
            State::Up { asked: None, .. } => self.ask(now, ix),
        }
    }

    fn ask(&mut self, now: Instant, ix: PeerIx) {
        let (id, ask_at, silent_at) = (self.next_id, now + self.interval(), now + self.silence());
        let Some(before) = self.before.get_mut(ix.0) else { return };
        let State::Up { link, .. } = before.state else { return };
        self.next_id += 1;
        before.state = State::Up { link, asked: Some((id, silent_at)), ask_at };
        self.outputs.push_back(StandbyOutput::Send(link, id, Body::Ping));
    }

    fn lose(&mut self, now: Instant, ix: PeerIx, why: &str) {
        let had_link = self.unlink(ix);
        let Some(before) = self.before.get_mut(ix.0) else { return };
        let is_first = before.lose(now);
        if had_link || is_first {
            self.report(StandbyReport::Lost { whom: self.whom(ix), why: why.to_owned() });
        }
    }

    /// Forgets the link to one before this; whether there was one.
    fn unlink(&mut self, ix: PeerIx) -> bool {
        let link = self.before.get(ix.0).and_then(Before::link);
        link.is_some_and(|link| self.links.remove(&link).is_some())
    }
}

impl Machine for Standby {
    type Output = StandbyOutput;
    fn handle_timeout(&mut self, now: Now) {
        Standby::handle_timeout(self, now.mono);
    }
    fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        Standby::poll_timeout(self)
    }
    fn poll_output(&mut self) -> Option<StandbyOutput> {
        Standby::poll_output(self)
    }
    fn outputs_max(&self) -> usize {
        4 * self.before.len() + 4
    }
}

#[cfg(test)]
#[path = "standby_tests.rs"]
mod tests;
