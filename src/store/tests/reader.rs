//! Reading beside the writer.

use std::thread;

use super::*;

fn count(reader: &Reader, filter: &Filter) -> u64 {
    reader.readings(filter, |_| Ok::<_, StoreError>(())).unwrap()
}

#[test]
fn filters_choose() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    take(&mut store, "pi-1", 1, 1, 1000);
    take(&mut store, "pi-2", 2, 1, 1000);
    store.commit().unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(count(&reader, &Filter::default()), 2000);
    // Each edge: `since` belongs to it, `until` does not.
    let times = Filter { since: Some(at_s(101)), until: Some(at_s(200)), ..Filter::default() };
    assert_eq!(count(&reader, &times), 2 * 99);
    assert_eq!(reader.stretches(&times).unwrap().len(), 2 * 7, "spans of 16: from 97 to 208");
    let node = Filter { nodes: vec![name("pi-2")], ..times.clone() };
    assert_eq!(count(&reader, &node), 99);
    let quantity = Filter { quantities: vec!["temperature".into()], ..node.clone() };
    assert_eq!(count(&reader, &quantity), 49);
    let chip = Filter { chips: vec!["bme280-76".into()], ..Filter::default() };
    assert_eq!(count(&reader, &chip), 0);
}

#[test]
fn cursors_say_how_far_each_journal_is_held_once_it_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    take(&mut store, "pi-1", 1, 1, 10);
    store.commit().unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    let held = |journal: u64| {
        let cursors = reader.cursors().unwrap();
        cursors.into_iter().find(|(id, _)| *id == JournalId(journal)).map(|(_, seq)| seq)
    };
    assert_eq!((held(1), held(2)), (Some(Seq(10)), None));
    take(&mut store, "pi-1", 1, 11, 5);
    take(&mut store, "pi-2", 2, 1, 3);
    append(&mut store, 4);
    assert_eq!((held(1), held(2)), (Some(Seq(10)), None), "not before it is committed");
    store.commit().unwrap();
    assert_eq!((held(1), held(2)), (Some(Seq(15)), Some(Seq(3))));
    assert_eq!(held(store.own().journal.0), Some(Seq(4)));
}

#[test]
fn series_are_sorted_by_time_and_apart_by_journal() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    take(&mut store, "pi-1", 1, 1, 50);
    take(&mut store, "pi-1", 2, 1, 10);
    // Another boot, with a clock that was set back.
    let mut back = Readings { boot: BootId(8), ..piece("pi-1", 2, 11, 1) };
    back.pack.readings[0].time = at_s(-100);
    take_after(&mut store, &back, Seq(10), at_s(0)).unwrap();
    store.commit().unwrap();
    let series = Reader::open(dir.path()).unwrap().series(&Filter::default()).unwrap();
    let keys: Vec<_> =
        series.iter().map(|s| (s.channel.quantity.as_str(), s.journal.0, s.points.len())).collect();
    assert_eq!(
        keys,
        [("humidity", 1, 25), ("humidity", 2, 6), ("temperature", 1, 25), ("temperature", 2, 5)]
    );
    assert!(series.iter().all(|s| s.points.is_sorted_by_key(|point| point.0)));
    assert_eq!(series[1].points[0], (at_s(-100), value_at(2, 11)));
    assert_eq!(series[0].points[3], (at_s(7), value_at(1, 7)));
}

#[test]
fn an_error_of_the_taker_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    append(&mut store, 10);
    store.commit().unwrap();
    let mut seen = 0;
    let ended = Reader::open(dir.path()).unwrap().readings(&Filter::default(), |_| {
        seen += 1;
        if seen == 3 { Err(StoreError::Refused("enough".into())) } else { Ok(()) }
    });
    assert!(ended.is_err());
    assert_eq!(seen, 3);
}

#[test]
fn readers_see_whole_groups_while_the_writer_writes() {
    const GROUP: u64 = 50;
    const GROUPS: u64 = 60;
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let reading = {
        let path = dir.path().to_path_buf();
        thread::spawn(move || {
            let reader = Reader::open(&path).unwrap();
            let mut last = 0;
            while last < GROUP * GROUPS {
                let now = reader.stats().unwrap().sources[0].readings;
                assert_eq!(now % GROUP, 0, "half a group was seen");
                assert!(count(&reader, &Filter::default()) >= last.max(now));
                assert!(now >= last);
                last = now;
            }
        })
    };
    for _ in 0..GROUPS {
        append(&mut store, GROUP);
        store.commit().unwrap();
    }
    reading.join().unwrap();
}

#[test]
fn a_slow_taker_holds_no_lock_on_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    append(&mut store, 100);
    store.commit().unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    let mut seen = 0;
    reader
        .readings(&Filter::default(), |_| {
            seen += 1;
            // In the midst of giving out: everything in the log can be copied into the file, nobody holds it.
            append(&mut store, 1);
            store.commit()?;
            let left: (i64, i64, i64) =
                store.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.try_into()).unwrap();
            assert_eq!(left, (0, 0, 0));
            Ok::<_, StoreError>(())
        })
        .unwrap();
    assert_eq!(seen, 100);
}

#[test]
fn a_store_without_its_node_is_read_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    append(&mut store, 100);
    store.close().unwrap();
    let before = std::fs::read(dir.path().join(FILE_NAME)).unwrap();
    assert_eq!(count(&Reader::open(dir.path()).unwrap(), &Filter::default()), 100);
    assert_eq!(std::fs::read(dir.path().join(FILE_NAME)).unwrap(), before);
    let nothing = tempfile::tempdir().unwrap();
    assert!(matches!(Reader::open(nothing.path()), Err(StoreError::NotAStore { .. })));
    assert_eq!(std::fs::read_dir(nothing.path()).unwrap().count(), 0, "a reader makes no file");
    // As it is for a moment when a node starts for the first time.
    std::fs::write(nothing.path().join(FILE_NAME), b"").unwrap();
    assert!(matches!(Reader::open(nothing.path()), Err(StoreError::Empty { .. })));
}

#[test]
fn stats_count_without_reading_everything() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    append(&mut store, 3);
    take_after(&mut store, &piece("pi-1", 1, 11, 100), Seq::ZERO, at_s(0)).unwrap();
    store.commit().unwrap();
    let stats = Reader::open(dir.path()).unwrap().stats().unwrap();
    assert_eq!(stats.bytes, store.bytes().unwrap());
    let [pi, sink] = &stats.sources[..] else { panic!("{:?}", stats.sources) };
    assert_eq!((pi.readings, pi.cursor, pi.missing), (100, Seq(110), 10));
    assert_eq!(pi.times, Some((at_s(11), at_s(110))));
    assert!(sink.own && !pi.own);
    assert_eq!((sink.readings, sink.missing, sink.dropped_untaken), (3, 0, 0));
}

#[test]
fn the_views_for_people_print_names_and_times() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let mut early = piece("pi-1", 1, 6, 1);
    early.pack.readings[0].time = WallTime::from_unix_micros(-1);
    take_after(&mut store, &early, Seq::ZERO, at_s(0)).unwrap();
    let late = Readings { boot: BootId(8), ..piece("pi-1", 1, 7, 1) };
    take_after(&mut store, &late, Seq(6), at_s(0)).unwrap();
    store.commit().unwrap();
    let sql =
        "SELECT node || '/' || chip || '/' || quantity, unit, time, value, err, journal, seq FROM readings";
    type Row = (String, String, String, Option<f64>, Option<String>, String, i64);
    let mut statement = store.db.prepare(sql).unwrap();
    let rows: Vec<Row> =
        statement.query_map([], |row| row.try_into()).unwrap().collect::<Result<_, _>>().unwrap();
    let name = |quantity: &str| format!("pi-1/sht3x-44/{quantity}");
    let id = || "0000000000000001".to_string();
    assert_eq!(
        rows,
        [
            (
                name("temperature"),
                "Cel".into(),
                "1969-12-31T23:59:59.999999Z".into(),
                Some(1000.75),
                None,
                id(),
                6
            ),
            (
                name("humidity"),
                "%RH".into(),
                "2026-01-20T00:00:07.000000Z".into(),
                None,
                Some("node_down".into()),
                id(),
                7
            ),
        ]
    );
}
