use super::*;
use crate::sim::Twin;
use crate::sim::mcp9808::Mcp9808Twin;
use crate::testkit::{self, Bench, ScriptedBus};

#[test]
fn vectors_come_out_whatever_the_flags() {
    // DS25095A register 5-4: sign in bit 12, 1/16 Cel in bits 11..0.
    let vectors = [
        (0x07D0, 125.0),
        (0x0194, 25.25),
        (0x0001, 0.0625),
        (0x0000, 0.0),
        (0x1FFF, -0.0625),
        (0x1E6C, -25.25),
        (0x1D80, -40.0),
    ];
    for (code, celsius) in vectors {
        for flags in 0..8 {
            let raw = flags << 13 | code;
            if raw != u16::MAX {
                assert_eq!(convert(raw), Ok(celsius), "{raw:#06x}");
            }
        }
    }
}

#[test]
fn impossible_words_are_out_of_range() {
    for raw in [0xFFFF, 0x07D1, 0x1D7F, 0x0FFF, 0x1000] {
        assert_eq!(convert(raw), Err(Fault::Range), "{raw:#06x}");
    }
}

fn chip() -> Mcp9808 {
    Mcp9808::new(0x18)
}

fn twin() -> Box<dyn Twin> {
    Box::new(Mcp9808Twin::new())
}

fn identified(manufacturer: [u8; 2], device: [u8; 2]) -> ScriptedBus {
    ScriptedBus::new(0x18).write(&[0x06]).read(&manufacturer).write(&[0x07]).read(&device)
}

/// A script of a first measurement, up to the reading of the temperature.
fn set_up() -> ScriptedBus {
    identified([0x00, 0x54], [0x04, 0x00]).write(&[0x01, 0x00, 0x00]).write(&[0x08, 0x03])
}

#[test]
fn the_first_measurement_identifies_and_the_next_only_reads() {
    let mut chip = chip();
    assert_eq!(set_up().write(&[0x05]).read(&[0xC1, 0x94]).measure(&mut chip), [Ok(25.25)]);
    let next = ScriptedBus::new(0x18).write(&[0x05]).read(&[0x1E, 0x6C]);
    assert_eq!(next.measure(&mut chip), [Ok(-25.25)]);
}

#[test]
fn another_chip_is_absence_and_nothing_is_written_to_it() {
    for (manufacturer, device) in
        [([0x00, 0x55], [0x04, 0x00]), ([0x00, 0x54], [0x05, 0x00]), ([0xFF; 2], [0xFF; 2]), ([0; 2], [0; 2])]
    {
        let mut chip = chip();
        assert_eq!(identified(manufacturer, device).measure(&mut chip), [Err(Fault::Absent)]);
    }
}

#[test]
fn a_later_revision_is_taken() {
    let bus = identified([0x00, 0x54], [0x04, 0x01]).write(&[0x01, 0x00, 0x00]).write(&[0x08, 0x03]);
    assert_eq!(bus.write(&[0x05]).read(&[0x01, 0x90]).measure(&mut chip()), [Ok(25.0)]);
}

#[test]
fn a_zero_is_looked_at_twice_whatever_its_flags() {
    for zero in [[0x00, 0x00], [0x80, 0x00], [0xE0, 0x00]] {
        let warm = set_up().write(&[0x05]).read(&zero).write(&[0x05]).read(&[0xC1, 0x90]);
        assert_eq!(warm.measure(&mut chip()), [Ok(25.0)]);
        let freezing = set_up().write(&[0x05]).read(&zero).write(&[0x05]).read(&zero);
        let mut chip = chip();
        assert_eq!(freezing.measure(&mut chip), [Ok(0.0)]);
        // And so in every measurement, for power may fail between any two.
        let next = ScriptedBus::new(0x18).write(&[0x05]).read(&zero).write(&[0x05]).read(&[0x00, 0x10]);
        assert_eq!(next.measure(&mut chip), [Ok(1.0)]);
    }
}

#[test]
fn after_an_impossible_value_it_begins_anew() {
    let mut chip = chip();
    assert_eq!(set_up().write(&[0x05]).read(&[0xFF, 0xFF]).measure(&mut chip), [Err(Fault::Range)]);
    assert_eq!(set_up().write(&[0x05]).read(&[0xC1, 0x90]).measure(&mut chip), [Ok(25.0)]);
}

#[test]
fn agrees_with_the_world_through_its_twin() {
    let (mut chip, mut bench) = (chip(), Bench::new(twin()));
    for _ in 0..50 {
        bench.pass(Duration::from_secs(600));
        let celsius = bench.measure(&mut chip)[0].unwrap();
        let world = bench.world().temperature_cel(bench.now());
        // To the nearest step; the last conversion was up to 250 ms ago.
        assert!((celsius - world).abs() < 0.03125 + 0.03, "{celsius} for {world}");
    }
}

#[test]
fn survives_what_a_bus_does() {
    testkit::survives_everything(chip, twin);
    testkit::begins_anew_after_every_loss(chip, twin);
    testkit::does_not_read_too_early(chip, twin);
}

#[test]
fn the_probe_wants_both_ids() {
    assert_eq!(probe(&mut Bench::new(twin()), 0x18), Ok(true));
    assert_eq!(probe(&mut identified([0x00, 0x54], [0x05, 0x00]), 0x18), Ok(false));
}

#[test]
fn every_word_is_a_temperature_within_range_or_err() {
    for raw in 0..=u16::MAX {
        let value = convert(raw);
        assert!(
            value.is_ok_and(|celsius| RANGE_CEL.contains(&celsius)) || matches!(value, Err(Fault::Range)),
            "{raw:#06x}"
        );
    }
}
