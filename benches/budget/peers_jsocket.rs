//! jsocket's unmodified client against a node, beside the same client against jsocket's own server: a round trip, and
//! many clients at once.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::kit::{Node, Row, median, on_measured_core};

/// Round trips of a turn with a node, and with jsocket, where each takes nearly a tenth of a second.
const TRIPS: usize = 2_000;
const TRIPS_SLOW: usize = 20;
const TURNS: usize = 5;
const TARGET_TIMES: f64 = 500.0;
const TARGET_US: f64 = 100.0;
/// Clients at once. With jsocket it is a tenth of them: its time for all would be two minutes.
const CLIENTS: usize = 1_000;
const CLIENTS_SLOW: usize = 100;
const TARGET_CONNECTED_S: f64 = 2.0;

pub(crate) fn run() {
    for (environment, version) in [("jsocket-1", "1.9.6"), ("jsocket-2", "2.0.3")] {
        let Some(python) = python(environment) else { return };
        let node = Node::start(&["--role", "secondary", "--name", "n", "--bus", "none", "--interval", "60s"]);
        round_trip(&python, version, &node);
        connections(&python, version, &node);
    }
}

fn round_trip(python: &Path, version: &str, node: &Node) {
    let (mut ours, mut theirs) = (vec![], vec![]);
    for _ in 0..TURNS {
        let server = Server::start(python, "serve");
        theirs.push(client(python, "ask", server.port, TRIPS_SLOW));
        ours.push(client(python, "ask", node.address.port(), TRIPS));
    }
    let (theirs, _) = median(&theirs);
    let (ours, spread) = median(&ours);
    Row {
        what: format!("a round trip of jsocket {version}'s client"),
        ours,
        unit: "us",
        other: Some(("jsocket's server", theirs)),
        ratio: Some(ours / theirs),
        target: format!("{TARGET_TIMES} times faster, under {TARGET_US} us"),
        is_met: Some(ours <= TARGET_US && theirs / ours >= TARGET_TIMES),
        spread,
        note: format!("{:.0} times faster; most of ours is Python's own time", theirs / ours),
    }
    .print("peers");
}

fn connections(python: &Path, version: &str, node: &Node) {
    let (mut ours, mut theirs) = (vec![], vec![]);
    for _ in 0..TURNS {
        ours.push(client(python, "connect", node.address.port(), CLIENTS));
    }
    let server = Server::start(python, "factory");
    theirs.push(client(python, "connect", server.port, CLIENTS_SLOW));
    let (theirs, _) = median(&theirs);
    let (ours, spread) = median(&ours);
    Row {
        what: format!("{CLIENTS} clients of jsocket {version} connected and answered"),
        ours,
        unit: "s",
        other: Some(("jsocket's ServerFactory, a tenth of them", theirs)),
        ratio: Some(ours / theirs),
        target: format!("{TARGET_CONNECTED_S} s"),
        is_met: Some(ours <= TARGET_CONNECTED_S),
        spread,
        note: format!("jsocket's server had {CLIENTS_SLOW}"),
    }
    .print("peers");
}

/// The Python of an environment that `scripts/peers` made; without it there is nothing to measure beside.
pub(crate) fn python(environment: &str) -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
    let folder =
        std::env::var_os("PISINK_REAL_PEERS").map_or_else(|| target.join("real-peers"), PathBuf::from);
    let python = folder.join(environment).join("bin/python");
    if !python.is_file() {
        eprintln!("passed over: there is no {}; scripts/peers makes it", python.display());
        return None;
    }
    Some(python)
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peer_jsocket.py")
}

/// What a client measures.
fn client(python: &Path, what: &str, port: u16, count: usize) -> f64 {
    let arguments = [what.to_owned(), port.to_string(), count.to_string()];
    let output = Command::new(python).arg(script()).args(arguments).stderr(Stdio::inherit()).output();
    let output = output.expect("Python starts");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().unwrap_or_else(|_| panic!("the client says {text:?}"))
}

/// jsocket's own server, on the core of what is measured; it ends with its handle.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(python: &Path, what: &str) -> Server {
        let mut command = on_measured_core(&python.display().to_string());
        let mut child = command
            .arg(script())
            .arg(what)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Python starts");
        let mut port = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut port).expect("its port");
        Server { child, port: port.trim().parse().expect("a port") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
