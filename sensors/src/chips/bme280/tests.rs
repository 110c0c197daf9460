use proptest::prelude::*;

use super::*;
use crate::sim::Twin;
use crate::sim::bme280::Bme280Twin;
use crate::testkit::{self, Bench, ScriptedBus};

/// The example of BST-BMP280-DS001 section 3.12, and humidity constants of a common size.
fn constants(part: Part) -> Constants {
    let words = [27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000_i32];
    let bytes = words.map(|word| {
        let [low, high, ..] = word.to_le_bytes();
        [low, high]
    });
    let humidity = Humidity::parse(75, [0x6A, 0x01, 0, 0x13, 0x29, 0x03, 0x1E]);
    Constants {
        climate: Climate::parse(bytes).expect("the example's constants"),
        humidity: (part == Part::Bme280).then_some(humidity),
    }
}

const EXAMPLE: Raw = Raw { pressure: 415_148, temperature: 519_888, humidity: 0x6E00 };

#[test]
fn the_datasheet_example_comes_out_of_the_registers_bytes() {
    let raw = Raw::parse([0x65, 0x5A, 0xC0, 0x7E, 0xED, 0x00, 0x6E, 0x00]);
    assert_eq!(raw, EXAMPLE);
    let values = convert(raw, &constants(Part::Bmp280));
    let [Ok(celsius), Ok(pascal)] = values[..] else { panic!("{values:?}") };
    assert!((celsius - 25.08).abs() < 0.005, "{celsius}");
    assert!((pascal - 100_653.27).abs() < 0.02, "{pascal}");
}

#[test]
fn only_a_bme280_has_humidity() {
    assert_eq!(convert(EXAMPLE, &constants(Part::Bmp280)).len(), 2);
    let values = convert(EXAMPLE, &constants(Part::Bme280));
    assert!(
        matches!(values[..], [Ok(_), Ok(_), Ok(percent)] if (20.0..80.0).contains(&percent)),
        "{values:?}"
    );
    assert_eq!(Part::Bmp280.quantities().len(), 2);
    assert_eq!(Part::Bme280.quantities().len(), 3);
}

#[test]
fn the_longest_measurement_is_the_sheets() {
    assert_eq!(Part::Bme280.measurement(), Duration::from_micros(16_200));
    assert_eq!(Part::Bmp280.measurement(), Duration::from_micros(13_325));
}

#[test]
fn a_skipped_temperature_takes_all_with_it() {
    for temperature in [SKIPPED, ALL_ONES, 0] {
        let values = convert(Raw { temperature, ..EXAMPLE }, &constants(Part::Bme280));
        assert_eq!(values, [Err(Fault::Range); 3], "{temperature:#07x}");
    }
}

#[test]
fn a_skipped_pressure_or_humidity_stands_alone() {
    for pressure in [SKIPPED, ALL_ONES, 0] {
        let values = convert(Raw { pressure, ..EXAMPLE }, &constants(Part::Bme280));
        assert!(matches!(values[..], [Ok(_), Err(Fault::Range), Ok(_)]), "{pressure:#07x}: {values:?}");
    }
    for humidity in [SKIPPED_HUMIDITY, u16::MAX] {
        let values = convert(Raw { humidity, ..EXAMPLE }, &constants(Part::Bme280));
        assert!(matches!(values[..], [Ok(_), Ok(_), Err(Fault::Range)]), "{humidity:#06x}: {values:?}");
    }
}

#[test]
fn nonsense_constants_give_no_pressure() {
    // All but dig_T1 and dig_P1 zero: 0 Cel, and millions of pascals.
    let mut bytes = compensation::ClimateBytes::default();
    bytes[0] = [1, 0];
    bytes[3] = [1, 0];
    let climate = Climate::parse(bytes).expect("constants");
    let values = convert(EXAMPLE, &Constants { climate, humidity: None });
    assert_eq!(values, [Ok(0.0), Err(Fault::Range)]);
}

fn chip(part: Part) -> Bme280 {
    Bme280::new(part, 0x76)
}

fn twin(part: Part) -> Box<dyn Twin> {
    Box::new(Bme280Twin::new(part))
}

/// Registers 0x88..=0x9F of the sheet's example.
const EXAMPLE_CONSTANTS: [u8; 24] = [
    0x70, 0x6B, 0x43, 0x67, 0x18, 0xFC, 0x7D, 0x8E, 0x43, 0xD6, 0xD0, 0x0B, //
    0x27, 0x0B, 0x8C, 0x00, 0xF9, 0xFF, 0x8C, 0x3C, 0xF8, 0xC6, 0x70, 0x17,
];

/// A script of a first measurement, up to its reading.
fn first(part: Part) -> ScriptedBus {
    let bus = ScriptedBus::new(0x76).write(&[0xD0]).read(&[part.id()]).write(&[0xF3]).read(&[0x00]);
    let bus = bus.write(&[0xF4, 0x2C]).write(&[0xF5, 0x00]).write(&[0x88]).read(&EXAMPLE_CONSTANTS);
    match part {
        Part::Bmp280 => next(bus, part),
        Part::Bme280 => {
            let humidity = [0x6A, 0x01, 0, 0x13, 0x29, 0x03, 0x1E];
            next(bus.write(&[0xA1]).read(&[75]).write(&[0xE1]).read(&humidity), part)
        }
    }
}

/// `bus`, and then the start of a measurement of a chip whose constants are known.
fn next(bus: ScriptedBus, part: Part) -> ScriptedBus {
    match part {
        Part::Bme280 => bus.write(&[0xF2, 0x01]).write(&[0xF4, 0x2D]),
        Part::Bmp280 => bus.write(&[0xF4, 0x2D]),
    }
}

/// The sheet's example of a measurement, and a humidity.
const EXAMPLE_DATA: [u8; 8] = [0x65, 0x5A, 0xC0, 0x7E, 0xED, 0x00, 0x6E, 0x00];

#[test]
fn the_first_measurement_reads_the_constants_and_the_next_only_measures() {
    for part in [Part::Bme280, Part::Bmp280] {
        let mut chip = chip(part);
        let data = if part == Part::Bme280 { &EXAMPLE_DATA[..] } else { &EXAMPLE_DATA[..6] };
        let expected = convert(EXAMPLE, &constants(part));
        let bus = first(part).write(&[0xF3]).read(&[0x00]).write(&[0xF7]).read(data);
        assert_eq!(bus.measure(&mut chip), expected);
        let bus = next(ScriptedBus::new(0x76), part).write(&[0xF3]).read(&[0x00]);
        assert_eq!(bus.write(&[0xF7]).read(data).measure(&mut chip), expected);
    }
}

#[test]
fn another_chip_is_absence_and_nothing_is_written_to_it() {
    for (part, id) in [(Part::Bme280, 0x58), (Part::Bmp280, 0x60), (Part::Bme280, 0x61), (Part::Bmp280, 0xFF)]
    {
        let mut chip = chip(part);
        let results = ScriptedBus::new(0x76).write(&[0xD0]).read(&[id]).measure(&mut chip);
        assert!(
            results.iter().all(|result| *result == Err(Fault::Absent)),
            "{part:?}, {id:#04x}: {results:?}"
        );
    }
}

#[test]
fn constants_are_not_taken_while_they_are_being_copied_nor_when_empty() {
    let copying = ScriptedBus::new(0x76).write(&[0xD0]).read(&[0x58]).write(&[0xF3]).read(&[0x01]);
    assert_eq!(copying.measure(&mut chip(Part::Bmp280)), [Err(Fault::NotReady); 2]);
    let bus = ScriptedBus::new(0x76).write(&[0xD0]).read(&[0x58]).write(&[0xF3]).read(&[0x00]);
    let empty = bus.write(&[0xF4, 0x2C]).write(&[0xF5, 0x00]).write(&[0x88]).read(&[0x00; 24]);
    assert_eq!(empty.measure(&mut chip(Part::Bmp280)), [Err(Fault::Range); 2]);
}

#[test]
fn a_measurement_without_end_is_not_ready_and_it_begins_anew() {
    let (part, mut chip) = (Part::Bmp280, chip(Part::Bmp280));
    let bus = (0..=MORE_TIMES_MAX).fold(first(part), |bus, _| bus.write(&[0xF3]).read(&[0x08]));
    assert_eq!(bus.measure(&mut chip), [Err(Fault::NotReady); 2]);
    let skipped = [0x80, 0x00, 0x00, 0x80, 0x00, 0x00];
    let bus = first(part).write(&[0xF3]).read(&[0x00]).write(&[0xF7]).read(&skipped);
    assert_eq!(bus.measure(&mut chip), [Err(Fault::Range); 2]);
    let bus = first(part).write(&[0xF3]).read(&[0x08]).write(&[0xF3]).read(&[0x00]);
    let bus = bus.write(&[0xF7]).read(&EXAMPLE_DATA[..6]);
    assert_eq!(bus.measure(&mut chip), convert(EXAMPLE, &constants(part)));
}

#[test]
fn reading_without_a_start_is_not_ready() {
    let error = chip(Part::Bme280).read(&mut ScriptedBus::new(0x76), &mut Vec::new()).unwrap_err();
    assert_eq!(error.fault, Fault::NotReady);
}

#[test]
fn agrees_with_the_world_through_its_twin() {
    for part in [Part::Bme280, Part::Bmp280] {
        let (mut chip, mut bench) = (chip(part), Bench::new(twin(part)));
        for _ in 0..50 {
            bench.pass(Duration::from_secs(600));
            let results = bench.measure(&mut chip);
            let (world, now) = (bench.world(), bench.now());
            let truth = [world.temperature_cel(now), world.pressure_pa(now), world.humidity_percent(now)];
            // Sixteen bits of temperature, eighteen of pressure; the world moves on for some milliseconds.
            for (quantity, tolerance) in [(0, 0.01), (1, 1.5), (2, 0.05)].into_iter().take(results.len()) {
                let value = results[quantity].unwrap();
                let error = value - truth[quantity];
                assert!(error.abs() < tolerance, "{part:?}, quantity {quantity}: {value}, off by {error}");
            }
        }
    }
}

#[test]
fn survives_what_a_bus_does() {
    for part in [Part::Bme280, Part::Bmp280] {
        testkit::survives_everything(|| chip(part), || twin(part));
        testkit::begins_anew_after_every_loss(|| chip(part), || twin(part));
        testkit::does_not_read_too_early(|| chip(part), || twin(part));
    }
}

#[test]
fn the_probe_wants_the_parts_own_id() {
    for (part, twin_part) in [(Part::Bme280, Part::Bmp280), (Part::Bmp280, Part::Bme280)] {
        assert_eq!(probe(&mut Bench::new(twin(part)), part, 0x76), Ok(true));
        assert_eq!(probe(&mut Bench::new(twin(twin_part)), part, 0x76), Ok(false));
    }
}

proptest! {
    #[test]
    fn whatever_a_chip_sends_is_a_value_within_range_or_err(
        climate: [u8; 24],
        humidity: [u8; 7],
        h1: u8,
        data: [u8; 8],
    ) {
        let (words, _) = climate.as_chunks::<2>();
        let climate = Climate::parse(words.try_into().expect("twelve words"));
        prop_assume!(climate.is_some());
        let humidity = Some(Humidity::parse(h1, humidity));
        let values = convert(Raw::parse(data), &Constants { climate: climate.expect("assumed"), humidity });
        let ranges = [RANGE_CEL, RANGE_PASCAL, 0.0..=100.0];
        prop_assert_eq!(values.len(), ranges.len());
        for (value, range) in values.into_iter().zip(ranges) {
            prop_assert!(value.map_or_else(|fault| fault == Fault::Range, |value| range.contains(&value)));
        }
    }
}
