use super::*;

#[test]
fn lm75_vectors_come_out() {
    // SNOS808, "Temperature Register": nine bits at the top of the word.
    let vectors = [
        (0x7D00, 125.0),
        (0x1900, 25.0),
        (0x0080, 0.5),
        (0x0000, 0.0),
        (0xFF80, -0.5),
        (0xE700, -25.0),
        (0xC900, -55.0),
    ];
    for (raw, celsius) in vectors {
        assert_eq!(Part::Lm75.convert(raw), Ok(celsius), "{raw:#06x}");
    }
}

#[test]
fn an_lm75s_lower_bits_mean_nothing() {
    assert_eq!(Part::Lm75.convert(0x197F), Ok(25.0));
    assert_eq!(Part::Lm75.convert(0xE77F), Ok(-25.0));
}

#[test]
fn twelve_bit_vectors_come_out() {
    // SBOS397 table 7-3, SLLS648 table 5: twelve bits at the top of the word.
    let vectors = [
        (0x7FF0, 127.9375),
        (0x6400, 100.0),
        (0x5000, 80.0),
        (0x4B00, 75.0),
        (0x3200, 50.0),
        (0x1900, 25.0),
        (0x0040, 0.25),
        (0x0010, 0.0625),
        (0x0000, 0.0),
        (0xFFF0, -0.0625),
        (0xFFC0, -0.25),
        (0xE700, -25.0),
        (0xC900, -55.0),
    ];
    for (raw, celsius) in vectors {
        assert_eq!(Part::Tmp102.convert(raw), Ok(celsius), "TMP102 {raw:#06x}");
        assert_eq!(Part::Tmp105.convert(raw), Ok(celsius), "TMP105 {raw:#06x}");
    }
}

#[test]
fn an_extended_tmp102_is_read_in_its_own_format() {
    // SBOS397 table 7-4: thirteen bits, and a one in the lowest bit of the word.
    let vectors = [(0x0960, 150.0), (0x0800, 128.0), (0x0190, 25.0), (0x1FFC, -0.25), (0x1C90, -55.0)];
    for (code, celsius) in vectors {
        assert_eq!(Part::Tmp102.convert(code << 3 | 1), Ok(celsius), "{code:#06x}");
    }
}

#[test]
fn impossible_words_are_out_of_range() {
    for part in [Part::Lm75, Part::Tmp102, Part::Tmp105] {
        assert_eq!(part.convert(0xFFFF), Err(Fault::Range), "{part:?}, all ones");
        assert_eq!(part.convert(0x8000), Err(Fault::Range), "{part:?}, -128 Cel");
        assert_eq!(part.convert(0xC880), Err(Fault::Range), "{part:?}, -55.5 Cel");
    }
    assert_eq!(Part::Tmp102.convert(0x0970 << 3 | 1), Err(Fault::Range), "151 Cel");
}
