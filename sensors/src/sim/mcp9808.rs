//! Twin of the MCP9808: identity registers, a converter that runs by itself, and alert flags above the temperature.
//!
//! The three limits are 0 Cel at power-on, so at room temperature two flags are set: a driver has to mask them. Not
//! modelled: the alert pin and the locks.

use std::time::Duration;

use super::converter::{counts, last_end, low_word};
use super::{Moment, SimTime, Twin, TwinError};

const CONFIGURATION: u8 = 1;
const UPPER: u8 = 2;
const LOWER: u8 = 3;
const CRITICAL: u8 = 4;
const AMBIENT: u8 = 5;
const MANUFACTURER_ID: u8 = 6;
const DEVICE_ID: u8 = 7;
const RESOLUTION: u8 = 8;
const SHUTDOWN: u16 = 0x0100;
/// Bits of a limit register that exist: 0.25 Cel steps.
const LIMIT_MASK: u16 = 0x1FFC;
/// The temperature's thirteen bits.
const TEMPERATURE_MASK: u16 = 0x1FFF;

/// One simulated MCP9808.
#[derive(Clone, Debug)]
pub struct Mcp9808Twin {
    pointer: u8,
    configuration: u16,
    upper: u16,
    lower: u16,
    critical: u16,
    resolution: u8,
    /// In 1/16 Cel.
    sixteenths: i32,
    /// When the running series of conversions began; power-on is the first transfer that the chip sees.
    converting_since: Option<SimTime>,
}

impl Default for Mcp9808Twin {
    fn default() -> Self {
        Self::new()
    }
}

impl Mcp9808Twin {
    /// A chip fresh from power-on.
    pub fn new() -> Self {
        Self {
            pointer: 0,
            configuration: 0,
            upper: 0,
            lower: 0,
            critical: 0,
            resolution: 3,
            sixteenths: 0,
            converting_since: None,
        }
    }

    /// Takes over the result of the last conversion that has ended.
    fn convert(&mut self, at: &Moment<'_>) {
        let since = *self.converting_since.get_or_insert(at.now);
        if self.configuration & SHUTDOWN != 0 {
            return;
        }
        let conversion = Duration::from_millis(match self.resolution {
            0 => 30,
            1 => 65,
            2 => 130,
            _ => 250,
        });
        if let Some(end) = last_end(since, conversion, conversion, at.now) {
            let bits_dropped = 3 - self.resolution;
            let exact = counts(at.world.temperature_cel(end), 0.0625, -4096, 4095);
            self.sixteenths = exact >> bits_dropped << bits_dropped;
        }
    }

    fn ambient(&self) -> u16 {
        let flag = |set: bool, bit: u16| if set { bit } else { 0 };
        let limit = |register: u16| i32::from((register << 3).cast_signed() >> 3);
        flag(self.sixteenths >= limit(self.critical), 0x8000)
            | flag(self.sixteenths > limit(self.upper), 0x4000)
            | flag(self.sixteenths < limit(self.lower), 0x2000)
            | (low_word(self.sixteenths) & TEMPERATURE_MASK)
    }
}

impl Twin for Mcp9808Twin {
    fn write(&mut self, bytes: &[u8], at: &Moment<'_>) -> Result<(), TwinError> {
        self.convert(at);
        let [pointer, data @ ..] = bytes else { return Ok(()) };
        if *pointer > RESOLUTION {
            return Err(TwinError::Nack);
        }
        self.pointer = *pointer;
        match (self.pointer, data) {
            (_, []) => return Ok(()),
            (CONFIGURATION, &[high, low]) => self.configuration = u16::from_be_bytes([high, low]) & 0x07FF,
            (UPPER, &[high, low]) => self.upper = u16::from_be_bytes([high, low]) & LIMIT_MASK,
            (LOWER, &[high, low]) => self.lower = u16::from_be_bytes([high, low]) & LIMIT_MASK,
            (CRITICAL, &[high, low]) => self.critical = u16::from_be_bytes([high, low]) & LIMIT_MASK,
            (RESOLUTION, &[resolution]) => self.resolution = resolution & 0x03,
            _ => return Err(TwinError::Nack),
        }
        if [CONFIGURATION, RESOLUTION].contains(&self.pointer) {
            self.converting_since = Some(at.now);
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8], at: &Moment<'_>) -> Result<(), TwinError> {
        self.convert(at);
        let [high, low] = match self.pointer {
            CONFIGURATION => self.configuration.to_be_bytes(),
            UPPER => self.upper.to_be_bytes(),
            LOWER => self.lower.to_be_bytes(),
            CRITICAL => self.critical.to_be_bytes(),
            AMBIENT => self.ambient().to_be_bytes(),
            MANUFACTURER_ID => [0x00, 0x54],
            DEVICE_ID => [0x04, 0x00],
            RESOLUTION => [self.resolution, 0xFF],
            _ => [0x00, 0x00],
        };
        let answer = [high, low].into_iter().chain(std::iter::repeat(0xFF));
        buffer.iter_mut().zip(answer).for_each(|(byte, value)| *byte = value);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
