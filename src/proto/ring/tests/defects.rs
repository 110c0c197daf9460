//! Each planted defect is found within a stated number of seeds: so many have to be tried before one test fails.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

/// Seeds within which the defect is found, by worlds full of faults or by a calm one.
fn find(defect: &str, seeds: u64, test: impl Fn(u64)) {
    let fails = |seed: &u64| catch_unwind(AssertUnwindSafe(|| test(*seed))).is_err();
    let found = (1..=seeds).find(fails);
    println!("{defect} is found by seed {found:?}");
    assert!(found.is_some(), "{defect} is not found within {seeds} seeds");
}

fn in_faults(seed: u64, defect: Option<Defect>) {
    World::of_seed(seed, defect).run_to_the_end();
}

macro_rules! found {
    ($($name:ident: $defect:ident within $seeds:literal by $test:path;)*) => {$(
        #[test]
        fn $name() {
            find(stringify!($defect), $seeds, |seed| $test(seed, Some(Defect::$defect)));
        }
    )*};
}

found! {
    a_token_taken_twice: DoubleTaken within 100 by in_faults;
    a_smaller_ring_taken: SmallerRingTaken within 100 by in_faults;
    a_skip_that_keeps_the_name: SkipKeepsName within 100 by in_faults;
    a_token_to_be_passed_on: PassedOnTaken within 100 by in_faults;
    a_retry_as_a_hop: RetryCountsAsHop within 100 by in_faults;
    a_hasty_skip: SkippedAtOnce within 5 by super::calm::stays_calm;
    an_objection_ignored: ObjectionIgnored within 20 by super::calm::stays_calm;
    no_claim: NeverClaims within 50 by in_faults;
    nobody_looks: NeverLooks within 20 by in_faults;
    both_give_way: BothGiveWay within 50 by in_faults;
    acknowledged_early: TakenEarly within 20 by in_faults;
    no_rewind: NeverRewinds within 200 by in_faults;
    any_piece: AnyPieceTaken within 200 by in_faults;
    a_hasty_standby: StandbyAtOnce within 5 by super::calm::standby_waits_and_gives_way;
    a_sink_that_stays_away: SinkStaysAway within 5 by super::calm::standby_waits_and_gives_way;
    a_share_ignored: ShareIgnored within 50 by in_faults;
    a_rest_forgotten: RestForgotten within 50 by in_faults;
}

#[test]
fn a_former_life() {
    find("a former life", 200, |seed| {
        let mut world = World::of_seed(seed, None);
        world.setting.keeps_life = true;
        world.run_to_the_end();
    });
}
