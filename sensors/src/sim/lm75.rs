//! Twin of the LM75 family: a pointer register, a converter that runs by itself, and 0 Cel until its first result.
//!
//! Modelled: pointer, temperature, configuration (shutdown; resolution of a TMP105; rate and extended mode of a
//! TMP102), both limits. Not modelled: the alert pin and one-shot conversions.

use std::time::Duration;

use super::converter::{counts, last_end, low_word};
use super::{Moment, SimTime, Twin, TwinError};
use crate::chips::lm75::Part;

/// The pointer's two bits; the others are not decoded.
const POINTER_MASK: u8 = 0x03;
const TEMPERATURE: u8 = 0;
const CONFIGURATION: u8 = 1;
/// 75 and 80 Cel.
const LIMITS_AT_POWER_ON: [u16; 2] = [0x4B00, 0x5000];
/// First configuration byte.
const SHUTDOWN: u8 = 0x01;
const RESOLUTION: u8 = 0x60;
/// TMP102: second configuration byte.
const EXTENDED: u8 = 0x10;
/// What a master reads when the chip has nothing left to say.
const RELEASED_BUS: u8 = 0xFF;

/// One simulated thermometer.
#[derive(Clone, Debug)]
pub struct Lm75Twin {
    part: Part,
    pointer: u8,
    configuration: [u8; 2],
    limits: [u16; 2],
    temperature: u16,
    /// When the running series of conversions began; power-on is the first transfer that the chip sees.
    converting_since: Option<SimTime>,
}

impl Lm75Twin {
    /// `part`, fresh from power-on.
    pub fn new(part: Part) -> Self {
        Self {
            part,
            pointer: TEMPERATURE,
            configuration: match part {
                Part::Lm75 | Part::Tmp105 => [0x00, 0x00],
                Part::Tmp102 => [0x60, 0xA0],
            },
            limits: LIMITS_AT_POWER_ON,
            temperature: 0,
            converting_since: None,
        }
    }

    /// Takes over the result of the last conversion that has ended.
    fn convert(&mut self, at: &Moment<'_>) {
        let since = *self.converting_since.get_or_insert(at.now);
        let [first_byte, _] = self.configuration;
        if first_byte & SHUTDOWN != 0 {
            return;
        }
        let (first, period) = self.conversion_times();
        if let Some(end) = last_end(since, first, period, at.now) {
            self.temperature = self.encode(at.world.temperature_cel(end));
        }
    }

    /// Typical times: of the first conversion, and from one to the next.
    fn conversion_times(&self) -> (Duration, Duration) {
        let [first_byte, second_byte] = self.configuration;
        match self.part {
            Part::Lm75 => (Duration::from_millis(100), Duration::from_millis(100)),
            Part::Tmp105 => {
                let conversion = Duration::from_micros(27_500 << ((first_byte & RESOLUTION) >> 5));
                (conversion, conversion)
            }
            Part::Tmp102 => {
                let period = match second_byte >> 6 {
                    0 => 4_000,
                    1 => 1_000,
                    2 => 250,
                    _ => 125,
                };
                (Duration::from_millis(26), Duration::from_millis(period))
            }
        }
    }

    fn encode(&self, celsius: f64) -> u16 {
        let [first_byte, second_byte] = self.configuration;
        match self.part {
            Part::Lm75 => low_word(counts(celsius, 0.5, -256, 255)) << 7,
            Part::Tmp102 if second_byte & EXTENDED != 0 => {
                low_word(counts(celsius, 0.0625, -4096, 4095)) << 3 | 1
            }
            Part::Tmp102 => low_word(counts(celsius, 0.0625, -2048, 2047)) << 4,
            Part::Tmp105 => {
                let bits_dropped = 3 - ((first_byte & RESOLUTION) >> 5);
                low_word(counts(celsius, 0.0625, -2048, 2047) >> bits_dropped << bits_dropped) << 4
            }
        }
    }

    fn write_configuration(&mut self, bytes: &[u8], at: &Moment<'_>) -> Result<(), TwinError> {
        let [first_byte, second_byte] = &mut self.configuration;
        match (self.part, bytes) {
            (Part::Lm75 | Part::Tmp105, [new]) => *first_byte = *new,
            // A TMP102's resolution bits can only be read.
            (Part::Tmp102, [new]) => *first_byte = new | RESOLUTION,
            (Part::Tmp102, [new, second]) => {
                *first_byte = new | RESOLUTION;
                *second_byte = second & 0xF0;
            }
            _ => return Err(TwinError::Nack),
        }
        self.converting_since = Some(at.now);
        Ok(())
    }
}

impl Twin for Lm75Twin {
    fn write(&mut self, bytes: &[u8], at: &Moment<'_>) -> Result<(), TwinError> {
        self.convert(at);
        let [pointer, data @ ..] = bytes else { return Ok(()) };
        self.pointer = pointer & POINTER_MASK;
        match (self.pointer, data) {
            (_, []) => Ok(()),
            (TEMPERATURE, _) => Err(TwinError::Nack),
            (CONFIGURATION, data) => self.write_configuration(data, at),
            (pointer, &[high, low]) => {
                let [lower, upper] = &mut self.limits;
                *(if pointer == 2 { lower } else { upper }) = u16::from_be_bytes([high, low]);
                Ok(())
            }
            _ => Err(TwinError::Nack),
        }
    }

    fn read(&mut self, buffer: &mut [u8], at: &Moment<'_>) -> Result<(), TwinError> {
        self.convert(at);
        let [lower, upper] = self.limits;
        let [first_byte, second_byte] = self.configuration;
        let [high, low] = match self.pointer {
            TEMPERATURE => self.temperature.to_be_bytes(),
            CONFIGURATION if self.part == Part::Tmp102 => [first_byte, second_byte],
            CONFIGURATION => [first_byte, RELEASED_BUS],
            2 => lower.to_be_bytes(),
            _ => upper.to_be_bytes(),
        };
        let answer = [high, low].into_iter().chain(std::iter::repeat(RELEASED_BUS));
        buffer.iter_mut().zip(answer).for_each(|(byte, value)| *byte = value);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
