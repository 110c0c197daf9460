//! The AHT20 at register level (datasheet version 1.0, section 5).

use std::time::Duration;

use super::{Moment, SimTime, Twin, TwinError};
use crate::crc::crc8;

/// Bits of the status (table 9).
const BUSY: u8 = 1 << 7;
const CALIBRATED: u8 = 1 << 3;
/// The status at power-on, before the calibration is loaded.
const STATUS_DEFAULT: u8 = 1 << 4;

/// Typical time of one conversion.
const MEASURE_TIME: Duration = Duration::from_millis(75);

/// The chip.
pub struct Aht20Twin {
    status: u8,
    /// Humidity and temperature of the last conversion, 20 bits each.
    result: [u32; 2],
    /// The conversion that is going on: its end and its result.
    next: Option<(SimTime, [u32; 2])>,
}

impl Aht20Twin {
    /// A chip that has had power for a while.
    pub fn new() -> Self {
        Self { status: STATUS_DEFAULT, result: [0; 2], next: None }
    }

    fn finish(&mut self, now: SimTime) {
        if let Some((_, result)) = self.next.take_if(|(ready, _)| now >= *ready) {
            self.result = result;
            self.status &= !BUSY;
        }
    }
}

impl Default for Aht20Twin {
    fn default() -> Self {
        Self::new()
    }
}

impl Twin for Aht20Twin {
    fn write(&mut self, bytes: &[u8], at: &Moment<'_>) -> Result<(), TwinError> {
        self.finish(at.now);
        match bytes {
            [] | [0x71] => Ok(()),
            // While it converts it takes no command.
            _ if self.status & BUSY != 0 => Err(TwinError::Nack),
            [0xBE, 0x08, 0x00] => {
                self.status |= CALIBRATED;
                Ok(())
            }
            [0xBA] => {
                *self = Self::new();
                Ok(())
            }
            [0xAC, 0x33, 0x00] => {
                let ready = at.now.plus(MEASURE_TIME);
                let humidity = quantise(at.world.humidity_percent(ready) / 100.0);
                let temperature = quantise((at.world.temperature_cel(ready) + 50.0) / 200.0);
                self.next = Some((ready, [humidity, temperature]));
                self.status |= BUSY;
                Ok(())
            }
            _ => Err(TwinError::Nack),
        }
    }

    fn read(&mut self, buffer: &mut [u8], at: &Moment<'_>) -> Result<(), TwinError> {
        self.finish(at.now);
        let [humidity, temperature] = self.result;
        let [_, a, b, c] = (humidity << 4 | temperature >> 16).to_be_bytes();
        let [_, _, d, e] = temperature.to_be_bytes();
        let bytes = [self.status, a, b, c, d, e];
        let answer = bytes.into_iter().chain([crc8(&bytes)]).chain(std::iter::repeat(0xFF));
        buffer.iter_mut().zip(answer).for_each(|(slot, byte)| *slot = byte);
        Ok(())
    }
}

/// A share of the full scale as 20 bits.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share from 0 to 1 fits 20 bits"
)]
fn quantise(share: f64) -> u32 {
    ((share.clamp(0.0, 1.0) * 1_048_576.0).round() as u32).min(0xF_FFFF)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::World;

    #[test]
    fn it_is_busy_while_it_converts_and_keeps_its_last_result() {
        let world = World::new(1);
        let at = |millis: i64| Moment { now: SimTime::from_micros(millis * 1_000), world: &world };
        let mut twin = Aht20Twin::new();
        let read = |twin: &mut Aht20Twin, millis| {
            let mut bytes = [0; 7];
            twin.read(&mut bytes, &at(millis)).unwrap();
            assert_eq!(crc8(&bytes[..6]), bytes[6]);
            bytes
        };
        assert_eq!(read(&mut twin, 0)[..6], [0x10, 0, 0, 0, 0, 0]);
        twin.write(&[0xBE, 0x08, 0x00], &at(0)).unwrap();
        twin.write(&[0xAC, 0x33, 0x00], &at(0)).unwrap();
        assert_eq!(read(&mut twin, 74)[..6], [0x98, 0, 0, 0, 0, 0]);
        assert_eq!(twin.write(&[0xAC, 0x33, 0x00], &at(74)), Err(TwinError::Nack));
        let first = read(&mut twin, 75);
        assert_eq!(first[0], 0x18);
        assert_ne!(first[1..6], [0; 5]);
        assert_eq!(twin.write(&[0xAC], &at(80)), Err(TwinError::Nack), "half a command");
        twin.write(&[0xAC, 0x33, 0x00], &at(80)).unwrap();
        assert_eq!(read(&mut twin, 90)[1..6], first[1..6], "the old result, until the new one is there");
    }
}
