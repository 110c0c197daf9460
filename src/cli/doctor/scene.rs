//! What the checks look at: the machine, the settings that a node here would have, the node if one runs. What several
//! checks need, and what is costly, is looked at once.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use pisink_sensors::bus::{self, BusSpec, DynBus, OpenError, Simulation};
use pisink_sensors::sim::SimTime;
use serde_json::Value as Json;

use super::host::{Host, Process};
use super::scan::{self, BusScan};
use crate::cli::status;
use crate::io::{self, BusSettings, Settings};
use crate::model::WallTime;
use crate::store::{FILE_NAME, LOCK_NAME, Reader, StoreError};

/// So long a node on this machine may take to answer.
const STATUS_LIMIT: Duration = Duration::from_secs(2);

/// A role that the data folder keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeptRole {
    /// None is kept.
    None,
    /// The settings have it.
    Taken,
    /// The settings have the configured one instead, for this reason.
    Passed(String),
}

/// Opens a bus.
pub(super) type OpenBus = Box<dyn Fn(&BusSettings) -> Result<Box<DynBus>, OpenError> + Send + Sync>;

/// Where the settings are from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Config {
    /// Flags and defaults alone.
    None,
    /// This file.
    Read(PathBuf),
    /// This file, which this user may not read, so that the settings are flags and defaults.
    Hidden(PathBuf),
    /// This file cannot be used, so that the settings are flags and defaults.
    Bad {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        why: String,
    },
}

/// Everything that is looked at.
pub(super) struct Scene {
    pub(super) host: Host,
    pub(super) config: Config,
    pub(super) settings: Settings,
    pub(super) kept_role: KeptRole,
    /// The buses with the chips that are configured on each; the one that is meant where there are no chips.
    pub(super) buses: Vec<BusSettings>,
    /// The time by this machine's clock.
    pub(super) wall: WallTime,
    pub(super) open_bus: OpenBus,
    status: OnceLock<Option<Json>>,
    scans: OnceLock<Vec<BusScan>>,
}

impl Scene {
    /// `bus` is what is looked at where no chip is configured.
    pub(super) fn new(host: Host, config: Config, settings: Settings, bus: BusSpec) -> Self {
        let mut buses = settings.buses.clone();
        if buses.is_empty() && bus != BusSpec::None {
            buses.push(BusSettings { bus, chips: Vec::new(), faults: Vec::new() });
        }
        Self {
            host,
            config,
            settings,
            kept_role: KeptRole::None,
            buses,
            wall: io::now().wall,
            open_bus: Box::new(open_bus),
            status: OnceLock::new(),
            scans: OnceLock::new(),
        }
    }

    /// The process that works in the data folder, if one does.
    pub(super) fn node_process(&self) -> Option<Process> {
        let text = std::fs::read_to_string(self.settings.data.join(LOCK_NAME)).ok()?;
        let pid = text.trim().strip_prefix("process ")?.parse().ok()?;
        // The lock's text outlives its process, and the number may be another's by now.
        Some(self.host.process(pid)).filter(|process| process.name.starts_with("pisink"))
    }

    /// The store, read beside the node if one runs, and otherwise so that nothing is left beside it.
    pub(super) fn reader(&self) -> Result<Reader, StoreError> {
        let data = &self.settings.data;
        if self.node_process().is_some() { Reader::open(data) } else { Reader::open_at_rest(data) }
    }

    /// Whether there is a store; `None` where this user may not look.
    pub(super) fn has_store(&self) -> Option<bool> {
        self.settings.data.join(FILE_NAME).try_exists().ok()
    }

    /// Where a node with these settings is asked from this machine.
    pub(super) fn own_address(&self) -> String {
        let listen = &self.settings.listen;
        let Some((host, port)) = listen.rsplit_once(':') else { return listen.clone() };
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) if address.is_unspecified() => format!("127.0.0.1:{port}"),
            Ok(IpAddr::V6(address)) if address.is_unspecified() => format!("[::1]:{port}"),
            _ => listen.clone(),
        }
    }

    /// What the node that listens where these settings say tells of itself.
    pub(super) fn status(&self) -> Option<&Json> {
        self.status.get_or_init(|| status::ask(&self.own_address(), STATUS_LIMIT).ok()).as_ref()
    }

    /// What is on the buses.
    pub(super) fn scans(&self) -> &[BusScan] {
        self.scans.get_or_init(|| scan::scan_all(self))
    }
}

fn open_bus(settings: &BusSettings) -> Result<Box<DynBus>, OpenError> {
    let clock = Box::new(|| SimTime::from_micros(io::now().wall.as_unix_micros()));
    let simulation = Simulation { chips: &settings.chips, faults: &settings.faults, clock };
    bus::open(&settings.bus, simulation)
}

#[cfg(test)]
mod tests {
    use crate::cli::doctor::testkit::Machine;

    #[test]
    fn the_own_node_is_asked_where_it_can_be_reached() {
        let machine = Machine::new();
        let mut scene = machine.scene(&[]);
        for (listen, address) in [
            ("0.0.0.0:7001", "127.0.0.1:7001"),
            ("[::]:7001", "[::1]:7001"),
            ("192.0.2.7:7001", "192.0.2.7:7001"),
            ("pi-2.local:7001", "pi-2.local:7001"),
        ] {
            listen.clone_into(&mut scene.settings.listen);
            assert_eq!(scene.own_address(), address);
        }
    }

    #[test]
    fn a_lock_that_its_process_left_behind_is_nobodys() {
        let machine = Machine::new();
        let scene = machine.scene(&[]);
        assert_eq!(scene.node_process(), None);
        machine.put("data/lock", "process 812\n");
        assert_eq!(scene.node_process(), None, "no such process");
        machine.put("proc/812/comm", "bash\n");
        assert_eq!(scene.node_process(), None, "another's number");
        machine.put("proc/812/comm", "pisink\n");
        assert_eq!(scene.node_process().unwrap().pid, 812);
    }
}
