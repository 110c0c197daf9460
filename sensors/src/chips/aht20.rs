//! ASAIR AHT20: air temperature and relative humidity (datasheet version 1.0, section 5).

use std::time::Duration;

use embedded_hal::i2c::I2c;

use crate::chip::{Chip, ChipError, Fault, Quantity, Sample, Step};
use crate::crc::crc8;

/// The one address.
pub const ADDRESS: u8 = 0x38;

/// Commands (section 5.3).
#[derive(Clone, Copy)]
enum Command {
    /// Load the calibration.
    Initialise,
    /// Measure once.
    Measure,
}

impl Command {
    const fn bytes(self) -> [u8; 3] {
        match self {
            Self::Initialise => [0xBE, 0x08, 0x00],
            Self::Measure => [0xAC, 0x33, 0x00],
        }
    }
}

/// Bits of the status, which is the first byte of every read (table 9).
const BUSY: u8 = 1 << 7;
const CALIBRATED: u8 = 1 << 3;

/// After the initialisation (section 5.4, step 1).
const INITIALISE_TIME: Duration = Duration::from_millis(10);
/// One conversion (section 5.4, step 3).
const MEASURE_TIME: Duration = Duration::from_millis(80);
/// How long to wait again while the chip says that it is busy, and how often.
const BUSY_TIME: Duration = Duration::from_millis(10);
const MAX_BUSY: u8 = 5;

/// What the chip is able to measure, degrees Celsius (table 2); outside is no temperature but a fault.
const RANGE_CEL: std::ops::RangeInclusive<f64> = -40.0..=85.0;

/// What the next `read` finds.
#[derive(Clone, Copy)]
enum State {
    Idle,
    Initialised,
    Measuring { busy: u8 },
}

/// The driver.
pub struct Aht20 {
    quantities: [Quantity; 2],
    state: State,
    calibrated: bool,
}

impl Aht20 {
    /// The chip at its [`ADDRESS`].
    pub fn new() -> Self {
        let quantities = [Quantity::new("temperature", "Cel"), Quantity::new("humidity", "%RH")];
        Self { quantities, state: State::Idle, calibrated: false }
    }

    fn send<B: I2c + ?Sized>(&mut self, bus: &mut B, command: Command) -> Result<Duration, ChipError> {
        let (at, then, time) = match command {
            Command::Initialise => ("initialise", State::Initialised, INITIALISE_TIME),
            Command::Measure => ("measure", State::Measuring { busy: 0 }, MEASURE_TIME),
        };
        bus.write(ADDRESS, &command.bytes()).map_err(ChipError::bus(at))?;
        self.state = then;
        Ok(time)
    }

    fn fetch<B: I2c + ?Sized>(&mut self, bus: &mut B, busy: u8) -> Result<Option<[u8; 6]>, ChipError> {
        let mut bytes = [0; 7];
        bus.read(ADDRESS, &mut bytes).map_err(ChipError::bus("measurement"))?;
        let [status, a, b, c, d, e, crc] = bytes;
        if status & BUSY != 0 {
            // A status of all ones is no answer at all, and a conversion must end.
            let answers = status != 0xFF && busy < MAX_BUSY;
            self.state = State::Measuring { busy: busy + 1 };
            return if answers { Ok(None) } else { Err(ChipError::new(Fault::NotReady, "busy bit")) };
        }
        if crc8(&[status, a, b, c, d, e]) != crc {
            return Err(ChipError::new(Fault::Crc, "measurement"));
        }
        if status & CALIBRATED == 0 {
            // It has lost power, and with it the calibration.
            return Err(ChipError::new(Fault::NotReady, "calibration bit"));
        }
        Ok(Some([status, a, b, c, d, e]))
    }
}

impl Default for Aht20 {
    fn default() -> Self {
        Self::new()
    }
}

impl<B: I2c + ?Sized> Chip<B> for Aht20 {
    fn quantities(&self) -> &[Quantity] {
        &self.quantities
    }

    fn start(&mut self, bus: &mut B) -> Result<Duration, ChipError> {
        self.state = State::Idle;
        // Until this measurement has come to a good end, the calibration is in doubt.
        if !std::mem::take(&mut self.calibrated)
            && status(bus).map_err(ChipError::bus("status"))? & CALIBRATED == 0
        {
            return self.send(bus, Command::Initialise);
        }
        self.send(bus, Command::Measure)
    }

    fn read(&mut self, bus: &mut B, samples: &mut Vec<Sample>) -> Result<Step, ChipError> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Idle => Err(ChipError::new(Fault::NotReady, "start")),
            State::Initialised => self.send(bus, Command::Measure).map(Step::Wait),
            State::Measuring { busy } => match self.fetch(bus, busy)? {
                None => Ok(Step::Wait(BUSY_TIME)),
                Some(bytes) => {
                    let (humidity, temperature) = raw(bytes);
                    samples.push(Sample { quantity: 0, value: temperature_cel(temperature) });
                    samples.push(Sample { quantity: 1, value: Ok(humidity_percent(humidity)) });
                    self.calibrated = true;
                    Ok(Step::Done)
                }
            },
        }
    }
}

/// Whether the chip at [`ADDRESS`] has a status like this one's: calibrated, and not all ones. That is a hint and no
/// proof, but it only reads; a command would change the outputs of the port expander that may be there.
///
/// # Errors
/// The bus's own.
pub fn probe<B: I2c + ?Sized>(bus: &mut B) -> Result<bool, B::Error> {
    let status = status(bus)?;
    Ok(status != 0xFF && status & CALIBRATED != 0)
}

fn status<B: I2c + ?Sized>(bus: &mut B) -> Result<u8, B::Error> {
    let mut status = [0];
    bus.read(ADDRESS, &mut status)?;
    let [status] = status;
    Ok(status)
}

/// The 20 bits of humidity, then those of temperature (table 10).
fn raw([_, a, b, c, d, e]: [u8; 6]) -> (u32, u32) {
    let humidity = u32::from_be_bytes([0, a, b, c]) >> 4;
    let temperature = u32::from_be_bytes([0, c, d, e]) & 0x000F_FFFF;
    (humidity, temperature)
}

/// 20 bits are the full scale of both.
const FULL_SCALE: f64 = 1_048_576.0;

/// Section 6.2.
fn temperature_cel(raw: u32) -> Result<f64, Fault> {
    let cel = 200.0 * f64::from(raw) / FULL_SCALE - 50.0;
    if RANGE_CEL.contains(&cel) { Ok(cel) } else { Err(Fault::Range) }
}

/// Section 6.1.
fn humidity_percent(raw: u32) -> f64 {
    100.0 * f64::from(raw) / FULL_SCALE
}

#[cfg(test)]
mod tests;
