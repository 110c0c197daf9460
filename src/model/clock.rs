//! What nodes know and say about clocks. A monotonic clock never steps and counts from a boot; a wall clock may be set
//! at any moment, and may be wrong by decades. What ties the two together is kept beside the readings, so that each can
//! be dated later, when more is known.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{BootId, Instant, WallTime};

/// A wall clock that shows an earlier time than this (2025-01-01T00:00:00Z) was never set: there was no pisink then.
pub const CLOCK_IS_SET_FROM: WallTime = WallTime::from_unix_micros(1_735_689_600_000_000);

/// What a machine's wall clock showed at a monotonic moment of a boot. It holds for the whole boot but for steps:
/// between them both clocks of a machine go at one rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockMark {
    /// The moment.
    pub mono: Instant,
    /// What the wall clock showed.
    pub wall: WallTime,
    /// How far at most it was from the true time while something (NTP, GPS) kept it synchronised; `None` when nothing
    /// did.
    pub synced: Option<Duration>,
}

impl ClockMark {
    /// Wall time less monotonic time, in microseconds.
    pub fn offset_us(&self) -> i64 {
        self.wall.as_unix_micros().saturating_sub(self.mono.as_micros())
    }

    /// Whether the wall clock had been set at all.
    pub fn is_set(&self) -> bool {
        self.wall >= CLOCK_IS_SET_FROM
    }
}

/// What a node says of its clocks with an answer: two of the four times of an exchange, and its wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockSample {
    /// The boot that the monotonic times count from.
    pub boot: BootId,
    /// When the request came.
    pub received: Instant,
    /// When the answer was sent (`mark.mono`), and what the wall clock showed then.
    pub mark: ClockMark,
}

/// Where the monotonic clock of another machine's boot met this machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockLink {
    /// The other machine's boot.
    pub boot: BootId,
    /// A moment by its monotonic clock.
    pub mono: Instant,
    /// The same moment by this machine's.
    pub here: Instant,
    /// How far at most the two are from one moment.
    pub error: Duration,
}

/// By whose clock a reading is dated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimeSource {
    /// By the clock of the sink, which met the node in that boot.
    Sink,
    /// By the clock of the node that took it.
    Node,
    /// By no clock that can be trusted: the order is right, the time may be anything.
    Unknown,
}

impl TimeSource {
    /// Every source.
    pub const ALL: [TimeSource; 3] = [TimeSource::Sink, TimeSource::Node, TimeSource::Unknown];

    /// The word for it in exports and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            TimeSource::Sink => "sink",
            TimeSource::Node => "node",
            TimeSource::Unknown => "unknown",
        }
    }
}

impl fmt::Display for TimeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for TimeSource {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|source| source.as_str() == text).ok_or(())
    }
}

/// When a reading was taken, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dated {
    /// The time.
    pub time: WallTime,
    /// How far at most it is from that clock's time; `None` when nobody can say.
    pub error: Option<Duration>,
    /// By whose clock.
    pub source: TimeSource,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_round_trip() {
        for source in TimeSource::ALL {
            assert_eq!(source.as_str().parse(), Ok(source));
        }
        assert_eq!("gps".parse::<TimeSource>(), Err(()));
    }

    #[test]
    fn a_clock_in_1970_was_never_set() {
        let mark = |wall: &str, micros| {
            let wall_time = WallTime::from_unix_micros(micros);
            assert_eq!(wall_time.to_string(), wall);
            ClockMark { mono: Instant::from_micros(5), wall: wall_time, synced: None }
        };
        assert!(!mark("1970-01-01T00:00:09.000000Z", 9_000_000).is_set());
        assert!(!mark("2024-12-31T23:59:59.999999Z", 1_735_689_599_999_999).is_set());
        assert!(mark("2025-01-01T00:00:00.000000Z", 1_735_689_600_000_000).is_set());
        assert_eq!(mark("1970-01-01T00:00:09.000000Z", 9_000_000).offset_us(), 8_999_995);
    }
}
