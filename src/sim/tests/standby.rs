//! Primaries that die and come back, and their standbys: who collects, how soon, and what is where in the end. Who
//! collects records rounds.

use std::collections::BTreeMap;

use super::*;
use crate::model::RoundRecord;

const SECOND: Duration = Duration::from_secs(1);
const AFTER: Duration = Duration::from_secs(5);
/// Messages and commits take their time, and a round is recorded when all have answered, half a second later at most.
const SLACK: Duration = Duration::from_millis(700);
/// A dead sink's place is taken within this time.
const TAKEN: Duration = AFTER.saturating_add(SLACK);
/// And given back within this: an attempt to connect that is silent, the longest back-off, the steady time, and one
/// question more.
const GIVEN: Duration = Duration::from_millis(2_000 + 500 + 5_000 + 1_000).saturating_add(SLACK);

/// When each host recorded its rounds.
#[derive(Default)]
struct Rounds(BTreeMap<usize, Vec<Duration>>);

impl Observer for Rounds {
    fn round(&mut self, at: Duration, sink: HostIx, _: &RoundRecord) {
        self.0.entry(sink.0).or_default().push(at);
    }
}

impl Rounds {
    /// The rounds of a host between two moments.
    fn of(&self, host: usize, from: Duration, to: Duration) -> Vec<Duration> {
        let all = self.0.get(&host).into_iter().flatten();
        all.filter(|at| (from..to).contains(at)).copied().collect()
    }

    /// How long after `from` a host began to collect, which it had not before.
    fn began(&self, host: usize, from: Duration) -> Duration {
        let first = self.of(host, from, Duration::MAX).first().copied();
        first.expect("it collects").saturating_sub(from)
    }

    /// Asserts that a host collected from one moment to another, all the time.
    fn assert_collects(&self, host: usize, from: Duration, to: Duration) {
        let count = u64::try_from(self.of(host, from, to).len()).unwrap();
        assert!(count + 2 > (to - from).as_secs(), "{host} records {count} rounds from {from:?} to {to:?}");
    }

    /// Asserts that a host did not collect between these moments.
    fn assert_rests(&self, host: usize, from: Duration, to: Duration) {
        assert_eq!(self.of(host, from, to), [], "{host} from {from:?} to {to:?}");
    }
}

/// One primary, and standbys; the rest are secondaries.
fn site(seed: u64, nodes: usize, standbys: usize, duration: Duration, faults: &str) -> (Outcome, Rounds) {
    let faults = read_faults(faults).unwrap();
    let scenario = Scenario { seed, standbys, duration, faults, ..Scenario::calm(SimRole::Primary, nodes) };
    let mut rounds = Rounds::default();
    // That in the end the first that lives has everything is a rule of every run.
    let outcome = run(&scenario, &mut rounds).unwrap();
    (outcome, rounds)
}

#[test]
fn a_standby_takes_a_dead_sinks_place_and_gives_it_back_and_nothing_is_lost() {
    for_seeds(8, |seed| {
        let faults = "kill sink@20s..45s; power sink@80s";
        let (outcome, rounds) = site(seed, 5, 1, 110 * SECOND, faults);
        rounds.assert_rests(1, Duration::ZERO, 20 * SECOND);
        let took = rounds.began(1, 20 * SECOND);
        assert!((AFTER * 4 / 5 - SLACK..TAKEN).contains(&took), "{took:?}");
        rounds.assert_collects(1, 27 * SECOND, 45 * SECOND + AFTER);
        rounds.assert_rests(1, 45 * SECOND + GIVEN, 80 * SECOND);
        rounds.assert_collects(0, 47 * SECOND, 80 * SECOND);
        // Again: it goes on with what it has, and gets the rest.
        assert!(rounds.began(1, 80 * SECOND) < TAKEN);
        assert!(outcome.readings.lost == 0 && outcome.readings.waiting == 0, "{}", outcome.summary());
    });
}

#[test]
fn two_standbys_collect_in_their_order_and_give_way_in_it() {
    for_seeds(8, |seed| {
        let faults = "kill sink@20s..110s; kill 1@50s..80s";
        let (_, rounds) = site(seed, 5, 2, 140 * SECOND, faults);
        assert!(rounds.began(1, 20 * SECOND) < TAKEN);
        rounds.assert_rests(2, Duration::ZERO, 50 * SECOND);
        assert!(rounds.began(2, 50 * SECOND) < TAKEN);
        // The first is back, and the second goes on until the first has collected for a while.
        assert!(rounds.began(1, 80 * SECOND) < TAKEN);
        rounds.assert_collects(2, 57 * SECOND, 80 * SECOND + AFTER);
        rounds.assert_rests(2, 80 * SECOND + TAKEN + GIVEN, 140 * SECOND);
        rounds.assert_rests(1, 110 * SECOND + GIVEN, 140 * SECOND);
    });
}

#[test]
fn a_second_standby_that_does_not_reach_the_sink_hears_of_it_from_the_first() {
    let (_, rounds) = site(1, 4, 2, 110 * SECOND, "cut sink,2@1ms; kill sink@60s");
    rounds.assert_rests(1, Duration::ZERO, 60 * SECOND);
    assert!(rounds.began(1, 60 * SECOND) < TAKEN + 2 * SECOND);
    rounds.assert_rests(2, Duration::ZERO, 110 * SECOND);
}

#[test]
fn a_standby_apart_from_its_sink_collects_beside_it() {
    for_seeds(8, |seed| {
        let (_, rounds) = site(seed, 5, 1, 90 * SECOND, "cut sink,1@20s..50s");
        assert!(rounds.began(1, 20 * SECOND) < TAKEN, "it hears nothing of the sink");
        rounds.assert_collects(1, 27 * SECOND, 50 * SECOND);
        rounds.assert_collects(0, SECOND, 90 * SECOND);
        rounds.assert_rests(1, 50 * SECOND + GIVEN + SECOND, 90 * SECOND);
    });
}

#[test]
fn a_sink_that_comes_and_goes_quickly_moves_nothing_and_slowly_once_each_way() {
    for_seeds(3, |seed| {
        let quickly =
            (0..20).map(|time| 20 + 6 * time).map(|from| format!("kill sink@{from}s..{}s", from + 2));
        let quickly: Vec<String> = quickly.collect();
        let (_, rounds) = site(seed, 3, 1, 150 * SECOND, &quickly.join(";"));
        rounds.assert_rests(1, Duration::ZERO, 150 * SECOND);

        let slowly =
            (0..4).map(|time| 20 + 60 * time).map(|from| format!("kill sink@{from}s..{}s", from + 30));
        let slowly: Vec<String> = slowly.collect();
        let (_, rounds) = site(seed, 3, 1, 260 * SECOND, &slowly.join(";"));
        for from in (0..4).map(|time| (20 + 60 * time) * SECOND) {
            assert!(rounds.began(1, from) < TAKEN);
            rounds.assert_collects(1, from + 7 * SECOND, from + 30 * SECOND);
            rounds.assert_rests(1, from + 30 * SECOND + GIVEN, from + 60 * SECOND);
        }
    });
}
