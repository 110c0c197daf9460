use super::*;
use crate::sim::Twin;
use crate::sim::lm75::Lm75Twin;
use crate::testkit::{self, Bench, ScriptedBus};

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

fn chip(part: Part) -> Lm75 {
    Lm75::new(part, 0x48)
}

fn twin(part: Part) -> Box<dyn Twin> {
    Box::new(Lm75Twin::new(part))
}

/// A script of the first measurement of a part that needs no set-up, its temperature register as in `words`.
fn script(words: &[[u8; 2]]) -> ScriptedBus {
    words.iter().fold(ScriptedBus::new(0x48), |bus, word| bus.write(&[0x00]).read(word))
}

#[test]
fn an_lm75_and_a_tmp102_are_only_read() {
    for part in [Part::Lm75, Part::Tmp102] {
        let mut chip = chip(part);
        assert_eq!(script(&[[0x18, 0x00], [0x19, 0x00]]).measure(&mut chip), [Ok(25.0)]);
        assert_eq!(script(&[[0x1A, 0x00]]).measure(&mut chip), [Ok(26.0)]);
    }
}

#[test]
fn a_tmp105_is_set_to_twelve_bits_whenever_it_has_forgotten() {
    let mut chip = chip(Part::Tmp105);
    let forgot = ScriptedBus::new(0x48).write(&[0x01]).read(&[0x00]).write(&[0x01, 0x60]);
    assert_eq!(forgot.write(&[0x00]).read(&[0x19, 0x10]).measure(&mut chip), [Ok(25.0625)]);
    for remembers in [0x60, 0xE0] {
        let bus = ScriptedBus::new(0x48).write(&[0x01]).read(&[remembers]);
        assert_eq!(bus.write(&[0x00]).read(&[0x19, 0x10]).measure(&mut chip), [Ok(25.0625)]);
    }
}

#[test]
fn a_zero_is_looked_at_twice() {
    let mut no_conversion_yet = chip(Part::Lm75);
    let words = [[0x00, 0x00], [0x00, 0x00], [0x19, 0x00]];
    assert_eq!(script(&words).measure(&mut no_conversion_yet), [Ok(25.0)]);
    // An LM75's lower bits mean nothing here either.
    assert_eq!(
        script(&[[0x00, 0x00], [0x00, 0x7F], [0x19, 0x00]]).measure(&mut chip(Part::Lm75)),
        [Ok(25.0)]
    );
    let mut freezing = chip(Part::Lm75);
    assert_eq!(script(&[[0x00, 0x00]; 3]).measure(&mut freezing), [Ok(0.0)]);
    // And so in every measurement, for power may fail between any two.
    assert_eq!(script(&[[0x00, 0x00], [0x01, 0x00]]).measure(&mut freezing), [Ok(1.0)]);
}

#[test]
fn after_an_impossible_value_it_begins_anew() {
    let mut chip = chip(Part::Tmp102);
    assert_eq!(script(&[[0x19, 0x00], [0xFF, 0xFF]]).measure(&mut chip), [Err(Fault::Range)]);
    assert_eq!(script(&[[0x19, 0x00], [0x19, 0x00]]).measure(&mut chip), [Ok(25.0)]);
}

#[test]
fn agrees_with_the_world_through_its_twin() {
    for (part, step_cel) in [(Part::Lm75, 0.5), (Part::Tmp102, 0.0625), (Part::Tmp105, 0.0625)] {
        let (mut chip, mut bench) = (chip(part), Bench::new(twin(part)));
        for _ in 0..50 {
            bench.pass(Duration::from_secs(600));
            let celsius = bench.measure(&mut chip)[0].unwrap();
            let world = bench.world().temperature_cel(bench.now());
            // A TMP105 drops bits, the others round; the last conversion was up to 300 ms ago.
            assert!((celsius - world).abs() < step_cel + 0.03, "{part:?}: {celsius} for {world}");
            assert_eq!(celsius % step_cel, 0.0, "{part:?}: {celsius}");
        }
    }
}

#[test]
fn a_tmp102_driver_reads_a_tmp105_coarsely_but_truly() {
    let (mut chip, mut bench) = (chip(Part::Tmp102), Bench::new(twin(Part::Tmp105)));
    let celsius = bench.measure(&mut chip)[0].unwrap();
    let world = bench.world().temperature_cel(bench.now());
    assert!((0.0..0.55).contains(&(world - celsius)), "{celsius} for {world}");
}

#[test]
fn survives_what_a_bus_does() {
    for part in [Part::Lm75, Part::Tmp102, Part::Tmp105] {
        testkit::survives_everything(|| chip(part), || twin(part));
        testkit::does_not_read_too_early(|| chip(part), || twin(part));
    }
    for part in [Part::Lm75, Part::Tmp102] {
        testkit::begins_anew_after_every_loss(|| chip(part), || twin(part));
    }
}

#[test]
fn the_probe_wants_a_tmp102s_configuration() {
    assert_eq!(looks_like_tmp102(&mut Bench::new(twin(Part::Tmp102)), 0x48), Ok(true));
    assert_eq!(looks_like_tmp102(&mut Bench::new(twin(Part::Tmp105)), 0x48), Ok(false));
    assert_eq!(looks_like_tmp102(&mut Bench::new(twin(Part::Lm75)), 0x48), Ok(false));
}

#[test]
fn every_word_is_a_temperature_within_range_or_err() {
    for part in [Part::Lm75, Part::Tmp102, Part::Tmp105] {
        for raw in 0..=u16::MAX {
            let value = part.convert(raw);
            let fits = value.is_ok_and(|celsius| RANGE_CEL.contains(&celsius));
            assert!(fits || value == Err(Fault::Range), "{part:?} {raw:#06x}");
        }
    }
}
