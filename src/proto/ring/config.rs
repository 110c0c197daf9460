//! What a ring machine is told at its start, and what it wants carried out.

use std::collections::BTreeMap;
use std::time::Duration;

use super::RingReport;
use crate::model::{Body, ClockLink, JournalId, NodeName, Piece, RoundRecord, Seq};
use crate::proto::{LinkId, PeerIx};

/// What a ring machine is told at its start.
#[derive(Clone, Debug)]
pub struct RingConfig {
    /// The node's name.
    pub node: NodeName,
    /// Its journal.
    pub journal: JournalId,
    /// The own journal's last durable place.
    pub last: Seq,
    /// Its part in the ring.
    pub part: RingPart,
}

/// A node's part in a token ring.
#[derive(Clone, Debug, PartialEq)]
pub struct RingPart {
    /// The addresses of all nodes, this one among them, each with the node last seen there: the same list in the same
    /// order on every node.
    pub peers: Vec<(String, Option<NodeName>)>,
    /// What the store holds of each journal.
    pub cursors: BTreeMap<JournalId, Seq>,
    /// Place among those that collect: 0 is the sink, then come the standbys; `None` never collects.
    pub sink_rank: Option<u8>,
    /// Makes the token at once instead of waiting for one.
    pub makes_token: bool,
    /// From one rotation with little to carry to the next.
    pub token_hold: Duration,
    /// Least time between two rounds.
    pub round_interval: Duration,
    /// A standby takes the sink's place when there was none for so long.
    pub standby_after: Duration,
    /// The last round's number.
    pub last_round: u64,
    /// For the name of this life and for jitter. Two lives must not have one seed.
    pub seed: u64,
}

/// What a driver has to carry out.
#[derive(Clone, Debug, PartialEq)]
pub enum RingOutput {
    /// Open a link to this listed address; answer with [`Ring::link_up`](super::Ring::link_up) or
    /// [`Ring::link_failed`](super::Ring::link_failed).
    Connect(PeerIx),
    /// Drop this address's link, or without one the attempt at it; nothing is answered.
    Disconnect(PeerIx, Option<LinkId>),
    /// Send this on this link, with this id. The link may be one that somebody else opened, and may be gone.
    Send(LinkId, u64, Body),
    /// Read at most `max` readings after `after` from the own journal, and give them, sealed, to
    /// [`Ring::piece`](super::Ring::piece).
    Read {
        /// The cursor.
        after: Seq,
        /// Most readings.
        max: u32,
    },
    /// Open this piece and make its readings durable; answer with [`Ring::taken`](super::Ring::taken) or
    /// [`Ring::refused`](super::Ring::refused), also when it is not what stands on it.
    Take(Piece),
    /// A sink has this much of the own journal on stable storage.
    NoteConsumer(NodeName, Seq),
    /// Record a round.
    AddRound(RoundRecord),
    /// Keep where the clock of this member met this machine's.
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
    Report(RingReport),
}
