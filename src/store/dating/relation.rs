//! One machine's wall clock in one boot, beside its monotonic one.

use std::time::Duration;

use super::curve::{Anchor, Beyond, curve};
use super::{Piece, piece_at};
use crate::model::{ClockMark, TimeSource};

/// How far a wall clock can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) enum Quality {
    /// It was never set.
    Unset,
    /// Somebody or something set it once.
    Set,
    /// Something kept it synchronised, at least for a while.
    Synced,
}

/// What a wall clock showed, or should have shown, at each monotonic moment of a boot: best, then last. If it was ever
/// synchronised in that boot, that counts for the whole boot. Else the last setting does, else what it showed last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Relation {
    pub(in crate::store) quality: Quality,
    pub(in crate::store) pieces: Vec<Piece>,
}

impl Relation {
    /// From the marks of the boot, in order; `None` without any.
    pub(in crate::store) fn new(marks: &[ClockMark]) -> Option<Relation> {
        let anchors = synced(marks);
        if !anchors.is_empty() {
            let pieces = curve(&anchors, Beyond::OneRate, TimeSource::Node);
            return Some(Relation { quality: Quality::Synced, pieces });
        }
        let mark = marks.iter().rev().find(|mark| mark.is_set()).or(marks.last())?;
        let quality = if mark.is_set() { Quality::Set } else { Quality::Unset };
        let piece = Piece {
            from_us: i64::MIN,
            mono_us: mark.mono.as_micros(),
            time_us: mark.wall.as_unix_micros(),
            rate_ppb: 0,
            error_us: None,
            growth_ppb: 0,
            source: if mark.is_set() { TimeSource::Node } else { TimeSource::Unknown },
        };
        Some(Relation { quality, pieces: vec![piece] })
    }

    /// The time at a monotonic moment and how far off it is at most, both in microseconds.
    pub(super) fn at(&self, mono_us: i64) -> Option<(i64, Option<i64>)> {
        let piece = piece_at(&self.pieces, mono_us)?;
        Some((piece.time_us(mono_us), piece.error_us(mono_us)))
    }
}

/// The synchronised marks: each holds until there is another one, of whatever kind.
fn synced(marks: &[ClockMark]) -> Vec<Anchor> {
    let until = |at: usize| marks.get(at + 1).map_or(i64::MAX, |next| next.mono.as_micros());
    let anchor = |(at, mark): (usize, &ClockMark)| {
        let error = mark.synced?;
        Some(Anchor {
            mono_us: mark.mono.as_micros(),
            until_us: until(at),
            time_us: mark.wall.as_unix_micros(),
            error_us: micros(error),
        })
    };
    marks.iter().enumerate().filter_map(anchor).collect()
}

/// A duration in microseconds.
pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
