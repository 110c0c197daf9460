//! Sensirion SHT30, SHT31, SHT35: air temperature and relative humidity (datasheet version 6, section 4).

use std::time::Duration;

use embedded_hal::i2c::I2c;

use crate::chip::{Chip, ChipError, Fault, Quantity, Sample, Step};
use crate::crc;

/// 16-bit commands (table 9 and following).
#[derive(Clone, Copy)]
enum Command {
    /// Measure once with high repeatability, without stretching the clock.
    Measure = 0x2400,
    /// Leave the periodic mode, in which another program may have left the chip.
    Break = 0x3093,
    /// Forget everything, the heater too.
    SoftReset = 0x30A2,
    /// Read the status register.
    Status = 0xF32D,
}

/// After a break, before the next command (section 4.8).
const BREAK_TIME: Duration = Duration::from_millis(1);
/// After a soft reset: 1.5 ms at most (table 4).
const RESET_TIME: Duration = Duration::from_millis(2);
/// One conversion with high repeatability: 15.5 ms at most at the lowest supply (table 4).
const MEASURE_TIME: Duration = Duration::from_millis(16);

/// What the chip is able to measure, degrees Celsius (table 2); outside is no temperature but a fault.
const RANGE_CEL: std::ops::RangeInclusive<f64> = -40.0..=125.0;

/// What the next `read` finds.
enum State {
    Unknown,
    Broken,
    Reset,
    Ready,
    Measuring,
}

/// The driver.
pub struct Sht3x {
    address: u8,
    quantities: [Quantity; 2],
    state: State,
}

impl Sht3x {
    /// The chip at `address` (0x44, or 0x45 with ADDR high).
    pub fn new(address: u8) -> Self {
        let quantities = [Quantity::new("temperature", "Cel"), Quantity::new("humidity", "%RH")];
        Self { address, quantities, state: State::Unknown }
    }

    fn send<B: I2c + ?Sized>(
        &mut self,
        bus: &mut B,
        command: Command,
        then: (State, Duration),
    ) -> Result<Duration, ChipError> {
        // Until the command has been taken, nothing is known about the chip.
        self.state = State::Unknown;
        let at = match command {
            Command::Measure => "measure",
            Command::Break => "break",
            Command::SoftReset => "soft reset",
            Command::Status => "status",
        };
        bus.write(self.address, &(command as u16).to_be_bytes()).map_err(ChipError::bus(at))?;
        let (state, time) = then;
        self.state = state;
        Ok(time)
    }
}

impl<B: I2c + ?Sized> Chip<B> for Sht3x {
    fn quantities(&self) -> &[Quantity] {
        &self.quantities
    }

    fn start(&mut self, bus: &mut B) -> Result<Duration, ChipError> {
        match self.state {
            State::Ready => self.send(bus, Command::Measure, (State::Measuring, MEASURE_TIME)),
            _ => self.send(bus, Command::Break, (State::Broken, BREAK_TIME)),
        }
    }

    fn read(&mut self, bus: &mut B, samples: &mut Vec<Sample>) -> Result<Step, ChipError> {
        match self.state {
            State::Unknown | State::Ready => Err(ChipError::new(Fault::NotReady, "start")),
            State::Broken => self.send(bus, Command::SoftReset, (State::Reset, RESET_TIME)).map(Step::Wait),
            State::Reset => {
                self.send(bus, Command::Measure, (State::Measuring, MEASURE_TIME)).map(Step::Wait)
            }
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

/// Whether the chip at `address` gives a status with the checksum of this family.
///
/// # Errors
/// The bus's own; a chip of another kind does not acknowledge.
pub fn probe<B: I2c + ?Sized>(bus: &mut B, address: u8) -> Result<bool, B::Error> {
    let mut bytes = [0; 3];
    bus.write_read(address, &(Command::Status as u16).to_be_bytes(), &mut bytes)?;
    Ok(crc::words::<1>(&bytes).is_some())
}

/// Section 4.13.
fn temperature_cel(raw: u16) -> Result<f64, Fault> {
    let cel = -45.0 + 175.0 * f64::from(raw) / 65_535.0;
    if RANGE_CEL.contains(&cel) { Ok(cel) } else { Err(Fault::Range) }
}

/// Section 4.13.
fn humidity_percent(raw: u16) -> f64 {
    100.0 * f64::from(raw) / 65_535.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::sht3x::Sht3xTwin;
    use crate::testkit::{self, Bench, ScriptedBus};

    fn chip() -> Sht3x {
        Sht3x::new(0x44)
    }

    fn twin() -> Box<dyn crate::sim::Twin> {
        Box::new(Sht3xTwin::new())
    }

    /// A script of a first measurement that ends with `bytes`.
    fn first(bytes: &[u8]) -> ScriptedBus {
        ScriptedBus::new(0x44).write(&[0x30, 0x93]).write(&[0x30, 0xA2]).write(&[0x24, 0x00]).read(bytes)
    }

    #[test]
    fn datasheet_vectors() {
        assert_eq!(temperature_cel(0x6666), Ok(25.0));
        assert!((humidity_percent(0x8000) - 50.000_763).abs() < 1e-6);
        assert_eq!(humidity_percent(0), 0.0);
        assert_eq!(humidity_percent(0xFFFF), 100.0);
        assert!((temperature_cel(0x1000).unwrap() + 34.062_333).abs() < 1e-6);
    }

    #[test]
    fn what_the_chip_cannot_measure_is_out_of_range() {
        assert_eq!(temperature_cel(0x0000), Err(Fault::Range));
        assert_eq!(temperature_cel(0xFFFF), Err(Fault::Range));
        assert_eq!(temperature_cel(0x0700), Err(Fault::Range));
        let stuck_high = first(&[0xFF, 0xFF, 0xAC, 0x80, 0x00, 0xA2]);
        assert_eq!(stuck_high.measure(&mut chip())[0], Err(Fault::Range));
    }

    #[test]
    fn the_first_measurement_resets_and_the_next_only_measures() {
        let mut chip = chip();
        let good = [0x66, 0x66, 0x93, 0x80, 0x00, 0xA2];
        let results = first(&good).measure(&mut chip);
        assert_eq!(results, [Ok(25.0), Ok(humidity_percent(0x8000))]);
        ScriptedBus::new(0x44).write(&[0x24, 0x00]).read(&good).measure(&mut chip);
    }

    #[test]
    fn a_bad_checksum_is_err_for_both_and_the_next_measurement_begins_anew() {
        let mut chip = chip();
        for bad in
            [[0x66, 0x66, 0x92, 0x80, 0x00, 0xA2], [0x66, 0x66, 0x93, 0x80, 0x01, 0xA2], [0xFF; 6], [0; 6]]
        {
            assert_eq!(first(&bad).measure(&mut chip), [Err(Fault::Crc), Err(Fault::Crc)]);
        }
    }

    #[test]
    fn reading_without_a_start_is_not_ready() {
        let error = chip().read(&mut ScriptedBus::new(0x44), &mut Vec::new()).unwrap_err();
        assert_eq!(error.fault, Fault::NotReady);
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
    fn the_probe_wants_the_checksum() {
        assert_eq!(
            probe(&mut ScriptedBus::new(0x44).write(&[0xF3, 0x2D]).read(&[0x80, 0x10, 0xE1]), 0x44),
            Ok(true)
        );
        assert_eq!(probe(&mut ScriptedBus::new(0x44).write(&[0xF3, 0x2D]).read(&[0xFF; 3]), 0x44), Ok(false));
        assert_eq!(probe(&mut Bench::new(twin()), 0x44), Ok(true));
    }
}
