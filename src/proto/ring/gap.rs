//! Who is absent is looked for: each member asks the listed addresses that lie between itself and its successor, and
//! takes in who answers. Two rings that meet become one in the same way: the members of the larger one take those of
//! the smaller in, whose token dies at the first who has gone over.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Defect, Ring, RingReport};
use crate::model::{Body, Instant, Member, Now, RING_MEMBERS_MAX, RingState, Token, Who};
use crate::proto::{Backoff, LinkId, PeerIx};

/// One who answers, and is in another ring or cannot come in yet, is asked again after this.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// The question is answered within this time.
const ASK_TIMEOUT: Duration = Duration::from_millis(400);
/// One that never answers is asked again after half of this at the longest.
const ROUND: Duration = Duration::from_secs(4);

/// One listed address, as far as it is absent.
#[derive(Clone, Debug)]
struct Look {
    next_at: Instant,
    answer_until: Option<Instant>,
    backoff: Backoff,
    /// It lies in this member's gap.
    is_mine: bool,
}

impl Look {
    fn deadline(&self) -> Instant {
        self.answer_until.unwrap_or(self.next_at)
    }
}

/// All listed addresses, and who is to be taken in.
#[derive(Clone, Debug)]
pub(super) struct Gap {
    looks: Vec<Look>,
    /// None of them is this member's: so it is in a ring that is whole.
    is_empty: bool,
    joiners: BTreeMap<PeerIx, RingState>,
}

impl Gap {
    pub(super) fn new(peers: usize, now: Instant, seed: u64) -> Self {
        let look = |at: usize| Look {
            next_at: now,
            answer_until: None,
            backoff: Backoff::new(seed.wrapping_add(at as u64), ROUND, peers),
            is_mine: false,
        };
        Self { looks: (0..peers).map(look).collect(), is_empty: true, joiners: BTreeMap::new() }
    }
}

impl Ring {
    /// The addresses that this member looks after: those between itself and its successor that no member has.
    pub(super) fn find_gap(&mut self) {
        let places = self.members.iter().filter_map(|member| self.links.find(&member.address));
        let present: Vec<PeerIx> = places.chain(self.own).collect();
        let is_alone = self.members.len() <= 1;
        let count = self.links.len();
        let mut mine = vec![is_alone || self.own.is_none(); count];
        if let (false, Some(own)) = (is_alone, self.own) {
            let after = (1..count).map(|step| (own.0 + step) % count);
            for at in after.take_while(|at| !present.contains(&PeerIx(*at))) {
                if let Some(mine) = mine.get_mut(at) {
                    *mine = true;
                }
            }
        }
        for ((at, look), is_mine) in self.gap.looks.iter_mut().enumerate().zip(mine) {
            look.is_mine = is_mine && !present.contains(&PeerIx(at)) && !self.planted.is(Defect::NeverLooks);
        }
        let looks = &self.gap.looks;
        self.gap.is_empty = !looks.iter().any(|look| look.is_mine);
        self.gap.joiners.retain(|ix, _| looks.get(ix.0).is_some_and(|look| look.is_mine));
    }

    pub(super) fn gap_deadline(&self) -> Option<Instant> {
        if self.gap.is_empty || !self.is_member {
            return None;
        }
        let mine = self.gap.looks.iter().filter(|look| look.is_mine);
        mine.map(Look::deadline).min()
    }

    /// Asks those of the gap whose time has come.
    pub(super) fn look_for_absent(&mut self, now: Instant) {
        if self.gap.is_empty || !self.is_member {
            return;
        }
        for ix in self.links.all() {
            let Some(look) = self.gap.looks.get_mut(ix.0).filter(|look| look.is_mine) else { continue };
            if look.deadline() > now {
                continue;
            }
            if look.answer_until.is_some() {
                // A link on which nothing is answered may be dead, whatever TCP believes.
                look.fail(now);
                self.links.drop(ix);
                continue;
            }
            look.answer_until = Some(now + ASK_TIMEOUT);
            let state = self.own_state();
            self.links.tell(now, ix, Body::RingQuery(state));
        }
    }

    pub(super) fn gap_failed(&mut self, now: Instant, ix: PeerIx) {
        if let Some(look) = self.gap.looks.get_mut(ix.0).filter(|look| look.answer_until.is_some()) {
            look.fail(now);
        }
    }

    pub(super) fn own_state(&self) -> RingState {
        let members = if self.is_member { u32::try_from(self.members.len()).unwrap_or(u32::MAX) } else { 0 };
        RingState { who: self.who.clone(), ring: self.latest.0, top: self.top(), members }
    }

    /// A member of some ring asks.
    pub(super) fn ring_query(&mut self, link: LinkId, asker: &RingState) {
        self.heard = self.heard.max(asker.top);
        let state = self.own_state();
        self.links.answer(link, Body::RingAnswer(state));
    }

    /// One that was absent answers: it is taken in at the token's next visit, unless its ring is the larger.
    pub(super) fn ring_answer(&mut self, now: Now, link: LinkId, state: RingState) {
        let Some(ix) = self.links.at(link) else { return };
        self.met(ix, &state.who);
        self.identified(now.mono, link, &state.who);
        let own = self.own_state();
        let Some(look) = self.gap.looks.get_mut(ix.0).filter(|look| look.answer_until.is_some()) else {
            return;
        };
        look.answer_until = None;
        look.backoff.reset();
        look.next_at = now.mono + ASK_AGAIN;
        if state.who.id == self.who.id {
            return self.find_gap();
        }
        // The ring of more members is the larger one, and of two with as many the one of the larger name: so both
        // sides come to the same end.
        let is_ours = state.members == 0 || (own.members, own.ring) > (state.members, state.ring);
        let both_give_way = self.planted.is(Defect::BothGiveWay) && state.members > 0;
        if is_ours && !both_give_way && self.is_member {
            self.gap.joiners.insert(ix, state);
            self.hurry(now);
        }
    }

    /// Takes one in that waits for it, one in a rotation.
    pub(super) fn admit(&mut self, now: Instant, token: &mut Token) {
        let Some(own_place) = token.place(self.who.id) else { return };
        let Some((ix, state)) = self.gap.joiners.pop_first() else { return };
        let members = u64::try_from(token.members.len()).unwrap_or(u64::MAX);
        let last = token.members.iter().map(|member| member.joined).max().unwrap_or_default();
        token.busy = token.seq;
        if members > 1 && token.seq.saturating_sub(last) < members {
            self.gap.joiners.insert(ix, state);
            return;
        }
        let Some(address) = self.links.address(ix).map(str::to_owned) else { return };
        let journal = state.who.id.journal;
        if let Some(other) = token.members.iter().position(|member| member.who.id.journal == journal) {
            let first = token.members.get(other).map(|member| member.address.clone()).unwrap_or_default();
            return self.report_once(RingReport::SameJournal { journal, first, second: address });
        }
        if token.members.len() >= RING_MEMBERS_MAX
            || token.members.iter().any(|member| member.address == address)
        {
            return;
        }
        self.heard = self.heard.max(state.top);
        if state.top > token.ring {
            // No token that the joiner may still see, and no promise that it gave, stands in the way.
            token.ring = self.new_ring();
            self.highest = self.highest.max(token.ring);
            (self.taken, self.latest, self.latest_at) =
                ((token.ring, token.seq), (token.ring, token.seq), now);
        }
        token.members.insert(own_place + 1, Member { who: state.who, address, joined: token.seq });
    }

    /// This node lives at this address.
    pub(super) fn met(&mut self, ix: PeerIx, who: &Who) {
        if who.id == self.who.id {
            self.own = Some(ix);
        } else {
            self.links.note(ix, &who.node);
        }
    }
}

impl Look {
    fn fail(&mut self, now: Instant) {
        self.answer_until = None;
        self.next_at = now + self.backoff.next_delay();
    }
}
