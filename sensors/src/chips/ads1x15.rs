//! Texas Instruments ADS1015 and ADS1115: four voltages against ground (datasheets SBAS473 and SBAS444), each as volts
//! or as the wind speed that Adafruit's anemometer (1733) means by it.
//!
//! Each input is a single conversion of its own, one after the other.

use std::time::Duration;

use embedded_hal::i2c::I2c;

use crate::chip::{Chip, ChipError, Fault, Quantity, Sample, Step};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// 12 bits.
    Ads1015,
    /// 16 bits.
    Ads1115,
}

/// What an input is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Not measured.
    Off,
    /// The voltage itself.
    Volts,
    /// The wind speed of an anemometer.
    Anemometer,
}

impl Input {
    /// The input's use as an option's value: `volts`, `anemometer` or `off`.
    pub fn from_option(value: &str) -> Option<Self> {
        match value {
            "off" => Some(Self::Off),
            "volts" => Some(Self::Volts),
            "anemometer" => Some(Self::Anemometer),
            _ => None,
        }
    }
}

/// Registers (section "Address Pointer Register").
#[derive(Clone, Copy)]
enum Register {
    Conversion = 0,
    Config = 1,
}

/// Fields of the config register (section "Config Register").
mod config {
    /// Written: begin a conversion. Read: none is going on.
    pub(super) const OS: u16 = 1 << 15;
    /// The first input against ground; the others follow.
    pub(super) const MUX_AIN0: u16 = 0b100 << 12;
    pub(super) const MUX_STEP: u16 = 1 << 12;
    /// Full scale 4.096 V.
    pub(super) const PGA_4_096_V: u16 = 0b001 << 9;
    pub(super) const MODE_SINGLE_SHOT: u16 = 1 << 8;
    /// 1600 conversions a second on the ADS1015, 128 on the ADS1115: the defaults of both.
    pub(super) const DR_DEFAULT: u16 = 0b100 << 5;
    pub(super) const COMPARATOR_OFF: u16 = 0b11;
    /// At power-on.
    pub(super) const DEFAULT: u16 = 0x8583;
}

/// Volts for all 16 bits.
const FULL_SCALE_V: f64 = 4.096;

/// An input may be this far below ground before it is not an offset any more, volts.
const LEAST_V: f64 = -0.1;

/// One input that is measured.
#[derive(Clone, Copy)]
struct Channel {
    config: u16,
    anemometer: bool,
}

/// The driver.
pub struct Ads1x15 {
    part: Part,
    address: u8,
    quantities: Vec<Quantity>,
    channels: Vec<Channel>,
    /// The channel whose conversion is going on.
    current: Option<usize>,
}

impl Ads1x15 {
    /// The chip at `address` (0x48 to 0x4B, by what ADDR is tied to). An input of volts is the quantity `ain0` to
    /// `ain3`; an anemometer is `wind_speed`, and if there are more, the others are `wind_speed_ain1` and so on.
    pub fn new(part: Part, address: u8, inputs: [Input; 4]) -> Self {
        let (mut quantities, mut channels) = (Vec::new(), Vec::new());
        for (number, input) in (0..).zip(inputs) {
            let quantity = match input {
                Input::Off => continue,
                Input::Volts => Quantity::new(format!("ain{number}"), "V"),
                Input::Anemometer if channels.iter().any(|channel: &Channel| channel.anemometer) => {
                    Quantity::new(format!("wind_speed_ain{number}"), "m/s")
                }
                Input::Anemometer => Quantity::new("wind_speed", "m/s"),
            };
            quantities.push(quantity);
            let mux = config::MUX_AIN0 + number * config::MUX_STEP;
            let config = config::OS
                | mux
                | config::PGA_4_096_V
                | config::MODE_SINGLE_SHOT
                | config::DR_DEFAULT
                | config::COMPARATOR_OFF;
            channels.push(Channel { config, anemometer: input == Input::Anemometer });
        }
        Self { part, address, quantities, channels, current: None }
    }

    fn convert<B: I2c + ?Sized>(&mut self, bus: &mut B, index: usize) -> Result<Option<Duration>, ChipError> {
        let Some(channel) = self.channels.get(index) else { return Ok(None) };
        let [high, low] = channel.config.to_be_bytes();
        bus.write(self.address, &[Register::Config as u8, high, low]).map_err(ChipError::bus("config"))?;
        self.current = Some(index);
        Ok(Some(self.part.conversion_time()))
    }
}

impl<B: I2c + ?Sized> Chip<B> for Ads1x15 {
    fn quantities(&self) -> &[Quantity] {
        &self.quantities
    }

    fn start(&mut self, bus: &mut B) -> Result<Duration, ChipError> {
        self.current = None;
        self.convert(bus, 0)?.ok_or(ChipError::new(Fault::Absent, "inputs, which are all off"))
    }

    fn read(&mut self, bus: &mut B, samples: &mut Vec<Sample>) -> Result<Step, ChipError> {
        let index = self.current.take().ok_or(ChipError::new(Fault::NotReady, "start"))?;
        let channel = self.channels.get(index).ok_or(ChipError::new(Fault::NotReady, "start"))?;
        let state = read_register(bus, self.address, Register::Config).map_err(ChipError::bus("config"))?;
        if state & config::OS == 0 {
            return Err(ChipError::new(Fault::NotReady, "conversion"));
        }
        // Another configuration than was written means that power was lost, so that the conversion is none of ours.
        if state != channel.config {
            return Err(ChipError::new(Fault::NotReady, "config"));
        }
        let raw =
            read_register(bus, self.address, Register::Conversion).map_err(ChipError::bus("conversion"))?;
        let volts = volts(self.part, raw.cast_signed());
        let value = if channel.anemometer { volts.and_then(wind_m_per_s) } else { volts };
        samples.push(Sample { quantity: index, value });
        Ok(self.convert(bus, index + 1)?.map_or(Step::Done, Step::Wait))
    }
}

impl Part {
    /// One conversion at the default rate, with the oscillator 10 % slow and the time to wake up, rounded up.
    const fn conversion_time(self) -> Duration {
        match self {
            Self::Ads1015 => Duration::from_millis(1),
            Self::Ads1115 => Duration::from_millis(9),
        }
    }

    /// The greatest reading, which stands for every voltage above it too.
    const fn greatest(self) -> i16 {
        match self {
            Self::Ads1015 => 0x7FF0,
            Self::Ads1115 => 0x7FFF,
        }
    }
}

/// What the config register at `address` says: the default of this family, or something that it may have come to.
///
/// # Errors
/// The bus's own.
pub fn probe<B: I2c + ?Sized>(bus: &mut B, address: u8) -> Result<Option<bool>, B::Error> {
    let state = read_register(bus, address, Register::Config)?;
    // An idle one has its highest bit set, which no thermometer at these addresses has after power-on.
    Ok((state & config::OS != 0 && state != u16::MAX).then_some(state == config::DEFAULT))
}

fn read_register<B: I2c + ?Sized>(bus: &mut B, address: u8, register: Register) -> Result<u16, B::Error> {
    let mut bytes = [0; 2];
    bus.write_read(address, &[register as u8], &mut bytes)?;
    Ok(u16::from_be_bytes(bytes))
}

/// Both parts put their bits at the high end of the register.
fn volts(part: Part, raw: i16) -> Result<f64, Fault> {
    let volts = f64::from(raw) * FULL_SCALE_V / 32_768.0;
    if raw < part.greatest() && volts >= LEAST_V { Ok(volts) } else { Err(Fault::Range) }
}

/// The anemometer gives 0.4 V in calm air, and 2.0 V at 32.4 m/s.
const CALM_V: f64 = 0.4;
const FULL_V: f64 = 2.0;
const FULL_M_PER_S: f64 = 32.4;
/// Below this the wire is open or the anemometer has no supply.
const OPEN_WIRE_V: f64 = 0.35;
/// Above this, which is 5 % over its scale, something else is on the wire.
const FOREIGN_V: f64 = 2.08;

fn wind_m_per_s(volts: f64) -> Result<f64, Fault> {
    if !(OPEN_WIRE_V..=FOREIGN_V).contains(&volts) {
        return Err(Fault::Range);
    }
    Ok(((volts - CALM_V) / (FULL_V - CALM_V) * FULL_M_PER_S).max(0.0))
}

#[cfg(test)]
mod tests;
