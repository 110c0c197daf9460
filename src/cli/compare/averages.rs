//! When averages were known, from when readings were taken and when they were on the sink's disk.
//!
//! The average of an interval is known when all of its readings are durable at the sink; its latency counts from the
//! last of them. An interval with a reading that never came has no average.

use std::collections::BTreeMap;
use std::time::Duration;

use super::ways::Known;
use crate::model::Instant;

/// One reading: when it was taken, and when it was durable at the sink, if ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    pub(super) taken_at: Instant,
    pub(super) durable_at: Option<Instant>,
}

/// When an average was known, and after how long.
pub(super) type Average = (Instant, Duration);

/// Of each interval since `began_at` that is over before `ended_at`: when its average was known, by time.
pub(super) fn averages(
    arrivals: impl IntoIterator<Item = Arrival>,
    interval: Duration,
    (began_at, ended_at): (Instant, Instant),
) -> Vec<Average> {
    let whole = ended_at.saturating_since(began_at).as_micros() / interval.as_micros().max(1);
    let mut last: BTreeMap<u128, Option<(Instant, Instant)>> = BTreeMap::new();
    for arrival in arrivals.into_iter().filter(|arrival| arrival.taken_at >= began_at) {
        let number = arrival.taken_at.saturating_since(began_at).as_micros() / interval.as_micros().max(1);
        let entry = last.entry(number).or_insert(Some((arrival.taken_at, arrival.taken_at)));
        *entry = entry
            .zip(arrival.durable_at)
            .map(|((taken, durable), at)| (taken.max(arrival.taken_at), durable.max(at)));
    }
    let known = last.into_iter().filter(|(number, _)| *number < whole).filter_map(|(_, last)| last);
    let mut averages: Vec<Average> =
        known.map(|(taken, durable)| (durable, durable.saturating_since(taken))).collect();
    averages.sort_unstable();
    averages
}

/// How long they took.
pub(super) fn known(took: impl IntoIterator<Item = Duration>) -> Known {
    let mut sorted: Vec<Duration> = took.into_iter().collect();
    sorted.sort_unstable();
    Known {
        count: sorted.len(),
        median: quantile(&sorted, 0.5),
        p99: quantile(&sorted, 0.99),
        longest: sorted.last().copied(),
    }
}

/// Of a sorted list the duration that a share of it, from 0 to 1, does not pass.
fn quantile(sorted: &[Duration], share: f64) -> Option<Duration> {
    let last = sorted.len().checked_sub(1)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of an index is one")]
    let at = (last as f64 * share.clamp(0.0, 1.0)).round() as usize;
    sorted.get(at).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(ms: i64) -> Instant {
        Instant::from_micros(ms * 1_000)
    }

    fn arrival(taken: i64, durable: impl Into<Option<i64>>) -> Arrival {
        Arrival { taken_at: at(taken), durable_at: durable.into().map(at) }
    }

    #[test]
    fn an_average_is_known_when_the_last_of_its_readings_is_durable() {
        let all = [
            arrival(0, 900),
            arrival(400, 410),
            arrival(990, 1_030),
            arrival(1_000, 1_005),
            // The third interval misses one, the fourth is not over, and one was before the begin.
            arrival(2_100, 2_110),
            arrival(2_200, None),
            arrival(3_000, 3_001),
            arrival(-5, 9_000),
        ];
        let found = averages(all, 1_000 * MS, (at(0), at(3_500)));
        assert_eq!(found, [(at(1_005), 5 * MS), (at(1_030), 40 * MS)]);
        let known = known(found.into_iter().map(|(_, took)| took));
        let expected = Known { count: 2, median: Some(40 * MS), p99: Some(40 * MS), longest: Some(40 * MS) };
        assert_eq!(known, expected);
    }

    #[test]
    fn of_nothing_nothing_is_known() {
        assert_eq!(known([]), Known::default());
        assert_eq!(averages([arrival(0, 1)], Duration::ZERO, (at(5), at(0))), []);
    }

    proptest! {
        #[test]
        fn quantiles_are_in_order_and_of_the_list(list in proptest::collection::vec(0_u64..100_000, 1..200)) {
            let known = known(list.iter().map(|ms| Duration::from_millis(*ms)));
            prop_assert!(known.median <= known.p99 && known.p99 <= known.longest);
            let below = list.iter().filter(|ms| Some(Duration::from_millis(**ms)) <= known.median).count();
            prop_assert!(below * 2 >= list.len());
            prop_assert_eq!(known.longest, list.iter().max().map(|ms| Duration::from_millis(*ms)));
        }

        #[test]
        fn nothing_is_known_before_its_last_reading_is_there(
            list in proptest::collection::vec((0_i64..10_000, proptest::option::of(0_i64..500)), 0..100)
        ) {
            let all: Vec<Arrival> = list.iter().map(|(taken, took)| arrival(*taken, took.map(|t| taken + t))).collect();
            for (durable, took) in averages(all.clone(), 1_000 * MS, (at(0), at(10_000))) {
                prop_assert!(all.iter().any(|one| one.durable_at == Some(durable)));
                prop_assert!(took <= 500 * MS);
            }
        }
    }
}
