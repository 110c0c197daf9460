//! The token ring: one token goes round, each member adds readings to it, the sink takes them out. What keeps it going
//! round when something breaks is in the rooms beside this one: [`hop`] hands over and skips, [`claim`] replaces a lost
//! token, [`gap`] takes in who is absent. docs/ring.md tells how it works and why.
//!
//! Nothing depends on a token arriving: its readings stay in their journals until the sink has them on stable storage.

use std::collections::VecDeque;
use std::time::Duration;

use super::contract::Machine;
use super::defect::{Defect, Planted};
use super::{LinkId, PeerIx};
use crate::model::{
    Body, Instant, JournalId, LifeId, MemberId, Now, Piece, RING_MEMBERS_MAX, RingId, Roster, Seq, Token, Who,
};

mod cargo;
mod claim;
mod config;
mod dates;
mod gap;
mod hop;
mod links;
mod relay;
mod report;
mod sink;
mod turn;

use cargo::Cargo;
use claim::Claiming;
pub use config::{RingConfig, RingOutput, RingPart};
use dates::Dates;
use gap::Gap;
use hop::{Handing, Hops};
use links::Links;
use relay::Relays;
pub use report::RingReport;
use sink::Collector;
use turn::{HOLD_LEAST, Owed};

/// A token is not missed before this time.
const LOST_LEAST: Duration = Duration::from_secs(1);
/// It is missed after this time, however slow its rotations were.
const LOST_MOST: Duration = Duration::from_secs(10);
/// Members miss the token one after the other: this much apart, in the order of the list.
const RANK_STEP: Duration = Duration::from_millis(50);
/// Where the token is, as this member sees it.
#[derive(Clone, Debug)]
enum State {
    /// Elsewhere, or nowhere: then it is claimed at this time.
    Waiting { claim_at: Instant },
    /// Lost: this member asks the others to let it make a new one.
    Claiming(Claiming),
    /// Here, until then.
    Holding { token: Box<Token>, until: Instant },
    /// On its way to the successor.
    Handing(Handing),
}

/// A ring that was promised: no token and no claim of a smaller one is taken until then.
#[derive(Clone, Copy, Debug)]
struct Promise {
    ring: RingId,
    until: Instant,
}

/// The machine. See the [module](super) for its contract.
#[derive(Clone, Debug)]
pub struct Ring {
    who: Who,
    token_hold: Duration,
    /// Where this node stands in the list, once it has met itself there or was told so by a token.
    own: Option<PeerIx>,
    links: Links,
    state: State,
    /// The largest ring of which a token was seen, here or by somebody who says so. Smaller ones are dead.
    highest: RingId,
    /// The largest ring that was ever mentioned: a new one has to be larger.
    heard: RingId,
    promise: Option<Promise>,
    /// The last token that came here.
    taken: (RingId, u64),
    /// The last token that this member knows of, and since when: one that came, or one that was handed over.
    latest: (RingId, u64),
    latest_at: Instant,
    /// The members by the last token, while this node is one of them.
    members: Roster,
    is_member: bool,
    /// Whose sink collects, by the last token that was here.
    acting: Option<JournalId>,
    rotations: VecDeque<Duration>,
    visited_at: Option<Instant>,
    /// When the token last left here.
    rotation_began_at: Option<Instant>,
    hops: Hops,
    /// The acknowledgement of the last token, where it is not sent yet.
    owed: Option<Owed>,
    relays: Relays,
    gap: Gap,
    cargo: Cargo,
    collector: Collector,
    /// How many tokens came here, and ring and number of the last, as it was when it came.
    visits: (u64, RingId, u64),
    dates: Dates,
    /// The last odd finding that was told.
    told: Option<RingReport>,
    rng: fastrand::Rng,
    pub(super) planted: Planted,
}

impl Ring {
    /// Begins at `now`: waits to be taken in, and claims if nobody does.
    pub fn new(config: RingConfig, now: Instant) -> Self {
        let RingConfig { node, journal, last, part } = config;
        let mut rng = fastrand::Rng::with_seed(part.seed);
        let id = MemberId { journal, life: LifeId(rng.u64(..)) };
        let collector = Collector::new(&part, now);
        let listed = part.peers.len();
        let peers: Vec<_> = part.peers.into_iter().take(RING_MEMBERS_MAX).collect();
        let mut ring = Self {
            who: Who { node, id, sink_rank: part.sink_rank },
            token_hold: part.token_hold.max(HOLD_LEAST),
            own: None,
            gap: Gap::new(peers.len(), now, part.seed),
            links: Links::new(peers, now),
            state: State::Waiting { claim_at: now },
            highest: RingId::default(),
            heard: RingId::default(),
            promise: None,
            taken: Default::default(),
            latest: Default::default(),
            latest_at: now,
            members: Roster::default(),
            is_member: false,
            acting: None,
            rotations: VecDeque::new(),
            visited_at: None,
            rotation_began_at: None,
            hops: Hops::default(),
            owed: None,
            relays: Relays::default(),
            cargo: Cargo::new(last),
            collector,
            visits: Default::default(),
            dates: Dates::default(),
            told: None,
            rng,
            planted: Planted::default(),
        };
        if listed > RING_MEMBERS_MAX {
            ring.report(RingReport::ListTooLong { listed });
        }
        if !part.makes_token {
            ring.wait(now, LOST_LEAST);
        }
        ring
    }

    /// A link to a listed address stands.
    pub fn link_up(&mut self, now: Now, ix: PeerIx, link: LinkId) {
        self.links.up(now.mono, ix, link);
    }

    /// A link to a listed address could not be made.
    pub fn link_failed(&mut self, now: Now, ix: PeerIx, why: &str) {
        if self.links.failed(ix) {
            self.unreachable(now, ix, why);
        }
    }

    /// A link is gone; whether it was one that this machine had asked for.
    pub fn link_down(&mut self, now: Now, link: LinkId, why: &str) -> bool {
        self.relays.forget_asker(link);
        self.owed.take_if(|owed| owed.is_on(link));
        let Some(ix) = self.links.down(link) else { return false };
        self.watch_ended(now.mono, ix);
        self.unreachable(now, ix, why);
        true
    }

    /// A message came; whether it is one of a ring.
    pub fn message(&mut self, now: Now, link: LinkId, body: Body) -> bool {
        match body {
            Body::Token(token) if token.pass_on => self.pass_on(now, link, *token),
            Body::Token(token) => self.token(now, link, token),
            Body::TokenAck(ack) => self.token_ack(now, link, ack),
            Body::Claim(claim) => self.claim(now, link, &claim),
            Body::ClaimAnswer(answer) => self.claim_answer(now, link, answer),
            Body::RingQuery(state) => self.ring_query(link, &state),
            Body::RingAnswer(state) => self.ring_answer(now, link, state),
            _ => return false,
        }
        true
    }

    /// What a [`RingOutput::Read`] gave; `Err` with the store's words.
    pub fn piece(&mut self, now: Now, piece: Result<Piece, String>) {
        if let Err(why) = &piece {
            self.report(RingReport::Unreadable { why: why.clone() });
        }
        self.cargo.piece(now.mono, piece);
        self.read_ahead();
    }

    /// The own journal is durable through `last`.
    pub fn appended(&mut self, last: Seq) {
        self.cargo.appended(last);
        self.read_ahead();
    }

    /// The store holds `journal` durably through `cursor`.
    pub fn taken(&mut self, journal: JournalId, cursor: Seq) {
        self.collector.confirm(journal, cursor);
    }

    /// The store could not take what came of `journal`: it is asked for again.
    pub fn refused(&mut self, journal: JournalId) {
        if !self.planted.is(Defect::NeverRewinds) {
            self.collector.rewind(journal);
        }
    }

    /// The last round that ended here.
    pub fn round(&self) -> u64 {
        self.collector.round()
    }

    /// Drops every link and every attempt at one: to the others this member is gone. Its last outputs are still to be
    /// carried out; it is not to be driven any further.
    pub fn leave(&mut self) {
        for ix in self.links.all() {
            self.links.drop(ix);
        }
    }

    /// When to call [`Ring::handle_timeout`] at the latest, and why.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let state = match &self.state {
            State::Waiting { claim_at } => (*claim_at, "the token is missed"),
            State::Claiming(claiming) => (claiming.until(), "the end of a claim"),
            State::Holding { until, .. } => (*until, "the token goes on"),
            State::Handing(handing) => (handing.until(), "a token's acknowledgement"),
        };
        let others = [
            (self.links.next_deadline(), "a link"),
            (self.owed.as_ref().map(|owed| owed.due), "a token is acknowledged"),
            (self.relays.next_deadline(), "a token that is passed on"),
            (self.gap_deadline(), "a look for the absent"),
            (self.cargo.deadline(), "the own journal is read again"),
            (self.dates_deadline(), "a look at a member's clock"),
        ];
        let others = others.into_iter().filter_map(|(at, why)| Some((at?, why)));
        others.chain([state]).min_by_key(|(at, _)| *at)
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Now) {
        self.acknowledge(Some(now.mono));
        for ix in self.links.expire(now.mono) {
            self.unreachable(now, ix, "no answer to the connection");
        }
        for ix in self.relays.silent(now.mono) {
            self.links.drop(ix);
        }
        for (asker, ack) in self.relays.expire(now.mono) {
            self.links.answer(asker, Body::TokenAck(ack));
        }
        self.cargo.expire(now.mono);
        self.read_ahead();
        match &self.state {
            State::Waiting { claim_at } if *claim_at <= now.mono => self.begin_claim(now),
            State::Claiming(claiming) if claiming.until() <= now.mono => self.end_claim(now),
            State::Holding { until, .. } if *until <= now.mono => self.let_go(now),
            State::Handing(handing) if handing.until() <= now.mono => self.hop_timeout(now),
            _ => {}
        }
        self.look_for_absent(now.mono);
        self.meet_next(now.mono);
    }

    /// The next thing to carry out.
    pub fn poll_output(&mut self) -> Option<RingOutput> {
        self.links.outputs.pop_front()
    }

    /// Takes the state out, to put another in its place; until then this member waits.
    fn take_state(&mut self, now: Instant) -> State {
        let claim_at = self.claim_time(now, self.lost_after());
        std::mem::replace(&mut self.state, State::Waiting { claim_at })
    }

    /// Waits for the token; when none comes for `time`, it is claimed.
    fn wait(&mut self, now: Instant, time: Duration) {
        self.state = State::Waiting { claim_at: self.claim_time(now, time) };
    }

    /// Those who miss the token claim it one after the other; who does not know its place draws one.
    fn claim_time(&mut self, now: Instant, time: Duration) -> Instant {
        let place = self.members.iter().position(|member| member.who.id == self.who.id);
        let rank =
            place.or(self.own.map(|own| own.0)).unwrap_or_else(|| self.rng.usize(0..=self.links.len()));
        now + time + RANK_STEP.saturating_mul(u32::try_from(rank).unwrap_or(u32::MAX))
    }

    /// A token that does not come for so long is lost. A long rotation between short ones was a fault that is over; two
    /// in a row are how this network is. Which of them the last one was is not known yet: it counts.
    fn lost_after(&self) -> Duration {
        let rotations = &self.rotations;
        let both = rotations.iter().zip(rotations.iter().skip(1)).map(|(one, next)| one.min(next));
        let longest = both.chain(rotations.back()).max().copied().unwrap_or_default();
        longest.saturating_mul(3).clamp(LOST_LEAST, LOST_MOST)
    }

    /// A ring larger than all that were heard of.
    fn new_ring(&mut self) -> RingId {
        let top = self.top();
        self.heard = RingId { epoch: top.epoch.saturating_add(1), leader: self.who.id };
        self.heard
    }

    /// The largest ring that this member knows of.
    fn top(&self) -> RingId {
        let promised = self.promise.map(|promise| promise.ring).unwrap_or_default();
        self.heard.max(self.highest).max(promised)
    }

    /// The ring that is promised to somebody.
    fn promise_at(&self, now: Instant) -> Option<RingId> {
        self.promise.filter(|promise| promise.until > now).map(|promise| promise.ring)
    }

    /// Nothing can be said to this address at present: whatever waits for it goes another way.
    fn unreachable(&mut self, now: Now, ix: PeerIx, why: &str) {
        self.gap_failed(now.mono, ix);
        self.meeting_failed(now.mono, ix);
        for (asker, ack) in self.relays.failed(ix) {
            self.links.answer(asker, Body::TokenAck(ack));
        }
        match &self.state {
            State::Claiming(_) => self.claim_unanswered(now, ix),
            State::Handing(_) => self.hop_failed(now, ix, why),
            _ => {}
        }
    }

    fn read_ahead(&mut self) {
        if let Some(read) = self.cargo.read() {
            self.links.outputs.push_back(RingOutput::Read { after: read.after, max: read.max });
        }
    }
}

impl Machine for Ring {
    type Output = RingOutput;
    fn handle_timeout(&mut self, now: Now) {
        Ring::handle_timeout(self, now);
    }
    fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        Ring::poll_timeout(self)
    }
    fn poll_output(&mut self) -> Option<RingOutput> {
        Ring::poll_output(self)
    }
    fn outputs_max(&self) -> usize {
        // A skip and a claim to every listed address, each over a link made anew; a full token's pieces; a few words.
        6 * self.links.len() + crate::model::TOKEN_PIECES_MAX + 32
    }
}

#[cfg(test)]
mod tests;
