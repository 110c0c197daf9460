//! Twin of the BME280 and the BMP280: a register file that reads on by itself, forced and normal mode, constants, and
//! raw words that need them.
//!
//! Modelled: id, soft reset with its two milliseconds of copying, ctrl_hum that waits for ctrl_meas, skipped
//! quantities, resolution by oversampling, status bits. Not modelled: the filter and SPI.

use std::time::Duration;

use super::converter::last_end;
use super::{Moment, SimTime, Twin, TwinError};
use crate::chips::bme280::Part;

mod inverse;

const RESET: u8 = 0xE0;
const RESET_WORD: u8 = 0xB6;
const CTRL_HUM: u8 = 0xF2;
const CTRL_MEAS: u8 = 0xF4;
const CONFIG: u8 = 0xF5;
const MODE: u8 = 0b11;
const MODE_NORMAL: u8 = 0b11;
/// How long a reset copies the constants.
const COPYING: Duration = Duration::from_millis(2);
/// The data registers after a reset: pressure and temperature "skipped", and so humidity.
const NO_DATA: [u8; 8] = [0x80, 0, 0, 0x80, 0, 0, 0x80, 0];

/// One simulated BME280 or BMP280.
#[derive(Clone, Debug)]
pub struct Bme280Twin {
    part: Part,
    pointer: u8,
    /// As written, and as in force since the last write of ctrl_meas.
    ctrl_hum_written: u8,
    ctrl_hum: u8,
    ctrl_meas: u8,
    config: u8,
    data: [u8; 8],
    reset_at: Option<SimTime>,
    measuring_since: Option<SimTime>,
}

impl Bme280Twin {
    /// `part`, some milliseconds after power-on.
    pub fn new(part: Part) -> Self {
        Self {
            part,
            pointer: 0,
            ctrl_hum_written: 0,
            ctrl_hum: 0,
            ctrl_meas: 0,
            config: 0,
            data: NO_DATA,
            reset_at: None,
            measuring_since: None,
        }
    }

    /// How often temperature, pressure and humidity are sampled in one measurement; 0 is skipped.
    fn samples(&self) -> [u32; 3] {
        let field = |bits: u8| match bits & 0x7 {
            0 => 0,
            exponent => 1 << (exponent.min(5) - 1),
        };
        let humidity = match self.part {
            Part::Bme280 => field(self.ctrl_hum),
            Part::Bmp280 => 0,
        };
        [field(self.ctrl_meas >> 5), field(self.ctrl_meas >> 2), humidity]
    }

    /// The typical time of one measurement (section 9.1).
    fn measurement(&self) -> Duration {
        let [temperature, pressure, humidity] = self.samples().map(u64::from);
        let extra = |samples: u64| if samples > 0 { 2_000 * samples + 500 } else { 0 };
        Duration::from_micros(1_000 + 2_000 * temperature + extra(pressure) + extra(humidity))
    }

    /// The pause between two measurements in normal mode.
    fn standby(&self) -> Duration {
        Duration::from_micros(match (self.config >> 5, self.part) {
            (0, _) => 500,
            (1, _) => 62_500,
            (2, _) => 125_000,
            (3, _) => 250_000,
            (4, _) => 500_000,
            (5, _) => 1_000_000,
            (6, Part::Bme280) => 10_000,
            (6, Part::Bmp280) => 2_000_000,
            (_, Part::Bme280) => 20_000,
            (_, Part::Bmp280) => 4_000_000,
        })
    }

    /// Takes over the result of the last measurement that has ended; a forced one ends in sleep.
    fn measure(&mut self, at: &Moment<'_>) {
        let Some(since) = self.measuring_since else { return };
        let duration = self.measurement();
        let normal = self.ctrl_meas & MODE == MODE_NORMAL;
        let period = if normal { duration + self.standby() } else { Duration::MAX };
        let Some(end) = last_end(since, duration, period, at.now) else { return };
        self.data = self.encode(end, at);
        if !normal {
            self.measuring_since = None;
            self.ctrl_meas &= !MODE;
        }
    }

    fn encode(&self, end: SimTime, at: &Moment<'_>) -> [u8; 8] {
        let [temperature_samples, pressure_samples, humidity_samples] = self.samples();
        let exact = inverse::temperature_word(at.world.temperature_cel(end));
        let [p_high, p_middle, p_low, t_high, t_middle, t_low, h_high, h_low] = NO_DATA;
        let climate = |word: u32, samples: u32, skipped: [u8; 3]| {
            // 16 bits, and one more for each doubling of the samples.
            let bits_dropped = 4 - samples.max(1).ilog2().min(4);
            let [_, high, middle, low] = ((word >> bits_dropped << bits_dropped) << 4).to_be_bytes();
            if samples > 0 { [high, middle, low] } else { skipped }
        };
        let t = climate(exact, temperature_samples, [t_high, t_middle, t_low]);
        let pressure = inverse::pressure_word(at.world.pressure_pa(end), exact);
        let p = climate(pressure, pressure_samples, [p_high, p_middle, p_low]);
        let h = match humidity_samples {
            0 => [h_high, h_low],
            _ => inverse::humidity_word(at.world.humidity_percent(end), exact).to_be_bytes(),
        };
        let [p_high, p_middle, p_low] = p;
        let [t_high, t_middle, t_low] = t;
        let [h_high, h_low] = h;
        [p_high, p_middle, p_low, t_high, t_middle, t_low, h_high, h_low]
    }

    fn write_register(&mut self, register: u8, value: u8, at: &Moment<'_>) {
        match register {
            RESET if value == RESET_WORD => {
                *self = Self { reset_at: Some(at.now), ..Self::new(self.part) };
            }
            CTRL_HUM if self.part == Part::Bme280 => self.ctrl_hum_written = value & 0x07,
            CTRL_MEAS => {
                self.ctrl_meas = value;
                self.ctrl_hum = self.ctrl_hum_written;
                self.measuring_since = (value & MODE != 0).then_some(at.now);
            }
            // Outside of sleep, writes to config may be ignored (section 5.4.6): here they are.
            CONFIG if self.ctrl_meas & MODE == 0 => self.config = value & 0xFD,
            // Registers that can only be read take no notice.
            _ => {}
        }
    }

    fn status(&self, at: &Moment<'_>) -> u8 {
        let copying = self.reset_at.is_some_and(|reset| at.now.since(reset) < COPYING);
        let measuring = self.measuring_since.is_some_and(|since| {
            let cycle = self.measurement() + self.standby();
            let into_cycle = last_end(since, Duration::ZERO, cycle, at.now).map(|begin| at.now.since(begin));
            into_cycle.is_some_and(|passed| passed < self.measurement())
        });
        u8::from(measuring) << 3 | u8::from(copying)
    }

    fn register(&self, register: u8, at: &Moment<'_>) -> u8 {
        let offset = |first: u8| usize::from(register - first);
        let humid = self.part == Part::Bme280;
        match register {
            0x88..=0x9F => climate_constants().as_flattened().get(offset(0x88)).copied().unwrap_or(0),
            0xA1 if humid => humidity_constants().0,
            0xE1..=0xE7 if humid => humidity_constants().1.get(offset(0xE1)).copied().unwrap_or(0),
            0xD0 => self.part.id(),
            CTRL_HUM if humid => self.ctrl_hum_written,
            0xF3 => self.status(at),
            CTRL_MEAS => self.ctrl_meas,
            CONFIG => self.config,
            0xFD..=0xFE if !humid => 0,
            0xF7..=0xFE => self.data.get(offset(0xF7)).copied().unwrap_or(0),
            _ => 0,
        }
    }
}

/// Registers 0x88..=0x9F, low byte first.
fn climate_constants() -> [[u8; 2]; 12] {
    let [t1, t2, t3] = inverse::T;
    let [p1, p2, p3, p4, p5, p6, p7, p8, p9] = inverse::P;
    [t1, t2, t3, p1, p2, p3, p4, p5, p6, p7, p8, p9].map(low_bytes)
}

/// Register 0xA1, and registers 0xE1..=0xE7: two constants of twelve bits share 0xE5.
fn humidity_constants() -> (u8, [u8; 7]) {
    let [h1, h2, h3, h4, h5, h6] = inverse::H;
    let byte = |value: i64| {
        let [low, _] = low_bytes(value);
        low
    };
    let [h2_low, h2_high] = low_bytes(h2);
    let shared = byte(h4 & 0x0F) | byte((h5 & 0x0F) << 4);
    (byte(h1), [h2_low, h2_high, byte(h3), byte(h4 >> 4), shared, byte(h5 >> 4), byte(h6)])
}

fn low_bytes(value: i64) -> [u8; 2] {
    let [low, high, ..] = value.to_le_bytes();
    [low, high]
}

impl Twin for Bme280Twin {
    /// A register and its value, again and again; or a register alone, to read from.
    fn write(&mut self, bytes: &[u8], at: &Moment<'_>) -> Result<(), TwinError> {
        self.measure(at);
        if let [register] = bytes {
            self.pointer = *register;
            return Ok(());
        }
        let (pairs, rest) = bytes.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(TwinError::Nack);
        }
        for [register, value] in pairs {
            self.pointer = *register;
            self.write_register(*register, *value, at);
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8], at: &Moment<'_>) -> Result<(), TwinError> {
        self.measure(at);
        for byte in buffer {
            *byte = self.register(self.pointer, at);
            self.pointer = self.pointer.wrapping_add(1);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
