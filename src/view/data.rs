//! What a view is made from: series of readings and the rounds in which they were collected.

use std::time::Duration;

use crate::model::{Channel, NodeName, Value, WallTime};

/// The readings of one channel in one journal, by time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The channel.
    pub channel: Channel,
    /// Told apart on plots when two live nodes bear one name: the first digits of the journal's id, else empty.
    pub suffix: String,
    /// Time and value, in order of time.
    pub points: Vec<(WallTime, Value)>,
    /// How well the times are known.
    pub dates: Dates,
}

/// How well the times of a series are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dates {
    /// Readings among the points that the sink's clock dated.
    pub sink: u64,
    /// Those that the node's own clock did.
    pub node: u64,
    /// Those that no clock did which can be trusted.
    pub unknown: u64,
    /// Readings among the points that a clock dated which was never set.
    pub never_set: u64,
    /// Such readings that are not among the points, for others have better times.
    pub left_out: u64,
    /// How far off a time is at most, where that is known.
    pub error_max: Option<Duration>,
}

impl Series {
    /// The node as plots name it: `sink`, or `sink (3f2a)` when another node bears the same name.
    pub fn node_label(&self) -> String {
        match self.suffix.as_str() {
            "" => self.channel.node.to_string(),
            suffix => format!("{} ({suffix})", self.channel.node),
        }
    }
}

/// One round of a sink: when it ended, and who did not answer in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// Counts up from 1 on one sink.
    pub number: u64,
    /// When it ended.
    pub time: WallTime,
    /// The nodes that did not answer: ERR `node_down` in this round.
    pub down: Vec<NodeName>,
}

/// Everything that one set of plots shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlotData {
    /// All series, ordered by channel.
    pub series: Vec<Series>,
    /// The rounds in order, of several sinks by time; empty on a node that collects from nobody.
    pub rounds: Vec<Round>,
}
