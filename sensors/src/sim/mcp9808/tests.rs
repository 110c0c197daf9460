use super::*;
use crate::sim::World;

struct Rig {
    world: World,
    twin: Mcp9808Twin,
}

impl Rig {
    fn new() -> Self {
        Self { world: World::new(1), twin: Mcp9808Twin::new() }
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
    let registers: Vec<u16> = (0..=8).map(|pointer| rig.register(0, pointer)).collect();
    // Not below, not above, but at the critical limit of 0 Cel.
    assert_eq!(registers, [0, 0, 0, 0, 0, 0x8000, 0x0054, 0x0400, 0x03FF]);
}

#[test]
fn the_temperature_is_zero_until_the_first_conversion_ends_and_then_bears_flags() {
    let mut rig = Rig::new();
    assert_eq!(rig.register(1_000, AMBIENT) & TEMPERATURE_MASK, 0);
    assert_eq!(rig.register(1_249, AMBIENT) & TEMPERATURE_MASK, 0);
    let word = rig.register(1_250, AMBIENT);
    assert_ne!(word & TEMPERATURE_MASK, 0);
    assert_eq!(word & !TEMPERATURE_MASK, 0xC000, "above both limits of 0 Cel");
}

#[test]
fn flags_follow_the_limits() {
    let mut twin = Mcp9808Twin::new();
    // -10, 40 and 60 Cel.
    (twin.lower, twin.upper, twin.critical) = (0x1F60, 0x0280, 0x03C0);
    for (sixteenths, word) in
        [(-161, 0x3F5F), (-160, 0x1F60), (640, 0x0280), (641, 0x4281), (959, 0x43BF), (960, 0xC3C0)]
    {
        twin.sixteenths = sixteenths;
        assert_eq!(twin.ambient(), word, "{sixteenths}/16 Cel");
    }
}

#[test]
fn a_coarser_resolution_is_faster() {
    let mut rig = Rig::new();
    rig.write(0, &[RESOLUTION, 0x00]).unwrap();
    assert_eq!(rig.register(29, AMBIENT) & TEMPERATURE_MASK, 0);
    let word = rig.register(30, AMBIENT) & TEMPERATURE_MASK;
    assert!(word != 0 && word.is_multiple_of(8), "{word:#06x} is in steps of 0.5 Cel");
}

#[test]
fn shutdown_keeps_the_last_value() {
    let mut rig = Rig::new();
    rig.register(0, AMBIENT);
    let before = rig.register(250, AMBIENT);
    rig.write(250, &[CONFIGURATION, 0x01, 0x00]).unwrap();
    assert_eq!(rig.register(12 * 3_600_000, AMBIENT), before);
}

#[test]
fn what_cannot_be_written_is_refused() {
    let mut rig = Rig::new();
    assert_eq!(rig.write(0, &[]), Ok(()), "the address alone");
    for bytes in [&[AMBIENT, 0, 0][..], &[DEVICE_ID, 0, 0], &[CONFIGURATION, 0], &[RESOLUTION, 0, 0], &[0x09]]
    {
        assert_eq!(rig.write(0, bytes), Err(TwinError::Nack), "{bytes:02x?}");
    }
    rig.write(0, &[UPPER, 0xFF, 0xFF]).unwrap();
    assert_eq!(rig.register(0, UPPER), LIMIT_MASK);
}
