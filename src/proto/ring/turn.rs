//! A member's turn: the token that comes is judged, worked on, and goes on at once or rests for a while.

use std::time::Duration;

use super::{Defect, Ring, RingReport, State};
use crate::model::{Body, Instant, Member, NodeName, Now, Outcome, RingId, Token, TokenAck};
use crate::proto::LinkId;

/// Rotations that are remembered.
const ROTATIONS_MAX: usize = 8;
/// Rotations that have little to carry begin at least this long apart, whatever the settings say.
pub(super) const HOLD_LEAST: Duration = Duration::from_millis(1);

/// Where the token goes round within this time, it is acknowledged by the next one on the same link, or after this time
/// if none comes.
const QUICK_ROTATION: Duration = Duration::from_millis(5);

/// An acknowledgement that is not sent yet.
#[derive(Clone, Debug)]
pub(super) struct Owed {
    link: LinkId,
    ack: TokenAck,
    pub(super) due: Instant,
}

impl Owed {
    pub(super) fn is_on(&self, link: LinkId) -> bool {
        self.link == link
    }
}

impl Ring {
    /// A token came for this member.
    pub(super) fn token(&mut self, now: Now, link: LinkId, token: Box<Token>) {
        let outcome = self.judge(now.mono, &token);
        let is_double = (token.ring, token.seq) <= self.taken && token.ring == self.taken.0;
        let is_taken = outcome == Outcome::Taken && (!is_double || self.planted.is(Defect::DoubleTaken));
        let ack = TokenAck { ring: token.ring, seq: token.seq, outcome };
        // Whoever has this one to hand over knows that the one before was taken: it is the same token.
        let is_said = |owed: &mut Owed| is_taken && owed.is_on(link) && owed.ack.ring == ack.ring;
        self.owed.take_if(is_said);
        self.acknowledge(None);
        if is_taken && self.rotations.back().is_some_and(|last| *last <= QUICK_ROTATION) {
            self.owed = Some(Owed { link, ack, due: now.mono + QUICK_ROTATION });
        } else {
            self.links.answer(link, Body::TokenAck(ack));
        }
        if is_taken {
            self.visit(now, token);
            // What will be due while the token rests here is said at once, and nobody wakes up for it alone.
            if let State::Holding { until, .. } = self.state {
                self.acknowledge(Some(until));
            }
        }
    }

    /// Sends the acknowledgement that waits, if it is due by then.
    pub(super) fn acknowledge(&mut self, by: Option<Instant>) {
        if let Some(owed) = self.owed.take_if(|owed| by.is_none_or(|by| owed.due <= by)) {
            self.links.answer(owed.link, Body::TokenAck(owed.ack));
        }
    }

    fn judge(&self, now: Instant, token: &Token) -> Outcome {
        // A token that names this member twice would come back to it without ever having left.
        let own = token.members.iter().filter(|member| member.who.id == self.who.id).count();
        if token.to != self.who.id || own != 1 {
            return Outcome::NotHere;
        }
        if token.ring < self.highest && !self.planted.is(Defect::SmallerRingTaken) {
            return Outcome::Seen(self.highest);
        }
        // The own claim does not stand in the way of a token that was believed lost.
        let claimed = matches!(self.state, State::Claiming(_));
        match self.promise_at(now) {
            Some(ring) if token.ring < ring && !claimed => Outcome::Promised(ring),
            _ => Outcome::Taken,
        }
    }

    /// The token is here. What this member held before, or claimed, is dead: it was of a smaller ring.
    pub(super) fn visit(&mut self, now: Now, mut token: Box<Token>) {
        if let Some(place) = token.place(self.who.id)
            && let Some(member) = token.members.get(place)
        {
            self.own = self.links.find(&member.address).or(self.own);
            // Two sinks would take turns for ever where one is taken for somebody who never collects.
            if member.who != self.who {
                token.members.correct(place, &self.who);
            }
        }
        self.gone_on(now.mono, (token.ring, token.seq));
        self.visits = (self.visits.0 + 1, token.ring, token.seq);
        #[cfg(test)]
        self.planted.visits.push((token.ring, token.seq));
        self.note_rotation(now.mono, token.ring);
        (self.taken, self.latest, self.latest_at) =
            ((token.ring, token.seq), (token.ring, token.seq), now.mono);
        self.highest = self.highest.max(token.ring);
        self.heard = self.heard.max(token.ring);
        self.promise = None;
        self.hops.watched = None;
        self.admit(now.mono, &mut token);
        if self.acts_as_sink(now.mono, &token) {
            self.collect(now, &mut token);
        } else {
            self.load(&mut token);
        }
        self.acting = token.sink;
        self.adopt(&token);
        match self.rest(&token) {
            Some(until) if until > now.mono => self.state = State::Holding { token, until },
            _ => self.begin_rotation(now, token),
        }
    }

    /// Until when the token rests here. It does so in one place only, and not when somebody has much for it.
    fn rest(&self, token: &Token) -> Option<Instant> {
        let sink = token.members.iter().find(|member| Some(member.who.id.journal) == token.sink);
        let place = sink.or(token.members.first())?;
        let members = u64::try_from(token.members.len()).unwrap_or(u64::MAX);
        let is_wanted = members > 1 && token.seq.saturating_sub(token.busy) < members;
        let rests = place.who.id == self.who.id && !is_wanted;
        self.rotation_began_at.filter(|_| rests).map(|began| began + self.token_hold)
    }

    fn begin_rotation(&mut self, now: Now, token: Box<Token>) {
        self.rotation_began_at = Some(now.mono);
        self.hand_on(now, token, 0);
    }

    /// The token was held long enough.
    pub(super) fn let_go(&mut self, now: Now) {
        if let State::Holding { token, .. } = self.take_state(now.mono) {
            self.begin_rotation(now, token);
        }
    }

    /// Somebody is to be taken in: a token that rests here goes on at once.
    pub(super) fn hurry(&mut self, now: Now) {
        if !matches!(&self.state, State::Holding { token, .. } if token.members.len() > 1) {
            return;
        }
        if let State::Holding { mut token, .. } = self.take_state(now.mono) {
            self.admit(now.mono, &mut token);
            self.begin_rotation(now, token);
        }
    }

    fn note_rotation(&mut self, now: Instant, ring: RingId) {
        if let Some(before) = self.visited_at.replace(now)
            && ring == self.taken.0
        {
            self.rotations.push_back(now.saturating_since(before));
            if self.rotations.len() > ROTATIONS_MAX {
                self.rotations.pop_front();
            }
        }
    }

    /// The members are those that the token says.
    pub(super) fn adopt(&mut self, token: &Token) {
        if self.is_member && self.members == token.members {
            return;
        }
        let missing_in = |those: &[Member], these: &[Member]| -> Vec<NodeName> {
            let is_missing = |one: &&Member| !those.iter().any(|other| other.who.id == one.who.id);
            these.iter().filter(is_missing).map(|member| member.who.node.clone()).collect()
        };
        let came = missing_in(&self.members, &token.members);
        let gone = missing_in(&token.members, &self.members);
        self.report(RingReport::Members { ring: token.ring, members: token.members.len(), came, gone });
        for member in token.members.iter() {
            if let Some(ix) = self.links.find(&member.address) {
                self.links.note(ix, &member.who.node);
            }
        }
        self.members = token.members.clone();
        self.is_member = true;
        self.find_gap();
    }
}
