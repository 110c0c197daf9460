use super::*;
use crate::sim::World;

struct Rig {
    world: World,
    twin: Bme280Twin,
}

impl Rig {
    fn new(part: Part) -> Self {
        Self { world: World::new(1), twin: Bme280Twin::new(part) }
    }

    fn write(&mut self, micros: i64, bytes: &[u8]) -> Result<(), TwinError> {
        self.twin.write(bytes, &Moment { now: SimTime::from_micros(micros), world: &self.world })
    }

    fn read<const N: usize>(&mut self, micros: i64, register: u8) -> [u8; N] {
        self.write(micros, &[register]).unwrap();
        let mut bytes = [0; N];
        let at = Moment { now: SimTime::from_micros(micros), world: &self.world };
        self.twin.read(&mut bytes, &at).unwrap();
        bytes
    }
}

#[test]
fn registers_are_as_after_power_on() {
    let mut rig = Rig::new(Part::Bme280);
    assert_eq!(rig.read(0, 0xD0), [0x60]);
    assert_eq!(rig.read(0, CTRL_HUM), [0, 0, 0, 0, 0], "ctrl_hum, status, ctrl_meas, config and a gap");
    assert_eq!(rig.read(0, 0xF7), NO_DATA);
    assert_eq!(Rig::new(Part::Bmp280).read(0, 0xD0), [0x58]);
    assert_eq!(Rig::new(Part::Bmp280).read(0, 0xF7), [0x80, 0, 0, 0x80, 0, 0, 0, 0]);
}

#[test]
fn constants_lie_as_the_sheet_says() {
    let mut rig = Rig::new(Part::Bme280);
    let [t1_low, t1_high, .., t3_low, t3_high]: [u8; 6] = rig.read(0, 0x88);
    assert_eq!(
        (u16::from_le_bytes([t1_low, t1_high]), i16::from_le_bytes([t3_low, t3_high])),
        (27504, -1000)
    );
    let [p9_low, p9_high, _, h1]: [u8; 4] = rig.read(0, 0x9E);
    assert_eq!((i16::from_le_bytes([p9_low, p9_high]), h1), (6000, 75));
    // 362; 0; 313 and 50 share the byte 0x29; 30.
    assert_eq!(rig.read(0, 0xE1), [0x6A, 0x01, 0x00, 0x13, 0x29, 0x03, 0x1E]);
    assert_eq!(Rig::new(Part::Bmp280).read(0, 0xE1), [0; 7], "a BMP280 has none for humidity");
}

#[test]
fn a_forced_measurement_takes_its_time_and_ends_in_sleep() {
    let mut rig = Rig::new(Part::Bme280);
    rig.write(0, &[CTRL_HUM, 0x01, CTRL_MEAS, 0x25]).unwrap();
    // 1 + 2 + 2.5 + 2.5 ms.
    assert_eq!(rig.read(7_999, 0xF3), [0x08]);
    assert_eq!(rig.read(7_999, 0xF7), NO_DATA, "too early: the registers as they were");
    assert_eq!(rig.read(8_000, 0xF3), [0x00]);
    assert_eq!(rig.read(8_000, CTRL_MEAS), [0x24], "asleep");
    let data: [u8; 8] = rig.read(8_000, 0xF7);
    assert_ne!(data, NO_DATA);
    assert_eq!(rig.read(60_000_000, 0xF7), data, "nothing measures any more");
}

#[test]
fn ctrl_hum_waits_for_ctrl_meas() {
    let mut rig = Rig::new(Part::Bme280);
    rig.write(0, &[CTRL_MEAS, 0x25, CTRL_HUM, 0x01]).unwrap();
    let [.., high, low]: [u8; 8] = rig.read(100_000, 0xF7);
    assert_eq!([high, low], [0x80, 0x00], "skipped");
    rig.write(100_000, &[CTRL_MEAS, 0x25]).unwrap();
    let [.., high, low]: [u8; 8] = rig.read(200_000, 0xF7);
    assert_ne!([high, low], [0x80, 0x00]);
}

#[test]
fn what_is_not_sampled_is_skipped_and_samples_give_bits() {
    let mut rig = Rig::new(Part::Bmp280);
    rig.write(0, &[CTRL_MEAS, 0b0010_0001]).unwrap();
    let [p_high, p_middle, p_low, .., t_low, _, _]: [u8; 8] = rig.read(100_000, 0xF7);
    assert_eq!([p_high, p_middle, p_low], [0x80, 0, 0], "no pressure");
    assert_eq!(t_low, 0, "one sample: sixteen bits");
    let mut low_bits = 0;
    for second in 1..100 {
        rig.write(second * 1_000_000, &[CTRL_MEAS, 0b0010_1101]).unwrap();
        let [_, _, p_low, _, _, t_low, _, _]: [u8; 8] = rig.read(second * 1_000_000 + 100_000, 0xF7);
        low_bits |= p_low;
        assert_eq!(t_low, 0);
    }
    assert_eq!(low_bits, 0xC0, "four samples: eighteen bits");
}

#[test]
fn normal_mode_goes_on_and_config_waits_for_sleep() {
    let mut rig = Rig::new(Part::Bme280);
    rig.write(0, &[CONFIG, 0b1010_0000, CTRL_MEAS, 0b0010_0111]).unwrap();
    rig.write(0, &[CONFIG, 0x00]).unwrap();
    assert_eq!(rig.read(0, CONFIG), [0b1010_0000]);
    // 1 + 2 + 2.5 ms, and a pause of a second.
    assert_eq!(rig.read(5_400, 0xF3), [0x08]);
    assert_eq!(rig.read(5_600, 0xF3), [0x00]);
    let first: [u8; 6] = rig.read(5_600, 0xF7);
    assert_eq!(rig.read(1_005_400, 0xF7), first);
    assert_eq!(rig.read(1_006_000, 0xF3), [0x08], "the second one runs");
    assert_ne!(rig.read(3_600_000_000, 0xF7), first);
}

#[test]
fn a_soft_reset_forgets_and_copies_for_two_milliseconds() {
    let mut rig = Rig::new(Part::Bme280);
    rig.write(0, &[CTRL_MEAS, 0x25]).unwrap();
    rig.write(100_000, &[RESET, 0x12]).unwrap();
    assert_eq!(rig.read(100_000, CTRL_MEAS), [0x24], "not the word for it");
    rig.write(100_000, &[RESET, RESET_WORD]).unwrap();
    assert_eq!(rig.read(100_000, CTRL_HUM), [0x00, 0x01, 0x00, 0x00]);
    assert_eq!(rig.read(100_000, 0xF7), NO_DATA);
    assert_eq!(rig.read(102_000, 0xF3), [0x00]);
}

#[test]
fn a_register_without_its_value_is_refused() {
    let mut rig = Rig::new(Part::Bme280);
    assert_eq!(rig.write(0, &[]), Ok(()), "the address alone");
    assert_eq!(rig.write(0, &[CTRL_HUM, 0x01, CTRL_MEAS]), Err(TwinError::Nack));
    rig.write(0, &[0xD0, 0x12, 0xF7, 0x34]).unwrap();
    assert_eq!(rig.read(0, 0xD0), [0x60], "it can only be read");
}
