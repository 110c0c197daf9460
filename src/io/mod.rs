//! Where the pure core meets the world: sockets, clocks, threads and files.
//!
//! One thread runs the mio loop with the [`crate::node::Node`]; one writes the store; each bus has one; one resolves
//! names; a running sink has one that draws. They talk through bounded channels, and nobody waits for the network.

mod autopilot;
mod beacons;
mod clock;
mod crew;
mod desk;
mod event_loop;
mod files;
mod interrupts;
mod kept_role;
mod link;
mod notify;
mod plan;
mod plotter;
mod ports;
mod promise;
mod queue;
mod request;
mod resolver;
mod roles;
mod sampler;
pub mod serve;
mod settings;
mod store_thread;
mod synced;
mod unfinished;
mod zre;
mod zre_peer;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::channel;

use anyhow::{Context, Result, bail};
use mio::{Poll, Waker};
use signal_hook::consts::{SIGHUP, SIGUSR1};
use signal_hook_mio::v1_0::Signals;

pub use autopilot::AutopilotSettings;
pub use clock::now;
pub(crate) use clock::{boot_id, random_u64};
pub use desk::reason;
pub use files::{FILE_MAX_BYTES, PART_MAX_BYTES, digest_of as file_digest};
pub use interrupts::Interrupts;
pub(crate) use kept_role::read as kept_role;
pub use plotter::{draw, write_aside};
pub use ports::PORTS_MAX;
pub use request::{Client, ClientError, Patience};
pub use settings::{
    AccessSettings, Again, BusSettings, OtherRole, PlotSettings, PortSettings, RoleSettings, Settings,
    Source, StandbySettings, ZreSettings,
};
pub use zre_peer::ZrePeerLoop;

use crate::model::{JournalId, NodeName, Now};
use crate::node::{Node, NodeConfig};
use crate::store::{Check, OpenParams, OwnJournal, Store};
use crew::Crew;
use event_loop::{Ending, EventLoop, Parts, WAKER};
use files::Files;
use notify::Notify;
use plan::Plan;
use resolver::Resolver;
use store_thread::{Ended, RoleFacts};
use synced::Synced;

/// A store that turns out damaged so often in one run has a disk that is past mending.
const DAMAGES_MAX: u32 = 3;

/// Runs a node until SIGINT, SIGTERM or SIGHUP, then leaves with everything flushed. A node that has a config to be
/// read again, and no terminal whose end SIGHUP could tell, reads it again at SIGHUP.
///
/// # Errors
/// What keeps it from starting (the port is in use, the data folder belongs to another process, ...), with the next
/// step.
pub fn run(settings: Settings, source: Source) -> Result<()> {
    raise_file_limit();
    let hangup_reloads = source.again.is_some() && !interrupts::has_terminal();
    let mut check = Check::Auto;
    let mut plan = Plan::new(settings, source);
    for _ in 0..DAMAGES_MAX {
        let ending;
        (ending, plan) = session(plan, check, hangup_reloads)?;
        if ending == Ending::Stopped {
            return Ok(());
        }
        check = Check::Full;
    }
    bail!("the store was damaged {DAMAGES_MAX} times in one run: replace the disk or SD card")
}

fn session(mut plan: Plan, check: Check, hangup_reloads: bool) -> Result<(Ending, Plan)> {
    let ports = ports::listen_on_all(plan.settings())?;
    let address = ports::own_address(&ports);
    // Port 0 is a free one; should there be a next session, it goes on where the peers know this node to be.
    plan.listens_on(address.clone());
    let signals = Signals::new(watched(hangup_reloads)).context("watching for signals")?;
    let store = open_store(plan.settings(), check)?;
    let mut synced = Synced::default();
    let mut node = node(plan.settings(), &store, &mut synced, clock::now())?;
    let beacons = zre::join(&mut node, plan.settings(), &address)?;
    let poll = Poll::new().context("making the event loop")?;
    let waker = Arc::new(Waker::new(poll.registry(), WAKER).context("making the event loop")?);
    let wake = move || {
        // It fails only when the loop is gone, and then nobody is to be woken.
        let _ = waker.wake();
    };
    let (to_loop, replies) = channel();
    let (answers, resolved) = channel();
    let (store, store_thread) = store_thread::start(store, plan.store_settings(), to_loop, wake.clone())?;
    let name = plan.settings().name.clone();
    let crew = Crew::start(plan, store.clone())?;
    let (role, data) = (crew.plan().settings().role.name(), crew.plan().data().display());
    log::info!("{name} ({role}) listens on {address}, keeps its data in {data}");
    log::info!("{}", ports::describe(&ports, &crew.plan().settings().access));

    let files = open_files(&crew.plan().settings().autopilot)?;
    let mut event_loop = EventLoop::new(Parts {
        poll,
        ports,
        signals,
        node,
        beacons,
        synced,
        store: store.clone(),
        replies,
        resolver: Resolver::start(answers, wake)?,
        resolved,
        notify: Notify::from_environment(crew.promises()),
        crew,
        files,
        hangup_reloads,
    })?;
    let ending = event_loop.run();
    let plan = event_loop.into_crew().stop();
    store.stop();
    let Ok(saved) = store_thread.join() else { bail!("the store's thread ended in a panic") };
    if let Some(drawing) = plan.drawing() {
        plotter::draw_last(plan.data(), &drawing);
    }
    Ok((farewell(&name, ending?, saved)?, plan))
}

/// The folder of files, if stations may give and take any.
fn open_files(settings: &AutopilotSettings) -> Result<Option<Files>> {
    let open =
        |dir: &std::path::PathBuf| Files::open(dir).with_context(|| format!("--files {}", dir.display()));
    settings.files.as_ref().map(open).transpose()
}

/// The signals that the loop waits for.
fn watched(hangup_reloads: bool) -> BTreeSet<i32> {
    // A process may have been started with SIGHUP ignored: for one that reloads that means nothing.
    let hangup = hangup_reloads.then_some(SIGHUP);
    interrupts::stopping().into_iter().chain([SIGUSR1]).chain(hangup).collect()
}

/// Says how a session ended. An error when somebody asked for the end and not everything is on disk.
fn farewell(name: &NodeName, ending: Ending, saved: Ended) -> Result<Ending> {
    match (ending, saved) {
        (Ending::Stopped, Ok(())) => log::info!("{name} has stopped; everything is on disk"),
        (Ending::Stopped, Err(lost)) => bail!("{name} has stopped; {lost}"),
        (Ending::StoreDamaged, Err(lost)) => log::error!("{lost}"),
        (Ending::StoreDamaged, Ok(())) => {}
    }
    Ok(ending)
}

fn open_store(settings: &Settings, check: Check) -> Result<Store> {
    let params = OpenParams {
        node: settings.name.clone(),
        new_journal: JournalId(clock::random_u64()),
        boot: clock::boot_id(),
        now: clock::now().wall,
        check,
    };
    let (store, report) = Store::open(&settings.data, &params)?;
    if let Some(damage) = &report.damage {
        // SQLite's findings come one a line; the log has one line for each event.
        let why = damage.why.split_whitespace().collect::<Vec<_>>().join(" ");
        log::error!(
            "the store was damaged ({why}): it is moved aside whole as {}; a new one with a new journal is begun",
            damage.moved_to.display()
        );
    }
    if let Some(name) = &report.renamed_from {
        log::warn!(
            "this data folder was node {name}'s: its journal goes on under the name {}",
            settings.name
        );
    }
    Ok(store)
}

fn node(settings: &Settings, store: &Store, synced: &mut Synced, now: Now) -> Result<Node> {
    let OwnJournal { journal, last } = store.own();
    let consumers = store.consumers()?;
    let config = NodeConfig {
        name: settings.name.clone(),
        journal,
        boot: clock::boot_id(),
        synced: synced.look(now),
        last,
        consumers: consumers
            .into_iter()
            .filter_map(|c| Some((NodeName::new(&c.name).ok()?, c.taken)))
            .collect(),
        role: roles::role(&settings.role, &RoleFacts::of(store)?),
    };
    let station = autopilot::station(settings, settings.access.allow, clock::random_u64());
    Ok(Node::new(config, now).with_station(station, now).with_lab(settings.lab.clone(), now))
}

/// Ten thousand links need as many file descriptors; the soft limit is often 1,024.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
    {
        log::debug!("the limit of open files stays at {:?}: {error}", limit.current);
    }
}
