use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use embedded_hal::i2c::{ErrorType, I2c, Operation};

use super::*;
use crate::bus::{Simulation, open};
use crate::catalogue::ChipSpec;
use crate::sim::{PlannedFault, SimTime};

/// What a scan of a simulated bus with these chips finds.
fn found(chips: &[&str], faults: &[&str]) -> Vec<(u8, String)> {
    let chips: Vec<ChipSpec> = chips.iter().map(|chip| chip.parse().unwrap()).collect();
    let faults: Vec<PlannedFault> = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    let now = Arc::new(AtomicI64::new(0));
    let clock = Arc::clone(&now);
    let clock = Box::new(move || SimTime::from_micros(clock.load(Ordering::Relaxed)));
    let mut bus = open(&BusSpec::Sim(1), Simulation { chips: &chips, faults: &faults, clock }).unwrap();
    let mut pause = |time: Duration| {
        now.fetch_add(i64::try_from(time.as_micros()).unwrap(), Ordering::Relaxed);
    };
    let found = scan(&mut *bus, &mut pause).unwrap();
    found.into_iter().map(|found| (found.address, found.verdict.to_string())).collect()
}

#[test]
fn an_empty_bus_has_nothing() {
    assert_eq!(found(&[], &[]), []);
}

#[test]
fn every_simulated_chip_is_found_as_itself_or_as_probable() {
    for row in DRIVERS {
        for address in row.addresses {
            let found = found(&[&format!("{}@{address:#04x}", row.name)], &[]);
            let [(at, verdict)] = found.as_slice() else {
                panic!("{} at {address:#04x}: {found:?}", row.name)
            };
            assert!(at == address && verdict.contains(row.name), "{} at {address:#04x}: {verdict}", row.name);
        }
    }
}

#[test]
fn proofs_are_told_and_choices_too() {
    let found = found(&["sht3x@0x44", "sht4x@0x45", "seesaw@0x36", "ads1015@0x4a"], &[]);
    let told: Vec<(u8, &str)> = found.iter().map(|(address, verdict)| (*address, verdict.as_str())).collect();
    assert_eq!(
        told,
        [
            (0x36, "seesaw (by hardware id 0x55)"),
            (0x44, "sht3x (by status CRC)"),
            (0x45, "sht4x (by serial CRC)"),
            (0x4A, "probably ads1015 or ads1115"),
        ]
    );
}

#[test]
fn a_dead_chip_is_not_found_and_the_others_are() {
    let found = found(&["sht3x@0x44", "seesaw@0x36"], &["sht3x@0x44=nack"]);
    assert_eq!(found, [(0x36, "seesaw (by hardware id 0x55)".to_owned())]);
    let found = self::found(&["sht3x@0x44", "seesaw@0x36"], &["sht3x@0x44=timeout"]);
    assert_eq!(found.len(), 1, "one chip that holds the clock is not the bus");
}

/// A bus that answers every read alike, and must never be written to.
struct Uniform(Result<(), BusError>);

impl ErrorType for Uniform {
    type Error = BusError;
}

impl I2c for Uniform {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), BusError> {
        let writes = operations.iter().any(|operation| matches!(operation, Operation::Write(_)));
        let known = DRIVERS.iter().any(|row| row.addresses.contains(&address));
        assert!(known || !writes, "something is written to the stranger at {address:#04x}");
        self.0.clone()
    }
}

#[test]
fn strangers_are_told_nothing() {
    let found = scan(&mut Uniform(Ok(())), &mut |_| {}).unwrap();
    assert_eq!(found.len(), CHIP_ADDRESSES.len());
    assert_eq!(found[0], Found { address: 0x08, verdict: Verdict::Unknown });
}

#[test]
fn what_the_kernel_owns_is_left_alone() {
    let found = scan(&mut Uniform(Err(BusError::Busy)), &mut |_| {}).unwrap();
    assert!(found.iter().all(|found| found.verdict == Verdict::Busy));
}

#[test]
fn a_bus_that_does_not_work_is_an_error() {
    assert_eq!(scan(&mut Uniform(Err(BusError::Timeout)), &mut |_| {}), Err(BusError::Timeout));
    assert_eq!(scan(&mut Uniform(Err(BusError::Absent)), &mut |_| {}), Err(BusError::Absent));
    assert_eq!(scan(&mut Uniform(Err(BusError::Io("odd".into()))), &mut |_| {}), Ok(Vec::new()));
}

#[test]
fn configurations_have_the_sure_ones_and_leave_the_choice() {
    let found = [
        Found { address: 0x23, verdict: Verdict::Probable { drivers: vec!["bh1750"] } },
        Found { address: 0x44, verdict: Verdict::Identified { driver: "sht3x", by: "status CRC" } },
        Found { address: 0x48, verdict: Verdict::Probable { drivers: vec!["tmp102", "lm75"] } },
        Found { address: 0x50, verdict: Verdict::Unknown },
        Found { address: 0x68, verdict: Verdict::Busy },
    ];
    let lines = config_lines(&BusSpec::Pi(1), &found);
    assert_eq!(lines.flags, "--bus pi:1 --chip bh1750@0x23 --chip sht3x@0x44");
    let toml = "bus = \"pi:1\"\nchips = [\n    \"bh1750@0x23\", # probably\n    \"sht3x@0x44\",\n    \
                # at 0x48, choose one:\n    # \"tmp102@0x48\",\n    # \"lm75@0x48\",\n]\n";
    assert_eq!(lines.toml, toml);
}
