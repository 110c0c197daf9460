//! Bytes to messages and back. One file per framing; pure; nothing here panics or allocates by a peer's unproven word.
//!
//! A decoder takes bytes from the front of what came, in pieces of any size, and gives at most one message a call:
//! a message, an offence that it names, or `None` for "not complete yet".

mod clock;
mod envelope;
mod framing;
mod jsocket;
mod json;
mod lab;
mod line;
mod pong;
mod ring;
mod role;
mod senml;
mod station;
mod told;
pub mod zmtp;
mod zmtp_link;
pub mod zre;

pub use envelope::{KNOWN_KEYS, encode};
pub use framing::{Contents, Dialect, Framing, JsocketDialect};
pub use lab::{LAB_PAUSE, LAB_TEXT_MAX_BYTES, LabDecoder, encode_lab};
pub use line::{LINE_MAX_BYTES, LineDecoder};
pub use ring::{open_piece, seal_piece};
pub use role::{decode_role, encode_role};
pub use senml::{decode_pack, encode_pack};
pub use station::{encode_station, station_message};
pub use told::JSOCKET_MAX_BYTES;

use crate::model::Message;

/// What is wrong with bytes that a peer sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A message longer than its framing's bound. The link cannot go on: where the next one begins is not known.
    #[error("a message of more than {max_bytes} bytes; split it into smaller ones")]
    Oversize {
        /// The bound.
        max_bytes: usize,
    },
    /// A message that is no JSON.
    #[error("a message that is no JSON ({why}): {excerpt}")]
    NotJson {
        /// The parser's words, with the column.
        why: String,
        /// The beginning of the message, made printable.
        excerpt: String,
    },
    /// A text packet that is none of the lab's.
    #[error("no text packet of the lab ({why}): {excerpt}")]
    NotLab {
        /// What would be one.
        why: String,
        /// The beginning of the packet, made printable.
        excerpt: String,
    },
    /// JSON with a known key whose value does not fit it.
    #[error("{key}: {why}")]
    BadValue {
        /// The message's key.
        key: &'static str,
        /// The message's id, so that the reply can name it.
        id: String,
        /// What does not fit.
        why: String,
    },
    /// Frames of a peer of ZRE that are no message of it.
    #[error("ZRE: {why}")]
    NotZre {
        /// What is wrong.
        why: String,
    },
    /// Bytes of a jsocket peer where its message has to begin, and does not. The link cannot go on.
    #[error("jsocket: {why}")]
    NotJsocket {
        /// What came instead.
        why: String,
    },
    /// A message of jsocket 2 that is not what its sender took the checksum of.
    #[error("jsocket: the checksum says {said:08x}, and the message has {found:08x}: send it again")]
    BadChecksum {
        /// The checksum that came with it.
        said: u32,
        /// That of what came.
        found: u32,
    },
    /// A framing that this port does not take from everybody.
    #[error("{framing} is not open here; the node's listen lines say to whom it is")]
    NotOpen {
        /// The framing.
        framing: &'static str,
    },
    /// A framing that is known by its first bytes, and not spoken.
    #[error("{framing} is not spoken here; write one JSON text a line")]
    NotSpoken {
        /// The framing.
        framing: &'static str,
    },
    /// A command that changes the node, over a framing in which that is not allowed.
    #[error(
        "{key} is not allowed over this framing; allow it with `--allow {key}`, or send it as a line of JSON"
    )]
    NotAllowed {
        /// The command.
        key: &'static str,
        /// The message's id, so that the reply can name it.
        id: String,
    },
    /// Bytes of a ZeroMQ peer that break ZMTP. The link cannot go on.
    #[error("ZMTP: {why}")]
    NotZmtp {
        /// What breaks it, and what would be right.
        why: String,
    },
}

impl WireError {
    /// Whether the link has to be closed because the place of the next message is lost, or will never be known.
    pub fn is_fatal(&self) -> bool {
        matches!(
            self,
            WireError::Oversize { .. }
                | WireError::NotOpen { .. }
                | WireError::NotSpoken { .. }
                | WireError::NotJsocket { .. }
                | WireError::NotZmtp { .. }
        )
    }

    /// The id of the message at fault, where that could be read.
    pub fn message_id(&self) -> Option<&str> {
        match self {
            WireError::BadValue { id, .. } | WireError::NotAllowed { id, .. } => Some(id),
            _ => None,
        }
    }
}

/// Reads one JSON text that came in a framing of somebody else's.
pub fn read_json(text: &[u8]) -> Result<Message, WireError> {
    // Tokens do not come this way: there is none before this text.
    Contents::Envelopes.read(text, &mut ring::Known::default())
}

/// The first bytes of what a peer sent, printable and short, for a log.
fn excerpt(bytes: &[u8]) -> String {
    const EXCERPT_MAX_BYTES: usize = 60;
    let cut = bytes.get(..EXCERPT_MAX_BYTES).unwrap_or(bytes);
    let mut text = cut.escape_ascii().to_string();
    if cut.len() < bytes.len() {
        text.push_str("...");
    }
    text
}
