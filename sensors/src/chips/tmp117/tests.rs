use super::*;

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
