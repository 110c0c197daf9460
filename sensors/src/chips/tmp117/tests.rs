use super::*;
use crate::sim::tmp117::Tmp117Twin;
use crate::sim::{SimTime, Twin};
use crate::testkit::{self, Bench, ScriptedBus};

#[test]
fn vectors_come_out() {
    // SNOSD82D table 7-1, and both ends of the range.
    let vectors = [
        (0x4B00, 150.0),
        (0x3200, 100.0),
        (0x0C80, 25.0),
        (0x0080, 1.0),
        (0x0010, 0.125),
        (0x0001, 0.007_812_5),
        (0x0000, 0.0),
        (0xFFFF, -0.007_812_5),
        (0xFFF0, -0.125),
        (0xF380, -25.0),
        (0xE480, -55.0),
    ];
    for (raw, celsius) in vectors {
        assert_eq!(convert(raw), Ok(celsius), "{raw:#06x}");
    }
}

#[test]
fn the_reset_value_is_not_a_temperature() {
    assert_eq!(convert(0x8000), Err(Fault::NotReady));
}

#[test]
fn impossible_words_are_out_of_range() {
    for raw in [0x7FFF, 0x4B01, 0xE47F, 0x8001] {
        assert_eq!(convert(raw), Err(Fault::Range), "{raw:#06x}");
    }
}

fn chip() -> Tmp117 {
    Tmp117::new(0x48)
}

fn twin() -> Box<dyn Twin> {
    Box::new(Tmp117Twin::new())
}

/// A script of a first measurement, up to its reading.
fn first() -> ScriptedBus {
    let identified = ScriptedBus::new(0x48).write(&[0x0F]).read(&[0x01, 0x17]);
    identified.write(&[0x01, 0x0C, 0x20]).write(&[0x01]).read(&[0x2C, 0x20])
}

#[test]
fn the_first_measurement_identifies_and_the_next_only_measures() {
    let mut chip = chip();
    let bus = first().write(&[0x01]).read(&[0x24, 0x20]).write(&[0x00]).read(&[0x0C, 0x80]);
    assert_eq!(bus.measure(&mut chip), [Ok(25.0)]);
    let next = ScriptedBus::new(0x48).write(&[0x01, 0x0C, 0x20]).write(&[0x01]).read(&[0x24, 0x20]);
    assert_eq!(next.write(&[0x00]).read(&[0xF3, 0x80]).measure(&mut chip), [Ok(-25.0)]);
}

#[test]
fn a_later_revision_is_taken() {
    let bus = ScriptedBus::new(0x48).write(&[0x0F]).read(&[0x21, 0x17]).write(&[0x01, 0x0C, 0x20]);
    let bus = bus.write(&[0x01]).read(&[0x0C, 0x20]).write(&[0x01]).read(&[0x24, 0x20]);
    assert_eq!(bus.write(&[0x00]).read(&[0x0C, 0x80]).measure(&mut chip()), [Ok(25.0)]);
}

#[test]
fn another_chip_is_absence_and_nothing_is_written_to_it() {
    for id in [[0x00, 0x75], [0x01, 0x16], [0x00, 0x00], [0xFF, 0xFF]] {
        let bus = ScriptedBus::new(0x48).write(&[0x0F]).read(&id);
        assert_eq!(bus.measure(&mut chip()), [Err(Fault::Absent)]);
    }
}

#[test]
fn a_flag_that_never_comes_ends_in_not_ready_and_it_begins_anew() {
    let mut chip = chip();
    let bus = (0..=MORE_TIMES_MAX).fold(first(), |bus, _| bus.write(&[0x01]).read(&[0x0C, 0x20]));
    assert_eq!(bus.measure(&mut chip), [Err(Fault::NotReady)]);
    let bus = first().write(&[0x01]).read(&[0x24, 0x20]).write(&[0x00]).read(&[0x80, 0x00]);
    assert_eq!(bus.measure(&mut chip), [Err(Fault::NotReady)]);
    let bus = first().write(&[0x01]).read(&[0x24, 0x20]).write(&[0x00]).read(&[0x0C, 0x80]);
    assert_eq!(bus.measure(&mut chip), [Ok(25.0)]);
}

#[test]
fn every_measurement_is_given_more_time_anew() {
    let mut chip = chip();
    for start in [first(), ScriptedBus::new(0x48).write(&[0x01, 0x0C, 0x20])] {
        let bus = (0..MORE_TIMES_MAX).fold(start, |bus, _| bus.write(&[0x01]).read(&[0x0C, 0x20]));
        let bus = bus.write(&[0x01]).read(&[0x24, 0x20]).write(&[0x00]).read(&[0x0C, 0x80]);
        assert_eq!(bus.measure(&mut chip), [Ok(25.0)]);
    }
}

#[test]
fn agrees_with_the_world_through_its_twin() {
    let (mut chip, mut bench) = (chip(), Bench::new(twin()));
    for _ in 0..50 {
        bench.pass(Duration::from_secs(600));
        let celsius = bench.measure(&mut chip)[0].unwrap();
        let measured = SimTime::from_micros(bench.now().micros() - 16_000);
        let world = bench.world().temperature_cel(measured);
        assert!((celsius - world).abs() < 0.004, "{celsius} for {world}");
    }
}

#[test]
fn survives_what_a_bus_does() {
    testkit::survives_everything(chip, twin);
    testkit::begins_anew_after_every_loss(chip, twin);
    testkit::does_not_read_too_early(chip, twin);
}

#[test]
fn the_probe_wants_the_id() {
    assert_eq!(probe(&mut Bench::new(twin()), 0x48), Ok(true));
    assert_eq!(probe(&mut ScriptedBus::new(0x48).write(&[0x0F]).read(&[0x85, 0x83]), 0x48), Ok(false));
}

#[test]
fn every_word_is_a_temperature_within_range_or_err() {
    for raw in 0..=u16::MAX {
        let value = convert(raw);
        assert!(
            value.is_ok_and(|celsius| RANGE_CEL.contains(&celsius))
                || matches!(value, Err(Fault::Range | Fault::NotReady)),
            "{raw:#06x}"
        );
    }
}
