//! How far apart the readings of a channel, or the rounds of a sink, usually are.

use std::time::Duration;

use crate::model::WallTime;

/// A median needs no more intervals than this; a longer run is looked at in evenly spread places.
const SAMPLED_INTERVALS_MAX: usize = 4096;
/// A missing time shorter than this is no gap, however fast the channel is.
const GAP_MIN: Duration = Duration::from_secs(3);
/// So many usual intervals without a reading are a gap.
const GAP_INTERVALS: u32 = 3;

/// The median time between neighbours of `times`, of which there are `count`; `None` with fewer than two.
pub(super) fn median_interval(count: usize, time_at: impl Fn(usize) -> Option<WallTime>) -> Option<Duration> {
    let intervals = count.checked_sub(1).filter(|n| *n > 0)?;
    let stride = intervals.div_ceil(SAMPLED_INTERVALS_MAX);
    let interval = |at: usize| Some(since(time_at(at)?, time_at(at + 1)?));
    let mut sample: Vec<Duration> = (0..intervals).step_by(stride).filter_map(interval).collect();
    let middle = sample.len() / 2;
    (middle < sample.len()).then(|| *sample.select_nth_unstable(middle).1)
}

/// From `earlier` to `later`; zero when time stood still or went back.
pub(super) fn since(earlier: WallTime, later: WallTime) -> Duration {
    let micros = later.as_unix_micros().saturating_sub(earlier.as_unix_micros());
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// The longest time between two readings over which a line is still drawn.
pub(super) fn gap_after(median: Option<Duration>) -> Duration {
    median.unwrap_or_default().saturating_mul(GAP_INTERVALS).max(GAP_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn median_of(micros: &[i64]) -> Option<Duration> {
        median_interval(micros.len(), |at| micros.get(at).map(|m| WallTime::from_unix_micros(*m)))
    }

    #[test]
    fn the_median_ignores_one_long_gap() {
        assert_eq!(median_of(&[]), None);
        assert_eq!(median_of(&[5]), None);
        assert_eq!(median_of(&[0, 10]), Some(Duration::from_micros(10)));
        assert_eq!(median_of(&[0, 10, 20, 5000, 5010]), Some(Duration::from_micros(10)));
    }

    #[test]
    fn a_long_run_is_sampled() {
        let micros: Vec<i64> = (0..100_000).map(|at| at * 7).collect();
        assert_eq!(median_of(&micros), Some(Duration::from_micros(7)));
    }

    #[test]
    fn extreme_times_do_not_overflow() {
        assert_eq!(median_of(&[i64::MIN, i64::MAX]), Some(Duration::from_micros(i64::MAX.unsigned_abs())));
        assert_eq!(gap_after(Some(Duration::MAX)), Duration::MAX);
        assert_eq!(gap_after(None), GAP_MIN);
    }
}
