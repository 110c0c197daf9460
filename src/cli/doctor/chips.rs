//! Check `chips`: each chip of the config is where the config says, and nothing else is there.

use pisink_sensors::bus::BusSpec;
use pisink_sensors::catalogue::ChipSpec;
use pisink_sensors::scan::{Found, Verdict};
use serde_json::Value as Json;

use super::finding::Finding;
use super::scan::{BusScan, Outcome};
use super::scene::Scene;

/// Compares the config with what a scan found or, where a node works on the bus, with what it reads.
pub(super) fn check(scene: &Scene) -> Vec<Finding> {
    if scene.buses.is_empty() {
        return vec![Finding::skipped("the config has no bus (bus none)")];
    }
    let findings: Vec<Finding> = scene.scans().iter().flat_map(|scan| of_bus(scene, scan)).collect();
    if findings.is_empty() {
        vec![Finding::skipped("no chip is configured, and none is there")]
    } else {
        findings
    }
}

fn of_bus(scene: &Scene, scan: &BusScan) -> Vec<Finding> {
    let (bus, chips) = (scan.settings.bus, &scan.settings.chips);
    match &scan.outcome {
        Outcome::Found { found, .. } => {
            let configured = chips.iter().map(|chip| configured(scene, bus, chip, found));
            let is_strange = |one: &&Found| chips.iter().all(|chip| chip.address() != one.address);
            configured.chain(found.iter().filter(is_strange).map(|one| strange(bus, one))).collect()
        }
        Outcome::InUse(_) => chips.iter().map(|chip| by_node(scene, bus, chip)).collect(),
        Outcome::Closed(_) | Outcome::Broken(_) if chips.is_empty() => Vec::new(),
        Outcome::Closed(_) | Outcome::Broken(_) => {
            vec![Finding::skipped(format!("{bus} could not be scanned: see `bus`"))]
        }
    }
}

/// A chip of the config.
fn configured(scene: &Scene, bus: BusSpec, chip: &ChipSpec, found: &[Found]) -> Finding {
    let (driver, address) = (chip.driver(), chip.address());
    let place = format!("{address:#04x} on {bus}");
    let Some(found) = found.iter().find(|found| found.address == address) else {
        return Finding::failure(
            format!("{driver} does not answer at {place}"),
            format!(
                "check its wires and its address pin; `pisink sensors scan --bus {bus}` shows what answers where"
            ),
        );
    };
    match &found.verdict {
        Verdict::Identified { driver: is, by } if *is == driver => {
            Finding::good(format!("{driver} at {place}, by {by}"))
        }
        Verdict::Probable { drivers } if drivers.contains(&driver) => {
            Finding::good(format!("{driver} at {place}: something answers, and it can be one"))
        }
        Verdict::Identified { driver: is, by } => Finding::failure(
            format!("at {place} is {is} (by {by}), the config says {driver}"),
            format!("write {is}@{address:#04x} in the config, or change the chip"),
        ),
        Verdict::Probable { drivers } => Finding::warning(
            format!("at {place} is probably {}, the config says {driver}", drivers.join(" or ")),
            format!(
                "look at what is printed on the chip, then write it as DRIVER@{address:#04x} in the config"
            ),
        ),
        Verdict::Busy => owned(scene, bus, address, driver),
        Verdict::Unknown => Finding::warning(
            format!("at {place} something answers, but not as {driver} does"),
            "look at what is printed on the chip; `pisink sensors list` has the chips that there are drivers for",
        ),
    }
}

/// A chip of the config that a driver of the kernel has.
fn owned(scene: &Scene, bus: BusSpec, address: u8, driver: &str) -> Finding {
    let number = if let BusSpec::Pi(number) = bus { number } else { 0 };
    let device = format!("{number}-{address:04x}");
    let path = format!("sys/bus/i2c/devices/{device}");
    let kernel = scene.host.link_name(&format!("{path}/driver"));
    let unbind = match &kernel {
        Some(kernel) => {
            format!("until the next boot: echo {device} | sudo tee /sys/bus/i2c/drivers/{kernel}/unbind")
        }
        None => format!("see which one with `ls -l /{path}/driver`"),
    };
    Finding::failure(
        format!(
            "{driver} at {address:#04x} on {bus} belongs to the kernel's driver {}",
            kernel.as_deref().unwrap_or("(unknown)")
        ),
        format!("take its dtoverlay line out of config.txt and reboot; {unbind}"),
    )
}

/// Something that the config does not have.
fn strange(bus: BusSpec, found: &Found) -> Finding {
    let place = format!("{:#04x} on {bus}", found.address);
    match &found.verdict {
        Verdict::Busy => Finding::note(format!("at {place} is a chip that the kernel uses itself")),
        Verdict::Unknown => Finding::note(format!("at {place} is a chip that no driver here knows")),
        Verdict::Identified { driver, .. } => Finding::note(format!(
            "at {place} is {driver}, which is not in the config"
        ))
        .and_next(format!("to read it, add \"{driver}@{:#04x}\" to chips in the config", found.address)),
        Verdict::Probable { drivers } => {
            let driver = if let [driver] = drivers.as_slice() { driver } else { "DRIVER" };
            Finding::note(format!("at {place} is probably {}, not in the config", drivers.join(" or ")))
                .and_next(format!(
                    "to read it, add \"{driver}@{:#04x}\" to chips in the config",
                    found.address
                ))
        }
    }
}

/// What the node that works on the bus reads from a chip.
fn by_node(scene: &Scene, bus: BusSpec, chip: &ChipSpec) -> Finding {
    let Some(status) = scene.status() else {
        return Finding::skipped(format!("{chip}: not scanned, and no node answers that could be asked"));
    };
    let channels = status.get("channels").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let names = [chip.name(), chip.name_on(&bus)];
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for channel in channels {
        let text = |key: &str| channel.get(key).and_then(Json::as_str).unwrap_or_default();
        let mut words = text("channel").split('/').skip(1);
        if !words.next().is_some_and(|word| names.iter().any(|name| name == word)) {
            continue;
        }
        let quantity = words.next().unwrap_or_default();
        match channel.get("value").and_then(Json::as_f64) {
            Some(value) => good.push(format!("{quantity} {value:.2} {}", text("unit")).trim_end().to_owned()),
            None => bad.push(format!("{quantity} ERR {}", text("err"))),
        }
    }
    match (good.is_empty(), bad.is_empty()) {
        (true, true) => Finding::warning(
            format!("the running node does not read {chip}"),
            "if the config was changed, start the node again: sudo systemctl restart pisink",
        ),
        (_, true) => Finding::good(format!("{chip} as the running node reads it: {}", good.join(", "))),
        (_, false) => Finding::failure(
            format!("{chip} as the running node reads it: {}", bad.join(", ")),
            "stop the node, then run this again to scan the bus; check the chip's wires",
        ),
    }
}

#[cfg(test)]
#[path = "chips_tests.rs"]
mod tests;
