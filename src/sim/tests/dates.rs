//! Who of a ring asks whom for his clock, and when.

use std::collections::BTreeMap;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
/// From one meeting with a member's clock to the next.
const EVERY: Duration = Duration::from_secs(600);

/// Who met whom, how often.
#[derive(Default)]
struct Met(BTreeMap<(usize, usize), usize>);

impl Observer for Met {
    fn met(&mut self, _: Duration, sink: HostIx, other: HostIx, error: Duration) {
        assert!(error <= Duration::from_millis(3), "a way takes 2 ms at most: {error:?}");
        *self.0.entry((sink.0, other.0)).or_default() += 1;
    }
}

/// What came of a ring whose sink is host 0 and its standby host 1.
fn met(seed: u64, nodes: usize, duration: Duration, faults: &str) -> BTreeMap<(usize, usize), usize> {
    let faults = read_faults(faults).unwrap();
    let mut scenario = Scenario { sinks: 2, seed, faults, duration, ..Scenario::calm(SimRole::Ring, nodes) };
    scenario.sampling.interval = 3_600 * SECOND;
    scenario.clocks = ClockModel { offset_max: 1_000 * SECOND, drift_max_ppm: 100 };
    let mut met = Met::default();
    run(&scenario, &mut met).unwrap();
    met.0
}

fn each(
    sink: usize,
    others: impl IntoIterator<Item = usize>,
    times: usize,
) -> BTreeMap<(usize, usize), usize> {
    others.into_iter().map(|other| ((sink, other), times)).collect()
}

#[test]
fn the_sink_meets_every_clock_at_first_sight_and_every_ten_minutes() {
    assert_eq!(met(1, 5, 20 * SECOND, ""), each(0, 1..5, 1));
    assert_eq!(met(1, 5, EVERY + 20 * SECOND, ""), each(0, 1..5, 2), "and nobody else has use for it");
}

#[test]
fn another_life_is_met_anew() {
    let mut expected = each(0, 1..4, 1);
    expected.insert((0, 2), 2);
    assert_eq!(met(2, 4, 50 * SECOND, "power 2@20s..40s"), expected);
}

#[test]
fn who_takes_the_sinks_place_meets_them_too() {
    let mut expected = each(0, 1..4, 1);
    expected.extend(each(1, 2..4, 1));
    assert_eq!(met(3, 4, 40 * SECOND, "power sink@20s"), expected);
}

#[test]
fn a_clock_that_cannot_be_asked_is_asked_again() {
    assert_eq!(met(4, 5, 60 * SECOND, "cut sink,3@1ms"), each(0, [1, 2, 4], 1), "only others reach it");
    assert_eq!(met(4, 5, 80 * SECOND, "cut sink,3@1ms..60s"), each(0, 1..5, 1));
}
