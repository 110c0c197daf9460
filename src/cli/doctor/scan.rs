//! Checks `bus` and `chips`: does the bus answer, and are the chips on it those of the config.
//!
//! A bus that another program uses is left alone: a question of the scan between the two halves of a measurement would
//! cost that program a reading. The node itself is asked then.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use pisink_sensors::bus::{BusError, BusSpec, OpenError};
use pisink_sensors::scan::{self, Found};

use super::finding::Finding;
use super::scene::Scene;
use crate::io::BusSettings;

/// More chips than this on one bus are no chips: a data line that is held low acknowledges every address.
const CHIPS_MAX: usize = 100;

const WIRING: &str = "power off, then check 3.3 V on pin 1, SDA on pin 3, SCL on pin 5, ground on pin 6";

/// One bus, and what came of looking at it.
pub(super) struct BusScan {
    pub(super) settings: BusSettings,
    pub(super) outcome: Outcome,
}

/// What came of looking at a bus.
pub(super) enum Outcome {
    /// Another program uses it, so that it was left alone.
    InUse(String),
    /// It does not open.
    Closed(OpenError),
    /// It does not work.
    Broken(BusError),
    /// These chips are on it.
    Found {
        /// In the order of addresses.
        found: Vec<Found>,
        /// How long the scan took.
        took: Duration,
    },
}

/// Looks at every bus, one after the other.
pub(super) fn scan_all(scene: &Scene) -> Vec<BusScan> {
    let scan =
        |settings: &BusSettings| BusScan { settings: settings.clone(), outcome: look(scene, settings) };
    scene.buses.iter().map(scan).collect()
}

fn look(scene: &Scene, settings: &BusSettings) -> Outcome {
    if let Some(who) = user_of(scene, settings.bus) {
        return Outcome::InUse(who);
    }
    let mut bus = match (scene.open_bus)(settings) {
        Ok(bus) => bus,
        Err(error) => return Outcome::Closed(error),
    };
    let begun = Instant::now();
    match scan::scan(bus.as_mut(), &mut pause) {
        Ok(found) => Outcome::Found { found, took: begun.elapsed() },
        Err(error) => Outcome::Broken(error),
    }
}

/// Who uses a bus of the kernel's now. A simulated one is everybody's own.
fn user_of(scene: &Scene, bus: BusSpec) -> Option<String> {
    let BusSpec::Pi(number) = bus else { return None };
    let device = format!("/dev/i2c-{number}");
    let holder = scene.host.holders(|target| target == device).into_iter().next();
    if let Some(holder) = holder.or_else(|| scene.node_process()) {
        return Some(holder.to_string());
    }
    // Of other users' processes nothing shows, but the node answers everybody.
    let node = scene.status()?.get("node")?.as_str()?;
    Some(format!("node {node}"))
}

/// Waits for a chip. Nobody can wake this, and the time is a chip's conversion: milliseconds.
fn pause(time: Duration) {
    let (_keep, never) = mpsc::channel::<()>();
    let _ = never.recv_timeout(time);
}

/// Does each bus answer?
pub(super) fn check_bus(scene: &Scene) -> Vec<Finding> {
    if scene.buses.is_empty() {
        return vec![Finding::skipped("the config has no bus (bus none)")];
    }
    scene.scans().iter().map(|scan| bus_finding(scan).milder_if(scan.settings.chips.is_empty())).collect()
}

fn bus_finding(scan: &BusScan) -> Finding {
    let bus = scan.settings.bus;
    match &scan.outcome {
        Outcome::InUse(who) => Finding::skipped(format!("{bus} is in use by {who}, so it was not scanned"))
            .and_next("for a scan, stop the node first: sudo systemctl stop pisink"),
        Outcome::Closed(error) => closed(bus, error),
        Outcome::Broken(BusError::Timeout) => Finding::failure(
            format!("{bus} times out: a line is held low, or has no pull-up"),
            format!("unplug all chips and plug them in one by one, with this check after each; {WIRING}"),
        ),
        Outcome::Broken(error) => Finding::failure(
            format!("{bus} does not work: {error}"),
            "plug the adapter in again, or reboot; then look at `dmesg | grep -i i2c`",
        ),
        Outcome::Found { found, .. } if found.len() > CHIPS_MAX => Finding::failure(
            format!("{bus} acknowledges {} addresses: its data line is held low", found.len()),
            format!("look for a short circuit of SDA; {WIRING}"),
        ),
        Outcome::Found { found, .. } if found.is_empty() => nothing(scan),
        Outcome::Found { found, took } => {
            let chips = if found.len() == 1 { "chip" } else { "chips" };
            Finding::good(format!(
                "{bus} answers: {} {chips}, scanned in {} ms",
                found.len(),
                took.as_millis()
            ))
        }
    }
}

/// Why it does not open stands under `i2c`, where it is a matter of the machine's settings.
fn closed(bus: BusSpec, error: &OpenError) -> Finding {
    match error {
        OpenError::Missing { .. } | OpenError::Denied { .. } => {
            Finding::failure(format!("{bus} cannot be opened"), "see `i2c`, then run this again")
        }
        error => Finding::failure(
            format!("{bus} cannot be opened: {error}"),
            "look at `dmesg | grep -i i2c` and at the --bus of the config",
        ),
    }
}

fn nothing(scan: &BusScan) -> Finding {
    let what = format!("nothing answers on {}", scan.settings.bus);
    if scan.settings.chips.is_empty() {
        return Finding::note(what).and_next(format!("with chips there: {WIRING}"));
    }
    Finding::failure(what, WIRING)
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
