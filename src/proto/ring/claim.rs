//! A lost token is replaced: who misses it asks everybody at once. One who has seen it later, or has it, objects; the
//! others promise to take nothing smaller for a moment. Of two claims the larger gets the promises of all it reaches.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Defect, Promise, Ring, RingReport, State};
use crate::model::{Body, Claim, ClaimAnswer, Cursors, Instant, Member, Now, RingId, Token, Who};
use crate::proto::{LinkId, PeerIx};

/// A claim waits so long for its answers.
const CLAIM_TIMEOUT: Duration = Duration::from_millis(300);
/// A promise lasts so long: until the claim is decided, and its token on its way.
const PROMISE: Duration = Duration::from_millis(400);
/// A claim that another one beat is made again after this, unless a token comes.
const BEATEN_WAIT: Duration = Duration::from_millis(500);

/// A claim that waits for its answers.
#[derive(Clone, Debug)]
pub(super) struct Claiming {
    ring: RingId,
    /// Who has not answered.
    waiting: BTreeSet<PeerIx>,
    /// Who has promised.
    promised: BTreeMap<PeerIx, Who>,
    until: Instant,
}

impl Claiming {
    pub(super) fn until(&self) -> Instant {
        self.until
    }
}

impl Ring {
    pub(super) fn begin_claim(&mut self, now: Now) {
        if self.planted.is(Defect::NeverClaims) && self.is_member {
            return self.wait(now.mono, self.lost_after());
        }
        self.is_member = false;
        self.hops.watched = None;
        let ring = self.new_ring();
        self.promise = None;
        self.report(RingReport::Claims { ring });
        let waiting = self.links.all().collect();
        let until = now.mono + CLAIM_TIMEOUT;
        self.state = State::Claiming(Claiming { ring, waiting, promised: BTreeMap::new(), until });
        let claim = Claim { ring, latest: self.latest, who: self.who.clone() };
        for ix in self.links.all() {
            self.links.tell(now.mono, ix, Body::Claim(claim.clone()));
        }
    }

    /// Somebody claims. The own claim is known by its own name when it comes back here.
    pub(super) fn claim(&mut self, now: Now, link: LinkId, claim: &Claim) {
        let is_own = claim.who.id == self.who.id;
        let has_later = match &self.state {
            State::Holding { token, .. } => (token.ring, token.seq) >= claim.latest,
            State::Handing(handing) => handing.hop() >= claim.latest,
            _ => {
                let is_recent = now.mono.saturating_since(self.latest_at) < self.lost_after() / 2;
                self.latest > claim.latest && is_recent
            }
        };
        let claimed = match &self.state {
            State::Claiming(claiming) => claiming.ring,
            _ => RingId::default(),
        };
        let top = self.highest.max(claimed).max(self.promise_at(now.mono).unwrap_or_default());
        let is_promised = is_own || (!has_later && claim.ring > top);
        if is_promised && !is_own {
            self.promise = Some(Promise { ring: claim.ring, until: now.mono + PROMISE });
            self.is_member = false;
            self.wait(now.mono, self.lost_after());
        }
        self.heard = self.heard.max(claim.ring);
        let answer = ClaimAnswer {
            ring: claim.ring,
            is_promised,
            is_alive: has_later && !is_own,
            top: self.top(),
            who: self.who.clone(),
        };
        self.links.answer(link, Body::ClaimAnswer(answer));
    }

    pub(super) fn claim_answer(&mut self, now: Now, link: LinkId, answer: ClaimAnswer) {
        let Some(ix) = self.links.at(link) else { return };
        self.heard = self.heard.max(answer.top);
        self.met(ix, &answer.who);
        let State::Claiming(claiming) = &mut self.state else { return };
        if claiming.ring != answer.ring {
            return;
        }
        if answer.is_promised || self.planted.is(Defect::ObjectionIgnored) {
            claiming.promised.insert(ix, answer.who);
            return self.claim_unanswered(now, ix);
        }
        let time = if answer.is_alive { self.lost_after() } else { BEATEN_WAIT };
        self.report(RingReport::ClaimLost {
            ring: answer.ring,
            by: answer.who.node,
            is_alive: answer.is_alive,
        });
        self.wait(now.mono, time);
    }

    /// This address has answered, or never will; the last one decides.
    pub(super) fn claim_unanswered(&mut self, now: Now, ix: PeerIx) {
        let State::Claiming(claiming) = &mut self.state else { return };
        claiming.waiting.remove(&ix);
        if claiming.waiting.is_empty() {
            self.end_claim(now);
        }
    }

    /// Nobody objected: a new token for all who have promised.
    pub(super) fn end_claim(&mut self, now: Now) {
        let State::Claiming(claiming) = self.take_state(now.mono) else { return };
        claiming.waiting.into_iter().for_each(|ix| self.links.drop(ix));
        let mut members: Vec<Member> = Vec::new();
        for (ix, who) in claiming.promised {
            let Some(address) = self.links.address(ix) else { continue };
            let is_known = |member: &Member| member.who.id.journal == who.id.journal;
            if members.iter().any(is_known) {
                let first =
                    members.iter().find(|member| is_known(member)).map(|member| member.address.clone());
                let (journal, second) = (who.id.journal, address.to_owned());
                self.report(RingReport::SameJournal { journal, first: first.unwrap_or_default(), second });
            } else {
                members.push(Member { who, address: address.to_owned(), joined: 1 });
            }
        }
        if !members.iter().any(|member| member.who.id == self.who.id) {
            let address = self.own.and_then(|own| self.links.address(own)).unwrap_or_default().to_owned();
            if address.is_empty() {
                self.report(RingReport::SelfNotFound);
            }
            members.retain(|member| member.who.id.journal != self.who.id.journal);
            members.push(Member { who: self.who.clone(), address, joined: 1 });
        }
        let token = Token {
            ring: claiming.ring,
            seq: 1,
            to: self.who.id,
            pass_on: false,
            busy: 1,
            members: members.into(),
            sink: None,
            cursors: Cursors::default(),
            pieces: Vec::new(),
        };
        self.visit(now, Box::new(token));
    }
}
