//! Which chips there are: one table from a driver's name to everything that the rest of the program wants to know
//! about it, and [`ChipSpec`], which is how a user names one chip.
//!
//! To add a driver: its file in `chips/`, its twin in `sim/`, and a row in `table.rs`.

use std::time::Duration;

use crate::bus::{BusError, DynBus};
use crate::chip::Chip;
use crate::sim::Twin;

mod spec;
mod table;

pub(crate) use spec::CHIP_ADDRESSES;
pub use spec::{ChipSpec, SpecError, parse_address};
pub use table::DRIVERS;

/// One driver.
pub struct Driver {
    /// Its name in configurations and in channels, as in `sht3x`.
    pub name: &'static str,
    /// Other names for it, as in `sht31`.
    pub aliases: &'static [&'static str],
    /// The parts that it drives, as their makers name them.
    pub parts: &'static str,
    /// The addresses that these parts can have.
    pub addresses: &'static [u8],
    /// Everything that it may measure: quantity and unit.
    pub quantities: &'static [(&'static str, &'static str)],
    /// The options beside `interval`, which every chip has.
    pub options: &'static [DriverOption],
    /// Whether noise moves its lowest bits all the time, so that a measurement that never changes proves a fault.
    pub noisy: bool,
    /// Makes the driver.
    pub build: Build,
    /// Makes its simulated chip, as it is when power comes on.
    pub twin: fn(&ChipSpec) -> Box<dyn Twin>,
    /// Finds out whether the chip at an address is one of these parts.
    pub probe: Probe,
}

/// A driver at work, whatever its chip.
pub type DynChip = dyn Chip<DynBus>;

/// Makes a driver; an error is an option that makes no sense for the chip.
pub type Build = fn(&ChipSpec) -> Result<Box<DynChip>, SpecError>;

/// One option of a driver.
#[derive(Debug)]
pub struct DriverOption {
    /// Its name.
    pub name: &'static str,
    /// The values that it can have; the first is meant when none is given.
    pub values: &'static [&'static str],
}

/// Finds out whether the chip at this address is one of a driver's parts. It has the time between two transfers slept
/// by the function it is given.
pub type Probe = fn(&mut DynBus, u8, &mut dyn FnMut(Duration)) -> Result<Finding, BusError>;

/// What a probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is one; this proves it.
    Proof(&'static str),
    /// It looks like one.
    Likely,
    /// It may be one, for nothing on this chip tells.
    Possible,
    /// It is none.
    Not,
}

/// The driver that has `name` as its name or as an alias, in any case.
pub fn find(name: &str) -> Option<&'static Driver> {
    let is = |candidate: &&str| candidate.eq_ignore_ascii_case(name);
    DRIVERS.iter().find(|driver| is(&driver.name) || driver.aliases.iter().any(is))
}

/// The driver for the chip that `spec` names.
///
/// # Errors
/// An option that makes no sense for the chip.
pub fn build(spec: &ChipSpec) -> Result<Box<DynChip>, SpecError> {
    (spec.row().build)(spec)
}

/// The simulated chip that `spec` names, as it is when power comes on.
pub fn twin(spec: &ChipSpec) -> Box<dyn Twin> {
    (spec.row().twin)(spec)
}

#[cfg(test)]
mod tests;
