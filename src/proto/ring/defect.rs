//! Planted defects: each breaks one rule of the ring, so that the tests can show that they would notice. Only tests can
//! switch one on; in a program the question is always answered no.

use crate::model::RingId;

/// One rule that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Defect {
    /// A copy of a token that was taken is taken again.
    DoubleTaken,
    /// A token of a smaller ring than one that was seen is taken.
    SmallerRingTaken,
    /// Who skips a member lets the token keep its name.
    SkipKeepsName,
    /// Who shall pass a token on takes it.
    PassedOnTaken,
    /// A second try is a hop of its own.
    RetryCountsAsHop,
    /// A member is skipped after the first silence.
    SkippedAtOnce,
    /// A claim wins though somebody has the token.
    ObjectionIgnored,
    /// A lost token is never replaced.
    NeverClaims,
    /// Nobody looks for the absent.
    NeverLooks,
    /// Two rings that meet both give way.
    BothGiveWay,
    /// The sink acknowledges what is not durable.
    TakenEarly,
    /// The sink does not ask again for what its store refused.
    NeverRewinds,
    /// The sink takes a piece that does not follow on what it has.
    AnyPieceTaken,
    /// A standby does not wait for the sink to come back.
    StandbyAtOnce,
    /// The sink leaves its place to the standby.
    SinkStaysAway,
    /// A member fills the token, whoever comes after it.
    ShareIgnored,
    /// What did not fit into one token is never sent.
    RestForgotten,
}

/// The defect of one machine, if it has one, and what a test wants to see of it.
#[cfg(test)]
#[derive(Clone, Debug, Default)]
pub(super) struct Planted {
    pub(super) defect: Option<Defect>,
    pub(super) visits: Vec<(RingId, u64)>,
}

/// No program has a defect, or keeps anything for tests.
#[cfg(not(test))]
#[derive(Clone, Debug, Default)]
pub(super) struct Planted {}

#[cfg(test)]
impl Planted {
    pub(super) fn is(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    pub(super) fn visited(&mut self, ring: RingId, seq: u64) {
        self.visits.push((ring, seq));
    }
}

#[cfg(not(test))]
impl Planted {
    /// Whether the machine has this defect.
    pub(super) fn is(&self, _: Defect) -> bool {
        false
    }

    /// This token was taken.
    pub(super) fn visited(&mut self, _: RingId, _: u64) {}
}
