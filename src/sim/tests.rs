//! Seeds full of faults, calm worlds, planted defects, and that one seed gives one run. `PISINK_SEED=n` runs one seed
//! of a test again; its log is to be had by `pisink soak --role ring --from n --log -`.

use std::time::Duration;

use super::*;
use crate::proto::contract::for_seeds;

mod calm;
mod dates;
mod defects;

fn log_of(scenario: &Scenario) -> Vec<u8> {
    let mut log = LogTo::new(Vec::new());
    let outcome = run(scenario, &mut log);
    log.write(Duration::ZERO, &format!("{outcome:?}"));
    log.finish().unwrap()
}

#[test]
fn one_seed_gives_one_log_byte_for_byte() {
    for kind in [Drawn::Polling, Drawn::Ring] {
        let logs: Vec<Vec<u8>> = (1..4).map(|seed| log_of(&Scenario::draw(seed, kind))).collect();
        let again: Vec<Vec<u8>> = (1..4).map(|seed| log_of(&Scenario::draw(seed, kind))).collect();
        assert!(logs == again, "{kind}");
        assert!(logs[0] != logs[1] && logs[0].len() > 10_000, "{kind}");
    }
}

/// A run that fails is told with what brings it about.
fn runs_well(seed: u64, kind: Drawn) {
    let scenario = Scenario::draw(seed, kind);
    if let Err(failure) = run(&scenario, &mut Nobody) {
        let smaller = shrink(&scenario).map(|(smaller, _)| write_faults(&smaller.faults));
        panic!(
            "{failure}\n  again: pisink soak --role {kind} --from {seed} --log -\n  smallest: --faults '{}'",
            smaller.unwrap_or_default()
        );
    }
}

/// The gate's seeds, in parts that run beside one another.
macro_rules! seeds {
    ($($name:ident: $kind:ident, $count:literal from $from:literal;)*) => {$(
        #[test]
        fn $name() {
            // The part begins after the seeds of those before it.
            for_seeds($count, |seed| runs_well(seed + if is_one_seed() { 0 } else { $from }, Drawn::$kind));
        }
    )*};
}

/// A seed that the environment names is meant as it stands.
fn is_one_seed() -> bool {
    std::env::var_os("PISINK_SEED").is_some()
}

seeds! {
    polling_seeds_1: Polling, 400 from 0;
    polling_seeds_2: Polling, 400 from 400;
    ring_seeds_1: Ring, 400 from 0;
    ring_seeds_2: Ring, 400 from 400;
    ring_seeds_3: Ring, 400 from 800;
}

#[test]
fn a_drawn_fault_list_is_read_as_it_is_written() {
    for seed in 1..200 {
        for kind in [Drawn::Polling, Drawn::Ring] {
            let scenario = Scenario::draw(seed, kind);
            assert_eq!(scenario.check(), Ok(()));
            assert_eq!(read_faults(&write_faults(&scenario.faults)).as_ref(), Ok(&scenario.faults));
        }
    }
}

#[test]
fn a_failure_is_made_as_small_as_it_gets() {
    let mut scenario = Scenario::draw(3, Drawn::Ring);
    scenario.faults = read_faults("pause 1@1s..2s; kill sink@3s..9s; break any@4s; full 2@5s..6s").unwrap();
    let fails = |scenario: &Scenario| {
        let is_killed = scenario.faults.iter().any(|fault| matches!(fault.fault, Fault::Kill(_)));
        let violation = || Violation {
            invariant: Invariant::Heals,
            at: Duration::ZERO,
            what: scenario.faults.len().to_string(),
            seed: scenario.seed,
        };
        is_killed.then(violation)
    };
    let (smaller, violation) = shrink::shrink_with(&scenario, fails).unwrap();
    assert_eq!(
        (write_faults(&smaller.faults).as_str(), violation.what.as_str()),
        ("kill sink@3s..3093ms", "1")
    );
    assert_eq!(shrink::shrink_with(&scenario, |_| None), None);
}
