//! What must hold at every moment of a run, and what a run that breaks it says.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::text::Short;
use crate::model::RingId;

/// A rule that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// What a node acknowledges is on its stable storage.
    Acknowledged,
    /// What a node gives out is on its stable storage, and is what was sensed.
    Genuine,
    /// A sink passes over no reading that its source still has.
    NothingSkipped,
    /// No reading is in a store twice, and each journal's are in order.
    OnceInOrder,
    /// No two tokens have one name, and no token is taken twice.
    OneToken,
    /// No member goes back to a smaller ring.
    RingGrows,
    /// Queues keep their bounds.
    Bounded,
    /// A machine that did what was due has nothing due at once.
    Progress,
    /// After the faults, all living nodes are together again within the bound.
    Heals,
    /// After the faults, every reading is at the sink within the bound.
    Collected,
    /// Where a node says that two clocks met, they met.
    ClocksMeet,
    /// Nothing panics.
    NoPanic,
}

impl Invariant {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Invariant::Acknowledged => "acknowledged readings are durable",
            Invariant::Genuine => "readings are genuine",
            Invariant::NothingSkipped => "no reading is skipped",
            Invariant::OnceInOrder => "each reading once, in order",
            Invariant::OneToken => "one token of a name",
            Invariant::RingGrows => "no way back to a smaller ring",
            Invariant::Bounded => "queues within bounds",
            Invariant::Progress => "deadlines progress",
            Invariant::Heals => "healed within the bound",
            Invariant::Collected => "collected within the bound",
            Invariant::ClocksMeet => "clocks meet where they are said to",
            Invariant::NoPanic => "nothing panics",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A rule that was broken in a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("seed {seed}: {invariant}: {what} (at {} of the run)", Short(*at))]
pub struct Violation {
    /// Which rule.
    pub invariant: Invariant,
    /// When, from the begin of the run.
    pub at: Duration,
    /// What happened.
    pub what: String,
    /// The scenario's seed.
    pub seed: u64,
}

/// A broken rule, before anybody knows when.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) invariant: Invariant,
    pub(super) what: String,
}

/// Holds to a rule.
pub(super) fn hold(invariant: Invariant, is_held: bool, what: impl FnOnce() -> String) -> Result<(), Broken> {
    if is_held { Ok(()) } else { Err(Broken { invariant, what: what() }) }
}

/// All tokens that were ever taken.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// The last hop of each name, and who took it.
    last: BTreeMap<RingId, (u64, usize)>,
}

impl Tokens {
    /// A token was taken. A token has one line of hops: were there two of a name, or one taken twice, a number would
    /// come again or go back.
    pub(super) fn visit(&mut self, ring: RingId, seq: u64, host: usize) -> Result<(), Broken> {
        let before = self.last.insert(ring, (seq, host));
        let (last, taker) = before.unwrap_or_default();
        hold(Invariant::OneToken, before.is_none() || seq > last, || {
            format!(
                "host {host} takes hop {seq} of the token of epoch {}, whose hop {last} host {taker} has taken",
                ring.epoch
            )
        })
    }
}
