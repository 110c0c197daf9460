//! The turns of a server's loop: wait, accept, read, handle, flush, drop who is overdue.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result};
use mio::net::TcpStream;
use mio::{Events, Interest, Token};
use serde_json::json;

use super::{Caller, FIRST_LINK, Handler, LISTENER, SIGNALS, Server, Statistics};
use crate::io::clock;
use crate::io::link::{Fate, Link, Received};
use crate::io::unfinished::Unfinished;
use crate::model::{Access, Body, Commands, Framings, Instant, Message};
use crate::proto::LinkId;
use crate::wire::{Dialect, Framing, WireError};

const EVENTS_MAX: usize = 1_024;
/// One buffer for all reads.
const SCRATCH_BYTES: usize = 64 << 10;
/// Connections accepted before others have their turn, and reads of one link.
const ACCEPTS_PER_TURN_MAX: usize = 256;
const READS_PER_TURN_MAX: usize = 4;
/// After an accept that failed (no file descriptors left, say), this long until the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A link and what is known of its other end.
struct Guest {
    link: Link,
    address: SocketAddr,
    offences: u32,
}

/// The loop's state.
pub(super) struct Turns<H> {
    server: Server,
    handler: H,
    guests: BTreeMap<LinkId, Guest>,
    next_link: u64,
    unsent: BTreeSet<LinkId>,
    unread: BTreeSet<LinkId>,
    unfinished: Unfinished,
    silent: Option<Unfinished>,
    held_bytes: usize,
    accept_again_at: Option<Instant>,
    is_over: bool,
    statistics: Statistics,
}

impl<H: Handler> Turns<H> {
    pub(super) fn new(server: Server, handler: H) -> Self {
        let (unfinished, silent) = (server.limits.unfinished, server.limits.idle);
        Self {
            server,
            handler,
            guests: BTreeMap::new(),
            next_link: FIRST_LINK,
            unsent: BTreeSet::new(),
            unread: BTreeSet::new(),
            unfinished: Unfinished::within(unfinished),
            silent: silent.map(Unfinished::within),
            held_bytes: 0,
            accept_again_at: None,
            is_over: false,
            statistics: Statistics::default(),
        }
    }

    pub(super) fn run(mut self) -> Result<Statistics> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut scratch = vec![0; SCRATCH_BYTES];
        loop {
            let now = clock::now().mono;
            self.drop_overdue(now);
            self.flush();
            self.publish();
            if self.is_over || self.server.shared.is_over.load(Ordering::Acquire) {
                return Ok(self.statistics);
            }
            let patience = self.patience(now);
            match self.server.poll.poll(&mut events, patience) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other.context("waiting for events")?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(),
                    SIGNALS => self.take_signals(),
                    // The waker's number is no link's.
                    Token(number) => self.link_event(LinkId(number as u64), event, &mut scratch),
                }
            }
            for id in std::mem::take(&mut self.unread) {
                self.read(id, &mut scratch);
            }
            if self.accept_again_at.is_some_and(|at| at <= clock::now().mono) {
                self.accept();
            }
        }
    }

    fn take_signals(&mut self) {
        let mut signals = self.server.signals.iter_mut();
        self.is_over |= signals.any(|signals| signals.pending().next().is_some());
    }

    fn patience(&self, now: Instant) -> Option<Duration> {
        if !self.unread.is_empty() {
            return Some(Duration::ZERO);
        }
        let silent = self.silent.as_ref().and_then(Unfinished::due);
        let due = [self.unfinished.due(), silent, self.accept_again_at].into_iter().flatten().min()?;
        Some(due.saturating_since(now))
    }

    fn publish(&mut self) {
        self.statistics.links = self.guests.len();
        if let Ok(mut published) = self.server.shared.statistics.lock() {
            *published = self.statistics;
        }
    }

    fn accept(&mut self) {
        self.accept_again_at = None;
        for _ in 0..ACCEPTS_PER_TURN_MAX {
            match self.server.port.listener.accept() {
                Ok((stream, address)) => self.welcome(stream, address),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    log::warn!("a connection could not be accepted: {error}");
                    self.accept_again_at = Some(clock::now().mono + ACCEPT_PAUSE);
                    return;
                }
            }
        }
        self.accept_again_at = Some(clock::now().mono);
    }

    fn welcome(&mut self, stream: TcpStream, address: SocketAddr) {
        if self.guests.len() >= self.server.limits.links {
            self.statistics.turned_away += 1;
            return;
        }
        let id = LinkId(self.next_link);
        self.next_link += 1;
        let access = Access { open: Framings::ALL, allow: Commands::NONE };
        let mut link = Link::new(stream, address.ip(), None, Framing::unknown_plain(access));
        // Every message is one write: there is nothing to be gained by waiting for more.
        let _ = link.stream().set_nodelay(true);
        let Ok(token) = usize::try_from(id.0) else { return };
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.server.poll.registry().register(link.stream(), Token(token), interest) {
            log::warn!("{address}: the connection cannot be watched: {error}");
            return;
        }
        self.statistics.accepted += 1;
        self.guests.insert(id, Guest { link, address, offences: 0 });
        self.has_spoken(id);
    }

    fn link_event(&mut self, id: LinkId, event: &mio::event::Event, scratch: &mut [u8]) {
        let Some(Guest { link, .. }) = self.guests.get_mut(&id) else { return };
        if event.is_writable() {
            self.unsent.insert(id);
        }
        link.is_ending |= event.is_read_closed() || event.is_error();
        if event.is_readable() || link.is_ending {
            self.read(id, scratch);
        }
    }

    /// Reads a link for one turn.
    fn read(&mut self, id: LinkId, scratch: &mut [u8]) {
        for _ in 0..READS_PER_TURN_MAX {
            let Some(guest) = self.guests.get_mut(&id).filter(|guest| guest.link.is_open()) else { return };
            let (room, is_ending) = (scratch.len(), guest.link.is_ending);
            let (count, brought_message) = match guest.link.receive(scratch) {
                Received::Bytes(bytes) => (bytes.len(), self.handle(id, bytes)),
                Received::Nothing => return,
                Received::End => {
                    guest.link.fate = Fate::Answering;
                    self.unsent.insert(id);
                    return;
                }
                Received::Failed(_) => return self.remove(id),
            };
            let Some(guest) = self.guests.get(&id) else { return };
            self.unfinished.after_read(id, clock::now().mono, brought_message, guest.link.is_partial());
            self.has_spoken(id);
            self.weigh(id);
            // Fewer bytes than there was room for: that was all, and what comes next is an event of its own.
            if count < room && !is_ending {
                return;
            }
        }
        self.unread.insert(id);
    }

    /// Gives the handler each message, and queues its answers; whether there was one.
    fn handle(&mut self, id: LinkId, mut input: &[u8]) -> bool {
        let Some(guest) = self.guests.get_mut(&id) else { return false };
        let before = guest.link.messages;
        while guest.link.is_open()
            && let Some(message) = guest.link.next_message(&mut input)
        {
            let answer = match message.map(|message| message.body) {
                Ok(Body::Foreign(request)) => {
                    let dialect = guest.link.dialect().unwrap_or(Dialect::Line);
                    let caller = Caller { address: guest.address, link: id.0, dialect };
                    self.statistics.requests += 1;
                    let answer = self.handler.handle(&request, &caller);
                    self.statistics.answers += u64::from(answer.is_some());
                    answer
                }
                Ok(_) => None,
                Err(error) => {
                    self.statistics.offences += 1;
                    Some(guest.offend(&error, self.server.limits.offences))
                }
            };
            let Some(answer) = answer else { continue };
            let body = Body::Foreign(answer);
            let message = Message { id: String::new(), to: None, sender: None, timestamp: None, body };
            if !guest.link.queue(&message, clock::now().wall) {
                guest.link.lose("does not read what it is sent".to_owned());
                self.statistics.dropped += 1;
            }
            self.unsent.insert(id);
        }
        if guest.link.greet() {
            self.unsent.insert(id);
        }
        guest.link.messages != before
    }

    fn has_spoken(&mut self, id: LinkId) {
        if let Some(silent) = &mut self.silent {
            silent.end(id);
            silent.begin(id, clock::now().mono);
        }
    }

    fn flush(&mut self) {
        for id in std::mem::take(&mut self.unsent) {
            let Some(Guest { link, .. }) = self.guests.get_mut(&id) else { continue };
            let sent = link.flush();
            match (&link.fate, sent) {
                (Fate::Lost(_), _) | (_, Err(_)) | (Fate::Closing | Fate::Answering, Ok(true)) => {
                    self.remove(id)
                }
                // What it has not read by then, it will not read.
                (Fate::Closing | Fate::Answering, Ok(false)) => self.unfinished.begin(id, clock::now().mono),
                (Fate::Open, Ok(_)) => self.weigh(id),
            }
        }
    }

    /// Counts what a link holds in memory. When all of them hold too much, the one that holds most goes.
    fn weigh(&mut self, id: LinkId) {
        let Some(Guest { link, .. }) = self.guests.get_mut(&id) else { return };
        self.held_bytes -= link.counted_bytes;
        link.counted_bytes = link.held_bytes();
        self.held_bytes += link.counted_bytes;
        if self.held_bytes > self.server.limits.held_bytes
            && let Some(id) =
                self.guests.iter().max_by_key(|(_, guest)| guest.link.counted_bytes).map(|(id, _)| *id)
        {
            self.drop_guest(id, "it holds most of what all links together may");
        }
    }

    fn drop_overdue(&mut self, now: Instant) {
        while let Some(id) = self.unfinished.overdue(now) {
            self.unfinished.end(id);
            self.drop_guest(id, "what has begun has not ended");
        }
        while let Some(id) = self.silent.as_ref().and_then(|silent| silent.overdue(now)) {
            self.silent.iter_mut().for_each(|silent| silent.end(id));
            self.drop_guest(id, "it says nothing");
        }
    }

    fn drop_guest(&mut self, id: LinkId, why: &str) {
        if let Some(guest) = self.guests.get(&id) {
            log::debug!("{}: {why}: its link is closed", guest.address);
            self.statistics.dropped += 1;
            self.remove(id);
        }
    }

    fn remove(&mut self, id: LinkId) {
        let Some(mut guest) = self.guests.remove(&id) else { return };
        // The socket is closed when it is dropped here, watched or not.
        let _ = self.server.poll.registry().deregister(guest.link.stream());
        self.held_bytes -= guest.link.counted_bytes;
        self.unfinished.end(id);
        self.silent.iter_mut().for_each(|silent| silent.end(id));
        self.unread.remove(&id);
        self.unsent.remove(&id);
    }
}

impl Guest {
    /// What is answered to bytes that are no message; at the last one that is forgiven, or where the place of the next
    /// message is lost, the link closes after it.
    fn offend(&mut self, error: &WireError, offences_max: u32) -> serde_json::Value {
        self.offences += 1;
        if error.is_fatal() || self.offences >= offences_max {
            self.link.fate = Fate::Closing;
        }
        json!({ "error": error.to_string() })
    }
}
