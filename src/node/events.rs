//! What a node is told and what it wants: its configuration, its inputs, its outputs, and what it has to tell people.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use core::net::IpAddr;
use serde_json::Value as Json;

use super::{StationAnswer, TEXT_MAX_CHARS, head};
use crate::model::{
    Beacon, BootId, ClockLink, ClockMark, JournalId, Message, NodeName, Pack, Readings, RoleAnswer,
    RoleOrder, RoundRecord, Seq, ZreId,
};
use crate::proto::{
    Far, LabReport, LinkId, PollOrder, PrimaryReport, RingPart, RingReport, StandbyReport, StationAsker,
    StationOrder, StationReport,
};
use crate::wire::{Dialect, WireError};

/// What a node is at its start: what the store knows, and its role.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Its name.
    pub name: NodeName,
    /// Its own journal.
    pub journal: JournalId,
    /// This boot of its machine.
    pub boot: BootId,
    /// How far at most its wall clock is from the true time; `None` when nothing synchronises it.
    pub synced: Option<Duration>,
    /// The own journal's last durable place.
    pub last: Seq,
    /// How far each consumer has taken the own journal.
    pub consumers: BTreeMap<NodeName, Seq>,
    /// The role.
    pub role: Role,
}

/// What a node does besides sensing and answering.
#[derive(Clone, Debug, PartialEq)]
pub enum Role {
    /// Nothing: others collect from it.
    Secondary,
    /// Polls others and collects from them.
    Primary(PollConfig),
    /// Does as a primary does while those before it in the order of sinks are dead.
    Standby(StandbyPart),
    /// One of those among whom a token goes round.
    Ring(RingPart),
}

impl Role {
    /// The same, going on after `round` if that is later than the store knew.
    pub(super) fn after_round(self, round: u64) -> Self {
        match self {
            Role::Secondary => Role::Secondary,
            Role::Primary(poll) => {
                Role::Primary(PollConfig { last_round: poll.last_round.max(round), ..poll })
            }
            Role::Standby(part) => {
                let poll = PollConfig { last_round: part.poll.last_round.max(round), ..part.poll };
                Role::Standby(StandbyPart { poll, ..part })
            }
            Role::Ring(part) => Role::Ring(RingPart { last_round: part.last_round.max(round), ..part }),
        }
    }
}

/// How a primary polls.
#[derive(Clone, Debug, PartialEq)]
pub struct PollConfig {
    /// The peers' addresses, each with the node last seen there.
    pub peers: Vec<(String, Option<NodeName>)>,
    /// What the store holds of each journal.
    pub cursors: BTreeMap<JournalId, Seq>,
    /// From one round's start to the next.
    pub poll_interval: Duration,
    /// A round is over after this at the latest.
    pub deadline: Duration,
    /// In what order a round asks them.
    pub order: PollOrder,
    /// The last round's number.
    pub last_round: u64,
    /// For jitter.
    pub seed: u64,
}

/// A standby of a primary.
#[derive(Clone, Debug, PartialEq)]
pub struct StandbyPart {
    /// How it polls when it is its turn.
    pub poll: PollConfig,
    /// The addresses of those before it in the order of sinks, the primary first, each with the node last seen there.
    pub before: Vec<(String, Option<NodeName>)>,
    /// It collects when none of them did for so long.
    pub standby_after: Duration,
}

/// Who asks for something that the store has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A poll on this link.
    Link(LinkId),
    /// The ring, for its token.
    Ring,
    /// A peer of ZRE, who is answered by a WHISPER.
    Zre(ZreId),
    /// The station of Autopilot's network.
    Station,
    /// One of the lab's programs on this link, or their token: for what was measured last.
    Lab(Option<LinkId>),
}

impl Asker {
    /// The link that an answer is awaited on.
    pub fn link(self) -> Option<LinkId> {
        match self {
            Asker::Link(link) => Some(link),
            Asker::Lab(link) => link,
            Asker::Ring | Asker::Station | Asker::Zre(_) => None,
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A link stands: one that [`Output::Connect`] asked for, or (without `far`) one that somebody opened.
    LinkUp {
        /// Its number.
        link: LinkId,
        /// For whom it was opened.
        far: Option<Far>,
        /// The other end.
        remote: IpAddr,
    },
    /// A link that [`Output::Connect`] asked for cannot be made.
    LinkFailed {
        /// For whom.
        far: Far,
        /// Why.
        why: String,
    },
    /// A link is gone.
    LinkDown {
        /// Its number.
        link: LinkId,
        /// Why.
        why: String,
    },
    /// A message came.
    Message {
        /// On this link.
        link: LinkId,
        /// The message.
        message: Message,
    },
    /// Bytes came that are no message.
    Offence {
        /// On this link.
        link: LinkId,
        /// What is wrong with them.
        error: WireError,
    },
    /// A beacon of ZRE came.
    Beacon {
        /// From this address.
        from: IpAddr,
        /// What it says.
        beacon: Beacon,
    },
    /// The own journal is durable through this place.
    Appended(Seq),
    /// What an [`Output::Read`] gave; or the store's words.
    Piece {
        /// Who asked.
        asker: Asker,
        /// The piece.
        piece: Result<Readings, String>,
    },
    /// What an [`Output::ReadLatest`] gave; or the store's words.
    Latest {
        /// Who asked.
        asker: Asker,
        /// The message's id.
        id: String,
        /// The newest reading of each channel, as JSON.
        latest: Result<Json, String>,
    },
    /// How far at most this machine's wall clock is from the true time; `None` when nothing synchronises it.
    ClockSynced(Option<Duration>),
    /// An [`Output::Take`] is durable.
    Taken {
        /// Whose journal.
        journal: JournalId,
        /// Through this place.
        cursor: Seq,
    },
    /// An [`Output::Take`] could not be stored.
    Refused {
        /// Whose journal.
        journal: JournalId,
    },
    /// From now on the node has this role, made of what the store held when it was last asked. Nothing is answered.
    Become(Box<Role>),
    /// What came of an [`Output::StationOrder`].
    StationAnswered {
        /// Who asked.
        asker: StationAsker,
        /// What came of it, or why nothing did.
        answer: Result<StationAnswer, String>,
    },
    /// What came of an [`Output::ChangeRole`]: the role that the node has now, or why it could not change.
    OrderAnswered {
        /// The link on which it was asked.
        link: LinkId,
        /// The message's id.
        id: String,
        /// What came of it.
        answer: Result<RoleAnswer, String>,
    },
}

/// What the driver has to carry out.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Open a link to `address`; answer with [`Input::LinkUp`] or [`Input::LinkFailed`].
    Connect {
        /// For whom.
        far: Far,
        /// `host:port`.
        address: String,
        /// The framing to speak there.
        dialect: Dialect,
    },
    /// Drop this peer's link, or the attempt at one; nothing is answered.
    Disconnect(Far),
    /// Send what is queued, then close this link; nothing is answered.
    Close(LinkId, String),
    /// Send this.
    Send(LinkId, Message),
    /// Add what the driver knows (store, chips, links) to this status, and send it.
    SendStatus(LinkId, Message),
    /// Read from the own journal; answer with [`Input::Piece`].
    Read {
        /// Who asks.
        asker: Asker,
        /// Send what comes after this.
        after: Seq,
        /// At most so many.
        max: u32,
    },
    /// Read the newest reading of each channel; answer with [`Input::Latest`].
    ReadLatest {
        /// Who asks.
        asker: Asker,
        /// The message's id.
        id: String,
    },
    /// Make another node's readings durable; answer with [`Input::Taken`] or [`Input::Refused`].
    Take(Readings),
    /// Append to the own journal; answered by [`Input::Appended`].
    Append(Pack),
    /// Record a round.
    AddRound(RoundRecord),
    /// Record how far a consumer is.
    NoteConsumer(NodeName, Seq),
    /// Record what this machine's wall clock shows.
    NoteMark(ClockMark),
    /// Record where the clock of another node met this machine's.
    NoteLink {
        /// Whose clock.
        node: NodeName,
        /// Its journal.
        journal: JournalId,
        /// Where they met.
        link: ClockLink,
    },
    /// Record who is at an address.
    NotePeer(String, NodeName),
    /// Somebody asks for the node's role, or for another: make it of settings and store, and give [`Input::Become`] if
    /// it is another; then answer with [`Input::OrderAnswered`].
    ChangeRole {
        /// Who asks.
        link: LinkId,
        /// The message's id.
        id: String,
        /// What is wanted.
        order: RoleOrder,
    },
    /// Send a beacon of ZRE to everybody on the network.
    Beacon(Beacon),
    /// A station wants something of this node; answer with [`Input::StationAnswered`].
    StationOrder(StationAsker, StationOrder),
    /// Tell people.
    Report(Report),
}

/// Something for the log.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// From the polling.
    Primary(PrimaryReport),
    /// From the standing by.
    Standby(StandbyReport),
    /// From the ring.
    Ring(RingReport),
    /// From the lab's programs.
    Lab(LabReport),
    /// A peer of ZRE is there, or is gone.
    Zre {
        /// Its name and id.
        peer: String,
        /// What it does.
        what: String,
    },
    /// From Autopilot's network.
    Station(StationReport),
    /// A token brought readings that are not what stands on them: they are asked for again.
    Piece {
        /// Whose readings.
        journal: JournalId,
        /// What is wrong.
        why: String,
    },
    /// A script's first messages on its link.
    Foreign {
        /// Who.
        from: NodeName,
        /// What.
        message: Json,
        /// How many readings it gave.
        readings: usize,
    },
    /// A peer sent what is no message.
    Offence {
        /// Who.
        from: NodeName,
        /// What is wrong.
        error: WireError,
        /// Whether its link is closed for it.
        closed: bool,
    },
    /// A peer says that something is wrong.
    Complaint {
        /// Who.
        from: NodeName,
        /// Its words.
        text: String,
    },
}

impl Report {
    /// Whether somebody has to do something.
    pub fn is_warning(&self) -> bool {
        match self {
            Report::Primary(report) => report.is_warning(),
            Report::Standby(report) => report.is_warning(),
            Report::Ring(report) => report.is_warning(),
            Report::Lab(report) => report.is_warning(),
            Report::Station(report) => report.is_warning(),
            Report::Foreign { .. } | Report::Zre { .. } => false,
            Report::Piece { .. } | Report::Offence { .. } | Report::Complaint { .. } => true,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Report::Primary(report) => report.fmt(f),
            Report::Standby(report) => report.fmt(f),
            Report::Ring(report) => report.fmt(f),
            Report::Lab(report) => report.fmt(f),
            Report::Zre { peer, what } => write!(f, "{peer} {what}"),
            Report::Station(report) => report.fmt(f),
            Report::Piece { journal, why } => {
                write!(f, "the token brought readings of journal {journal} that are refused: {why}")
            }
            Report::Foreign { from, message, readings } => {
                write!(f, "{from}: {} ({readings} readings)", head(&message.to_string(), TEXT_MAX_CHARS))
            }
            Report::Offence { from, error, closed } => {
                let end = if *closed { "; its link is closed" } else { "" };
                write!(f, "{from}: {}{end}", head(&error.to_string(), TEXT_MAX_CHARS))
            }
            Report::Complaint { from, text } => {
                write!(f, "{from} complains: {}", head(text, TEXT_MAX_CHARS))
            }
        }
    }
}
