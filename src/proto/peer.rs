//! One peer that a primary polls: its link, its journal, and how far that has been asked for and taken.

use std::time::Duration;

use super::{Backoff, LinkId};
use crate::model::{Instant, JournalId, NodeName, Seq};

/// How long a connection may take to come about.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Readings of one peer that are asked for or received and not yet durable. Bounds what a slow disk makes wait.
const UNCOMMITTED_MAX: u64 = 4 * super::POLL_MAX_READINGS as u64;

/// How many times in a round a peer may show another journal: a peer that changes it all the time is not followed.
const ADOPTIONS_PER_ROUND_MAX: u8 = 2;

/// Where a peer's link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No link; the next try is at this time.
    Down { retry_at: Instant },
    /// A connection is under way, for this long at most.
    Connecting { until: Instant },
    /// The link stands.
    Up { link: LinkId, asked: Option<Asked> },
}

/// A poll that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// The poll's id.
    pub(super) id: u64,
    /// A link that is silent until then is dead.
    pub(super) silent_at: Instant,
}

/// One polled peer.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) address: String,
    pub(super) node: Option<NodeName>,
    pub(super) journal: Option<JournalId>,
    /// The end of what has come; never behind `taken`.
    pub(super) received: Seq,
    /// The end of what is durable here.
    pub(super) taken: Seq,
    /// The peer's own last place, as it said.
    pub(super) last: Seq,
    pub(super) state: State,
    pub(super) backoff: Backoff,
    /// The last round in which it answered.
    pub(super) answered_round: u64,
    /// The open round waits for it.
    pub(super) expected: bool,
    /// It speaks, but not our language: it cannot be silent in it.
    pub(super) foreign: bool,
    adoptions: u8,
    /// When this peer wants to be looked at again, as the primary's timer set knows it.
    pub(super) timer: Option<Instant>,
}

impl Peer {
    pub(super) fn new(address: String, node: Option<NodeName>, now: Instant, seed: u64) -> Self {
        Self {
            address,
            node,
            journal: None,
            received: Seq::ZERO,
            taken: Seq::ZERO,
            last: Seq::ZERO,
            state: State::Down { retry_at: now },
            backoff: Backoff::new(seed),
            answered_round: 0,
            expected: false,
            foreign: false,
            adoptions: 0,
            timer: None,
        }
    }

    /// The name that a round records: the node's own, or one made of its address until it is known.
    pub(super) fn name(&self) -> Option<NodeName> {
        let from_address = || {
            let text: String = self
                .address
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' })
                .collect();
            NodeName::new(text.trim_start_matches(['_', '.'])).ok()
        };
        self.node.clone().or_else(from_address)
    }

    pub(super) fn link(&self) -> Option<LinkId> {
        match self.state {
            State::Up { link, .. } => Some(link),
            _ => None,
        }
    }

    /// Whether there is more at the peer, and room for it here.
    pub(super) fn wants_more(&self) -> bool {
        self.last > self.received && self.received.0 - self.taken.0.min(self.received.0) < UNCOMMITTED_MAX
    }

    /// Takes `journal` for the peer's own from now on, durable here through `taken`. False when it changes too often.
    pub(super) fn adopt(&mut self, node: NodeName, journal: JournalId, taken: Seq) -> bool {
        self.adoptions += 1;
        self.node = Some(node);
        self.journal = Some(journal);
        (self.received, self.taken) = (taken, taken);
        self.adoptions <= ADOPTIONS_PER_ROUND_MAX
    }

    /// What has come but is not durable is to be asked for again.
    pub(super) fn rewind(&mut self) {
        self.received = self.taken;
        if let State::Up { asked, .. } = &mut self.state {
            *asked = None;
        }
    }

    pub(super) fn begin_round(&mut self) {
        self.adoptions = 0;
        self.expected = match self.state {
            State::Up { .. } => true,
            State::Connecting { .. } => self.backoff.failures() == 0,
            State::Down { .. } => false,
        };
    }

    /// When the state asks for attention by itself, and why.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Down { retry_at } => Some(retry_at),
            State::Connecting { until } => Some(until),
            State::Up { asked: Some(asked), .. } if !self.foreign => Some(asked.silent_at),
            State::Up { .. } => None,
        }
    }
}
