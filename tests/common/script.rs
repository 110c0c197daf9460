//! The Python scripts of `tests/peers` as processes, by the machine's own Python or with a real peer's library. Each
//! ends with its handle, however the test ends.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Where `scripts/peers` made the environments, if not in cargo's target folder. What it names has to be there.
const REAL_PEERS: &str = "PISINK_REAL_PEERS";

/// A running script. It is told what to do by lines, and answers by lines.
pub(crate) struct Script {
    child: Child,
    input: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    /// For what a library keeps in its user's folder.
    _home: tempfile::TempDir,
}

impl Script {
    /// By the machine's own Python; `None`, with a word, where there is none.
    pub(crate) fn start(name: &str, args: &[&str]) -> Option<Self> {
        if Command::new("python3").arg("--version").output().is_err() {
            eprintln!("passed over: there is no python3 here");
            return None;
        }
        Some(Self::spawn(Command::new("python3"), name, args))
    }

    /// In the environment of real peers that `tests/peers/ENVIRONMENT.txt` pins: `jsocket-1`, `jsocket-2` or `zmq`.
    /// `None`, with a word, where nobody made it.
    pub(crate) fn start_in(environment: &str, name: &str, args: &[&str]) -> Option<Self> {
        Some(Self::spawn(Command::new(real_python(environment)?), name, args))
    }

    /// `python` may be any command that runs a script, such as one in another name space.
    pub(crate) fn spawn(mut python: Command, name: &str, args: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut child = python
            .arg("-u")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name))
            .args(args)
            .env("HOME", home.path())
            // Autopilot starts a process of its own for its settings otherwise.
            .env("AUTOPILOT_NO_PREFS_MANAGER", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let input = child.stdin.take();
        Self { child, input, lines, _home: home }
    }

    /// The next line that it says.
    pub(crate) fn line(&mut self) -> String {
        self.lines.next().expect("the script goes on").unwrap()
    }

    /// What follows `word` in the next line, which begins with it.
    pub(crate) fn line_after(&mut self, word: &str) -> String {
        let line = self.line();
        line.strip_prefix(word).unwrap_or_else(|| panic!("not {word:?}: {line}")).trim_start().to_owned()
    }

    /// Says a line to it.
    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Has it do this, and waits until it says `done`.
    pub(crate) fn act(&mut self, act: &str) {
        self.say(act);
        assert_eq!(self.line(), format!("done {act}"));
    }

    /// Has it end by itself.
    pub(crate) fn end(mut self) {
        self.act("end");
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        drop(self.input.take());
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Python of an environment that `scripts/peers` made.
pub(crate) fn real_python(environment: &str) -> Option<PathBuf> {
    let given = std::env::var_os(REAL_PEERS);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let folder = given.as_ref().map_or_else(|| target.join("real-peers"), PathBuf::from);
    let python = folder.join(environment).join("bin/python");
    if python.is_file() {
        return Some(python);
    }
    assert!(given.is_none(), "{REAL_PEERS}: there is no {}; run scripts/peers", python.display());
    eprintln!("passed over: there is no {}; scripts/peers makes it", python.display());
    None
}
