//! All chips on one simulated bus, measured by the rota in virtual time, with faults by plan: what a node's sampler
//! does, without its thread and its clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::bus::{BusSpec, DynBus, Simulation, open};
use crate::catalogue::{ChipSpec, DynChip, build};
use crate::chip::{ChipError, Fault, Sample, Step};
use crate::rota::{Action, Rota};
use crate::sim::SimTime;
use crate::stuck::StuckGuard;

const CHIPS: [&str; 14] = [
    "mcp9808@0x18",
    "bh1750@0x23",
    "seesaw@0x36",
    "aht20@0x38",
    "sht3x@0x44",
    "sht4x@0x45",
    "tmp117@0x48",
    "ads1015@0x49,ain0=anemometer",
    "ads1115@0x4a",
    "tmp102@0x4b",
    "tmp105@0x4c",
    "lm75@0x4d",
    "bme280@0x76",
    "bmp280@0x77",
];

/// What every transfer takes on the bus, microseconds.
const TRANSFER_US: i64 = 400;

/// One reading: when, of which chip, which quantity, and what.
type Reading = (i64, usize, usize, Result<f64, Fault>);

/// One chip at work.
struct Worker {
    chip: Box<DynChip>,
    guard: Option<StuckGuard>,
    samples: Vec<Sample>,
}

impl Worker {
    fn new(spec: &ChipSpec) -> Self {
        let guard = spec.row().noisy.then(StuckGuard::new);
        Self { chip: build(spec).unwrap(), guard, samples: Vec::new() }
    }

    fn start(&mut self, bus: &mut DynBus) -> Result<Step, ChipError> {
        self.samples.clear();
        self.chip.start(bus).map(Step::Wait)
    }

    /// The measurement's result for each quantity.
    fn results(&mut self, error: Option<Fault>) -> Vec<Result<f64, Fault>> {
        if let Some(guard) = &mut self.guard {
            guard.check(&mut self.samples);
        }
        let missing = error.map_or(Err(Fault::NotReady), Err);
        let mut results = vec![missing; self.chip.quantities().len()];
        self.samples.iter().for_each(|sample| results[sample.quantity] = sample.value);
        results
    }
}

/// All readings of `seconds` of a bus with all chips and these faults.
fn run(seconds: i64, faults: &[&str]) -> Vec<Reading> {
    let specs: Vec<ChipSpec> = CHIPS.iter().map(|chip| chip.parse().unwrap()).collect();
    let faults: Vec<_> = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    let begin = 1_779_962_400_000_000;
    let now = Arc::new(AtomicI64::new(begin));
    let clock = Arc::clone(&now);
    let clock = Box::new(move || SimTime::from_micros(clock.fetch_add(TRANSFER_US, Ordering::Relaxed)));
    let mut bus = open(&BusSpec::Sim(3), Simulation { chips: &specs, faults: &faults, clock }).unwrap();
    let mut workers: Vec<Worker> = specs.iter().map(Worker::new).collect();
    let mut rota = Rota::new(specs.iter().map(|_| Duration::from_secs(1)));
    let mut readings = Vec::new();
    loop {
        let now_us = now.load(Ordering::Relaxed);
        if now_us - begin >= seconds * 1_000_000 {
            return readings;
        }
        let (index, outcome) = match rota.next(now_us) {
            Action::WaitUntil(wake_us) => {
                now.store(wake_us, Ordering::Relaxed);
                continue;
            }
            Action::Start(index) => (index, workers[index].start(&mut *bus)),
            Action::Read(index) => {
                let Worker { chip, samples, .. } = &mut workers[index];
                (index, chip.read(&mut *bus, samples))
            }
        };
        let now_us = now.load(Ordering::Relaxed);
        if let Ok(Step::Wait(time)) = outcome {
            rota.measuring(index, now_us, time);
            continue;
        }
        assert_eq!(rota.finished(index, now_us), 0, "{} missed a tick", CHIPS[index]);
        let results = workers[index].results(outcome.err().map(|error| error.fault));
        let reading = |(quantity, result)| (now_us - begin, index, quantity, result);
        readings.extend(results.into_iter().enumerate().map(reading));
    }
}

fn index_of(chip: &str) -> usize {
    CHIPS.iter().position(|candidate| *candidate == chip).unwrap()
}

#[test]
fn fourteen_chips_on_one_bus_give_a_good_reading_every_second() {
    let readings = run(60, &[]);
    for (index, chip) in CHIPS.iter().enumerate() {
        let count = readings.iter().filter(|(_, of, quantity, _)| *of == index && *quantity == 0).count();
        assert_eq!(count, 60, "{chip}");
    }
    let bad: Vec<_> = readings.iter().filter(|(.., result)| result.is_err()).collect();
    assert!(bad.is_empty(), "{bad:?}");
}

#[test]
fn one_seed_is_one_run() {
    let faults = ["seesaw@0x36=nack@4s..9s", "bme280@0x76=gone@3s..7s"];
    assert_eq!(run(20, &faults), run(20, &faults));
}

#[test]
fn faults_are_seen_on_their_chip_in_their_time_and_nowhere_else() {
    let plan = [
        ("seesaw@0x36", "nack", Fault::Nack),
        ("sht4x@0x45", "bad_crc", Fault::Crc),
        ("bme280@0x76", "gone", Fault::Nack),
        ("ads1115@0x4a", "timeout", Fault::Timeout),
    ];
    let faults: Vec<String> = plan.iter().map(|(chip, kind, _)| format!("{chip}={kind}@5s..12s")).collect();
    let faults: Vec<&str> = faults.iter().map(String::as_str).collect();
    for (at, index, quantity, result) in run(20, &faults) {
        let planned = plan.iter().find(|(chip, ..)| index_of(chip) == index);
        // A measurement takes up to 200 ms, so one that ends just after an edge has been on both sides of it.
        let (begun, ended) = (at >= 5_200_000, at >= 12_200_000);
        let near_an_edge = (5_000_000..5_200_000).contains(&at) || (12_000_000..12_200_000).contains(&at);
        match planned {
            Some((chip, _, fault)) if begun && !near_an_edge && !ended => {
                assert_eq!(result, Err(*fault), "{chip} at {at}");
            }
            Some(_) if near_an_edge => {}
            _ => assert!(result.is_ok(), "{} quantity {quantity} at {at}: {result:?}", CHIPS[index]),
        }
    }
}

#[test]
fn a_stuck_chip_is_found_out_and_a_quiet_one_is_not() {
    let readings = run(200, &["sht3x@0x44=stuck@10s..190s"]);
    let sht3x = index_of("sht3x@0x44");
    let stuck: Vec<i64> = readings
        .iter()
        .filter(|(.., result)| *result == Err(Fault::Stuck))
        .map(|(at, index, ..)| {
            assert_eq!(*index, sht3x, "{} is not stuck", CHIPS[*index]);
            at / 1_000_000
        })
        .collect();
    assert_eq!(stuck.first(), Some(&130), "after 120 repeats");
    assert_eq!(stuck.last(), Some(&189));
}
