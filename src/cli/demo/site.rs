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

/// The running nodes. Whatever happens, none outlives the demo.
pub(super) struct Site {
    dir: PathBuf,
    seed: u64,
    burnt_at: Duration,
    ports: BTreeMap<&'static str, u16>,
    children: BTreeMap<&'static str, Child>,
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
        let mut site =
            Self { dir: dir.to_owned(), seed, burnt_at, ports, children: BTreeMap::new(), interrupts };
        for node in &NODES {
            site.spawn(node, true)?;
        }
        Ok(site)
    }

    pub(super) fn describe(&self) -> String {
        let line = |node: &NodeSpec| {
            let port = self.ports.get(node.name).copied().unwrap_or(0);
            let role = if node.name == "sink" { "primary" } else { "secondary" };
            let chips: Vec<&str> = node.chips.iter().map(|c| c.split(',').next().unwrap_or(c)).collect();
            format!("  {:<6} {role:<9} 127.0.0.1:{port}  {}", node.name, chips.join(" "))
        };
        NODES.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn spawn(&mut self, node: &NodeSpec, with_chips: bool) -> Result<()> {
        let port = |name: &str| self.ports.get(name).copied().unwrap_or(0);
        let index = NODES.iter().position(|other| other.name == node.name).unwrap_or(0);
        let seed = self.seed.wrapping_add(index as u64);
        let log = File::options().create(true).append(true).open(self.log(node.name))?;
        let program = std::env::current_exe().context("finding this program")?;
        let mut command = Command::new(program);
        command.args(["run", "--name", node.name, "--interval", INTERVAL, "--bus", &format!("sim:{seed}")]);
        command
            .args(["--listen", &format!("127.0.0.1:{}", port(node.name)), "--data"])
            .arg(self.dir.join(node.name));
        let chips = if with_chips { node.chips } else { &[] };
        command.arg("--host=false");
        for chip in chips {
            command.args(["--chip", chip]);
        }
        if node.name == "sink" {
            command.args(["--role", "primary", "--poll-interval", POLL_INTERVAL, "--deadline", DEADLINE]);
            command.arg("--plots").arg(self.dir.join("plots"));
            for peer in NODES.iter().filter(|peer| peer.name != "sink") {
                command.args(["--peer", &format!("127.0.0.1:{}", port(peer.name))]);
            }
        } else {
            command.args(["--role", "secondary"]);
        }
        if node.name == "bench" && with_chips {
            command.args(["--fault", &format!("seesaw@0x36=nack@{}ms..", self.burnt_at.as_millis())]);
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
        let peers = sink.pointer("/polling/peers").and_then(Json::as_array).cloned().unwrap_or_default();
        let has_all = |peer: &Json| {
            let name = peer.get("node").and_then(Json::as_str).unwrap_or_default();
            last(name).is_some_and(|last| peer.get("taken").and_then(Json::as_u64) == Some(last))
        };
        !peers.is_empty() && peers.iter().all(has_all)
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
