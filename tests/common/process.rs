//! Nodes as processes of the real binary. Each ends with its handle, however the test ends.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;

use super::{Client, pisink_by, until};

/// Lines of a log that are kept; a test that provokes more still sees the first ones.
const LOG_MAX_LINES: usize = 20_000;

/// A `pisink run` to be started, once or again.
#[derive(Clone)]
pub(crate) struct Launch {
    before: Vec<String>,
    /// Whether it listens where no client of the test's own gets.
    is_elsewhere: bool,
    args: Vec<String>,
    env: Vec<(String, String)>,
    data: PathBuf,
}

impl Launch {
    /// `pisink run --data DATA` and nothing else.
    pub(crate) fn bare(data: &Path) -> Self {
        let args = vec!["run".to_owned(), "--data".to_owned(), data.display().to_string()];
        Self { before: Vec::new(), is_elsewhere: false, args, env: Vec::new(), data: data.to_owned() }
    }

    /// A secondary on a free port, with nothing to measure: its host channels, once an hour.
    pub(crate) fn secondary(name: &str, data: &Path) -> Self {
        Self::bare(data).flags(&format!("--role secondary --name {name} --bus none --interval 1h"))
    }

    /// A sink of these peers on a free port, with nothing of its own to measure.
    pub(crate) fn primary(name: &str, data: &Path, peers: &[&str]) -> Self {
        let rounds = "--poll-interval 200ms --deadline 150ms";
        let launch = format!("--role primary --name {name} --bus none --interval 1h {rounds}");
        peers
            .iter()
            .fold(Self::bare(data).flags(&launch), |launch, peer| launch.flags(&format!("--peer {peer}")))
    }

    /// More arguments, parted by blanks; the last one of a flag that is given twice counts where there can be only one.
    pub(crate) fn flags(mut self, flags: &str) -> Self {
        for flag in flags.split_whitespace() {
            let earlier = self.args.iter().position(|known| known == flag && is_single(flag));
            if let Some(at) = earlier {
                self.args.drain(at..at + 2);
            }
            self.args.push(flag.to_owned());
        }
        self
    }

    /// One argument as it stands.
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_str().unwrap().to_owned());
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs it by another program, as in `nsenter ... pisink run`.
    pub(crate) fn by(mut self, before: &[&str]) -> Self {
        self.before = before.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Runs it on a host of its own, which this program goes to. There it is asked for its status too.
    pub(crate) fn on(self, host: &[&str]) -> Self {
        Self { is_elsewhere: true, ..self.by(host) }
    }

    pub(crate) fn at(self, address: &str) -> Self {
        self.flags(&format!("--listen {address}"))
    }

    /// Starts it, and waits until it listens.
    pub(crate) fn start(&self) -> Process {
        let with_port = self.args.iter().any(|arg| arg == "--listen" || arg == "--config");
        let launch = if with_port { self.clone() } else { self.clone().at("127.0.0.1:0") };
        let mut process = launch.spawn();
        let line = process.wait_for_line(" listens on ");
        let address = line.split(" listens on ").nth(1).unwrap().split(',').next().unwrap();
        address.clone_into(&mut process.address);
        process.seen = 0;
        process
    }

    /// Starts it, and waits until it has ended by itself; with its log.
    pub(crate) fn fail(&self) -> (ExitStatus, Vec<String>) {
        let mut process = self.clone().spawn();
        let status = process.wait();
        (status, process.log_to_the_end())
    }

    fn spawn(self) -> Process {
        let program = env!("CARGO_BIN_EXE_pisink").to_owned();
        let mut words = self.before.iter().chain(std::iter::once(&program)).chain(&self.args);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        for (name, _) in
            std::env::vars().filter(|(name, _)| name.starts_with("PISINK_") || name == "RUST_LOG")
        {
            command.env_remove(name);
        }
        command.envs(self.env.iter().cloned());
        let mut child = command.spawn().unwrap();
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let (stderr, lines) = (child.stderr.take().unwrap(), Arc::clone(&log));
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                let mut lines = lines.lock().unwrap();
                if lines.len() < LOG_MAX_LINES {
                    lines.push(String::from_utf8_lossy(&line).into_owned());
                }
            }
        });
        Process {
            child,
            log,
            reader: Some(reader),
            seen: 0,
            address: String::new(),
            data: self.data.clone(),
            launch: self,
        }
    }
}

/// Flags that `pisink run` takes once.
fn is_single(flag: &str) -> bool {
    flag.starts_with("--") && !matches!(flag, "--peer" | "--chip" | "--fault" | "--host" | "--lab-peer")
}

/// A running node.
pub(crate) struct Process {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    reader: Option<std::thread::JoinHandle<()>>,
    /// Lines of the log that a wait has passed already.
    seen: usize,
    /// Where it listens.
    pub(crate) address: String,
    /// Its data folder.
    pub(crate) data: PathBuf,
    launch: Launch,
}

impl Process {
    /// The next line of the log with `words` in it, after the one that was waited for last.
    pub(crate) fn wait_for_line(&mut self, words: &str) -> String {
        let what = format!("the log says {words:?}");
        let (at, line) = until(&what, || {
            let found = self.find(words);
            let has_ended = found.is_none() && self.child.try_wait().unwrap().is_some();
            // Its last lines may have come between the two looks.
            assert!(
                !has_ended || self.find(words).is_some() || !self.log_is_complete(),
                "it has ended; {what}"
            );
            found
        });
        self.seen = at + 1;
        line
    }

    fn find(&self, words: &str) -> Option<(usize, String)> {
        let log = self.log.lock().unwrap();
        log.iter()
            .enumerate()
            .skip(self.seen)
            .find(|(_, line)| line.contains(words))
            .map(|(at, line)| (at, line.clone()))
    }

    fn log_is_complete(&self) -> bool {
        self.reader.as_ref().is_none_or(std::thread::JoinHandle::is_finished)
    }

    /// Every line so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Whether any line so far has `words` in it.
    pub(crate) fn has_logged(&self, words: &str) -> bool {
        self.log.lock().unwrap().iter().any(|line| line.contains(words))
    }

    /// Every line of a process that has ended.
    pub(crate) fn log_to_the_end(&mut self) -> Vec<String> {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.log()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn client(&self) -> Client {
        Client::to(&self.address)
    }

    /// What it says of itself.
    pub(crate) fn status(&self) -> Json {
        if !self.launch.is_elsewhere {
            return self.client().status();
        }
        let asked = pisink_by(&self.launch.before, &format!("status --json --timeout 30s {}", self.address));
        serde_json::from_str(&asked.stdout).unwrap_or_else(|error| panic!("{error}: {}", asked.stderr))
    }

    /// Its status, once `is_so` of it.
    pub(crate) fn status_when(&self, what: &str, is_so: impl Fn(&Json) -> bool) -> Json {
        if self.launch.is_elsewhere {
            return until(what, || Some(self.status()).filter(|status| is_so(status)));
        }
        let mut client = self.client();
        until(what, || Some(client.status()).filter(|status| is_so(status)))
    }

    /// Its status, once it holds `count` readings or more of its own durably.
    pub(crate) fn wait_for_own(&self, count: u64) -> Json {
        self.status_when("own readings are durable", |status| status["last"].as_u64() >= Some(count))
    }

    /// Waits until it has taken at least through `place` of the journal at `address`.
    pub(crate) fn wait_for_taken(&self, address: &str, place: u64) -> Json {
        let what = format!("{address} is taken through {place}");
        self.status_when(&what, |status| peer(status, address)["taken"].as_u64() >= Some(place))
    }

    /// Memory that it holds, in bytes.
    pub(crate) fn rss_bytes(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// SIGKILL: it has no time for anything.
    pub(crate) fn kill9(mut self) -> Launch {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.launch.clone()
    }

    /// Stops it by `signal`: exit code 0.
    pub(crate) fn stop_by(mut self, signal: Signal) -> Launch {
        self.signal(signal);
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "{status}");
        let log = self.log_to_the_end();
        assert!(log.last().is_some_and(|line| line.contains("everything is on disk")), "{log:#?}");
        self.launch.clone()
    }

    /// Stops it by SIGTERM.
    pub(crate) fn terminate(self) -> Launch {
        self.stop_by(Signal::TERM)
    }

    /// Waits until it has ended.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        until("the process has ended", || self.child.try_wait().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log_to_the_end();
            let from = log.len().saturating_sub(40);
            eprintln!("--- {} lines of log, the last ones:\n{}", log.len(), log[from..].join("\n"));
        }
    }
}

/// What a sink's status says of the peer at `address`.
pub(crate) fn peer<'a>(status: &'a Json, address: &str) -> &'a Json {
    let peers = status["polling"]["peers"].as_array().unwrap();
    peers.iter().find(|peer| peer["address"] == address).unwrap_or(&Json::Null)
}
