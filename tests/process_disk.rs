//! Disks that are full, files that are damaged, folders that belong to another: what was acknowledged stays, and a node
//! says what is wrong.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test ends at what it did not expect"
)]

mod common;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::{
    FakeSecondary, Launch, cursor_of, fake_value, free_address, journal_of, own_journal, own_rows, until,
};
use rustix::process::Signal;
use serde_json::Value as Json;

/// A small disk of its own, in a name space that this process can look into. It is there for as long as its holder.
struct SmallDisk {
    holder: Child,
    /// Where the disk is in the name space.
    inside: PathBuf,
}

impl SmallDisk {
    /// `None`, with a word, where this user may not make one.
    fn mount(dir: &Path, bytes: &str) -> Option<Self> {
        let inside = dir.join("disk");
        std::fs::create_dir(&inside).unwrap();
        let script =
            format!("mount -t tmpfs -o size={bytes} none {} && echo mounted && exec cat", inside.display());
        let holder = Command::new("unshare")
            .args(["-Urm", "sh", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut holder) = holder else {
            eprintln!("passed over: there is no unshare here (util-linux)");
            return None;
        };
        let mut said = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(holder.stdout.take().unwrap()), &mut said)
            .unwrap();
        let disk = Self { holder, inside };
        if said.trim() != "mounted" {
            eprintln!("passed over: no user name space with a disk of its own can be made here");
            return None;
        }
        Some(disk)
    }

    /// The disk as seen from here. SQLite does not find its way there: it takes /proc/PID/root for a link.
    fn seen(&self) -> PathBuf {
        let inside = self.inside.strip_prefix("/").unwrap();
        Path::new("/proc").join(self.holder.id().to_string()).join("root").join(inside)
    }

    /// The node, with its data on this disk.
    fn launch(&self, launch: &dyn Fn(&Path) -> Launch) -> Launch {
        let holder = self.holder.id().to_string();
        launch(&self.inside.join("data")).by(&[
            "nsenter",
            "-t",
            &holder,
            "-U",
            "-m",
            "--preserve-credentials",
        ])
    }

    /// A copy of the data folder as it is now, for a reader.
    fn copy(&self) -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        for name in ["pisink.sqlite", "pisink.sqlite-wal"] {
            let file = self.seen().join("data").join(name);
            if file.exists() {
                std::fs::copy(file, copy.path().join(name)).unwrap();
            }
        }
        copy
    }

    /// Takes all the space that is left.
    fn fill(&self) {
        let mut file =
            std::fs::File::options().create(true).append(true).open(self.seen().join("fill")).unwrap();
        // To the last byte: large pieces first.
        for size in [1 << 20, 64 << 10, 4 << 10, 64, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.seen().join("fill")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

const BUSY: &str = "--bus sim --chip sht3x@0x44 --chip tmp102@0x48 --interval 20ms --flush-interval 20ms";

fn is_failing(status: &Json) -> bool {
    status["store"]["state"] == "failing"
}

fn waiting(status: &Json) -> u64 {
    status["store"]["waiting_readings"].as_u64().unwrap()
}

#[test]
fn a_full_disk_stops_neither_sensing_nor_the_truth() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(dir.path(), "24m") else { return };
    let fake = FakeSecondary::start(5_000);
    let mut sink = disk.launch(&|data| Launch::primary("sink", data, &[&fake.address]).flags(BUSY)).start();
    until("the sink takes readings", || (fake.heard().taken > 2_000).then_some(()));
    sink.wait_for_own(50);

    // What SQLite has of the disk already it can still use: until that is full too, small groups find room.
    let full = until("not even its own readings find room", || {
        disk.fill();
        Some(sink.status()).filter(|status| is_failing(status) && waiting(status) > 200)
    });
    let trouble = full["store"]["trouble"].as_str().unwrap();
    assert!(trouble.contains("no space left") && trouble.contains("free some space"), "{trouble}");
    let (claimed, polls) = (fake.heard().taken, fake.heard().polls);
    until("the sink polls on", || (fake.heard().polls >= polls + 10).then_some(()));
    let later = sink.status_when("sensing goes on", |status| waiting(status) > waiting(&full) + 100);
    assert!(is_failing(&later));
    assert_eq!(fake.heard().taken, claimed, "nothing more is acknowledged");
    assert!(claimed <= cursor_of(disk.copy().path(), fake.journal), "what is acknowledged is on the disk");
    assert_eq!(later["last"], sink.status()["last"], "nor is anything of its own said to be durable");
    assert!(common::pisink(&format!("status {}", sink.address)).stdout.contains("FAILING"));

    disk.make_room();
    sink.status_when("it recovers by itself", |status| !is_failing(status) && waiting(status) < 20);
    until("more is taken", || (fake.heard().taken > claimed + 1_000).then_some(()));
    sink.wait_for_own(later["last"].as_u64().unwrap() + waiting(&later));
    sink.wait_for_line("works again");
    let said: Vec<String> = sink.log().into_iter().filter(|line| line.contains("store: ")).collect();
    let (last, first) = said.split_last().unwrap();
    assert!(last.contains("works again") && first.len() <= 3, "{said:#?}");
    assert!(first.iter().all(|line| line.contains("no space left")), "{said:#?}");
    sink.terminate();
    let copy = disk.copy();
    let own = own_rows(copy.path());
    assert!(own.keys().copied().eq(1..=own.len() as u64), "no reading of its own is lost");
    let times: Vec<i64> = own.values().map(|row| row.time_us).collect();
    let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(longest < 2_000_000, "sensing paused for {longest} microseconds");
    let taken = journal_of(copy.path(), fake.journal);
    assert!(taken.keys().copied().eq(1..=cursor_of(copy.path(), fake.journal)));
    for (&place, row) in &taken {
        assert_eq!(
            row.value,
            fake_value(place).map(f64::to_bits).map_err(|reason| reason.as_str()),
            "place {place}"
        );
    }
}

#[test]
fn a_stop_with_a_full_disk_says_what_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(dir.path(), "8m") else { return };
    let mut node = disk.launch(&|data| Launch::secondary("a", data).flags(BUSY)).start();
    node.wait_for_own(20);
    until("the store fails and readings wait", || {
        disk.fill();
        Some(node.status()).filter(|status| is_failing(status) && waiting(status) > 200)
    });
    node.signal(Signal::TERM);
    let status = node.wait();
    let log = node.log_to_the_end().join("\n");
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(!log.contains("everything is on disk"), "{log}");
    assert!(log.contains("readings are lost") && log.contains("no space left"), "{log}");
    disk.make_room();
    let own = own_rows(disk.copy().path());
    assert!(own.len() >= 20 && own.keys().copied().eq(1..=own.len() as u64));
}

/// Every file of a folder, with what is in it.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

/// The store's file after it was damaged in this way, byte for byte.
fn damage(how: &str, file: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(file).unwrap();
    match how {
        "garbage" => bytes[..4096].fill(0x5a),
        "truncated" => bytes.truncate(bytes.len() / 2 + 100),
        // Old readings: pages that the log does not have.
        _ => bytes[6 * 4096..].fill(0xa5),
    }
    std::fs::write(file, &bytes).unwrap();
    bytes
}

#[test]
fn a_damaged_store_is_moved_aside_and_the_node_goes_on() {
    for how in ["garbage", "truncated", "worn after a kill"] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pisink.sqlite");
        let launch = Launch::secondary("a", dir.path()).flags(BUSY).flags("--interval 2ms");
        let node = launch.start();
        let before = node.wait_for_own(600)["journal"].clone();
        node.terminate();
        if how.contains("kill") {
            // A store that was not closed is looked through at the next start.
            let node = launch.start();
            node.wait_for_own(601);
            node.kill9();
        }
        let damaged = damage(how, &file);
        let mut node = launch.start();
        let line = node.wait_for_line("damaged");
        assert!(
            line.contains("ERROR") && line.contains("moved aside") && line.contains("pisink.sqlite.damaged-"),
            "{line}"
        );
        let status = node.wait_for_own(5);
        assert_ne!(status["journal"], before, "{how}: a new store has a new journal");
        node.terminate();
        assert_is_aside(dir.path(), &damaged);
        assert!(own_rows(dir.path()).len() >= 5);
    }
}

/// The damaged file is kept as it was.
fn assert_is_aside(dir: &Path, damaged: &[u8]) {
    let is_aside =
        |name: &str| name.contains(".damaged-") && !name.ends_with("-shm") && !name.ends_with("-wal");
    let aside = files(dir).into_iter().find(|(name, _)| is_aside(name));
    assert!(aside.is_some_and(|(_, kept)| kept == damaged));
}

/// A page of an index b-tree's leaves (sqlite.org/fileformat2.html#b_tree_pages) with many cells: readings.
fn is_full_leaf(page: &[u8]) -> bool {
    page[0] == 0x0a && u16::from_be_bytes([page[3], page[4]]) > 40
}

#[test]
fn damage_that_shows_while_running_is_moved_aside_too() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pisink.sqlite");
    let launch = Launch::secondary("a", dir.path()).flags(BUSY);
    // More than SQLite keeps in memory, or it would not look into the file again.
    let node = launch.start();
    let text: String = (0..60_000).map(|number| format!("{{\"msg\":{number}}}\r")).collect();
    node.client().send(text.as_bytes());
    node.wait_for_own(60_000);
    node.terminate();
    let mut node = launch.start();
    let (address, journal) = (node.address.clone(), node.status()["journal"].as_str().unwrap().to_owned());
    let mut bytes = std::fs::read(&file).unwrap();
    let full = bytes.chunks_mut(4096).filter(|page| is_full_leaf(page)).take(100);
    assert_eq!(full.map(|page| page.fill(0xa5)).count(), 100);
    // In its place, and not as a new file: the node has it open.
    std::fs::File::options().write(true).open(&file).unwrap().write_all(&bytes).unwrap();
    let poll = format!(
        "{{\"key\":\"POLL\",\"value\":{{\"journal\":\"{journal}\",\"after\":0,\"taken\":0,\"max\":2000}}}}\n"
    );
    node.client().send(poll.as_bytes());
    let line = node.wait_for_line("the store is damaged");
    assert!(line.contains("ERROR"), "{line}");
    let line = node.wait_for_line("pisink.sqlite.damaged-");
    assert!(line.contains("ERROR") && line.contains("moved aside"), "{line}");
    node.wait_for_line(&format!("listens on {address}"));
    let status = node.wait_for_own(5);
    assert_ne!(status["journal"], journal);
    node.terminate();
    assert!(own_rows(dir.path()).len() >= 5);
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let launch = Launch::secondary("a", dir.path()).flags(BUSY);
    let node = launch.start();
    node.wait_for_own(10);
    node.terminate();
    let db = rusqlite::Connection::open(dir.path().join("pisink.sqlite")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    db.close().unwrap();
    // SQLite makes an empty log and an index of it to look at a file at all; only what is in files counts.
    let is_store = |name: &str| name.starts_with("pisink.sqlite") && !name.ends_with("-shm");
    let stores = || -> Vec<_> {
        files(dir.path()).into_iter().filter(|(name, bytes)| is_store(name) && !bytes.is_empty()).collect()
    };
    let before = stores();
    let (status, log) = launch.clone().at(&free_address()).fail();
    assert_eq!(status.code(), Some(1), "{log:?}");
    let [line] = &log[..] else { panic!("more than one line: {log:#?}") };
    assert!(line.contains("schema version 99") && line.contains("newer pisink"), "{line}");
    let done = common::pisink(&format!("export --data {}", dir.path().display()));
    assert_eq!((done.code, done.stdout.as_str()), (Some(1), ""));
    assert!(done.stderr.contains("schema version 99"), "{}", done.stderr);
    assert!(before == stores(), "nothing is changed");
}

#[test]
fn a_data_folder_has_one_owner() {
    let dir = tempfile::tempdir().unwrap();
    let launch = Launch::secondary("a", dir.path()).flags(BUSY);
    let node = launch.start();
    node.wait_for_own(10);
    let (status, log) = launch.clone().at(&free_address()).fail();
    assert_eq!(status.code(), Some(1), "{log:?}");
    let [line] = &log[..] else { panic!("more than one line: {log:#?}") };
    let owner = format!("process {}", node.pid());
    assert!(line.contains("another pisink") && line.contains(&owner) && line.contains("--data"), "{line}");
    node.wait_for_own(20);
    // Neither does a kill leave the folder locked, nor does the journal change.
    let journal = own_journal(dir.path());
    let node = node.kill9().start();
    assert_eq!(node.status()["journal"], journal.to_string());
    node.terminate();
}

#[test]
fn a_store_on_a_disk_that_is_full_from_the_start_is_one_clear_line() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(dir.path(), "8m") else { return };
    disk.fill();
    let (status, log) = disk.launch(&|data| Launch::secondary("a", data).at(&free_address())).fail();
    assert_eq!(status.code(), Some(1), "{log:?}");
    let [line] = &log[..] else { panic!("more than one line: {log:#?}") };
    assert!(line.contains("space"), "{line}");
}
