//! Readings that a sink commits from the wire, parse to durable, beside SQLite inserting the same rows and beside a
//! Python program that takes `\r`-JSON and inserts into SQLite.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use pisink::model::{BootId, JournalId, NodeName, WallTime};
use pisink::store::{Check, FILE_NAME, OpenParams, Store};
use rusqlite::{Connection, params};

use crate::backlog::Backlog;
use crate::kit::{Node, Row, cpu_of, folder, helper, median, on_measured_core, output_of, wait_until};
use crate::player::{Play, Player};

/// Readings in a run of ours and of SQLite's.
const READINGS: u64 = 1_500_000;
/// Readings in a run of the Python program.
const PEER_READINGS: u64 = 150_000;
const REPEATS: usize = 3;
const TARGET_PER_S: f64 = 200_000.0;
/// Rows of bare SQLite in one transaction.
const GROUP: u64 = 16_384;

/// Readings a second by the wall clock, and by processor time.
#[derive(Clone, Copy, Debug)]
struct Rate {
    wall: f64,
    cpu: f64,
}

impl Rate {
    fn new(count: u64, wall: Duration, cpu: Duration) -> Rate {
        Rate { wall: count as f64 / wall.as_secs_f64(), cpu: count as f64 / cpu.as_secs_f64() }
    }
}

pub(crate) fn run() {
    let backlog = Backlog::new();
    let (mut one, mut many, mut bare, mut lines, mut packs) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..REPEATS {
        bare.push(bare_sqlite());
        one.push(sink(&backlog, 1));
        many.push(sink(&backlog, 20));
        lines.push(peer(&backlog, "lines"));
        packs.push(peer(&backlog, "packs"));
    }
    let rates = |all: &[Rate], of: fn(&Rate) -> f64| median(&all.iter().map(of).collect::<Vec<_>>());
    let bare_per_s = rates(&bare, |r| r.cpu).0;
    for (what, all) in [("of 1 node", &one), ("of 20 nodes", &many)] {
        let (per_s, spread) = rates(all, |r| r.cpu);
        let (wall, _) = rates(all, |r| r.wall);
        Row {
            what: format!("readings {what}, wire to durable, per second of one core"),
            ours: per_s,
            unit: "/s",
            other: Some(("bare SQLite", bare_per_s)),
            ratio: Some(per_s / bare_per_s),
            target: "200,000/s".into(),
            is_met: Some(per_s.min(wall) >= TARGET_PER_S),
            spread,
            note: format!("by the wall clock {wall:.0}/s; {:.0} bytes a reading", backlog.bytes_each()),
        }
        .print("ingest");
    }
    let (ours, spread) = rates(&one, |r| r.cpu);
    for (what, name, all) in [
        ("the same readings, one a line, in Python", "Python, lines", &lines),
        ("the very same bytes, in Python", "Python, packs", &packs),
    ] {
        let peer_per_s = rates(all, |r| r.cpu).0;
        Row {
            what: format!("readings of 1 node, beside {what}, per second of one core"),
            ours,
            unit: "/s",
            other: Some((name, peer_per_s)),
            ratio: Some(ours / peer_per_s),
            target: "10 times".into(),
            is_met: Some(ours >= 10.0 * peer_per_s),
            spread,
            note: format!("Python by the wall clock {:.0}/s", rates(all, |r| r.wall).0),
        }
        .print("ingest");
    }
}

/// A primary takes the backlog of so many nodes.
fn sink(backlog: &Arc<Backlog>, nodes: usize) -> Rate {
    let each = READINGS / nodes as u64;
    let play = Play { nodes, backlog: each, news: 0, slowest: Duration::ZERO };
    let player = Player::start(play, backlog);
    let peers = player.peers();
    let mut arguments = vec!["--role", "primary", "--name", "sink", "--bus", "none"];
    arguments.extend(["--poll-interval", "250ms", "--deadline", "250ms"]);
    arguments.extend(peers.iter().map(String::as_str));
    let (begin, node) = (Instant::now(), Node::start(&arguments));
    let total = each * nodes as u64;
    wait_until("all readings are durable", || player.seen.taken.load(Ordering::Relaxed) >= total);
    Rate::new(total, begin.elapsed(), node.cpu())
}

/// The same rows, straight into a store's file.
fn bare_sqlite() -> Rate {
    let text = output_of(helper(&["--bare-sqlite"]));
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [wall, cpu] = numbers[..] else { panic!("two numbers, not {text:?}") };
    Rate { wall, cpu }
}

/// [`bare_sqlite`], in the process that is measured.
pub(crate) fn bare_sqlite_here() {
    let backlog = Backlog::new();
    let data = folder();
    let open = OpenParams {
        node: NodeName::new("sink").expect("a name"),
        new_journal: JournalId(1),
        boot: BootId(1),
        now: WallTime::from_unix_micros(0),
        check: Check::Auto,
    };
    Store::open(data.path(), &open).and_then(|(store, _)| store.close()).expect("a new store");
    let (begin, cpu) = (Instant::now(), cpu_of(std::process::id()));
    insert(&data.path().join(FILE_NAME), &backlog);
    let rate = Rate::new(READINGS, begin.elapsed(), cpu_of(std::process::id()) - cpu);
    println!("{} {}", rate.wall, rate.cpu);
}

/// With the schema and the settings of the store.
fn insert(path: &Path, backlog: &Backlog) {
    let db = Connection::open(path).expect("it opens");
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000;
         PRAGMA cache_size = -1024; PRAGMA foreign_keys = OFF; BEGIN",
    )
    .expect("SQLite's settings");
    let mut statement =
        db.prepare("INSERT INTO reading VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)").expect("it fits");
    for (seq, reading) in (1..=READINGS).zip(backlog.pack.readings.iter().cycle()) {
        let (time_us, mono_us) = (reading.time.as_unix_micros(), reading.mono.as_micros());
        let err = reading.value.err().map(|_| 1);
        let row = params![2, seq.cast_signed(), reading.channel.0, time_us, mono_us, reading.value.ok(), err];
        statement.execute(row).expect("a row");
        if seq % GROUP == 0 {
            db.execute_batch("COMMIT; BEGIN").expect("a disk with room");
        }
    }
    db.execute_batch("COMMIT").expect("a disk with room");
}

/// `peer_receiver.py` takes readings: one a line, or as the packs that nodes send.
fn peer(backlog: &Backlog, form: &str) -> Rate {
    let data = folder();
    let mut child = on_measured_core("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peer_receiver.py"))
        .arg(data.path().join("peer.sqlite"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3");
    let mut said = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    said.read_line(&mut line).expect("its port");
    let port: u16 = line.trim().parse().expect("a port");
    let text = if form == "lines" { peer_lines(backlog) } else { peer_packs(backlog) };
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let cpu = cpu_of(child.id());
    let begin = Instant::now();
    stream.write_all(&text).expect("it reads");
    stream.shutdown(std::net::Shutdown::Write).expect("a TCP socket");
    line.clear();
    said.read_line(&mut line).expect("it says when all is committed");
    let rate = Rate::new(PEER_READINGS, begin.elapsed(), cpu_of(child.id()) - cpu);
    assert_eq!(line.trim(), PEER_READINGS.to_string(), "it has committed all of them");
    drop(stream);
    let _ = child.wait();
    rate
}

fn peer_lines(backlog: &Backlog) -> Vec<u8> {
    let mut text = Vec::new();
    for reading in backlog.pack.readings.iter().cycle().take(PEER_READINGS as usize) {
        let channel = backlog.pack.channel(reading).expect("its channel");
        let value = reading.value.map_or("\"ERR\"".to_owned(), |value| value.to_string());
        let time = reading.time.as_unix_seconds();
        let line = format!(
            "{{\"sender\": \"pi-1\", \"msg\": {{\"name\": \"{channel}\", \"time\": {time}, \"value\": {value}}}}}\r"
        );
        text.extend_from_slice(line.as_bytes());
    }
    text
}

fn peer_packs(backlog: &Backlog) -> Vec<u8> {
    const PIECE: u64 = 2_000;
    let mut text = Vec::new();
    for piece in 0..PEER_READINGS / PIECE {
        let (after, first) = (piece * PIECE, piece * PIECE + 1);
        let head = format!(
            "{{\"id\":\"1\",\"sender\":\"pi-1\",\"key\":\"READINGS\",\"value\":{{\"re\":\"1\",\"node\":\"pi-1\",\
             \"journal\":\"0000000000000001\",\"boot\":\"0123456789abcdef0123456789abcdef\",\"after\":{after},\
             \"first\":{first},\"last\":{PEER_READINGS},\"pack\":"
        );
        text.extend_from_slice(head.as_bytes());
        backlog.pack(after, PIECE, &mut text);
        text.extend_from_slice(b"}}\r");
    }
    text
}
