//! Messages: one envelope on a link, with a typed body for the keys that a node understands.

use serde_json::Value as Json;

use super::{
    BootId, Claim, ClaimAnswer, ClockMark, ClockSample, JournalId, LabText, NodeName, Pack, RingState,
    RoleAnswer, RoleName, RoleOrder, Routed, Seq, SinkPlace, Token, TokenAck, WallTime, ZreMessage,
};

/// One envelope on a link.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The sender's number for it; a reply names it. Empty when the peer gave none.
    pub id: String,
    /// For whom it is meant; `None`: whoever is at the other end.
    pub to: Option<NodeName>,
    /// Who sent it.
    pub sender: Option<NodeName>,
    /// When the sender says that it was sent.
    pub timestamp: Option<WallTime>,
    /// What it says.
    pub body: Body,
}

/// What a message says: its `key` and `value`, typed.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// `POLL`: give me what comes after this cursor.
    Poll(PollRequest),
    /// `READINGS`: a piece of a journal.
    Readings(Readings),
    /// `STATUS` without a value: say how you are.
    StatusRequest,
    /// `STATUS` with a value: how a node is.
    Status(Json),
    /// `LATEST` without a value: say the newest reading of each channel.
    LatestRequest,
    /// `LATEST` with a value: those.
    Latest(Json),
    /// `PING`: are you there?
    Ping,
    /// `PONG`: yes, and so I am. The id is the ping's.
    Pong(Pong),
    /// `TOKEN`: it is your turn.
    Token(Box<Token>),
    /// `TOKEN_ACK`: what became of a token.
    TokenAck(TokenAck),
    /// `CLAIM`: the token is lost, I make a new one.
    Claim(Claim),
    /// `CLAIM_ANSWER`: yes or no to a claim.
    ClaimAnswer(ClaimAnswer),
    /// `RING`: are you in a ring?
    RingQuery(RingState),
    /// `RING_ANSWER`: so I stand.
    RingAnswer(RingState),
    /// `ROLE`: which role have you, or: take this one.
    Role(RoleOrder),
    /// `ROLE_ANSWER`: this is my role now.
    RoleAnswer(RoleAnswer),
    /// `ERROR`: a message was not understood or could not be served.
    Error {
        /// The id of the message at fault.
        re: String,
        /// What is wrong and what would be right.
        text: String,
    },
    /// An envelope whose key is not known here.
    Unknown {
        /// The key as sent.
        key: String,
    },
    /// Who a peer of ZeroMQ says that it is: the first on such a link.
    Introduced {
        /// `DEALER`, `ROUTER`, ...
        socket_type: String,
        /// Its identity; empty when it has none.
        identity: Vec<u8>,
    },
    /// A message between peers of ZRE.
    Zre(ZreMessage),
    /// A message of Autopilot's stations.
    Station(Routed),
    /// Any JSON value that is no envelope: what `\r`-JSON scripts send.
    Foreign(Json),
    /// A text packet of the lab. It has no envelope.
    Lab(LabText),
}

/// How a node is, in a few words. Older nodes and scripts say less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pong {
    /// Its role.
    pub role: Option<RoleName>,
    /// How its clocks stand.
    pub clock: Option<ClockSample>,
    /// Its place in the order of sinks, if it has one.
    pub sink: Option<SinkPlace>,
}

/// "Give me what comes after this cursor."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollRequest {
    /// The journal that the cursor belongs to; `None` at the first contact.
    pub journal: Option<JournalId>,
    /// Send what comes after this.
    pub after: Seq,
    /// What the asker has on stable storage, never more than `after`.
    pub taken: Seq,
    /// At most this many readings.
    pub max: u32,
}

/// A piece of a journal: consecutive readings, all of one boot.
#[derive(Clone, Debug, PartialEq)]
pub struct Readings {
    /// The id of the poll that it answers.
    pub re: String,
    /// The node whose journal it is.
    pub node: NodeName,
    /// The journal.
    pub journal: JournalId,
    /// The boot that the readings' monotonic stamps count from.
    pub boot: BootId,
    /// The cursor that was asked for. What lies between it and `first` is no longer to be had at the source; a receiver
    /// whose own cursor lies before it has missed a piece and must not take this one.
    pub after: Seq,
    /// Place of the first reading in `pack`; with an empty pack, the place that would come next.
    pub first: Seq,
    /// The last durable place in the journal: more than the pack's end means that there is more to ask for.
    pub last: Seq,
    /// How the node's clocks stand; `None` from a peer that does not say.
    pub clock: Option<ClockSample>,
    /// What the node knows of its wall clock in the boot of these readings, where that is an earlier one.
    pub mark: Option<ClockMark>,
    /// The readings.
    pub pack: Pack,
}

impl Readings {
    /// The place of the pack's last reading; the one before `first` when it is empty.
    pub fn through(&self) -> Seq {
        Seq((self.first.0 + self.pack.len() as u64).saturating_sub(1))
    }
}
