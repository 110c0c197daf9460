//! The table of all checks.

use std::time::Duration;

use super::finding::Finding;
use super::scene::Scene;
use super::{card, chips, clock, i2c, journal, node, peers, port, power, scan, service, space, speed, wifi};

/// One check.
pub(super) struct Check {
    /// Its name, for `--only` and in the output.
    pub(super) name: &'static str,
    /// What it looks at, in one line.
    pub(super) about: &'static str,
    /// What it does.
    pub(super) run: fn(&Scene) -> Vec<Finding>,
    /// It is given up after this time.
    pub(super) limit: Duration,
}

/// For files of the kernel and the answers of tools, of which a check asks three at most.
const SHORT: Duration = Duration::from_secs(20);
/// For a scan: 112 addresses, some of which may take the bus's 100 ms to time out.
const SCAN: Duration = Duration::from_secs(30);
/// For reading 64 MiB from a slow card, and for a sync that waits for what others have written.
const DISK: Duration = Duration::from_secs(60);
/// For 1,000 peers that do not answer, 64 at once.
const PEERS: Duration = Duration::from_secs(120);

/// All checks, in the order in which they are made: causes before what they cause.
pub(super) const CHECKS: &[Check] = &[
    row("version", "this program, the system, the running node's version", service::check_version, SHORT),
    row("config", "which config file, and what it comes to", service::check_config, SHORT),
    row("service", "the systemd service: running, failed, restarts, at boot", service::check, SHORT),
    row("port", "who listens where this node is to listen", port::check, SHORT),
    row("node", "what the running node itself complains of", node::check, SHORT),
    row("i2c", "I2C enabled, /dev/i2c-N there, permissions", i2c::check, SHORT),
    row("bus", "the bus opens and answers a scan that only reads", scan::check_bus, SCAN),
    row("chips", "each chip of the config where the config says, others", chips::check, SCAN),
    row("speed", "the bus's clock, and chips that stretch it", speed::check, SHORT),
    row("power", "under-voltage and throttling, now and since the boot", power::check, SHORT),
    row("space", "free disk, and how long it lasts", space::check, DISK),
    row("card", "the data folder's disk: read-only, in memory, how fast", card::check, DISK),
    row("journal", "the store is sound, and readings come", journal::check, DISK),
    row("clock", "the time, network time, a clock chip", clock::check, SHORT),
    row("wifi", "signal, power save, blocks", wifi::check, SHORT),
    row("adhoc", "Wi-Fi without infrastructure: an address, and others", wifi::check_adhoc, SHORT),
    row("peers", "each peer answers: round trip, clock offset", peers::check, PEERS),
];

const fn row(
    name: &'static str,
    about: &'static str,
    run: fn(&Scene) -> Vec<Finding>,
    limit: Duration,
) -> Check {
    Check { name, about, run, limit }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_a_name_of_its_own_and_is_documented() {
        let page = include_str!("../../../docs/doctor.md");
        for (at, check) in CHECKS.iter().enumerate() {
            assert!(CHECKS[..at].iter().all(|other| other.name != check.name), "{}", check.name);
            assert!(
                page.contains(&format!("| `{}` |", check.name)),
                "{} is not in docs/doctor.md",
                check.name
            );
        }
    }
}
