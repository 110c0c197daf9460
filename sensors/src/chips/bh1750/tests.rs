use super::*;
use crate::sim::bh1750::Bh1750Twin;
use crate::sim::{SimTime, Twin};
use crate::testkit::{self, Bench, ScriptedBus};

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

fn chip() -> Bh1750 {
    Bh1750::new(0x23)
}

fn twin() -> Box<dyn Twin> {
    Box::new(Bh1750Twin::new())
}

#[test]
fn the_first_measurement_sets_the_scale_and_the_next_only_measures() {
    let mut chip = chip();
    let first = ScriptedBus::new(0x23).write(&[0x01]).write(&[0x42]).write(&[0x65]).write(&[0x20]);
    assert_eq!(first.read(&[0x00, 0x06]).measure(&mut chip), [Ok(5.0)]);
    for (bytes, expected) in [([0xFF, 0xFF], Err(Fault::Range)), ([0x00, 0x0C], Ok(10.0))] {
        let next = ScriptedBus::new(0x23).write(&[0x01]).write(&[0x20]).read(&bytes);
        assert_eq!(next.measure(&mut chip), [expected]);
    }
}

#[test]
fn agrees_with_the_world_through_its_twin() {
    let (mut chip, mut bench) = (chip(), Bench::new(twin()));
    for _ in 0..50 {
        bench.pass(Duration::from_secs(1_200));
        let lux = bench.measure(&mut chip)[0].unwrap();
        let measured = SimTime::from_micros(bench.now().micros() - 60_000);
        let world = bench.world().light_lux(measured);
        assert!((lux - world).abs() < 0.5 + 0.001 * world, "{lux} for {world}");
    }
}

#[test]
fn survives_what_a_bus_does() {
    testkit::survives_everything(chip, twin);
    testkit::begins_anew_after_every_loss(chip, twin);
}
