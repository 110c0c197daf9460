//! Dating what others measure: a token takes its time, so that its way tells nothing of clocks. The acting sink asks
//! each member itself, one after the other: who it is (so that no clock is taken for another's), and then, on the link
//! that stands by now, how its clocks are. The four times of that exchange are what a poll and its answer give.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value as Json;

use super::{Ring, RingOutput};
use crate::model::{
    Body, ClockSample, Instant, JournalId, Member, MemberId, NodeName, Now, Roster, Token, Who,
};
use crate::proto::clock::PeerClock;
use crate::proto::{LinkId, PeerIx};

/// From one meeting with a member's clock to the next. Its readings between are dated to some tenths of a second at
/// worst, by crystals that are 300 millionths apart, and to milliseconds by common ones.
pub(super) const EVERY: Duration = Duration::from_secs(600);
/// A meeting that came to nothing is tried again after this.
pub(super) const AGAIN: Duration = Duration::from_secs(10);
/// A meeting takes no longer: a connection, and two questions.
const MEETING_MAX: Duration = Duration::from_secs(2);

/// A member, as far as its clocks are concerned.
#[derive(Clone, Debug)]
struct Known {
    id: MemberId,
    node: NodeName,
    ix: PeerIx,
    clock: PeerClock,
    next_at: Instant,
}

/// A meeting under way.
#[derive(Clone, Debug)]
struct Meeting {
    journal: JournalId,
    ix: PeerIx,
    stage: Stage,
    until: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It was asked who it is.
    Calling,
    /// It was asked how its clocks are, by this message.
    Asked { link: LinkId, id: u64, sent: Instant },
}

/// What a sink knows of the members' clocks.
#[derive(Clone, Debug, Default)]
pub(super) struct Dates {
    roster: Option<Roster>,
    known: BTreeMap<JournalId, Known>,
    meeting: Option<Meeting>,
}

impl Dates {
    /// How a member's clock stands, for the status.
    pub(super) fn status(&self, journal: JournalId, now: Now) -> Json {
        self.known.get(&journal).map_or(Json::Null, |known| known.clock.status(now))
    }
}

impl Ring {
    /// This member is the sink: those that it has not seen before in this life are met at once.
    pub(super) fn see_members(&mut self, now: Instant, token: &Token) {
        if self.dates.roster.as_ref() == Some(&token.members) {
            return;
        }
        let mut before = std::mem::take(&mut self.dates.known);
        for member in token.members.iter().filter(|member| member.who.id != self.who.id) {
            let Some(ix) = self.links.find(&member.address) else { continue };
            let known = known(before.remove(&member.who.id.journal), member, ix, now);
            self.dates.known.insert(member.who.id.journal, known);
        }
        self.dates.roster = Some(token.members.clone());
        self.meet_next(now);
    }

    pub(super) fn dates_deadline(&self) -> Option<Instant> {
        match &self.dates.meeting {
            Some(meeting) => Some(meeting.until),
            None if self.dates_others() => self.dates.known.values().map(|known| known.next_at).min(),
            None => None,
        }
    }

    fn dates_others(&self) -> bool {
        self.is_member && self.collector.acts()
    }

    /// Ends a meeting that takes too long, and begins the next one that is due.
    pub(super) fn meet_next(&mut self, now: Instant) {
        if self.dates.meeting.as_ref().is_some_and(|meeting| meeting.until <= now) {
            self.end_meeting(now + AGAIN);
        }
        if self.dates.meeting.is_some() || !self.dates_others() {
            return;
        }
        let due = self.dates.known.iter().filter(|(_, known)| known.next_at <= now);
        let Some((journal, known)) = due.min_by_key(|(_, known)| known.next_at) else { return };
        let (journal, ix) = (*journal, known.ix);
        self.dates.meeting = Some(Meeting { journal, ix, stage: Stage::Calling, until: now + MEETING_MAX });
        let state = self.own_state();
        self.links.tell(now, ix, Body::RingQuery(state));
    }

    fn end_meeting(&mut self, next_at: Instant) {
        let Some(meeting) = self.dates.meeting.take() else { return };
        if let Some(known) = self.dates.known.get_mut(&meeting.journal) {
            known.next_at = next_at;
        }
    }

    /// Somebody said who he is: if it is the one that was called, he is asked for his clocks.
    pub(super) fn identified(&mut self, now: Instant, link: LinkId, who: &Who) {
        let at = self.links.at(link);
        let Some(meeting) = &mut self.dates.meeting else { return };
        if meeting.stage != Stage::Calling || at != Some(meeting.ix) {
            return;
        }
        if self.dates.known.get(&meeting.journal).is_some_and(|known| known.id == who.id) {
            let id = self.links.answer(link, Body::Ping);
            meeting.stage = Stage::Asked { link, id, sent: now };
        } else {
            self.end_meeting(now + AGAIN);
        }
    }

    /// A member says how its clocks are, in answer to the message of this id.
    pub fn pong(&mut self, now: Now, link: LinkId, id: &str, clock: &ClockSample) {
        let Some(Meeting { journal, stage: Stage::Asked { link: asked_on, id: asked, sent }, .. }) =
            self.dates.meeting
        else {
            return;
        };
        if link != asked_on || id.parse() != Ok(asked) {
            return;
        }
        if let Some(known) = self.dates.known.get_mut(&journal)
            && let Some(link) = known.clock.exchange(journal, sent, clock, now.mono)
        {
            let node = known.node.clone();
            self.links.outputs.push_back(RingOutput::NoteLink { node, journal, link });
        }
        self.end_meeting(now.mono + EVERY);
        self.meet_next(now.mono);
    }

    /// Nothing can be said to this address at present.
    pub(super) fn meeting_failed(&mut self, now: Instant, ix: PeerIx) {
        if self.dates.meeting.as_ref().is_some_and(|meeting| meeting.ix == ix) {
            self.end_meeting(now + AGAIN);
        }
    }
}

/// What is known of a member: what was known before, if it is in the same life.
fn known(before: Option<Known>, member: &Member, ix: PeerIx, now: Instant) -> Known {
    let (id, node) = (member.who.id, member.who.node.clone());
    match before {
        Some(before) if before.id == id => Known { node, ix, ..before },
        Some(before) => Known { id, node, ix, next_at: now, ..before },
        None => Known { id, node, ix, clock: PeerClock::default(), next_at: now },
    }
}
