//! MCP9808 thermometer: 0.0625 Cel steps, converts without end by itself.
//!
//! Source: Microchip MCP9808 (DS25095A), sections 5.1.1 to 5.1.6. Two identity registers are checked before anything is
//! written: other parts (accelerometers, for one) live at the same addresses.
//!
//! After power-up the temperature reads 0 Cel until the first conversion ends. A power failure may pass without a
//! failed transfer, so a zero is never taken at its first word: the driver waits for one conversion and looks again.

use std::time::Duration;

use embedded_hal::i2c::I2c;

use crate::chip::{Chip, ChipError, Fault, Quantity, Sample, Step};

/// Where it can sit: pins A2..A0.
pub const ADDRESSES: [u8; 8] = [0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x1D, 0x1E, 0x1F];

const MANUFACTURER_ID: [u8; 2] = [0x00, 0x54];
/// Upper byte of the device register; the lower one is the revision, which may grow.
const DEVICE_ID: u8 = 0x04;
/// Continuous conversion, nothing locked, alert output off: as after power-up, whatever ran here before.
const CONFIGURATION: [u8; 2] = [0x00, 0x00];
/// 0.0625 Cel.
const RESOLUTION: u8 = 0x03;
/// 250 ms is typical at this resolution and no maximum is given: a fifth more.
const FIRST_CONVERSION: Duration = Duration::from_millis(300);
/// The thirteen bits under the flags.
const TEMPERATURE_MASK: u16 = 0x1FFF;
/// The specified range; what lies outside was not measured.
const RANGE_CEL: std::ops::RangeInclusive<f64> = -40.0..=125.0;

/// The pointer register's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Register {
    Configuration = 0x01,
    AmbientTemperature = 0x05,
    ManufacturerId = 0x06,
    DeviceId = 0x07,
    Resolution = 0x08,
}

/// Ambient temperature register to Cel: 13 bits in two's complement, 1/16 Cel each, under three alert flags.
///
/// # Errors
/// [`Fault::Range`] for all ones (no answer on the bus) and for what lies outside of -40..125 Cel.
pub fn convert(raw: u16) -> Result<f64, Fault> {
    if raw == u16::MAX {
        return Err(Fault::Range);
    }
    // Shifting the flags out at the top puts the sign bit in its place.
    let celsius = f64::from((raw << 3).cast_signed() >> 3) / 16.0;
    if RANGE_CEL.contains(&celsius) { Ok(celsius) } else { Err(Fault::Range) }
}

/// Whether the chip at `address` bears both of the part's identities. Only reads.
///
/// # Errors
/// The bus's own.
pub fn probe<B: I2c + ?Sized>(bus: &mut B, address: u8) -> Result<bool, B::Error> {
    let (mut manufacturer, mut device) = ([0; 2], [0; 2]);
    bus.write_read(address, &[Register::ManufacturerId as u8], &mut manufacturer)?;
    bus.write_read(address, &[Register::DeviceId as u8], &mut device)?;
    let [device, _revision] = device;
    Ok(manufacturer == MANUFACTURER_ID && device == DEVICE_ID)
}

/// One MCP9808.
#[derive(Debug)]
pub struct Mcp9808 {
    address: u8,
    quantities: [Quantity; 1],
    /// Identified and set up, and no failure since.
    converting: bool,
    /// In this measurement a zero was read, and waited upon.
    zero_doubted: bool,
}

impl Mcp9808 {
    /// The chip at `address`.
    pub fn new(address: u8) -> Self {
        let quantities = [Quantity::new("temperature", "Cel")];
        Self { address, quantities, converting: false, zero_doubted: false }
    }

    fn identify<B: I2c + ?Sized>(&self, bus: &mut B) -> Result<(), ChipError> {
        let ours = probe(bus, self.address).map_err(ChipError::bus("chip id"))?;
        if ours { Ok(()) } else { Err(ChipError::new(Fault::Absent, "chip id")) }
    }

    fn configure<B: I2c + ?Sized>(&self, bus: &mut B) -> Result<(), ChipError> {
        let [high, low] = CONFIGURATION;
        bus.write(self.address, &[Register::Configuration as u8, high, low])
            .map_err(ChipError::bus("configuration"))?;
        bus.write(self.address, &[Register::Resolution as u8, RESOLUTION])
            .map_err(ChipError::bus("resolution"))
    }
}

impl<B: I2c + ?Sized> Chip<B> for Mcp9808 {
    fn quantities(&self) -> &[Quantity] {
        &self.quantities
    }

    fn start(&mut self, bus: &mut B) -> Result<Duration, ChipError> {
        self.zero_doubted = false;
        if self.converting {
            return Ok(Duration::ZERO);
        }
        self.identify(bus)?;
        self.configure(bus)?;
        self.converting = true;
        Ok(FIRST_CONVERSION)
    }

    fn read(&mut self, bus: &mut B, samples: &mut Vec<Sample>) -> Result<Step, ChipError> {
        let mut bytes = [0; 2];
        bus.write_read(self.address, &[Register::AmbientTemperature as u8], &mut bytes)
            .map_err(ChipError::bus("ambient temperature"))
            .inspect_err(|_| self.converting = false)?;
        let raw = u16::from_be_bytes(bytes);
        if raw & TEMPERATURE_MASK == 0 && !self.zero_doubted {
            self.zero_doubted = true;
            return Ok(Step::Wait(FIRST_CONVERSION));
        }
        let value = convert(raw);
        self.converting = value.is_ok();
        samples.push(Sample { quantity: 0, value });
        Ok(Step::Done)
    }
}

#[cfg(test)]
mod tests;
