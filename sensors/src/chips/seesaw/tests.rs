use super::*;
use crate::sim::Twin;
use crate::sim::seesaw::SeesawTwin;
use crate::testkit::{self, Bench, ScriptedBus};

fn chip() -> Seesaw {
    Seesaw::new(0x36)
}

fn twin() -> Box<dyn Twin> {
    Box::new(SeesawTwin::new())
}

/// A script of a first measurement, up to the moisture.
fn known() -> ScriptedBus {
    ScriptedBus::new(0x36).write(&[0x00, 0x01]).read(&[0x55])
}

#[test]
fn vectors_of_the_reference() {
    assert_eq!(moisture([0x03, 0xE8]), Ok(1_000.0));
    assert_eq!(moisture([0x0F, 0xFF]), Ok(4_095.0));
    assert_eq!(moisture([0x10, 0x00]), Err(Fault::Range));
    assert_eq!(moisture([0xFF, 0xFF]), Err(Fault::Range));
    assert_eq!(moisture([0x00, 0x00]), Err(Fault::Range));
    assert_eq!(temperature_cel([0x00, 0x19, 0x80, 0x00]), Ok(25.5));
    assert_eq!(temperature_cel([0xC0, 0x19, 0x80, 0x00]), Ok(25.5), "the two highest bits mean nothing");
    assert_eq!(temperature_cel([0x00, 0x00, 0x00, 0x00]), Ok(0.0));
    assert_eq!(temperature_cel([0x3F, 0xFE, 0x80, 0x00]), Ok(-1.5), "frost");
    assert_eq!(temperature_cel([0x00, 0x80, 0x00, 0x00]), Err(Fault::Range));
    assert_eq!(temperature_cel([0xFF; 4]), Err(Fault::Range));
}

#[test]
fn asks_for_the_id_once() {
    let mut chip = chip();
    let measured = |script: ScriptedBus| {
        script.write(&[0x0F, 0x10]).read(&[0x03, 0xE8]).write(&[0x00, 0x04]).read(&[0x00, 0x19, 0x80, 0x00])
    };
    assert_eq!(measured(known()).measure(&mut chip), [Ok(1_000.0), Ok(25.5)]);
    assert_eq!(measured(ScriptedBus::new(0x36)).measure(&mut chip), [Ok(1_000.0), Ok(25.5)]);
}

#[test]
fn an_impossible_count_is_asked_for_three_times() {
    let ask = |script: ScriptedBus, answer: [u8; 2]| script.write(&[0x0F, 0x10]).read(&answer);
    let end = |script: ScriptedBus| script.write(&[0x00, 0x04]).read(&[0x00, 0x19, 0x80, 0x00]);
    let late = end(ask(ask(ask(known(), [0xFF; 2]), [0xFF; 2]), [0x03, 0xE8]));
    assert_eq!(late.measure(&mut chip()), [Ok(1_000.0), Ok(25.5)]);
    let never = end(ask(ask(ask(known(), [0xFF; 2]), [0x10, 0x00]), [0xFF; 2]));
    assert_eq!(never.measure(&mut chip()), [Err(Fault::Range), Ok(25.5)]);
}

#[test]
fn another_microcontroller_is_not_this_chip() {
    let other = ScriptedBus::new(0x36).write(&[0x00, 0x01]).read(&[0x87]);
    assert_eq!(other.measure(&mut chip()), [Err(Fault::Absent); 2]);
    let early = ScriptedBus::new(0x36).write(&[0x00, 0x01]).read(&[0xFF]);
    assert_eq!(early.measure(&mut chip()), [Err(Fault::NotReady); 2]);
}

#[test]
fn reading_without_a_start_is_not_ready() {
    let error = chip().read(&mut ScriptedBus::new(0x36), &mut Vec::new()).unwrap_err();
    assert_eq!(error.fault, Fault::NotReady);
}

#[test]
fn agrees_with_the_world_through_its_twin() {
    let (mut chip, mut bench) = (chip(), Bench::new(twin()));
    for _ in 0..50 {
        bench.pass(Duration::from_secs(600));
        let results = bench.measure(&mut chip);
        let (world, now) = (bench.world(), bench.now());
        assert!((results[0].unwrap() - world.soil_moisture_raw(now)).abs() < 2.0);
        assert!((results[1].unwrap() - world.soil_temperature_cel(now)).abs() < 0.01);
    }
}

#[test]
fn survives_what_a_bus_does() {
    testkit::survives_everything(chip, twin);
    testkit::does_not_read_too_early(chip, twin);
}

#[test]
fn the_probe_leaves_a_fuel_gauge_alone() {
    let pause = &mut |_| {};
    assert_eq!(probe(&mut ScriptedBus::new(0x36).write(&[0x08]).read(&[0x00, 0x12]), 0x36, pause), Ok(false));
    let seesaw = ScriptedBus::new(0x36).write(&[0x08]).read(&[0xFF, 0xFF]).write(&[0x00, 0x01]).read(&[0x55]);
    assert_eq!(probe(&mut { seesaw }, 0x36, pause), Ok(true));
}
