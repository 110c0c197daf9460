use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
use crate::bus::BusSpec;
use crate::chip::{Fault, Step};
use crate::sim::{SimBus, SimTime, World};

fn spec(text: &str) -> ChipSpec {
    text.parse().unwrap()
}

fn error(text: &str) -> String {
    text.parse::<ChipSpec>().unwrap_err().to_string()
}

#[test]
fn a_chip_is_named_by_driver_and_address() {
    let chip = spec("sht3x@0x44");
    assert_eq!((chip.driver(), chip.address(), chip.bus(), chip.interval()), ("sht3x", 0x44, None, None));
    assert_eq!(chip.name(), "sht3x-44");
    assert_eq!(chip.name_on(&BusSpec::Pi(3)), "sht3x-44-pi3");
    assert!(chip.is("sht31", 0x44) && !chip.is("sht31", 0x45) && !chip.is("sht99", 0x44));
}

#[test]
fn an_alias_means_its_driver() {
    assert_eq!(spec("SHT31@0x45").to_string(), "sht3x@0x45");
}

#[test]
fn bus_and_interval_are_the_chips_own() {
    let chip = spec("pi:3/sht3x@0x44,interval=1m30s");
    assert_eq!(chip.bus(), Some(BusSpec::Pi(3)));
    assert_eq!(chip.interval(), Some(Duration::from_secs(90)));
    assert_eq!(spec(&chip.to_string()), chip);
}

#[test]
fn an_option_has_its_value_or_its_default() {
    let chip = spec("ads1015@0x48,ain0=anemometer,ain3=off");
    assert_eq!(
        ["ain0", "ain1", "ain3", "ain4"].map(|name| chip.option(name)),
        [Some("anemometer"), Some("volts"), Some("off"), None]
    );
    let names: Vec<String> =
        build(&chip).unwrap().quantities().iter().map(|quantity| quantity.name.clone()).collect();
    assert_eq!(names, ["wind_speed", "ain1", "ain2"]);
    assert_eq!(spec(&chip.to_string()), chip);
}

#[test]
fn what_names_no_chip_says_what_to_write() {
    for (text, told) in [
        ("", "DRIVER@ADDRESS"),
        ("sht3x", "DRIVER@ADDRESS"),
        ("sht3x@0x44,interval", "DRIVER@ADDRESS"),
        ("sht4@0x44", "sht4x"),
        ("ads1015@0x48,ain0=anemometre", "volts, anemometer, off"),
        ("ads1015@0x48,ain4=volts", "ain0, ain1, ain2, ain3, interval"),
        ("ads1015@0x48,ain0=off,ain1=off,ain2=off,ain3=off", "measures nothing"),
        ("ads1015@0x48,ain0=off,ain0=off", "given twice"),
        ("xyzzy@0x44", "there are sht3x"),
        ("sht3x@44", "0x44"),
        ("sht3x@0x+4", "hexadecimal"),
        ("sht3x@0x144", "hexadecimal"),
        ("sht3x@0x03", "0x08 to 0x77"),
        ("sht3x@0x78", "0x08 to 0x77"),
        ("sht3x@0x46", "0x44, 0x45"),
        ("sht3x@0x44,gain=2", "it has interval"),
        ("sht3x@0x44,interval=10", "as in 10s"),
        ("sht3x@0x44,interval=0s", "10ms or more"),
        ("sht3x@0x44,interval=-1s", "10ms or more"),
        ("sht3x@0x44,interval=1s,interval=2s", "given twice"),
        ("i2c-1/sht3x@0x44", "pi:1"),
    ] {
        assert!(error(text).contains(told), "{text}: {}", error(text));
    }
}

#[test]
fn every_row_can_be_built_and_keeps_its_word() {
    let mut names = BTreeSet::new();
    for row in DRIVERS {
        assert!(
            std::iter::once(&row.name).chain(row.aliases).all(|name| names.insert(*name)),
            "{}",
            row.name
        );
        assert!(!row.addresses.is_empty() && row.addresses.is_sorted());
        for address in row.addresses {
            let chip = spec(&format!("{}@{address:#04x}", row.name));
            let driver = build(&chip).unwrap();
            for quantity in driver.quantities() {
                assert!(row.quantities.contains(&(quantity.name.as_str(), quantity.unit)), "{quantity:?}");
            }
            twin(&chip);
        }
        assert!(row.options.iter().all(|option| !option.values.is_empty()));
    }
}

/// One measurement with every wait as long as the driver says: one result for each quantity.
fn measure(chip: &mut DynChip, bus: &mut DynBus, micros: &AtomicI64) -> Vec<Result<f64, Fault>> {
    let wait = |time: Duration| micros.fetch_add(i64::try_from(time.as_micros()).unwrap(), Ordering::Relaxed);
    let mut samples = Vec::new();
    let mut run = || -> Result<(), Fault> {
        let mut time = chip.start(bus).map_err(|error| error.fault)?;
        loop {
            wait(time);
            match chip.read(bus, &mut samples).map_err(|error| error.fault)? {
                Step::Done => return Ok(()),
                Step::Wait(next) => time = next,
            }
        }
    };
    match run() {
        Ok(()) => samples.into_iter().map(|sample| sample.value).collect(),
        Err(fault) => vec![Err(fault); chip.quantities().len()],
    }
}

#[test]
fn every_row_measures_on_a_simulated_bus_and_again_after_a_loss_of_power() {
    for row in DRIVERS {
        let chip = spec(&format!("{}@{:#04x}", row.name, row.addresses[0]));
        let micros = Arc::new(AtomicI64::new(1_780_000_000_000_000));
        let (clock, begin) = (Arc::clone(&micros), micros.load(Ordering::Relaxed));
        let clock = Box::new(move || SimTime::from_micros(clock.load(Ordering::Relaxed)));
        let mut bus = SimBus::new(World::new(7), clock);
        let maker = chip.clone();
        assert!(bus.add(chip.address(), Box::new(move || twin(&maker))));
        assert!(bus.plan(format!("{}@{:#04x}=gone@10s..20s", row.name, chip.address()).parse().unwrap()));
        let mut driver = build(&chip).unwrap();
        for second in (0..30).step_by(2) {
            micros.store(begin + second * 1_000_000, Ordering::Relaxed);
            let results = measure(&mut *driver, &mut bus, &micros);
            assert_eq!(results.len(), driver.quantities().len(), "{}", row.name);
            let gone = (10..20).contains(&second);
            let as_planned = |result: &Result<f64, Fault>| match result {
                Ok(value) => !gone && value.is_finite() && *value != 0.0,
                Err(fault) => gone && *fault == Fault::Nack,
            };
            assert!(results.iter().all(as_planned), "{} at {second} s: {results:?}", row.name);
        }
    }
}
