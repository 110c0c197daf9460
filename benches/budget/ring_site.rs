//! A ring of real `pisink` processes on loopback: each with an address of its own, the even ones on one core, the odd
//! ones on the other. The first is the sink.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use serde_json::Value as Json;
use tempfile::TempDir;

use crate::kit::{Node, folder, wait_until};

/// The nodes of a ring; `None` is one that does not run, or is played by this program.
pub(crate) struct RingSite {
    pub(crate) addresses: Vec<String>,
    pub(crate) nodes: Vec<Option<Node>>,
    arguments: Vec<String>,
}

impl RingSite {
    /// So many addresses; `more` are arguments that all nodes get.
    pub(crate) fn new(count: usize, more: &[&str]) -> RingSite {
        // A port that is free everywhere: the addresses differ.
        let any = TcpListener::bind("0.0.0.0:0").expect("a free port");
        let port = any.local_addr().expect("a port").port();
        let first = Ipv4Addr::new(127, 2, 0, 1).to_bits();
        let addresses: Vec<String> =
            (first..).take(count).map(|address| format!("{}:{port}", Ipv4Addr::from_bits(address))).collect();
        let list = addresses.join(",");
        let arguments = ["--role", "ring", "--peer", &list, "--sink", &addresses[0], "--bus", "none"];
        let arguments = arguments.iter().chain(more).map(|argument| (*argument).to_owned()).collect();
        RingSite { nodes: (0..count).map(|_| None).collect(), addresses, arguments }
    }

    /// Starts one with an empty data folder.
    pub(crate) fn start(&mut self, at: usize) {
        self.start_with(at, folder());
    }

    /// Starts one with this data folder.
    pub(crate) fn start_with(&mut self, at: usize, data: TempDir) {
        let name = format!("n{at}");
        let arguments: Vec<&str> =
            self.arguments.iter().map(String::as_str).chain(["--name", &name]).collect();
        self.nodes[at] = Some(Node::start_at(at % 2, &self.addresses[at], data, &arguments));
    }

    /// What a node that runs says of its ring.
    pub(crate) fn ring(&self, at: usize) -> Json {
        self.nodes[at].as_ref().expect("it runs").status()["ring"].take()
    }

    /// Processor time of all that run.
    pub(crate) fn cpu(&self) -> Duration {
        self.nodes.iter().flatten().map(Node::cpu).sum()
    }

    /// Those that run.
    pub(crate) fn running(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|at| self.nodes[*at].is_some()).collect()
    }

    /// Waits until these all know of the same ring, with so many members.
    pub(crate) fn wait_for_ring(&self, these: &[usize], members: usize) {
        wait_until(&format!("a ring of {members}"), || self.is_ring(these, members));
    }

    /// Whether these all know of the same ring, with so many members.
    pub(crate) fn is_ring(&self, these: &[usize], members: usize) -> bool {
        let mut epochs = these.iter().map(|at| {
            let ring = self.ring(*at);
            let is_whole = ring["members"].as_array().is_some_and(|found| found.len() == members);
            (is_whole && ring["state"] != "claiming").then(|| ring["epoch"].as_u64()).flatten()
        });
        let Some(first) = epochs.next().flatten() else { return false };
        epochs.all(|epoch| epoch == Some(first))
    }
}
