//! The protocols of a node as pure state machines.
//!
//! # The contract with a driver
//!
//! A machine does no I/O, has no clock, and draws random numbers only from a seed that it was given. Whoever drives it
//! (the event loop on a Pi, a scheduler in a test) does four things, in any order that the world dictates:
//!
//! 1. tells it what happened: one method call or `handle_input` per event, each with the present moment;
//! 2. calls `handle_timeout` at the latest when `poll_timeout` says, which also tells the reason;
//! 3. after either, drains `poll_output` until it gives `None`, and carries out each output in order;
//! 4. never calls back with a moment before an earlier one.
//!
//! After `handle_timeout(t)` and a full drain, `poll_timeout` lies after `t` or is `None`, so no driver can spin.
//! Outputs wait in a queue that is bounded because each input adds at most a few per peer.

mod backoff;
mod clock;
pub(crate) mod contract;
mod deal;
pub(crate) mod defect;
pub mod foreign;
mod journals;
mod lab;
mod peer;
mod primary;
mod ring;
mod secondary;
mod standby;
mod station;
mod zre;

pub use backoff::Backoff;
pub use clock::OwnClock;
pub use deal::{Deal, DealOutput, TRIES_MAX};
pub use lab::{Lab, LabConfig, LabOutput, LabReading, LabReport, LabRing, LabSource};
pub use primary::{PollOrder, Primary, PrimaryConfig, PrimaryOutput, PrimaryReport};
pub use ring::{Ring, RingConfig, RingOutput, RingPart, RingReport};
pub use secondary::{Secondary, SecondaryOutput};
pub use standby::{Standby, StandbyConfig, StandbyOutput, StandbyReport};
pub use station::{
    AboveConfig, STATION_KEYS, Station, StationAsker, StationConfig, StationOrder, StationOutput,
    StationReport, StreamConfig,
};
pub use zre::{
    EVASIVE_AFTER, EXPIRED_AFTER, NODES_GROUP, PORT_HEADER, ROLE_HEADER, VERSION_HEADER, ZRE_PEERS_MAX, Zre,
    ZreConfig, ZreEvent, ZreOutput, ZreParting, ZrePeer, ZreWrap,
};

/// One connection, by the driver's number for it; never used again for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// A configured peer, by its place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerIx(pub usize);

/// For whom a link is opened: a peer of one of the node's machines, by that machine's number for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Far {
    /// A peer of the machine of the role.
    Duty(PeerIx),
    /// A peer of a ZRE group.
    Zre(PeerIx),
    /// A station of Autopilot.
    Station(PeerIx),
    /// A node that speaks the lab's text.
    Lab(PeerIx),
}

/// Most readings that one poll asks for or gets. At about 100 bytes each on the wire they fit a line four times over,
/// and a commit of so many takes a few milliseconds on an SD card.
pub const POLL_MAX_READINGS: u32 = 2_000;
