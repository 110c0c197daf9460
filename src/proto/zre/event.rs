//! What the machine wants carried out, and what it has to tell.

use std::fmt;

use crate::model::{Beacon, ZreId, ZreMessage};
use crate::proto::{LinkId, PeerIx};

/// What the driver has to carry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZreOutput {
    /// Send this to everybody on the network.
    Beacon(Beacon),
    /// Open a link of ZMTP to this address, as a DEALER with the identity of this peer; answer with
    /// [`super::Zre::link_up`] or [`super::Zre::link_failed`], and with [`super::Zre::introduced`] when the other end
    /// has said who it is.
    Connect(PeerIx, String),
    /// Drop that link, or the attempt at one; nothing is answered.
    Disconnect(PeerIx, Option<LinkId>),
    /// Close this link, which another one has replaced; nothing is answered.
    Close(LinkId),
    /// Send this.
    Send(LinkId, ZreMessage),
    /// Tell whoever uses this peer.
    Event(ZreEvent),
}

/// What happened among the peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZreEvent {
    /// A peer is there: [`super::Zre::peer`] says who it is.
    Enter {
        /// Who.
        peer: ZreId,
    },
    /// A peer is gone, or has begun anew.
    Exit {
        /// Who.
        peer: ZreId,
        /// Its name.
        name: String,
        /// Why.
        why: ZreParting,
    },
    /// A peer joined a group after it had entered.
    Joined {
        /// Who.
        peer: ZreId,
        /// Which.
        group: String,
    },
    /// A peer left a group.
    Left {
        /// Who.
        peer: ZreId,
        /// Which.
        group: String,
    },
    /// A peer has taken all that was said to it before [`super::Zre::ping`].
    PingOk {
        /// Who.
        peer: ZreId,
    },
    /// A peer says something to this one.
    Whisper {
        /// Who.
        peer: ZreId,
        /// By which link.
        link: LinkId,
        /// What: frames, none in the case of an empty message.
        content: Vec<Vec<u8>>,
    },
    /// A peer says something to a group in which this one is.
    Shout {
        /// Who.
        peer: ZreId,
        /// By which link.
        link: LinkId,
        /// Which group.
        group: String,
        /// What.
        content: Vec<Vec<u8>>,
    },
}

/// Why a peer is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZreParting {
    /// It said so.
    Goodbye,
    /// It was silent for too long.
    Expired,
    /// Messages of it were lost: both begin anew.
    MessagesLost,
    /// It said HELLO again.
    Anew,
    /// Another one is at its address, or took its place among those who never said HELLO.
    Replaced,
}

impl fmt::Display for ZreParting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ZreParting::Goodbye => "said goodbye",
            ZreParting::Expired => "silent for 30 s",
            ZreParting::MessagesLost => "messages were lost",
            ZreParting::Anew => "begins anew",
            ZreParting::Replaced => "another is at its address",
        })
    }
}
