use super::*;
use crate::sim::World;

struct Rig {
    world: World,
    twin: Tmp117Twin,
}

impl Rig {
    fn new() -> Self {
        Self { world: World::new(1), twin: Tmp117Twin::new() }
    }

    fn write(&mut self, millis: i64, bytes: &[u8]) -> Result<(), TwinError> {
        self.twin.write(bytes, &Moment { now: SimTime::from_micros(millis * 1_000), world: &self.world })
    }

    fn register(&mut self, millis: i64, pointer: u8) -> u16 {
        self.write(millis, &[pointer]).unwrap();
        let mut bytes = [0; 2];
        let at = Moment { now: SimTime::from_micros(millis * 1_000), world: &self.world };
        self.twin.read(&mut bytes, &at).unwrap();
        u16::from_be_bytes(bytes)
    }
}

#[test]
fn registers_are_as_after_power_on() {
    let mut rig = Rig::new();
    let registers: Vec<u16> = (0..=3).map(|pointer| rig.register(0, pointer)).collect();
    assert_eq!(registers, [0x8000, 0x0220, 0x6000, 0x8000]);
    assert_eq!(rig.register(0, DEVICE_ID), 0x0117);
}

#[test]
fn a_one_shot_ends_in_shutdown_with_its_flag_and_reading_clears_that() {
    let mut rig = Rig::new();
    rig.write(0, &[CONFIGURATION, 0x0C, 0x20]).unwrap();
    assert_eq!(rig.register(123, CONFIGURATION), 0x0C20);
    assert_eq!(rig.register(123, TEMPERATURE), 0x8000, "too early");
    assert_eq!(rig.register(124, CONFIGURATION), 0x2420);
    assert_eq!(rig.register(124, CONFIGURATION), 0x0420, "read once, cleared");
    let word = rig.register(124, TEMPERATURE);
    let world = rig.world.temperature_cel(SimTime::from_micros(124_000));
    assert!((f64::from(word.cast_signed()) / 128.0 - world).abs() <= 0.004);
    assert_eq!(rig.register(12 * 3_600_000, TEMPERATURE), word, "nothing converts any more");
}

#[test]
fn after_power_on_it_converts_once_a_second() {
    let mut rig = Rig::new();
    rig.register(0, TEMPERATURE);
    let ready = |rig: &mut Rig, millis| rig.register(millis, CONFIGURATION) & DATA_READY != 0;
    let at: Vec<i64> = (0..3_000).filter(|millis| ready(&mut rig, *millis)).collect();
    assert_eq!(at, [124, 1_124, 2_124]);
    rig.register(3_124, TEMPERATURE);
    assert!(!ready(&mut rig, 3_124), "reading the temperature clears the flag too");
}

#[test]
fn averaging_and_cycle_give_the_times() {
    let times = |configuration| {
        let mut twin = Tmp117Twin::new();
        twin.configuration = configuration;
        twin.conversion_times()
    };
    let millis = |conversion, cycle| (Duration::from_micros(conversion), Duration::from_micros(cycle));
    assert_eq!(times(0x0000), millis(15_500, 15_500));
    assert_eq!(times(0x0060), millis(992_000, 992_000));
    assert_eq!(times(0x03C0), millis(496_000, 16_000_000));
}

#[test]
fn shutdown_converts_nothing_and_a_soft_reset_forgets() {
    let mut rig = Rig::new();
    rig.write(0, &[CONFIGURATION, 0x04, 0x20]).unwrap();
    assert_eq!(rig.register(60_000, TEMPERATURE), 0x8000);
    rig.write(60_000, &[HIGH_LIMIT, 0x12, 0x34]).unwrap();
    rig.write(60_000, &[CONFIGURATION, 0x04, 0x22]).unwrap();
    assert_eq!(rig.register(60_000, CONFIGURATION), 0x0220);
    assert_eq!(rig.register(60_000, HIGH_LIMIT), 0x6000);
}

#[test]
fn temperatures_are_twos_complement_and_never_the_reset_value() {
    for (celsius, word) in [
        (25.0, 0x0C80),
        (0.0, 0x0000),
        (-0.007_812_5, 0xFFFF),
        (-25.0, 0xF380),
        (-1e9, 0x8001),
        (1e9, 0x7FFF),
    ] {
        assert_eq!(encode(celsius), word, "{celsius}");
    }
}

#[test]
fn what_cannot_be_written_is_refused() {
    let mut rig = Rig::new();
    assert_eq!(rig.write(0, &[]), Ok(()), "the address alone");
    for bytes in [&[TEMPERATURE, 0, 0][..], &[DEVICE_ID, 0, 0], &[CONFIGURATION, 0], &[0x09], &[0x10]] {
        assert_eq!(rig.write(0, bytes), Err(TwinError::Nack), "{bytes:02x?}");
    }
}
