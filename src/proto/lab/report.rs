//! What people are told of the lab's programs.

use std::fmt;
use std::time::Duration;

use crate::model::{Instant, NodeName};

/// Something for the log.
#[derive(Clone, Debug, PartialEq)]
pub enum LabReport {
    /// One that is polled does not answer.
    Silent {
        /// Who.
        name: NodeName,
        /// Where.
        address: String,
        /// How that showed.
        why: String,
    },
    /// One that was silent answers again.
    Back {
        /// Who.
        name: NodeName,
        /// Where.
        address: String,
        /// Since when it was silent.
        since: Instant,
    },
    /// An answer could not be brought back.
    NotAnswered {
        /// Where to.
        address: String,
        /// Why.
        why: String,
    },
    /// The token could not be passed on. It is tried again until it can.
    NotPassed {
        /// The next host.
        next: String,
        /// Why.
        why: String,
    },
    /// No token came for long; this host makes a new one.
    TokenLost {
        /// For how long.
        quiet: Duration,
    },
}

impl LabReport {
    /// Whether somebody has to do something.
    pub fn is_warning(&self) -> bool {
        !matches!(self, LabReport::Back { .. })
    }
}

impl fmt::Display for LabReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LabReport::Silent { name, address, why } => {
                write!(f, "{name} at {address} (lab text) is silent: {why}")
            }
            LabReport::Back { name, address, .. } => {
                write!(f, "{name} at {address} (lab text) answers again")
            }
            LabReport::NotAnswered { address, why } => {
                write!(f, "the answer to a lab request could not be brought to {address}: {why}")
            }
            LabReport::NotPassed { next, why } => {
                write!(f, "the lab's token cannot be passed to {next}: {why}; it is tried again each second")
            }
            LabReport::TokenLost { quiet } => {
                write!(f, "no lab token came for {} s; a new one is made", quiet.as_secs())
            }
        }
    }
}
