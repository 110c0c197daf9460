//! One thread per bus: starts and reads its chips when their turn comes, stamps what they say, and hands it to the
//! store. It never waits for the network; it waits for the disk only in so far as the store's queue is full. Which
//! threads there are is for [`Samplers`] to say.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use pisink_sensors::bus::{self, BusSpec, DynBus, Simulation};
use pisink_sensors::catalogue::{self, DynChip};
use pisink_sensors::chip::{Fault, Sample, Step};
use pisink_sensors::host::Host;
use pisink_sensors::rota::{Action, Rota};
use pisink_sensors::sim::SimTime;
use pisink_sensors::stuck::StuckGuard;

use super::clock;
use super::desk::{Desk, reason};
use super::promise::Wait;
use super::settings::BusSettings;
use crate::model::{Channel, Value};

mod threads;

pub(crate) use threads::Samplers;

/// A bus that is not there is looked for again after this.
const REOPEN_AFTER: Duration = Duration::from_secs(2);
/// A measurement that says "wait" more often than this is over: a driver's steps are few.
const STEPS_MAX: u32 = 64;

/// One chip, its channels, and its measurement under way.
struct Task {
    name: String,
    chip: Box<DynChip>,
    /// Only for chips whose noise never lets them repeat themselves.
    guard: Option<StuckGuard>,
    channels: Vec<Arc<Channel>>,
    samples: Vec<Sample>,
    steps: u32,
    /// The fault of the last measurement, so that each is told once.
    last_fault: Option<Fault>,
}

struct BusThread {
    settings: BusSettings,
    bus: Option<Box<DynBus>>,
    reopen_at_us: i64,
    told_absent: bool,
    tasks: Vec<Task>,
    rota: Rota,
    desk: Desk,
}

impl BusThread {
    fn new(settings: &BusSettings, interval: Duration, is_first: bool, desk: Desk) -> Result<Self> {
        let mut tasks = Vec::new();
        let mut intervals = Vec::new();
        for spec in &settings.chips {
            let chip = catalogue::build(spec)?;
            let name = if is_first { spec.name() } else { spec.name_on(&settings.bus) };
            let channels = desk.channels(&name, chip.quantities());
            intervals.push(spec.interval().unwrap_or(interval));
            let guard = spec.row().noisy.then(StuckGuard::new);
            tasks.push(Task { name, chip, guard, channels, samples: Vec::new(), steps: 0, last_fault: None });
        }
        let rota = Rota::new(intervals);
        let settings = settings.clone();
        Ok(Self { settings, bus: None, reopen_at_us: 0, told_absent: false, tasks, rota, desk })
    }

    fn channels(&self) -> impl Iterator<Item = &Arc<Channel>> {
        self.tasks.iter().flat_map(|task| &task.channels)
    }

    fn run(&mut self, wait: &Wait) {
        loop {
            let now_us = clock::now().mono.as_micros();
            let until_us = match self.rota.next(now_us) {
                Action::Start(at) => {
                    self.start(at);
                    now_us
                }
                Action::Read(at) => {
                    self.read(at);
                    now_us
                }
                Action::WaitUntil(until_us) => until_us,
            };
            if !wait.until(until_us, now_us) {
                return;
            }
        }
    }

    fn start(&mut self, at: usize) {
        self.open();
        let Some(task) = self.tasks.get_mut(at) else { return };
        task.samples.clear();
        task.steps = 0;
        let now_us = || clock::now().mono.as_micros();
        let Some(bus) = &mut self.bus else {
            return self.finish(at, Some(Fault::Absent));
        };
        match task.chip.start(bus.as_mut()) {
            Ok(wait) => self.rota.measuring(at, now_us(), wait),
            Err(error) => {
                log::debug!("{}: {error}", task.name);
                self.finish(at, Some(error.fault));
            }
        }
    }

    fn read(&mut self, at: usize) {
        let Some(task) = self.tasks.get_mut(at) else { return };
        let Some(bus) = &mut self.bus else { return self.finish(at, Some(Fault::Absent)) };
        task.steps += 1;
        match task.chip.read(bus.as_mut(), &mut task.samples) {
            Ok(Step::Done) => self.finish(at, None),
            Ok(Step::Wait(wait)) if task.steps < STEPS_MAX => {
                self.rota.measuring(at, clock::now().mono.as_micros(), wait);
            }
            Ok(Step::Wait(_)) => self.finish(at, Some(Fault::Timeout)),
            Err(error) => {
                log::debug!("{}: {error}", task.name);
                self.finish(at, Some(error.fault));
            }
        }
    }

    /// A measurement is over: every quantity gets its value, or the fault.
    fn finish(&mut self, at: usize, fault: Option<Fault>) {
        self.rota.finished(at, clock::now().mono.as_micros());
        let Some(task) = self.tasks.get_mut(at) else { return };
        if let Some(guard) = &mut task.guard {
            guard.check(&mut task.samples);
        }
        let rest = fault.unwrap_or(Fault::NotReady);
        let values: Vec<(Arc<Channel>, Value)> = task
            .channels
            .iter()
            .enumerate()
            .map(|(quantity, channel)| {
                let sample = task.samples.iter().find(|sample| sample.quantity == quantity);
                (Arc::clone(channel), sample.map_or(Err(rest), |sample| sample.value).map_err(reason))
            })
            .collect();
        if fault != task.last_fault {
            match fault {
                Some(fault) => log::warn!("{}: ERR {}", task.name, reason(fault)),
                None => log::info!("{}: answers again", task.name),
            }
            task.last_fault = fault;
        }
        if let Some(fault) = fault {
            self.doubt_bus(fault);
        }
        self.desk.take(values.into_iter());
    }

    /// A kernel bus that has gone away (driver unbound, adapter pulled out) answers nothing until it is opened anew.
    fn doubt_bus(&mut self, fault: Fault) {
        if let BusSpec::Pi(number) = self.settings.bus
            && (fault == Fault::Absent || !PathBuf::from(format!("/dev/i2c-{number}")).exists())
        {
            self.bus = None;
        }
    }

    fn open(&mut self) {
        let now_us = clock::now().mono.as_micros();
        if self.bus.is_some() || now_us < self.reopen_at_us {
            return;
        }
        let simulation = Simulation {
            chips: &self.settings.chips,
            faults: &self.settings.faults,
            clock: Box::new(|| SimTime::from_micros(clock::now().wall.as_unix_micros())),
        };
        match bus::open(&self.settings.bus, simulation) {
            Ok(bus) => {
                if std::mem::take(&mut self.told_absent) {
                    log::info!("{}: the bus is there now", self.settings.bus);
                }
                self.bus = Some(bus);
            }
            Err(error) => {
                if !std::mem::replace(&mut self.told_absent, true) {
                    log::error!(
                        "{error}. Until then its chips are ERR absent, and the bus is looked for again and again"
                    );
                }
                self.reopen_at_us =
                    now_us.saturating_add(i64::try_from(REOPEN_AFTER.as_micros()).unwrap_or(0));
            }
        }
    }
}

/// The machine's own channels.
struct HostThread {
    host: Host,
    channels: Vec<Arc<Channel>>,
    rota: Rota,
    desk: Desk,
}

impl HostThread {
    fn new(data: &Path, interval: Duration, desk: Desk) -> Self {
        let host = Host::open(Path::new("/"), data);
        let channels = desk.channels("host", host.quantities());
        Self { host, channels, rota: Rota::new([interval]), desk }
    }

    fn run(&mut self, wait: &Wait) {
        loop {
            let now_us = clock::now().mono.as_micros();
            let until_us = match self.rota.next(now_us) {
                Action::Start(at) | Action::Read(at) => {
                    self.measure();
                    self.rota.finished(at, clock::now().mono.as_micros());
                    now_us
                }
                Action::WaitUntil(until_us) => until_us,
            };
            if !wait.until(until_us, now_us) {
                return;
            }
        }
    }

    fn measure(&self) {
        let samples = self.host.measure();
        let value = |sample: &Sample| {
            Some((Arc::clone(self.channels.get(sample.quantity)?), sample.value.map_err(reason)))
        };
        self.desk.take(samples.iter().filter_map(value));
    }
}
