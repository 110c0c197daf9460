//! The lab's programs as peers: answers their requests, polls those that are listed, and passes their token on.
//!
//! They know a connection for one packet only: who asks closes it, and the answer comes on a new one, to a port that
//! all of them listen on. So an answer is told by where it comes from, and by its being awaited: one for each question.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use core::net::{IpAddr, SocketAddr};
use serde_json::{Value as Json, json};

use super::contract::Machine;
use super::{LinkId, PeerIx};
use crate::model::{ErrReason, Instant, LabPair, LabText, LabToken, NodeName, Now, Value};

mod errand;
mod peer;
mod report;
mod turn;

use errand::Errand;
use peer::Peer;
pub use report::LabReport;
use turn::Turn;

/// Most requests that wait for what this node measured last; and most answers that are under way on connections of
/// their own. Each request is a read of the store: who polls is to find room there too.
const WAITING_MAX: usize = 32;
/// A connection that is to bring an answer back, or the token on, has to stand within this time.
const CONNECT_MAX: Duration = Duration::from_secs(3);

/// The lab's keys in the order in which its programs read them, with the quantities that they stand for.
const KEYS: [(&str, &str); 5] = [
    ("rtemp", "temperature"),
    ("rhumd", "humidity"),
    ("stemp", "soil_temperature"),
    ("smois", "soil_moisture"),
    ("winds", "wind_speed"),
];

/// What a node has to do with the lab's programs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabConfig {
    /// Those that are polled: what they are called here, and `host:port`.
    pub peers: Vec<(NodeName, String)>,
    /// From one question to the next.
    pub poll_interval: Duration,
    /// Answers go to this port of whoever asks as well.
    pub answer_port: Option<u16>,
    /// The way of the lab's token, if this node is on it.
    pub ring: Option<LabRing>,
}

/// The way of the lab's token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabRing {
    /// `host:port` of the next host.
    pub next: String,
    /// How many hosts there are: a token with this sequence number is taken in, and a new one begins.
    pub hosts: u32,
    /// Makes the token at the start, and when it is lost.
    pub makes_token: bool,
    /// Keeps the token for so long before it passes it on.
    pub token_hold: Duration,
}

/// What this node measured last with one chip.
#[derive(Clone, Debug, PartialEq)]
pub struct LabReading {
    /// The chip's name.
    pub chip: String,
    /// What is measured, as in `temperature`.
    pub quantity: String,
    /// The value in the quantity's unit, or ERR.
    pub value: Value,
}

/// Whose readings they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabSource {
    /// A host that is known by this name.
    Named(NodeName),
    /// Whoever is at the other end of this link.
    Link(LinkId),
}

/// What a driver has to carry out.
#[derive(Clone, Debug, PartialEq)]
pub enum LabOutput {
    /// Open a link there; answer with [`Lab::link_up`] or [`Lab::link_failed`].
    Connect(PeerIx, String),
    /// Drop this link, or without one the attempt at it; nothing is answered.
    Disconnect(PeerIx, Option<LinkId>),
    /// Send this packet.
    Send(LinkId, LabText),
    /// Send what is queued, then close this link; nothing is answered.
    Close(LinkId, &'static str),
    /// Find out what this node measured last, for the request on this link or for the token; answer with [`Lab::own`].
    ReadOwn(Option<LinkId>),
    /// Make these readings durable, as taken now.
    Take(LabSource, Vec<LabPair>),
    /// Tell people.
    Report(LabReport),
}

/// A request that waits for what this node measured last.
#[derive(Debug)]
struct Request {
    remote: IpAddr,
    /// Its link is gone already: the lab's programs close it as soon as they have asked.
    is_gone: bool,
}

/// The machine. See the [module](super) for its contract.
#[derive(Debug)]
pub struct Lab {
    peers: Vec<Peer>,
    poll_interval: Duration,
    answer_port: Option<u16>,
    turn: Option<Turn>,
    waiting: BTreeMap<LinkId, Request>,
    /// The token that waits for the same.
    token: Option<LabToken>,
    /// Answers on their way back, each by the place of its link.
    errands: BTreeMap<PeerIx, Errand>,
    next_errand: usize,
    requests: u64,
    turned_away: u64,
    tokens: u64,
    outputs: VecDeque<LabOutput>,
}

impl Lab {
    /// Begins at `now`.
    pub fn new(config: LabConfig, now: Instant) -> Self {
        let LabConfig { peers, poll_interval, answer_port, ring } = config;
        let peers: Vec<Peer> =
            peers.into_iter().map(|(name, address)| Peer::new(name, address, now)).collect();
        Self {
            // The place after the last peer is the next host's in the ring.
            next_errand: peers.len() + 1,
            peers,
            poll_interval: poll_interval.max(Duration::from_millis(1)),
            answer_port,
            turn: ring.map(|ring| Turn::new(ring, now)),
            waiting: BTreeMap::new(),
            token: None,
            errands: BTreeMap::new(),
            requests: 0,
            turned_away: 0,
            tokens: 0,
            outputs: VecDeque::new(),
        }
    }

    /// A link that was asked for stands, to this address.
    pub fn link_up(&mut self, now: Instant, ix: PeerIx, link: LinkId, remote: IpAddr) {
        let (turn_ix, outputs) = (self.turn_ix(), &mut self.outputs);
        if let Some(peer) = self.peers.get_mut(ix.0) {
            return peer.link_up(link, remote, outputs);
        }
        if ix == turn_ix {
            return if let Some(turn) = &mut self.turn {
                turn.link_up(now, link, outputs)
            };
        }
        if let Some(errand) = self.errands.remove(&ix) {
            outputs.push_back(LabOutput::Send(link, errand.text));
            outputs.push_back(LabOutput::Close(link, "the answer is given"));
        }
    }

    /// A link that was asked for cannot be made.
    pub fn link_failed(&mut self, now: Instant, ix: PeerIx, why: &str) {
        let (turn_ix, outputs) = (self.turn_ix(), &mut self.outputs);
        if let Some(peer) = self.peers.get_mut(ix.0) {
            return peer.fail(why, outputs);
        }
        if ix == turn_ix {
            return if let Some(turn) = &mut self.turn {
                turn.fail(now, why, outputs)
            };
        }
        if let Some(errand) = self.errands.remove(&ix) {
            outputs.push_back(errand.failed(why));
        }
    }

    /// A link is gone; whether it was one of this machine's. One of the lab's programs that is asked closes at once,
    /// and answers on a link of its own; and so do we, where that is wanted.
    pub fn link_down(&mut self, link: LinkId) -> bool {
        if self.answer_port.is_none() {
            self.waiting.remove(&link);
        } else if let Some(request) = self.waiting.get_mut(&link) {
            request.is_gone = true;
        }
        self.peers.iter_mut().any(|peer| peer.link_down(link))
    }

    /// A packet came from this address.
    pub fn message(&mut self, now: Instant, link: LinkId, remote: IpAddr, text: LabText) {
        match text {
            LabText::Request => self.request(link, remote),
            LabText::Post(pairs) => self.post(link, remote, pairs),
            LabText::Token(token) => self.take_token(now, token),
            LabText::Ack => {}
        }
    }

    /// What this node's own chips gave last, for the request on this link or for the token. What is missing is ERR.
    pub fn own(&mut self, now: Instant, asker: Option<LinkId>, newest: &[LabReading]) {
        let own = own_pairs(newest);
        let Some(link) = asker else {
            if let (Some(turn), Some(token)) = (&mut self.turn, self.token.take()) {
                turn.hold(now, token.with(&own));
            }
            return;
        };
        if let Some(request) = self.waiting.remove(&link) {
            self.answer(now, link, request, own);
        }
    }

    /// When to call [`Lab::handle_timeout`] at the latest, and why.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let peers = self.peers.iter().map(Peer::due);
        let errands = self.errands.values().map(|errand| (errand.until, "lab answer on its way"));
        let turn = self.turn.as_ref().and_then(Turn::due);
        peers.chain(errands).chain(turn).min_by_key(|(due, _)| *due)
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Now) {
        let now = now.mono;
        for (ix, peer) in self.peers.iter_mut().enumerate() {
            peer.handle_timeout(now, PeerIx(ix), self.poll_interval, &mut self.outputs);
        }
        while let Some(entry) = self.errands.first_entry().filter(|entry| entry.get().until <= now) {
            self.outputs.push_back(LabOutput::Disconnect(*entry.key(), None));
            self.outputs.push_back(entry.remove().failed("no answer to the connection"));
        }
        let ix = self.turn_ix();
        if let Some(turn) = &mut self.turn {
            turn.handle_timeout(now, ix, &mut self.outputs);
        }
    }

    /// The next thing to carry out.
    pub fn poll_output(&mut self) -> Option<LabOutput> {
        self.outputs.pop_front()
    }

    /// What the status says.
    pub fn status(&self, now: Now) -> Json {
        json!({
            "peers": self.peers.iter().map(|peer| peer.status(now.mono)).collect::<Vec<_>>(),
            "requests": self.requests,
            "turned_away": self.turned_away,
            "tokens": self.tokens,
            "ring": self.turn.as_ref().map(Turn::status),
        })
    }

    fn turn_ix(&self) -> PeerIx {
        PeerIx(self.peers.len())
    }

    fn request(&mut self, link: LinkId, remote: IpAddr) {
        self.requests += 1;
        if self.waiting.len() >= WAITING_MAX {
            self.turned_away += 1;
            return self.outputs.push_back(LabOutput::Close(link, "too many requests wait"));
        }
        // A second one on the same link gets the answer to the first.
        if self.waiting.insert(link, Request { remote, is_gone: false }).is_none() {
            self.outputs.push_back(LabOutput::ReadOwn(Some(link)));
        }
    }

    /// The end of the connection is the end of the answer. The lab's programs do not read it there, and get it where
    /// they listen.
    fn answer(&mut self, now: Instant, link: LinkId, request: Request, own: Vec<LabPair>) {
        let text = LabText::Post(own);
        if !request.is_gone {
            self.outputs.push_back(LabOutput::Send(link, text.clone()));
            self.outputs.push_back(LabOutput::Close(link, "the answer is given"));
        }
        let Some(port) = self.answer_port else { return };
        if self.errands.len() >= WAITING_MAX {
            self.turned_away += 1;
            return;
        }
        let ix = PeerIx(self.next_errand);
        self.next_errand += 1;
        let address = SocketAddr::new(request.remote.to_canonical(), port).to_string();
        self.outputs.push_back(LabOutput::Connect(ix, address.clone()));
        self.errands.insert(ix, Errand { address, text, until: now + CONNECT_MAX });
    }

    /// An answer that was waited for is its peer's; what nobody waits for is whoever's that sent it, unless a peer said
    /// the same on two links.
    fn post(&mut self, link: LinkId, remote: IpAddr, pairs: Vec<LabPair>) {
        let own = self.peers.iter().position(|peer| peer.link() == Some(link));
        let awaited = || self.peers.iter().position(|peer| peer.is_at(remote) && peer.is_awaited());
        let known = || self.peers.iter().position(|peer| peer.is_at(remote));
        match own.or_else(awaited).or_else(known).and_then(|at| self.peers.get_mut(at)) {
            Some(peer) => peer.answer(link, pairs, &mut self.outputs),
            None => self.outputs.push_back(LabOutput::Take(LabSource::Link(link), pairs)),
        }
    }

    fn take_token(&mut self, now: Instant, token: LabToken) {
        self.tokens += 1;
        let goes_on = self.turn.as_mut().is_some_and(|turn| turn.takes(now, token.seq));
        if goes_on {
            // A newer one takes the place of one that waits: there is one token.
            if self.token.replace(token).is_none() {
                self.outputs.push_back(LabOutput::ReadOwn(None));
            }
            return;
        }
        for (host, pairs) in (1..).zip(token.hosts()) {
            if let Ok(name) = NodeName::new(&format!("lab-{host}")) {
                self.outputs.push_back(LabOutput::Take(LabSource::Named(name), pairs));
            }
        }
        if let Some(turn) = &mut self.turn {
            turn.hold(now, LabToken::new());
        }
    }
}

/// The lab's five, each from this node's first chip that gives it, in the order of names: a good value before an ERR.
fn own_pairs(newest: &[LabReading]) -> Vec<LabPair> {
    let of = |(key, quantity): (&str, &str)| {
        let fits = newest.iter().filter(|reading| reading.quantity == quantity);
        let first = fits.min_by_key(|reading| (reading.value.is_err(), &reading.chip));
        let value = first.map_or(Err(ErrReason::Absent), |reading| reading.value);
        LabPair::of(key, value)
    };
    KEYS.map(of).to_vec()
}

impl Machine for Lab {
    type Output = LabOutput;
    fn handle_timeout(&mut self, now: Now) {
        Lab::handle_timeout(self, now);
    }
    fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        Lab::poll_timeout(self)
    }
    fn poll_output(&mut self) -> Option<LabOutput> {
        Lab::poll_output(self)
    }
    fn outputs_max(&self) -> usize {
        4 * self.peers.len() + 4 * WAITING_MAX + crate::model::LAB_PAIRS_MAX + 8
    }
}

#[cfg(test)]
#[path = "lab_tests.rs"]
mod tests;
