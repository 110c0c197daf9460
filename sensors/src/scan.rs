//! Which chips are on a bus, found without harm.
//!
//! Every address is asked for one byte and told nothing: a read changes no register, while the empty write that
//! `i2cdetect` prefers at most addresses is a command to some chips and has locked up EEPROMs at 0x30-0x37 and
//! 0x50-0x5F. A chip that refuses a read because nothing has been asked of it (SHT3x and SHT4x do) is found by its
//! driver's own question, which is put only at the addresses of drivers that there are, in the order of the table.

use std::fmt;
use std::time::Duration;

use crate::bus::{BusError, BusSpec, DynBus};
use crate::catalogue::{CHIP_ADDRESSES, DRIVERS, Finding};

/// When so many addresses in a row time out, it is the bus that does not work, and no chip.
const MAX_TIMEOUTS: u32 = 3;

/// A chip that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub address: u8,
    /// What it is.
    pub verdict: Verdict,
}

/// What a chip is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This driver's, for certain.
    Identified {
        /// The driver.
        driver: &'static str,
        /// What proves it, as in `chip id 0x60`.
        by: &'static str,
    },
    /// One of these drivers', likeliest first; nothing proves which.
    Probable {
        /// The drivers.
        drivers: Vec<&'static str>,
    },
    /// A driver of the kernel owns it.
    Busy,
    /// No driver here knows it.
    Unknown,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identified { driver, by } => write!(f, "{driver} (by {by})"),
            Self::Probable { drivers } => write!(f, "probably {}", drivers.join(" or ")),
            Self::Busy => f.write_str("in use: a kernel driver owns it"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// Walks all addresses that chips can have, and tells what is there, in the order of addresses. `pause` has to let the
/// given time pass.
///
/// # Errors
/// `Absent` if the bus has gone, `Timeout` if its lines do not work: a pull-up is missing, or a chip holds the clock.
pub fn scan(bus: &mut DynBus, pause: &mut dyn FnMut(Duration)) -> Result<Vec<Found>, BusError> {
    let mut found = Vec::new();
    let mut timeouts = 0;
    for address in CHIP_ADDRESSES {
        let answer = bus.read(address, &mut [0]);
        timeouts = if answer == Err(BusError::Timeout) { timeouts + 1 } else { 0 };
        let verdict = match answer {
            Err(BusError::Absent) => return Err(BusError::Absent),
            Err(BusError::Timeout) if timeouts >= MAX_TIMEOUTS => return Err(BusError::Timeout),
            Err(BusError::Busy) => Some(Verdict::Busy),
            Ok(()) => Some(probe(bus, address, pause)?.unwrap_or(Verdict::Unknown)),
            // Silence may be a chip that nothing has been asked of, so only what its driver is sure of counts.
            Err(BusError::Nack) => probe(bus, address, pause)?.filter(|verdict| verdict.is_identified()),
            Err(BusError::Timeout | BusError::Io(_)) => None,
        };
        found.extend(verdict.map(|verdict| Found { address, verdict }));
    }
    Ok(found)
}

/// Puts the questions of every driver that can be at `address`, until one is sure.
fn probe(
    bus: &mut DynBus,
    address: u8,
    pause: &mut dyn FnMut(Duration),
) -> Result<Option<Verdict>, BusError> {
    let (mut likely, mut possible) = (Vec::new(), Vec::new());
    for row in DRIVERS.iter().filter(|row| row.addresses.contains(&address)) {
        match (row.probe)(bus, address, pause) {
            Ok(Finding::Proof(by)) => return Ok(Some(Verdict::Identified { driver: row.name, by })),
            Ok(Finding::Likely) => likely.push(row.name),
            Ok(Finding::Possible) => possible.push(row.name),
            Err(BusError::Absent) => return Err(BusError::Absent),
            // A chip that does not take the question is another chip.
            Ok(Finding::Not) | Err(_) => {}
        }
    }
    let drivers = if likely.is_empty() { possible } else { likely };
    Ok((!drivers.is_empty()).then_some(Verdict::Probable { drivers }))
}

impl Verdict {
    fn is_identified(&self) -> bool {
        matches!(self, Self::Identified { .. })
    }

    /// The driver to propose, where there is no doubt or no choice.
    fn proposal(&self) -> Option<&'static str> {
        match self {
            Self::Identified { driver, .. } => Some(driver),
            Self::Probable { drivers } => match drivers.as_slice() {
                [driver] => Some(driver),
                _ => None,
            },
            Self::Busy | Self::Unknown => None,
        }
    }
}

/// What to put into a configuration for the chips that were found, in two forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigLines {
    /// For the configuration file.
    pub toml: String,
    /// For the command line.
    pub flags: String,
}

/// The configuration for `found` on `bus`. Where there is a choice, the configuration file has it as a comment.
pub fn config_lines(bus: &BusSpec, found: &[Found]) -> ConfigLines {
    let mut toml = format!("bus = \"{bus}\"\nchips = [\n");
    let mut flags = format!("--bus {bus}");
    for Found { address, verdict } in found {
        if let Some(driver) = verdict.proposal() {
            toml.push_str(&format!("    \"{driver}@{address:#04x}\",{}\n", doubt(verdict)));
            flags.push_str(&format!(" --chip {driver}@{address:#04x}"));
        } else if let Verdict::Probable { drivers } = verdict {
            toml.push_str(&format!("    # at {address:#04x}, choose one:\n"));
            drivers.iter().for_each(|driver| toml.push_str(&format!("    # \"{driver}@{address:#04x}\",\n")));
        }
    }
    toml.push_str("]\n");
    ConfigLines { toml, flags }
}

fn doubt(verdict: &Verdict) -> &'static str {
    if verdict.is_identified() { "" } else { " # probably" }
}

#[cfg(test)]
mod tests;
