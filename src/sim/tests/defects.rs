//! Each planted defect is found within a stated number of seeds: so many have to be tried before one run breaks a rule.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::proto::defect::Defect;

/// Fails when the defect is not found by a seed up to this one.
fn find(defect: Defect, seeds: u64, fails: impl Fn(u64) -> bool) {
    let found = (1..=seeds).find(|seed| fails(*seed));
    println!("{defect:?} is found by seed {found:?}");
    assert!(found.is_some(), "{defect:?} is not found within {seeds} seeds");
}

fn in_drawn(kind: Drawn, defect: Defect, seed: u64) -> bool {
    run_planted(&Scenario::draw(seed, kind), defect).is_err()
}

macro_rules! found {
    ($($name:ident: $defect:ident within $seeds:literal of $kind:ident;)*) => {$(
        #[test]
        fn $name() {
            find(Defect::$defect, $seeds, |seed| in_drawn(Drawn::$kind, Defect::$defect, seed));
        }
    )*};
}

/// Not by the first seeds: in the run of the second a full token spins, for a minute of processor time.
#[test]
fn a_token_to_be_passed_on() {
    find(Defect::PassedOnTaken, 20, |seed| in_drawn(Drawn::Ring, Defect::PassedOnTaken, seed + 2));
}

macro_rules! found_in_calm {
    ($($name:ident: $defect:ident within $seeds:literal by $test:path;)*) => {$(
        #[test]
        fn $name() {
            let fails = |seed| catch_unwind(AssertUnwindSafe(|| $test(seed, Some(Defect::$defect)))).is_err();
            find(Defect::$defect, $seeds, fails);
        }
    )*};
}

found! {
    a_token_taken_twice: DoubleTaken within 20 of Ring;
    a_smaller_ring_taken: SmallerRingTaken within 40 of Ring;
    a_skip_that_keeps_the_name: SkipKeepsName within 40 of Ring;
    a_retry_as_a_hop: RetryCountsAsHop within 20 of Ring;
    no_claim: NeverClaims within 40 of Ring;
    nobody_looks: NeverLooks within 20 of Ring;
    both_give_way: BothGiveWay within 40 of Ring;
    acknowledged_early: TakenEarly within 10 of Ring;
    no_rewind: NeverRewinds within 80 of Ring;
    a_sink_that_stays_away: SinkStaysAway within 40 of Ring;
    a_share_ignored: ShareIgnored within 80 of Ring;
    a_rest_forgotten: RestForgotten within 10 of Ring;
    a_former_life: LifeKept within 100 of Ring;
    a_poll_that_acknowledges_early: PollAcknowledgesEarly within 5 of Polling;
    a_poll_without_rewind: PollNeverRewinds within 40 of Polling;
    a_peer_given_up: PeerNeverTriedAgain within 10 of Polling;
    a_silence_borne: SilenceBorne within 10 of Polling;
    a_note_of_what_was_sent: NotesWhatWasSent within 5 of Polling;
    more_than_is_durable: SaysMoreThanDurable within 5 of Polling;
    a_read_without_end: ReadNeverEnds within 5 of Polling;
    a_round_at_once: RoundAtOnce within 2 of Polling;
    a_store_that_confirms_early: StoreConfirmsEarly within 5 of Polling;
    a_store_that_appends_early: StoreAppendsEarly within 5 of Polling;
    a_store_that_skips: StoreSkipsOne within 5 of Polling;
}

found_in_calm! {
    a_hasty_skip: SkippedAtOnce within 5 by calm::broken_links_cost_no_place;
    a_hasty_standby: StandbyAtOnce within 5 by calm::standby_waits_and_gives_way;
    one_piece_a_round: OnePieceARound within 2 by calm::a_backlog_comes_at_once;
}
