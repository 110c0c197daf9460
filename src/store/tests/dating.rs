//! When readings were taken, as the store works it out: from what nodes say of their clocks, and where clocks met.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::{ClockLink, ClockMark, ClockSample, Dated, RoundRecord, TimeSource};

const HOUR_S: i64 = 3600;

fn mark(mono_seconds: i64, wall: WallTime, synced_ms: Option<u64>) -> ClockMark {
    ClockMark { mono: mono_s(mono_seconds), wall, synced: synced_ms.map(Duration::from_millis) }
}

fn in_1970(seconds: i64) -> WallTime {
    WallTime::from_unix_micros(seconds * 1_000_000)
}

fn link(boot: u128, mono_seconds: i64, here_seconds: i64) -> ClockLink {
    let error = Duration::from_millis(2);
    ClockLink { boot: BootId(boot), mono: mono_s(mono_seconds), here: mono_s(here_seconds), error }
}

/// Readings `first..first + len` of `boot`, one a second from `mono` on; the wall clock began with the boot, in 1970.
fn early(node: &str, boot: u128, first: u64, len: u64, mono: i64) -> Readings {
    let mut piece = Readings { boot: BootId(boot), ..piece(node, 1, first, len) };
    for (at, reading) in (mono..).zip(&mut piece.pack.readings) {
        (reading.mono, reading.time) = (mono_s(at), in_1970(at));
    }
    piece
}

fn open_in_boot(dir: &Path, boot: u128) -> Store {
    Store::open(dir, &OpenParams { boot: BootId(boot), ..params("sink", 0xa) }).unwrap().0
}

fn dates(dir: &Path, node: &str) -> Vec<Dated> {
    let mut dates = Vec::new();
    let filter = Filter { nodes: vec![name(node)], ..Filter::default() };
    let each = |row: &ExportRow<'_>| {
        dates.push(row.dated);
        Ok::<_, StoreError>(())
    };
    Reader::open(dir).unwrap().readings(&filter, each).unwrap();
    dates
}

fn times_s(dir: &Path, node: &str) -> Vec<i64> {
    dates(dir, node).iter().map(|dated| (dated.time.as_unix_micros() - DAY).div_euclid(1_000_000)).collect()
}

fn number(value: rusqlite::types::ValueRef<'_>) -> f64 {
    value.as_i64().map_or_else(|_| value.as_f64().unwrap(), |number| number as f64)
}

fn count(store: &Store, what: &str) -> i64 {
    store.db.query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn a_node_in_1970_is_dated_by_the_sink_that_met_it_also_after_a_reboot() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.note_mark(&mark(100, at_s(100), Some(5))).unwrap();
    // It booted at second 50 of the day, is met twice, and reboots before its readings are taken.
    for seconds in [10, 1000] {
        store.note_link(&name("pi-1"), JournalId(1), &link(7, seconds, 50 + seconds)).unwrap();
    }
    store.note_link(&name("pi-1"), JournalId(1), &link(8, 3, 2003)).unwrap();
    take_after(&mut store, &early("pi-1", 7, 1, 20, 500), Seq::ZERO, at_s(3000)).unwrap();
    take_after(&mut store, &early("pi-1", 8, 21, 5, 5), Seq(20), at_s(3000)).unwrap();
    store.commit().unwrap();
    spans_are_right(&store);
    let want: Vec<i64> = (550..570).chain(2005..2010).collect();
    assert_eq!(times_s(dir.path(), "pi-1"), want);
    let dated = dates(dir.path(), "pi-1");
    assert!(dated.iter().all(|dated| dated.source == TimeSource::Sink));
    assert!(dated.iter().all(|dated| dated.error.is_some_and(|error| error < Duration::from_millis(25))));
    // As stamped, they are still what the node believed.
    let stamped: i64 =
        store.db.query_row("SELECT node_time_us FROM readings WHERE seq = 1", [], |row| row.get(0)).unwrap();
    assert_eq!(stamped, 500_000_000);
}

#[test]
fn what_is_learned_later_dates_what_is_stored_already() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.note_mark(&mark(10, in_1970(10), None)).unwrap();
    let (first, second) = (early("pi-1", 7, 1, 20, 500), early("pi-2", 9, 1, 20, 20));
    take_after(&mut store, &first, Seq::ZERO, in_1970(600)).unwrap();
    take_after(&mut store, &Readings { journal: JournalId(2), ..second }, Seq::ZERO, in_1970(600)).unwrap();
    let round = |number, mono, time| RoundRecord { number, time, mono, nodes: 1, answered: 1, down: vec![] };
    store.add_round(&round(1, mono_s(600), in_1970(600))).unwrap();
    store.commit().unwrap();
    assert!(dates(dir.path(), "pi-1").iter().all(|dated| dated.source == TimeSource::Unknown));
    // It is met while this node, too, believes in 1970: the order between nodes is known.
    store.note_link(&name("pi-1"), JournalId(1), &link(7, 600, 610)).unwrap();
    store.commit().unwrap();
    let unknown = Dated { time: in_1970(510), error: None, source: TimeSource::Unknown };
    assert_eq!(dates(dir.path(), "pi-1")[0], unknown);
    // NTP comes, hours later: all is well, for the one that was met, and for the rounds.
    store.note_mark(&mark(2 * HOUR_S, at_s(2 * HOUR_S), Some(1))).unwrap();
    store.commit().unwrap();
    assert_eq!(times_s(dir.path(), "pi-1"), (510..530).collect::<Vec<_>>());
    assert!(dates(dir.path(), "pi-2").iter().all(|dated| dated.source == TimeSource::Unknown));
    let rounds = Reader::open(dir.path()).unwrap().rounds(&Filter::default()).unwrap();
    assert_eq!(rounds, [round(1, mono_s(600), at_s(600))]);
    // And it is found by those times.
    let some = Filter { since: Some(at_s(520)), until: Some(at_s(525)), ..Filter::default() };
    let series = Reader::open(dir.path()).unwrap().series(&some).unwrap();
    assert_eq!(series.iter().map(|series| series.points.len()).sum::<usize>(), 5);
}

#[test]
fn a_step_of_this_nodes_clock_dates_every_node_it_met_and_survives_a_kill_between() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.note_mark(&mark(0, at_s(20 * 365 * 86_400), None)).unwrap();
    for node in 1..=30u64 {
        let name = name(&format!("pi-{node}"));
        let readings =
            Readings { node: name.clone(), journal: JournalId(100 + node), ..early("pi", 7, 1, 3, 0) };
        take_after(&mut store, &readings, Seq::ZERO, at_s(0)).unwrap();
        store.note_link(&name, JournalId(100 + node), &link(7, 100, 200)).unwrap();
    }
    store.commit().unwrap();
    store.note_mark(&mark(HOUR_S, at_s(HOUR_S), None)).unwrap();
    // As if the bound had left them for the next group, and the process had been killed then.
    let left = std::mem::take(&mut store.stale);
    assert_eq!(left.len(), 31);
    store.commit().unwrap();
    store.db.execute("UPDATE boot SET stale = 1", []).unwrap();
    drop(store);
    let mut store = open(dir.path());
    assert!(times_s(dir.path(), "pi")[0] > 365 * 86_400);
    store.commit().unwrap();
    assert_eq!(times_s(dir.path(), "pi")[..3], [100, 101, 102]);
    assert_eq!(count(&store, "boot WHERE stale = 1"), 0);
}

#[test]
fn marks_are_a_handful_and_a_clock_that_steps_for_ever_has_a_bound() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    for seconds in 0..1000 {
        let wall = at_s(seconds) + Duration::from_micros(seconds.unsigned_abs() % 7 * 1000);
        store.note_mark(&mark(seconds, wall, (seconds >= 500).then_some(8))).unwrap();
    }
    assert_eq!(count(&store, "mark"), 2);
    store.note_mark(&mark(1000, at_s(1000), Some(5))).unwrap();
    assert_eq!(count(&store, "mark"), 2, "not twice as good");
    store.note_mark(&mark(1001, at_s(1001), Some(4))).unwrap();
    store.note_mark(&mark(1002, at_s(1002), None)).unwrap();
    store.note_mark(&mark(1003, at_s(1003) + Duration::from_millis(11), None)).unwrap();
    assert_eq!(count(&store, "mark"), 5);
    for seconds in 2000..3000 {
        store.note_mark(&mark(seconds, at_s(seconds * 2), None)).unwrap();
    }
    assert_eq!((count(&store, "mark"), count(&store, "mark WHERE synced_us > 0")), (256, 2));
    for bad in [mark(-1, at_s(0), None), mark(1 << 40, at_s(0), None), mark(0, in_1970(1 << 40), None)] {
        assert!(store.note_mark(&bad).unwrap_err().is_refusal());
    }
    store.commit().unwrap();
    assert_eq!(count(&store, "dating WHERE boot NOT IN (SELECT id FROM boot)"), 0);
}

#[test]
fn links_on_a_line_are_its_ends_and_the_others_have_a_bound() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    store.note_mark(&mark(0, at_s(0), Some(1))).unwrap();
    let mut note = |mono, here| store.note_link(&name("pi-1"), JournalId(1), &link(7, mono, here));
    for minute in 0..60 {
        note(minute * 60, 100 + minute * 60).unwrap();
    }
    note(10, 2000).unwrap();
    assert!(note(-1, 0).unwrap_err().is_refusal());
    assert_eq!(count(&store, "link"), 2, "from the first to the last, and none that came late");
    for hour in 1..200i64 {
        let here = 100 + hour * 2 * HOUR_S;
        store.note_link(&name("pi-1"), JournalId(1), &link(7, hour * 2 * HOUR_S, here)).unwrap();
    }
    let kept = count(&store, "link");
    assert!((25..=51).contains(&kept), "{kept}");
    assert_eq!(count(&store, "link WHERE mono_us = 0"), 1, "the first one stays");
    let own = store.own().journal;
    assert!(store.note_link(&name("pi-1"), own, &link(7, 1, 1)).unwrap_err().is_refusal());
    // Boots that are known by their clocks alone are forgotten, the oldest first.
    for boot in 100..150 {
        store.note_link(&name("pi-1"), JournalId(1), &link(boot, 1, 1)).unwrap();
    }
    store.commit().unwrap();
    assert_eq!(count(&store, "boot WHERE source <> 1"), 16);
    assert_eq!(count(&store, "link"), 16);
}

#[test]
fn what_a_node_says_of_its_clock_counts_and_stamps_only_without_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let clock = |boot, mark| Some(ClockSample { boot: BootId(boot), received: mono_s(0), mark });
    // It booted in 1970, was synchronised later, and says so with readings of before that.
    let told = Readings { clock: clock(7, mark(900, at_s(900), Some(3))), ..early("pi-1", 7, 1, 3, 10) };
    take_after(&mut store, &told, Seq::ZERO, at_s(1000)).unwrap();
    // It has rebooted since, and remembers how it was in the boot before.
    let remembered = Readings {
        boot: BootId(8),
        clock: clock(9, mark(5, in_1970(5), None)),
        mark: Some(mark(50, at_s(1050), Some(4))),
        ..early("pi-1", 8, 4, 3, 50)
    };
    take_after(&mut store, &remembered, Seq(3), at_s(1000)).unwrap();
    take_after(&mut store, &early("pi-1", 9, 7, 2, 5), Seq(6), at_s(1000)).unwrap();
    store.commit().unwrap();
    assert_eq!(times_s(dir.path(), "pi-1")[..6], [10, 11, 12, 1050, 1051, 1052]);
    let sources: Vec<TimeSource> = dates(dir.path(), "pi-1").iter().map(|dated| dated.source).collect();
    assert_eq!(sources[..6], [TimeSource::Node; 6]);
    assert_eq!(sources[6..], [TimeSource::Unknown; 2]);
    assert_eq!(
        count(&store, "mark WHERE synced_us IS NULL"),
        1,
        "of boot 9: stamps add nothing to what was told"
    );
}

#[test]
fn what_a_node_knows_of_its_earlier_boots_goes_with_their_readings() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open_in_boot(dir.path(), 1);
    append(&mut store, 3);
    store.note_mark(&mark(HOUR_S, at_s(HOUR_S) + Duration::from_secs(7), Some(4))).unwrap();
    store.close().unwrap();
    let mut store = open_in_boot(dir.path(), 2);
    append(&mut store, 3);
    store.commit().unwrap();
    let old = store.read_own(Seq::ZERO, 10).unwrap();
    // 4 ms, and an hour of drift: 1.08 s; in powers of two microseconds.
    let synced = Some(Duration::from_micros(1 << 21));
    let wall = at_s(1) + Duration::from_secs(7);
    assert_eq!((old.boot.0, old.mark), (1, Some(ClockMark { mono: mono_s(1), wall, synced })));
    let new = store.read_own(Seq(3), 10).unwrap();
    assert_eq!((new.boot.0, new.mark), (2, None));
}

#[test]
fn readings_without_monotonic_stamps_keep_their_times() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let mut script = piece("pi-1", 1, 1, 20);
    script.pack.readings.iter_mut().for_each(|reading| reading.mono = Instant::ZERO);
    take_after(&mut store, &script, Seq::ZERO, at_s(0)).unwrap();
    store.commit().unwrap();
    assert_eq!(times_s(dir.path(), "pi-1"), (1..21).collect::<Vec<_>>());
}

#[test]
fn readings_of_a_clock_that_was_never_set_are_left_out_beside_others() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    take_after(&mut store, &early("pi-1", 7, 1, 20, 500), Seq::ZERO, at_s(0)).unwrap();
    store.commit().unwrap();
    let series = || Reader::open(dir.path()).unwrap().series(&Filter::default()).unwrap();
    let alone = series();
    assert_eq!((alone[0].points.len(), alone[0].dates.never_set, alone[0].dates.left_out), (10, 10, 0));
    append(&mut store, 4);
    store.commit().unwrap();
    let [pi, _, sink, _] = &series()[..] else { panic!("two channels of two nodes") };
    assert_eq!((pi.points.len(), pi.dates.never_set, pi.dates.left_out), (0, 10, 10));
    assert_eq!((sink.points.len(), sink.dates.node, sink.dates.error_max), (2, 2, None));
}

#[test]
fn readings_of_1970_are_not_dropped_as_old_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let policy = Retention { max_age: Some(Duration::from_secs(3600)), sink: true, ..Retention::default() };
    let retain = |store: &mut Store, now| {
        let dropped = store.retain(&policy, now).unwrap().readings;
        store.commit().unwrap();
        dropped
    };
    // While the sink's own clock is not set either, an hour is an hour.
    take_after(&mut store, &early("pi-1", 7, 1, 32, 500), Seq::ZERO, in_1970(600)).unwrap();
    store.commit().unwrap();
    assert_eq!(retain(&mut store, in_1970(4000)), 0);
    // Then somebody sets it: nobody can say how old they are, and they stay until there is something after them.
    assert_eq!(retain(&mut store, at_s(0)), 0);
    let clock = ClockSample { boot: BootId(8), received: mono_s(0), mark: mark(0, at_s(10), Some(1)) };
    let later = Readings { clock: Some(clock), ..early("pi-1", 8, 33, 16, 5) };
    take_after(&mut store, &later, Seq(32), at_s(20)).unwrap();
    store.commit().unwrap();
    assert_eq!(retain(&mut store, at_s(HOUR_S)), 0);
    assert_eq!(retain(&mut store, at_s(HOUR_S + 31)), 48);
    spans_are_right(&store);
    // A clock that was set wrongly, and of which nothing is known: an hour after they came.
    let mut wrong = piece("pi-2", 2, 1, 16);
    wrong
        .pack
        .readings
        .iter_mut()
        .for_each(|reading| reading.time = reading.time - Duration::from_secs(1 << 22));
    take_after(&mut store, &wrong, Seq::ZERO, at_s(5000)).unwrap();
    store.commit().unwrap();
    assert_eq!(retain(&mut store, at_s(8000)), 0);
    assert_eq!(retain(&mut store, at_s(8601)), 16);
    // What was known of boots goes with their last readings; the next reading's stays.
    assert_eq!((count(&store, "boot"), count(&store, "mark"), count(&store, "dating")), (2, 2, 3));
}

#[test]
fn boots_of_this_node_stay_while_others_are_dated_by_them() {
    let dir = tempfile::tempdir().unwrap();
    for boot in 1..=4 {
        let mut store = open_in_boot(dir.path(), boot);
        store.note_mark(&mark(0, at_s(0), Some(1))).unwrap();
        if boot == 2 {
            take_after(&mut store, &early("pi-1", 7, 1, 16, 500), Seq::ZERO, at_s(0)).unwrap();
            store.note_link(&name("pi-1"), JournalId(1), &link(7, 500, 600)).unwrap();
        }
        store.close().unwrap();
    }
    let mut store = open_in_boot(dir.path(), 5);
    append(&mut store, 1);
    store.retain(&Retention::default(), at_s(0)).unwrap();
    let own = "boot WHERE source = 1";
    assert_eq!(count(&store, own), 2, "boot 2 by the link, and the present one");
    let policy = Retention { max_age: Some(Duration::from_secs(10)), sink: true, ..Retention::default() };
    store.commit().unwrap();
    store.retain(&policy, at_s(9000)).unwrap();
    store.append(&pack("sink", 0xa, 2, 1)).unwrap();
    store.commit().unwrap();
    assert_eq!(
        (count(&store, own), count(&store, "link")),
        (2, 1),
        "the link's boot is still the next reading's"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_views_say_what_the_reader_says(
        marks in proptest::collection::vec((0i64..5000, any::<bool>(), -3_000_000i64..3_000_000), 0..5),
        links in proptest::collection::vec((0i64..5000, -3i64..3), 0..8),
        readings in proptest::collection::vec((0i64..6000, any::<bool>()), 1..40),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path());
        for (mono, is_synced, off_us) in marks {
            let wall = WallTime::from_unix_micros(DAY + mono * 1_000_000 + off_us);
            store.note_mark(&mark(mono, wall, is_synced.then_some(4))).unwrap();
        }
        let mut links = links;
        links.sort_unstable();
        for (mono, off) in links {
            store.note_link(&name("pi-1"), JournalId(1), &link(7, mono, 300 + mono + off)).unwrap();
        }
        let mut piece = Readings { boot: BootId(7), ..piece("pi-1", 1, 1, readings.len() as u64) };
        for (reading, (mono, is_odd)) in piece.pack.readings.iter_mut().zip(&readings) {
            let extreme = if *is_odd { i64::MAX - mono } else { mono * 1_000_123 };
            reading.mono = Instant::from_micros(if *mono == 17 { i64::MIN } else { extreme });
            reading.time = in_1970(*mono);
        }
        take_after(&mut store, &piece, Seq::ZERO, at_s(0)).unwrap();
        store.commit().unwrap();
        spans_are_right(&store);
        let mut seen = Vec::new();
        let each = |row: &ExportRow<'_>| { seen.push((row.mono, row.dated)); Ok::<_, StoreError>(()) };
        Reader::open(dir.path()).unwrap().readings(&Filter::default(), each).unwrap();
        let sql = "SELECT time_us, time_source, time_error_s, mono_us, boot FROM readings ORDER BY seq";
        let mut statement = store.db.prepare(sql).unwrap();
        type Row = (f64, String, Option<f64>, i64, String);
        let row = |row: &rusqlite::Row<'_>| {
            Ok((number(row.get_ref(0)?), row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        };
        let rows: Vec<Row> = statement.query_map([], row).unwrap().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(rows.len(), seen.len());
        for ((mono, dated), (time_us, source, error_s, mono_us, boot)) in seen.into_iter().zip(rows) {
            prop_assert_eq!((mono.as_micros(), boot), (mono_us, BootId(7).to_string()));
            prop_assert_eq!(source, dated.source.as_str());
            // Beyond a year from anything known, SQLite reckons in floating point.
            let near = if mono_us.unsigned_abs() < 1 << 43 { 0.0 } else { 1e4 };
            prop_assert!((time_us - dated.time.as_unix_micros() as f64).abs() <= near, "{} {:?}", time_us, dated);
            let error = dated.error.map(|error| error.as_secs_f64());
            prop_assert_eq!(error.is_some(), error_s.is_some());
            let off = error.unwrap_or(0.0) - error_s.unwrap_or(0.0);
            prop_assert!(off.abs() <= 1e-6_f64.max(near), "{:?} {:?}", error, error_s);
        }
        let holds: bool = store.db.query_row(
            "SELECT min(time_us) >= (SELECT min(min_time_us) FROM piece)
             AND max(time_us) <= (SELECT max(max_time_us) FROM piece)
             FROM readings", [], |row| row.get(0)).unwrap();
        prop_assert!(holds, "pieces say where the readings of some time are");
    }
}
