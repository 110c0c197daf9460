//! The helper's part in a hop: passing a token on to a member that its sender cannot reach, and the answer back.

use super::hop::{HELP_TIMEOUT, time_for};
use super::{Defect, Ring};
use crate::model::{Body, Instant, Now, Outcome, RingId, Token, TokenAck};
use crate::proto::{LinkId, PeerIx};

/// Tokens that are passed on for others at a time.
const RELAYS_MAX: usize = 4;

/// A token that is passed on for another member.
#[derive(Clone, Debug)]
struct Relay {
    asker: LinkId,
    to: PeerIx,
    hop: (RingId, u64),
    until: Instant,
}

/// All tokens that are being passed on.
#[derive(Clone, Debug, Default)]
pub(super) struct Relays {
    list: Vec<Relay>,
}

impl Relays {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.list.iter().map(|relay| relay.until).min()
    }

    /// Addresses that did not acknowledge a token in time that was passed on to them.
    pub(super) fn silent(&self, now: Instant) -> Vec<PeerIx> {
        self.list.iter().filter(|relay| relay.until <= now).map(|relay| relay.to).collect()
    }

    /// Tokens that nobody acknowledged in time, with the answers to those who had asked.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<(LinkId, TokenAck)> {
        self.end(Outcome::Unreachable, |relay| relay.until <= now)
    }

    /// Tokens for an address that cannot be reached.
    pub(super) fn failed(&mut self, ix: PeerIx) -> Vec<(LinkId, TokenAck)> {
        self.end(Outcome::Unreachable, |relay| relay.to == ix)
    }

    /// Tokens that have come to a later hop of the same ring, and so have been taken.
    pub(super) fn overtaken(&mut self, hop: (RingId, u64)) -> Vec<(LinkId, TokenAck)> {
        self.end(Outcome::Taken, |relay| relay.hop.0 == hop.0 && relay.hop.1 < hop.1)
    }

    pub(super) fn forget_asker(&mut self, link: LinkId) {
        self.list.retain(|relay| relay.asker != link);
    }

    fn end(&mut self, outcome: Outcome, is_over: impl Fn(&Relay) -> bool) -> Vec<(LinkId, TokenAck)> {
        if !self.list.iter().any(&is_over) {
            return Vec::new();
        }
        let (over, rest) = std::mem::take(&mut self.list).into_iter().partition(is_over);
        self.list = rest;
        let ack = |relay: Relay| {
            let (ring, seq) = relay.hop;
            (relay.asker, TokenAck { ring, seq, outcome })
        };
        Vec::into_iter(over).map(ack).collect()
    }

    /// Who had asked for this token to be passed on to `to`, which has answered.
    pub(super) fn answered(&mut self, to: PeerIx, hop: (RingId, u64)) -> Option<LinkId> {
        let at = self.list.iter().position(|relay| relay.to == to && relay.hop == hop)?;
        Some(self.list.swap_remove(at).asker)
    }
}

impl Ring {
    /// Somebody cannot reach the member for whom this token is.
    pub(super) fn pass_on(&mut self, now: Now, asker: LinkId, token: Token) {
        let hop = (token.ring, token.seq);
        if self.planted.is(Defect::PassedOnTaken) {
            let token = Box::new(Token { to: self.who.id, ..token });
            return self.token(now, asker, token);
        }
        let place = token.place(token.to).and_then(|place| token.members.get(place));
        let to = place.and_then(|member| self.links.find(&member.address)).filter(|ix| Some(*ix) != self.own);
        let outcome = match to {
            _ if token.ring < self.highest => Outcome::Seen(self.highest),
            Some(to) if self.relays.list.len() < RELAYS_MAX => {
                let until = now.mono + HELP_TIMEOUT + time_for(token.bytes());
                self.relays.list.push(Relay { asker, to, hop, until });
                let token = Box::new(Token { pass_on: false, ..token });
                return self.links.tell(now.mono, to, Body::Token(token));
            }
            _ => Outcome::Unreachable,
        };
        self.links.answer(asker, Body::TokenAck(TokenAck { ring: hop.0, seq: hop.1, outcome }));
    }
}
