//! Readings: what a channel said at one time, and packs of them that travel and are stored together.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::{Instant, NodeName, WallTime};

/// Why a reading failed. It stays in the record for ever; only a view may draw it as zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrReason {
    /// The chip did not acknowledge its address or a byte.
    Nack,
    /// The bus or the chip took too long.
    Timeout,
    /// A checksum did not fit its data.
    Crc,
    /// The value cannot be true: out of the chip's range, or an open wire.
    Range,
    /// The chip says that it has no value yet.
    NotReady,
    /// The bus or the chip is not there.
    Absent,
    /// The chip gives one raw value again and again where that cannot be.
    Stuck,
    /// The node did not answer in a round. A property of a round, never of a journal.
    NodeDown,
    /// What a peer sent could not be read as a value.
    Parse,
}

impl ErrReason {
    /// Every reason, in the order of their codes.
    pub const ALL: [ErrReason; 9] = [
        ErrReason::Nack,
        ErrReason::Timeout,
        ErrReason::Crc,
        ErrReason::Range,
        ErrReason::NotReady,
        ErrReason::Absent,
        ErrReason::Stuck,
        ErrReason::NodeDown,
        ErrReason::Parse,
    ];

    /// The word for it on the wire, in exports and on plots.
    pub const fn as_str(self) -> &'static str {
        match self {
            ErrReason::Nack => "nack",
            ErrReason::Timeout => "timeout",
            ErrReason::Crc => "crc",
            ErrReason::Range => "range",
            ErrReason::NotReady => "not_ready",
            ErrReason::Absent => "absent",
            ErrReason::Stuck => "stuck",
            ErrReason::NodeDown => "node_down",
            ErrReason::Parse => "parse",
        }
    }
}

impl fmt::Display for ErrReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ErrReason {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text).ok_or(())
    }
}

/// A good value in the channel's unit (always finite), or the reason why there is none.
pub type Value = Result<f64, ErrReason>;

/// One quantity of one chip on one node, as in `greenhouse-1/sht3x-44/temperature`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel {
    /// The node (or foreign peer) that measured.
    pub node: NodeName,
    /// The chip's name on its node, as in `sht3x-44`.
    pub chip: String,
    /// What is measured, as in `temperature`.
    pub quantity: String,
    /// SenML unit (RFC 8428 section 12.1), as in `Cel`; empty when not known.
    pub unit: String,
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.node, self.chip, self.quantity)
    }
}

/// A channel's index in the [`Pack`] that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelIx(pub u32);

/// One value of one channel at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Index into [`Pack::channels`].
    pub channel: ChannelIx,
    /// The node's wall clock when the value was taken.
    pub time: WallTime,
    /// The node's monotonic clock at the same moment.
    pub mono: Instant,
    /// The value, or why there is none.
    pub value: Value,
}

/// Readings with the channels that they name. Channels are few and shared, readings many and small.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pack {
    /// The channels, each once.
    pub channels: Vec<Arc<Channel>>,
    /// The readings, in journal order.
    pub readings: Vec<Reading>,
}

impl Pack {
    /// The index of `channel`, added if it is new.
    pub fn channel_ix(&mut self, channel: &Arc<Channel>) -> ChannelIx {
        let found = self.channels.iter().position(|known| Arc::ptr_eq(known, channel) || known == channel);
        let at = found.unwrap_or_else(|| {
            self.channels.push(Arc::clone(channel));
            self.channels.len() - 1
        });
        ChannelIx(u32::try_from(at).unwrap_or(u32::MAX))
    }

    /// Adds one reading. A value that is not finite is no value: it is kept as `range`.
    pub fn push(&mut self, channel: &Arc<Channel>, time: WallTime, mono: Instant, value: Value) {
        let channel = self.channel_ix(channel);
        let value = value.and_then(|v| if v.is_finite() { Ok(v) } else { Err(ErrReason::Range) });
        self.readings.push(Reading { channel, time, mono, value });
    }

    /// The channel of a reading of this pack; `None` when the reading belongs to another.
    pub fn channel(&self, reading: &Reading) -> Option<&Arc<Channel>> {
        self.channels.get(reading.channel.0 as usize)
    }

    /// How many readings it holds.
    pub fn len(&self) -> usize {
        self.readings.len()
    }

    /// Whether it holds no reading.
    pub fn is_empty(&self) -> bool {
        self.readings.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_round_trip() {
        for reason in ErrReason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(reason));
        }
        assert_eq!("zero".parse::<ErrReason>(), Err(()));
    }

    #[test]
    fn a_pack_names_each_channel_once_and_holds_no_nan() {
        let channel = Arc::new(Channel {
            node: NodeName::new("n").unwrap(),
            chip: "c".into(),
            quantity: "q".into(),
            unit: String::new(),
        });
        let mut pack = Pack::default();
        pack.push(&channel, WallTime::default(), Instant::ZERO, Ok(1.0));
        pack.push(&Arc::new((*channel).clone()), WallTime::default(), Instant::ZERO, Ok(f64::NAN));
        assert_eq!((pack.channels.len(), pack.len()), (1, 2));
        assert_eq!(pack.readings[1].value, Err(ErrReason::Range));
    }
}
