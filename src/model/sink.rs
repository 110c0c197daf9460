//! The order of the sinks of a polled site: the primary, then its standbys, and what each of them says of itself.

use std::fmt;
use std::str::FromStr;

/// Where a node stands in the order of sinks, and what it does there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SinkPlace {
    /// 0 is the primary; then come the standbys.
    pub rank: u8,
    /// What it does.
    pub part: SinkPart,
}

/// What one in the order of sinks does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinkPart {
    /// It collects.
    Acts,
    /// It stands by, and hears of one before it that collects.
    Hears,
    /// It stands by, and hears of none.
    Waits,
}

impl SinkPart {
    /// Every part.
    pub const ALL: [SinkPart; 3] = [SinkPart::Acts, SinkPart::Hears, SinkPart::Waits];

    /// The word for it on the wire and in the status.
    pub const fn as_str(self) -> &'static str {
        match self {
            SinkPart::Acts => "acts",
            SinkPart::Hears => "hears",
            SinkPart::Waits => "waits",
        }
    }

    /// Whether somebody collects, as far as the one who says this knows.
    pub const fn knows_of_sink(self) -> bool {
        matches!(self, SinkPart::Acts | SinkPart::Hears)
    }
}

impl fmt::Display for SinkPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for SinkPart {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|part| part.as_str() == text).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_round_trip() {
        for part in SinkPart::ALL {
            assert_eq!(part.to_string().parse(), Ok(part));
        }
        assert_eq!("sleeps".parse::<SinkPart>(), Err(()));
    }
}
