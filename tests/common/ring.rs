//! A ring of real processes, on loopback or on hosts of their own, all by one config file.

use std::path::PathBuf;

use serde_json::Value as Json;
use tempfile::TempDir;

use super::{Lan, Launch, Process, assert_collected, free_address, own_rows, until};

/// Lines of a config by which a node measures often, and commits often.
const BUSY: &str =
    "chips = [\"sht3x@0x44\", \"tmp102@0x48\"]\ninterval = \"50ms\"\nflush_interval = \"20ms\"";

/// Where nodes listen that have a host for themselves.
const LAN_PORT: u16 = 7001;

/// The nodes of a ring, those that run and those that do not.
pub(crate) struct RingSite {
    pub(crate) dir: TempDir,
    pub(crate) addresses: Vec<String>,
    pub(crate) nodes: Vec<Option<Process>>,
    launches: Vec<Launch>,
}

impl RingSite {
    /// `count` nodes `n0`, `n1`, ..., not yet started: the first is the sink, the second its standby. `more` are lines
    /// of the file that all of them have, `flags` what they are started with.
    pub(crate) fn new(count: usize, more: &str, flags: &str) -> Self {
        let mut addresses: Vec<String> = Vec::new();
        while addresses.len() < count {
            let address = free_address();
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let own = addresses.clone();
        Self::by_one_file(addresses, 1, more, |at, launch| launch.flags(flags).at(&own[at]))
    }

    /// Nodes that measure often, and commit often.
    pub(crate) fn busy(count: usize, more: &str) -> Self {
        Self::new(count, &format!("{BUSY}\n{more}"), "")
    }

    /// The same with each node on a host of its own, the standby on that of number `standby`.
    pub(crate) fn busy_on(lan: &Lan, standby: usize, more: &str) -> Self {
        let more = format!("listen = \"0.0.0.0:{LAN_PORT}\"\n{BUSY}\n{more}");
        let address = |at| format!("{}:{LAN_PORT}", Lan::address(at));
        let addresses = (0..lan.count()).map(address).collect();
        Self::by_one_file(addresses, standby, &more, |at, launch| lan.launch(at, launch))
    }

    fn by_one_file(
        addresses: Vec<String>,
        standby: usize,
        more: &str,
        place: impl Fn(usize, Launch) -> Launch,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ring.toml");
        let (sink, standby) = (&addresses[0], &addresses[standby]);
        let text = format!(
            "role = \"ring\"\npeers = {addresses:?}\nsink = {sink:?}\nstandby = [{standby:?}]\nbus = \"sim\"\n{more}\n"
        );
        std::fs::write(&file, text).unwrap();
        let launch = |at: usize| {
            let launch = Launch::bare(&dir.path().join(format!("n{at}")));
            place(at, launch.flags(&format!("--name n{at} --config")).arg(&file))
        };
        let launches = (0..addresses.len()).map(launch).collect();
        Self { nodes: addresses.iter().map(|_| None).collect(), addresses, launches, dir }
    }

    pub(crate) fn start(&mut self, at: usize) {
        self.nodes[at] = Some(self.launches[at].start());
    }

    pub(crate) fn start_by(&mut self, at: usize, flags: &str) {
        self.nodes[at] = Some(self.launches[at].clone().flags(flags).start());
    }

    pub(crate) fn start_all(&mut self) {
        (0..self.nodes.len()).for_each(|at| self.start(at));
    }

    pub(crate) fn node(&mut self, at: usize) -> &mut Process {
        self.nodes[at].as_mut().expect("it runs")
    }

    pub(crate) fn kill9(&mut self, at: usize) {
        self.nodes[at].take().expect("it runs").kill9();
    }

    pub(crate) fn terminate_all(&mut self) {
        self.nodes.iter_mut().filter_map(Option::take).for_each(|node| {
            node.terminate();
        });
    }

    pub(crate) fn data(&self, at: usize) -> PathBuf {
        self.dir.path().join(format!("n{at}"))
    }

    pub(crate) fn living(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|at| self.nodes[*at].is_some()).collect()
    }

    /// What a node says of its ring.
    pub(crate) fn ring(&self, at: usize) -> Json {
        self.nodes[at].as_ref().expect("it runs").status()["ring"].clone()
    }

    /// Waits until these nodes are one ring, in the order of the list, and nobody else is in it; its epoch.
    pub(crate) fn wait_for_ring_of(&self, nodes: &[usize]) -> u64 {
        let wanted: Vec<&str> = nodes.iter().map(|at| self.addresses[*at].as_str()).collect();
        until(&format!("{nodes:?} are one ring"), || {
            let rings: Vec<Json> = nodes.iter().map(|at| self.ring(*at)).collect();
            let is_whole = rings.iter().all(|ring| {
                let members = ring["members"].as_array().unwrap();
                let mut found: Vec<&str> =
                    members.iter().map(|member| member["address"].as_str().unwrap()).collect();
                found.sort_by_key(|address| self.addresses.iter().position(|known| known == address));
                found == wanted && ring["epoch"] == rings[0]["epoch"] && ring["state"] != "claiming"
            });
            is_whole.then(|| rings[0]["epoch"].as_u64().unwrap())
        })
    }

    pub(crate) fn wait_for_ring(&self) -> u64 {
        self.wait_for_ring_of(&self.living())
    }

    /// Waits until `sink` acts, and has from each living node all that is durable there by now, and `more` readings.
    pub(crate) fn wait_for_all(&self, sink: usize, more: u64) {
        let others: Vec<usize> = self.living().into_iter().filter(|at| *at != sink).collect();
        self.wait_for_all_of(&others, sink, more);
    }

    /// The same from these nodes alone.
    pub(crate) fn wait_for_all_of(&self, nodes: &[usize], sink: usize, more: u64) {
        let last = |at: usize| self.nodes[at].as_ref().unwrap().status()["last"].as_u64().unwrap();
        let wanted: Vec<(usize, u64)> = nodes.iter().map(|&at| (at, last(at) + more)).collect();
        until(&format!("n{sink} has all: {wanted:?}"), || {
            let ring = self.ring(sink);
            let is_taken = |(at, wanted): &(usize, u64)| {
                let members = ring["members"].as_array().unwrap();
                let member = members.iter().find(|member| member["address"] == *self.addresses[*at]);
                member.and_then(|member| member["taken"].as_u64()) >= Some(*wanted)
            };
            (ring["is_sink"] == true && wanted.iter().all(is_taken)).then_some(())
        });
    }

    /// Of nodes that have stopped: `sink` has what these have, up to its cursors, each reading once and as it was; and
    /// at least so many of each.
    pub(crate) fn assert_all_at(&self, sink: usize, nodes: &[usize], least: u64) {
        for at in nodes.iter().filter(|at| **at != sink) {
            let (taken, own) =
                (assert_collected(&self.data(sink), &self.data(*at)), own_rows(&self.data(*at)).len() as u64);
            assert!(least <= taken && taken <= own, "n{sink} has {taken} of n{at}'s {own} readings");
        }
    }
}
