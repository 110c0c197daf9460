use super::*;
use crate::sim::Twin;
use crate::sim::ads1x15::Ads1x15Twin;
use crate::testkit::{self, Bench, ScriptedBus};

const VOLTS: [Input; 4] = [Input::Volts; 4];
const WIND: [Input; 4] = [Input::Anemometer, Input::Off, Input::Volts, Input::Off];

fn twin(part: Part, inputs: [Input; 4]) -> Box<dyn Twin> {
    Box::new(Ads1x15Twin::new(part, inputs))
}

fn names(inputs: [Input; 4]) -> Vec<(String, &'static str)> {
    let chip = Ads1x15::new(Part::Ads1015, 0x48, inputs);
    chip.quantities.into_iter().map(|quantity| (quantity.name, quantity.unit)).collect()
}

/// One conversion of the input whose config this is.
fn conversion(script: ScriptedBus, config: [u8; 2], raw: [u8; 2]) -> ScriptedBus {
    script.write(&[0x01, config[0], config[1]]).write(&[0x01]).read(&config).write(&[0x00]).read(&raw)
}

#[test]
fn datasheet_vectors() {
    assert_eq!(volts(Part::Ads1115, 0x4000), Ok(2.048));
    assert_eq!(volts(Part::Ads1115, 1), Ok(0.000_125));
    assert_eq!(volts(Part::Ads1115, 0), Ok(0.0));
    assert_eq!(volts(Part::Ads1115, -8), Ok(-0.001));
    assert_eq!(volts(Part::Ads1015, 0x0010), Ok(0.002));
    assert!((volts(Part::Ads1015, 0x7FE0).unwrap() - 4.092).abs() < 1e-9);
}

#[test]
fn clipped_and_negative_voltages_are_out_of_range() {
    assert_eq!(volts(Part::Ads1115, 0x7FFF), Err(Fault::Range));
    assert_eq!(volts(Part::Ads1015, 0x7FF0), Err(Fault::Range));
    assert!(volts(Part::Ads1115, 0x7FFE).is_ok());
    assert_eq!(volts(Part::Ads1115, i16::MIN), Err(Fault::Range));
    assert_eq!(volts(Part::Ads1115, -801), Err(Fault::Range));
}

#[test]
fn the_anemometers_scale_and_its_open_wire() {
    assert_eq!(wind_m_per_s(0.4), Ok(0.0));
    assert_eq!(wind_m_per_s(2.0), Ok(32.4));
    assert!((wind_m_per_s(1.2).unwrap() - 16.2).abs() < 1e-9);
    assert_eq!(wind_m_per_s(0.35), Ok(0.0), "calm, with an offset");
    assert_eq!(wind_m_per_s(0.349), Err(Fault::Range));
    assert_eq!(wind_m_per_s(0.0), Err(Fault::Range));
    assert_eq!(wind_m_per_s(2.1), Err(Fault::Range));
    assert_eq!(wind_m_per_s(f64::NAN), Err(Fault::Range));
}

#[test]
fn quantities_are_named_by_input_and_use() {
    let pairs = |list: &[(&str, &'static str)]| -> Vec<_> {
        list.iter().map(|(name, unit)| ((*name).to_owned(), *unit)).collect()
    };
    assert_eq!(names(VOLTS), pairs(&[("ain0", "V"), ("ain1", "V"), ("ain2", "V"), ("ain3", "V")]));
    assert_eq!(names(WIND), pairs(&[("wind_speed", "m/s"), ("ain2", "V")]));
    assert_eq!(
        names([Input::Off, Input::Anemometer, Input::Off, Input::Anemometer]),
        pairs(&[("wind_speed", "m/s"), ("wind_speed_ain3", "m/s")])
    );
}

#[test]
fn each_input_is_a_conversion_of_its_own() {
    let script = conversion(ScriptedBus::new(0x48), [0xC3, 0x83], [0x25, 0x80]);
    let script = conversion(script, [0xE3, 0x83], [0x40, 0x00]);
    let results = script.measure(&mut Ads1x15::new(Part::Ads1015, 0x48, WIND));
    assert!((results[0].unwrap() - 16.2).abs() < 1e-9);
    assert_eq!(results[1], Ok(2.048));
}

#[test]
fn an_open_wire_is_err_for_the_wind_alone() {
    let script = conversion(ScriptedBus::new(0x48), [0xC3, 0x83], [0x00, 0x20]);
    let script = conversion(script, [0xE3, 0x83], [0x40, 0x00]);
    let results = script.measure(&mut Ads1x15::new(Part::Ads1015, 0x48, WIND));
    assert_eq!(results, [Err(Fault::Range), Ok(2.048)]);
}

#[test]
fn a_conversion_that_is_not_over_or_not_ours_is_not_ready() {
    for (state, at) in [([0x43, 0x83], "conversion"), ([0x85, 0x83], "config"), ([0xD3, 0x83], "config")] {
        let mut bus = ScriptedBus::new(0x48).write(&[0x01, 0xC3, 0x83]).write(&[0x01]).read(&state);
        let mut chip = Ads1x15::new(Part::Ads1115, 0x48, WIND);
        chip.start(&mut bus).unwrap();
        let error = chip.read(&mut bus, &mut Vec::new()).unwrap_err();
        assert_eq!(error, ChipError::new(Fault::NotReady, at), "{state:02x?}");
    }
}

#[test]
fn reading_without_a_start_is_not_ready() {
    let mut chip = Ads1x15::new(Part::Ads1115, 0x48, WIND);
    let error = chip.read(&mut ScriptedBus::new(0x48), &mut Vec::new()).unwrap_err();
    assert_eq!(error.fault, Fault::NotReady);
}

#[test]
fn agrees_with_the_world_through_its_twin() {
    for (part, error) in [(Part::Ads1015, 0.05), (Part::Ads1115, 0.005)] {
        let mut chip = Ads1x15::new(part, 0x48, [Input::Anemometer, Input::Off, Input::Off, Input::Off]);
        let mut bench = Bench::new(twin(part, [Input::Anemometer; 4]));
        for _ in 0..50 {
            bench.pass(Duration::from_secs(600));
            let results = bench.measure(&mut chip);
            let wind = bench.world().wind_m_per_s(bench.now());
            assert!((results[0].unwrap() - wind).abs() < error, "{part:?}: {results:?} for {wind}");
        }
    }
}

#[test]
fn survives_what_a_bus_does() {
    for part in [Part::Ads1015, Part::Ads1115] {
        for inputs in [VOLTS, WIND] {
            testkit::survives_everything(|| Ads1x15::new(part, 0x48, inputs), || twin(part, inputs));
            testkit::does_not_read_too_early(|| Ads1x15::new(part, 0x48, inputs), || twin(part, inputs));
        }
    }
}

#[test]
fn a_loss_of_power_in_the_middle_is_no_voltage() {
    let mut chip = Ads1x15::new(Part::Ads1115, 0x48, VOLTS);
    let mut bench = Bench::new(twin(Part::Ads1115, VOLTS));
    let wait = chip.start(&mut bench).unwrap();
    bench.pass(wait);
    bench.replace(twin(Part::Ads1115, VOLTS));
    let error = chip.read(&mut bench, &mut Vec::new()).unwrap_err();
    assert_eq!(error, ChipError::new(Fault::NotReady, "config"));
}

#[test]
fn the_probe_goes_by_the_default() {
    let probed =
        |state: [u8; 2]| probe(&mut ScriptedBus::new(0x48).write(&[0x01]).read(&state), 0x48).unwrap();
    assert_eq!(probed([0x85, 0x83]), Some(true));
    assert_eq!(probed([0xC3, 0x83]), Some(false), "it has been configured");
    assert_eq!(probed([0x60, 0xA0]), None, "a TMP102");
    assert_eq!(probed([0xFF, 0xFF]), None);
}
