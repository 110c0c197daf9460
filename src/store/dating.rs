//! When it was: from what is known of clocks to the time of each monotonic moment of a boot. Pure.
//!
//! What is known are marks (what a wall clock showed at a monotonic moment) and links (where two machines' monotonic
//! clocks met). [`resolve`] makes [`Piece`]s of them: lines from monotonic time to time, which never go back. It never
//! changes what a node stamped: pieces are worked out anew whenever more is known.

mod curve;
mod relation;
mod resolve;

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::model::{Dated, Instant, TimeSource, WallTime};

pub(super) use relation::Relation;
pub(super) use resolve::{Knowledge, SinkBoot, Whose, resolve};

/// Two clocks go apart by no more than this, in parts per billion: 300 ppm. Crystals are within 100 ppm, and NTP
/// slews by up to 500 ppm only for moments.
const DRIFT_MAX_PPB: i64 = 300_000;

/// Billionths of a microsecond in a microsecond.
const BILLION: i128 = 1_000_000_000;

/// A stretch of a boot in which times lie on one line. It holds up to where the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The first monotonic moment that it holds for, in microseconds; the least number for the first piece.
    pub(super) from_us: i64,
    /// A monotonic moment, in microseconds.
    pub(super) mono_us: i64,
    /// The time at that moment, in microseconds since 1970.
    pub(super) time_us: i64,
    /// How much faster time goes than the monotonic clock, in parts per billion; never below minus one billion.
    pub(super) rate_ppb: i64,
    /// How far at most the time is off at that moment; `None` when nobody can say.
    pub(super) error_us: Option<i64>,
    /// By how much that grows with the distance from that moment.
    pub(super) growth_ppb: i64,
    /// By whose clock.
    pub(super) source: TimeSource,
}

impl Piece {
    /// The time of a monotonic moment, in microseconds. View `readings` does the same in SQL.
    pub(super) fn time_us(&self, mono_us: i64) -> i64 {
        let away = i128::from(mono_us) - i128::from(self.mono_us);
        saturated(i128::from(self.time_us) + away + away * i128::from(self.rate_ppb) / BILLION)
    }

    /// How far off that time is at most.
    pub(super) fn error_us(&self, mono_us: i64) -> Option<i64> {
        let away = (i128::from(mono_us) - i128::from(self.mono_us)).abs();
        let grown = |error| saturated(i128::from(error) + away * i128::from(self.growth_ppb) / BILLION);
        self.error_us.map(grown)
    }

    /// Both, and the source.
    pub(super) fn dated(&self, mono_us: i64) -> Dated {
        let micros = |error: i64| Duration::from_micros(u64::try_from(error).unwrap_or(0));
        Dated {
            time: WallTime::from_unix_micros(self.time_us(mono_us)),
            error: self.error_us(mono_us).map(micros),
            source: self.source,
        }
    }
}

/// The piece that holds for a monotonic moment. `pieces` are in order.
pub(super) fn piece_at(pieces: &[Piece], mono_us: i64) -> Option<&Piece> {
    let next = pieces.partition_point(|piece| piece.from_us <= mono_us);
    pieces.get(next.saturating_sub(1))
}

/// When a reading was taken that was stamped so, in a boot with these pieces. Where nothing is known, its own stamp.
pub(super) fn date(pieces: &[Piece], mono: Instant, stamped: WallTime) -> Dated {
    let by_stamp = Dated { time: stamped, error: None, source: TimeSource::Unknown };
    piece_at(pieces, mono.as_micros()).map_or(by_stamp, |piece| piece.dated(mono.as_micros()))
}

fn saturated(micros: i128) -> i64 {
    i64::try_from(micros).unwrap_or(if micros < 0 { i64::MIN } else { i64::MAX })
}
