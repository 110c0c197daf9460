//! The mio loop: the only place where sockets are read and written. It tells the node what happened, carries out what
//! the node wants, and waits until the next event or the node's next time-out.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use anyhow::{Context, Result};
use mio::{Events, Interest, Poll, Token};
use signal_hook::consts::{SIGHUP, SIGUSR1};
use signal_hook_mio::v1_0::Signals;

mod beacons;
mod links;
mod orders;
mod outputs;
mod pauses;
mod stations;
mod telling;

use super::beacons::Beacons;
use super::clock;
use super::crew::Crew;
use super::files::Files;
use super::link::Link;
use super::notify::Notify;
use super::ports::{PORTS_MAX, Port};
use super::resolver::{Resolved, Resolver};
use super::store_thread::{StoreHandle, StoreReply};
use super::synced::Synced;
use super::unfinished::{UNFINISHED_MAX, Unfinished};
use crate::model::{Instant, Now, Readings};
use crate::node::{Asker, Input, Node};
use crate::proto::{Far, LinkId};
use crate::wire::Dialect;
use orders::Pending;
use pauses::Pauses;
use telling::Telling;

pub(super) const WAKER: Token = Token(0);
const SIGNALS: Token = Token(1);
/// Tokens from here on are ports', by their place among the ports.
const FIRST_PORT: usize = 2;
/// Tokens from here on are links' numbers.
const FIRST_LINK: u64 = 16;
const BEACONS: Token = Token(15);

/// Links that wait for the store are looked at again after this at the latest.
const PAUSE_MAX: Duration = Duration::from_millis(50);
/// One buffer for all reads.
const SCRATCH_BYTES: usize = 64 << 10;
const EVENTS_MAX: usize = 1_024;
/// From one look at what synchronises the clock to the next, if the loop is awake then: it is not woken for it.
const SYNCED_EVERY: Duration = Duration::from_secs(16);

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Somebody asked for it.
    Stopped,
    /// The store is damaged and has to be opened anew.
    StoreDamaged,
}

/// What the loop works with; made by [`super::run`].
pub(crate) struct Parts {
    pub(crate) poll: Poll,
    pub(crate) ports: Vec<Port>,
    pub(crate) signals: Signals,
    pub(crate) node: Node,
    /// How it is found by peers of ZRE.
    pub(crate) beacons: Option<Beacons>,
    pub(crate) synced: Synced,
    pub(crate) store: StoreHandle,
    pub(crate) replies: Receiver<StoreReply>,
    pub(crate) resolver: Resolver,
    pub(crate) resolved: Receiver<Resolved>,
    /// Who works beside the loop.
    pub(crate) crew: Crew,
    /// The files that stations give and take.
    pub(crate) files: Option<Files>,
    /// Whether SIGHUP asks to read the config again, and not for the end.
    pub(crate) hangup_reloads: bool,
    /// Who started this node, and wants to know how it is.
    pub(crate) notify: Notify,
}

/// The loop's state.
pub(crate) struct EventLoop {
    parts: Parts,
    links: BTreeMap<LinkId, Link>,
    next_link: u64,
    /// The link, or the attempt at one, of each peer.
    peers: BTreeMap<Far, LinkId>,
    /// Peers whose name is being resolved, with the attempt's number and what is to be spoken there.
    resolving: BTreeMap<Far, (u64, Dialect)>,
    /// Where listed names have led, until a connection there does not come about: a ring that hands its token over a
    /// fresh link cannot wait for a resolver that waits for the name of somebody who is gone.
    found: BTreeMap<String, SocketAddr>,
    /// Links with more to read than their turn allowed.
    unread: BTreeSet<LinkId>,
    /// Links with something new to send.
    unsent: BTreeSet<LinkId>,
    /// Scripts' links that are not read until the store has caught up.
    paused: BTreeSet<LinkId>,
    unfinished: Unfinished,
    pauses: Pauses,
    /// Pieces of other nodes' journals, to be handed to the store.
    pieces: Vec<Readings>,
    /// Reads under way in the store.
    reads: usize,
    /// What strangers' links hold in memory together.
    held_bytes: usize,
    telling: Telling,
    /// Messages and bytes that nodes were sent; what people were answered does not count.
    said: (u64, u64),
    accept_again_at: Option<Instant>,
    synced_at: Instant,
    turned_away: u64,
    /// The change of role that waits for the store.
    pending: Option<Pending>,
    /// Somebody asked meanwhile to read the config again.
    reload_waits: bool,
    /// More beacons have come than their turn allowed.
    has_beacons: bool,
    ending: Option<Ending>,
}

impl EventLoop {
    pub(crate) fn new(mut parts: Parts) -> Result<Self> {
        let registry = parts.poll.registry();
        for (at, port) in parts.ports.iter_mut().enumerate() {
            registry
                .register(&mut port.listener, Token(FIRST_PORT + at), Interest::READABLE)
                .context("watching a listening port")?;
        }
        if let Some(beacons) = &mut parts.beacons {
            registry
                .register(&mut beacons.socket, BEACONS, Interest::READABLE)
                .context("watching for beacons")?;
        }
        registry.register(&mut parts.signals, SIGNALS, Interest::READABLE).context("watching for signals")?;
        Ok(Self {
            parts,
            links: BTreeMap::new(),
            next_link: FIRST_LINK,
            peers: BTreeMap::new(),
            resolving: BTreeMap::new(),
            found: BTreeMap::new(),
            unread: BTreeSet::new(),
            unsent: BTreeSet::new(),
            paused: BTreeSet::new(),
            unfinished: Unfinished::default(),
            pauses: Pauses::default(),
            pieces: Vec::new(),
            reads: 0,
            held_bytes: 0,
            telling: Telling::new(clock::now().mono),
            said: (0, 0),
            accept_again_at: None,
            synced_at: clock::now().mono,
            turned_away: 0,
            pending: None,
            reload_waits: false,
            has_beacons: false,
            ending: None,
        })
    }

    /// Runs until somebody asks it to stop.
    pub(crate) fn run(&mut self) -> Result<Ending> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut scratch = vec![0; SCRATCH_BYTES];
        self.tell_ready();
        loop {
            let now = clock::now();
            self.handle_due(now);
            self.flush();
            if let Some(ending) = self.ending {
                self.parts.beacons.iter_mut().for_each(Beacons::goodbye);
                return Ok(ending);
            }
            let patience = self.patience(now.mono);
            match self.parts.poll.poll(&mut events, patience) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other.context("waiting for events")?,
            }
            for event in &events {
                match event.token() {
                    WAKER => self.take_replies(),
                    SIGNALS => self.take_signals(),
                    BEACONS => self.take_beacons(),
                    Token(port) if port < FIRST_PORT + PORTS_MAX => self.accept(port - FIRST_PORT),
                    Token(number) => self.link_event(LinkId(number as u64), event, &mut scratch),
                }
            }
            if self.has_beacons {
                self.take_beacons();
            }
            for link in std::mem::take(&mut self.unread) {
                self.read(link, &mut scratch);
            }
            // Others wait for what came of that; what is due here can wait for them.
            self.flush();
        }
    }

    /// Those who worked beside the loop, when it has ended.
    pub(crate) fn into_crew(self) -> Crew {
        self.parts.crew
    }

    fn tell_ready(&mut self) {
        let Parts { notify, node, crew, .. } = &mut self.parts;
        let now = clock::now();
        notify.ready(now.mono, || outputs::whole_status(node, crew, now));
    }

    fn patience(&self, now: Instant) -> Option<Duration> {
        if !self.unread.is_empty() || self.has_beacons {
            return Some(Duration::ZERO);
        }
        let node = self.parts.node.poll_timeout().map(|(at, _)| at);
        let paused = (!self.paused.is_empty()).then(|| now + PAUSE_MAX);
        let due = [
            node,
            self.unfinished.due(),
            self.pauses.due(),
            self.accept_again_at,
            paused,
            self.parts.notify.due(),
        ];
        let due = due.into_iter().flatten().min()?;
        Some(due.saturating_since(now))
    }

    fn handle_due(&mut self, now: Now) {
        if self.parts.node.poll_timeout().is_some_and(|(at, _)| at <= now.mono) {
            self.parts.node.handle_timeout(now);
        }
        if now.mono.saturating_since(self.synced_at) >= SYNCED_EVERY {
            self.synced_at = now.mono;
            let synced = self.parts.synced.look(now);
            self.parts.node.handle_input(now, Input::ClockSynced(synced));
        }
        self.hand_over(now);
        self.drain(now);
        if self.accept_again_at.is_some_and(|at| at <= now.mono) {
            self.accept_again_at = None;
            (0..self.parts.ports.len()).for_each(|port| self.accept(port));
        }
        if !self.parts.store.is_behind() {
            self.unread.append(&mut self.paused);
        }
        let Parts { notify, node, crew, .. } = &mut self.parts;
        notify.turn(now.mono, || outputs::whole_status(node, crew, now));
        while let Some(link) = self.pauses.take_over(now.mono) {
            self.end_message(link);
        }
        while let Some(link) = self.unfinished.overdue(now.mono) {
            self.unfinished.end(link);
            self.drop_link(link, &format!("what began {} s ago has not ended", UNFINISHED_MAX.as_secs()));
        }
    }

    fn take_replies(&mut self) {
        let now = clock::now();
        while let Ok(reply) = self.parts.replies.try_recv() {
            let input = match reply {
                StoreReply::Appended(last) => Input::Appended(last),
                StoreReply::Taken { journal, cursor } => Input::Taken { journal, cursor },
                StoreReply::Refused { journal } => Input::Refused { journal },
                StoreReply::Piece { asker, piece } => {
                    self.has_read(asker);
                    Input::Piece { asker, piece }
                }
                StoreReply::Latest { asker, id, latest } => {
                    self.has_read(asker);
                    Input::Latest { asker, id, latest }
                }
                StoreReply::Settled(facts) => {
                    self.settled(now, facts);
                    continue;
                }
                StoreReply::Damaged(why) => {
                    log::error!("{why}");
                    self.parts.notify.reopening();
                    self.ending = Some(Ending::StoreDamaged);
                    continue;
                }
            };
            self.parts.node.handle_input(now, input);
            self.drain(now);
        }
        while let Ok((far, attempt, name, found)) = self.parts.resolved.try_recv() {
            if let Ok(found) = &found {
                self.found.insert(name, *found);
            }
            if let Some((_, dialect)) =
                self.resolving.get(&far).copied().filter(|(latest, _)| *latest == attempt)
            {
                self.resolving.remove(&far);
                self.connect(far, found, dialect);
            }
        }
    }

    /// The store has read what this one asked for.
    fn has_read(&mut self, asker: Asker) {
        self.reads = self.reads.saturating_sub(1);
        if let Some(link) = asker.link()
            && let Some(open) = self.links.get_mut(&link)
        {
            open.awaited = open.awaited.saturating_sub(1);
        }
    }

    fn take_signals(&mut self) {
        let signals: Vec<i32> = self.parts.signals.pending().collect();
        for signal in signals {
            match signal {
                SIGUSR1 => self.parts.crew.draw(),
                SIGHUP if self.parts.hangup_reloads => self.reload(),
                _ => {
                    self.parts.notify.stopping();
                    self.ending = Some(Ending::Stopped);
                }
            }
        }
    }

    fn tell(&mut self, input: Input) {
        let now = clock::now();
        self.parts.node.handle_input(now, input);
        self.drain(now);
    }
}
