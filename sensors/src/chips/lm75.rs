//! The LM75 family of thermometers: LM75 (9 bits), TMP102 and TMP105 (12 bits). They convert without end by
//! themselves, so a measurement is one read of the temperature register.
//!
//! After power-up that register reads 0 Cel until the first conversion ends. A power failure may pass without a failed
//! transfer, so a zero is never taken at its first word: the driver waits for one conversion and looks again.
//!
//! Sources: TI LM75 (SNOS808), TI TMP102 (SBOS397), TI TMP105 (SLLS648). These parts have no identity register: what
//! answers at the address is believed to be the part that the configuration names.

use std::time::Duration;

use embedded_hal::i2c::I2c;

use crate::chip::{Chip, ChipError, Fault, Quantity, Sample, Step};

/// Where an LM75 can sit: pins A2..A0. A TMP105 is made for the first two of these; emulated ones sit at any.
pub const ADDRESSES: [u8; 8] = [0x48, 0x49, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F];
/// Where a TMP102 can sit: pin ADD0 tied to ground, supply, SDA or SCL.
pub const ADDRESSES_TMP102: [u8; 4] = [0x48, 0x49, 0x4A, 0x4B];

/// The family's specified range; what lies outside was not measured.
const RANGE_CEL: std::ops::RangeInclusive<f64> = -55.0..=150.0;
/// One step of the 12 and 13 bit formats.
const FINE_STEP_CEL: f64 = 0.0625;
/// One step of the 9 bit format.
const COARSE_STEP_CEL: f64 = 0.5;
/// TMP105 configuration: R1 R0 = 11 (12 bits, against 9 after power-up), all else as after power-up.
const TMP105_TWELVE_BITS: u8 = 0x60;
/// The configuration's other bit, OS: a command when written, without meaning here when read.
const TMP105_READABLE: u8 = 0x7F;
/// TMP102 configuration after power-up: 12 bits, four conversions a second.
const TMP102_AT_POWER_UP: [u8; 2] = [0x60, 0xA0];
/// TMP102: the lowest bit of the temperature register tells that the value has 13 bits (extended mode).
const TMP102_EXTENDED: u16 = 0x0001;

/// The pointer register's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Register {
    Temperature = 0x00,
    Configuration = 0x01,
}

/// Which member of the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// 9 bits; the seven below them mean nothing.
    Lm75,
    /// 12 bits after power-up.
    Tmp102,
    /// 9 bits after power-up, set to 12 at the first start.
    Tmp105,
}

impl Part {
    /// The longest first conversion after power-up. Until it ends, the register reads 0 Cel.
    const fn first_conversion(self) -> Duration {
        match self {
            Part::Lm75 | Part::Tmp105 => Duration::from_millis(300),
            Part::Tmp102 => Duration::from_millis(35),
        }
    }

    /// Temperature register to Cel. All ones is what a bus with no answer gives, and is no temperature.
    ///
    /// # Errors
    /// [`Fault::Range`] for all ones and for what no part of the family can measure.
    pub fn convert(self, raw: u16) -> Result<f64, Fault> {
        if raw == u16::MAX {
            return Err(Fault::Range);
        }
        let signed = raw.cast_signed();
        let celsius = match self {
            Part::Lm75 => f64::from(signed >> 7) * COARSE_STEP_CEL,
            Part::Tmp102 if raw & TMP102_EXTENDED != 0 => f64::from(signed >> 3) * FINE_STEP_CEL,
            Part::Tmp102 | Part::Tmp105 => f64::from(signed >> 4) * FINE_STEP_CEL,
        };
        if RANGE_CEL.contains(&celsius) { Ok(celsius) } else { Err(Fault::Range) }
    }
}

/// Whether the chip at `address` has the configuration of a TMP102 after power-up: no proof, but no other part of the
/// family has it. Only reads.
///
/// # Errors
/// The bus's own.
pub fn looks_like_tmp102<B: I2c + ?Sized>(bus: &mut B, address: u8) -> Result<bool, B::Error> {
    let mut configuration = [0; 2];
    bus.write_read(address, &[Register::Configuration as u8], &mut configuration)?;
    Ok(configuration == TMP102_AT_POWER_UP)
}

/// One thermometer of the family.
#[derive(Debug)]
pub struct Lm75 {
    part: Part,
    address: u8,
    quantities: [Quantity; 1],
    /// Seen to answer, and no failure since.
    answers: bool,
    /// In this measurement a zero was read, and waited upon.
    zero_doubted: bool,
}

impl Lm75 {
    /// `part` at `address`.
    pub fn new(part: Part, address: u8) -> Self {
        let quantities = [Quantity::new("temperature", "Cel")];
        Self { part, address, quantities, answers: false, zero_doubted: false }
    }

    /// Whether this start is the chip's first since it got power or was lost, as far as can be told. The chip is
    /// touched, so that a wait from now on begins with a chip that has power.
    fn is_fresh<B: I2c + ?Sized>(&self, bus: &mut B) -> Result<bool, ChipError> {
        match self.part {
            Part::Tmp105 => self.set_twelve_bits(bus),
            Part::Lm75 | Part::Tmp102 if self.answers => Ok(false),
            Part::Lm75 | Part::Tmp102 => self.read_temperature(bus).map(|_| true),
        }
    }

    /// Whether a TMP105 had to be told: a power failure makes it forget.
    fn set_twelve_bits<B: I2c + ?Sized>(&self, bus: &mut B) -> Result<bool, ChipError> {
        let mut configuration = [0];
        bus.write_read(self.address, &[Register::Configuration as u8], &mut configuration)
            .map_err(ChipError::bus("configuration"))?;
        let [configuration] = configuration;
        if configuration & TMP105_READABLE == TMP105_TWELVE_BITS {
            return Ok(false);
        }
        bus.write(self.address, &[Register::Configuration as u8, TMP105_TWELVE_BITS])
            .map_err(ChipError::bus("configuration"))?;
        Ok(true)
    }

    fn read_temperature<B: I2c + ?Sized>(&self, bus: &mut B) -> Result<u16, ChipError> {
        let mut bytes = [0; 2];
        bus.write_read(self.address, &[Register::Temperature as u8], &mut bytes)
            .map_err(ChipError::bus("temperature register"))?;
        Ok(u16::from_be_bytes(bytes))
    }
}

impl<B: I2c + ?Sized> Chip<B> for Lm75 {
    fn quantities(&self) -> &[Quantity] {
        &self.quantities
    }

    fn start(&mut self, bus: &mut B) -> Result<Duration, ChipError> {
        self.zero_doubted = false;
        let fresh = self.is_fresh(bus);
        self.answers = fresh.is_ok();
        fresh.map(|fresh| if fresh { self.part.first_conversion() } else { Duration::ZERO })
    }

    fn read(&mut self, bus: &mut B, samples: &mut Vec<Sample>) -> Result<Step, ChipError> {
        let raw = self.read_temperature(bus).inspect_err(|_| self.answers = false)?;
        if self.part.convert(raw) == Ok(0.0) && !self.zero_doubted {
            self.zero_doubted = true;
            return Ok(Step::Wait(self.part.first_conversion()));
        }
        let value = self.part.convert(raw);
        self.answers = value.is_ok();
        samples.push(Sample { quantity: 0, value });
        Ok(Step::Done)
    }
}

#[cfg(test)]
mod tests;
