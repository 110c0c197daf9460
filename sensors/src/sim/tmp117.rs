//! Twin of the TMP117: word registers behind a pointer, continuous and one-shot conversions, a data-ready flag that
//! reading clears.
//!
//! Not modelled: alerts, the offset, and writing to the chip's own memory (its registers read zero).

use std::time::Duration;

use super::converter::{counts, last_end, low_word};
use super::{Moment, SimTime, Twin, TwinError};

const TEMPERATURE: u8 = 0x00;
const CONFIGURATION: u8 = 0x01;
const HIGH_LIMIT: u8 = 0x02;
const LOW_LIMIT: u8 = 0x03;
/// 0x04..=0x08: the memory's lock, its words and the offset.
const LAST_MEMORY: u8 = 0x08;
const DEVICE_ID: u8 = 0x0F;

const NO_CONVERSION_YET: u16 = 0x8000;
const CONFIGURATION_AT_POWER_ON: u16 = 0x0220;
const DATA_READY: u16 = 0x2000;
/// Configuration bits that a master can set.
const WRITABLE: u16 = 0x0FFC;
const SOFT_RESET: u16 = 0x0002;
const MODE: u16 = 0x0C00;
const MODE_SHUTDOWN: u16 = 0x0400;
const MODE_ONE_SHOT: u16 = 0x0C00;

/// One simulated TMP117.
#[derive(Clone, Debug)]
pub struct Tmp117Twin {
    pointer: u8,
    temperature: u16,
    configuration: u16,
    high_limit: u16,
    low_limit: u16,
    /// When the running series of conversions began; power-on is the first transfer that the chip sees.
    converting_since: Option<SimTime>,
    /// The end of the conversion that the temperature register holds.
    converted_at: Option<SimTime>,
}

impl Default for Tmp117Twin {
    fn default() -> Self {
        Self::new()
    }
}

impl Tmp117Twin {
    /// A chip fresh from power-on: converting once a second, the mean of 8.
    pub fn new() -> Self {
        Self {
            pointer: TEMPERATURE,
            temperature: NO_CONVERSION_YET,
            configuration: CONFIGURATION_AT_POWER_ON,
            high_limit: 0x6000,
            low_limit: 0x8000,
            converting_since: None,
            converted_at: None,
        }
    }

    /// Takes over the result of the last conversion that has ended.
    fn convert(&mut self, at: &Moment<'_>) {
        let since = *self.converting_since.get_or_insert(at.now);
        let (conversion, cycle) = self.conversion_times();
        let end = match self.configuration & MODE {
            MODE_SHUTDOWN => None,
            MODE_ONE_SHOT => Some(since.plus(conversion)).filter(|end| *end <= at.now),
            _ => last_end(since, conversion, cycle, at.now),
        };
        let Some(end) = end.filter(|end| Some(*end) != self.converted_at) else { return };
        self.converted_at = Some(end);
        self.temperature = encode(at.world.temperature_cel(end));
        self.configuration |= DATA_READY;
        if self.configuration & MODE == MODE_ONE_SHOT {
            self.configuration = self.configuration & !MODE | MODE_SHUTDOWN;
        }
    }

    /// Typical times: of one averaged conversion, and from one to the next in continuous mode.
    fn conversion_times(&self) -> (Duration, Duration) {
        let conversions = match self.configuration >> 5 & 0x3 {
            0 => 1,
            1 => 8,
            2 => 32,
            _ => 64,
        };
        let conversion = Duration::from_micros(15_500 * conversions);
        let cycle = Duration::from_micros(match self.configuration >> 7 & 0x7 {
            0 => 15_500,
            1 => 125_000,
            2 => 250_000,
            3 => 500_000,
            4 => 1_000_000,
            5 => 4_000_000,
            6 => 8_000_000,
            _ => 16_000_000,
        });
        (conversion, cycle.max(conversion))
    }

    fn write_configuration(&mut self, word: u16, at: &Moment<'_>) {
        if word & SOFT_RESET != 0 {
            *self = Self::new();
        } else {
            self.configuration = self.configuration & !WRITABLE | word & WRITABLE;
        }
        self.converting_since = Some(at.now);
    }
}

fn encode(celsius: f64) -> u16 {
    low_word(counts(celsius, 0.007_812_5, i32::from(i16::MIN) + 1, i32::from(i16::MAX)))
}

impl Twin for Tmp117Twin {
    fn write(&mut self, bytes: &[u8], at: &Moment<'_>) -> Result<(), TwinError> {
        self.convert(at);
        let [pointer, data @ ..] = bytes else { return Ok(()) };
        if *pointer > LAST_MEMORY && *pointer != DEVICE_ID {
            return Err(TwinError::Nack);
        }
        self.pointer = *pointer;
        let word = match data {
            [] => return Ok(()),
            &[high, low] => u16::from_be_bytes([high, low]),
            _ => return Err(TwinError::Nack),
        };
        match self.pointer {
            CONFIGURATION => self.write_configuration(word, at),
            HIGH_LIMIT => self.high_limit = word,
            LOW_LIMIT => self.low_limit = word,
            _ => return Err(TwinError::Nack),
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8], at: &Moment<'_>) -> Result<(), TwinError> {
        self.convert(at);
        let word = match self.pointer {
            TEMPERATURE => self.temperature,
            CONFIGURATION => self.configuration,
            HIGH_LIMIT => self.high_limit,
            LOW_LIMIT => self.low_limit,
            DEVICE_ID => 0x0117,
            _ => 0x0000,
        };
        if [TEMPERATURE, CONFIGURATION].contains(&self.pointer) {
            self.configuration &= !DATA_READY;
        }
        let answer = word.to_be_bytes().into_iter().chain(std::iter::repeat(0xFF));
        buffer.iter_mut().zip(answer).for_each(|(byte, value)| *byte = value);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
