//! What a run of a node is told: resolved from flags, environment and file by the layer above.

use std::path::PathBuf;
use std::time::Duration;

use pisink_sensors::bus::BusSpec;
use pisink_sensors::catalogue::ChipSpec;
use pisink_sensors::sim::PlannedFault;

use crate::model::NodeName;
use crate::proto::PollOrder;

/// Everything that [`super::run`] needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The node's name.
    pub name: NodeName,
    /// What it does besides sensing and answering.
    pub role: RoleSettings,
    /// `address:port` to listen on.
    pub listen: String,
    /// The folder of its store.
    pub data: PathBuf,
    /// Its buses, each with the chips on it.
    pub buses: Vec<BusSettings>,
    /// Whether to read the machine's own channels (load, memory, disk).
    pub host: bool,
    /// From one measurement of a chip to the next, where the chip has no interval of its own.
    pub interval: Duration,
    /// The store commits at most once in this time (and at once when nothing was committed for so long).
    pub flush_interval: Duration,
    /// Readings older than this may go.
    pub keep_for: Option<Duration>,
    /// The store may grow to this many bytes.
    pub keep_bytes: u64,
    /// Where and when a running sink draws.
    pub plots: Option<PlotSettings>,
}

/// The role, with what it needs.
#[derive(Clone, Debug)]
pub enum RoleSettings {
    /// Others collect from it.
    Secondary,
    /// It polls others.
    Primary {
        /// `host:port` of each peer.
        peers: Vec<String>,
        /// From one round's start to the next.
        poll_interval: Duration,
        /// A round is over after this at the latest.
        deadline: Duration,
        /// In what order a round asks them.
        order: PollOrder,
    },
}

/// One bus and its chips.
#[derive(Clone, Debug)]
pub struct BusSettings {
    /// Which bus.
    pub bus: BusSpec,
    /// The chips on it.
    pub chips: Vec<ChipSpec>,
    /// Faults of simulated chips.
    pub faults: Vec<PlannedFault>,
}

/// Where and when a running node draws.
#[derive(Clone, Debug)]
pub struct PlotSettings {
    /// The folder of the pictures.
    pub dir: PathBuf,
    /// From one drawing to the next.
    pub interval: Duration,
    /// How much of the past a picture shows.
    pub last: Duration,
}
