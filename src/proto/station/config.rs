//! What a station is told at its start, what it wants, and what it has to tell people.

use std::fmt;
use std::time::Duration;

use serde_json::Value as Json;

use crate::model::{Commands, Routed, Seq};
use crate::proto::LinkId;
use crate::proto::foreign::ForeignValue;

/// How a node takes part in Autopilot's network.
#[derive(Clone, Debug, PartialEq)]
pub struct StationConfig {
    /// What it is called there: `T` is a terminal's usual name.
    pub id: String,
    /// The station above; without one this is a terminal, with one a pilot.
    pub above: Option<AboveConfig>,
    /// A message without a receipt is sent again after this.
    pub repeat_interval: Duration,
    /// The commands that it obeys.
    pub allow: Commands,
    /// What it says of itself at first: `IDLE`, `RUNNING`, ...
    pub state: String,
    /// What a handshake says of its settings.
    pub prefs: Json,
    /// For jitter.
    pub seed: u64,
}

/// The station above a pilot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AboveConfig {
    /// What it is called.
    pub id: String,
    /// `host:port` where it listens.
    pub address: String,
    /// A pilot says its state so often without being asked.
    pub ping_interval: Duration,
    /// What of its journal it sends there.
    pub stream: Option<StreamConfig>,
}

/// How a pilot's readings go to the station above: together, as a STREAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamConfig {
    /// The key that each has there: `DATA` or `CONTINUOUS`.
    pub inner_key: String,
    /// What they are about.
    pub subject: String,
    /// So many are worth a message.
    pub min_size: u32,
    /// Fewer go when the first of them has waited so long.
    pub max_wait: Duration,
}

/// The command's name in [`StationOrder`], whom it came from, and the message to which an answer belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StationAsker {
    /// Who asks.
    pub sender: String,
    /// The id of the message.
    pub id: String,
}

/// What somebody wants of the node, beyond what the station itself can do.
#[derive(Clone, Debug, PartialEq)]
pub enum StationOrder {
    /// Sense, by these settings where they say any.
    Start(Json),
    /// Sense no more.
    Stop,
    /// Sense by other settings.
    Param(Json),
    /// End the process.
    Kill,
    /// The newest reading of each channel.
    Latest,
    /// Something about a file.
    File(Json),
    /// A table is to be compared.
    Cohere(Json),
}

/// What the driver has to carry out.
#[derive(Clone, Debug, PartialEq)]
pub enum StationOutput {
    /// Open a link to the station above, as a DEALER of this station's name.
    Connect,
    /// Drop it, or the attempt at it.
    Disconnect(Option<LinkId>),
    /// Send this.
    Send(LinkId, Routed),
    /// Send what is queued, then close this link.
    Close(LinkId, String),
    /// Readings of a pilot, taken now.
    Readings {
        /// By which link they came.
        link: LinkId,
        /// Whose they are, as the message says.
        pilot: String,
        /// The values.
        values: Vec<ForeignValue>,
        /// How many were beyond the bound of one message.
        passed_over: usize,
    },
    /// Read from the own journal; answered by [`super::Station::piece`].
    Read {
        /// Send what comes after this.
        after: Seq,
        /// At most so many.
        max: u32,
    },
    /// Answer by [`super::Station::answer`].
    Order(StationAsker, StationOrder),
    /// Tell people.
    Report(StationReport),
}

/// Something for the log.
#[derive(Clone, Debug, PartialEq)]
pub enum StationReport {
    /// A link was refused.
    Refused {
        /// Why.
        why: String,
    },
    /// The station above is reached.
    Above {
        /// What it is called.
        id: String,
    },
    /// The station above is lost, or not to be reached; told once.
    AboveLost {
        /// What it is called.
        id: String,
        /// Why.
        why: String,
    },
    /// A message has no receipt, and is not sent again.
    GivenUp {
        /// Its id.
        id: String,
        /// For whom it was.
        to: String,
        /// Its key.
        key: String,
    },
    /// Nobody knows the way to a recipient.
    NoWay {
        /// The recipient.
        to: String,
        /// Who wants to reach it.
        sender: String,
    },
    /// A command that is not allowed.
    NotAllowed {
        /// Who wanted it.
        sender: String,
        /// Which.
        key: &'static str,
    },
    /// An array was not decoded.
    Unread {
        /// Who sent it.
        sender: String,
        /// Which, and why.
        why: String,
    },
    /// A pilot is another than it was: it came, or its state has changed.
    Pilot {
        /// Its name.
        id: String,
        /// Its state.
        state: String,
    },
    /// A peer says that something is wrong.
    Complaint {
        /// Who.
        sender: String,
        /// Its words.
        text: String,
    },
}

impl StationReport {
    /// Whether somebody has to do something.
    pub fn is_warning(&self) -> bool {
        !matches!(self, StationReport::Above { .. } | StationReport::Pilot { .. })
    }
}

impl fmt::Display for StationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StationReport::Refused { why } => write!(f, "a station is refused: {why}"),
            StationReport::Above { id } => write!(f, "the station {id} above is reached"),
            StationReport::AboveLost { id, why } => {
                write!(f, "the station {id} above is not reached: {why}; it is tried again and again")
            }
            StationReport::GivenUp { id, to, key } => {
                write!(f, "{key} {id} to {to} has no receipt and is given up")
            }
            StationReport::NoWay { to, sender } => {
                write!(
                    f,
                    "{sender} wants to reach {to}, which is not linked here: its message goes no further"
                )
            }
            StationReport::NotAllowed { sender, key } => {
                write!(f, "{sender} wants {key}, which is not allowed: `--allow {key}` allows it")
            }
            StationReport::Unread { sender, why } => {
                write!(f, "{sender}: an array is not read and is ERR parse: {why}")
            }
            StationReport::Pilot { id, state } => write!(f, "the pilot {id} is {state}"),
            StationReport::Complaint { sender, text } => write!(f, "{sender} complains: {text}"),
        }
    }
}
