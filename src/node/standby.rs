//! A standby of a primary, as one node has it: the watch over those before it, and the polling while it is its turn.
//! A turn begins with what the store has by then, and leaves no link behind.

use std::collections::VecDeque;

use serde_json::Value as Json;

use super::duty::{DutyOutput, primary};
use super::events::{PollConfig, StandbyPart};
use crate::model::{Instant, JournalId, NodeName, Now, Seq, SinkPlace};
use crate::proto::{LinkId, PeerIx, Primary, PrimaryOutput, Standby, StandbyConfig, StandbyOutput};

/// The two machines. In the numbers of peers, the polled ones come first, and those that are watched after them.
#[derive(Debug)]
pub(super) struct StandbySink {
    own: (NodeName, JournalId),
    watch: Standby,
    /// The polling, while it is this node's turn.
    primary: Option<Primary>,
    /// How the next turn begins.
    poll: PollConfig,
    /// What the last turn has left to be carried out.
    left: VecDeque<PrimaryOutput>,
}

impl StandbySink {
    /// Begins to watch at `now`.
    pub(super) fn new(own: (NodeName, JournalId), part: StandbyPart, now: Instant) -> Self {
        let StandbyPart { poll, before, standby_after } = part;
        let watch = StandbyConfig { own: own.0.clone(), before, standby_after, seed: poll.seed };
        Self { own, watch: Standby::new(watch, now), primary: None, poll, left: VecDeque::new() }
    }

    /// The polling, while it is this node's turn.
    pub(super) fn polling(&mut self) -> Option<&mut Primary> {
        self.primary.as_mut()
    }

    pub(super) fn place(&self) -> SinkPlace {
        self.watch.place()
    }

    /// The peer among the watched, if it is one of them.
    fn watched(&self, peer: PeerIx) -> Option<PeerIx> {
        peer.0.checked_sub(self.poll.peers.len()).map(PeerIx)
    }

    pub(super) fn address(&self, peer: PeerIx) -> String {
        match self.watched(peer) {
            Some(ix) => self.watch.address(ix),
            None => self.poll.peers.get(peer.0).map(|(address, _)| address.clone()).unwrap_or_default(),
        }
    }

    pub(super) fn link_up(&mut self, now: Now, peer: PeerIx, link: LinkId) {
        match self.watched(peer) {
            Some(ix) => self.watch.link_up(now.mono, ix, link),
            None => self.poll_if_acting(|primary| primary.link_up(now, peer, link)),
        }
    }

    pub(super) fn link_failed(&mut self, now: Now, peer: PeerIx, why: &str) {
        match self.watched(peer) {
            Some(ix) => self.watch.link_failed(now.mono, ix, why),
            None => self.poll_if_acting(|primary| primary.link_failed(now, peer, why)),
        }
    }

    pub(super) fn link_down(&mut self, now: Now, link: LinkId, why: &str) -> bool {
        self.watch.link_down(now.mono, link, why)
            || self.primary.as_mut().is_some_and(|primary| primary.link_down(now, link, why))
    }

    pub(super) fn pong(
        &mut self,
        now: Now,
        link: LinkId,
        id: &str,
        (node, place): (Option<NodeName>, Option<SinkPlace>),
    ) {
        self.watch.pong(now.mono, link, id, node, place);
        self.take_turns(now);
    }

    /// What is durable is where the next turn begins, whichever turn it was asked for in.
    pub(super) fn taken(&mut self, now: Now, journal: JournalId, cursor: Seq) {
        let known = self.poll.cursors.entry(journal).or_default();
        *known = cursor.max(*known);
        self.poll_if_acting(|primary| primary.taken(now, journal, cursor));
    }

    pub(super) fn refused(&mut self, journal: JournalId) {
        self.poll_if_acting(|primary| primary.refused(journal));
    }

    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let polling = self.primary.as_ref().and_then(Primary::poll_timeout);
        polling.into_iter().chain(self.watch.poll_timeout()).min()
    }

    pub(super) fn handle_timeout(&mut self, now: Now) {
        self.watch.handle_timeout(now.mono);
        self.take_turns(now);
        self.poll_if_acting(|primary| primary.handle_timeout(now));
    }

    pub(super) fn poll_output(&mut self) -> Option<DutyOutput> {
        if let Some(output) = self.watch.poll_output() {
            return Some(DutyOutput::Standby(self.numbered(output)));
        }
        let output = self.left.pop_front().or_else(|| self.primary.as_mut()?.poll_output())?;
        self.remember(&output);
        Some(DutyOutput::Primary(output))
    }

    /// How it stands, each part under its key.
    pub(super) fn status(&self, now: Now) -> Vec<(&'static str, Json)> {
        let polling = self.primary.as_ref().map(|primary| ("polling", primary.status(now)));
        polling.into_iter().chain([("standby", self.watch.status())]).collect()
    }

    /// Most outputs of one input: both machines' own, and a turn that ends or begins.
    pub(super) fn outputs_max(&self) -> usize {
        use crate::proto::contract::{Machine, polling_outputs_max};
        self.watch.outputs_max() + 2 * polling_outputs_max(self.poll.peers.len())
    }

    fn poll_if_acting(&mut self, act: impl FnOnce(&mut Primary)) {
        if let Some(primary) = &mut self.primary {
            act(primary);
        }
    }

    /// Begins to poll when the turn has come, and ends it when it is over.
    fn take_turns(&mut self, now: Now) {
        match (self.watch.acts(), &mut self.primary) {
            (true, None) => {
                self.poll.seed = self.poll.seed.wrapping_add(self.poll.peers.len() as u64);
                self.primary = Some(primary(self.own.clone(), self.poll.clone(), now.mono));
                self.poll_if_acting(|primary| primary.handle_timeout(now));
            }
            (false, Some(primary)) => {
                end_turn(primary, &mut self.left);
                self.primary = None;
            }
            _ => {}
        }
    }

    /// The last round that it began.
    pub(super) fn round(&self) -> u64 {
        self.primary.as_ref().map_or(self.poll.last_round, Primary::round)
    }

    /// Lets all links go: it stands by no more.
    pub(super) fn leave(&mut self) {
        self.watch.leave();
        if let Some(mut primary) = self.primary.take() {
            end_turn(&mut primary, &mut self.left);
        }
    }

    /// What the next turn has to know of this one.
    fn remember(&mut self, output: &PrimaryOutput) {
        match output {
            PrimaryOutput::AddRound(round) => self.poll.last_round = round.number,
            PrimaryOutput::NotePeer(address, node) => {
                let known = self.poll.peers.iter_mut().filter(|(known, _)| known == address);
                known.for_each(|(_, known)| *known = Some(node.clone()));
            }
            _ => {}
        }
    }

    /// With the watched one's number among all peers.
    fn numbered(&self, output: StandbyOutput) -> StandbyOutput {
        let number = |ix: PeerIx| PeerIx(self.poll.peers.len() + ix.0);
        match output {
            StandbyOutput::Connect(ix) => StandbyOutput::Connect(number(ix)),
            StandbyOutput::Disconnect(ix, link) => StandbyOutput::Disconnect(number(ix), link),
            other => other,
        }
    }
}

/// The polling ends; what it still wants is `left`.
fn end_turn(primary: &mut Primary, left: &mut VecDeque<PrimaryOutput>) {
    primary.leave();
    while let Some(output) = primary.poll_output() {
        left.push_back(output);
    }
}
