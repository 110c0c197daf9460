//! A peer of ZRE by itself, for the command line: the machine of [`crate::proto`] on a small loop of its own, with its
//! own port and nothing of a node.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use signal_hook_mio::v1_0::Signals;

use super::beacons::Beacons;
use super::clock;
use super::interrupts;
use super::link::{Link, Received};
use super::zre::random_id;
use crate::model::{Access, Body, Commands, FramingName, Framings, Instant, Message};
use crate::proto::{Far, LinkId, VERSION_HEADER, Zre, ZreConfig, ZreEvent, ZreOutput};
use crate::wire::zre::{identity, peer_of};
use crate::wire::{Dialect, Framing};

const LISTENER: Token = Token(0);
const BEACONS: Token = Token(1);
const SIGNALS: Token = Token(2);
const FIRST_LINK: u64 = 16;
const EVENTS_MAX: usize = 256;
const SCRATCH_BYTES: usize = 64 << 10;
/// Links at once: one from each peer and one to each.
const LINKS_MAX: usize = 2_048;
/// Reads of one link before others have their turn.
const READS_PER_TURN_MAX: usize = 16;

/// A peer.
pub struct ZrePeerLoop {
    poll: Poll,
    listener: TcpListener,
    beacons: Beacons,
    signals: Signals,
    zre: Zre,
    links: BTreeMap<LinkId, Link>,
    next_link: u64,
    events: Vec<ZreEvent>,
    is_stopped: bool,
}

impl ZrePeerLoop {
    /// Begins as a peer of this name on the network of `interface`, or of the first that is not this machine's own.
    ///
    /// # Errors
    /// There is no such interface, or a socket cannot be had.
    pub fn begin(interface: Option<&str>, name: &str, groups: &[&str]) -> Result<Self> {
        let mut beacons = match interface {
            Some(interface) => Beacons::open(interface)?,
            None => Beacons::open_first()?,
        };
        let address = IpAddr::V4(beacons.address());
        let mut listener = TcpListener::bind(SocketAddr::new(address, 0))
            .with_context(|| format!("listening for peers at {address}"))?;
        let config = ZreConfig {
            id: random_id(),
            name: name.to_owned(),
            address: listener.local_addr().context("asking for the port")?,
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            headers: [(VERSION_HEADER.to_owned(), env!("CARGO_PKG_VERSION").to_owned())].into(),
        };
        let poll = Poll::new().context("making the event loop")?;
        let mut signals = Signals::new(interrupts::stopping()).context("watching for signals")?;
        let registry = poll.registry();
        registry.register(&mut listener, LISTENER, Interest::READABLE).context("watching the port")?;
        registry
            .register(&mut beacons.socket, BEACONS, Interest::READABLE)
            .context("watching for beacons")?;
        registry.register(&mut signals, SIGNALS, Interest::READABLE).context("watching for signals")?;
        Ok(Self {
            poll,
            listener,
            beacons,
            signals,
            zre: Zre::new(config, clock::now().mono),
            links: BTreeMap::new(),
            next_link: FIRST_LINK,
            events: Vec::new(),
            is_stopped: false,
        })
    }

    /// This machine's address on that network.
    pub fn address(&self) -> SocketAddr {
        self.zre.config().address
    }

    /// Who is known.
    pub fn peers(&self) -> &Zre {
        &self.zre
    }

    /// Has it say something; it goes out in the next turn.
    pub fn tell<T>(&mut self, tell: impl FnOnce(&mut Zre) -> T) -> T {
        tell(&mut self.zre)
    }

    /// Whether somebody asked for the end (SIGINT, SIGTERM).
    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Whether all that was said is with the kernel, or cannot be sent.
    pub fn is_sent(&self) -> bool {
        self.links.values().all(|link| link.far.is_none() || link.waiting_bytes() == 0)
    }

    /// Works until something happens that is to be told, or until `until`.
    ///
    /// # Errors
    /// The loop itself fails.
    pub fn turn(&mut self, until: Instant) -> Result<Vec<ZreEvent>> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut scratch = vec![0; SCRATCH_BYTES];
        loop {
            let now = clock::now().mono;
            self.zre.handle_timeout(now);
            self.drain();
            if !self.events.is_empty() || self.is_stopped || now >= until {
                return Ok(std::mem::take(&mut self.events));
            }
            let due = self.zre.poll_timeout().map_or(until, |(at, _)| at.min(until));
            match self.poll.poll(&mut events, Some(due.saturating_since(now).max(Duration::from_millis(1)))) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other.context("waiting for events")?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(),
                    BEACONS => self.take_beacons(),
                    SIGNALS => self.is_stopped |= self.signals.pending().next().is_some(),
                    Token(number) => self.serve(LinkId(number as u64), &mut scratch),
                }
            }
        }
    }

    /// Says goodbye.
    pub fn end(mut self) {
        self.beacons.goodbye();
    }

    fn accept(&mut self) {
        while let Ok((stream, remote)) = self.listener.accept() {
            let open = Framings::NONE.with(FramingName::Zre);
            let framing = Framing::unknown(Access { open, allow: Commands::NONE });
            if self.links.len() < LINKS_MAX {
                self.add(stream, remote.ip(), None, framing);
            }
        }
    }

    fn take_beacons(&mut self) {
        let now = clock::now().mono;
        while let Some((from, beacon)) = self.beacons.receive() {
            self.zre.beacon(now, from, beacon);
        }
    }

    fn add(
        &mut self,
        stream: TcpStream,
        remote: IpAddr,
        far: Option<Far>,
        framing: Framing,
    ) -> Option<LinkId> {
        let id = LinkId(self.next_link);
        self.next_link += 1;
        let mut link = Link::new(stream, remote, far, framing);
        let _ = link.stream().set_nodelay(true);
        let token = Token(usize::try_from(id.0).ok()?);
        self.poll.registry().register(link.stream(), token, Interest::READABLE | Interest::WRITABLE).ok()?;
        self.links.insert(id, link);
        Some(id)
    }

    /// A link can be read, written, or has ended.
    fn serve(&mut self, id: LinkId, scratch: &mut [u8]) {
        let now = clock::now().mono;
        let Some(mut link) = self.links.remove(&id) else { return };
        let is_kept =
            self.connected(id, &mut link, now) && (!link.is_connected || self.read(id, &mut link, scratch));
        if is_kept && link.flush().is_ok() {
            self.links.insert(id, link);
        } else {
            self.zre.link_down(now, id);
        }
        self.drain();
    }

    /// Whether the link stands, or may yet.
    fn connected(&mut self, id: LinkId, link: &mut Link, now: Instant) -> bool {
        let (false, Some(Far::Zre(peer))) = (link.is_connected, link.far) else { return true };
        let failure = link.stream().take_error().ok().flatten();
        match (failure, link.stream().peer_addr()) {
            (None, Ok(_)) => {
                link.is_connected = true;
                link.greet();
                self.zre.link_up(peer, id);
                true
            }
            (None, Err(error)) if error.kind() == ErrorKind::NotConnected => true,
            _ => {
                self.zre.link_failed(now, peer);
                false
            }
        }
    }

    fn read(&mut self, id: LinkId, link: &mut Link, scratch: &mut [u8]) -> bool {
        for _ in 0..READS_PER_TURN_MAX {
            let mut input = match link.receive(scratch) {
                Received::Bytes(bytes) => bytes,
                Received::Nothing => return true,
                Received::End | Received::Failed(_) => return false,
            };
            let now = clock::now().mono;
            while let Some(message) = link.next_message(&mut input) {
                match message.map(|message| message.body) {
                    Ok(Body::Introduced { identity, .. }) => self.zre.introduced(now, id, peer_of(&identity)),
                    Ok(Body::Zre(message)) => self.zre.message(now, id, message),
                    Ok(_) => {}
                    Err(error) if error.is_fatal() => {
                        log::debug!("{}: {error}", link.remote);
                        return false;
                    }
                    Err(error) => log::debug!("{}: {error}", link.remote),
                }
            }
            link.greet();
        }
        // What is left comes with an event that is asked for anew.
        let token = Token(usize::try_from(id.0).unwrap_or_default());
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().reregister(link.stream(), token, interest).is_ok()
    }

    fn drain(&mut self) {
        while let Some(output) = self.zre.poll_output() {
            match output {
                ZreOutput::Beacon(beacon) => self.beacons.send(beacon),
                ZreOutput::Connect(peer, address) => {
                    let framing =
                        Framing::speaking(Dialect::Zmtp).named(identity(self.zre.config().id).to_vec());
                    let address: Option<SocketAddr> = address.parse().ok();
                    let stream = address.and_then(|to| Some((TcpStream::connect(to).ok()?, to.ip())));
                    let link =
                        stream.and_then(|(stream, ip)| self.add(stream, ip, Some(Far::Zre(peer)), framing));
                    if link.is_none() {
                        self.zre.link_failed(clock::now().mono, peer);
                    }
                }
                ZreOutput::Disconnect(peer, _) => {
                    self.links.retain(|_, link| link.far != Some(Far::Zre(peer)))
                }
                ZreOutput::Close(link) => {
                    self.links.remove(&link);
                }
                ZreOutput::Send(link, message) => self.send(link, Body::Zre(message)),
                ZreOutput::Event(event) => self.events.push(event),
            }
        }
    }

    fn send(&mut self, id: LinkId, body: Body) {
        let now = clock::now();
        let Some(link) = self.links.get_mut(&id) else { return };
        let message = Message { id: String::new(), to: None, sender: None, timestamp: None, body };
        let is_short = link.queue(&message, now.wall);
        if !is_short || link.flush().is_err() {
            self.links.remove(&id);
            self.zre.link_down(now.mono, id);
        }
    }
}
