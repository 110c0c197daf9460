//! The ADS1015 and ADS1115 at register level (datasheets SBAS473 and SBAS444), with something connected to each input.

use std::time::Duration;

use super::{Moment, SimTime, Twin, TwinError};
use crate::chips::ads1x15::{Input, Part};

const CONVERSION: usize = 0;
const CONFIG: usize = 1;
/// At power-on: conversion, config, and the comparator's two thresholds.
const DEFAULTS: [u16; 4] = [0x0000, 0x8583, 0x8000, 0x7FFF];

const OS: u16 = 1 << 15;
const MODE_SINGLE_SHOT: u16 = 1 << 8;

/// Conversions a second, by the config's data rate.
const RATES_1015: [u32; 8] = [128, 250, 490, 920, 1_600, 2_400, 3_300, 3_300];
const RATES_1115: [u32; 8] = [8, 16, 32, 64, 128, 250, 475, 860];

/// Full scale in volts, by the config's gain.
const FULL_SCALES_V: [f64; 8] = [6.144, 4.096, 2.048, 1.024, 0.512, 0.256, 0.256, 0.256];

/// The two inputs, by the config's multiplexer, whose difference is measured; none is ground.
const INPUTS: [(usize, Option<usize>); 8] =
    [(0, Some(1)), (0, Some(3)), (1, Some(3)), (2, Some(3)), (0, None), (1, None), (2, None), (3, None)];

/// The supply of what is connected to the inputs, volts.
const SUPPLY_V: f64 = 3.3;

/// The chip.
pub struct Ads1x15Twin {
    part: Part,
    inputs: [Input; 4],
    registers: [u16; 4],
    pointer: usize,
    /// The conversion that is going on: its end and its result.
    next: Option<(SimTime, u16)>,
}

impl Ads1x15Twin {
    /// A chip that has had power for a while, with an anemometer where `inputs` has one. On the other inputs are, in
    /// order: a photoresistor, a soil probe, a TMP36 thermometer and a battery by halves.
    pub fn new(part: Part, inputs: [Input; 4]) -> Self {
        Self { part, inputs, registers: DEFAULTS, pointer: 0, next: None }
    }

    fn finish(&mut self, at: &Moment<'_>) {
        let [conversion, config, ..] = &mut self.registers;
        if let Some((_, result)) = self.next.take_if(|(ready, _)| at.now >= *ready) {
            *conversion = result;
            *config |= OS;
        } else if *config & MODE_SINGLE_SHOT == 0 {
            let config = *config;
            self.registers[CONVERSION] = self.convert(config, at.now, at);
        }
    }

    fn configure(&mut self, config: u16, at: &Moment<'_>) {
        let rates = if self.part == Part::Ads1015 { RATES_1015 } else { RATES_1115 };
        let time = Duration::from_secs(1) / rates[usize::from(config >> 5 & 7)];
        self.registers[CONFIG] = config | OS;
        if config & MODE_SINGLE_SHOT != 0 && config & OS != 0 {
            let ready = at.now.plus(time);
            self.next = Some((ready, self.convert(config, ready, at)));
            self.registers[CONFIG] &= !OS;
        }
    }

    fn convert(&self, config: u16, when: SimTime, at: &Moment<'_>) -> u16 {
        let (plus, minus) = INPUTS[usize::from(config >> 12 & 7)];
        let volts = self.volts(plus, when, at) - minus.map_or(0.0, |minus| self.volts(minus, when, at));
        let raw = quantise(volts / FULL_SCALES_V[usize::from(config >> 9 & 7)]);
        match self.part {
            Part::Ads1015 => raw & 0xFFF0,
            Part::Ads1115 => raw,
        }
    }

    fn volts(&self, input: usize, when: SimTime, at: &Moment<'_>) -> f64 {
        let world = at.world;
        match (self.inputs.get(input), input) {
            (Some(Input::Anemometer), _) => 0.4 + 1.6 * world.wind_m_per_s(when) / 32.4,
            (_, 0) => {
                let lux = world.light_lux(when);
                SUPPLY_V * lux / (lux + 500.0)
            }
            (_, 1) => SUPPLY_V * (1.0 - world.soil_moisture_raw(when) / 2_000.0),
            (_, 2) => 0.5 + 0.01 * world.temperature_cel(when),
            _ => 2.05 - 0.002 * (world.temperature_cel(when) - 20.0).abs(),
        }
    }
}

impl Twin for Ads1x15Twin {
    fn write(&mut self, bytes: &[u8], at: &Moment<'_>) -> Result<(), TwinError> {
        self.finish(at);
        let (&pointer, value) = match bytes {
            [] => return Ok(()),
            [pointer] => (pointer, None),
            [pointer, high, low] => (pointer, Some(u16::from_be_bytes([*high, *low]))),
            _ => return Err(TwinError::Nack),
        };
        let pointer = usize::from(pointer);
        let register = self.registers.get_mut(pointer).ok_or(TwinError::Nack)?;
        self.pointer = pointer;
        match (pointer, value) {
            // The conversion is for reading only.
            (CONVERSION, _) | (_, None) => {}
            (CONFIG, Some(config)) => self.configure(config, at),
            (_, Some(threshold)) => *register = threshold,
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8], at: &Moment<'_>) -> Result<(), TwinError> {
        self.finish(at);
        let bytes = self.registers.get(self.pointer).ok_or(TwinError::Nack)?.to_be_bytes();
        buffer
            .iter_mut()
            .zip(bytes.into_iter().chain(std::iter::repeat(0xFF)))
            .for_each(|(slot, byte)| *slot = byte);
        Ok(())
    }
}

/// A share of the full scale, from -1 to 1, as 16 bits; what is beyond is clipped.
#[expect(clippy::cast_possible_truncation, reason = "clamped to 16 bits")]
fn quantise(share: f64) -> u16 {
    ((share * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16).cast_unsigned()
}

#[cfg(test)]
mod tests;
