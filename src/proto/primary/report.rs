//! What a primary has to tell people, and how its peers stand.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde_json::json;

use super::{Primary, PrimaryOutput};
use crate::model::{JournalId, NodeName, Now, Seq};
use crate::proto::PeerIx;
use crate::proto::peer::{Peer, State};

/// Most of a peer's words that are told, in characters.
const REFUSAL_MAX_CHARS: usize = 200;

/// Odd findings that are told once each; beyond so many, no more are remembered and none told.
const TOLD_MAX: usize = 1_000;

/// Something worth telling. Its text says what, where, and what to do.
#[derive(Clone, Debug, PartialEq)]
pub enum PrimaryReport {
    /// A peer answered for the first time on this link, or shows another journal than before.
    Found {
        /// Where.
        address: String,
        /// Who.
        node: NodeName,
        /// Its journal.
        journal: JournalId,
        /// What is held of it.
        taken: Seq,
    },
    /// A peer's link is gone or could not be made.
    Lost {
        /// Where.
        address: String,
        /// Who, if known.
        node: Option<NodeName>,
        /// Why.
        why: String,
    },
    /// A peer answered a poll with an error, or with what was not asked for.
    Refused {
        /// Where.
        address: String,
        /// The peer's words, or what is wrong with its answer.
        why: String,
    },
    /// A peer is this very node.
    Itself {
        /// The address that leads back here.
        address: String,
    },
    /// Two peers bear one name.
    SameName {
        /// The name.
        node: NodeName,
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// Two peers show one journal.
    SameJournal {
        /// The journal.
        journal: JournalId,
        /// The one whose readings are taken.
        first: String,
        /// The one whose readings are not.
        second: String,
    },
    /// A round is over.
    Round {
        /// Its number.
        number: u64,
        /// How many peers were asked.
        nodes: usize,
        /// Who did not answer.
        down: Vec<NodeName>,
        /// From its start to its end.
        took: Duration,
    },
}

impl PrimaryReport {
    /// Whether somebody has to do something.
    pub fn is_warning(&self) -> bool {
        !matches!(self, PrimaryReport::Found { .. } | PrimaryReport::Round { .. })
    }
}

impl fmt::Display for PrimaryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PrimaryReport::Found { address, node, journal, taken } => {
                write!(f, "{address}: node {node}, journal {journal}, taken through {taken}")
            }
            PrimaryReport::Lost { address, node: Some(node), why } => {
                write!(f, "{address} ({node}): {why}; trying again")
            }
            PrimaryReport::Lost { address, node: None, why } => write!(f, "{address}: {why}; trying again"),
            PrimaryReport::Refused { address, why } => write!(f, "{address}: {why}"),
            PrimaryReport::Itself { address } => {
                write!(f, "--peer {address} is this very node: take it out of the list of peers")
            }
            PrimaryReport::SameName { node, first, second } => write!(
                f,
                "two nodes bear the name {node}: {first} and {second}; both are kept, told apart by their journals. \
                 Give one another --name"
            ),
            PrimaryReport::SameJournal { journal, first, second } => write!(
                f,
                "{first} and {second} have one journal ({journal}): one node under two addresses, or a copied SD card. \
                 {second} is not taken: take it out of the list, or move the copy's data folder away"
            ),
            PrimaryReport::Round { number, nodes, down, took } => {
                let answered = nodes.saturating_sub(down.len());
                write!(
                    f,
                    "round {number}: {answered} of {nodes} answered in {:.1} ms",
                    took.as_secs_f64() * 1e3
                )
            }
        }
    }
}

impl Primary {
    /// The last round that it began.
    pub fn round(&self) -> u64 {
        self.round
    }

    /// How the peers stand, for the status.
    pub fn status(&self, now: Now) -> serde_json::Value {
        let peers: Vec<_> = self
            .peers
            .iter()
            .map(|peer| {
                let state = match peer.state {
                    State::Up { .. } if peer.foreign => "foreign",
                    State::Up { .. } => "up",
                    State::Connecting { .. } => "connecting",
                    State::Down { .. } => "down",
                };
                json!({
                    "address": peer.address,
                    "node": peer.node.as_ref().map(NodeName::as_str),
                    "state": state,
                    "journal": peer.journal.map(|id| id.to_string()),
                    "taken": peer.journal.map_or(0, |journal| self.journals.place(journal).taken.0),
                    "last": peer.last.0,
                    "answered_round": peer.answered_round,
                    "clock": peer.clock.status(now),
                })
            })
            .collect();
        let findings: Vec<&String> = self.told.iter().collect();
        json!({ "round": self.round, "peers": peers, "findings": findings })
    }

    /// The peers whose nodes did not answer this round, neither there nor at another address that leads to them.
    pub(super) fn late(&self) -> Vec<&Peer> {
        let (answered, late): (Vec<&Peer>, _) =
            self.peers.iter().partition(|peer| peer.has_answered(self.round));
        let journals: BTreeSet<JournalId> = answered.iter().filter_map(|peer| peer.journal).collect();
        let is_elsewhere = |peer: &&Peer| peer.journal.is_some_and(|journal| journals.contains(&journal));
        late.into_iter().filter(|peer| !is_elsewhere(peer)).collect()
    }

    /// The address of a peer.
    pub fn address(&self, ix: PeerIx) -> String {
        self.peers.get(ix.0).map(|peer| peer.address.clone()).unwrap_or_default()
    }

    pub(super) fn report(&mut self, report: PrimaryReport) {
        self.outputs.push_back(PrimaryOutput::Report(report));
    }

    pub(super) fn tell_once(&mut self, report: PrimaryReport) {
        if self.told.len() < TOLD_MAX && self.told.insert(report.to_string()) {
            self.report(report);
        }
    }

    /// Tells when another node bears the name of the one at `ix`.
    pub(super) fn tell_namesake(&mut self, ix: PeerIx, node: &NodeName) {
        let bears_name = |peer: &&Peer| peer.link().is_some() && peer.node.as_ref() == Some(node);
        let mut others = self.peers.iter().enumerate().filter(|(at, _)| *at != ix.0).map(|(_, peer)| peer);
        let first = match others.find(bears_name) {
            Some(other) => other.address.clone(),
            None if *node == self.own.0 => "this node itself".to_owned(),
            None => return,
        };
        let second = self.address(ix);
        self.tell_once(PrimaryReport::SameName { node: node.clone(), first, second });
    }

    /// Tells why a peer's poll came to nothing, once until it is another reason or one is served.
    pub(super) fn tell_refusal(&mut self, ix: PeerIx, why: &str) {
        let Some(peer) = self.peers.get_mut(ix.0) else { return };
        let why: String = why.chars().take(REFUSAL_MAX_CHARS).collect();
        if peer.refusal.as_ref() != Some(&why) {
            peer.refusal = Some(why.clone());
            let address = peer.address.clone();
            self.report(PrimaryReport::Refused { address, why });
        }
    }
}
