//! Which threads sense, and how they change with the settings while the node runs: a bus whose settings are as they
//! were is not touched.

use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use pisink_sensors::bus::BusSpec;

use super::{BusThread, HostThread};
use crate::io::clock;
use crate::io::desk::{Board, Desk};
use crate::io::promise::{Promise, Wait};
use crate::io::settings::{BusSettings, Settings};
use crate::io::store_thread::StoreHandle;
use crate::model::NodeName;

/// What one thread does.
#[derive(Clone, Debug, PartialEq)]
enum Job {
    /// Reads the chips of a bus. Those of the first bus bear names without it.
    Bus { bus: BusSettings, interval: Duration, is_first: bool },
    /// Reads the machine's own channels.
    Host { data: PathBuf, interval: Duration },
}

impl Job {
    /// All that the settings want.
    fn all(settings: &Settings) -> Vec<Self> {
        let first = settings.buses.first().map(|bus| bus.bus);
        let interval = settings.interval;
        let bus =
            |bus: &BusSettings| Job::Bus { bus: bus.clone(), interval, is_first: Some(bus.bus) == first };
        let mut jobs: Vec<Job> = settings.buses.iter().map(bus).collect();
        if settings.host {
            jobs.push(Job::Host { data: settings.data.clone(), interval });
        }
        jobs
    }

    fn bus(&self) -> Option<BusSpec> {
        match self {
            Job::Bus { bus, .. } => Some(bus.bus),
            Job::Host { .. } => None,
        }
    }

    /// The thread's name.
    fn name(&self) -> String {
        self.bus().map_or_else(|| "host".to_owned(), |bus| bus.to_string())
    }

    fn work(&self, desk: Desk) -> Result<Work> {
        Ok(match self {
            Job::Bus { bus, interval, is_first } => {
                Work::Bus(Box::new(BusThread::new(bus, *interval, *is_first, desk)?))
            }
            Job::Host { data, interval } => Work::Host(HostThread::new(data, *interval, desk)),
        })
    }
}

/// A job ready to be done.
enum Work {
    Bus(Box<BusThread>),
    Host(HostThread),
}

impl Work {
    /// Does it until it is to end; its channels are no more then.
    fn run(mut self, wait: &Wait, board: &Board) {
        match &mut self {
            Work::Bus(thread) => {
                thread.run(wait);
                board.forget(thread.channels());
            }
            Work::Host(thread) => {
                thread.run(wait);
                board.forget(thread.channels.iter());
            }
        }
    }
}

/// A running thread.
struct Sampler {
    job: Job,
    /// Dropped to stop it.
    stop: Sender<()>,
    thread: JoinHandle<()>,
    promise: Promise,
}

/// What changes with other settings, made so that nothing of it can fail any more but starting threads.
pub(crate) struct Change {
    new: Vec<(Job, Work)>,
    goes_on: Vec<Job>,
}

/// The threads of all buses.
pub(crate) struct Samplers {
    node: NodeName,
    store: StoreHandle,
    running: Vec<Sampler>,
    /// Threads that are to end, and may be in the middle of something.
    ending: Vec<JoinHandle<()>>,
    board: Board,
}

impl Samplers {
    /// Starts a thread for each bus, and one for the machine's own channels.
    pub(crate) fn start(settings: &Settings, store: &StoreHandle) -> Result<Self> {
        let mut samplers = Self {
            node: settings.name.clone(),
            store: store.clone(),
            running: Vec::new(),
            ending: Vec::new(),
            board: Board::default(),
        };
        let change = samplers.change(settings)?;
        samplers.apply(change)?;
        Ok(samplers)
    }

    /// What would change with these settings.
    pub(crate) fn change(&self, settings: &Settings) -> Result<Change> {
        let (mut new, mut goes_on) = (Vec::new(), Vec::new());
        for job in Job::all(settings) {
            if self.running.iter().any(|sampler| sampler.job == job) {
                goes_on.push(job);
            } else {
                let desk =
                    Desk { node: self.node.clone(), store: self.store.clone(), board: self.board.clone() };
                let work = job.work(desk)?;
                new.push((job, work));
            }
        }
        Ok(Change { new, goes_on })
    }

    /// Stops what is no more, starts what is new. A thread whose bus has other settings now begins when the former one
    /// of that bus has ended; nobody waits for it.
    pub(crate) fn apply(&mut self, change: Change) -> Result<()> {
        let (stay, go): (Vec<Sampler>, Vec<Sampler>) = std::mem::take(&mut self.running)
            .into_iter()
            .partition(|sampler| change.goes_on.contains(&sampler.job));
        self.running = stay;
        self.ending.retain(|thread| !thread.is_finished());
        let mut former: Vec<(Option<BusSpec>, JoinHandle<()>)> = Vec::new();
        for Sampler { job, stop, thread, .. } in go {
            drop(stop);
            former.push((job.bus(), thread));
        }
        for (job, work) in change.new {
            let at = former.iter().position(|(bus, _)| *bus == job.bus());
            let before = at.map(|at| former.swap_remove(at).1);
            self.spawn(job, work, before)?;
        }
        self.ending.extend(former.into_iter().map(|(_, thread)| thread));
        Ok(())
    }

    /// Stops all threads and waits for them.
    pub(crate) fn stop(self) {
        let mut threads = self.ending;
        for Sampler { stop, thread, .. } in self.running {
            drop(stop);
            threads.push(thread);
        }
        threads.into_iter().for_each(join);
    }

    /// When each thread is to be back.
    pub(crate) fn promises(&self) -> impl Iterator<Item = Promise> {
        self.running.iter().map(|sampler| sampler.promise.clone())
    }

    /// The newest value of each channel.
    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    fn spawn(&mut self, job: Job, work: Work, before: Option<JoinHandle<()>>) -> Result<()> {
        let name = job.name();
        let (stop, stopped) = channel();
        let promise = Promise::new(&name, clock::now().mono);
        let (wait, board) = (Wait::new(stopped, promise.clone()), self.board.clone());
        let run = move || {
            before.into_iter().for_each(join);
            work.run(&wait, &board);
        };
        let thread = std::thread::Builder::new().name(name).spawn(run).context("starting a bus's thread")?;
        self.running.push(Sampler { job, stop, thread, promise });
        Ok(())
    }
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        log::error!("a bus's thread ended in a panic");
    }
}
