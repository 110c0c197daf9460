//! Seeds full of faults, and that one seed gives one run.

use super::*;
use crate::proto::contract::for_seeds;

fn log_of(scenario: &Scenario) -> Vec<u8> {
    let mut log = LogTo::new(Vec::new());
    let outcome = run(scenario, &mut log);
    log.write(std::time::Duration::ZERO, &format!("{outcome:?}"));
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

fn runs_well(seed: u64, kind: Drawn) {
    if let Err(failure) = run(&Scenario::draw(seed, kind), &mut Nobody) {
        panic!("{failure}");
    }
}

#[test]
fn seeds_of_polling() {
    for_seeds(200, |seed| runs_well(seed, Drawn::Polling));
}

#[test]
fn seeds_of_rings() {
    for_seeds(200, |seed| runs_well(seed, Drawn::Ring));
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
