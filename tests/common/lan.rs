//! Hosts with a network of their own: each is a name space with one cable, and all cables end in one switch, a bridge
//! in a name space too. Cables are pulled and groups of hosts kept apart as on a site, and nobody outside sees any of
//! it. Nothing is left of it when its processes have ended: the nodes, and the holders of the name spaces, which end
//! with the test, however it ends.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::Launch;

/// A bridge whose ports nobody has cut off, and a chain for what it shall drop.
const SWITCH: &str = "ip link add lan type bridge && ip link set lan up && nft add table bridge cuts \
                      && nft add chain bridge cuts cut '{ type filter hook forward priority 0; }'";

/// A switch and the hosts at it, numbered from 0.
pub(crate) struct Lan {
    switch: Space,
    hosts: Vec<Space>,
}

impl Lan {
    /// `None`, with a word, where this user may not make one.
    pub(crate) fn of(count: usize) -> Option<Self> {
        let lan = Self::build(count);
        if let Err(why) = &lan {
            eprintln!(
                "passed over: no hosts with a network of their own can be made here, which takes user name spaces, \
                 util-linux, iproute2 and nftables: {why}"
            );
        }
        lan.ok()
    }

    fn build(count: usize) -> Result<Self, String> {
        let switch = Space::hold(&["unshare", "-Urn"], SWITCH)?;
        let mut hosts = Vec::new();
        for at in 0..count {
            let id = switch.id();
            let before: Vec<&str> = enter(&id).into_iter().chain(["unshare", "-n"]).collect();
            let host = Space::hold(&before, "ip link set lo up")?;
            switch.run(&format!("ip link add port{at} type veth peer name eth0 netns {}", host.id()))?;
            switch.run(&format!("ip link set port{at} master lan up"))?;
            host.run(&format!("ip addr add {}/24 dev eth0 && ip link set eth0 up", Self::address(at)))?;
            hosts.push(host);
        }
        Ok(Self { switch, hosts })
    }

    pub(crate) fn count(&self) -> usize {
        self.hosts.len()
    }

    /// A host's address: of the range that is for examples (RFC 5737).
    pub(crate) fn address(at: usize) -> String {
        format!("192.0.2.{}", at + 1)
    }

    /// The node, on this host.
    pub(crate) fn launch(&self, at: usize, launch: Launch) -> Launch {
        launch.on(&enter(&self.hosts[at].id()))
    }

    /// Any other program, on this host.
    pub(crate) fn command(&self, at: usize, program: &Path) -> Command {
        let id = self.hosts[at].id();
        let before = enter(&id);
        let mut command = Command::new(before[0]);
        command.args(&before[1..]).arg(program);
        command
    }

    /// Pulls the cable of a host: what it sends goes nowhere, and nobody is told.
    pub(crate) fn unplug(&self, at: usize) {
        self.switch.run(&format!("ip link set port{at} down")).unwrap();
    }

    pub(crate) fn plug(&self, at: usize) {
        self.switch.run(&format!("ip link set port{at} up")).unwrap();
    }

    /// Drops whatever one of these hosts sends to one of those, and the other way round, without a word.
    pub(crate) fn part(&self, these: &[usize], those: &[usize]) {
        for (from, to) in [(these, those), (those, these)] {
            let (from, to) = (ports(from), ports(to));
            let rule = format!("nft add rule bridge cuts cut 'iifname {from} oifname {to} drop'");
            self.switch.run(&rule).unwrap();
        }
    }

    /// Drops nothing any more.
    pub(crate) fn join(&self) {
        self.switch.run("nft flush chain bridge cuts cut").unwrap();
    }
}

/// Ports of the switch, as a set of nft.
fn ports(hosts: &[usize]) -> String {
    let names: Vec<String> = hosts.iter().map(|at| format!("\"port{at}\"")).collect();
    format!("{{ {} }}", names.join(", "))
}

/// What goes before a program to run it in the name space of this process.
fn enter(id: &str) -> [&str; 6] {
    ["nsenter", "-t", id, "-U", "-n", "--preserve-credentials"]
}

/// A line of shell, by `before`. Tools for networks are not in everybody's `PATH`.
fn shell(before: &[&str], line: &str) -> Command {
    let mut command = Command::new(before[0]);
    command.args(&before[1..]).args(["sh", "-c", &format!("PATH=$PATH:/usr/sbin:/sbin; {line}")]);
    command
}

/// A name space. It is there for as long as its holder, which ends when its input does.
struct Space {
    holder: Child,
}

impl Space {
    /// Makes one by `before`, and in it what `script` makes.
    fn hold(before: &[&str], script: &str) -> Result<Self, String> {
        let mut holder = shell(before, &format!("{script} && echo made && exec cat"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", before[0]))?;
        let mut said = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut said).unwrap();
        if said.trim() == "made" {
            return Ok(Self { holder });
        }
        let ended = holder.wait_with_output().unwrap();
        Err(String::from_utf8_lossy(&ended.stderr).trim().to_owned())
    }

    fn id(&self) -> String {
        self.holder.id().to_string()
    }

    /// Runs a line of shell in it.
    fn run(&self, line: &str) -> Result<(), String> {
        let done = shell(&enter(&self.id()), line).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        done.status.success().then_some(()).ok_or_else(|| format!("{line}: {}", said.trim()))
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
