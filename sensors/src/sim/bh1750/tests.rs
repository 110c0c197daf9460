use super::*;
use crate::sim::World;

/// Noon, so that there is light to measure.
const NOON_MILLIS: i64 = 12 * 3_600_000;

struct Rig {
    world: World,
    twin: Bh1750Twin,
}

impl Rig {
    fn new() -> Self {
        Self { world: World::new(1), twin: Bh1750Twin::new() }
    }

    fn now(millis: i64) -> SimTime {
        SimTime::from_micros((NOON_MILLIS + millis) * 1_000)
    }

    fn command(&mut self, millis: i64, command: u8) {
        self.twin.write(&[command], &Moment { now: Self::now(millis), world: &self.world }).unwrap();
    }

    fn data(&mut self, millis: i64) -> u16 {
        let mut bytes = [0; 2];
        self.twin.read(&mut bytes, &Moment { now: Self::now(millis), world: &self.world }).unwrap();
        u16::from_be_bytes(bytes)
    }

    fn lux(&self, millis: i64) -> f64 {
        self.world.light_lux(Self::now(millis))
    }
}

#[test]
fn a_one_time_measurement_takes_its_time_and_ends_in_power_down() {
    let mut rig = Rig::new();
    rig.command(0, 0x01);
    rig.command(0, 0x20);
    assert_eq!(rig.data(119), 0, "too early: the register as it was");
    let counts = f64::from(rig.data(120));
    assert!((counts - rig.lux(120) * 1.2).abs() <= 0.5, "{counts} for {} lx", rig.lux(120));
    assert_eq!(rig.twin.state, State::PowerDown);
    let kept = rig.data(60_000);
    assert_eq!(f64::from(kept), counts, "nothing measures any more");
    rig.command(60_000, 0x20);
    assert_eq!(rig.data(61_000), kept, "in power-down a measurement is not begun");
}

#[test]
fn continuous_measurement_goes_on() {
    let mut rig = Rig::new();
    rig.command(0, 0x01);
    rig.command(0, 0x10);
    let first = rig.data(120);
    let last = f64::from(rig.data(3_600_000));
    assert_ne!(f64::from(first), last);
    assert!((last - rig.lux(3_600_000) * 1.2).abs() <= 0.5);
}

#[test]
fn the_measurement_time_scales_counts_and_duration() {
    let mut rig = Rig::new();
    // 138, twice the default.
    for command in [0x44, 0x6A, 0x01, 0x20] {
        rig.command(0, command);
    }
    assert_eq!(rig.twin.measurement_time, 138);
    assert_eq!(rig.data(239), 0);
    let counts = f64::from(rig.data(240));
    assert!((counts - rig.lux(240) * 2.4).abs() <= 0.5 || counts == 65_535.0, "{counts}");
    rig.command(240, 0x40);
    rig.command(240, 0x60);
    assert_eq!(rig.twin.measurement_time, 31, "less is not taken");
}

#[test]
fn resolutions_count_alike() {
    let twin = Bh1750Twin::new();
    assert_eq!(twin.encode(1_000.0, Resolution::High), 1_200);
    assert_eq!(twin.encode(1_000.0, Resolution::High2), 2_400);
    assert_eq!(twin.encode(1_001.0, Resolution::Low), 1_200);
    assert_eq!(twin.encode(1e6, Resolution::High), 0xFFFF, "saturated");
    assert_eq!(twin.encode(1e6, Resolution::Low), 0xFFFC, "saturated");
}

#[test]
fn reset_clears_the_data_unless_powered_down() {
    let mut rig = Rig::new();
    rig.command(0, 0x01);
    rig.command(0, 0x20);
    assert_ne!(rig.data(120), 0);
    rig.command(120, 0x07);
    assert_ne!(rig.data(120), 0, "not taken in power-down");
    rig.command(120, 0x01);
    rig.command(120, 0x07);
    assert_eq!(rig.data(120), 0);
}

#[test]
fn what_is_no_command_is_refused() {
    let world = World::new(1);
    let at = Moment { now: SimTime::from_micros(0), world: &world };
    let mut twin = Bh1750Twin::new();
    assert_eq!(twin.write(&[], &at), Ok(()), "the address alone");
    for bytes in [&[0x01, 0x20][..], &[0x02], &[0x12], &[0x22], &[0x48], &[0x80], &[0xFF]] {
        assert_eq!(twin.write(bytes, &at), Err(TwinError::Nack), "{bytes:02x?}");
    }
}
