use super::*;
use crate::sim::World;

fn moment(world: &World, micros: i64) -> Moment<'_> {
    Moment { now: SimTime::from_micros(micros), world }
}

fn read(twin: &mut Ads1x15Twin, register: u8, at: &Moment<'_>) -> u16 {
    let mut bytes = [0; 2];
    twin.write(&[register], at).unwrap();
    twin.read(&mut bytes, at).unwrap();
    u16::from_be_bytes(bytes)
}

#[test]
fn power_on_defaults_and_what_does_not_exist() {
    let world = World::new(1);
    let at = moment(&world, 0);
    let mut twin = Ads1x15Twin::new(Part::Ads1115, [Input::Volts; 4]);
    assert_eq!([0, 1, 2, 3].map(|register| read(&mut twin, register, &at)), [0, 0x8583, 0x8000, 0x7FFF]);
    assert_eq!(twin.write(&[4], &at), Err(TwinError::Nack));
    assert_eq!(twin.write(&[1, 0xC3], &at), Err(TwinError::Nack));
    twin.write(&[0, 0x12, 0x34], &at).unwrap();
    assert_eq!(read(&mut twin, 0, &at), 0, "for reading only");
    twin.write(&[2, 0x12, 0x34], &at).unwrap();
    assert_eq!(read(&mut twin, 2, &at), 0x1234);
}

#[test]
fn a_single_conversion_takes_its_time_and_keeps_the_old_result_meanwhile() {
    let world = World::new(1);
    for (part, micros) in [(Part::Ads1015, 625), (Part::Ads1115, 7_812)] {
        let mut twin = Ads1x15Twin::new(part, [Input::Anemometer; 4]);
        twin.write(&[1, 0xC3, 0x83], &moment(&world, 0)).unwrap();
        assert_eq!(read(&mut twin, 1, &moment(&world, micros - 1)), 0x4383, "busy");
        assert_eq!(read(&mut twin, 0, &moment(&world, micros - 1)), 0);
        assert_eq!(read(&mut twin, 1, &moment(&world, micros + 1)), 0xC383, "done");
        assert!(read(&mut twin, 0, &moment(&world, micros + 1)) > 3_000, "0.4 V at least");
        assert_eq!(part == Part::Ads1015, read(&mut twin, 0, &moment(&world, micros + 1)) & 0xF == 0);
    }
}

#[test]
fn continuous_conversions_differences_and_gains() {
    let world = World::new(1);
    let mut twin = Ads1x15Twin::new(Part::Ads1115, [Input::Volts; 4]);
    let mut raw = |config: u16, micros: i64| {
        let [high, low] = config.to_be_bytes();
        twin.write(&[1, high, low], &moment(&world, micros)).unwrap();
        read(&mut twin, 0, &moment(&world, micros + 20_000)).cast_signed()
    };
    let (single, doubled) = (raw(0x6283, 0), raw(0x6483, 1_000_000));
    assert!((i32::from(doubled) - 2 * i32::from(single)).abs() < 20, "{doubled} is twice {single}");
    assert_eq!(raw(0x6E83, 2_000_000), i16::MAX, "clipped");
    assert!(raw(0x3283, 3_000_000) < 0, "a thermometer's volts are less than a battery's");
}
