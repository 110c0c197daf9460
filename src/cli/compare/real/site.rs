//! A site of processes of this very program, on ports of the loopback interface that are free, with their stores in a
//! folder of their own. None outlives the comparison, and the folder goes with them.

use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;

use crate::cli::compare::ways::{Plan, Way};
use crate::cli::status;
use crate::io::{self, Interrupts};
use crate::model::Instant;

/// How long a message takes on a machine that has much else to do.
const LOOPBACK_MAX: Duration = Duration::from_millis(1);
const STATUS_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a node may take to stop.
const STOP_MAX: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The running nodes; the first is the sink.
pub(super) struct Site {
    dir: PathBuf,
    addresses: Vec<String>,
    children: Vec<Child>,
    interrupts: Interrupts,
    /// The last one has been ended, or stands still.
    has_ended_last: bool,
}

impl Site {
    pub(super) fn start(plan: &Plan, nodes: usize, way: Way) -> Result<Self> {
        let dir = std::env::temp_dir().join(format!("pisink-compare-{}", std::process::id()));
        std::fs::create_dir(&dir).with_context(|| format!("making {}", dir.display()))?;
        // From here on the folder goes when the site does.
        let mut site = Self {
            dir,
            addresses: Vec::new(),
            children: Vec::new(),
            interrupts: Interrupts::watch()?,
            has_ended_last: false,
        };
        // All are held until the last is found, so that they differ.
        let mut held = Vec::new();
        for _ in 0..nodes {
            let listener = TcpListener::bind("127.0.0.1:0").context("looking for a free port")?;
            site.addresses.push(listener.local_addr()?.to_string());
            held.push(listener);
        }
        drop(held);
        for node in 0..nodes {
            let child = site.command(plan, node, way)?.spawn().context("starting a node")?;
            site.children.push(child);
        }
        Ok(site)
    }

    /// The folder of a node's store.
    pub(super) fn data(&self, node: usize) -> PathBuf {
        self.dir.join(name(node))
    }

    fn address(&self, node: usize) -> &str {
        self.addresses.get(node).map_or("", String::as_str)
    }

    fn command(&self, plan: &Plan, node: usize, way: Way) -> Result<Command> {
        let log = File::create(self.data(node).with_extension("log")).context("making a log")?;
        let mut command = Command::new(std::env::current_exe().context("finding this program")?);
        let time = |time: Duration| format!("{}us", time.as_micros());
        command
            .args(["run", "--name", &name(node), "--listen", self.address(node)])
            .arg("--data")
            .arg(self.data(node));
        command.args(["--bus", &format!("sim:{}", plan.seed.wrapping_add(node as u64)), "--host=false"]);
        // One channel, or two.
        command.args(["--chip", if plan.channels == 1 { "tmp102@0x48" } else { "sht3x@0x44" }]);
        command.args(["--interval", &time(plan.interval), "--flush-interval", &time(plan.flush_interval)]);
        let round = time(plan.pace(self.addresses.len(), way, LOOPBACK_MAX));
        match (way, node) {
            (Way::Ring, _) => {
                command.args(["--role", "ring", "--sink", self.address(0), "--token", self.address(0)]);
                command.args(["--token-hold", &round, "--round-interval", &round]);
            }
            (Way::AtOnce | Way::InTurn, 0) => {
                let order = if way == Way::InTurn { "in-turn" } else { "at-once" };
                command.args(["--role", "primary", "--poll-order", order]);
                command.args(["--poll-interval", &round, "--deadline", &round]);
            }
            (Way::AtOnce | Way::InTurn, _) => {
                command.args(["--role", "secondary"]);
            }
        }
        let listed = self.addresses.iter().skip(usize::from(way != Way::Ring));
        for peer in listed.filter(|_| way == Way::Ring || node == 0) {
            command.args(["--peer", peer]);
        }
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PISINK_")) {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Ok(command)
    }

    /// Waits; an interrupt ends the comparison, and a node that ended by itself does too.
    pub(super) fn wait_until(&mut self, until: Instant) -> Result<()> {
        if self.interrupts.wait(until.saturating_since(io::now().mono)) {
            bail!("interrupted; the nodes are stopped");
        }
        let living = self.children.len() - usize::from(self.has_ended_last);
        for (node, child) in self.children.iter_mut().enumerate().take(living) {
            if let Some(status) = child.try_wait()? {
                let text = std::fs::read_to_string(self.dir.join(name(node)).with_extension("log"))
                    .unwrap_or_default();
                bail!(
                    "{} ended by itself ({status}): {}",
                    name(node),
                    text.lines().last().unwrap_or_default()
                );
            }
        }
        Ok(())
    }

    /// What a node says of itself.
    pub(super) fn status(&self, node: usize) -> Result<Json> {
        status::ask(self.address(node), STATUS_TIMEOUT)
    }

    /// Ends the last node: killed, or so that it is silent: it stands still and says nothing more.
    pub(super) fn end_last(&mut self, is_killed: bool) -> Result<()> {
        self.has_ended_last = true;
        let Some(last) = self.children.last_mut() else { return Ok(()) };
        let signal = if is_killed { Signal::KILL } else { Signal::STOP };
        kill_process(Pid::from_child(last), signal).context("ending a node")
    }

    /// Stops all nodes, and takes the folder away.
    pub(super) fn stop(mut self) -> Result<()> {
        let living = self.children.len() - usize::from(self.has_ended_last);
        for child in self.children.iter().take(living) {
            kill_process(Pid::from_child(child), Signal::TERM).context("stopping a node")?;
        }
        let end = io::now().mono + STOP_MAX;
        for node in 0..living {
            while self.children.get_mut(node).is_some_and(|child| matches!(child.try_wait(), Ok(None))) {
                if io::now().mono >= end {
                    bail!("{} did not stop within {STOP_MAX:?}", name(node));
                }
                self.interrupts.wait(LOOK_EVERY);
            }
        }
        Ok(())
    }
}

/// What a node is called.
fn name(node: usize) -> String {
    if node == 0 { "sink".to_owned() } else { format!("node-{node}") }
}

impl Drop for Site {
    fn drop(&mut self) {
        for child in &mut self.children {
            // One that has ended already cannot be killed; whoever stands still can.
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
