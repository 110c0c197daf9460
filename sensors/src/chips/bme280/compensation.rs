//! From a BME280's or BMP280's raw words to physical values, by the constants that Bosch burned into each chip.
//!
//! Source: Bosch BST-BME280-DS002, section 4.2.2 (where the constants lie) and appendix 8.1 (the formulas in double
//! precision, which Bosch calls the most accurate; a Pi has a floating point unit). The steps bear Bosch's meaning, not
//! Bosch's names: the sheet calls most of them `var1` and `var2`.

/// Registers 0x88..=0x9F: twelve words, low byte first.
pub(super) type ClimateBytes = [[u8; 2]; 12];
/// Registers 0xE1..=0xE7.
pub(super) type HumidityBytes = [u8; 7];

/// The constants for temperature and pressure: `dig_T1..3` and `dig_P1..9`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Climate {
    t: [f64; 3],
    p: [f64; 9],
}

/// The constants for humidity: `dig_H1..6`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Humidity {
    h: [f64; 6],
}

/// Temperature at the resolution that the other two formulas need: Bosch's `t_fine`, 1/5120 Cel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FineTemperature(f64);

impl FineTemperature {
    pub(super) fn celsius(self) -> f64 {
        self.0 / 5120.0
    }
}

impl Climate {
    /// None when the words are what an unprogrammed or unreadable memory gives: nothing could be computed by them.
    pub(super) fn parse(bytes: ClimateBytes) -> Option<Self> {
        let words = bytes.map(u16::from_le_bytes);
        let [t1, t2, t3, p1, p2, p3, p4, p5, p6, p7, p8, p9] = words;
        if [t1, p1].contains(&0) || [t1, p1].contains(&u16::MAX) {
            return None;
        }
        let signed = |word: u16| f64::from(word.cast_signed());
        let t = [f64::from(t1), signed(t2), signed(t3)];
        let p = [f64::from(p1), signed(p2), signed(p3), signed(p4), signed(p5)];
        let [p1, p2, p3, p4, p5] = p;
        Some(Self { t, p: [p1, p2, p3, p4, p5, signed(p6), signed(p7), signed(p8), signed(p9)] })
    }

    /// `raw` has 20 bits.
    pub(super) fn temperature(&self, raw: u32) -> FineTemperature {
        let [t1, t2, t3] = self.t;
        let raw = f64::from(raw);
        let linear = (raw / 16384.0 - t1 / 1024.0) * t2;
        let square = (raw / 131_072.0 - t1 / 8192.0).powi(2) * t3;
        FineTemperature(linear + square)
    }

    /// In Pa; `raw` has 20 bits. Not finite when the constants divide by zero at this temperature.
    pub(super) fn pressure(&self, raw: u32, fine: FineTemperature) -> f64 {
        let [p1, p2, p3, p4, p5, p6, p7, p8, p9] = self.p;
        let warmth = fine.0 / 2.0 - 64_000.0;
        let offset = warmth.powi(2) * p6 / 32768.0 + warmth * p5 * 2.0;
        let offset = offset / 4.0 + p4 * 65536.0;
        let sensitivity = (p3 * warmth.powi(2) / 524_288.0 + p2 * warmth) / 524_288.0;
        let sensitivity = (1.0 + sensitivity / 32768.0) * p1;
        let linear = (1_048_576.0 - f64::from(raw) - offset / 4096.0) * 6250.0 / sensitivity;
        let bend = p9 * linear.powi(2) / 2_147_483_648.0 + linear * p8 / 32768.0 + p7;
        linear + bend / 16.0
    }
}

impl Humidity {
    /// `h1` is register 0xA1. `dig_H4` and `dig_H5` are signed twelve-bit numbers that share register 0xE5.
    pub(super) fn parse(h1: u8, bytes: HumidityBytes) -> Self {
        let [h2_low, h2_high, h3, h4_high, shared, h5_high, h6] = bytes;
        let twelve_bits = |high: u8, low: u8| f64::from(high.cast_signed()) * 16.0 + f64::from(low);
        let h2 = f64::from(i16::from_le_bytes([h2_low, h2_high]));
        let h4 = twelve_bits(h4_high, shared & 0x0F);
        let h5 = twelve_bits(h5_high, shared >> 4);
        Self { h: [f64::from(h1), h2, f64::from(h3), h4, h5, f64::from(h6.cast_signed())] }
    }

    /// In %RH, held to 0..100 as Bosch's formula does: condensation on the chip reads more than 100.
    pub(super) fn humidity(&self, raw: u16, fine: FineTemperature) -> f64 {
        let [h1, h2, h3, h4, h5, h6] = self.h;
        let warmth = fine.0 - 76_800.0;
        let slope = 1.0 + h6 / 67_108_864.0 * warmth * (1.0 + h3 / 67_108_864.0 * warmth);
        let linear = (f64::from(raw) - (h4 * 64.0 + h5 / 16384.0 * warmth)) * h2 / 65536.0 * slope;
        (linear * (1.0 - h1 * linear / 524_288.0)).clamp(0.0, 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of BST-BMP280-DS001, section 3.12.
    const EXAMPLE: [i32; 12] = [27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000];

    fn example() -> Climate {
        let bytes = EXAMPLE.map(|value| {
            let [low, high, ..] = value.to_le_bytes();
            [low, high]
        });
        Climate::parse(bytes).expect("the example's constants")
    }

    #[test]
    fn the_datasheet_example_comes_out() {
        let fine = example().temperature(519_888);
        assert!((fine.celsius() - 25.0825).abs() < 0.0001, "{}", fine.celsius());
        assert!((fine.0 - 128_422.0).abs() < 1.0, "t_fine {}", fine.0);
        let pascal = example().pressure(415_148, fine);
        assert!((pascal - 100_653.27).abs() < 0.02, "{pascal}");
    }

    #[test]
    fn zero_and_negative_temperatures_come_out() {
        // By the sheet's linear term alone, 0 Cel lies at dig_T1 * 16.
        assert_eq!(example().temperature(27504 * 16).celsius(), 0.0);
        let cold = example().temperature(27504 * 16 - 128_000).celsius();
        assert!((cold - -40.523).abs() < 0.01, "{cold}");
    }

    #[test]
    fn an_empty_memory_is_refused() {
        assert_eq!(Climate::parse([[0; 2]; 12]), None);
        assert_eq!(Climate::parse([[0xFF; 2]; 12]), None);
    }

    #[test]
    fn twelve_bit_humidity_constants_keep_their_signs() {
        let parsed = Humidity::parse(75, [0x6A, 0x01, 0, 0x13, 0x29, 0x03, 0x1E]);
        assert_eq!(parsed.h, [75.0, 362.0, 0.0, 313.0, 50.0, 30.0]);
        let negative = Humidity::parse(0, [0xFF, 0xFF, 255, 0xFF, 0xFF, 0xFF, 0x80]);
        assert_eq!(negative.h, [0.0, -1.0, 255.0, -1.0, -1.0, -128.0]);
        let lowest = Humidity::parse(0, [0, 0x80, 0, 0x80, 0x00, 0x80, 0]);
        assert_eq!(lowest.h, [0.0, -32768.0, 0.0, -2048.0, -2048.0, 0.0]);
    }

    #[test]
    fn humidity_is_held_to_its_range() {
        let humidity = Humidity::parse(75, [0x6A, 0x01, 0, 0x13, 0x29, 0x03, 0x1E]);
        let fine = FineTemperature(128_422.0);
        assert_eq!(humidity.humidity(0, fine), 0.0);
        assert_eq!(humidity.humidity(u16::MAX, fine), 100.0);
    }
}
