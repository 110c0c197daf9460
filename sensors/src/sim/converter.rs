//! What the analog half of several twins shares: a value becomes counts, and a converter that runs by itself ends one
//! conversion after the other.

use std::time::Duration;

use super::SimTime;

/// `value` in steps of `step`, to the nearest, held to what a converter from `lowest` to `highest` can give.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a float becomes an integer by saturation; the clamp follows"
)]
pub(super) fn counts(value: f64, step: f64, lowest: i32, highest: i32) -> i32 {
    ((value / step).round() as i32).clamp(lowest, highest)
}

/// The lower sixteen bits of `counts`, as a register holds them.
pub(super) fn low_word(counts: i32) -> u16 {
    let [low, high, ..] = counts.to_le_bytes();
    u16::from_le_bytes([low, high])
}

/// When the last conversion ended of a converter that runs since `since`: the first takes `first`, and one more ends
/// every `period`. None before the first has ended.
pub(super) fn last_end(since: SimTime, first: Duration, period: Duration, now: SimTime) -> Option<SimTime> {
    let after_first = now.since(since).checked_sub(first)?;
    let into_next = after_first.as_micros().checked_rem(period.as_micros()).unwrap_or(0);
    let into_next = Duration::from_micros(u64::try_from(into_next).unwrap_or(0));
    Some(since.plus(first).plus(after_first.saturating_sub(into_next)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_round_saturate_and_keep_their_sign() {
        assert_eq!(counts(25.03, 0.0625, -2048, 2047), 400);
        assert_eq!(counts(-0.07, 0.0625, -2048, 2047), -1);
        assert_eq!(counts(1e12, 0.0625, -2048, 2047), 2047);
        assert_eq!(counts(f64::NAN, 1.0, -1, 1), 0);
        assert_eq!(low_word(-1), 0xFFFF);
        assert_eq!(low_word(-2048), 0xF800);
    }

    #[test]
    fn conversions_end_one_after_the_other() {
        let since = SimTime::from_micros(1_000_000);
        let first = Duration::from_millis(26);
        let period = Duration::from_millis(250);
        let end_at = |millis| last_end(since, first, period, since.plus(Duration::from_millis(millis)));
        assert_eq!(end_at(25), None);
        assert_eq!(end_at(26), Some(since.plus(first)));
        assert_eq!(end_at(275), Some(since.plus(first)));
        assert_eq!(end_at(276), Some(since.plus(Duration::from_millis(276))));
        assert_eq!(end_at(800), Some(since.plus(Duration::from_millis(776))));
        assert_eq!(last_end(since, first, Duration::ZERO, since.plus(period)), Some(since.plus(period)));
    }
}
