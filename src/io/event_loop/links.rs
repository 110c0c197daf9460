//! The life of a link: accepted or connected, read in turns, flushed, closed.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Token};

use super::EventLoop;
use crate::io::clock;
use crate::io::link::{Fate, Link, Received};
use crate::model::{Access, Body, FramingName, Message};
use crate::node::Input;
use crate::proto::{Far, LinkId};
use crate::wire::{Framing, WireError};

/// Links at once; more are turned away at the door.
const LINKS_MAX: usize = 10_240;
/// Connections accepted before others have their turn.
const ACCEPTS_PER_TURN_MAX: usize = 256;
/// After an accept that failed (no file descriptors left, say), this long until the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Reads of one link before the others have their turn: some 15,000 small messages, a hundredth of a second.
const READS_PER_TURN_MAX: usize = 4;
/// Messages of a script that are told to the node before what it wants is carried out.
const MESSAGES_TOGETHER_MAX: u32 = 1_024;
/// What strangers' links may hold in memory together: half messages, and what waits to be sent. A primary's peers send
/// what they were asked for, and do not count.
const HELD_MAX_BYTES: usize = 32 << 20;

/// Why a link goes whose other end has gone.
const ENDED: &str = "closed by the other end";

/// How a turn of reading ended.
enum ReadTurn {
    /// All that was there is read.
    Drained,
    /// There may be more.
    More,
    /// There may be more, and it has to wait until the store has caught up.
    Paused,
    /// The node does not want the link any more.
    Dropped,
    /// The other end says nothing more.
    Ended,
    /// The socket failed.
    Failed(String),
}

impl EventLoop {
    /// Accepts who waits at a port, by its place.
    pub(super) fn accept(&mut self, port: usize) {
        for _ in 0..ACCEPTS_PER_TURN_MAX {
            let Some(port) = self.parts.ports.get(port) else { return };
            match port.listener.accept() {
                Ok((stream, remote)) => {
                    let mut access = port.access(remote, &self.parts.crew.plan().settings().access);
                    // Who is told by beacons where to come is let in there.
                    let here = stream.local_addr().ok().map(|address| address.ip().to_canonical());
                    if self.parts.beacons.as_ref().is_some_and(|known| Some(known.address().into()) == here) {
                        access.open = access.open.with(FramingName::Zre);
                    }
                    self.welcome(stream, remote, access);
                }
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

    fn welcome(&mut self, stream: TcpStream, remote: SocketAddr, access: Access) {
        if self.links.len() >= LINKS_MAX {
            self.turned_away += 1;
            if self.turned_away.is_power_of_two() {
                log::warn!("{} connections turned away: {LINKS_MAX} are open already", self.turned_away);
            }
            return;
        }
        if let Some(link) = self.add_link(
            stream,
            remote,
            None,
            Framing::unknown(access).named(self.parts.node.zmtp_identity(None)),
        ) {
            log::debug!("{remote}: connected");
            self.tell(Input::LinkUp { link, far: None, remote: remote.ip() });
        }
    }

    pub(super) fn add_link(
        &mut self,
        stream: TcpStream,
        remote: SocketAddr,
        far: Option<Far>,
        framing: Framing,
    ) -> Option<LinkId> {
        let id = LinkId(self.next_link);
        self.next_link += 1;
        let mut link = Link::new(stream, remote.ip(), far, framing);
        // Every message is one write: there is nothing to be gained by waiting for more.
        let _ = link.stream().set_nodelay(true);
        let token = Token(usize::try_from(id.0).ok()?);
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.parts.poll.registry().register(link.stream(), token, interest) {
            log::warn!("{remote}: the connection cannot be watched: {error}");
            return None;
        }
        self.links.insert(id, link);
        Some(id)
    }

    pub(super) fn link_event(&mut self, id: LinkId, event: &mio::event::Event, scratch: &mut [u8]) {
        let Some(link) = self.links.get(&id) else { return };
        if !link.is_connected && !self.finish_connecting(id) {
            return;
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        if event.is_writable() {
            self.unsent.insert(id);
        }
        link.is_ending |= event.is_read_closed() || event.is_error();
        if event.is_readable() || link.is_ending {
            self.read(id, scratch);
        }
    }

    /// Whether the link now stands. It is told to the node once, either way.
    fn finish_connecting(&mut self, id: LinkId) -> bool {
        let Some(link) = self.links.get_mut(&id) else { return false };
        let Some(far) = link.far else { return true };
        let failure = match link.stream().take_error() {
            Ok(Some(error)) | Err(error) => Some(error.to_string()),
            Ok(None) => match link.stream().peer_addr() {
                Ok(_) => None,
                Err(error) if error.kind() == ErrorKind::NotConnected => return false,
                Err(error) => Some(error.to_string()),
            },
        };
        if let Some(why) = failure {
            self.remove_link(id);
            self.tell(Input::LinkFailed { far, why });
            return false;
        }
        link.is_connected = true;
        let remote = link.remote;
        if link.greet() {
            self.unsent.insert(id);
        }
        self.tell(Input::LinkUp { link: id, far: Some(far), remote });
        true
    }

    /// Reads a link for one turn.
    pub(super) fn read(&mut self, id: LinkId, scratch: &mut [u8]) {
        // The link is taken out while it is read, for its messages may make the node drop it.
        let Some(mut link) = self.links.remove(&id) else { return };
        let messages = link.messages;
        let turn = if link.is_open() { self.read_turn(id, &mut link, scratch) } else { ReadTurn::Drained };
        if matches!(turn, ReadTurn::Dropped) {
            return self.forget_link(id, link);
        }
        if link.is_open() {
            let brought_message = link.messages != messages;
            let now = clock::now().mono;
            self.unfinished.after_read(id, now, brought_message, link.is_partial());
            self.pauses.after_read(id, now, link.pause());
        }
        let is_peer = link.far.is_some();
        if matches!(turn, ReadTurn::Ended) && !is_peer && link.is_open() {
            link.fate = Fate::Answering;
            self.unsent.insert(id);
        }
        self.links.insert(id, link);
        match turn {
            ReadTurn::More => {
                self.unread.insert(id);
            }
            ReadTurn::Paused => {
                self.unfinished.end(id);
                self.paused.insert(id);
            }
            ReadTurn::Ended if is_peer => self.drop_link(id, ENDED),
            ReadTurn::Failed(why) => self.drop_link(id, &why),
            ReadTurn::Drained | ReadTurn::Dropped | ReadTurn::Ended => {}
        }
        self.weigh(id);
    }

    fn read_turn(&mut self, id: LinkId, link: &mut Link, scratch: &mut [u8]) -> ReadTurn {
        for _ in 0..READS_PER_TURN_MAX {
            if link.is_script && self.parts.store.is_behind() {
                return ReadTurn::Paused;
            }
            let room = scratch.len();
            let input = match link.receive(scratch) {
                Received::Bytes(bytes) => bytes,
                Received::Nothing => return ReadTurn::Drained,
                Received::End | Received::Failed(_) if !self.finish_message(id, link) => {
                    return ReadTurn::Dropped;
                }
                Received::End => return ReadTurn::Ended,
                Received::Failed(why) => return ReadTurn::Failed(why),
            };
            // Fewer bytes than there was room for: that was all, and what comes next is an event of its own.
            let is_all = input.len() < room && !link.is_ending;
            if !self.handle_messages(id, link, input) {
                return ReadTurn::Dropped;
            }
            if is_all || !link.is_open() {
                return ReadTurn::Drained;
            }
        }
        ReadTurn::More
    }

    /// Tells the node of each message, and carries out what it wants; false when it wants to drop the link. A script's
    /// small messages are told together, so that their readings go to the store together.
    fn handle_messages(&mut self, id: LinkId, link: &mut Link, mut input: &[u8]) -> bool {
        let (now, mut undrained) = (clock::now(), 0);
        while link.is_open()
            && let Some(message) = link.next_message(&mut input)
        {
            let is_script = matches!(&message, Ok(message) if is_of_script(&message.body));
            if let Ok(message) = &message
                && matches!(message.body, Body::Introduced { .. })
            {
                link.keep_alive();
            }
            link.is_script |= is_script;
            self.parts.node.handle_input(now, message_input(id, message));
            undrained += 1;
            if is_script && undrained < MESSAGES_TOGETHER_MAX {
                continue;
            }
            undrained = 0;
            if self.drain_beside(now, Some((id, &mut *link))) {
                return false;
            }
        }
        if link.greet() {
            self.unsent.insert(id);
        }
        undrained == 0 || !self.drain_beside(now, Some((id, link)))
    }

    /// The other end pauses: that may be the end of a message.
    pub(super) fn end_message(&mut self, id: LinkId) {
        let Some(mut link) = self.links.remove(&id) else { return };
        if !self.finish_message(id, &mut link) {
            return self.forget_link(id, link);
        }
        self.unfinished.after_read(id, clock::now().mono, true, link.is_partial());
        self.links.insert(id, link);
    }

    /// Tells the node of a message that ends with its connection, or with a pause; false when it wants to drop the
    /// link.
    fn finish_message(&mut self, id: LinkId, link: &mut Link) -> bool {
        let Some(message) = link.finish_message() else { return true };
        let now = clock::now();
        self.parts.node.handle_input(now, message_input(id, message));
        !self.drain_beside(now, Some((id, link)))
    }

    /// Sends what waits on every link that has something new, and closes those that have come to their end. What this
    /// node asks of its peers goes before what it answers: a token goes on before the one that came is acknowledged.
    pub(super) fn flush(&mut self) {
        if self.unsent.is_empty() {
            return;
        }
        let is_to_peer = |id: &LinkId| self.links.get(id).is_some_and(|link| link.far.is_some());
        let (first, then): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.unsent).into_iter().partition(is_to_peer);
        for id in first.into_iter().chain(then) {
            let Some(link) = self.links.get_mut(&id) else { continue };
            let sent = link.flush();
            match (link.fate.clone(), sent) {
                (Fate::Lost(why), _) | (_, Err(why)) => self.drop_link(id, &why),
                (Fate::Closing, Ok(true)) => self.remove_link(id),
                (Fate::Answering, Ok(true)) if link.awaited == 0 => self.drop_link(id, ENDED),
                // What it has not read by then, it will not read.
                (Fate::Closing | Fate::Answering, Ok(_)) => self.unfinished.begin(id, clock::now().mono),
                (Fate::Open, Ok(_)) => self.weigh(id),
            }
        }
    }

    /// Counts what a stranger's link holds in memory. When all of them hold too much, the one that holds most goes.
    fn weigh(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id).filter(|link| link.far.is_none()) else { return };
        self.held_bytes -= link.counted_bytes;
        link.counted_bytes = link.held_bytes();
        self.held_bytes += link.counted_bytes;
        if self.held_bytes <= HELD_MAX_BYTES {
            return;
        }
        let heaviest = self.links.iter().max_by_key(|(_, link)| link.counted_bytes);
        let Some((&id, link)) = heaviest else { return };
        let why = format!("holds {} KiB, and the links together too much", link.counted_bytes >> 10);
        let line = format!("{}: {why}: its link is closed", link.remote);
        self.drop_link(id, &why);
        self.tell_of_strangers(clock::now(), log::Level::Warn, &line);
    }

    pub(super) fn close(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id) {
            link.fate = Fate::Closing;
            self.unsent.insert(id);
        }
    }

    /// A link is gone by itself or is dropped by the loop: the node hears of it.
    pub(super) fn drop_link(&mut self, id: LinkId, why: &str) {
        let Some(link) = self.links.remove(&id) else { return };
        log::debug!("{}: {why}", link.remote);
        let connecting = link.far.filter(|_| !link.is_connected);
        self.forget_link(id, link);
        match connecting {
            Some(far) => self.tell(Input::LinkFailed { far, why: why.to_owned() }),
            None => self.tell(Input::LinkDown { link: id, why: why.to_owned() }),
        }
    }

    /// A link goes without the node hearing of it, for it was the node that wanted it.
    pub(super) fn remove_link(&mut self, id: LinkId) {
        if let Some(link) = self.links.remove(&id) {
            self.forget_link(id, link);
        }
    }

    pub(super) fn forget_link(&mut self, id: LinkId, mut link: Link) {
        // The socket is closed when it is dropped here, watched or not.
        let _ = self.parts.poll.registry().deregister(link.stream());
        self.held_bytes -= link.counted_bytes;
        self.unfinished.end(id);
        self.pauses.end(id);
        self.paused.remove(&id);
        self.unread.remove(&id);
        self.unsent.remove(&id);
        if link.far.is_some() && !link.is_connected {
            // Its name may lead elsewhere by now.
            self.found.retain(|_, found| found.ip() != link.remote);
        }
        if let Some(far) = link.far
            && self.peers.get(&far) == Some(&id)
        {
            self.peers.remove(&far);
        }
    }
}

/// What the node is told of what came.
fn message_input(link: LinkId, message: Result<Message, WireError>) -> Input {
    match message {
        Ok(message) => Input::Message { link, message },
        Err(error) => Input::Offence { link, error },
    }
}

/// Whether this may bring readings that wait for the store, so that its link has to wait with them.
fn is_of_script(body: &Body) -> bool {
    matches!(body, Body::Foreign(_) | Body::Station(_))
}
