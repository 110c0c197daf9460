//! A peer of ZRE (RFC 36): finds others by their beacons, opens one link to each, says HELLO on it, and tells what
//! comes from them. What a peer says comes on the link that it opens to this one; what it is told goes on the link that
//! this one opened.
//!
//! A peer that has begun anew says HELLO again, and is answered with ours on a new link. So that two do not answer each
//! other for ever, whoever says HELLO unasked takes the next one for the answer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use std::time::Duration;

use core::net::{IpAddr, SocketAddr};

use super::contract::Machine;
use super::{LinkId, PeerIx};
use crate::model::{Beacon, Hello, Instant, Now, ZreBody, ZreId, ZreMessage};

mod event;
mod peer;

pub use event::{ZreEvent, ZreOutput, ZreParting};
pub use peer::{ZrePeer, ZreWrap};

/// From one beacon to the next, and from one look at who is silent to the next.
const BEACON_EVERY: Duration = Duration::from_secs(1);
/// A peer that is silent for so long is asked each second whether it is there.
pub const EVASIVE_AFTER: Duration = Duration::from_secs(11);
/// A peer that is silent for so long is gone.
pub const EXPIRED_AFTER: Duration = Duration::from_secs(30);
/// Most peers. Each holds a HELLO of 16 KiB at most.
pub const ZRE_PEERS_MAX: usize = 512;
/// The header of a program of pisink, with its version.
pub const VERSION_HEADER: &str = "pisink-version";
/// The header with a node's role.
pub const ROLE_HEADER: &str = "pisink-role";
/// The header with the port at which a node is polled.
pub const PORT_HEADER: &str = "pisink-port";
/// The group in which every node is.
pub const NODES_GROUP: &str = "pisink";

/// Who this peer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZreConfig {
    /// Drawn at random for each life of the process.
    pub id: ZreId,
    /// Its name, in ASCII: pyre counts characters where it should count bytes.
    pub name: String,
    /// Where others reach it.
    pub address: SocketAddr,
    /// The groups that it is in from the start.
    pub groups: BTreeSet<String>,
    /// What else it says of itself, in ASCII.
    pub headers: BTreeMap<String, String>,
}

/// The machine.
#[derive(Debug)]
pub struct Zre {
    config: ZreConfig,
    /// Counts own joins and leaves.
    status: u8,
    peers: BTreeMap<ZreId, ZrePeer>,
    /// The links that peers opened to this one.
    speakers: BTreeMap<LinkId, ZreId>,
    next_ix: usize,
    beacon_at: Instant,
    turned_away: u64,
    outputs: VecDeque<ZreOutput>,
}

impl Zre {
    /// Begins at `now`; the first beacon is due at once.
    pub fn new(config: ZreConfig, now: Instant) -> Self {
        Self {
            config,
            status: 0,
            peers: BTreeMap::new(),
            speakers: BTreeMap::new(),
            next_ix: 0,
            beacon_at: now,
            turned_away: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Who this peer is.
    pub fn config(&self) -> &ZreConfig {
        &self.config
    }

    /// The peers that said HELLO.
    pub fn peers(&self) -> impl Iterator<Item = &ZrePeer> {
        self.peers.values().filter(|peer| peer.is_ready())
    }

    /// A peer that said HELLO.
    pub fn peer(&self, id: ZreId) -> Option<&ZrePeer> {
        self.peers.get(&id).filter(|peer| peer.is_ready())
    }

    /// Beacons and HELLOs of peers for whom there was no room.
    pub fn turned_away(&self) -> u64 {
        self.turned_away
    }

    /// A beacon came from `from`.
    pub fn beacon(&mut self, now: Instant, from: IpAddr, beacon: Beacon) {
        if beacon.id == self.config.id {
            return;
        }
        let known = self.peers.get_mut(&beacon.id);
        match (known, beacon.port) {
            (Some(peer), None) if peer.address().ip() == from => {
                self.part(beacon.id, ZreParting::Goodbye);
            }
            (Some(peer), Some(port)) => peer.seen_at(now, SocketAddr::new(from, port)),
            (None, Some(port)) => self.meet(now, beacon.id, SocketAddr::new(from, port)),
            (_, None) => {}
        }
    }

    /// The link stands that [`ZreOutput::Connect`] asked for. What is said on it waits for the other end's
    /// introduction.
    pub fn link_up(&mut self, peer: PeerIx, link: LinkId) {
        if let Some(peer) = self.peers.values_mut().find(|known| known.ix() == peer) {
            peer.link_up(link);
        }
    }

    /// That link cannot be made: it is tried again while the peer is there.
    pub fn link_failed(&mut self, now: Instant, peer: PeerIx) {
        if let Some(peer) = self.peers.values_mut().find(|known| known.ix() == peer) {
            peer.link_lost(now);
        }
    }

    /// A link is gone, whoever opened it.
    pub fn link_down(&mut self, now: Instant, link: LinkId) {
        self.speakers.remove(&link);
        if let Some(peer) = self.peers.values_mut().find(|peer| peer.link() == Some(link)) {
            peer.link_lost(now);
        }
    }

    /// The other end of a link said who it is. Of two links of one peer the later one counts.
    pub fn introduced(&mut self, now: Instant, link: LinkId, speaker: Option<ZreId>) {
        if let Some(peer) = self.peers.values_mut().find(|peer| peer.link() == Some(link)) {
            let hello = hello(&self.config, self.status);
            return peer.introduced(now, hello, &mut self.outputs);
        }
        let Some(speaker) = speaker.filter(|id| *id != self.config.id) else { return };
        self.silence(speaker);
        self.speakers.insert(link, speaker);
    }

    /// Whether this link is one that a peer opened, or one to a peer.
    pub fn is_its_link(&self, link: LinkId) -> bool {
        self.speakers.contains_key(&link) || self.peers.values().any(|peer| peer.link() == Some(link))
    }

    /// A message came.
    pub fn message(&mut self, now: Instant, link: LinkId, message: ZreMessage) {
        let Some(&id) = self.speakers.get(&link) else { return };
        if let ZreBody::Hello(hello) = message.body {
            // Its sequence begins here.
            if message.sequence == 1 {
                self.hello(now, id, hello);
            }
            return;
        }
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.is_ready()) else { return };
        if !peer.follows(message.sequence) {
            // The next beacon makes it known again, and both begin anew.
            return self.part(id, ZreParting::MessagesLost);
        }
        peer.heard(now);
        match message.body {
            ZreBody::Hello(_) => {}
            ZreBody::PingOk => self.tell(ZreEvent::PingOk { peer: id }),
            ZreBody::Ping => peer.say(ZreBody::PingOk, &mut self.outputs),
            ZreBody::Whisper(content) => self.tell(ZreEvent::Whisper { peer: id, link, content }),
            ZreBody::Shout { group, content } => {
                if self.config.groups.contains(&group) {
                    self.tell(ZreEvent::Shout { peer: id, link, group, content });
                }
            }
            ZreBody::Join { group, .. } => {
                if peer.join(&group) {
                    self.tell(ZreEvent::Joined { peer: id, group });
                }
            }
            ZreBody::Leave { group, .. } => {
                if peer.leave(&group) {
                    self.tell(ZreEvent::Left { peer: id, group });
                }
            }
        }
    }

    /// Says something to one peer; false when there is no such peer, or too much waits for its link.
    pub fn whisper(&mut self, peer: ZreId, content: Vec<Vec<u8>>) -> bool {
        match self.peers.get_mut(&peer).filter(|peer| peer.is_ready()) {
            Some(peer) => peer.say_or_keep(ZreBody::Whisper(content), &mut self.outputs),
            None => false,
        }
    }

    /// Says something to all peers in a group, and to how many.
    pub fn shout(&mut self, group: &str, content: &[Vec<u8>]) -> usize {
        let members = self.peers.values_mut().filter(|peer| peer.is_in(group));
        let said = |peer: &mut ZrePeer| {
            let body = ZreBody::Shout { group: group.to_owned(), content: content.to_vec() };
            peer.say_or_keep(body, &mut self.outputs)
        };
        members.map(said).filter(|is_said| *is_said).count()
    }

    /// Asks a peer whether it has taken what was said to it; [`ZreEvent::PingOk`] says that it has. False when it
    /// cannot be asked.
    pub fn ping(&mut self, peer: ZreId) -> bool {
        match self.peers.get_mut(&peer).filter(|peer| peer.is_ready()) {
            Some(peer) => peer.say_or_keep(ZreBody::Ping, &mut self.outputs),
            None => false,
        }
    }

    /// Joins a group.
    pub fn join(&mut self, group: &str) {
        if self.config.groups.insert(group.to_owned()) {
            self.status = self.status.wrapping_add(1);
            self.say_to_all(&ZreBody::Join { group: group.to_owned(), status: self.status });
        }
    }

    /// Leaves a group.
    pub fn leave(&mut self, group: &str) {
        if self.config.groups.remove(group) {
            self.status = self.status.wrapping_add(1);
            self.say_to_all(&ZreBody::Leave { group: group.to_owned(), status: self.status });
        }
    }

    /// Changes a header. Only HELLO has headers: it is said to everybody again.
    pub fn set_header(&mut self, key: &str, value: &str) {
        if self.config.headers.get(key).is_some_and(|known| known == value) {
            return;
        }
        self.config.headers.insert(key.to_owned(), value.to_owned());
        for peer in self.peers.values_mut() {
            peer.begin_anew(&mut self.outputs);
        }
    }

    /// When to call [`Zre::handle_timeout`], and why.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        Some((self.beacon_at, "the next beacon of ZRE"))
    }

    /// Sends a beacon, and looks who is silent.
    pub fn handle_timeout(&mut self, now: Instant) {
        if now < self.beacon_at {
            return;
        }
        self.beacon_at = now + BEACON_EVERY;
        let beacon = Beacon { id: self.config.id, port: Some(self.config.address.port()) };
        self.outputs.push_back(ZreOutput::Beacon(beacon));
        let mut expired = Vec::new();
        for (id, peer) in &mut self.peers {
            if peer.silence(now) >= EXPIRED_AFTER {
                expired.push(*id);
                continue;
            }
            if peer.silence(now) >= EVASIVE_AFTER && peer.is_ready() {
                peer.say(ZreBody::Ping, &mut self.outputs);
            }
            peer.connect_again(now, &mut self.outputs);
        }
        for id in expired {
            self.part(id, ZreParting::Expired);
        }
    }

    /// The next thing to carry out.
    pub fn poll_output(&mut self) -> Option<ZreOutput> {
        self.outputs.pop_front()
    }

    /// Most outputs that one input may cause.
    pub fn outputs_max(&self) -> usize {
        4 * self.peers.len() + peer::WAITING_MAX + 8
    }

    /// Somebody who is not known yet.
    fn meet(&mut self, now: Instant, id: ZreId, address: SocketAddr) {
        // Who listened there before is gone.
        let former = self.peers.iter().find(|(_, peer)| peer.address() == address).map(|(id, _)| *id);
        if let Some(former) = former {
            self.part(former, ZreParting::Replaced);
        }
        if self.peers.len() >= ZRE_PEERS_MAX {
            let stranger = self.peers.iter().filter(|(_, peer)| !peer.is_ready()).min_by_key(|(_, p)| p.ix());
            let Some((&stranger, _)) = stranger else {
                self.turned_away += 1;
                return;
            };
            self.part(stranger, ZreParting::Replaced);
        }
        let ix = PeerIx(self.next_ix);
        self.next_ix += 1;
        let mut peer = ZrePeer::new(id, ix, address, now);
        peer.connect(&mut self.outputs);
        self.peers.insert(id, peer);
    }

    fn hello(&mut self, now: Instant, id: ZreId, hello: Hello) {
        let says = endpoint(&hello.endpoint);
        if !self.peers.contains_key(&id) {
            match says {
                Some(address) => self.meet(now, id, address),
                None => self.turned_away += 1,
            }
        }
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.heard(now);
        let was_ready = peer.is_ready();
        let is_anew = peer.begins_anew(now);
        if is_anew {
            peer.answer_anew(says, &mut self.outputs);
            let (name, why) = (peer.name().to_owned(), ZreParting::Anew);
            self.outputs.push_back(ZreOutput::Event(ZreEvent::Exit { peer: id, name, why }));
        }
        peer.take_hello(hello);
        if is_anew || !was_ready {
            self.tell(ZreEvent::Enter { peer: id });
        }
    }

    /// Forgets a peer. That both links go tells it to say HELLO again, should it still be there.
    fn part(&mut self, id: ZreId, why: ZreParting) {
        let Some(mut peer) = self.peers.remove(&id) else { return };
        peer.disconnect(&mut self.outputs);
        self.silence(id);
        if peer.is_ready() {
            self.tell(ZreEvent::Exit { peer: id, name: peer.name().to_owned(), why });
        }
    }

    /// Closes the link that a peer opened, if it did.
    fn silence(&mut self, speaker: ZreId) {
        let former = self.speakers.iter().find(|(_, id)| **id == speaker).map(|(link, _)| *link);
        if let Some(former) = former {
            self.speakers.remove(&former);
            self.outputs.push_back(ZreOutput::Close(former));
        }
    }

    /// Who is not reached yet is told by HELLO.
    fn say_to_all(&mut self, body: &ZreBody) {
        for peer in self.peers.values_mut() {
            peer.say(body.clone(), &mut self.outputs);
        }
    }

    fn tell(&mut self, event: ZreEvent) {
        self.outputs.push_back(ZreOutput::Event(event));
    }
}

fn hello(config: &ZreConfig, status: u8) -> Hello {
    Hello {
        endpoint: format!("tcp://{}", config.address),
        groups: config.groups.clone(),
        status,
        name: config.name.clone(),
        headers: config.headers.clone(),
    }
}

/// The address of an endpoint, if one can connect to it.
fn endpoint(text: &str) -> Option<SocketAddr> {
    let address: SocketAddr = text.strip_prefix("tcp://")?.parse().ok()?;
    let is_one = !address.ip().is_unspecified() && !address.ip().is_multicast() && address.port() != 0;
    is_one.then_some(address)
}

impl Machine for Zre {
    type Output = ZreOutput;
    fn handle_timeout(&mut self, now: Now) {
        Zre::handle_timeout(self, now.mono);
    }
    fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        Zre::poll_timeout(self)
    }
    fn poll_output(&mut self) -> Option<ZreOutput> {
        Zre::poll_output(self)
    }
    fn outputs_max(&self) -> usize {
        Zre::outputs_max(self)
    }
}

#[cfg(test)]
mod tests;
