//! Files that the first version wrote, made by its own script: brought up to date whole, or left as they were.

use super::*;
use crate::model::{RoundRecord, TimeSource};

/// Microseconds since 1970 and since the boot.
type Stamp = (i64, i64);

/// Adds readings `first..first + stamps.len()` of source `source`, and its rows as the first version kept them: full
/// spans, and the rest as the growing one.
fn add(db: &Connection, source: i64, first: i64, stamps: &[Stamp]) {
    for (seq, (time_us, mono_us)) in (first..).zip(stamps) {
        let journal = if source == 1 { 0xa } else { source.cast_unsigned() };
        let value = value_at(journal, seq.cast_unsigned());
        let err = value.err().map(schema::err_code);
        let sql = "INSERT INTO reading VALUES (?1, ?2, 1 + ?2 % 2, ?3, ?4, ?5, ?6)";
        db.execute(sql, rusqlite::params![source, seq, time_us, mono_us, value.ok(), err]).unwrap();
    }
}

/// A sink's file: its own readings of two boots, the first of which began in 1970; a node with a hole, and of which
/// retention dropped the beginning; a script that gave no monotonic stamps; rounds, consumers and peers.
fn old_file(dir: &Path) {
    let db = Connection::open(dir.join(FILE_NAME)).unwrap();
    db.execute_batch(schema::MIGRATIONS[0].script).unwrap();
    let (id, version) = (schema::APPLICATION_ID, 1);
    db.execute_batch(&format!(
        "PRAGMA application_id = {id}; PRAGMA user_version = {version}; PRAGMA journal_mode = WAL;
         INSERT INTO channel VALUES (1, 'pi-1', 'sht3x-44', 'temperature', 'Cel'),
             (2, 'pi-1', 'sht3x-44', 'humidity', '%RH');
         INSERT INTO source VALUES (1, 'sink', '000000000000000a', 1, 40, 33, {DAY} + 33000000, {DAY} + 40000000),
             (2, 'pi-1', '0000000000000002', 0, 90, 81, {DAY} + 81000000, {DAY} + 90000000),
             (3, 'script', '0000000000000003', 0, 16, NULL, NULL, NULL),
             (4, 'empty', '0000000000000004', 0, 7, NULL, NULL, NULL);
         INSERT INTO boot VALUES (1, 1, printf('%032d', 1)), (1, 25, printf('%032d', 2)), (2, 1, printf('%032d', 7)),
             (3, 1, printf('%032d', 8)), (4, 1, printf('%032d', 9));
         INSERT INTO span VALUES (1, 1, 16, 0, {DAY}), (1, 17, 32, {DAY}, {DAY} + 32000000), (2, 33, 48, {DAY}, {DAY}),
             (2, 49, 60, {DAY}, {DAY}), (2, 65, 80, {DAY}, {DAY}), (3, 1, 16, {DAY}, {DAY});
         INSERT INTO dropped VALUES (2, 61, 64, {DAY}, 'not_at_source');
         INSERT INTO round VALUES (1, {DAY} + 1000000, 2, 2), (2, {DAY} + 2000000, 2, 1);
         INSERT INTO round_down VALUES ('pi-1', 2, NULL);
         INSERT INTO consumer VALUES ('uplink', 12, {DAY}); INSERT INTO peer VALUES ('10.0.0.2:7001', 'pi-1');"
    ))
    .unwrap();
    let second = 1_000_000;
    let of = |seq: i64, offset| (seq * second + offset, seq * second);
    // Own: 1 to 10 in 1970, then set; another boot from 25 on, which began a day later.
    let own: Vec<Stamp> = (1..=40).map(|seq| of(seq, if seq <= 10 { 0 } else { DAY })).collect();
    add(&db, 1, 1, &own);
    let node: Vec<Stamp> = (33..=60).map(|seq| of(seq, DAY)).collect();
    add(&db, 2, 33, &node);
    add(&db, 2, 65, &(65..=90).map(|seq| of(seq, DAY)).collect::<Vec<_>>());
    add(&db, 3, 1, &(1..=16).map(|seq| (DAY + seq * second, 0)).collect::<Vec<_>>());
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
}

/// Source, place, time, and value or ERR.
type Stamped = (i64, i64, i64, Option<f64>, Option<i64>);

/// Every reading as the file has it, in whatever version.
fn stamps(dir: &Path) -> Vec<Stamped> {
    let db = Connection::open(dir.join(FILE_NAME)).unwrap();
    let mut statement =
        db.prepare("SELECT source, seq, time_us, value, err FROM reading ORDER BY source, seq").unwrap();
    statement.query_map([], |row| row.try_into()).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_file_of_the_first_version_is_brought_up_to_date_whole() {
    let dir = tempfile::tempdir().unwrap();
    old_file(dir.path());
    let before = stamps(dir.path());
    assert!(matches!(Reader::open(dir.path()), Err(StoreError::OlderSchema { found: 1, known: 3, .. })));
    let (mut store, report) =
        Store::open(dir.path(), &OpenParams { boot: BootId(3), ..params("sink", 0xb) }).unwrap();
    assert_eq!((report.migrated_from, report.own.last, report.damage), (Some(1), Seq(40), None));
    spans_are_right(&store);
    assert_eq!(stamps(dir.path()), before, "what was stamped stays");

    let reader = Reader::open(dir.path()).unwrap();
    let mut seen = 0;
    let each = |row: &ExportRow<'_>| {
        assert_eq!(row.value, value_at(row.journal.0, row.seq.0));
        // Also those of 1970: the clock was set later in that boot, and the second boot has its own time.
        assert_eq!(row.dated.time, at_s(row.seq.0 as i64), "{row:?}");
        let own = row.journal.0 == 0xa;
        assert_eq!(row.dated.source, if own { TimeSource::Node } else { TimeSource::Unknown });
        seen += 1;
        Ok::<_, StoreError>(())
    };
    reader.readings(&Filter::default(), each).unwrap();
    assert_eq!(seen, before.len());
    let round = |number, down| {
        let time = at_s(number as i64);
        RoundRecord { number, time, mono: Instant::ZERO, nodes: 2, answered: 3 - number as u32, down }
    };
    let rounds = reader.rounds(&Filter::default()).unwrap();
    assert_eq!(rounds, [round(1, vec![]), round(2, vec![name("pi-1")])]);
    assert_eq!(store.consumers().unwrap().len() + store.peers().unwrap().len(), 2);

    // And everything goes on: the growing spans grow, cursors hold, old boots are polled with what is known of them.
    append(&mut store, 20);
    assert_eq!(take(&mut store, "pi-1", 2, 85, 20).duplicates, 6);
    store.commit().unwrap();
    spans_are_right(&store);
    let old = store.read_own(Seq::ZERO, 10).unwrap();
    assert_eq!((old.boot, old.mark.map(|mark| mark.wall)), (BootId(1), Some(at_s(1))));
}

#[test]
fn a_step_that_ends_in_the_middle_leaves_the_first_version() {
    let dir = tempfile::tempdir().unwrap();
    old_file(dir.path());
    let before = stamps(dir.path());
    let mut steps = schema::MIGRATIONS.to_vec();
    steps[1].fill = Some(|db| {
        schema::MIGRATIONS[1].fill.map_or(Ok(()), |fill| fill(db))?;
        Err(StoreError::Full { doing: "testing", detail: String::new() })
    });
    let error = open::open(dir.path(), &params("sink", 1), &steps).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert_eq!(stamps(dir.path()), before);
    let db = Connection::open(dir.path().join(FILE_NAME)).unwrap();
    assert_eq!(schema::kind(&db).unwrap(), schema::Kind::Store(1));
    drop(db);
    let (store, report) = Store::open(dir.path(), &params("sink", 1)).unwrap();
    assert_eq!(report.migrated_from, Some(1));
    spans_are_right(&store);
}
