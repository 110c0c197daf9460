//! The SHT4x at register level (datasheet version 6.5, section 4), without its heater.

use std::time::Duration;

use super::sht3x::quantise;
use super::{Moment, SimTime, Twin, TwinError};
use crate::crc::with_crc;

/// The serial number that every twin has.
const SERIAL: [u16; 2] = [0x10A3, 0x5C3E];

/// The chip.
pub struct Sht4xTwin {
    /// What the next read gives, and from when on.
    answer: Option<([u16; 2], SimTime)>,
    /// No command is taken before this.
    busy_until: SimTime,
}

impl Sht4xTwin {
    /// A chip that has had power for a while.
    pub fn new() -> Self {
        Self { answer: None, busy_until: SimTime::from_micros(i64::MIN) }
    }

    fn measure(&mut self, micros: u64, at: &Moment<'_>) {
        let ready = at.now.plus(Duration::from_micros(micros));
        let temperature = quantise((at.world.temperature_cel(ready) + 45.0) / 175.0);
        let humidity = quantise((at.world.humidity_percent(ready) + 6.0) / 125.0);
        self.answer = Some(([temperature, humidity], ready));
        self.busy_until = ready;
    }
}

impl Default for Sht4xTwin {
    fn default() -> Self {
        Self::new()
    }
}

impl Twin for Sht4xTwin {
    fn write(&mut self, bytes: &[u8], at: &Moment<'_>) -> Result<(), TwinError> {
        let &[command] = bytes else {
            return if bytes.is_empty() { Ok(()) } else { Err(TwinError::Nack) };
        };
        if at.now < self.busy_until {
            return Err(TwinError::Nack);
        }
        self.answer = None;
        match command {
            // High, medium and low precision (table 5, typical times).
            0xFD => self.measure(6_900, at),
            0xF6 => self.measure(3_700, at),
            0xE0 => self.measure(1_300, at),
            0x89 => self.answer = Some((SERIAL, at.now.plus(Duration::from_micros(500)))),
            0x94 => self.busy_until = at.now.plus(Duration::from_micros(900)),
            _ => return Err(TwinError::Nack),
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8], at: &Moment<'_>) -> Result<(), TwinError> {
        let (words, _) = self.answer.take_if(|(_, ready)| at.now >= *ready).ok_or(TwinError::Nack)?;
        let bytes = words.into_iter().flat_map(with_crc).chain(std::iter::repeat(0xFF));
        buffer.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = byte);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::World;

    #[test]
    fn it_is_as_strict_as_the_datasheet() {
        let world = World::new(1);
        let at = |micros| Moment { now: SimTime::from_micros(micros), world: &world };
        let mut twin = Sht4xTwin::new();
        let mut bytes = [0; 6];
        assert_eq!(twin.read(&mut bytes, &at(0)), Err(TwinError::Nack), "nothing was asked for");
        assert_eq!(twin.write(&[0x24, 0x00], &at(0)), Err(TwinError::Nack), "an SHT3x's command");
        twin.write(&[0xFD], &at(0)).unwrap();
        assert_eq!(twin.read(&mut bytes, &at(6_000)), Err(TwinError::Nack), "too early");
        assert_eq!(twin.write(&[0xFD], &at(6_000)), Err(TwinError::Nack), "busy");
        assert_eq!(twin.read(&mut bytes, &at(6_900)), Ok(()));
        assert_eq!(twin.read(&mut bytes, &at(7_000)), Err(TwinError::Nack), "given once only");
    }
}
