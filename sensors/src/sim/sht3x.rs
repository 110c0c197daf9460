//! The SHT3x at register level (datasheet version 6, section 4), without its periodic and clock-stretching modes.

use std::time::Duration;

use super::{Moment, SimTime, Twin, TwinError};
use crate::crc::with_crc;

/// The serial number that every twin has.
const SERIAL: [u16; 2] = [0x0F2C, 0x71B4];
/// At power-on: an alert is pending, and a reset has happened (table 18).
const STATUS_DEFAULT: u16 = 0x8010;
const HEATER_ON: u16 = 1 << 13;
/// The last write's checksum was wrong; this twin takes none.
const RESET_DETECTED: u16 = 1 << 4;

/// What the next read gives.
enum Answer {
    Nothing,
    Measurement { ready: SimTime, temperature: u16, humidity: u16 },
    Words(Vec<u16>),
}

/// The chip.
pub struct Sht3xTwin {
    status: u16,
    answer: Answer,
    /// No command is taken before this.
    busy_until: SimTime,
}

impl Sht3xTwin {
    /// A chip that has had power for a while.
    pub fn new() -> Self {
        Self { status: STATUS_DEFAULT, answer: Answer::Nothing, busy_until: SimTime::from_micros(i64::MIN) }
    }
}

impl Default for Sht3xTwin {
    fn default() -> Self {
        Self::new()
    }
}

impl Twin for Sht3xTwin {
    fn write(&mut self, bytes: &[u8], at: &Moment<'_>) -> Result<(), TwinError> {
        let &[high, low] = bytes else {
            return if bytes.is_empty() { Ok(()) } else { Err(TwinError::Nack) };
        };
        if at.now < self.busy_until {
            return Err(TwinError::Nack);
        }
        let mut busy = Duration::ZERO;
        self.answer = Answer::Nothing;
        match u16::from_be_bytes([high, low]) {
            // High, medium and low repeatability (table 4, typical times).
            0x2400 => busy = self.measure(Duration::from_micros(12_500), at),
            0x240B => busy = self.measure(Duration::from_micros(4_500), at),
            0x2416 => busy = self.measure(Duration::from_micros(2_500), at),
            0x3093 => busy = Duration::from_micros(900),
            0x30A2 => {
                *self = Self::new();
                busy = Duration::from_micros(1_400);
            }
            0x306D => self.status |= HEATER_ON,
            0x3066 => self.status &= !HEATER_ON,
            0x3041 => self.status &= !(STATUS_DEFAULT | RESET_DETECTED),
            0xF32D => self.answer = Answer::Words(vec![self.status]),
            0x3780 | 0x3682 => self.answer = Answer::Words(SERIAL.to_vec()),
            _ => return Err(TwinError::Nack),
        }
        self.busy_until = at.now.plus(busy);
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8], at: &Moment<'_>) -> Result<(), TwinError> {
        let bytes: Vec<u8> = match &self.answer {
            Answer::Words(words) => words.iter().flat_map(|word| with_crc(*word)).collect(),
            Answer::Measurement { ready, temperature, humidity } if at.now >= *ready => {
                [with_crc(*temperature), with_crc(*humidity)].concat()
            }
            Answer::Nothing | Answer::Measurement { .. } => return Err(TwinError::Nack),
        };
        self.answer = Answer::Nothing;
        // A master that reads on finds the bus released.
        buffer
            .iter_mut()
            .zip(bytes.into_iter().chain(std::iter::repeat(0xFF)))
            .for_each(|(slot, byte)| *slot = byte);
        Ok(())
    }
}

impl Sht3xTwin {
    fn measure(&mut self, time: Duration, at: &Moment<'_>) -> Duration {
        let ready = at.now.plus(time);
        self.answer = Answer::Measurement {
            ready,
            temperature: quantise((at.world.temperature_cel(ready) + 45.0) / 175.0),
            humidity: quantise(at.world.humidity_percent(ready) / 100.0),
        };
        time
    }
}

/// A share of the full scale as 16 bits.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share from 0 to 1 fits 16 bits"
)]
pub(crate) fn quantise(share: f64) -> u16 {
    (share.clamp(0.0, 1.0) * 65_535.0).round() as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crc::crc8;
    use crate::sim::World;

    #[test]
    fn it_is_as_strict_as_the_datasheet() {
        let world = World::new(1);
        let at = |micros| Moment { now: SimTime::from_micros(micros), world: &world };
        let mut twin = Sht3xTwin::new();
        let mut bytes = [0; 6];
        assert_eq!(twin.read(&mut bytes, &at(0)), Err(TwinError::Nack), "nothing was asked for");
        assert_eq!(twin.write(&[0x12, 0x34], &at(0)), Err(TwinError::Nack), "no such command");
        assert_eq!(twin.write(&[0x24], &at(0)), Err(TwinError::Nack), "half a command");
        twin.write(&[0x24, 0x00], &at(0)).unwrap();
        assert_eq!(twin.read(&mut bytes, &at(12_000)), Err(TwinError::Nack), "too early");
        assert_eq!(twin.write(&[0x24, 0x00], &at(12_000)), Err(TwinError::Nack), "busy");
        twin.read(&mut bytes, &at(12_500)).unwrap();
        assert_eq!(crc8(&bytes[..2]), bytes[2]);
        assert_eq!(twin.read(&mut bytes, &at(12_600)), Err(TwinError::Nack), "given once only");
    }

    #[test]
    fn the_status_tells_of_a_reset_until_it_is_cleared() {
        let world = World::new(1);
        let at = Moment { now: SimTime::default(), world: &world };
        let mut twin = Sht3xTwin::new();
        let status = |twin: &mut Sht3xTwin| {
            let mut bytes = [0; 3];
            twin.write(&[0xF3, 0x2D], &at).unwrap();
            twin.read(&mut bytes, &at).unwrap();
            u16::from_be_bytes([bytes[0], bytes[1]])
        };
        assert_eq!(status(&mut twin), 0x8010);
        twin.write(&[0x30, 0x6D], &at).unwrap();
        twin.write(&[0x30, 0x41], &at).unwrap();
        assert_eq!(status(&mut twin), 0x2000);
    }
}
