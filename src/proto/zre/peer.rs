//! One peer: the link to it, its place in the sequences of both directions, and what it said of itself.

use std::collections::VecDeque;

use std::time::Duration;

use core::net::SocketAddr;

use super::{VERSION_HEADER, ZreOutput};
use crate::model::{Hello, Instant, ZreBody, ZreId, ZreMessage};
use crate::proto::{LinkId, PeerIx};

/// Messages for a peer that wait for its link, and their bytes; more are refused.
pub(super) const WAITING_MAX: usize = 1_000;
const WAITING_MAX_BYTES: usize = 1 << 20;
/// Groups that a peer may join after its HELLO.
const GROUPS_MAX: usize = 128;
/// A link that does not come about is tried again after a second, and then after twice as long each time, up to this.
const RETRY_MAX: Duration = Duration::from_secs(8);
const RETRY_MIN: Duration = Duration::from_secs(1);

/// A HELLO that comes within this time of ours is the answer to it.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// So often in such a time a HELLO is answered with ours. Two that have greeted each other at one moment take each
/// other's answers for new beginnings; this ends it, and both know each other then.
const ANSWERS_MAX: u32 = 2;
const ANSWERS_TIME: Duration = Duration::from_secs(10);

/// How a peer counts its messages when the number is at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZreWrap {
    /// 65,534 is followed by 0: pyre. Taken for granted of a peer that shows nothing else, for a pyre parts with
    /// whoever counts otherwise.
    After65534,
    /// 65,535 is followed by 0: zyre, and this project.
    After65535,
}

/// The link to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// None; tried again from this moment on.
    None(Instant),
    /// Asked for.
    Connecting,
    /// It stands, and the other end has not said who it is.
    Silent(LinkId),
    /// HELLO is said on it.
    Open(LinkId),
}

/// One peer.
#[derive(Debug)]
pub struct ZrePeer {
    id: ZreId,
    ix: PeerIx,
    address: SocketAddr,
    way: Way,
    retry: Duration,
    heard_at: Instant,
    hello: Option<Hello>,
    /// Whether the next of ours is said unasked, and until when one of theirs is then the answer to it.
    is_unasked: bool,
    answer_until: Option<Instant>,
    /// How often theirs was answered with ours, since when.
    answers: (u32, Instant),
    /// The sequence of the last message that was sent, and of the last that came.
    sent: u16,
    last: u16,
    wrap: ZreWrap,
    waiting: VecDeque<ZreBody>,
    waiting_bytes: usize,
}

impl ZrePeer {
    pub(super) fn new(id: ZreId, ix: PeerIx, address: SocketAddr, now: Instant) -> Self {
        Self {
            id,
            ix,
            address,
            way: Way::None(now),
            retry: RETRY_MIN,
            heard_at: now,
            hello: None,
            is_unasked: true,
            answer_until: None,
            answers: (0, now),
            sent: 0,
            last: 0,
            wrap: ZreWrap::After65534,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
        }
    }

    /// Its id.
    pub fn id(&self) -> ZreId {
        self.id
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its name; empty before its HELLO.
    pub fn name(&self) -> &str {
        self.hello.as_ref().map_or("", |hello| &hello.name)
    }

    /// Its headers.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let headers = self.hello.iter().flat_map(|hello| &hello.headers);
        headers.map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// One of its headers.
    pub fn header(&self, key: &str) -> Option<&str> {
        self.hello.as_ref()?.headers.get(key).map(String::as_str)
    }

    /// Its groups.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.hello.iter().flat_map(|hello| &hello.groups).map(String::as_str)
    }

    /// Whether it is in a group.
    pub fn is_in(&self, group: &str) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.groups.contains(group))
    }

    /// How long nothing was heard of it.
    pub fn silence(&self, now: Instant) -> Duration {
        now.saturating_since(self.heard_at)
    }

    /// How it counts, as far as is known.
    pub fn wrap(&self) -> ZreWrap {
        self.wrap
    }

    /// Whether it said HELLO.
    pub(super) fn is_ready(&self) -> bool {
        self.hello.is_some()
    }

    /// Whether a HELLO that comes means that the peer has begun anew, and has to be answered with ours. It need not
    /// where ours is yet to be said, nor where it is the answer itself; nor where the two answer each other's answers.
    pub(super) fn begins_anew(&mut self, now: Instant) -> bool {
        let is_answer = self.answer_until.take().is_some_and(|until| now <= until);
        if !self.is_ready() || is_answer || !matches!(self.way, Way::Open(_)) {
            return false;
        }
        let (count, since) = self.answers;
        self.answers = if now.saturating_since(since) > ANSWERS_TIME { (1, now) } else { (count + 1, since) };
        self.answers.0 <= ANSWERS_MAX
    }

    pub(super) fn ix(&self) -> PeerIx {
        self.ix
    }

    pub(super) fn link(&self) -> Option<LinkId> {
        match self.way {
            Way::Silent(link) | Way::Open(link) => Some(link),
            Way::None(_) | Way::Connecting => None,
        }
    }

    pub(super) fn heard(&mut self, now: Instant) {
        self.heard_at = now;
    }

    /// Its beacon came. Where it stands is believed while there is no link to it.
    pub(super) fn seen_at(&mut self, now: Instant, address: SocketAddr) {
        if matches!(self.way, Way::None(_)) {
            self.address = address;
        }
        if address.ip() == self.address.ip() {
            self.heard_at = now;
        }
    }

    pub(super) fn connect(&mut self, outputs: &mut VecDeque<ZreOutput>) {
        self.way = Way::Connecting;
        outputs.push_back(ZreOutput::Connect(self.ix, self.address.to_string()));
    }

    pub(super) fn connect_again(&mut self, now: Instant, outputs: &mut VecDeque<ZreOutput>) {
        if matches!(self.way, Way::None(from) if from <= now) {
            self.connect(outputs);
        }
    }

    pub(super) fn disconnect(&mut self, outputs: &mut VecDeque<ZreOutput>) {
        if !matches!(self.way, Way::None(_)) {
            outputs.push_back(ZreOutput::Disconnect(self.ix, self.link()));
        }
    }

    pub(super) fn link_up(&mut self, link: LinkId) {
        if self.way == Way::Connecting {
            self.way = Way::Silent(link);
        }
    }

    /// What was on its way is lost, and the other end may have forgotten this one: HELLO is said again.
    pub(super) fn link_lost(&mut self, now: Instant) {
        if let Way::Open(_) = self.way {
            self.retry = RETRY_MIN;
        }
        self.way = Way::None(now + self.retry);
        self.retry = (self.retry * 2).min(RETRY_MAX);
        self.is_unasked = true;
    }

    /// The other end is there: HELLO, and what waited.
    pub(super) fn introduced(&mut self, now: Instant, hello: Hello, outputs: &mut VecDeque<ZreOutput>) {
        let Way::Silent(link) = self.way else { return };
        self.answer_until = self.is_unasked.then(|| now + ANSWER_WITHIN);
        self.is_unasked = true;
        self.way = Way::Open(link);
        self.retry = RETRY_MIN;
        self.sent = 0;
        self.say(ZreBody::Hello(hello), outputs);
        self.waiting_bytes = 0;
        for body in std::mem::take(&mut self.waiting) {
            self.say(body, outputs);
        }
    }

    /// Leaves the link, and says HELLO on another one.
    pub(super) fn begin_anew(&mut self, outputs: &mut VecDeque<ZreOutput>) {
        if let Way::Open(_) = self.way {
            self.disconnect(outputs);
            self.connect(outputs);
            self.is_unasked = true;
        }
    }

    /// It has begun anew: whatever was said to its former self is forgotten.
    pub(super) fn answer_anew(&mut self, says: Option<SocketAddr>, outputs: &mut VecDeque<ZreOutput>) {
        self.disconnect(outputs);
        self.address = says.filter(|address| address.ip() == self.address.ip()).unwrap_or(self.address);
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.is_unasked = false;
        self.connect(outputs);
    }

    pub(super) fn take_hello(&mut self, hello: Hello) {
        self.last = 1;
        if hello.headers.contains_key(VERSION_HEADER) {
            self.wrap = ZreWrap::After65535;
        }
        self.hello = Some(hello);
    }

    /// Whether a message is the one that comes next, however the peer counts.
    pub(super) fn follows(&mut self, sequence: u16) -> bool {
        let is_next = match (self.last, sequence) {
            (65_534, 0) => {
                self.wrap = ZreWrap::After65534;
                true
            }
            (65_534, 65_535) => {
                self.wrap = ZreWrap::After65535;
                true
            }
            (last, sequence) => last.wrapping_add(1) == sequence,
        };
        self.last = sequence;
        is_next
    }

    /// Joins a group; false when it is in it, or in too many.
    pub(super) fn join(&mut self, group: &str) -> bool {
        let Some(hello) = &mut self.hello else { return false };
        hello.groups.len() < GROUPS_MAX && hello.groups.insert(group.to_owned())
    }

    pub(super) fn leave(&mut self, group: &str) -> bool {
        self.hello.as_mut().is_some_and(|hello| hello.groups.remove(group))
    }

    /// Says something if the peer can be reached; else it is passed over.
    pub(super) fn say(&mut self, body: ZreBody, outputs: &mut VecDeque<ZreOutput>) {
        let Way::Open(link) = self.way else { return };
        self.sent = match (self.sent, self.wrap) {
            (65_534, ZreWrap::After65534) => 0,
            (sent, _) => sent.wrapping_add(1),
        };
        outputs.push_back(ZreOutput::Send(link, ZreMessage { sequence: self.sent, body }));
    }

    /// Says something, or keeps it until the peer can be reached; false when too much is kept.
    pub(super) fn say_or_keep(&mut self, body: ZreBody, outputs: &mut VecDeque<ZreOutput>) -> bool {
        if let Way::Open(_) = self.way {
            self.say(body, outputs);
            return true;
        }
        let bytes = match &body {
            ZreBody::Whisper(content) | ZreBody::Shout { content, .. } => content.iter().map(Vec::len).sum(),
            _ => 0,
        };
        if self.waiting.len() >= WAITING_MAX || self.waiting_bytes + bytes > WAITING_MAX_BYTES {
            return false;
        }
        self.waiting_bytes += bytes;
        self.waiting.push_back(body);
        true
    }
}
