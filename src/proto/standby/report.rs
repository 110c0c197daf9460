//! What a standby has to tell people, and how those before it stand.

use std::fmt;
use std::time::Duration;

use serde_json::json;

use super::before::Before;
use super::{Standby, StandbyOutput};
use crate::model::{NodeName, SinkPart};
use crate::proto::PeerIx;

/// Something worth telling. Its text says what, where, and what to do. Who is meant is an address, and the node there
/// if it is known.
#[derive(Clone, Debug, PartialEq)]
pub enum StandbyReport {
    /// One before this standby is there, and says so of itself.
    Heard {
        /// Who.
        whom: String,
        /// What it does.
        part: SinkPart,
    },
    /// The link to one before this standby is gone or could not be made.
    Lost {
        /// Who.
        whom: String,
        /// Why.
        why: String,
    },
    /// This standby takes the sink's place.
    Acts {
        /// Its place in the order of sinks.
        rank: u8,
        /// Nobody before it has collected for so long.
        quiet: Duration,
    },
    /// This standby gives way.
    GivesWay {
        /// To whom.
        to: String,
    },
    /// A node that is to come before this standby has no place in the order of sinks.
    NoSink {
        /// Who.
        whom: String,
    },
    /// A node that is to come before this standby comes at its place or after it by its own account.
    Order {
        /// Who.
        whom: String,
        /// Its rank by its own account.
        theirs: u8,
        /// This standby's.
        ours: u8,
    },
    /// A node that is to come before this standby is this very node.
    Itself {
        /// The address that leads back here.
        address: String,
    },
}

impl StandbyReport {
    /// Whether somebody has to do something.
    pub fn is_warning(&self) -> bool {
        !matches!(self, StandbyReport::Heard { .. } | StandbyReport::GivesWay { .. })
    }
}

impl fmt::Display for StandbyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StandbyReport::Heard { whom, part: SinkPart::Acts } => write!(f, "{whom} collects"),
            StandbyReport::Heard { whom, part: SinkPart::Hears } => {
                write!(f, "{whom} stands by, and hears of one who collects")
            }
            StandbyReport::Heard { whom, part: SinkPart::Waits } => {
                write!(f, "{whom} stands by, and hears of nobody who collects")
            }
            StandbyReport::Lost { whom, why } => write!(f, "{whom}: {why}; trying again"),
            StandbyReport::Acts { rank, quiet } => write!(
                f,
                "nobody has collected for {:.1} s: standby {rank} takes the sink's place",
                quiet.as_secs_f64()
            ),
            StandbyReport::GivesWay { to } => {
                write!(f, "this standby gives way: {to} has known of a sink for long enough")
            }
            StandbyReport::NoSink { whom } => write!(
                f,
                "{whom} is to come before this standby, and neither collects nor stands by: look at its role, or take \
                 it out of the order of sinks"
            ),
            StandbyReport::Order { whom, theirs, ours } => write!(
                f,
                "{whom} stands at place {theirs} of the order of sinks by its own account, and is to come before this \
                 standby at place {ours}: give all of them the same order"
            ),
            StandbyReport::Itself { address } => write!(
                f,
                "{address} is to come before this standby, and is this very node, or one of its name: name another, \
                 or give one of them another --name"
            ),
        }
    }
}

impl Standby {
    /// How those before it stand, for the status.
    pub fn status(&self) -> serde_json::Value {
        let watches: Vec<_> = self
            .before
            .iter()
            .map(|before| {
                json!({
                    "address": before.address,
                    "node": before.node.as_ref().map(NodeName::as_str),
                    "state": before.word(),
                })
            })
            .collect();
        let findings: Vec<&String> =
            self.before.iter().filter_map(|before| before.finding.as_ref()).collect();
        json!({ "rank": self.rank, "acts": self.acts, "watches": watches, "findings": findings })
    }

    pub(super) fn report(&mut self, report: StandbyReport) {
        self.outputs.push_back(StandbyOutput::Report(report));
    }

    /// Tells what is new about the answers of one before this.
    pub(super) fn tell_heard(&mut self, ix: PeerIx, news: Option<SinkPart>, finding: Option<StandbyReport>) {
        let whom = self.whom(ix);
        let Some(before) = self.before.get_mut(ix.0) else { return };
        let text = finding.as_ref().map(ToString::to_string);
        let is_new = text.is_some() && before.finding != text;
        before.finding = text;
        if let Some(finding) = finding.filter(|_| is_new) {
            self.report(finding);
        }
        if let Some(part) = news {
            self.report(StandbyReport::Heard { whom, part });
        }
    }

    /// One before this, as people know it.
    pub(super) fn whom(&self, ix: PeerIx) -> String {
        let before = self.before.get(ix.0);
        let node = before.and_then(|before: &Before| before.node.as_ref());
        self.whom_of(self.address(ix), node)
    }

    pub(super) fn whom_of(&self, address: String, node: Option<&NodeName>) -> String {
        node.map_or(address.clone(), |node| format!("{node} ({address})"))
    }
}
