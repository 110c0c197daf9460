use super::*;

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
