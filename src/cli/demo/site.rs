//! The demo's three nodes: processes of this very program, on ports of the loopback interface that are free.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;

use crate::cli::status;
use crate::io::{self, Interrupts};
use crate::model::Instant;

/// One node of the demo.
pub(super) struct NodeSpec {
    pub(super) name: &'static str,
    chips: &'static [&'static str],
}

/// The sink comes first.
pub(super) const NODES: [NodeSpec; 3] = [
    NodeSpec { name: "sink", chips: &["sht3x@0x44", "seesaw@0x36"] },
    NodeSpec { name: "bench", chips: &["sht3x@0x44", "seesaw@0x36"] },
    NodeSpec {
        name: "roof",
        chips: &["sht3x@0x44", "seesaw@0x36", "ads1015@0x48,ain0=anemometer,ain1=off,ain2=off,ain3=off"],
    },
];

const INTERVAL: &str = "200ms";
const POLL_INTERVAL: &str = "500ms";
const DEADLINE: &str = "250ms";
const STATUS_TIMEOUT: Duration = Duration::from_millis(300);
/// How long a node may take to stop.
const STOP_MAX: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often a ring is asked that is healing, and how long it may take: docs/ring.md has the bounds.
const LOOK_OFTEN: Duration = Duration::from_millis(5);
const HEAL_MAX: Duration = Duration::from_secs(20);
/// The folders of the plots of the two acts.
pub(super) const PLOTS: [&str; 2] = ["plots", "plots-ring"];

/// How the readings come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Play {
    /// The sink polls the others.
    Polling,
    /// A token goes round.
    Ring,
}

/// The running nodes. Whatever happens, none outlives the demo.
pub(super) struct Site {
    dir: PathBuf,
    seed: u64,
    burnt_at: Duration,
    play: Play,
    ports: BTreeMap<&'static str, u16>,
    children: BTreeMap<&'static str, Child>,
    /// How far the sink has each node, as it said last: of one that is in no ring it says nothing.
    taken: BTreeMap<String, u64>,
    interrupts: Interrupts,
}

impl Site {
    pub(super) fn start(dir: &Path, seed: u64, burnt_at: Duration) -> Result<Self> {
        let mut ports = BTreeMap::new();
        // All are held until the last is found, so that they differ.
        let mut held = Vec::new();
        for node in &NODES {
            let listener = TcpListener::bind("127.0.0.1:0").context("looking for a free port")?;
            ports.insert(node.name, listener.local_addr()?.port());
            held.push(listener);
        }
        drop(held);
        let interrupts = Interrupts::watch()?;
        let (dir, play) = (dir.to_owned(), Play::Polling);
        let mut site = Self {
            dir,
            seed,
            burnt_at,
            play,
            ports,
            children: BTreeMap::new(),
            taken: BTreeMap::new(),
            interrupts,
        };
        site.spawn_all()?;
        Ok(site)
    }

    /// Stops the nodes, and starts them again as a ring: the same journals, the same store.
    pub(super) fn become_a_ring(&mut self) -> Result<()> {
        self.stop()?;
        self.play = Play::Ring;
        self.spawn_all()
    }

    fn spawn_all(&mut self) -> Result<()> {
        NODES.iter().try_for_each(|node| self.spawn(node, true))
    }

    pub(super) fn describe(&self) -> String {
        let line = |node: &NodeSpec| {
            let port = self.port(node.name);
            let role = self.role(node);
            let chips: Vec<&str> = node.chips.iter().map(|c| c.split(',').next().unwrap_or(c)).collect();
            format!("  {:<6} {role:<9} 127.0.0.1:{port}  {}", node.name, chips.join(" "))
        };
        NODES.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn spawn(&mut self, node: &NodeSpec, with_chips: bool) -> Result<()> {
        let index = NODES.iter().position(|other| other.name == node.name).unwrap_or(0);
        let seed = self.seed.wrapping_add(index as u64);
        let log = File::options().create(true).append(true).open(self.log(node.name))?;
        let program = std::env::current_exe().context("finding this program")?;
        let mut command = Command::new(program);
        command.args(["run", "--name", node.name, "--interval", INTERVAL, "--bus", &format!("sim:{seed}")]);
        command
            .args(["--listen", &format!("127.0.0.1:{}", self.port(node.name)), "--data"])
            .arg(self.dir.join(node.name));
        let chips = if with_chips { node.chips } else { &[] };
        command.arg("--host=false");
        for chip in chips {
            command.args(["--chip", chip]);
        }
        command.args(["--role", self.role(node)]);
        let is_sink = node.name == "sink";
        for peer in &NODES {
            // A ring's list names all of them; a primary's the others.
            if self.play == Play::Ring || (is_sink && peer.name != "sink") {
                command.args(["--peer", &format!("127.0.0.1:{}", self.port(peer.name))]);
            }
        }
        if is_sink {
            command.arg("--plots").arg(self.plots());
        }
        match self.play {
            Play::Polling if is_sink => {
                command.args(["--poll-interval", POLL_INTERVAL, "--deadline", DEADLINE]);
            }
            Play::Polling => {}
            Play::Ring => {
                command.args(["--sink", &format!("127.0.0.1:{}", self.port("sink"))]);
                command.args(["--round-interval", POLL_INTERVAL]);
            }
        }
        if node.name == "bench" && with_chips {
            // What is burnt stays so.
            let burnt_at = if self.play == Play::Polling { self.burnt_at } else { Duration::ZERO };
            command.args(["--fault", &format!("seesaw@0x36=nack@{}ms..", burnt_at.as_millis())]);
        }
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PISINK_")) {
            command.env_remove(name);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("starting a node")?;
        self.children.insert(node.name, child);
        Ok(())
    }

    fn port(&self, name: &str) -> u16 {
        self.ports.get(name).copied().unwrap_or(0)
    }

    fn role(&self, node: &NodeSpec) -> &'static str {
        match self.play {
            Play::Ring => "ring",
            Play::Polling if node.name == "sink" => "primary",
            Play::Polling => "secondary",
        }
    }

    /// Where the sink draws.
    pub(super) fn plots(&self) -> PathBuf {
        self.dir.join(PLOTS[usize::from(self.play == Play::Ring)])
    }

    /// What the sink says of its peers or members: who they are, and how far it has each.
    pub(super) fn peers(sink: &Json) -> Vec<Json> {
        let found = sink.pointer("/polling/peers").or_else(|| sink.pointer("/ring/members"));
        let others = |peer: &&Json| peer.get("node").and_then(Json::as_str) != Some("sink");
        found
            .and_then(Json::as_array)
            .map(|all| all.iter().filter(others).cloned().collect())
            .unwrap_or_default()
    }

    /// How many readings of the others the sink has.
    pub(super) fn taken(&mut self, sink: &Json) -> u64 {
        for peer in Self::peers(sink) {
            let node = peer.get("node").and_then(Json::as_str);
            if let (Some(node), Some(taken)) = (node, peer.get("taken").and_then(Json::as_u64)) {
                self.taken.insert(node.to_owned(), taken);
            }
        }
        self.taken.values().sum()
    }

    /// Waits until so many nodes besides the sink are in the ring; how long that took.
    pub(super) fn wait_for_others(&mut self, others: usize) -> Result<Duration> {
        let began = io::now().mono;
        loop {
            let sink = self.status("sink").unwrap_or(Json::Null);
            let waited = io::now().mono.saturating_since(began);
            if Self::peers(&sink).len() == others {
                return Ok(waited);
            }
            if waited > HEAL_MAX {
                bail!(
                    "the ring has not healed within {HEAL_MAX:?}: {}",
                    sink.pointer("/ring").unwrap_or(&sink)
                );
            }
            self.wait_until(io::now().mono + LOOK_OFTEN)?;
        }
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir.join(name).with_extension("log")
    }

    /// Waits; an interrupt ends the demo, and a node that ended by itself does too.
    pub(super) fn wait_until(&mut self, until: Instant) -> Result<()> {
        let patience = until.saturating_since(io::now().mono);
        if self.interrupts.wait(patience) {
            bail!("interrupted; the nodes are stopped");
        }
        for (name, child) in &mut self.children {
            if let Some(status) = child.try_wait()? {
                let log = self.dir.join(name).with_extension("log");
                let text = std::fs::read_to_string(&log).unwrap_or_default();
                let last = text.lines().last().unwrap_or_default().to_owned();
                bail!("{name} ended by itself ({status}): {last} (more in {})", log.display());
            }
        }
        Ok(())
    }

    /// What a node says of itself; `None` when it does not answer.
    pub(super) fn status(&self, name: &str) -> Option<Json> {
        self.children.contains_key(name).then_some(())?;
        let port = self.ports.get(name)?;
        status::ask(&format!("127.0.0.1:{port}"), STATUS_TIMEOUT).ok()
    }

    pub(super) fn kill(&mut self, name: &'static str) -> Result<()> {
        if let Some(mut child) = self.children.remove(name) {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    pub(super) fn start_again(&mut self, name: &str) -> Result<()> {
        let node = NODES.iter().find(|node| node.name == name).context("no such node")?;
        self.spawn(node, true)
    }

    /// Ends the sensing: the nodes are started again without chips, so that the sink can take the last readings out of
    /// their journals, and waits until it has.
    pub(super) fn end_sensing(&mut self, longest: Duration) -> Result<()> {
        for node in NODES.iter().filter(|node| node.name != "sink") {
            self.terminate(node.name)?;
            self.spawn(node, false)?;
        }
        let end = io::now().mono + longest;
        while io::now().mono < end && !self.sink_has_all() {
            self.wait_until(io::now().mono + LOOK_EVERY)?;
        }
        Ok(())
    }

    /// Whether the sink holds what every node has in its journal.
    fn sink_has_all(&self) -> bool {
        let last = |name: &str| self.status(name)?.get("last")?.as_u64();
        let sink = self.status("sink").unwrap_or(Json::Null);
        let peers = Self::peers(&sink);
        let has_all = |peer: &Json| {
            let name = peer.get("node").and_then(Json::as_str).unwrap_or_default();
            last(name).is_some_and(|last| peer.get("taken").and_then(Json::as_u64) == Some(last))
        };
        peers.len() + 1 == NODES.len() && peers.iter().all(has_all)
    }

    /// Stops all nodes, the sink last.
    pub(super) fn stop(&mut self) -> Result<()> {
        NODES.iter().rev().try_for_each(|node| self.terminate(node.name))
    }

    fn terminate(&mut self, name: &str) -> Result<()> {
        let Some(mut child) = self.children.remove(name) else { return Ok(()) };
        kill_process(Pid::from_child(&child), Signal::TERM)?;
        let end = io::now().mono + STOP_MAX;
        while child.try_wait()?.is_none() {
            if io::now().mono >= end {
                child.kill()?;
                child.wait()?;
                bail!("{name} did not stop within {STOP_MAX:?}");
            }
            self.interrupts.wait(LOOK_EVERY);
        }
        Ok(())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for child in self.children.values_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
