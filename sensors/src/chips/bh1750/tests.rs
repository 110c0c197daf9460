use super::*;

#[test]
fn the_datasheet_example_comes_out() {
    // "Read Format": 1000_0011, 1001_0000 is about 28067 lx.
    let lux = convert(0x8390).expect("a value");
    assert!((lux - 28_067.0).abs() < 0.5, "{lux}");
}

#[test]
fn darkness_and_the_brightest_value_come_out() {
    assert_eq!(convert(0), Ok(0.0));
    assert_eq!(convert(6), Ok(5.0));
    assert_eq!(convert(0xFFFE), Ok(65_534.0 / 1.2));
}

#[test]
fn saturation_is_out_of_range() {
    assert_eq!(convert(0xFFFF), Err(Fault::Range));
}
