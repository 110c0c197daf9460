//! What every measurement needs: a `pisink` process on a core of its own, what the kernel says of it, and rows of the
//! table. Everything waits with a bound, and nothing is left running.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

/// The core that what is measured runs on; the one that plays the rest of the world is the other.
const MEASURED_CORE: usize = 0;
const WORLD_CORE: usize = 1;
/// No single wait is longer: a measurement that hangs fails.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(120);
const KIB: f64 = 1024.0;

/// One row of the table, printed as a line of JSON for `scripts/bench`.
#[derive(Default)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) ours: f64,
    pub(crate) unit: &'static str,
    /// What it is measured beside, in the same unit and run.
    pub(crate) other: Option<(&'static str, f64)>,
    /// Ours over the other.
    pub(crate) ratio: Option<f64>,
    pub(crate) target: String,
    pub(crate) is_met: Option<bool>,
    /// From the least to the most of the repetitions, as parts of their median.
    pub(crate) spread: Option<(f64, f64)>,
    pub(crate) note: String,
}

impl Row {
    pub(crate) fn print(self, bench: &str) {
        let other = self.other.map(|(name, value)| json!({ "name": name, "value": value }));
        let row = json!({
            "bench": bench, "what": self.what, "ours": self.ours, "unit": self.unit, "other": other,
            "ratio": self.ratio, "target": self.target, "met": self.is_met, "spread": self.spread, "note": self.note,
        });
        println!("{row}");
    }
}

/// The middle one, and the spread around it.
pub(crate) fn median(values: &[f64]) -> (f64, Option<(f64, f64)>) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted[sorted.len() / 2];
    let spread = (sorted.len() > 1).then(|| (sorted[0] / middle, sorted[sorted.len() - 1] / middle));
    (middle, spread)
}

/// This process and all that it starts play the world, on their own core where there are two.
pub(crate) fn pin_world() {
    pin(std::process::id(), WORLD_CORE);
}

/// For once, this process is on the core of what is measured.
pub(crate) fn pin_world_to_measured_core() {
    pin(std::process::id(), MEASURED_CORE);
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn pin(process: u32, core: usize) {
    if Path::new(&format!("/sys/devices/system/cpu/cpu{WORLD_CORE}")).exists() {
        let arguments = ["-a", "-p", "-c", &core.to_string(), &process.to_string()].map(str::to_owned);
        let done = Command::new("taskset").args(arguments).stdout(Stdio::null()).status();
        assert!(done.is_ok_and(|status| status.success()), "taskset (util-linux) pins process {process}");
    }
}

/// A command that begins on the core of what is measured.
pub(crate) fn on_measured_core(program: &str) -> Command {
    on_core(MEASURED_CORE, program)
}

/// A command that begins on this core, where there are two.
fn on_core(core: usize, program: &str) -> Command {
    if cores() < 2 && !Path::new(&format!("/sys/devices/system/cpu/cpu{WORLD_CORE}")).exists() {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string(), program]);
    command
}

/// Where the stores of the measurements lie: on a disk, not in memory.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder under target/tmp")
}

/// A running `pisink`; killed when dropped, and by its kernel when the thread that started it ends in any other way.
pub(crate) struct Node {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Goes with it.
    _data: TempDir,
    /// Its log, line by line.
    pub(crate) log: Receiver<String>,
}

impl Node {
    /// `pisink run` with these arguments besides the listening port and the data folder.
    pub(crate) fn start(arguments: &[&str]) -> Node {
        Self::start_at(MEASURED_CORE, "127.0.0.1:0", folder(), arguments)
    }

    /// The same on this core, at this address and with this data folder.
    pub(crate) fn start_at(core: usize, address: &str, data: TempDir, arguments: &[&str]) -> Node {
        let mut child = on_core(core, "setpriv")
            .args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_pisink")])
            .args(["-v", "run", "--listen", address, "--data"])
            .arg(data.path())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("pisink starts");
        let stderr = child.stderr.take().expect("its log is a pipe");
        let (lines, log) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // Nobody wants it any more: go on, so that the process does not wait for us.
                let _ = lines.send(line);
            }
        });
        let mut node = Node { child, address: ([127, 0, 0, 1], 0).into(), _data: data, log };
        let listens = node.wait_for_log("listens on ");
        let address = listens.split("listens on ").nth(1).and_then(|rest| rest.split(',').next());
        node.address = address.and_then(|text| text.parse().ok()).expect("an address in the log");
        node
    }

    /// The next line of its log with `words` in it.
    pub(crate) fn wait_for_log(&self, words: &str) -> String {
        let until = Instant::now() + WAIT_MAX;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.log.recv_timeout(left).expect("the log says it in time");
            if line.contains(words) {
                return line;
            }
        }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it accepts");
        stream.set_nodelay(true).expect("a TCP socket");
        stream.set_read_timeout(Some(WAIT_MAX)).expect("a TCP socket");
        stream
    }

    /// What `STATUS` says.
    pub(crate) fn status(&self) -> Json {
        let mut stream = self.connect();
        stream.write_all(b"{\"id\":\"1\",\"key\":\"STATUS\"}\n").expect("it reads");
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).expect("it answers");
        serde_json::from_str::<Json>(&line).expect("its status is JSON")["value"].take()
    }

    /// Asks for the status until `done` likes it.
    pub(crate) fn wait_for_status(&self, done: impl Fn(&Json) -> bool) {
        wait_until("the status", || done(&self.status()));
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, signal).expect("the process lives");
    }

    /// Processor time of all its threads so far.
    pub(crate) fn cpu(&self) -> Duration {
        cpu_of(self.child.id())
    }

    /// A figure of `/proc/PID/status`, in bytes.
    pub(crate) fn memory(&self, field: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("the process lives");
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<f64>().ok()).expect("a figure") * KIB
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor time of a process's threads, in nanoseconds from the scheduler: ticks are too coarse for an idle one.
pub(crate) fn cpu_of(process: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).expect("the process lives");
    let ns = tasks.flatten().filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(ns.sum())
}

/// Looks every few milliseconds until `done`.
pub(crate) fn wait_until(what: &str, done: impl Fn() -> bool) {
    let until = Instant::now() + WAIT_MAX;
    while !done() {
        assert!(Instant::now() < until, "{what}: not within {WAIT_MAX:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs this program again as one of its own helpers, on the core of what is measured.
pub(crate) fn helper(arguments: &[&str]) -> Child {
    helper_on(MEASURED_CORE, arguments)
}

/// The same on this core.
pub(crate) fn helper_on(core: usize, arguments: &[&str]) -> Child {
    let program = std::env::current_exe().expect("this program's path");
    on_core(core, program.to_str().expect("a plain path"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program starts again")
}

/// What a child prints until it ends.
pub(crate) fn output_of(mut child: Child) -> String {
    let mut text = String::new();
    let mut stdout = child.stdout.take().expect("its output is a pipe");
    stdout.read_to_string(&mut text).expect("it prints text");
    assert!(child.wait().is_ok_and(|status| status.success()), "the helper fails");
    text
}

/// Ten thousand links have two ends, and one of each is here.
pub(crate) fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
