//! Retention by age and by size, and what consumers still want.

use std::time::Duration;

use super::*;
use crate::model::RoundRecord;

fn by_age(seconds: u64) -> Retention {
    Retention { max_age: Some(Duration::from_secs(seconds)), ..Retention::default() }
}

/// Retains until there is no more to drop; gives the sums.
fn retain(store: &mut Store, policy: &Retention, now: WallTime) -> RetentionReport {
    let mut sum = RetentionReport::default();
    for _ in 0..10_000 {
        let report = store.retain(policy, now).unwrap();
        store.commit().unwrap();
        sum.readings += report.readings;
        sum.rounds += report.rounds;
        sum.bytes = report.bytes;
        if let Some(range) = report.untaken {
            let first = sum.untaken.map_or(range.first, |known| known.first);
            sum.untaken = Some(SeqRange { first, last: range.last });
        }
        if !report.more {
            spans_are_right(store);
            return sum;
        }
    }
    panic!("there was more to drop for ever");
}

/// The places held of journal `journal`: first, last, count.
fn held(dir: &Path, journal: u64) -> (u64, u64, usize) {
    let all = everything(dir);
    let places: Vec<u64> = all.keys().filter(|key| key.1 == journal).map(|key| key.2).collect();
    (places.first().copied().unwrap_or(0), places.last().copied().unwrap_or(0), places.len())
}

#[test]
fn collected_readings_fall_by_age_and_stay_dense() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    take(&mut store, "pi-1", 1, 1, 1000);
    take(&mut store, "pi-2", 2, 1, 100);
    let report = retain(&mut store, &by_age(300), at_s(1000));
    // Spans of 16: 1 to 688 end before second 700, 689 to 704 does not.
    assert_eq!((report.readings, report.untaken), (788, None));
    assert_eq!(held(dir.path(), 1), (689, 1000, 312));
    assert_eq!(held(dir.path(), 2), (0, 0, 0));
    // The cursor stays where it was: nothing comes a second time.
    assert_eq!(take(&mut store, "pi-2", 2, 90, 20).duplicates, 11);
    store.close().unwrap();
    let mut store = open(dir.path());
    assert_eq!(take(&mut store, "pi-2", 2, 90, 20).duplicates, 20);
    spans_are_right(&store);
    // Nor is what is too old taken in for good: the nine new ones of second 101 to 109 go again.
    assert_eq!(retain(&mut store, &by_age(300), at_s(1000)).readings, 9);
    assert_eq!(retain(&mut store, &by_age(300), at_s(1000)).readings, 0);
}

#[test]
fn own_readings_wait_for_every_consumer() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    append(&mut store, 1000);
    store.commit().unwrap();
    // Nobody takes from it yet: whoever comes shall find everything.
    assert_eq!(retain(&mut store, &by_age(10), at_s(5000)).readings, 0);
    store.note_consumer("sink", Seq(900), at_s(5000)).unwrap();
    store.note_consumer("uplink", Seq(330), at_s(5000)).unwrap();
    assert_eq!(retain(&mut store, &by_age(10), at_s(5000)).readings, 320);
    assert_eq!(store.read_own(Seq::ZERO, 5).unwrap().first, Seq(321));
    store.forget_consumer("uplink").unwrap();
    assert_eq!(retain(&mut store, &by_age(10), at_s(5000)).readings, 896 - 320);
    assert_eq!(held(dir.path(), 0xa), (897, 1000, 104));
}

#[test]
fn a_sinks_own_readings_fall_with_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    append(&mut store, 1000);
    take(&mut store, "pi-1", 1, 1, 1000);
    store.commit().unwrap();
    let policy = Retention { sink: true, ..by_age(10) };
    assert_eq!(retain(&mut store, &policy, at_s(5000)).readings, 2000);
    assert_eq!(append(&mut store, 1), Seq(1001));
    store.commit().unwrap();
    let piece = store.read_own(Seq::ZERO, 9).unwrap();
    assert_eq!((piece.first, piece.boot, piece.pack.len()), (Seq(1001), BootId(1), 1));
}

#[test]
fn beyond_the_bytes_the_untaken_goes_last_and_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    append(&mut store, 36_000);
    take(&mut store, "pi-1", 1, 1, 8_000);
    store.commit().unwrap();
    store.note_consumer("sink", Seq(1000), at_s(0)).unwrap();
    let policy = Retention { max_bytes: Some(1 << 20), ..Retention::default() };
    let report = retain(&mut store, &policy, at_s(100));
    assert!(report.bytes <= 1 << 20, "{}", report.bytes);
    assert_eq!(store.bytes().unwrap(), report.bytes);
    assert_eq!(held(dir.path(), 1).2, 0, "what is collected goes first");
    let (first, last, count) = held(dir.path(), 0xa);
    assert_eq!((last, count as u64), (36_000, 36_001 - first));
    assert!((5_000..20_000).contains(&first), "{first}");
    let lost = SeqRange { first: Seq(1001), last: Seq(first - 1) };
    assert_eq!(report.untaken, Some(lost));
    let stats = Reader::open(dir.path()).unwrap().stats().unwrap();
    assert_eq!(stats.sources[1].dropped_untaken, first - 1001);
    let rows: i64 = store.db.query_row("SELECT count(*) FROM dropped", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 1, "neighbours are one row");
    // Space is used again: as much once more makes the file no larger.
    let before = std::fs::metadata(store.path()).unwrap().len();
    append(&mut store, 10_000);
    store.commit().unwrap();
    assert!(store.bytes().unwrap() > 1 << 20);
    store.db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    assert_eq!(std::fs::metadata(store.path()).unwrap().len(), before);
}

#[test]
fn rounds_fall_with_the_readings_but_the_count_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    for number in 1..=100 {
        let down = if (20..60).contains(&number) { vec![name("pi-1")] } else { vec![] };
        let time = at_s(number as i64);
        store
            .add_round(&RoundRecord {
                number,
                time,
                mono: mono_s(number as i64),
                nodes: 1,
                answered: 1,
                down,
            })
            .unwrap();
    }
    assert_eq!(retain(&mut store, &by_age(50), at_s(100)).rounds, 49);
    let rounds = Reader::open(dir.path()).unwrap().rounds(&Filter::default()).unwrap();
    assert_eq!((rounds.len(), rounds[0].number), (51, 50));
    assert_eq!(rounds.iter().filter(|round| round.down == [name("pi-1")]).count(), 10);
    assert_eq!(retain(&mut store, &by_age(1), at_s(10_000)).rounds, 50);
    store.close().unwrap();
    let store = open(dir.path());
    assert_eq!(store.last_round(), 100);
    let rows: i64 = store.db.query_row("SELECT count(*) FROM round_down", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 0);
}

#[test]
fn rounds_older_than_every_reading_fall_with_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    for number in 1..=30 {
        let round = RoundRecord {
            number,
            time: at_s(number as i64 * 1000),
            mono: mono_s(number as i64 * 1000),
            nodes: 0,
            answered: 0,
            down: vec![],
        };
        store.add_round(&round).unwrap();
    }
    append(&mut store, 36_000);
    store.commit().unwrap();
    let policy = Retention { max_bytes: Some(1 << 20), sink: true, ..Retention::default() };
    let report = retain(&mut store, &policy, at_s(36_000));
    let first = held(dir.path(), 0xa).0;
    assert_eq!((report.rounds, report.untaken), ((first - 1) / 1000, None));
    assert!(report.rounds > 5);
}

#[test]
fn what_was_undone_is_not_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    take(&mut store, "pi-1", 1, 1, 40);
    store.commit().unwrap();
    assert_eq!(store.retain(&by_age(1), at_s(5000)).unwrap().readings, 40);
    store.roll_back();
    assert_eq!(held(dir.path(), 1), (1, 40, 40));
    assert_eq!(take(&mut store, "pi-1", 1, 41, 40).new, 40);
    store.commit().unwrap();
    spans_are_right(&store);
    assert_eq!(held(dir.path(), 1).2, 80);
}
