//! The listed addresses and the links that this node opens to them: at most one each, made when there is something to
//! say, dropped when it has been quiet. In the steady state one is open, to the successor.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::RingOutput;
use crate::model::{Body, Instant, NodeName};
use crate::proto::peer::name_of_address;
use crate::proto::{LinkId, PeerIx};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A link that is not used for so long is dropped.
const QUIET: Duration = Duration::from_secs(2);
/// Messages that wait for one link to come about: a token, a claim, a question, an answer to pass on.
const WAITING_MAX: usize = 4;

#[derive(Clone, Debug)]
enum Link {
    Down,
    Connecting { until: Instant },
    Up(LinkId),
}

/// One listed address.
#[derive(Clone, Debug)]
struct Peer {
    address: String,
    node: Option<NodeName>,
    link: Link,
    waiting: VecDeque<Body>,
    used_at: Instant,
}

/// All listed addresses, in the order of the list.
#[derive(Clone, Debug)]
pub(super) struct Links {
    peers: Vec<Peer>,
    by_link: BTreeMap<LinkId, PeerIx>,
    /// Those that are not down: few of many.
    open: BTreeSet<PeerIx>,
    /// The one whose link stays, however quiet it is.
    kept: Option<PeerIx>,
    next_id: u64,
    pub(super) outputs: VecDeque<RingOutput>,
}

impl Links {
    pub(super) fn new(peers: Vec<(String, Option<NodeName>)>, now: Instant) -> Self {
        let peer = |(address, node)| Peer {
            address,
            node,
            link: Link::Down,
            waiting: VecDeque::new(),
            used_at: now,
        };
        Self {
            peers: peers.into_iter().map(peer).collect(),
            by_link: BTreeMap::new(),
            open: BTreeSet::new(),
            kept: None,
            next_id: 1,
            outputs: VecDeque::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = PeerIx> + use<> {
        (0..self.peers.len()).map(PeerIx)
    }

    pub(super) fn address(&self, ix: PeerIx) -> Option<&str> {
        self.peers.get(ix.0).map(|peer| peer.address.as_str())
    }

    pub(super) fn find(&self, address: &str) -> Option<PeerIx> {
        self.peers.iter().position(|peer| peer.address == address).map(PeerIx)
    }

    /// The address that a link leads to, if this node opened it.
    pub(super) fn at(&self, link: LinkId) -> Option<PeerIx> {
        self.by_link.get(&link).copied()
    }

    /// The name of the node that was last met there, or one made of the address.
    pub(super) fn name(&self, ix: PeerIx) -> Option<NodeName> {
        let peer = self.peers.get(ix.0)?;
        peer.node.clone().or_else(|| name_of_address(&peer.address))
    }

    /// This node is at this address.
    pub(super) fn note(&mut self, ix: PeerIx, node: &NodeName) {
        let Some(peer) = self.peers.get_mut(ix.0) else { return };
        if peer.node.as_ref() != Some(node) {
            peer.node = Some(node.clone());
            self.outputs.push_back(RingOutput::NotePeer(peer.address.clone(), node.clone()));
        }
    }

    /// The link to this one stays.
    pub(super) fn keep(&mut self, ix: PeerIx) {
        self.kept = Some(ix);
    }

    #[cfg(test)]
    pub(super) fn kept(&self) -> Option<PeerIx> {
        self.kept
    }

    pub(super) fn is_up(&self, ix: PeerIx) -> bool {
        self.peers.get(ix.0).is_some_and(|peer| matches!(peer.link, Link::Up(_)))
    }

    /// Says it on this link, whoever opened it; by a message of this id.
    pub(super) fn answer(&mut self, link: LinkId, body: Body) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.outputs.push_back(RingOutput::Send(link, id, body));
        id
    }

    /// Says it to this one, as soon as a link stands. What cannot be said is lost: everybody who asks has a deadline.
    pub(super) fn tell(&mut self, now: Instant, ix: PeerIx, body: Body) {
        let Some(peer) = self.peers.get_mut(ix.0) else { return };
        peer.used_at = now;
        if let Link::Up(link) = peer.link {
            self.answer(link, body);
            return;
        }
        if peer.waiting.len() >= WAITING_MAX {
            peer.waiting.pop_front();
        }
        peer.waiting.push_back(body);
        if matches!(peer.link, Link::Down) {
            peer.link = Link::Connecting { until: now + CONNECT_TIMEOUT };
            self.open.insert(ix);
            self.outputs.push_back(RingOutput::Connect(ix));
        }
    }

    /// The link stands: says what waits for it.
    pub(super) fn up(&mut self, now: Instant, ix: PeerIx, link: LinkId) {
        let Some(peer) = self.peers.get_mut(ix.0) else { return };
        if let Link::Up(old) = std::mem::replace(&mut peer.link, Link::Up(link)) {
            self.by_link.remove(&old);
        }
        peer.used_at = now;
        let waiting = std::mem::take(&mut peer.waiting);
        self.by_link.insert(link, ix);
        self.open.insert(ix);
        for body in waiting {
            self.answer(link, body);
        }
    }

    /// The attempt came to nothing; whether there was one.
    pub(super) fn failed(&mut self, ix: PeerIx) -> bool {
        let Some(peer) = self.peers.get_mut(ix.0) else { return false };
        let was_trying = matches!(peer.link, Link::Connecting { .. });
        if was_trying {
            peer.link = Link::Down;
            peer.waiting.clear();
            self.open.remove(&ix);
        }
        was_trying
    }

    /// The link is gone; whose it was.
    pub(super) fn down(&mut self, link: LinkId) -> Option<PeerIx> {
        let ix = self.by_link.remove(&link)?;
        if let Some(peer) = self.peers.get_mut(ix.0) {
            peer.link = Link::Down;
        }
        self.open.remove(&ix);
        Some(ix)
    }

    /// Drops the link or the attempt at one, with all that waits for it.
    pub(super) fn drop(&mut self, ix: PeerIx) {
        let Some(peer) = self.peers.get_mut(ix.0) else { return };
        peer.waiting.clear();
        self.open.remove(&ix);
        let link = match std::mem::replace(&mut peer.link, Link::Down) {
            Link::Down => return,
            Link::Connecting { .. } => None,
            Link::Up(link) => Some(link),
        };
        if let Some(link) = link {
            self.by_link.remove(&link);
        }
        self.outputs.push_back(RingOutput::Disconnect(ix, link));
    }

    fn deadline(&self, ix: PeerIx) -> Option<Instant> {
        let peer = self.peers.get(ix.0)?;
        match peer.link {
            Link::Down => None,
            Link::Connecting { until } => Some(until),
            Link::Up(_) if self.kept == Some(ix) => None,
            Link::Up(_) => Some(peer.used_at + QUIET),
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.open.iter().filter_map(|ix| self.deadline(*ix)).min()
    }

    /// Drops what is due; the addresses to which no connection came about.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<PeerIx> {
        let is_due = |ix: &PeerIx| self.deadline(*ix).is_some_and(|at| at <= now);
        let due: Vec<PeerIx> = self.open.iter().copied().filter(is_due).collect();
        let mut failed = Vec::new();
        for ix in due {
            if !self.is_up(ix) {
                failed.push(ix);
            }
            self.drop(ix);
        }
        failed
    }
}
