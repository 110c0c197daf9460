//! How much is asked of whom, and when: never more at a time than this node can hold until its store has it, and of
//! every peer in its turn.

use std::time::Duration;

use super::{Primary, PrimaryOutput};
use crate::model::{Body, Instant, JournalId, Now, PollRequest};
use crate::proto::contract::{Machine, polling_outputs_max};
use crate::proto::defect::Defect;
use crate::proto::journals::UNCOMMITTED_TOTAL_MAX;
use crate::proto::peer::{Asked, State};
use crate::proto::{POLL_MAX_READINGS, PeerIx};

/// In what order a round asks the peers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PollOrder {
    /// All at once: a round takes as long as the slowest answer.
    #[default]
    AtOnce,
    /// The next one when the last has answered, or when its share of the time until the deadline is over: a round takes
    /// as long as all answers together, and no two are on their way, unless one takes longer than its share. An answer
    /// that comes late still counts, as long as the round is open.
    InTurn,
}

/// A turn is no shorter, however many wait for theirs.
const TURN_LEAST: Duration = Duration::from_millis(1);

impl Primary {
    /// A round, or a new link, wants this peer to be asked: at once, or when it is its turn.
    pub(super) fn ask_for_round(&mut self, now: Instant, ix: PeerIx) {
        match self.order {
            PollOrder::AtOnce => {
                self.ask(now, ix, self.round_piece());
            }
            PollOrder::InTurn => self.enqueue(ix),
        }
    }

    fn enqueue(&mut self, ix: PeerIx) {
        let Some(peer) = self.peers.get_mut(ix.0) else { return };
        if !std::mem::replace(&mut peer.waits_its_turn, true) {
            self.turns.push_back(ix);
        }
    }

    /// What a round asks each peer for: all of them together half of what there is room for, so that the other half
    /// is for those that have more to give.
    pub(super) fn round_piece(&self) -> u32 {
        let each = UNCOMMITTED_TOTAL_MAX / 2 / (self.peers.len() as u64).max(1);
        u32::try_from(each).unwrap_or(u32::MAX).clamp(1, POLL_MAX_READINGS)
    }

    /// Asks for more when there is more at the peer and room for it here: at once, or after those that wait already.
    pub(super) fn ask_for_more(&mut self, now: Instant, ix: PeerIx) {
        let journal = self.own_journal(ix).filter(|_| !self.planted.is(Defect::OnePieceARound));
        let Some(peer) = self.peers.get(ix.0) else { return };
        let Some(journal) = journal.filter(|&journal| self.journals.has_more(journal, peer.last)) else {
            return;
        };
        if self.journals.room(journal) > 0 {
            self.enqueue(ix);
        }
        self.resume(now);
    }

    /// Asks those whose turn it is: the next one, or as many as there is room for a whole piece of each.
    pub(super) fn resume(&mut self, now: Instant) {
        if self.order == PollOrder::InTurn {
            return self.resume_in_turn(now);
        }
        while self.journals.total_room() >= u64::from(POLL_MAX_READINGS)
            && let Some(ix) = self.turns.pop_front()
        {
            if let Some(peer) = self.peers.get_mut(ix.0) {
                peer.waits_its_turn = false;
            }
            self.ask(now, ix, POLL_MAX_READINGS);
        }
    }

    /// One that cannot be asked, or that is not waited for, loses its turn to the next.
    fn resume_in_turn(&mut self, now: Instant) {
        while self.turn.is_none()
            && let Some(ix) = self.turns.pop_front()
        {
            if let Some(peer) = self.peers.get_mut(ix.0) {
                peer.waits_its_turn = false;
            }
            if self.ask(now, ix, POLL_MAX_READINGS) {
                self.turn = Some((ix, now + self.share(now)));
            }
        }
    }

    /// How long the next peer may take: what is left of the round, shared with all that the round still waits for (not
    /// all of which need have a link yet).
    fn share(&self, now: Instant) -> Duration {
        let left = self.open.map_or(self.deadline, |(_, ends_at)| ends_at.saturating_since(now));
        let sharers = u32::try_from(self.awaited.max(self.turns.len() + 1)).unwrap_or(u32::MAX);
        (left / sharers).max(TURN_LEAST)
    }

    /// This peer is no longer waited for, if it was.
    pub(super) fn end_turn_of(&mut self, ix: PeerIx) {
        self.turn.take_if(|turn| turn.0 == ix);
    }

    /// Asks a peer for at most `most` readings, unless an answer of it is still to come. True when it was asked, and
    /// is to answer.
    pub(super) fn ask(&mut self, now: Instant, ix: PeerIx, most: u32) -> bool {
        let (silence, journal) = (self.silence(), self.own_journal(ix));
        let Some(peer) = self.peers.get_mut(ix.0) else { return false };
        let (State::Up { link, asked }, id) = (&mut peer.state, self.next_id) else { return false };
        if asked.is_some() && !peer.foreign {
            return false;
        }
        let is_to_answer = !peer.foreign;
        let (place, room) = journal.map_or_else(Default::default, |journal| {
            self.journals.ask(journal, 0);
            (self.journals.place(journal), self.journals.room(journal))
        });
        // A first contact asks for the journal's name: there is nothing to come.
        let (after, max) = (place.received, room.min(most).min(peer.piece_max));
        if let Some(journal) = journal {
            self.journals.ask(journal, max);
        }
        let silence = if self.planted.is(Defect::SilenceBorne) { Duration::MAX } else { silence };
        *asked = Some(Asked { id, after, max, sent_at: now, silent_at: now + silence });
        let is_early = self.planted.is(Defect::PollAcknowledgesEarly);
        let taken = if is_early { place.received } else { place.taken };
        let poll = PollRequest { journal, after, taken, max };
        self.next_id += 1;
        self.outputs.push_back(PrimaryOutput::Send(*link, id, Body::Poll(poll)));
        self.set_timer(ix);
        is_to_answer
    }

    /// The open round no longer waits for this peer.
    pub(super) fn give_up_on(&mut self, now: Now, ix: PeerIx) {
        let Some(peer) = self.peers.get_mut(ix.0) else { return };
        if std::mem::take(&mut peer.expected) {
            self.awaited = self.awaited.saturating_sub(1);
            self.end_round_if_all_answered(now);
        }
    }

    /// The journal that comes from this peer.
    pub(super) fn own_journal(&self, ix: PeerIx) -> Option<JournalId> {
        self.peers.get(ix.0)?.journal.filter(|&journal| self.journals.owner(journal) == Some(ix))
    }

    /// A link on which a poll stays without answer for this long is dead, whatever TCP believes.
    pub(super) fn silence(&self) -> Duration {
        const LEAST: Duration = Duration::from_secs(3);
        self.deadline.saturating_mul(4).max(LEAST)
    }
}

impl Machine for Primary {
    type Output = PrimaryOutput;
    fn handle_timeout(&mut self, now: Now) {
        Primary::handle_timeout(self, now);
    }
    fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        Primary::poll_timeout(self)
    }
    fn poll_output(&mut self) -> Option<PrimaryOutput> {
        Primary::poll_output(self)
    }
    fn outputs_max(&self) -> usize {
        polling_outputs_max(self.peers.len())
    }
}
