use super::*;
use crate::sim::Twin;
use crate::sim::aht20::Aht20Twin;
use crate::testkit::{self, Bench, ScriptedBus};

fn twin() -> Box<dyn Twin> {
    Box::new(Aht20Twin::new())
}

/// Half humidity, 25 degrees, in the datasheet's layout.
const GOOD: [u8; 6] = [0x1C, 0x80, 0x00, 0x06, 0x00, 0x00];

fn with_crc(bytes: [u8; 6]) -> [u8; 7] {
    let [s, a, b, c, d, e] = bytes;
    [s, a, b, c, d, e, crc8(&bytes)]
}

fn measuring() -> ScriptedBus {
    ScriptedBus::new(ADDRESS).read(&[0x18]).write(&[0xAC, 0x33, 0x00])
}

#[test]
fn datasheet_vectors() {
    assert_eq!(raw(GOOD), (0x80000, 0x60000));
    assert_eq!(humidity_percent(0x80000), 50.0);
    assert_eq!(temperature_cel(0x60000), Ok(25.0));
    assert_eq!(temperature_cel(0x40000), Ok(0.0));
    assert_eq!(temperature_cel(0x20000), Ok(-25.0));
    assert_eq!(temperature_cel(0), Err(Fault::Range));
    assert_eq!(temperature_cel(0xF_FFFF), Err(Fault::Range));
    assert_eq!(raw([0, 0x12, 0x34, 0x56, 0x78, 0x9A]), (0x12345, 0x6789A));
}

#[test]
fn a_calibrated_chip_only_measures_and_another_is_initialised_first() {
    let mut chip = Aht20::new();
    assert_eq!(measuring().read(&with_crc(GOOD)).measure(&mut chip), [Ok(25.0), Ok(50.0)]);
    let next = ScriptedBus::new(ADDRESS).write(&[0xAC, 0x33, 0x00]).read(&with_crc(GOOD));
    assert_eq!(next.measure(&mut chip), [Ok(25.0), Ok(50.0)]);
    let first = ScriptedBus::new(ADDRESS).read(&[0x10]).write(&[0xBE, 0x08, 0x00]).write(&[0xAC, 0x33, 0x00]);
    assert_eq!(first.read(&with_crc(GOOD)).measure(&mut Aht20::new()), [Ok(25.0), Ok(50.0)]);
}

#[test]
fn a_busy_chip_is_waited_for_but_not_for_ever() {
    let busy = with_crc([0x9C, 0, 0, 0, 0, 0]);
    let once = measuring().read(&busy).read(&with_crc(GOOD));
    assert_eq!(once.measure(&mut Aht20::new()), [Ok(25.0), Ok(50.0)]);
    let ever = (0..=MAX_BUSY).fold(measuring(), |script, _| script.read(&busy));
    assert_eq!(ever.measure(&mut Aht20::new()), [Err(Fault::NotReady); 2]);
    assert_eq!(measuring().read(&[0xFF; 7]).measure(&mut Aht20::new()), [Err(Fault::NotReady); 2]);
}

#[test]
fn a_bad_checksum_and_a_lost_calibration_are_err() {
    let mut bad = with_crc(GOOD);
    bad[6] ^= 0x10;
    assert_eq!(measuring().read(&bad).measure(&mut Aht20::new()), [Err(Fault::Crc); 2]);
    assert_eq!(measuring().read(&[0; 7]).measure(&mut Aht20::new()), [Err(Fault::Crc); 2]);
    let lost = with_crc([0x10, 0x80, 0x00, 0x06, 0x00, 0x00]);
    assert_eq!(measuring().read(&lost).measure(&mut Aht20::new()), [Err(Fault::NotReady); 2]);
}

#[test]
fn reading_without_a_start_is_not_ready() {
    let error = Aht20::new().read(&mut ScriptedBus::new(ADDRESS), &mut Vec::new()).unwrap_err();
    assert_eq!(error.fault, Fault::NotReady);
}

#[test]
fn agrees_with_the_world_through_its_twin() {
    let (mut chip, mut bench) = (Aht20::new(), Bench::new(twin()));
    for _ in 0..50 {
        bench.pass(Duration::from_secs(600));
        let results = bench.measure(&mut chip);
        let (world, now) = (bench.world(), bench.now());
        assert!((results[0].unwrap() - world.temperature_cel(now)).abs() < 0.02);
        assert!((results[1].unwrap() - world.humidity_percent(now)).abs() < 0.05);
    }
}

#[test]
fn survives_what_a_bus_does() {
    testkit::survives_everything(Aht20::new, twin);
    testkit::sees_every_flipped_bit(Aht20::new, twin);
    testkit::does_not_read_too_early(Aht20::new, twin);
}
