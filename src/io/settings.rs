//! What a run of a node is told: resolved from flags, environment and file by the layer above.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use pisink_sensors::bus::BusSpec;
use pisink_sensors::catalogue::ChipSpec;
use pisink_sensors::sim::PlannedFault;

use super::autopilot::AutopilotSettings;
use crate::model::{Commands, Framings, NodeName, RoleName, RoleRequest};
use crate::proto::{LabConfig, PollOrder};

/// Everything that [`super::run`] needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The node's name.
    pub name: NodeName,
    /// What it does besides sensing and answering.
    pub role: RoleSettings,
    /// What it has to do with the lab's programs.
    pub lab: LabConfig,
    /// `address:port` to listen on: the node's own port.
    pub listen: String,
    /// What is open to whom, there and at other ports.
    pub access: AccessSettings,
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
    /// On which network it is a peer of ZRE.
    pub zre: Option<ZreSettings>,
    /// Its part in Autopilot's network.
    pub autopilot: AutopilotSettings,
}

/// A node among peers of ZRE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZreSettings {
    /// The interface, by its name or IPv4 address.
    pub interface: String,
    /// The groups to be in, beside that of all nodes.
    pub groups: Vec<String>,
    /// What peers are told of this node.
    pub description: String,
    /// Whether a primary polls the nodes that it finds.
    pub discover: bool,
}

/// What is open to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessSettings {
    /// The framings that anybody may speak at the node's own port; this machine may speak every one.
    pub open: Framings,
    /// Other ports.
    pub more: Vec<PortSettings>,
    /// The commands that are obeyed over other framings than line JSON.
    pub allow: Commands,
}

impl Default for AccessSettings {
    fn default() -> Self {
        Self { open: Framings::LINE, more: Vec::new(), allow: Commands::NONE }
    }
}

/// A port, and what anybody may speak there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSettings {
    /// `address:port` to listen on.
    pub address: String,
    /// The framings that are open to everybody.
    pub open: Framings,
}

/// The role, with what it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
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
        /// For whom it stands by; a primary that is the sink stands by for nobody.
        standby: Option<StandbySettings>,
        /// In what order a round asks them.
        order: PollOrder,
    },
    /// It is one of those among whom a token goes round.
    Ring {
        /// `host:port` of every node, this one among them: the same list in the same order on each.
        peers: Vec<String>,
        /// Place among those that collect: 0 is the sink, then come the standbys; `None` never collects.
        sink_rank: Option<u8>,
        /// Makes the token at once instead of waiting for one.
        makes_token: bool,
        /// From one rotation with little to carry to the next.
        token_hold: Duration,
        /// Least time from one round to the next.
        round_interval: Duration,
        /// A standby takes the sink's place when there was none for so long.
        standby_after: Duration,
    },
}

/// For whom a standby of a primary stands by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandbySettings {
    /// `host:port` of those before it in the order of sinks, the primary first.
    pub before: Vec<String>,
    /// It collects when none of them did for so long.
    pub after: Duration,
}

impl RoleSettings {
    /// The role as log and status name it.
    pub fn name(&self) -> &'static str {
        match self {
            RoleSettings::Secondary => "secondary",
            RoleSettings::Primary { standby: None, .. } => "primary",
            RoleSettings::Primary { standby: Some(_), .. } => "standby",
            RoleSettings::Ring { .. } => "ring",
        }
    }

    /// The role's name, as flags and config have it: a standby is a primary that waits for its turn.
    pub fn role(&self) -> RoleName {
        match self {
            RoleSettings::Secondary => RoleName::Secondary,
            RoleSettings::Primary { .. } => RoleName::Primary,
            RoleSettings::Ring { .. } => RoleName::Ring,
        }
    }

    /// Whether this stands by for a primary.
    pub fn is_standby(&self) -> bool {
        matches!(self, RoleSettings::Primary { standby: Some(_), .. })
    }

    /// The addresses of its peers.
    pub fn peers(&self) -> &[String] {
        match self {
            RoleSettings::Secondary => &[],
            RoleSettings::Primary { peers, .. } | RoleSettings::Ring { peers, .. } => peers,
        }
    }

    /// The same, but waiting for a token if it is one of a ring: a token is made once.
    pub(crate) fn without_token(&self) -> Self {
        let mut role = self.clone();
        if let RoleSettings::Ring { makes_token, .. } = &mut role {
            *makes_token = false;
        }
        role
    }

    /// Whether readings of other nodes may come together here.
    pub fn collects(&self) -> bool {
        match self {
            RoleSettings::Secondary => false,
            RoleSettings::Primary { .. } => true,
            RoleSettings::Ring { sink_rank, .. } => sink_rank.is_some(),
        }
    }

    /// Whether this is where readings are meant to come together: nobody else has to take what is measured here. A
    /// standby's readings are for the sink, whoever collects meanwhile.
    pub fn is_sink(&self) -> bool {
        match self {
            RoleSettings::Secondary => false,
            RoleSettings::Primary { standby, .. } => standby.is_none(),
            RoleSettings::Ring { sink_rank, .. } => *sink_rank == Some(0),
        }
    }
}

/// One bus and its chips.
#[derive(Clone, Debug, PartialEq)]
pub struct BusSettings {
    /// Which bus.
    pub bus: BusSpec,
    /// The chips on it.
    pub chips: Vec<ChipSpec>,
    /// Faults of simulated chips.
    pub faults: Vec<PlannedFault>,
}

/// Where and when a running node draws.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlotSettings {
    /// The folder of the pictures.
    pub dir: PathBuf,
    /// From one drawing to the next.
    pub interval: Duration,
    /// How much of the past a picture shows.
    pub last: Duration,
}

/// Makes the settings of a role that somebody asks for.
pub type OtherRole = dyn Fn(&RoleRequest) -> Result<RoleSettings>;
/// Reads the settings again.
pub type Again = dyn Fn() -> Result<(Settings, Source)>;

/// Where the settings come from, to be asked again while the node runs.
pub struct Source {
    /// Whether a flag or the environment names the role: then a role that was kept gives way to it.
    pub role_is_given: bool,
    /// The settings of another role, with all that is not asked for as the settings say; or why it cannot be.
    pub role: Box<OtherRole>,
    /// Reads the config again, by the same flags and environment. `None` where there is no config.
    pub again: Option<Box<Again>>,
}
