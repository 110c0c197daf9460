//! Twin of the BH1750: commands of one byte, a measurement that takes its time, and a data register.

use std::time::Duration;

use super::converter::{counts, last_end, low_word};
use super::{Moment, SimTime, Twin, TwinError};

/// Measurement time after a power-on.
const TIME_AT_POWER_ON: u8 = 69;
/// The measurement time's range; what lies outside is not taken.
const TIME_RANGE: std::ops::RangeInclusive<u8> = 31..=254;
/// At the default measurement time.
const COUNTS_PER_LUX: f64 = 1.2;

/// What resolution a measurement has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolution {
    High,
    /// Half a lux.
    High2,
    /// Four lux.
    Low,
}

/// What the chip is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    PowerDown,
    PowerOn,
    Measuring { resolution: Resolution, since: SimTime, once: bool },
}

/// One simulated BH1750.
#[derive(Clone, Debug)]
pub struct Bh1750Twin {
    state: State,
    measurement_time: u8,
    data: u16,
}

impl Default for Bh1750Twin {
    fn default() -> Self {
        Self::new()
    }
}

impl Bh1750Twin {
    /// A chip fresh from power-on: in power-down, the data register zero.
    pub fn new() -> Self {
        Self { state: State::PowerDown, measurement_time: TIME_AT_POWER_ON, data: 0 }
    }

    /// Takes over the result of the last measurement that has ended.
    fn measure(&mut self, at: &Moment<'_>) {
        let State::Measuring { resolution, since, once } = self.state else { return };
        let micros = match resolution {
            Resolution::High | Resolution::High2 => 120_000,
            Resolution::Low => 16_000,
        };
        let time = u64::from(self.measurement_time);
        let duration = Duration::from_micros(micros * time / u64::from(TIME_AT_POWER_ON));
        let end = if once {
            Some(since.plus(duration)).filter(|end| *end <= at.now)
        } else {
            last_end(since, duration, duration, at.now)
        };
        let Some(end) = end else { return };
        self.data = self.encode(at.world.light_lux(end), resolution);
        if once {
            self.state = State::PowerDown;
        }
    }

    fn encode(&self, lux: f64, resolution: Resolution) -> u16 {
        let sensitivity = f64::from(self.measurement_time) / f64::from(TIME_AT_POWER_ON);
        let counts_per_lux = COUNTS_PER_LUX * sensitivity;
        match resolution {
            Resolution::High => low_word(counts(lux * counts_per_lux, 1.0, 0, 0xFFFF)),
            Resolution::High2 => low_word(counts(lux * counts_per_lux * 2.0, 1.0, 0, 0xFFFF)),
            Resolution::Low => low_word(counts(lux * counts_per_lux, 4.0, 0, 0x3FFF)) << 2,
        }
    }

    fn begin(&mut self, resolution: Resolution, once: bool, at: &Moment<'_>) {
        // From power-down only a power-on command leads further.
        if self.state != State::PowerDown {
            self.state = State::Measuring { resolution, since: at.now, once };
        }
    }

    fn set_measurement_time(&mut self, time: u8) {
        self.measurement_time = time.clamp(*TIME_RANGE.start(), *TIME_RANGE.end());
    }
}

impl Twin for Bh1750Twin {
    fn write(&mut self, bytes: &[u8], at: &Moment<'_>) -> Result<(), TwinError> {
        self.measure(at);
        let command = match bytes {
            [] => return Ok(()),
            [command] => *command,
            // One command a transfer.
            _ => return Err(TwinError::Nack),
        };
        match command {
            0x00 => self.state = State::PowerDown,
            0x01 if self.state == State::PowerDown => self.state = State::PowerOn,
            0x01 => {}
            // Clears the data register, and is not taken in power-down.
            0x07 if self.state == State::PowerDown => {}
            0x07 => self.data = 0,
            0x10 => self.begin(Resolution::High, false, at),
            0x11 => self.begin(Resolution::High2, false, at),
            0x13 => self.begin(Resolution::Low, false, at),
            0x20 => self.begin(Resolution::High, true, at),
            0x21 => self.begin(Resolution::High2, true, at),
            0x23 => self.begin(Resolution::Low, true, at),
            0x40..=0x47 => self.set_measurement_time(command << 5 | self.measurement_time & 0x1F),
            0x60..=0x7F => self.set_measurement_time(self.measurement_time & 0xE0 | command & 0x1F),
            _ => return Err(TwinError::Nack),
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8], at: &Moment<'_>) -> Result<(), TwinError> {
        self.measure(at);
        let answer = self.data.to_be_bytes().into_iter().chain(std::iter::repeat(0xFF));
        buffer.iter_mut().zip(answer).for_each(|(byte, value)| *byte = value);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
