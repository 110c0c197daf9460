//! Bosch BME280 (temperature, humidity, pressure) and BMP280 (temperature, pressure): one forced measurement at a time;
//! the chip sleeps in between.
//!
//! Sources: Bosch BST-BME280-DS002 sections 3.3 to 5.4 and 9.1, BST-BMP280-DS001. The two parts differ in their id and
//! in what concerns humidity.

use std::time::Duration;

use embedded_hal::i2c::I2c;

use crate::chip::{Chip, ChipError, Fault, Quantity, Sample, Step};

mod compensation;

use compensation::{Climate, Humidity};

/// Where either can sit: pin SDO low or high.
pub const ADDRESSES: [u8; 2] = [0x76, 0x77];

/// Sixteen-bit temperature and humidity, eighteen-bit pressure (0.66 Pa): the sheet's "standard resolution".
const TEMPERATURE_SAMPLES: u64 = 1;
const PRESSURE_SAMPLES: u64 = 4;
const HUMIDITY_SAMPLES: u64 = 1;
/// The same as the register fields have it: 1 is one sample, 3 is four.
const CTRL_HUM: u8 = 0b001;
const CTRL_MEAS_SLEEP: u8 = 0b0010_1100;
const CTRL_MEAS_FORCED: u8 = 0b0010_1101;
/// No filter and no standby: each measurement stands for itself.
const CONFIG: u8 = 0x00;
/// Status: a measurement runs; the constants are being copied out of the chip's memory (2 ms after power-up).
const STATUS_MEASURING: u8 = 0x08;
const STATUS_COPYING: u8 = 0x01;
/// What a measurement is given beyond the sheet's maximum, this often, before it counts as failed.
const MORE_TIME: Duration = Duration::from_millis(2);
const MORE_TIMES_MAX: u8 = 5;
/// What the data registers hold after a reset, or when a quantity was skipped.
const SKIPPED: u32 = 0x80000;
const SKIPPED_HUMIDITY: u16 = 0x8000;
/// All ones: what a bus with no answer gives.
const ALL_ONES: u32 = 0xFFFFF;
/// The specified ranges; what lies outside was not measured.
const RANGE_CEL: std::ops::RangeInclusive<f64> = -40.0..=85.0;
const RANGE_PASCAL: std::ops::RangeInclusive<f64> = 30_000.0..=110_000.0;

/// The registers that are used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Register {
    ClimateConstants = 0x88,
    FirstHumidityConstant = 0xA1,
    Id = 0xD0,
    HumidityConstants = 0xE1,
    CtrlHum = 0xF2,
    Status = 0xF3,
    CtrlMeas = 0xF4,
    Config = 0xF5,
    Data = 0xF7,
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Temperature, humidity and pressure.
    Bme280,
    /// Temperature and pressure.
    Bmp280,
}

impl Part {
    /// What the id register says.
    pub const fn id(self) -> u8 {
        match self {
            Part::Bme280 => 0x60,
            Part::Bmp280 => 0x58,
        }
    }

    /// The longest measurement: BST-BME280-DS002 section 9.1, and for the BMP280 the same without humidity.
    const fn measurement(self) -> Duration {
        let climate = 1250 + 2300 * TEMPERATURE_SAMPLES + 2300 * PRESSURE_SAMPLES + 575;
        let humidity = match self {
            Part::Bme280 => 2300 * HUMIDITY_SAMPLES + 575,
            Part::Bmp280 => 0,
        };
        Duration::from_micros(climate + humidity)
    }

    fn quantities(self) -> Vec<Quantity> {
        let mut quantities = vec![Quantity::new("temperature", "Cel"), Quantity::new("pressure", "Pa")];
        if self == Part::Bme280 {
            quantities.push(Quantity::new("humidity", "%RH"));
        }
        quantities
    }
}

/// The constants of one chip; no humidity in a BMP280.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Constants {
    climate: Climate,
    humidity: Option<Humidity>,
}

/// What the data registers hold: pressure and temperature of 20 bits, humidity of 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Raw {
    pressure: u32,
    temperature: u32,
    humidity: u16,
}

impl Raw {
    /// Registers 0xF7..=0xFE; a BMP280 has no last two.
    fn parse(bytes: [u8; 8]) -> Self {
        let [p_high, p_middle, p_low, t_high, t_middle, t_low, h_high, h_low] = bytes;
        Self {
            pressure: u32::from_be_bytes([0, p_high, p_middle, p_low]) >> 4,
            temperature: u32::from_be_bytes([0, t_high, t_middle, t_low]) >> 4,
            humidity: u16::from_be_bytes([h_high, h_low]),
        }
    }
}

/// Raw words to Cel, Pa and %RH. Without a temperature there is nothing to compensate the others by.
fn convert(raw: Raw, constants: &Constants) -> Vec<Result<f64, Fault>> {
    let impossible = |word: u32| word == SKIPPED || word == ALL_ONES;
    let within = |value: f64, range: std::ops::RangeInclusive<f64>| {
        if range.contains(&value) { Ok(value) } else { Err(Fault::Range) }
    };
    let fine = constants.climate.temperature(raw.temperature);
    let temperature =
        if impossible(raw.temperature) { Err(Fault::Range) } else { within(fine.celsius(), RANGE_CEL) };
    let pressure = temperature.and_then(|_| {
        if impossible(raw.pressure) {
            return Err(Fault::Range);
        }
        within(constants.climate.pressure(raw.pressure, fine), RANGE_PASCAL)
    });
    let mut values = vec![temperature, pressure];
    if let Some(humidity) = &constants.humidity {
        values.push(temperature.and_then(|_| match raw.humidity {
            SKIPPED_HUMIDITY | u16::MAX => Err(Fault::Range),
            word => Ok(humidity.humidity(word, fine)),
        }));
    }
    values
}

/// Whether the chip at `address` bears the id of `part`. Only reads.
///
/// # Errors
/// The bus's own.
pub fn probe<B: I2c + ?Sized>(bus: &mut B, part: Part, address: u8) -> Result<bool, B::Error> {
    let mut id = [0];
    bus.write_read(address, &[Register::Id as u8], &mut id)?;
    Ok(id == [part.id()])
}

/// One BME280 or BMP280.
#[derive(Debug)]
pub struct Bme280 {
    part: Part,
    address: u8,
    quantities: Vec<Quantity>,
    /// Read at the first start, and again after any failure: another chip may have been plugged in.
    constants: Option<Constants>,
    more_times: u8,
}

impl Bme280 {
    /// `part` at `address`.
    pub fn new(part: Part, address: u8) -> Self {
        Self { part, address, quantities: part.quantities(), constants: None, more_times: 0 }
    }

    /// Checks who is there, stops what an earlier program may have left running, and reads the constants.
    fn initialise<B: I2c + ?Sized>(&self, bus: &mut B) -> Result<Constants, ChipError> {
        if !probe(bus, self.part, self.address).map_err(ChipError::bus("chip id"))? {
            return Err(ChipError::new(Fault::Absent, "chip id"));
        }
        if self.status(bus)? & STATUS_COPYING != 0 {
            return Err(ChipError::new(Fault::NotReady, "constants"));
        }
        // Config may be ignored unless the chip sleeps.
        self.write_register(bus, Register::CtrlMeas, CTRL_MEAS_SLEEP, "ctrl_meas")?;
        self.write_register(bus, Register::Config, CONFIG, "config")?;
        let mut climate = compensation::ClimateBytes::default();
        self.read_registers(bus, Register::ClimateConstants, climate.as_flattened_mut(), "constants")?;
        let climate = Climate::parse(climate).ok_or(ChipError::new(Fault::Range, "constants"))?;
        let humidity = match self.part {
            Part::Bme280 => Some(self.read_humidity_constants(bus)?),
            Part::Bmp280 => None,
        };
        Ok(Constants { climate, humidity })
    }

    fn read_humidity_constants<B: I2c + ?Sized>(&self, bus: &mut B) -> Result<Humidity, ChipError> {
        let mut first = [0];
        self.read_registers(bus, Register::FirstHumidityConstant, &mut first, "constants")?;
        let mut others = compensation::HumidityBytes::default();
        self.read_registers(bus, Register::HumidityConstants, &mut others, "constants")?;
        let [h1] = first;
        Ok(Humidity::parse(h1, others))
    }

    fn trigger<B: I2c + ?Sized>(&self, bus: &mut B) -> Result<Constants, ChipError> {
        let constants = match self.constants {
            Some(constants) => constants,
            None => self.initialise(bus)?,
        };
        if self.part == Part::Bme280 {
            // Takes effect with the write of ctrl_meas, so it comes first (section 5.4.3).
            self.write_register(bus, Register::CtrlHum, CTRL_HUM, "ctrl_hum")?;
        }
        self.write_register(bus, Register::CtrlMeas, CTRL_MEAS_FORCED, "ctrl_meas")?;
        Ok(constants)
    }

    /// None while the chip still measures.
    fn fetch<B: I2c + ?Sized>(&self, bus: &mut B) -> Result<Option<Raw>, ChipError> {
        if self.status(bus)? & STATUS_MEASURING != 0 {
            return Ok(None);
        }
        let mut bytes = [0; 8];
        let [climate @ .., _, _] = &mut bytes;
        match self.part {
            Part::Bmp280 => self.read_registers(bus, Register::Data, climate, "data")?,
            Part::Bme280 => self.read_registers(bus, Register::Data, &mut bytes, "data")?,
        }
        Ok(Some(Raw::parse(bytes)))
    }

    fn status<B: I2c + ?Sized>(&self, bus: &mut B) -> Result<u8, ChipError> {
        let mut status = [0];
        self.read_registers(bus, Register::Status, &mut status, "status")?;
        let [status] = status;
        Ok(status)
    }

    fn read_registers<B: I2c + ?Sized>(
        &self,
        bus: &mut B,
        first: Register,
        bytes: &mut [u8],
        at: &'static str,
    ) -> Result<(), ChipError> {
        bus.write_read(self.address, &[first as u8], bytes).map_err(ChipError::bus(at))
    }

    fn write_register<B: I2c + ?Sized>(
        &self,
        bus: &mut B,
        register: Register,
        value: u8,
        at: &'static str,
    ) -> Result<(), ChipError> {
        bus.write(self.address, &[register as u8, value]).map_err(ChipError::bus(at))
    }
}

impl<B: I2c + ?Sized> Chip<B> for Bme280 {
    fn quantities(&self) -> &[Quantity] {
        &self.quantities
    }

    fn start(&mut self, bus: &mut B) -> Result<Duration, ChipError> {
        let triggered = self.trigger(bus);
        self.constants = triggered.ok();
        self.more_times = 0;
        triggered.map(|_| self.part.measurement())
    }

    fn read(&mut self, bus: &mut B, samples: &mut Vec<Sample>) -> Result<Step, ChipError> {
        let Some(constants) = self.constants else {
            return Err(ChipError::new(Fault::NotReady, "start"));
        };
        let Some(raw) = self.fetch(bus).inspect_err(|_| self.constants = None)? else {
            if self.more_times == MORE_TIMES_MAX {
                self.constants = None;
                return Err(ChipError::new(Fault::NotReady, "status"));
            }
            self.more_times += 1;
            return Ok(Step::Wait(MORE_TIME));
        };
        let values = convert(raw, &constants);
        if values.iter().any(Result::is_err) {
            self.constants = None;
        }
        samples.extend(values.into_iter().enumerate().map(|(quantity, value)| Sample { quantity, value }));
        Ok(Step::Done)
    }
}

#[cfg(test)]
mod tests;
