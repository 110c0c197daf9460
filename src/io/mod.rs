//! Where the pure core meets the world: sockets, clocks, threads and files.
//!
//! One thread runs the mio loop with the [`crate::node::Node`]; one writes the store; each bus has one; one resolves
//! names; a running sink has one that draws. They talk through bounded channels, and nobody waits for the network.

mod clock;
mod desk;
mod event_loop;
mod interrupts;
mod link;
mod notify;
mod plotter;
mod promise;
mod queue;
mod resolver;
mod sampler;
mod settings;
mod store_thread;
mod synced;

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::channel;

use anyhow::{Context, Result, bail};
use mio::net::TcpListener;
use mio::{Poll, Waker};
use serde_json::{Value as Json, json};
use signal_hook::consts::SIGUSR1;
use signal_hook_mio::v1_0::Signals;

pub use clock::now;
pub use desk::reason;
pub use interrupts::Interrupts;
pub use plotter::{draw, write_aside};
pub use settings::{BusSettings, PlotSettings, RoleSettings, Settings};

use crate::model::{JournalId, NodeName, Now, Seq};
use crate::node::{Node, NodeConfig, PollConfig, RingPart, Role};
use crate::store::{Check, OpenParams, OwnJournal, Retention, Store};
use event_loop::{Ending, EventLoop, Parts, WAKER};
use notify::Notify;
use plotter::Plotter;
use resolver::Resolver;
use sampler::Samplers;
use store_thread::{Ended, StoreHandle, StoreSettings};
use synced::Synced;

/// Connections that may wait to be accepted; the kernel bounds it further (`net.core.somaxconn`).
const BACKLOG: i32 = 4_096;

/// A store that turns out damaged so often in one run has a disk that is past mending.
const DAMAGES_MAX: u32 = 3;

/// Runs a node until SIGINT, SIGTERM or SIGHUP, then leaves with everything flushed.
///
/// # Errors
/// What keeps it from starting (the port is in use, the data folder belongs to another process, ...), with the next
/// step.
pub fn run(settings: Settings) -> Result<()> {
    raise_file_limit();
    let mut check = Check::Auto;
    let mut settings = settings;
    for _ in 0..DAMAGES_MAX {
        if session(&mut settings, check)? == Ending::Stopped {
            return Ok(());
        }
        check = Check::Full;
    }
    bail!("the store was damaged {DAMAGES_MAX} times in one run: replace the disk or SD card")
}

fn session(settings: &mut Settings, check: Check) -> Result<Ending> {
    let (listener, address) = listen(&settings.listen)?;
    // Port 0 is a free one; should there be a next session, it goes on where the peers know this node to be.
    settings.listen = address.to_string();
    let settings = &*settings;
    let watched = interrupts::stopping().into_iter().chain([SIGUSR1]);
    let signals = Signals::new(watched).context("watching for signals")?;
    let store = open_store(settings, check)?;
    let mut synced = Synced::default();
    let node = node(settings, &store, &mut synced, clock::now())?;
    let poll = Poll::new().context("making the event loop")?;
    let waker = Arc::new(Waker::new(poll.registry(), WAKER).context("making the event loop")?);
    let wake = move || {
        // It fails only when the loop is gone, and then nobody is to be woken.
        let _ = waker.wake();
    };
    let (to_loop, replies) = channel();
    let (answers, resolved) = channel();
    let (store, store_thread) = store_thread::start(store, store_settings(settings), to_loop, wake.clone())?;
    let samplers = Samplers::start(settings, &store)?;
    let plots = plots(settings);
    let plotter = plots.map(|plots| Plotter::start(&settings.data, plots)).transpose()?;
    log::info!(
        "{} ({}) listens on {address}, keeps its data in {}",
        settings.name,
        settings.role.name(),
        settings.data.display()
    );

    let mut event_loop = EventLoop::new(Parts {
        poll,
        listener,
        signals,
        node,
        synced,
        store: store.clone(),
        replies,
        resolver: Resolver::start(answers, wake)?,
        resolved,
        on_draw: plotter.as_ref().map_or_else(|| Box::new(|| ()) as Box<dyn Fn()>, Plotter::drawer),
        more_status: status(&store, &samplers),
        notify: Notify::from_environment(samplers.promises().chain([store.promise().clone()]).collect()),
    })?;
    let ending = event_loop.run();
    // With it goes its wish for plots, which the plotter waits for.
    drop(event_loop);
    samplers.stop();
    // The plotter reads the store: were it to do so while that is closed, its log would be left behind.
    if let Some(plotter) = plotter {
        plotter.stop();
    }
    store.stop();
    let Ok(saved) = store_thread.join() else { bail!("the store's thread ended in a panic") };
    if let Some(plots) = plots {
        plotter::draw_last(&settings.data, plots);
    }
    farewell(&settings.name, ending?, saved)
}

/// What is to be drawn. A ring's config is the same on every node; it is drawn where readings come together.
fn plots(settings: &Settings) -> Option<&PlotSettings> {
    let is_drawn = settings.role.collects() || matches!(settings.role, RoleSettings::Secondary);
    settings.plots.as_ref().filter(|_| is_drawn)
}

fn store_settings(settings: &Settings) -> StoreSettings {
    StoreSettings {
        flush_interval: settings.flush_interval,
        retention: Retention {
            max_age: settings.keep_for,
            max_bytes: Some(settings.keep_bytes),
            sink: settings.role.is_sink(),
        },
    }
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

fn listen(address: &str) -> Result<(TcpListener, SocketAddr)> {
    let wrong = || format!("--listen {address}: write it as ADDRESS:PORT, as in 0.0.0.0:7001");
    let resolved = address.to_socket_addrs().with_context(wrong)?.next().with_context(wrong)?;
    let listener = TcpListener::bind(resolved).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "--listen {address}: another program has this port; stop it, or choose another port"
        ),
        std::io::ErrorKind::AddrNotAvailable => anyhow::anyhow!(
            "--listen {address}: this machine has no such address; 0.0.0.0 stands for all that it has"
        ),
        _ => anyhow::anyhow!("--listen {address}: {error}"),
    })?;
    // The default of 128 is soon full when the power comes back on a whole site: who finds no room tries again only
    // after a second.
    rustix::net::listen(&listener, BACKLOG).context("listening")?;
    let actual = listener.local_addr().context("asking for the port")?;
    Ok((listener, actual))
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
        role: role(&settings.role, store)?,
    };
    Ok(Node::new(config, now))
}

/// The role, with what the store knows for it.
fn role(settings: &RoleSettings, store: &Store) -> Result<Role> {
    let known: BTreeMap<String, NodeName> = store.peers()?.into_iter().collect();
    let with_names = |peers: &[String]| {
        peers.iter().map(|address| (address.clone(), known.get(address).cloned())).collect()
    };
    Ok(match settings {
        RoleSettings::Secondary => Role::Secondary,
        RoleSettings::Primary { peers, poll_interval, deadline } => Role::Primary(PollConfig {
            peers: with_names(peers),
            cursors: cursors(store)?,
            poll_interval: *poll_interval,
            deadline: *deadline,
            last_round: store.last_round(),
            seed: clock::random_u64(),
        }),
        RoleSettings::Ring { peers, sink_rank, makes_token, token_hold, round_interval, standby_after } => {
            Role::Ring(RingPart {
                peers: with_names(peers),
                cursors: cursors(store)?,
                sink_rank: *sink_rank,
                makes_token: *makes_token,
                token_hold: *token_hold,
                round_interval: *round_interval,
                standby_after: *standby_after,
                last_round: store.last_round(),
                seed: clock::random_u64(),
            })
        }
    })
}

/// What is held of each journal; a node that was renamed has one journal under two names.
fn cursors(store: &Store) -> Result<BTreeMap<JournalId, Seq>> {
    let mut cursors = BTreeMap::new();
    for source in store.sources()? {
        let cursor: &mut Seq = cursors.entry(source.journal).or_default();
        *cursor = source.cursor.max(*cursor);
    }
    Ok(cursors)
}

fn status(store: &StoreHandle, samplers: &Samplers) -> Box<dyn Fn() -> Json> {
    let (store, channels) = (store.clone(), samplers.board());
    Box::new(move || json!({ "store": store.health().to_json(), "channels": channels.to_json() }))
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
