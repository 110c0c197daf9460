//! From physical values to a BME280's raw words: the twin's way back through the compensation.
//!
//! Forward it goes by Bosch's integer formulas (BST-BME280-DS002 section 4.2.3), where the driver computes in double
//! precision (appendix 8.1): each checks the other. Backward it goes by bisection, for each formula is monotonic.

/// `dig_T1..3`, `dig_P1..9`: the example of BST-BMP280-DS001 section 3.12.
pub(super) const T: [i64; 3] = [27504, 26435, -1000];
pub(super) const P: [i64; 9] = [36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000];
/// `dig_H1..6`: of the size that real parts have.
pub(super) const H: [i64; 6] = [75, 362, 0, 313, 50, 30];

/// The raw temperature word (20 bits) for `celsius`.
pub(super) fn temperature_word(celsius: f64) -> u32 {
    first_word(20, |raw| fine_temperature(raw) as f64 >= celsius * 5120.0)
}

/// The raw pressure word (20 bits) for `pascal` at the temperature of `temperature_word`.
pub(super) fn pressure_word(pascal: f64, temperature_word: u32) -> u32 {
    let fine = fine_temperature(i64::from(temperature_word));
    // More pressure, smaller word.
    first_word(20, |raw| pressure_256ths(raw, fine) as f64 <= pascal * 256.0)
}

/// The raw humidity word (16 bits) for `percent` at the temperature of `temperature_word`.
pub(super) fn humidity_word(percent: f64, temperature_word: u32) -> u16 {
    let fine = fine_temperature(i64::from(temperature_word));
    let word = first_word(16, |raw| humidity_1024ths(raw, fine) as f64 >= percent * 1024.0);
    u16::try_from(word).unwrap_or(u16::MAX)
}

/// The smallest word of `bits` bits at which `reached` holds, which holds at every greater one too; else the last word.
fn first_word(bits: u32, reached: impl Fn(i64) -> bool) -> u32 {
    let (mut low, mut high) = (0_u32, (1 << bits) - 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if reached(i64::from(middle)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// 1/5120 Cel.
fn fine_temperature(raw: i64) -> i64 {
    let [t1, t2, t3] = T;
    let linear = (((raw >> 3) - (t1 << 1)) * t2) >> 11;
    let distance = (raw >> 4) - t1;
    linear + ((((distance * distance) >> 12) * t3) >> 14)
}

/// 1/256 Pa; zero where the formula would divide by zero.
fn pressure_256ths(raw: i64, fine: i64) -> i64 {
    let [p1, p2, p3, p4, p5, p6, p7, p8, p9] = P;
    let warmth = fine - 128_000;
    let offset = warmth * warmth * p6 + ((warmth * p5) << 17) + (p4 << 35);
    let slope = ((warmth * warmth * p3) >> 8) + ((warmth * p2) << 12);
    let sensitivity = (((1 << 47) + slope) * p1) >> 33;
    if sensitivity == 0 {
        return 0;
    }
    let linear = ((((1_048_576 - raw) << 31) - offset) * 3125) / sensitivity;
    let square = (p9 * (linear >> 13) * (linear >> 13)) >> 25;
    ((linear + square + ((p8 * linear) >> 19)) >> 8) + (p7 << 4)
}

/// 1/1024 %RH.
fn humidity_1024ths(raw: i64, fine: i64) -> i64 {
    let [h1, h2, h3, h4, h5, h6] = H;
    let warmth = fine - 76_800;
    let signal = ((raw << 14) - (h4 << 20) - h5 * warmth + 16_384) >> 15;
    let bend = (((warmth * h6) >> 10) * (((warmth * h3) >> 11) + 32_768)) >> 10;
    let linear = signal * (((bend + 2_097_152) * h2 + 8_192) >> 14);
    let held = linear - (((((linear >> 15) * (linear >> 15)) >> 7) * h1) >> 4);
    held.clamp(0, 419_430_400) >> 12
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_datasheet_example_comes_out() {
        let fine = fine_temperature(519_888);
        assert_eq!(fine, 128_422);
        // 100653.27 Pa in the sheet.
        let pascal = pressure_256ths(415_148, fine) as f64 / 256.0;
        assert!((pascal - 100_653.27).abs() < 0.02, "{pascal}");
    }

    #[test]
    fn words_lead_back_to_their_values() {
        for celsius in [-40.0, -12.5, 0.0, 21.3, 84.9] {
            let t = temperature_word(celsius);
            assert!((fine_temperature(i64::from(t)) as f64 / 5120.0 - celsius).abs() < 0.003, "{celsius}");
            for pascal in [30_100.0, 65_000.0, 101_325.0, 109_900.0] {
                let word = pressure_word(pascal, t);
                let back = pressure_256ths(i64::from(word), fine_temperature(i64::from(t))) as f64 / 256.0;
                assert!((back - pascal).abs() < 0.3, "{pascal} Pa at {celsius} Cel came back as {back}");
            }
            for percent in [1.0, 40.0, 99.0] {
                let word = humidity_word(percent, t);
                let back = humidity_1024ths(i64::from(word), fine_temperature(i64::from(t))) as f64 / 1024.0;
                assert!((back - percent).abs() < 0.02, "{percent} %RH at {celsius} Cel came back as {back}");
            }
        }
    }

    #[test]
    fn what_cannot_be_reached_is_the_last_word() {
        assert_eq!(temperature_word(1e9), 0xFFFFF);
        assert_eq!(temperature_word(-1e9), 0);
        assert_eq!(humidity_word(1e9, 519_888), 0xFFFF);
    }
}
