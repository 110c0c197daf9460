//! Rounds of several sinks: kept apart, shown together.

use super::*;
use crate::model::{BootId, ClockLink, RoundRecord};

fn round(number: u64, second: i64, nodes: u32, down: &[&str]) -> RoundRecord {
    RoundRecord {
        number,
        time: at_s(second),
        mono: mono_s(second),
        nodes,
        answered: nodes - u32::try_from(down.len()).unwrap(),
        down: down.iter().map(|node| name(node)).collect(),
    }
}

/// A sink with rounds, that has met `nodes`.
fn sink(dir: &Path, node: &str, journal: u64, nodes: &[(&str, u64)], rounds: &[RoundRecord]) -> Store {
    let mut store = make(dir, node, journal);
    for (node, journal) in nodes {
        give(&mut store, node, *journal, 1, 3);
        let link = ClockLink {
            boot: BootId(7),
            mono: mono_s(1),
            here: mono_s(1),
            error: std::time::Duration::from_millis(1),
        };
        store.note_link(&name(node), JournalId(*journal), &link).unwrap();
    }
    rounds.iter().for_each(|round| store.add_round(round).unwrap());
    store.commit().unwrap();
    store
}

fn shown(dir: &Path) -> Vec<(u64, i64, Vec<String>)> {
    let rounds = Reader::open(dir).unwrap().rounds(&Filter::default()).unwrap();
    let second = |round: &RoundRecord| (round.time.as_unix_micros() - DAY) / 1_000_000;
    rounds
        .iter()
        .map(|round| (round.number, second(round), round.down.iter().map(ToString::to_string).collect()))
        .collect()
}

#[test]
fn one_sink_after_the_other_gives_rounds_in_order_of_time_and_the_count_goes_on() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first: Vec<_> =
        (1..=8).map(|n| round(n, n as i64 * 10, 2, if n > 5 { &["pi-1"] } else { &[] })).collect();
    let mut into = sink(a.path(), "sink", 0xa, &[("pi-1", 1)], &first);
    let second: Vec<_> = (1..=5).map(|n| round(n, 500 + n as i64 * 10, 2, &["sink"])).collect();
    let mut from = sink(b.path(), "standby", 0xb, &[("pi-1", 1)], &second);
    assert_eq!(merge(&mut into, b.path()).rounds, 5);
    assert_eq!(into.last_round(), 8);
    into.add_round(&round(9, 900, 2, &["pi-1"])).unwrap();
    into.commit().unwrap();
    // The standby had one more, in which the outage ended.
    from.add_round(&round(6, 560, 2, &[])).unwrap();
    from.commit().unwrap();
    assert_eq!(merge(&mut into, b.path()).rounds, 1);
    is_right(&into);
    let shown = shown(a.path());
    let numbers: Vec<_> = shown.iter().map(|(number, second, _)| (*number, *second)).collect();
    let want = (1..=8).map(|n| (n, n as i64 * 10)).chain((1..=6).map(|n| (n, 500 + n as i64 * 10)));
    assert_eq!(numbers, want.chain([(9, 900)]).collect::<Vec<_>>());
    let down: Vec<_> = shown.iter().map(|(.., down)| down.join(" ")).collect();
    assert_eq!(
        down,
        ["", "", "", "", "", "pi-1", "pi-1", "pi-1", "sink", "sink", "sink", "sink", "sink", "", "pi-1"]
    );
    into.close().unwrap();
    assert_eq!(make(a.path(), "sink", 0xa).last_round(), 9);
}

#[test]
fn who_answered_the_sink_of_the_other_partition_was_not_down() {
    let (a, b, all) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // Both ask all; from round 3 to 5 the site is cut in two; pi-3 is dead from round 4 on. pi-9 answers nobody.
    let left = [&["pi-9"][..], &["pi-9"], &["pi-2", "pi-3", "pi-9", "right"]];
    let right = [&["pi-9"][..], &["pi-9"], &["left", "pi-1", "pi-9"], &["left", "pi-1", "pi-3", "pi-9"]];
    let rounds = |sets: &[&[&str]], shift: i64| -> Vec<RoundRecord> {
        let set = |n: usize| *sets.get(n).or(sets.last()).unwrap();
        (0..5).map(|n| round(n as u64 + 1, 10 * n as i64 + shift, 6, set(n))).collect()
    };
    let nodes = [("pi-1", 1), ("pi-2", 2), ("pi-3", 3)];
    sink(a.path(), "left", 0xa, &nodes, &rounds(&left, 0)).close().unwrap();
    sink(b.path(), "right", 0xb, &nodes, &rounds(&right, 3)).close().unwrap();
    let mut into = open_into(all.path());
    merge(&mut into, a.path());
    merge(&mut into, b.path());
    let shown = shown(all.path());
    assert_eq!(shown.len(), 10);
    assert!(shown.is_sorted_by_key(|(_, second, _)| *second));
    for (number, second, down) in &shown {
        let want = if *number < 4 { "pi-9" } else { "pi-3 pi-9" };
        assert_eq!(down.join(" "), want, "round {number} at {second} s");
    }
    let answered: Vec<u32> = Reader::open(all.path())
        .unwrap()
        .rounds(&Filter::default())
        .unwrap()
        .iter()
        .map(|r| r.answered)
        .collect();
    assert_eq!(answered, [5, 5, 5, 5, 5, 5, 4, 4, 4, 4]);
    let has_collected = |dir: &Path| Reader::open(dir).unwrap().has_rounds().unwrap();
    assert_eq!((has_collected(a.path()), has_collected(all.path())), (true, false));
    // The record itself keeps what each sink saw.
    let rows: i64 = into.db.query_row("SELECT count(*) FROM round_down", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 8);
}

#[test]
fn rounds_of_each_sink_fall_by_age() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let many = |from: i64| (1..=8).map(|n| round(n, from + n as i64 * 10, 2, &["x"])).collect::<Vec<_>>();
    let mut into = sink(a.path(), "sink", 0xa, &[], &many(1000));
    sink(b.path(), "standby", 0xb, &[], &many(0)).close().unwrap();
    merge(&mut into, b.path());
    let policy = crate::store::Retention {
        max_age: Some(std::time::Duration::from_secs(1000)),
        sink: true,
        ..Default::default()
    };
    into.retain(&policy, at_s(2035)).unwrap();
    into.commit().unwrap();
    let numbers: Vec<_> = shown(a.path()).iter().map(|(number, second, _)| (*number, *second)).collect();
    assert_eq!(numbers, [(8, 80), (4, 1040), (5, 1050), (6, 1060), (7, 1070), (8, 1080)]);
}
