//! Planted defects: each breaks one rule of a protocol, so that the tests can show that they would notice. Only
//! tests, and a build with the feature `planted`, can switch one on; in a program the question is always answered no,
//! and costs nothing.

/// One rule that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
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
    /// A primary acknowledges what has come, durable or not.
    PollAcknowledgesEarly,
    /// A primary does not ask again for what its store refused.
    PollNeverRewinds,
    /// A primary that lost a peer never tries to reach it again.
    PeerNeverTriedAgain,
    /// A primary keeps a link on which nothing is answered.
    SilenceBorne,
    /// A primary asks no more of a peer in a round than one piece.
    OnePieceARound,
    /// A secondary notes for its consumers what they were sent, not what they have.
    NotesWhatWasSent,
    /// A secondary says that its journal goes further than its disk has it.
    SaysMoreThanDurable,
    /// A secondary waits for a read that is long done.
    ReadNeverEnds,
    /// A primary's round is due again at once.
    RoundAtOnce,
    /// A store says that it has taken readings before its disk has them.
    StoreConfirmsEarly,
    /// A store says that the own journal goes further before its disk has it.
    StoreAppendsEarly,
    /// A read of the journal leaves out its first reading.
    StoreSkipsOne,
    /// A node that starts again bears the name of its former life.
    LifeKept,
}

/// The defect of one machine, if it has one.
#[cfg(any(test, feature = "planted"))]
#[derive(Clone, Debug, Default)]
pub(crate) struct Planted {
    pub(crate) defect: Option<Defect>,
    /// The tokens that were taken, for tests of the ring's machine.
    #[cfg(test)]
    pub(crate) visits: Vec<(crate::model::RingId, u64)>,
}

/// No program has a defect.
#[cfg(not(any(test, feature = "planted")))]
#[derive(Clone, Debug, Default)]
pub(crate) struct Planted {}

impl Planted {
    /// Whether the machine has this defect.
    #[cfg(any(test, feature = "planted"))]
    pub(crate) fn is(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    /// Whether the machine has this defect.
    #[cfg(not(any(test, feature = "planted")))]
    #[expect(clippy::unused_self, reason = "asked of machines, which in a build for tests may have one")]
    pub(crate) fn is(&self, _: Defect) -> bool {
        false
    }
}

/// Machines that may have a defect.
macro_rules! plantable {
    ($($machine:ty),*) => {$(
        #[cfg(any(test, feature = "planted"))]
        impl $machine {
            /// Breaks one rule.
            pub(crate) fn plant(&mut self, defect: Defect) {
                self.planted.defect = Some(defect);
            }
        }
    )*};
}
plantable!(super::Primary, super::Ring, super::Secondary);
