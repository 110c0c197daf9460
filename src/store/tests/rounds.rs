//! Rounds and outages.

use proptest::prelude::*;

use super::*;
use crate::model::RoundRecord;

fn round(number: u64, down: &[&str]) -> RoundRecord {
    RoundRecord {
        number,
        time: at_s(number as i64),
        mono: mono_s(number as i64),
        nodes: 3,
        answered: 3 - u32::try_from(down.len()).unwrap(),
        down: down.iter().map(|node| name(node)).collect(),
    }
}

#[test]
fn an_outage_is_one_row_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let rounds = [
        round(1, &[]),
        round(2, &["pi-2"]),
        round(3, &["pi-1", "pi-2"]),
        round(4, &["pi-2"]),
        round(5, &[]),
        round(6, &["pi-2"]),
    ];
    for (number, round) in rounds.iter().enumerate() {
        store.add_round(round).unwrap();
        if number % 2 == 0 {
            store.close().unwrap();
            store = open(dir.path());
        }
    }
    store.commit().unwrap();
    assert_eq!(store.last_round(), 6);
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.rounds(&Filter::default()).unwrap(), rounds);
    let some = Filter { since: Some(at_s(3)), until: Some(at_s(5)), ..Filter::default() };
    assert_eq!(reader.rounds(&some).unwrap(), rounds[2..4]);
    let rows: i64 = store.db.query_row("SELECT count(*) FROM round_down", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 3);
}

#[test]
fn a_round_that_was_there_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.add_round(&round(4, &[])).unwrap();
    for number in [0, 3, 4, u64::MAX] {
        assert!(store.add_round(&round(number, &[])).unwrap_err().is_refusal());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn rounds_come_back_as_they_went_in(
        steps in proptest::collection::vec((0u8..8, 0u8..4), 1..60)
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path());
        let (mut committed, mut working) = (Vec::new(), Vec::new());
        for (down, then) in steps {
            let names = ["a", "b", "c"];
            let down: Vec<&str> = (0..3).filter(|bit| down >> bit & 1 == 1).map(|bit| names[bit]).collect();
            let next = round(store.last_round() + 1, &down);
            store.add_round(&next).unwrap();
            working.push(next);
            match then {
                0 => { store.commit().unwrap(); committed = working.clone(); }
                1 => { store.roll_back(); working = committed.clone(); }
                2 => { drop(store); store = open(dir.path()); working = committed.clone(); }
                _ => {}
            }
        }
        store.close().unwrap();
        prop_assert_eq!(Reader::open(dir.path()).unwrap().rounds(&Filter::default()).unwrap(), working);
    }
}
