//! What a ring has to tell people, and how it stands.

use std::fmt;

use serde_json::json;

use super::{Ring, RingOutput, State};
use crate::model::{JournalId, Member, NodeName, Now, RING_MEMBERS_MAX, RingId, Seq};
use crate::proto::PeerIx;

/// Something worth telling. Its text says what, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RingReport {
    /// The ring has other members than before, as seen from here.
    Members {
        /// The ring.
        ring: RingId,
        /// How many members.
        members: usize,
        /// Who came.
        came: Vec<NodeName>,
        /// Who left.
        gone: Vec<NodeName>,
    },
    /// This node skipped a member that could not be reached.
    Skipped {
        /// Where.
        address: String,
        /// Who.
        node: NodeName,
        /// Why.
        why: String,
    },
    /// The token is missed; this node claims it.
    Claims {
        /// The new ring.
        ring: RingId,
    },
    /// Somebody objected to this node's claim.
    ClaimLost {
        /// The claimed ring.
        ring: RingId,
        /// Who objected.
        by: NodeName,
        /// The token is not lost; otherwise a larger claim was first.
        is_alive: bool,
    },
    /// The token that this node had is dead, for there is a larger ring.
    Dead {
        /// The token's ring.
        ring: RingId,
        /// The larger one.
        by: RingId,
    },
    /// This node begins or ceases to be the acting sink.
    Sink {
        /// Whether it is.
        acts: bool,
    },
    /// The own journal could not be read for the sink.
    Unreadable {
        /// The store's words.
        why: String,
    },
    /// The sink has more of the own journal than there is.
    Behind {
        /// The sink's cursor.
        after: Seq,
        /// The own journal's end.
        last: Seq,
    },
    /// A member's address is not in this node's list.
    NotListed {
        /// The address.
        address: String,
    },
    /// None of the listed addresses leads back here.
    SelfNotFound,
    /// Two addresses show one journal.
    SameJournal {
        /// The journal.
        journal: JournalId,
        /// The one that is a member.
        first: String,
        /// The one that is not taken in.
        second: String,
    },
    /// More addresses are listed than a ring may have.
    ListTooLong {
        /// How many.
        listed: usize,
    },
}

impl RingReport {
    /// Whether somebody has to do something.
    pub fn is_warning(&self) -> bool {
        use RingReport::{ClaimLost, Claims, Dead, Members, Sink};
        match self {
            Members { gone, .. } => !gone.is_empty(),
            Claims { .. } | ClaimLost { .. } | Dead { .. } | Sink { .. } => false,
            _ => true,
        }
    }
}

impl fmt::Display for RingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |names: &[NodeName]| names.iter().map(NodeName::as_str).collect::<Vec<_>>().join(", ");
        match self {
            RingReport::Members { ring, members, came, gone } => {
                write!(f, "ring {}: {members} members", ring.epoch)?;
                if !came.is_empty() {
                    write!(f, ", here: {}", list(came))?;
                }
                if !gone.is_empty() {
                    write!(f, ", gone: {}", list(gone))?;
                }
                Ok(())
            }
            RingReport::Skipped { address, node, why } => {
                write!(f, "{address} ({node}) is skipped: {why}; it is taken in again when it answers")
            }
            RingReport::Claims { ring } => {
                write!(f, "no token; asking the others whether to make a new one (ring {})", ring.epoch)
            }
            RingReport::ClaimLost { by, is_alive: true, .. } => {
                write!(f, "{by} says that the token is not lost; waiting for it")
            }
            RingReport::ClaimLost { by, is_alive: false, .. } => {
                write!(f, "{by} has promised another a new token; waiting for it")
            }
            RingReport::Dead { ring, by } => {
                write!(f, "the token of ring {} ends here: ring {} has taken its place", ring.epoch, by.epoch)
            }
            RingReport::Sink { acts: true } => write!(f, "this node is the ring's sink now"),
            RingReport::Sink { acts: false } => write!(f, "this node is the ring's sink no longer"),
            RingReport::Unreadable { why } => write!(f, "the journal cannot be read for the sink: {why}"),
            RingReport::Behind { after, last } => write!(
                f,
                "the sink has {after} readings of this journal, which ends at {last}: was this node restored from an \
                 old copy? Give it a new journal by moving its data folder away"
            ),
            RingReport::NotListed { address } => write!(
                f,
                "{address} is a member of the ring and not in the list of peers: give every node the same list"
            ),
            RingReport::SelfNotFound => write!(
                f,
                "none of the listed peers leads back to this node: put its own address into the list, the same list \
                 on every node"
            ),
            RingReport::SameJournal { journal, first, second } => write!(
                f,
                "{first} and {second} have one journal ({journal}): one node under two addresses, or a copied SD card. \
                 {second} is not taken in: take it out of the list, or move the copy's data folder away"
            ),
            RingReport::ListTooLong { listed } => write!(
                f,
                "{listed} peers are listed; a ring has at most {RING_MEMBERS_MAX}: the others are passed over"
            ),
        }
    }
}

/// How a member stands, for whoever watches a ring from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RingView<'a> {
    /// The tokens that were taken here, and the last of them.
    pub(crate) visits: (u64, RingId, u64),
    /// The ring of the last token that it knows of.
    pub(crate) ring: RingId,
    /// The members by that token; empty while it is in no ring.
    pub(crate) members: &'a [Member],
    /// Whether it acts as the sink.
    pub(crate) acts: bool,
}

impl Ring {
    /// How it stands, for whoever watches from outside.
    pub(crate) fn view(&self) -> RingView<'_> {
        RingView {
            visits: self.visits,
            ring: self.latest.0,
            members: if self.is_member { &self.members } else { &[] },
            acts: self.collector.acts(),
        }
    }

    /// How the ring stands, for the status.
    pub fn status(&self, now: Now) -> serde_json::Value {
        let state = match &self.state {
            State::Waiting { .. } if self.is_member => "member",
            State::Waiting { .. } => "waiting",
            State::Claiming(_) => "claiming",
            State::Holding { .. } => "holding",
            State::Handing(_) => "handing",
        };
        let members: Vec<_> = self
            .members
            .iter()
            .map(|member| {
                json!({
                    "node": member.who.node.as_str(),
                    "address": member.address,
                    "journal": member.who.id.journal.to_string(),
                    "sink_rank": member.who.sink_rank,
                    "taken": self.collector.taken(member.who.id.journal).0,
                    "clock": self.dates.status(member.who.id.journal, now),
                })
            })
            .collect();
        let rotation_us =
            self.rotations.back().map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        let acting = self.members.iter().find(|member| Some(member.who.id.journal) == self.acting);
        let list: Vec<_> = self.links.all().filter_map(|ix| self.links.address(ix)).collect();
        json!({
            "state": state,
            "epoch": self.latest.0.epoch,
            "seq": self.latest.1,
            "rotation_us": rotation_us,
            "is_sink": self.collector.acts(),
            "round": self.collector.round(),
            "sink": acting.map(|member| member.who.node.as_str()),
            "list": list,
            "members": members,
        })
    }

    /// A listed address.
    pub fn address(&self, ix: PeerIx) -> String {
        self.links.address(ix).unwrap_or_default().to_owned()
    }

    pub(super) fn report(&mut self, report: RingReport) {
        self.links.outputs.push_back(RingOutput::Report(report));
    }

    /// Tells it unless it was the last thing of its kind that was told.
    pub(super) fn report_once(&mut self, report: RingReport) {
        if self.told.as_ref() != Some(&report) {
            self.told = Some(report.clone());
            self.report(report);
        }
    }
}
