//! One peer that a primary polls: its link, the node there, and how it answers.

use std::time::Duration;

use super::clock::PeerClock;
use super::{Backoff, LinkId, POLL_MAX_READINGS};
use crate::model::{Instant, JournalId, NodeName, Seq};

/// How long a connection may take to come about.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How many times in a round a peer may show another journal or name: one that changes all the time is not followed.
const ADOPTIONS_PER_ROUND_MAX: u8 = 2;

/// The smallest piece that is asked for over a slow link: some two kilobytes.
const PIECE_MIN_READINGS: u32 = 20;

/// Longest name that is made of an address, in characters: what a node's name may have.
const ADDRESS_NAME_MAX_CHARS: usize = 63;

/// A name for a node of which nothing is known but its address.
pub(super) fn name_of_address(address: &str) -> Option<NodeName> {
    let legal = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' };
    let text: String = address.chars().map(legal).collect();
    let begins_well = text.trim_start_matches(['_', '.']);
    NodeName::new(begins_well.get(..ADDRESS_NAME_MAX_CHARS).unwrap_or(begins_well)).ok()
}

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
    /// The cursor that it named.
    pub(super) after: Seq,
    /// Most readings that may come.
    pub(super) max: u32,
    /// When it was handed out: the first of the four times of an exchange.
    pub(super) sent_at: Instant,
    /// A link that is silent until then is dead.
    pub(super) silent_at: Instant,
}

/// One polled peer.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) address: String,
    pub(super) node: Option<NodeName>,
    /// The journal that it showed last; whether it comes from this peer still is for the primary's journals to say.
    pub(super) journal: Option<JournalId>,
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
    /// Why it did not serve the last poll, as told.
    pub(super) refusal: Option<String>,
    /// Most readings that are asked for at once; fewer on a link too slow for more.
    pub(super) piece_max: u32,
    /// It stands in the queue of those that have more to give.
    pub(super) waits_its_turn: bool,
    /// How its clocks stand to this node's.
    pub(super) clock: PeerClock,
    adoptions: u8,
    /// When this peer wants to be looked at again, as the primary's timer set knows it.
    pub(super) timer: Option<Instant>,
}

impl Peer {
    pub(super) fn new(address: String, node: Option<NodeName>, now: Instant, backoff: Backoff) -> Self {
        Self {
            address,
            node,
            journal: None,
            last: Seq::ZERO,
            state: State::Down { retry_at: now },
            backoff,
            answered_round: 0,
            expected: false,
            foreign: false,
            refusal: None,
            piece_max: POLL_MAX_READINGS,
            waits_its_turn: false,
            clock: PeerClock::default(),
            adoptions: 0,
            timer: None,
        }
    }

    /// The name that a round records: the node's own, or one made of its address until it is known.
    pub(super) fn name(&self) -> Option<NodeName> {
        self.node.clone().or_else(|| name_of_address(&self.address))
    }

    pub(super) fn link(&self) -> Option<LinkId> {
        match self.state {
            State::Up { link, .. } => Some(link),
            _ => None,
        }
    }

    /// Whether it answered `round`. A script that is there answers every one: it is not asked anything it could answer.
    pub(super) fn has_answered(&self, round: u64) -> bool {
        self.answered_round == round || (self.foreign && self.link().is_some())
    }

    /// Takes `node` and `journal` for the peer's from now on. False when they change too often.
    pub(super) fn adopt(&mut self, node: NodeName, journal: JournalId) -> bool {
        let (node, journal) = (Some(node), Some(journal));
        if self.journal.is_some() && (&self.node, self.journal) != (&node, journal) {
            self.adoptions = self.adoptions.saturating_add(1);
        }
        (self.node, self.journal) = (node, journal);
        self.adoptions <= ADOPTIONS_PER_ROUND_MAX
    }

    /// What was asked is of no interest any more; should an answer come, it is nobody's.
    pub(super) fn forget_asked(&mut self) {
        if let State::Up { asked, .. } = &mut self.state {
            *asked = None;
        }
    }

    /// The link was too slow for a piece of this size, or broke under it: smaller ones, or it never brings any.
    pub(super) fn ask_for_less(&mut self) {
        self.piece_max = (self.piece_max / 4).max(PIECE_MIN_READINGS);
    }

    /// The link brought a whole piece with time to spare.
    pub(super) fn ask_for_larger_pieces(&mut self) {
        self.piece_max = self.piece_max.saturating_mul(2).min(POLL_MAX_READINGS);
    }

    pub(super) fn begin_round(&mut self, now: Instant) {
        self.adoptions = 0;
        self.expected = match self.state {
            State::Up { .. } => !self.foreign,
            // The very first attempt, begun this moment: it may well come about before the deadline.
            State::Connecting { until } => self.backoff.failures() == 0 && until >= now + CONNECT_TIMEOUT,
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
