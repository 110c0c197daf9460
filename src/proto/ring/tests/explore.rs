//! Every order of everything, for three machines and a few faults. Where the seeds of `faults` draw what happens, this
//! tries all of it: messages in any order that TCP allows, each fault at each moment, its end at each moment after.
//! docs/ring.md says what that comes to. The environment's `PISINK_EXPLORE` makes it go deeper: so many states of
//! each fault, and of each two faults one after the other.

use super::*;

mod action;
mod print;
mod search;
mod site;

use action::Fault;
use search::{Broken, Scope, Seen, search};
use site::Site;

/// Machines in a search.
const HOSTS: usize = 3;
/// States that a search of the gate looks at.
const STATES: usize = 6_000;
/// The same where that is too few to come to the end.
const LONGER_STATES: usize = 3_000;
/// A fault that ends has ended after so long: others have skipped the host by then, or claimed.
const TROUBLE_MAX: Duration = Duration::from_millis(1_500);

const FAULTS: [Fault; 8] = [
    Fault::Late,
    Fault::Reset,
    Fault::Vanish,
    Fault::Hold,
    Fault::Kill,
    Fault::PowerOff,
    Fault::Pause,
    Fault::Cut,
];

impl Site {
    /// Three machines that have just started.
    fn cold(defect: Option<Defect>) -> Self {
        Self::new(HOSTS, None, defect)
    }

    /// A ring that has gone round for a while.
    fn calm(defect: Option<Defect>) -> Self {
        let mut site = Self::new(HOSTS, Some(0), defect);
        while !site.is_calm() {
            let action = site.actions(None).into_iter().next().expect("something happens");
            site.step(action).expect("nothing is broken without a fault");
        }
        site.calm_visits = 0;
        site
    }

    /// The token has gone round twice, and nothing was out of order.
    fn is_calm(&self) -> bool {
        self.calm_visits >= 2 * self.living().count()
    }
}

fn explore(first: &Site, faults: &[Fault], states_max: usize) -> Result<Seen, Box<Broken>> {
    let result = search(first, &Scope { faults, trouble_max: TROUBLE_MAX, states_max });
    let seen = result.as_ref().map_or_else(|broken| broken.seen, |seen| *seen);
    println!("{faults:?}: {seen:?}");
    result
}

/// Nothing is broken in what the gate looks at.
fn holds(first: &Site, faults: &[Fault]) -> Seen {
    explore(first, faults, STATES).unwrap_or_else(|broken| panic!("{broken:?}"))
}

macro_rules! all_of {
    ($($name:ident: $faults:expr;)*) => {$(
        #[test]
        fn $name() {
            let seen = holds(&Site::calm(None), &$faults);
            assert!(seen.is_all && seen.ends > 0, "{seen:?}");
        }
    )*};
}

all_of! {
    a_message_is_late: [Fault::Late];
    a_connection_breaks: [Fault::Reset];
    a_connection_vanishes: [Fault::Vanish];
    a_connection_is_held_up: [Fault::Hold];
}

#[test]
fn three_machines_start() {
    let seen = holds(&Site::cold(None), &[]);
    assert!(seen.is_all && seen.ends > 0, "{seen:?}");
}

/// More than the gate has time for: only so much of it.
#[test]
fn some_of_the_longer_faults() {
    for faults in
        [&[Fault::Cut][..], &[Fault::Kill], &[Fault::PowerOff], &[Fault::Pause], &[Fault::Late, Fault::Late]]
    {
        explore(&Site::calm(None), faults, LONGER_STATES).unwrap_or_else(|broken| panic!("{broken:?}"));
    }
}

#[test]
fn deeper() {
    let Ok(states) = std::env::var("PISINK_EXPLORE") else { return };
    let states: usize = states.parse().expect("PISINK_EXPLORE is a number of states");
    let first = Site::calm(None);
    let one = FAULTS.iter().map(|fault| vec![*fault]);
    let two = FAULTS.iter().flat_map(|first| FAULTS.iter().map(|second| vec![*first, *second]));
    let broken: Vec<_> = one.chain(two).filter_map(|faults| explore(&first, &faults, states).err()).collect();
    assert!(broken.is_empty(), "{broken:?}");
}

/// A planted defect is found within so many states.
fn finds(defect: Defect, fault: Fault, states: usize) {
    let result = explore(&Site::calm(Some(defect)), &[fault], states);
    assert!(result.is_err(), "{defect:?} is not found within {states} states");
}

macro_rules! found {
    ($($name:ident: $defect:ident by $fault:ident within $states:literal;)*) => {$(
        #[test]
        fn $name() {
            finds(Defect::$defect, Fault::$fault, $states);
        }
    )*};
}

found! {
    a_token_taken_twice: DoubleTaken by Late within 50;
    a_smaller_ring_taken: SmallerRingTaken by Pause within 300;
    a_token_to_be_passed_on: PassedOnTaken by Pause within 100;
    a_retry_as_a_hop: RetryCountsAsHop by Late within 100;
    no_claim: NeverClaims by Kill within 8_000;
    nobody_looks: NeverLooks by Kill within 500;
}
