//! What there is to measure: a place with a day's course, out of a seed.
//!
//! Every quantity is a pure function of the time. Slow terms give the day its shape; a little noise with a correlation
//! of seconds keeps ten seconds of it alive too. Two seeds are two places in the same valley: the same weather, with a
//! plausible offset and phase between them.

use std::f64::consts::TAU;

use super::SimTime;

const SECONDS_PER_HOUR: f64 = 3_600.0;
const SECONDS_PER_DAY: f64 = 86_400.0;

/// Noise as slow as this or slower, in seconds, is the weather, which all places have in common; faster noise is the
/// place's own.
const WEATHER_S: f64 = 1_800.0;
/// The seed of the weather.
const VALLEY: u64 = 0x5EED_0FA1;

/// From one watering of the soil to the next, seconds.
const WATERING_S: f64 = 30.0 * SECONDS_PER_HOUR;

/// A place with its weather and its soil.
#[derive(Clone, Debug)]
pub struct World {
    seed: u64,
    /// How far this place's day is behind the Sun at Greenwich.
    phase_s: f64,
    /// How much warmer than the valley this place is.
    offset_cel: f64,
    /// How much moister.
    offset_percent: f64,
    /// Its height, as the pressure it costs.
    offset_pa: f64,
    /// How much wetter the probe sits, in its counts.
    offset_raw: f64,
    /// How much later than the valley's first place it is watered.
    watering_lag_s: f64,
}

/// One independent source of noise for each use, so that no two terms move together by accident.
#[derive(Clone, Copy)]
enum Noise {
    Place,
    Temperature,
    Humidity,
    Pressure,
    Cloud,
    Lamp,
    Soil,
    SoilTemperature,
    Wind,
    Gust,
}

impl World {
    /// The place that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        let place = |step| signed_hash(seed, Noise::Place, 0, step);
        Self {
            seed,
            phase_s: 0.6 * SECONDS_PER_HOUR * place(0),
            offset_cel: 1.2 * place(1),
            offset_percent: 4.0 * place(2),
            offset_pa: 60.0 * place(3),
            offset_raw: 30.0 * place(4),
            watering_lag_s: 2.0 * SECONDS_PER_HOUR * (1.0 + place(5)),
        }
    }

    /// Air temperature, degrees Celsius: coldest before dawn, warmest in the afternoon.
    pub fn temperature_cel(&self, t: SimTime) -> f64 {
        19.0 + self.offset_cel
            + 5.5 * self.day_wave(t, 15.0)
            + self.noise(
                Noise::Temperature,
                t,
                &[(7_200.0, 0.8), (600.0, 0.3), (45.0, 0.2), (6.0, 0.2), (1.5, 0.06)],
            )
    }

    /// Relative humidity, per cent: against the temperature.
    pub fn humidity_percent(&self, t: SimTime) -> f64 {
        let percent = 58.0 + self.offset_percent - 14.0 * self.day_wave(t, 15.5)
            + self.noise(
                Noise::Humidity,
                t,
                &[(9_000.0, 4.0), (700.0, 1.4), (50.0, 0.8), (6.0, 0.8), (1.5, 0.25)],
            );
        percent.clamp(3.0, 99.0)
    }

    /// Air pressure, pascal: the weather over days, and the tide of the atmosphere twice a day.
    pub fn pressure_pa(&self, t: SimTime) -> f64 {
        let tide = 60.0 * (TAU * 2.0 * (self.hour(t) - 10.0) / 24.0).cos();
        100_900.0
            + self.offset_pa
            + tide
            + self.noise(
                Noise::Pressure,
                t,
                &[(172_800.0, 700.0), (21_600.0, 90.0), (300.0, 8.0), (20.0, 5.0), (4.0, 4.0), (1.5, 2.0)],
            )
    }

    /// Light, lux: the Sun behind clouds by day, a lamp by night.
    pub fn light_lux(&self, t: SimTime) -> f64 {
        let sun = (TAU * (self.hour(t) - 6.0) / 24.0).sin().max(0.0).powf(1.2);
        let cloud =
            self.noise(Noise::Cloud, t, &[(2_400.0, 0.28), (240.0, 0.15), (12.0, 0.05), (3.0, 0.015)]);
        let lamp = 14.0 + self.noise(Noise::Lamp, t, &[(900.0, 0.8), (5.0, 0.5)]);
        lamp + 42_000.0 * sun * (0.62 + cloud).clamp(0.1, 1.0)
    }

    /// Moisture of the soil as a capacitive probe counts it, 200 (dry) to 2000 (wet): it dries, and is watered again.
    pub fn soil_moisture_raw(&self, t: SimTime) -> f64 {
        /// From dry to wet again takes this long.
        const SOAK_S: f64 = 900.0;
        let since_s = (seconds(t) - self.watering_lag_s).rem_euclid(WATERING_S);
        let dried = |age_s: f64| 430.0 + 520.0 * (-1.4 * age_s / WATERING_S).exp();
        let soil = if since_s < SOAK_S {
            let part = smooth(since_s / SOAK_S);
            dried(WATERING_S) * (1.0 - part) + dried(SOAK_S) * part
        } else {
            dried(since_s)
        };
        let raw = soil + self.offset_raw - 9.0 * self.day_wave(t, 15.0)
            + self.noise(Noise::Soil, t, &[(3_600.0, 6.0), (60.0, 3.0), (5.0, 4.0), (1.5, 1.5)]);
        raw.clamp(200.0, 2_000.0)
    }

    /// Temperature of the soil, degrees Celsius: the air's, damped and hours late.
    pub fn soil_temperature_cel(&self, t: SimTime) -> f64 {
        17.0 + 0.8 * self.offset_cel
            + 2.0 * self.day_wave(t, 19.0)
            + self.noise(
                Noise::SoilTemperature,
                t,
                &[(14_400.0, 0.3), (120.0, 0.06), (5.0, 0.08), (1.5, 0.03)],
            )
    }

    /// Wind, metres per second: more in the afternoon, and in gusts.
    pub fn wind_m_per_s(&self, t: SimTime) -> f64 {
        let mean = 3.8
            + 1.4 * self.day_wave(t, 16.0)
            + self.noise(Noise::Wind, t, &[(10_800.0, 1.6), (1_200.0, 0.8)]);
        let gust = 1.0 + self.noise(Noise::Gust, t, &[(90.0, 0.25), (11.0, 0.25), (2.5, 0.15)]);
        (mean.max(0.4) * gust).max(0.0)
    }

    /// 1 at `peak_hour`, -1 half a day from it.
    fn day_wave(&self, t: SimTime, peak_hour: f64) -> f64 {
        (TAU * (self.hour(t) - peak_hour) / 24.0).cos()
    }

    /// The hour of this place's day, 0 to 24.
    fn hour(&self, t: SimTime) -> f64 {
        (seconds(t) - self.phase_s).rem_euclid(SECONDS_PER_DAY) / SECONDS_PER_HOUR
    }

    /// The sum of smooth noises, each given by its correlation in seconds and its amplitude.
    fn noise(&self, source: Noise, t: SimTime, terms: &[(f64, f64)]) -> f64 {
        let term = |(octave, &(period_s, amplitude)): (u64, &(f64, f64))| {
            let seed = if period_s >= WEATHER_S { VALLEY } else { self.seed };
            let position = seconds(t) / period_s;
            let step = position.floor();
            let part = smooth(position - step);
            let corner = |at: f64| signed_hash(seed, source, octave, at.to_bits());
            amplitude * (corner(step) * (1.0 - part) + corner(step + 1.0) * part)
        };
        (0..).zip(terms).map(term).sum()
    }
}

/// Seconds since the Unix epoch; microseconds of any year that matters fit a float's 53 bits.
#[expect(clippy::cast_precision_loss, reason = "a float holds microseconds exactly until the year 2255")]
fn seconds(t: SimTime) -> f64 {
    t.micros() as f64 / 1e6
}

/// From 0 to 1 without a corner at either end.
fn smooth(part: f64) -> f64 {
    part * part * (3.0 - 2.0 * part)
}

/// A number from -1 to 1 that belongs to (seed, source, octave, step): SplitMix64's finaliser (Steele, Lea and Flood,
/// "Fast splittable pseudorandom number generators", 2014) over the four.
fn signed_hash(seed: u64, source: Noise, octave: u64, step: u64) -> f64 {
    let mut mixed = seed;
    for word in [source as u64, octave, step] {
        mixed = mixed.wrapping_add(word).wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
    }
    let high = u32::try_from(mixed >> 32).unwrap_or(u32::MAX);
    f64::from(high) / f64::from(u32::MAX) * 2.0 - 1.0
}

#[cfg(test)]
mod tests;
