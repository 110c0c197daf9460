//! The seesaw soil sensor at register level (Adafruit's seesaw protocol reference).

use std::time::Duration;

use super::{Moment, SimTime, Twin, TwinError};

/// The hardware id of the SAMD09.
const HARDWARE_ID: u8 = 0x55;
/// The product's number (4026) and the day of the firmware.
const VERSION: u32 = 4_026 << 16 | 0x29D2;
/// The modules that the firmware has: status, touch.
const OPTIONS: u32 = 1 | 1 << 15;

/// How long the firmware takes for an answer, for a touch channel, and to start anew; it answers nothing meanwhile.
const ANSWER_TIME: Duration = Duration::from_micros(300);
const TOUCH_TIME: Duration = Duration::from_micros(3_000);
const RESET_TIME: Duration = Duration::from_millis(250);

/// The chip.
pub struct SeesawTwin {
    /// What the next reads give, and from when on; before, and without a question, the line stays high.
    answer: Option<(SimTime, Vec<u8>)>,
    resets_until: SimTime,
}

impl SeesawTwin {
    /// A chip that has had power for a while.
    pub fn new() -> Self {
        Self { answer: None, resets_until: SimTime::from_micros(i64::MIN) }
    }
}

impl Default for SeesawTwin {
    fn default() -> Self {
        Self::new()
    }
}

impl Twin for SeesawTwin {
    fn write(&mut self, bytes: &[u8], at: &Moment<'_>) -> Result<(), TwinError> {
        if at.now < self.resets_until {
            return Err(TwinError::Nack);
        }
        let (time, answer) = match bytes {
            // Half a question is kept until the other half comes in one transfer, so it asks for nothing.
            [] | [_] => return Ok(()),
            [0x00, 0x01] => (ANSWER_TIME, vec![HARDWARE_ID]),
            [0x00, 0x02] => (ANSWER_TIME, VERSION.to_be_bytes().to_vec()),
            [0x00, 0x03] => (ANSWER_TIME, OPTIONS.to_be_bytes().to_vec()),
            [0x00, 0x04] => {
                let cel = at.world.soil_temperature_cel(at.now.plus(ANSWER_TIME));
                (ANSWER_TIME, fixed_point(cel).to_vec())
            }
            [0x0F, 0x10] => {
                let count = at.world.soil_moisture_raw(at.now.plus(TOUCH_TIME));
                (TOUCH_TIME, count_bytes(count).to_vec())
            }
            [0x00, 0x7F, 0xFF] => {
                *self = Self { answer: None, resets_until: at.now.plus(RESET_TIME) };
                return Ok(());
            }
            _ => return Err(TwinError::Nack),
        };
        self.answer = Some((at.now.plus(time), answer));
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8], at: &Moment<'_>) -> Result<(), TwinError> {
        if at.now < self.resets_until {
            return Err(TwinError::Nack);
        }
        buffer.fill(0xFF);
        if let Some((_, answer)) = self.answer.as_ref().filter(|(ready, _)| at.now >= *ready) {
            buffer.iter_mut().zip(answer).for_each(|(slot, byte)| *slot = *byte);
        }
        Ok(())
    }
}

/// Degrees as 16.16 bits, of which the highest two are always 0.
#[expect(clippy::cast_possible_truncation, reason = "a soil's temperature fits 30 bits")]
fn fixed_point(cel: f64) -> [u8; 4] {
    (((cel * 65_536.0).round() as i32) & 0x3FFF_FFFF).to_be_bytes()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the world's counts are 200 to 2000"
)]
fn count_bytes(count: f64) -> [u8; 2] {
    (count.round() as u16).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::World;

    #[test]
    fn answers_take_their_time_and_a_reset_takes_longer() {
        let world = World::new(1);
        let at = |micros| Moment { now: SimTime::from_micros(micros), world: &world };
        let mut twin = SeesawTwin::new();
        let mut bytes = [0; 2];
        twin.read(&mut bytes, &at(0)).unwrap();
        assert_eq!(bytes, [0xFF; 2], "nothing was asked for");
        twin.write(&[0x0F, 0x10], &at(0)).unwrap();
        twin.read(&mut bytes, &at(2_900)).unwrap();
        assert_eq!(bytes, [0xFF; 2], "too early");
        twin.read(&mut bytes, &at(3_000)).unwrap();
        assert!((200..=2_000).contains(&u16::from_be_bytes(bytes)));
        assert_eq!(twin.write(&[0x0F, 0x11], &at(3_000)), Err(TwinError::Nack), "no such channel");
        twin.write(&[0x00, 0x7F, 0xFF], &at(4_000)).unwrap();
        assert_eq!(twin.read(&mut bytes, &at(5_000)), Err(TwinError::Nack), "starting anew");
        twin.read(&mut bytes, &at(260_000)).unwrap();
        assert_eq!(bytes, [0xFF; 2], "the question is forgotten");
    }

    #[test]
    fn frost_has_its_sign_in_thirty_bits() {
        assert_eq!(fixed_point(25.5), [0x00, 0x19, 0x80, 0x00]);
        assert_eq!(fixed_point(-1.5), [0x3F, 0xFE, 0x80, 0x00]);
    }
}
