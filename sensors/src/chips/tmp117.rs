//! TMP117 (and TMP119) thermometer: 0.0078125 Cel steps, one averaged conversion at a time.
//!
//! Source: TI TMP117 (SNOSD82D), sections 7.3 to 7.6.

use std::time::Duration;

use embedded_hal::i2c::I2c;

use crate::chip::{Chip, ChipError, Fault, Quantity, Sample, Step};

/// Where it can sit: pin ADD0 tied to ground, supply, SDA or SCL.
pub const ADDRESSES: [u8; 4] = [0x48, 0x49, 0x4A, 0x4B];

/// The lower twelve bits of the device id register; above them is the revision.
const DEVICE_ID: u16 = 0x0117;
const DEVICE_ID_MASK: u16 = 0x0FFF;
/// MOD = 11 (one conversion, then shutdown), AVG = 01 (mean of 8).
const ONE_SHOT_MEAN_OF_8: u16 = 0x0C20;
/// Configuration: a conversion has ended since the register was last read.
const DATA_READY: u16 = 0x2000;
/// 8 conversions of at most 17.5 ms.
const CONVERSION: Duration = Duration::from_millis(140);
/// What a conversion is given beyond that, this often, before it counts as failed.
const MORE_TIME: Duration = Duration::from_millis(10);
const MORE_TIMES_MAX: u8 = 3;
/// The temperature register between a reset and the first conversion's end.
const NO_CONVERSION_YET: u16 = 0x8000;
const STEP_CEL: f64 = 0.007_812_5;
/// The specified range; what lies outside was not measured.
const RANGE_CEL: std::ops::RangeInclusive<f64> = -55.0..=150.0;

/// The pointer register's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Register {
    Temperature = 0x00,
    Configuration = 0x01,
    DeviceId = 0x0F,
}

/// Temperature register to Cel.
///
/// # Errors
/// [`Fault::NotReady`] for the value after a reset, [`Fault::Range`] for what lies outside of -55..150 Cel.
pub fn convert(raw: u16) -> Result<f64, Fault> {
    if raw == NO_CONVERSION_YET {
        return Err(Fault::NotReady);
    }
    let celsius = f64::from(raw.cast_signed()) * STEP_CEL;
    if RANGE_CEL.contains(&celsius) { Ok(celsius) } else { Err(Fault::Range) }
}

/// Whether the chip at `address` bears the part's identity. Only reads.
///
/// # Errors
/// The bus's own.
pub fn probe<B: I2c + ?Sized>(bus: &mut B, address: u8) -> Result<bool, B::Error> {
    let mut bytes = [0; 2];
    bus.write_read(address, &[Register::DeviceId as u8], &mut bytes)?;
    Ok(u16::from_be_bytes(bytes) & DEVICE_ID_MASK == DEVICE_ID)
}

/// One TMP117.
#[derive(Debug)]
pub struct Tmp117 {
    address: u8,
    quantities: [Quantity; 1],
    /// Its id was right, and no failure since.
    identified: bool,
    more_times: u8,
}

impl Tmp117 {
    /// The chip at `address`.
    pub fn new(address: u8) -> Self {
        let quantities = [Quantity::new("temperature", "Cel")];
        Self { address, quantities, identified: false, more_times: 0 }
    }

    fn identify<B: I2c + ?Sized>(&self, bus: &mut B) -> Result<(), ChipError> {
        let ours = probe(bus, self.address).map_err(ChipError::bus("chip id"))?;
        if ours { Ok(()) } else { Err(ChipError::new(Fault::Absent, "chip id")) }
    }

    fn trigger<B: I2c + ?Sized>(&self, bus: &mut B) -> Result<(), ChipError> {
        if !self.identified {
            self.identify(bus)?;
        }
        let [high, low] = ONE_SHOT_MEAN_OF_8.to_be_bytes();
        bus.write(self.address, &[Register::Configuration as u8, high, low])
            .map_err(ChipError::bus("configuration"))?;
        if !self.identified {
            // The chip may have been converting by itself: reading clears the flag of a conversion that is not ours.
            self.read_word(bus, Register::Configuration, "configuration")?;
        }
        Ok(())
    }

    fn fetch<B: I2c + ?Sized>(&self, bus: &mut B) -> Result<Option<u16>, ChipError> {
        let configuration = self.read_word(bus, Register::Configuration, "configuration")?;
        if configuration & DATA_READY == 0 {
            return Ok(None);
        }
        self.read_word(bus, Register::Temperature, "temperature register").map(Some)
    }

    fn read_word<B: I2c + ?Sized>(
        &self,
        bus: &mut B,
        register: Register,
        at: &'static str,
    ) -> Result<u16, ChipError> {
        let mut bytes = [0; 2];
        bus.write_read(self.address, &[register as u8], &mut bytes).map_err(ChipError::bus(at))?;
        Ok(u16::from_be_bytes(bytes))
    }
}

impl<B: I2c + ?Sized> Chip<B> for Tmp117 {
    fn quantities(&self) -> &[Quantity] {
        &self.quantities
    }

    fn start(&mut self, bus: &mut B) -> Result<Duration, ChipError> {
        let triggered = self.trigger(bus);
        self.identified = triggered.is_ok();
        self.more_times = 0;
        triggered.map(|()| CONVERSION)
    }

    fn read(&mut self, bus: &mut B, samples: &mut Vec<Sample>) -> Result<Step, ChipError> {
        let Some(raw) = self.fetch(bus).inspect_err(|_| self.identified = false)? else {
            if self.more_times == MORE_TIMES_MAX {
                self.identified = false;
                return Err(ChipError::new(Fault::NotReady, "data ready flag"));
            }
            self.more_times += 1;
            return Ok(Step::Wait(MORE_TIME));
        };
        let value = convert(raw);
        self.identified = value.is_ok();
        samples.push(Sample { quantity: 0, value });
        Ok(Step::Done)
    }
}

#[cfg(test)]
mod tests;
