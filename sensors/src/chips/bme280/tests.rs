use super::*;

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
