use super::*;
use crate::sim::World;

const MILLI: i64 = 1_000;

struct Rig {
    world: World,
    twin: Lm75Twin,
}

impl Rig {
    fn new(part: Part) -> Self {
        Self { world: World::new(1), twin: Lm75Twin::new(part) }
    }

    fn write(&mut self, millis: i64, bytes: &[u8]) -> Result<(), TwinError> {
        self.twin.write(bytes, &Moment { now: SimTime::from_micros(millis * MILLI), world: &self.world })
    }

    fn read<const N: usize>(&mut self, millis: i64) -> [u8; N] {
        let mut bytes = [0; N];
        let at = Moment { now: SimTime::from_micros(millis * MILLI), world: &self.world };
        self.twin.read(&mut bytes, &at).unwrap();
        bytes
    }
}

#[test]
fn registers_are_as_after_power_on() {
    for (part, configuration) in
        [(Part::Lm75, [0x00, 0xFF]), (Part::Tmp105, [0x00, 0xFF]), (Part::Tmp102, [0x60, 0xA0])]
    {
        let mut rig = Rig::new(part);
        assert_eq!(rig.read(0), [0x00, 0x00], "{part:?}: the pointer is at the temperature");
        for (pointer, bytes) in [(1, configuration), (2, [0x4B, 0x00]), (3, [0x50, 0x00])] {
            rig.write(0, &[pointer]).unwrap();
            assert_eq!(rig.read(0), bytes, "{part:?}, register {pointer}");
        }
        assert_eq!(rig.read(0), [0x50, 0x00, 0xFF], "{part:?}: reading on finds the bus released");
    }
}

#[test]
fn the_temperature_is_zero_until_the_first_conversion_ends() {
    for (part, millis) in [(Part::Lm75, 100), (Part::Tmp102, 26), (Part::Tmp105, 28)] {
        let mut rig = Rig::new(part);
        assert_eq!(rig.read(1_000), [0, 0]);
        assert_eq!(rig.read(1_000 + millis - 1), [0, 0], "{part:?}");
        assert_ne!(rig.read(1_000 + millis), [0, 0], "{part:?}");
    }
}

#[test]
fn temperatures_are_in_the_parts_format() {
    let encode = |part, configuration, celsius| {
        let mut twin = Lm75Twin::new(part);
        twin.configuration = configuration;
        twin.encode(celsius)
    };
    let vectors = [
        (Part::Lm75, [0, 0], -55.0, 0xC900),
        (Part::Lm75, [0, 0], 25.2, 0x1900),
        (Part::Lm75, [0, 0], 900.0, 0x7F80),
        (Part::Tmp102, [0x60, 0xA0], -0.25, 0xFFC0),
        (Part::Tmp102, [0x60, 0xA0], 150.0, 0x7FF0),
        (Part::Tmp102, [0x60, 0xB0], 150.0, 0x0960 << 3 | 1),
        (Part::Tmp102, [0x60, 0xB0], -55.0, 0x1C90 << 3 | 1),
        (Part::Tmp105, [0x60, 0], 25.4375, 0x1970),
        (Part::Tmp105, [0x40, 0], 25.4375, 0x1960),
        (Part::Tmp105, [0x20, 0], 25.4375, 0x1940),
        (Part::Tmp105, [0x00, 0], 25.4375, 0x1900),
        (Part::Tmp105, [0x00, 0], -25.4375, 0xE680),
    ];
    for (part, configuration, celsius, word) in vectors {
        assert_eq!(encode(part, configuration, celsius), word, "{part:?} {configuration:02x?} {celsius}");
    }
}

#[test]
fn shutdown_keeps_the_last_value() {
    let mut rig = Rig::new(Part::Lm75);
    rig.read::<2>(0);
    let before: [u8; 2] = rig.read(100);
    rig.write(100, &[0x01, 0x01]).unwrap();
    rig.write(100, &[0x00]).unwrap();
    let later: [u8; 2] = rig.read(12 * 3_600_000);
    assert_eq!(later, before);
    rig.write(12 * 3_600_000, &[0x01, 0x00]).unwrap();
    rig.write(12 * 3_600_000, &[0x00]).unwrap();
    assert_eq!(rig.read(12 * 3_600_000 + 99), before);
    assert_ne!(rig.read(12 * 3_600_000 + 100), before, "half a day later it is warmer");
}

#[test]
fn what_cannot_be_written_is_refused() {
    for part in [Part::Lm75, Part::Tmp105, Part::Tmp102] {
        let mut rig = Rig::new(part);
        assert_eq!(rig.write(0, &[]), Ok(()), "the address alone");
        assert_eq!(rig.write(0, &[0x00, 0x12, 0x34]), Err(TwinError::Nack), "{part:?}: temperature");
        assert_eq!(rig.write(0, &[0x01, 0, 0, 0]), Err(TwinError::Nack), "{part:?}: too long");
        assert_eq!(rig.write(0, &[0x02, 0x12]), Err(TwinError::Nack), "{part:?}: half a limit");
        rig.write(0, &[0x03, 0x12, 0x80]).unwrap();
        assert_eq!(rig.read(0), [0x12, 0x80]);
    }
}

#[test]
fn a_tmp102_keeps_its_resolution_and_its_rate_is_honoured() {
    let mut rig = Rig::new(Part::Tmp102);
    rig.write(0, &[0x01, 0x00, 0x2F]).unwrap();
    assert_eq!(rig.read(0), [0x60, 0x20]);
    rig.write(0, &[0x00]).unwrap();
    let first: [u8; 2] = rig.read(26);
    assert_ne!(first, [0, 0]);
    // One conversion in four seconds.
    let conversions = (26..20_026).step_by(10).map(|millis| rig.read::<2>(millis));
    let changes = conversions.fold((first, 0), |(last, n), now| (now, n + i32::from(now != last))).1;
    assert!(changes <= 5, "{changes} changes in 20 s");
}
