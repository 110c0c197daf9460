//! Rounds: one polling cycle of a primary.

use super::{Instant, NodeName, WallTime};

/// One round as a sink records it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundRecord {
    /// Counts up from 1 on one sink, across restarts.
    pub number: u64,
    /// When it ended, by the sink's wall clock.
    pub time: WallTime,
    /// The same moment by the sink's monotonic clock, by which it is dated; zero in rounds of before there was that.
    pub mono: Instant,
    /// How many nodes were asked.
    pub nodes: u32,
    /// How many of them answered in time, this node itself among them.
    pub answered: u32,
    /// The nodes that did not answer in time: ERR `node_down` in this round. In order of name.
    pub down: Vec<NodeName>,
}
