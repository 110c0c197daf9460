//! Sensirion SHT40, SHT41, SHT45: air temperature and relative humidity (datasheet version 6.5, section 4).

use std::time::Duration;

use embedded_hal::i2c::I2c;

use crate::chip::{Chip, ChipError, Fault, Quantity, Sample, Step};
use crate::crc;

/// One-byte commands (table 7).
#[derive(Clone, Copy)]
enum Command {
    /// Measure with high precision.
    Measure = 0xFD,
    /// Stop what is going on, the heater too.
    SoftReset = 0x94,
    /// Read the serial number.
    Serial = 0x89,
}

/// After a soft reset: 1 ms at most (table 5).
const RESET_TIME: Duration = Duration::from_millis(1);
/// One conversion with high precision: 8.3 ms at most (table 5).
const MEASURE_TIME: Duration = Duration::from_millis(9);
/// From asking for the serial number to reading it.
const SERIAL_TIME: Duration = Duration::from_millis(1);

/// What the chip is able to measure, degrees Celsius (table 2); outside is no temperature but a fault.
const RANGE_CEL: std::ops::RangeInclusive<f64> = -40.0..=125.0;

/// What the next `read` finds.
enum State {
    Unknown,
    Reset,
    Ready,
    Measuring,
}

/// The driver.
pub struct Sht4x {
    address: u8,
    quantities: [Quantity; 2],
    state: State,
}

impl Sht4x {
    /// The chip at `address` (0x44 for the parts with A in their order code, 0x45 with B, 0x46 with C).
    pub fn new(address: u8) -> Self {
        let quantities = [Quantity::new("temperature", "Cel"), Quantity::new("humidity", "%RH")];
        Self { address, quantities, state: State::Unknown }
    }

    fn reset<B: I2c + ?Sized>(&mut self, bus: &mut B) -> Result<Duration, ChipError> {
        self.state = State::Unknown;
        bus.write(self.address, &[Command::SoftReset as u8]).map_err(ChipError::bus("soft reset"))?;
        self.state = State::Reset;
        Ok(RESET_TIME)
    }

    fn measure<B: I2c + ?Sized>(&mut self, bus: &mut B) -> Result<Duration, ChipError> {
        self.state = State::Unknown;
        bus.write(self.address, &[Command::Measure as u8]).map_err(ChipError::bus("measure"))?;
        self.state = State::Measuring;
        Ok(MEASURE_TIME)
    }
}

impl<B: I2c + ?Sized> Chip<B> for Sht4x {
    fn quantities(&self) -> &[Quantity] {
        &self.quantities
    }

    fn start(&mut self, bus: &mut B) -> Result<Duration, ChipError> {
        if matches!(self.state, State::Ready) { self.measure(bus) } else { self.reset(bus) }
    }

    fn read(&mut self, bus: &mut B, samples: &mut Vec<Sample>) -> Result<Step, ChipError> {
        match self.state {
            State::Unknown | State::Ready => Err(ChipError::new(Fault::NotReady, "start")),
            State::Reset => self.measure(bus).map(Step::Wait),
            State::Measuring => {
                self.state = State::Unknown;
                let mut bytes = [0; 6];
                bus.read(self.address, &mut bytes).map_err(ChipError::bus("measurement"))?;
                let [temperature, humidity] =
                    crc::words(&bytes).ok_or(ChipError::new(Fault::Crc, "measurement"))?;
                samples.push(Sample { quantity: 0, value: temperature_cel(temperature) });
                samples.push(Sample { quantity: 1, value: Ok(humidity_percent(humidity)) });
                self.state = State::Ready;
                Ok(Step::Done)
            }
        }
    }
}

/// Whether the chip at `address` gives a serial number with its checksums.
///
/// # Errors
/// The bus's own; a chip of another kind does not acknowledge.
pub fn probe<B: I2c + ?Sized>(
    bus: &mut B,
    address: u8,
    pause: &mut dyn FnMut(Duration),
) -> Result<bool, B::Error> {
    let mut bytes = [0; 6];
    bus.write(address, &[Command::Serial as u8])?;
    pause(SERIAL_TIME);
    bus.read(address, &mut bytes)?;
    Ok(crc::words::<2>(&bytes).is_some())
}

/// Section 4.6.
fn temperature_cel(raw: u16) -> Result<f64, Fault> {
    let cel = -45.0 + 175.0 * f64::from(raw) / 65_535.0;
    if RANGE_CEL.contains(&cel) { Ok(cel) } else { Err(Fault::Range) }
}

/// Section 4.6: the formula reaches a little beyond both ends, which mean the ends.
fn humidity_percent(raw: u16) -> f64 {
    (-6.0 + 125.0 * f64::from(raw) / 65_535.0).clamp(0.0, 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::sht4x::Sht4xTwin;
    use crate::testkit::{self, Bench, ScriptedBus};

    fn chip() -> Sht4x {
        Sht4x::new(0x44)
    }

    fn twin() -> Box<dyn crate::sim::Twin> {
        Box::new(Sht4xTwin::new())
    }

    #[test]
    fn datasheet_vectors() {
        assert_eq!(temperature_cel(0x6666), Ok(25.0));
        assert!((humidity_percent(0x7333) - 50.250_477).abs() < 1e-6);
        assert_eq!(humidity_percent(0), 0.0);
        assert_eq!(humidity_percent(0x0C00), 0.0);
        assert_eq!(humidity_percent(0xFFFF), 100.0);
        assert!(temperature_cel(0x0A00).unwrap() < -38.0);
        assert_eq!(temperature_cel(0x0000), Err(Fault::Range));
        assert_eq!(temperature_cel(0xFFFF), Err(Fault::Range));
    }

    #[test]
    fn the_first_measurement_resets_and_the_next_only_measures() {
        let mut chip = chip();
        let good = [0x66, 0x66, 0x93, 0x80, 0x00, 0xA2];
        let script = || ScriptedBus::new(0x44);
        let first = script().write(&[0x94]).write(&[0xFD]).read(&good).measure(&mut chip);
        assert_eq!(first, [Ok(25.0), Ok(humidity_percent(0x8000))]);
        assert_eq!(script().write(&[0xFD]).read(&good).measure(&mut chip), first);
        let bad = [0x66, 0x66, 0x93, 0x80, 0x00, 0xA3];
        assert_eq!(script().write(&[0xFD]).read(&bad).measure(&mut chip), [Err(Fault::Crc); 2]);
        assert_eq!(script().write(&[0x94]).write(&[0xFD]).read(&good).measure(&mut chip), first);
    }

    #[test]
    fn agrees_with_the_world_through_its_twin() {
        let (mut chip, mut bench) = (chip(), Bench::new(twin()));
        for _ in 0..50 {
            bench.pass(Duration::from_secs(600));
            let results = bench.measure(&mut chip);
            let (world, now) = (bench.world(), bench.now());
            assert!((results[0].unwrap() - world.temperature_cel(now)).abs() < 0.01);
            assert!((results[1].unwrap() - world.humidity_percent(now)).abs() < 0.05);
        }
    }

    #[test]
    fn survives_what_a_bus_does() {
        testkit::survives_everything(chip, twin);
        testkit::sees_every_flipped_bit(chip, twin);
        testkit::does_not_read_too_early(chip, twin);
    }

    #[test]
    fn the_probe_wants_the_checksums() {
        let script = || ScriptedBus::new(0x44).write(&[0x89]);
        assert_eq!(probe(&mut script().read(&[0xBE, 0xEF, 0x92, 0, 0, 0x81]), 0x44, &mut |_| {}), Ok(true));
        assert_eq!(probe(&mut script().read(&[0; 6]), 0x44, &mut |_| {}), Ok(false));
    }
}
