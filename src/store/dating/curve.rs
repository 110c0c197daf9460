//! A line through moments of which the time is known, as good as they are: it never goes back, and where they cannot
//! all be true, the newer wins.

use super::{BILLION, DRIFT_MAX_PPB, Piece, saturated};
use crate::model::TimeSource;

/// What measuring and rounding may add between two moments that are known.
const BETWEEN_US: i64 = 1_000;

/// Between moments further apart than this, a clock's own rate may have changed unseen: links are not thinned so far.
const GAP_US: i64 = 3_600_000_000;

/// How much the rate of one clock changes, with the weather and its age.
const DRIFT_CHANGE_PPB: i64 = 10_000;

/// So long must moments lie apart for their slope to say more than the bound on drift.
const SLOPE_SPAN_US: i64 = 300_000_000;

/// Clocks that contradict each other by less than this, beyond what they admit, are both believed as far as can be:
/// people's synchronised clocks are worse than they say. Beyond it one is plainly wrong, and the newer is believed.
const CONTRADICTION_US: i64 = 1_000_000;

/// Rounding, once for each step of a computation.
const ROUNDING_US: i64 = 3;

/// A moment of which the time is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Anchor {
    /// By the monotonic clock.
    pub(super) mono_us: i64,
    /// Up to here the two clocks are known to have gone at one rate; not before `mono_us`.
    pub(super) until_us: i64,
    /// The time at `mono_us`.
    pub(super) time_us: i64,
    /// How far off it is at most, all the way to `until_us`.
    pub(super) error_us: i64,
}

impl Anchor {
    fn end_time_us(&self) -> i64 {
        self.time_us.saturating_add(self.until_us.saturating_sub(self.mono_us))
    }
}

/// How one anchor goes over into the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Join {
    /// Along a straight line.
    Line,
    /// At its own rate, then by a step forward.
    Step,
}

/// What the curve does before its first and after its last moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beyond {
    /// It goes at the monotonic clock's rate: the wall clock is of the same machine.
    OneRate,
    /// It goes on as between the first and the last, if they are far enough apart to tell.
    AsWithin,
}

/// The pieces through `anchors`, which are in order of their monotonic moments, each once.
pub(super) fn curve(anchors: &[Anchor], beyond: Beyond, source: TimeSource) -> Vec<Piece> {
    let kept = believed(anchors);
    let (Some(first), Some(last)) = (kept.first(), kept.last()) else { return Vec::new() };
    let piece = |from_us, (mono_us, time_us), rate_ppb, error_us: i64, growth_ppb| {
        let error_us = Some(error_us.saturating_add(ROUNDING_US));
        Piece { from_us, mono_us, time_us, rate_ppb, error_us, growth_ppb, source }
    };
    // Outside, the slope of the stretch next to it counts: a step is nobody's slope.
    let is_step = |(_, join): &(Anchor, Join)| *join == Join::Step;
    let outside = |from, to| match (beyond, slope(from, to)) {
        (Beyond::AsWithin, Some(slope)) => (slope.rate_ppb, slope.growth_ppb),
        _ => (0, DRIFT_MAX_PPB),
    };
    let (rate_ppb, growth_ppb) = outside(first, kept.iter().find(|anchor| is_step(anchor)).unwrap_or(last));
    let begin = first.0;
    let mut pieces =
        vec![piece(i64::MIN, (begin.mono_us, begin.time_us), rate_ppb, begin.error_us, growth_ppb)];
    // Where the piece before ends, which rounding may put a microsecond late: the next one begins there.
    let mut reached_us = begin.time_us;
    for (at, (anchor, join)) in kept.iter().enumerate() {
        let start_us = anchor.time_us.max(reached_us);
        if anchor.until_us > anchor.mono_us {
            pieces.push(piece(anchor.mono_us, (anchor.mono_us, start_us), 0, anchor.error_us, 0));
        }
        let held_us = anchor.until_us.saturating_sub(anchor.mono_us);
        let end = (anchor.until_us, start_us.saturating_add(held_us));
        reached_us = end.1;
        let Some((next, _)) = kept.get(at + 1).filter(|(next, _)| next.mono_us > anchor.until_us) else {
            continue;
        };
        let (rate_ppb, error_us, growth_ppb) = match join {
            Join::Step => (0, anchor.error_us, DRIFT_MAX_PPB),
            Join::Line => line(end, anchor, next),
        };
        let joined = piece(anchor.until_us, end, rate_ppb, error_us, growth_ppb);
        reached_us = joined.time_us(next.mono_us);
        pieces.push(joined);
    }
    if last.0.until_us < i64::MAX {
        let from = kept.iter().rposition(is_step).and_then(|step| kept.get(step + 1));
        let (rate_ppb, growth_ppb) = outside(from.unwrap_or(first), last);
        let last = last.0;
        pieces.push(piece(last.until_us, (last.until_us, reached_us), rate_ppb, last.error_us, growth_ppb));
    }
    pieces
}

/// Rate, error and growth of the error of the straight line from `end`, the end of `from`, to the moment of `to`.
fn line(end: (i64, i64), from: &Anchor, to: &Anchor) -> (i64, i64, i64) {
    let gap_us = i128::from(to.mono_us) - i128::from(end.0);
    let apart_us = i128::from(to.time_us) - i128::from(end.1) - gap_us;
    // Rounded down, so that the line does not run past the next moment.
    let rate_ppb = saturated((apart_us * BILLION).div_euclid(gap_us)).max(saturated(-BILLION));
    let admitted_us = saturated(tolerance_us(from, to));
    let beyond_us = saturated(apart_us.abs()).saturating_sub(admitted_us).max(0);
    let unseen_us =
        if gap_us > i128::from(GAP_US) { gap_us / 2 * i128::from(DRIFT_CHANGE_PPB) / BILLION } else { 0 };
    let error_us = from.error_us.max(to.error_us).saturating_add(BETWEEN_US).saturating_add(beyond_us);
    (rate_ppb, error_us.saturating_add(saturated(unseen_us)), 0)
}

/// How far two moments may contradict each other, by what they admit and by drift.
fn tolerance_us(from: &Anchor, to: &Anchor) -> i128 {
    let gap_us = i128::from(to.mono_us) - i128::from(from.until_us);
    let errors_us = i128::from(from.error_us) + i128::from(to.error_us);
    errors_us + gap_us.max(0) * i128::from(DRIFT_MAX_PPB) / BILLION + 2
}

/// The anchors that can be true together, and how each goes over into the next: from the newest back, those that
/// contradict a newer one plainly, or would make time go back, are left out.
fn believed(anchors: &[Anchor]) -> Vec<(Anchor, Join)> {
    let mut kept: Vec<(Anchor, Join)> = Vec::with_capacity(anchors.len());
    for anchor in anchors.iter().rev() {
        let Some((next, _)) = kept.last() else {
            kept.push((*anchor, Join::Line));
            continue;
        };
        if let Some(anchor) = before(*anchor, next) {
            kept.push(anchor);
        }
    }
    kept.reverse();
    kept
}

/// `anchor` as far as it can stand before `next`, and how it goes over into it.
fn before(mut anchor: Anchor, next: &Anchor) -> Option<(Anchor, Join)> {
    anchor.until_us = anchor.until_us.min(next.mono_us);
    let gap_us = i128::from(next.mono_us) - i128::from(anchor.until_us);
    let advance_us = i128::from(next.time_us) - i128::from(anchor.end_time_us());
    let apart_us = advance_us - gap_us;
    let admitted_us = tolerance_us(&anchor, next);
    if apart_us.abs() > admitted_us + i128::from(CONTRADICTION_US) {
        return None;
    }
    if apart_us > admitted_us {
        return Some((anchor, Join::Step));
    }
    if advance_us < 0 {
        // It ran ahead: it holds up to where it reaches the next one's time, and time stands still from there.
        anchor.until_us = anchor.until_us.saturating_add(saturated(advance_us));
        if anchor.until_us < anchor.mono_us {
            return None;
        }
    }
    Some((anchor, Join::Line))
}

/// The slope of a stretch of anchors without a step.
#[derive(Clone, Copy)]
struct Slope {
    rate_ppb: i64,
    growth_ppb: i64,
}

/// The slope from `first` to `last`; `None` when they are too near to each other to tell.
fn slope((first, _): &(Anchor, Join), (last, _): &(Anchor, Join)) -> Option<Slope> {
    let span_us = i128::from(last.mono_us) - i128::from(first.mono_us);
    if span_us < i128::from(SLOPE_SPAN_US) {
        return None;
    }
    let time_us = i128::from(last.time_us) - i128::from(first.time_us);
    let drift_max = i128::from(DRIFT_MAX_PPB);
    let rate_ppb = ((time_us - span_us) * BILLION / span_us).clamp(-drift_max, drift_max);
    let errors_us = i128::from(first.error_us) + i128::from(last.error_us);
    let growth_ppb = errors_us * BILLION / span_us + i128::from(DRIFT_CHANGE_PPB);
    Some(Slope { rate_ppb: saturated(rate_ppb), growth_ppb: saturated(growth_ppb) })
}
