//! What peers of ZRE say to one another (RFC 36): beacons, and seven messages.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A peer of ZRE: the UUID that it drew when it started. As text in the usual form, in small letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZreId(pub [u8; 16]);

impl ZreId {
    /// A random UUID (version 4) out of 128 random bits.
    pub fn from_random(random: u128) -> Self {
        let mut bytes = random.to_be_bytes();
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }
}

impl fmt::Display for ZreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// A datagram that says where a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beacon {
    /// Whose.
    pub id: ZreId,
    /// The TCP port of its mailbox; `None` says goodbye.
    pub port: Option<u16>,
}

/// One message on a link between peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZreMessage {
    /// Its place among the messages on its link; HELLO has 1.
    pub sequence: u16,
    /// What it says.
    pub body: ZreBody,
}

/// What a message between peers says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZreBody {
    /// Who I am; the first on each link.
    Hello(Hello),
    /// For this peer alone.
    Whisper(Vec<Vec<u8>>),
    /// For all in a group.
    Shout {
        /// The group.
        group: String,
        /// The frames.
        content: Vec<Vec<u8>>,
    },
    /// The sender is in this group from now on.
    Join {
        /// The group.
        group: String,
        /// Counts the sender's joins and leaves.
        status: u8,
    },
    /// The sender is in this group no more.
    Leave {
        /// The group.
        group: String,
        /// Counts the sender's joins and leaves.
        status: u8,
    },
    /// Are you there?
    Ping,
    /// Yes.
    PingOk,
}

impl ZreBody {
    /// The message's name in RFC 36.
    pub fn name(&self) -> &'static str {
        match self {
            ZreBody::Hello(_) => "HELLO",
            ZreBody::Whisper(_) => "WHISPER",
            ZreBody::Shout { .. } => "SHOUT",
            ZreBody::Join { .. } => "JOIN",
            ZreBody::Leave { .. } => "LEAVE",
            ZreBody::Ping => "PING",
            ZreBody::PingOk => "PING-OK",
        }
    }
}

/// Who a peer is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// Where its mailbox is: `tcp://ADDRESS:PORT`.
    pub endpoint: String,
    /// The groups it is in.
    pub groups: BTreeSet<String>,
    /// How often it joined or left a group.
    pub status: u8,
    /// Its name, which others may have too.
    pub name: String,
    /// What else it says of itself.
    pub headers: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_of_version_4() {
        let id = ZreId::from_random(u128::MAX);
        assert_eq!(id.to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(ZreId::from_random(0).to_string(), "00000000-0000-4000-8000-000000000000");
    }
}
