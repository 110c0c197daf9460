//! How fast the store is, beside bare SQLite inserting the same rows in the same run.
//! `cargo bench --bench store`
#![expect(clippy::unwrap_used, reason = "a measurement stops at the first surprise")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pisink::model::{
    BootId, Channel, ErrReason, Instant as Mono, JournalId, NodeName, Pack, Readings, Seq, WallTime,
};
use pisink::store::{Check, Filter, Format, OpenParams, Reader, Retention, Store, export};
use rusqlite::{Connection, params};

const READINGS: u64 = 2_000_000;
const BATCH: u64 = 2_000;
const COMMIT: u64 = 50_000;
const NODES: u64 = 20;
const CHANNELS: u64 = 5;
const START_US: i64 = 1_768_867_200_000_000;

fn open(dir: &Path) -> Store {
    let node = NodeName::new("sink").unwrap();
    let now = WallTime::from_unix_micros(START_US);
    let (new_journal, boot) = (JournalId(1), BootId(1));
    Store::open(dir, &OpenParams { node, new_journal, boot, now, check: Check::Auto }).unwrap().0
}

/// Batch `number` of one node: one reading in fifty an ERR.
fn batch(node: &NodeName, journal: u64, first: u64) -> Readings {
    let channels: Vec<_> = (0..CHANNELS)
        .map(|number| {
            let (chip, quantity, unit) = (format!("chip-{number}"), "temperature".into(), "Cel".into());
            Arc::new(Channel { node: node.clone(), chip, quantity, unit })
        })
        .collect();
    let mut pack = Pack::default();
    for (seq, channel) in (first..first + BATCH).zip(channels.iter().cycle()) {
        let time = WallTime::from_unix_micros(START_US + seq.cast_signed() * 200_000);
        let value = if seq % 50 == 0 { Err(ErrReason::Nack) } else { Ok(20.0 + (seq % 997) as f64 / 73.0) };
        pack.push(channel, time, Mono::from_micros(seq.cast_signed() * 200_000), value);
    }
    let (node, journal, boot) = (node.clone(), JournalId(journal), BootId(9));
    Readings {
        re: String::new(),
        node,
        journal,
        boot,
        after: Seq(first - 1),
        first: Seq(first),
        last: Seq(first),
        clock: None,
        mark: None,
        pack,
    }
}

fn batches() -> Vec<Readings> {
    let nodes: Vec<_> = (0..NODES).map(|n| NodeName::new(&format!("pi-{n}")).unwrap()).collect();
    (0..READINGS / BATCH)
        .map(|number| {
            let at = number % NODES;
            batch(&nodes[usize::try_from(at).unwrap()], 100 + at, number / NODES * BATCH + 1)
        })
        .collect()
}

/// Seconds of processor time that this process used.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    after_name[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}

fn measure(what: &str, count: u64, work: impl FnOnce()) -> Duration {
    let (wall, cpu) = (Instant::now(), cpu_s());
    work();
    let (wall, cpu) = (wall.elapsed(), cpu_s() - cpu);
    let rate = count as f64 / wall.as_secs_f64();
    println!(
        "{what:<44} {rate:>10.0} /s  {:>7.0} ms wall  {:>6.0} ms cpu",
        wall.as_secs_f64() * 1e3,
        cpu * 1e3
    );
    wall
}

/// The same rows, with the least that SQLite needs.
fn bare(dir: &Path, batches: &[Readings]) {
    let db = Connection::open(dir.join("bare.sqlite")).unwrap();
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF;
         CREATE TABLE reading (source INTEGER, seq INTEGER, channel INTEGER, time_us INTEGER, mono_us INTEGER,
         value REAL, err INTEGER, PRIMARY KEY (source, seq)) WITHOUT ROWID; BEGIN",
    )
    .unwrap();
    let mut insert = db.prepare("INSERT INTO reading VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)").unwrap();
    let mut open = 0;
    for piece in batches {
        for (seq, reading) in (piece.first.0..).zip(&piece.pack.readings) {
            let (time_us, mono_us) = (reading.time.as_unix_micros(), reading.mono.as_micros());
            let err = reading.value.err().map(|_| 1);
            let source = piece.journal.0.cast_signed();
            let seq = seq.cast_signed();
            insert
                .execute(params![source, seq, reading.channel.0, time_us, mono_us, reading.value.ok(), err])
                .unwrap();
        }
        open += BATCH;
        if open % COMMIT == 0 {
            db.execute_batch("COMMIT; BEGIN").unwrap();
        }
    }
    db.execute_batch("COMMIT").unwrap();
}

fn main() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let batches = batches();
    beside_bare(&batches);
    fill(dir.path(), &batches);
    writing(dir.path(), &batches);
    reading(dir.path());
    merging(dir.path());
    opening(dir.path());
}

fn beside_bare(batches: &[Readings]) {
    for _ in 0..2 {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        measure("bare SQLite, the same rows", READINGS, || bare(dir.path(), batches));
        measure("Store::take", READINGS, || fill(dir.path(), batches));
    }
}

fn writing(dir: &Path, batches: &[Readings]) {
    let mut store = open(dir);
    measure("Store::take, all duplicates", READINGS, || {
        for piece in batches {
            store.take(piece, WallTime::default()).unwrap();
        }
    });
    measure("Store::append", 500_000, || {
        for piece in &batches[..250] {
            store.append(&piece.pack).unwrap();
        }
        store.commit().unwrap();
    });
    measure("Store::append and commit, 5 readings", 5 * 500, || {
        let mut five = batches[0].pack.clone();
        five.readings.truncate(5);
        for _ in 0..500 {
            store.append(&five).unwrap();
            store.commit().unwrap();
        }
    });
    measure("Store::read_own, pieces of 500", 500_000, || {
        let mut after = Seq::ZERO;
        while after < Seq(500_000) {
            after = store.read_own(after, 500).unwrap().through();
        }
    });
}

fn reading(dir: &Path) {
    let reader = Reader::open(dir).unwrap();
    measure("Reader::series", READINGS, || {
        let series = reader.series(&Filter::default()).unwrap();
        let points: usize = series.iter().map(|s| s.points.len()).sum();
        let room: usize = series.iter().map(|s| s.points.capacity()).sum();
        println!("    {points} points in room for {room}");
    });
    let hour =
        Filter { since: Some(WallTime::from_unix_micros(START_US + 19_000_000_000)), ..Filter::default() };
    measure("Reader::series, the last 5 percent", READINGS / 20, || {
        reader.series(&hour).unwrap();
    });
    for format in [Format::Csv, Format::Jsonl, Format::Senml] {
        measure(&format!("export, {format:?}"), READINGS, || {
            let mut out = std::io::BufWriter::new(std::io::sink());
            export(&reader, &Filter::default(), format, &mut out).unwrap();
        });
    }
    measure("Reader::stats", 1, || {
        reader.stats().unwrap();
    });
}

fn merging(from: &Path) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let node = NodeName::new("archive").unwrap();
    let (new_journal, boot, now) = (JournalId(2), BootId(2), WallTime::from_unix_micros(START_US));
    let params = OpenParams { node, new_journal, boot, now, check: Check::Auto };
    let mut into = Store::open_to_merge(dir.path(), &params).unwrap().0;
    let reader = Reader::open(from).unwrap();
    let count: u64 = reader.stats().unwrap().sources.iter().map(|source| source.readings).sum();
    for what in ["Store::merge, all new", "Store::merge, all there"] {
        measure(what, count, || {
            into.merge(&reader, now, &mut |_| {}).unwrap();
        });
    }
}

fn opening(dir: &Path) {
    let (params_check, wall) = (Check::Full, Instant::now());
    let node = NodeName::new("sink").unwrap();
    let (new_journal, boot, now) = (JournalId(1), BootId(1), WallTime::default());
    let (mut store, report) =
        Store::open(dir, &OpenParams { node, new_journal, boot, now, check: params_check }).unwrap();
    println!(
        "open with {:?} checked: {:?}, {} bytes",
        report.checked,
        wall.elapsed(),
        store.bytes().unwrap()
    );
    let policy = Retention { max_age: Some(Duration::from_secs(1)), max_bytes: Some(64 << 20), sink: true };
    let wall = Instant::now();
    let report = store.retain(&policy, WallTime::from_unix_micros(START_US + 10_000_000_000)).unwrap();
    println!("one call of retain: {:?}, {report:?}", wall.elapsed());
    store.commit().unwrap();
    store.close().unwrap();
}

fn fill(dir: &Path, batches: &[Readings]) {
    let mut store = open(dir);
    let mut open = 0;
    for piece in batches {
        let taken = store.take(piece, WallTime::default()).unwrap();
        assert_eq!(taken.new, BATCH);
        open += BATCH;
        if open % COMMIT == 0 {
            store.commit().unwrap();
        }
    }
    store.close().unwrap();
}
