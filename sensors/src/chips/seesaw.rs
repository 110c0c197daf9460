//! Adafruit's STEMMA soil sensor (4026), a SAMD microcontroller with the seesaw firmware: soil moisture as a
//! capacitance's count, and the microcontroller's own temperature (Adafruit's seesaw protocol reference).
//!
//! A request is two bytes, module and function; its answer is ready a while after the STOP.

use std::time::Duration;

use embedded_hal::i2c::I2c;

use crate::chip::{Chip, ChipError, Fault, Quantity, Sample, Step};

/// What can be asked for: module and function.
#[derive(Clone, Copy)]
enum Request {
    /// The kind of microcontroller.
    HardwareId,
    /// Its temperature.
    Temperature,
    /// The count of the first touch channel.
    Moisture,
}

impl Request {
    const fn bytes(self) -> [u8; 2] {
        match self {
            Self::HardwareId => [0x00, 0x01],
            Self::Temperature => [0x00, 0x04],
            Self::Moisture => [0x0F, 0x10],
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::HardwareId => "hardware id",
            Self::Temperature => "temperature",
            Self::Moisture => "moisture",
        }
    }
}

/// The hardware id of the SAMD09, as the soil sensor has it.
const SAMD09: u8 = 0x55;

/// From the STOP after a request until its answer is ready; a touch channel takes longest.
const ANSWER_TIME: Duration = Duration::from_millis(5);

/// A count above 12 bits means that the measurement was not over. It is asked for this often before it is given up.
const MAX_COUNT: u16 = 4_095;
const MAX_TRIES: u8 = 3;

/// The microcontroller's own limits, degrees Celsius; outside is no temperature but a fault.
const RANGE_CEL: std::ops::RangeInclusive<f64> = -40.0..=105.0;

/// What the next `read` finds.
#[derive(Clone, Copy)]
enum State {
    Idle,
    HardwareId,
    Moisture { tries: u8 },
    Temperature,
}

/// The driver.
pub struct Seesaw {
    address: u8,
    quantities: [Quantity; 2],
    state: State,
    known: bool,
}

impl Seesaw {
    /// The chip at `address` (0x36 to 0x39, by its jumpers).
    pub fn new(address: u8) -> Self {
        let quantities = [Quantity::new("soil_moisture", ""), Quantity::new("soil_temperature", "Cel")];
        Self { address, quantities, state: State::Idle, known: false }
    }

    fn ask<B: I2c + ?Sized>(
        &mut self,
        bus: &mut B,
        request: Request,
        then: State,
    ) -> Result<Duration, ChipError> {
        bus.write(self.address, &request.bytes()).map_err(ChipError::bus(request.name()))?;
        self.state = then;
        Ok(ANSWER_TIME)
    }

    fn answer<B: I2c + ?Sized, const N: usize>(
        &self,
        bus: &mut B,
        request: Request,
    ) -> Result<[u8; N], ChipError> {
        let mut bytes = [0; N];
        bus.read(self.address, &mut bytes).map_err(ChipError::bus(request.name()))?;
        Ok(bytes)
    }
}

impl<B: I2c + ?Sized> Chip<B> for Seesaw {
    fn quantities(&self) -> &[Quantity] {
        &self.quantities
    }

    fn start(&mut self, bus: &mut B) -> Result<Duration, ChipError> {
        self.state = State::Idle;
        // Until this measurement has come to a good end, it is in doubt what is there.
        if std::mem::take(&mut self.known) {
            self.ask(bus, Request::Moisture, State::Moisture { tries: 1 })
        } else {
            self.ask(bus, Request::HardwareId, State::HardwareId)
        }
    }

    fn read(&mut self, bus: &mut B, samples: &mut Vec<Sample>) -> Result<Step, ChipError> {
        let wait = match std::mem::replace(&mut self.state, State::Idle) {
            State::Idle => return Err(ChipError::new(Fault::NotReady, "start")),
            State::HardwareId => {
                check_id(self.answer(bus, Request::HardwareId)?)?;
                self.ask(bus, Request::Moisture, State::Moisture { tries: 1 })?
            }
            State::Moisture { tries } => match moisture(self.answer(bus, Request::Moisture)?) {
                Err(_) if tries < MAX_TRIES => {
                    self.ask(bus, Request::Moisture, State::Moisture { tries: tries + 1 })?
                }
                value => {
                    samples.push(Sample { quantity: 0, value });
                    self.ask(bus, Request::Temperature, State::Temperature)?
                }
            },
            State::Temperature => {
                let value = temperature_cel(self.answer(bus, Request::Temperature)?);
                samples.push(Sample { quantity: 1, value });
                self.known = true;
                return Ok(Step::Done);
            }
        };
        Ok(Step::Wait(wait))
    }
}

/// Whether the chip at `address` has the soil sensor's hardware id. It is not to be asked at 0x38 and 0x39, where a
/// PCF8574A would take the question for its new outputs; at 0x36 a fuel gauge of the MAX1704x family is recognised by
/// its version register first, and left alone.
///
/// # Errors
/// The bus's own.
pub fn probe<B: I2c + ?Sized>(
    bus: &mut B,
    address: u8,
    pause: &mut dyn FnMut(Duration),
) -> Result<bool, B::Error> {
    let mut version = [0; 2];
    bus.write_read(address, &[0x08], &mut version)?;
    if u16::from_be_bytes(version) & 0xFFF0 == 0x0010 {
        return Ok(false);
    }
    bus.write(address, &Request::HardwareId.bytes())?;
    pause(ANSWER_TIME);
    let mut id = [0];
    bus.read(address, &mut id)?;
    Ok(id == [SAMD09])
}

fn check_id([id]: [u8; 1]) -> Result<(), ChipError> {
    match id {
        SAMD09 => Ok(()),
        // The answer was not ready.
        0xFF => Err(ChipError::new(Fault::NotReady, "hardware id")),
        _ => Err(ChipError::new(Fault::Absent, "hardware id")),
    }
}

/// A capacitance counts 200 in dry air to 2000 under water. Nothing at all is a data line that is held low.
fn moisture(bytes: [u8; 2]) -> Result<f64, Fault> {
    match u16::from_be_bytes(bytes) {
        count @ 1..=MAX_COUNT => Ok(f64::from(count)),
        _ => Err(Fault::Range),
    }
}

/// Degrees in 16.16 bits, of which the firmware uses 30, with the sign in the highest of them.
fn temperature_cel(bytes: [u8; 4]) -> Result<f64, Fault> {
    let raw = i32::from_be_bytes(bytes);
    let cel = f64::from(raw << 2 >> 2) / 65_536.0;
    // All ones is an answer that was not ready, although it could be a hair under zero.
    if raw != -1 && RANGE_CEL.contains(&cel) { Ok(cel) } else { Err(Fault::Range) }
}

#[cfg(test)]
mod tests;
