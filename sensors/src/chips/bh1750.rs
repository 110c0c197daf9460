//! BH1750 light sensor: one high-resolution measurement at a time; the chip sleeps in between.
//!
//! Source: ROHM BH1750FVI technical note (2011.11 rev. D), "Instruction Set" and "Measurement Procedure". The chip has
//! commands, no registers and no identity, and takes one command a transfer.

use std::time::Duration;

use embedded_hal::i2c::I2c;

use crate::chip::{Chip, ChipError, Fault, Quantity, Sample, Step};

/// Where it can sit: pin ADDR low or high.
pub const ADDRESSES: [u8; 2] = [0x23, 0x5C];

/// The longest measurement in high-resolution mode (120 ms is typical).
const MEASUREMENT: Duration = Duration::from_millis(180);
/// Counts for one lux at the default sensitivity.
const COUNTS_PER_LUX: f64 = 1.2;

/// The chip's commands that are used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Command {
    PowerOn = 0x01,
    /// Upper three bits (010) of the measurement time 69, the default: another program may have left another one,
    /// and with it another scale.
    MeasurementTimeHigh = 0x42,
    /// Lower five bits (00101) of the same.
    MeasurementTimeLow = 0x65,
    OneTimeHighResolution = 0x20,
}

/// Data register to lux.
///
/// # Errors
/// [`Fault::Range`] for all ones: saturated by light, or no answer on the bus.
pub fn convert(raw: u16) -> Result<f64, Fault> {
    if raw == u16::MAX {
        return Err(Fault::Range);
    }
    Ok(f64::from(raw) / COUNTS_PER_LUX)
}

/// One BH1750.
#[derive(Debug)]
pub struct Bh1750 {
    address: u8,
    quantities: [Quantity; 1],
    /// Its measurement time was set, and no failure since.
    set_up: bool,
}

impl Bh1750 {
    /// The chip at `address`.
    pub fn new(address: u8) -> Self {
        Self { address, quantities: [Quantity::new("illuminance", "lx")], set_up: false }
    }

    fn command<B: I2c + ?Sized>(
        &self,
        bus: &mut B,
        command: Command,
        at: &'static str,
    ) -> Result<(), ChipError> {
        bus.write(self.address, &[command as u8]).map_err(ChipError::bus(at))
    }

    fn trigger<B: I2c + ?Sized>(&self, bus: &mut B) -> Result<(), ChipError> {
        self.command(bus, Command::PowerOn, "power on")?;
        if !self.set_up {
            self.command(bus, Command::MeasurementTimeHigh, "measurement time")?;
            self.command(bus, Command::MeasurementTimeLow, "measurement time")?;
        }
        self.command(bus, Command::OneTimeHighResolution, "one-time measurement")
    }
}

impl<B: I2c + ?Sized> Chip<B> for Bh1750 {
    fn quantities(&self) -> &[Quantity] {
        &self.quantities
    }

    fn start(&mut self, bus: &mut B) -> Result<Duration, ChipError> {
        let triggered = self.trigger(bus);
        self.set_up = triggered.is_ok();
        triggered.map(|()| MEASUREMENT)
    }

    fn read(&mut self, bus: &mut B, samples: &mut Vec<Sample>) -> Result<Step, ChipError> {
        let mut bytes = [0; 2];
        bus.read(self.address, &mut bytes)
            .map_err(ChipError::bus("data register"))
            .inspect_err(|_| self.set_up = false)?;
        samples.push(Sample { quantity: 0, value: convert(u16::from_be_bytes(bytes)) });
        Ok(Step::Done)
    }
}

#[cfg(test)]
mod tests;
