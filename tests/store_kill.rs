//! kill -9 at any moment loses nothing that was acknowledged, and brings nothing in twice: a child process writes and
//! says after each commit how far it is; it is killed in the midst of it, again and again, on one directory.
#![expect(clippy::unwrap_used, reason = "helpers of tests stop at the first surprise, as tests do")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use pisink::model::{BootId, Channel, Instant, JournalId, NodeName, Pack, Readings, Seq, WallTime};
use pisink::store::{Check, Filter, OpenParams, Reader, Store, StoreError};

const KILLS: u64 = 25;
const DIR_VARIABLE: &str = "PISINK_TEST_KILL_DIR";
const PEER_JOURNAL: JournalId = JournalId(2);

fn peer() -> NodeName {
    NodeName::new("pi-1").unwrap()
}

fn open(dir: &Path) -> Store {
    let node = NodeName::new("sink").unwrap();
    let (new_journal, boot, now) = (JournalId(1), BootId(1), WallTime::default());
    let params = OpenParams { node, new_journal, boot, now, check: Check::Auto };
    let (store, report) = Store::open(dir, &params).unwrap();
    assert_eq!(report.damage, None);
    store
}

/// Readings whose value is their place.
fn pack(node: &NodeName, first: Seq, len: u64) -> Pack {
    let (chip, quantity, unit) = ("chip".into(), "temperature".into(), "Cel".into());
    let channel = Arc::new(Channel { node: node.clone(), chip, quantity, unit });
    let mut pack = Pack::default();
    for seq in first.0..first.0 + len {
        pack.push(&channel, WallTime::from_unix_micros(0), Instant::ZERO, Ok(seq as f64));
    }
    pack
}

/// The child: writes until it is killed. Does nothing when it is run by itself.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(DIR_VARIABLE) else { return };
    let mut store = open(Path::new(&dir));
    let mut own = store.own().last;
    let sizes = [1, 7, 300, 4000, 40];
    for len in sizes.into_iter().cycle() {
        own = store.append(&pack(&NodeName::new("sink").unwrap(), own.next(), len)).unwrap();
        // As a poll would: from the committed cursor, with some of it sent once more.
        let after = store.cursor(&peer(), PEER_JOURNAL).unwrap();
        let first = Seq(after.0.saturating_sub(3) + 1);
        let piece = Readings {
            re: String::new(),
            node: peer(),
            journal: PEER_JOURNAL,
            boot: BootId(2),
            after,
            first,
            last: first,
            clock: None,
            mark: None,
            pack: pack(&peer(), first, len),
        };
        store.take(&piece, WallTime::default()).unwrap();
        let committed = store.commit().unwrap();
        println!("ACK {} {}", committed.own, store.cursor(&peer(), PEER_JOURNAL).unwrap());
    }
}

fn acknowledged(line: &str) -> Option<(u64, u64)> {
    let mut words = line.split_whitespace();
    // The harness may print its own words before the first line.
    words.find(|word| *word == "ACK")?;
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut before = (0, 0);
    for kill in 1..=KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(DIR_VARIABLE, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let acks = lines.map_while(Result::ok).filter_map(|line| acknowledged(&line));
        let mut last = before;
        // It goes on writing while the kill is on its way: into a group, a commit, a checkpoint.
        for ack in acks.take(usize::try_from(1 + kill * 7 % 23).unwrap()) {
            last = ack;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(last > before, "kill {kill}: the child wrote nothing");

        let held = count(dir.path());
        assert!(held.0 >= last.0 && held.1 >= last.1, "kill {kill}: {last:?} acknowledged, {held:?} there");
        let store = open(dir.path());
        assert_eq!(store.own().last.0, held.0, "kill {kill}");
        assert_eq!(store.cursor(&peer(), PEER_JOURNAL).unwrap().0, held.1, "kill {kill}");
        before = held;
    }
}

/// How many readings there are of the own journal and of the peer's: each once, in order, with its own value.
fn count(dir: &Path) -> (u64, u64) {
    let mut next = [1, 1];
    Reader::open(dir)
        .unwrap()
        .readings(&Filter::default(), |row| {
            let next = &mut next[usize::from(row.journal == PEER_JOURNAL)];
            assert_eq!((row.seq.0, row.value), (*next, Ok(*next as f64)));
            *next += 1;
            Ok::<_, StoreError>(())
        })
        .unwrap();
    (next[0] - 1, next[1] - 1)
}
