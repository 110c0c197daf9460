//! The real binary under a service manager that the test plays: it hears that the node is ready, that its loop turns,
//! and that it stops; and it hears nothing any more from a node that hangs, in whatever part.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test ends at what it did not expect"
)]

mod common;

use std::io::{BufRead, BufReader, ErrorKind};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{Launch, PATIENCE, Process};
use rustix::process::Signal;
use serde_json::json;

/// Short, so that a test need not wait long for what does not come.
const WATCHDOG: Duration = Duration::from_millis(500);
const BUSY: &str = "--bus sim --chip tmp102@0x48 --host --interval 50ms --flush-interval 20ms";

/// The service manager: a socket, and what comes in by it.
struct Manager {
    _dir: tempfile::TempDir,
    path: PathBuf,
    socket: UnixDatagram,
}

impl Manager {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        Self { _dir: dir, path, socket }
    }

    fn launch(&self, data: &Path) -> Launch {
        Launch::secondary("node", data).env("NOTIFY_SOCKET", self.path.to_str().unwrap())
    }

    fn watched(&self, data: &Path) -> Launch {
        self.launch(data).flags(BUSY).env("WATCHDOG_USEC", &WATCHDOG.as_micros().to_string())
    }

    /// What comes next, if anything comes within `patience`.
    fn next_within(&self, patience: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(patience)).unwrap();
        let mut buffer = [0; 4_096];
        match self.socket.recv(&mut buffer) {
            Ok(count) => Some(String::from_utf8(buffer[..count].to_vec()).unwrap()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }

    fn next(&self) -> String {
        self.next_within(PATIENCE).unwrap_or_else(|| panic!("nothing within {PATIENCE:?}"))
    }

    /// The next words that feed the watchdog.
    fn fed(&self) -> String {
        loop {
            let words = self.next();
            if words.contains("WATCHDOG=1\n") {
                return words;
            }
        }
    }

    /// Waits until nothing has come for four times as long as systemd would wait; what had come before is heard out.
    fn hears_nothing_more(&self) {
        let end = std::time::Instant::now() + PATIENCE;
        while self.next_within(WATCHDOG * 4).is_some() {
            assert!(std::time::Instant::now() < end, "it is fed on and on");
        }
    }

    fn hears_stopping(&self) {
        while !self.next().contains("STOPPING=1\n") {}
    }
}

/// A thread of a node that stands still, until this is dropped.
struct Frozen(Child);

impl Frozen {
    /// `None`, with a word, where this user may not hold a thread.
    fn thread(node: &Process, name: &str) -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/freeze_thread.py");
        let mut holder = Command::new("python3")
            .arg(script)
            .args([&node.pid().to_string(), name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut said).unwrap();
        if said.trim() == "frozen" {
            return Some(Self(holder));
        }
        let status = holder.wait().unwrap();
        assert_eq!(status.code(), Some(77), "freeze_thread.py: {said}");
        eprintln!("passed over: {}", said.trim());
        None
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

#[test]
fn a_node_says_that_it_is_ready_feeds_the_watchdog_and_says_that_it_stops() {
    let (dir, manager) = (tempfile::tempdir().unwrap(), Manager::new());
    let node = manager.watched(dir.path()).start();
    let first = manager.next();
    assert!(first.starts_with("READY=1\nSTATUS=secondary; "), "{first}");
    assert!(first.ends_with("WATCHDOG_USEC=500000\nWATCHDOG=1\n"), "{first}");
    for _ in 0..5 {
        manager.fed();
    }
    node.wait_for_own(10);
    let status = manager.fed();
    assert!(status.contains("; store ok\n") && !status.contains("0 channels"), "{status}");
    node.terminate();
    manager.hears_stopping();
    assert_eq!(manager.next_within(Duration::from_millis(1)), None, "the last word");
}

#[test]
fn ready_means_that_it_answers() {
    let (dir, manager) = (tempfile::tempdir().unwrap(), Manager::new());
    let address = common::free_address();
    let node = manager.launch(dir.path()).at(&address).start();
    let ready = manager.next();
    assert!(
        ready.starts_with("READY=1\n") && !ready.contains("WATCHDOG"),
        "no watchdog was asked for: {ready}"
    );
    assert_eq!(common::Client::to(&address).status()["node"], "node");
    node.terminate();
    manager.hears_stopping();
}

#[test]
fn what_cannot_start_is_never_ready() {
    let (dir, manager) = (tempfile::tempdir().unwrap(), Manager::new());
    std::fs::write(dir.path().join("file"), b"in the way").unwrap();
    let (status, log) = manager.watched(&dir.path().join("file")).fail();
    assert!(!status.success(), "{log:?}");
    assert_eq!(manager.next_within(Duration::from_millis(1)), None);
}

#[test]
fn a_process_that_stands_still_feeds_no_more_and_does_again_when_it_moves() {
    let (dir, manager) = (tempfile::tempdir().unwrap(), Manager::new());
    let node = manager.watched(dir.path()).start();
    manager.fed();
    node.signal(Signal::STOP);
    manager.hears_nothing_more();
    node.signal(Signal::CONT);
    manager.fed();
    node.terminate();
}

/// A disk that never comes back to the store, and a bus that never does: the loop turns and answers, and yet a node
/// that records nothing is not to be kept alive.
#[test]
fn a_stuck_thread_is_enough_to_feed_no_more() {
    for thread in ["store", "sim", "host"] {
        let (dir, manager) = (tempfile::tempdir().unwrap(), Manager::new());
        let mut node = manager.watched(dir.path()).start();
        node.wait_for_own(1);
        manager.fed();
        let Some(frozen) = Frozen::thread(&node, thread) else { return };
        manager.hears_nothing_more();
        assert_eq!(node.status()["node"], "node", "the loop turns");
        node.wait_for_line(&format!("the thread {thread:?} has not moved"));
        drop(frozen);
        manager.fed();
        node.wait_for_line("all threads move again");
        node.terminate();
    }
}

/// What a thread has to say for itself is said before it waits: one that has long nothing to do is not stuck.
#[test]
fn threads_with_nothing_to_do_are_not_stuck() {
    let (dir, manager) = (tempfile::tempdir().unwrap(), Manager::new());
    let watchdog = "200000";
    let node = manager.launch(dir.path()).env("WATCHDOG_USEC", watchdog).start();
    // Its sensors' interval is an hour, and the store looks up once a minute.
    for _ in 0..20 {
        manager.fed();
    }
    assert!(!node.has_logged("has not moved"));
    node.terminate();
}

#[test]
fn without_a_manager_nothing_is_different() {
    let dir = tempfile::tempdir().unwrap();
    for env in [("NOTIFY_SOCKET", ""), ("NOTIFY_SOCKET", "/nobody/listens/here"), ("WATCHDOG_USEC", "1000")] {
        let node = Launch::secondary("node", dir.path()).flags(BUSY).env(env.0, env.1).start();
        node.wait_for_own(5);
        node.terminate();
    }
}

/// Opening a large store anew takes its time: the manager is told to wait for longer, and afterwards as before.
#[test]
fn a_store_that_is_opened_anew_is_waited_for() {
    let (dir, manager) = (tempfile::tempdir().unwrap(), Manager::new());
    // More than SQLite keeps in memory, or it would not look into the file again.
    let filler = Launch::secondary("node", dir.path()).start();
    let text: String = (0..60_000).map(|number| format!("{{\"msg\":{number}}}\r")).collect();
    filler.client().send(text.as_bytes());
    filler.wait_for_own(60_000);
    filler.terminate();
    let mut node = manager.watched(dir.path()).start();
    let file = dir.path().join("pisink.sqlite");
    let length = std::fs::metadata(&file).unwrap().len();
    let open = std::fs::File::options().write(true).open(&file).unwrap();
    let garbage = vec![0xa5; usize::try_from(length / 2).unwrap()];
    std::os::unix::fs::FileExt::write_all_at(&open, &garbage, length / 4).unwrap();
    let journal = node.status()["journal"].as_str().unwrap().to_owned();
    node.client().send_json(
        &json!({ "key": "POLL", "value": { "journal": journal, "after": 30_000, "taken": 0, "max": 2_000 } }),
    );
    assert!(manager.next().starts_with("READY=1\n"), "the first start");
    node.wait_for_line("the store is damaged");
    while !manager.next().ends_with("WATCHDOG_USEC=900000000\n") {}
    let again = manager.next();
    assert!(again.starts_with("READY=1\n") && again.contains("WATCHDOG_USEC=500000\n"), "{again}");
    manager.fed();
    assert_ne!(node.status()["journal"], *journal);
    node.terminate();
}
