//! How much is asked of whom, and when: never more at a time than this node can hold until its store has it, and of
//! every peer in its turn.

use std::time::Duration;

use super::{Primary, PrimaryOutput};
use crate::model::{Body, Instant, JournalId, Now, PollRequest};
use crate::proto::contract::{Machine, polling_outputs_max};
use crate::proto::journals::UNCOMMITTED_TOTAL_MAX;
use crate::proto::peer::{Asked, State};
use crate::proto::{POLL_MAX_READINGS, PeerIx};

impl Primary {
    /// What a round asks each peer for: all of them together half of what there is room for, so that the other half
    /// is for those that have more to give.
    pub(super) fn round_piece(&self) -> u32 {
        let each = UNCOMMITTED_TOTAL_MAX / 2 / (self.peers.len() as u64).max(1);
        u32::try_from(each).unwrap_or(u32::MAX).clamp(1, POLL_MAX_READINGS)
    }

    /// Asks for more when there is more at the peer and room for it here: at once, or after those that wait already.
    pub(super) fn ask_for_more(&mut self, now: Instant, ix: PeerIx) {
        let journal = self.own_journal(ix);
        let Some(peer) = self.peers.get_mut(ix.0) else { return };
        let Some(journal) = journal.filter(|&journal| self.journals.has_more(journal, peer.last)) else {
            return;
        };
        if self.journals.room(journal) > 0 && !std::mem::replace(&mut peer.waits_its_turn, true) {
            self.turns.push_back(ix);
        }
        self.resume(now);
    }

    /// Asks those whose turn it is, as far as there is room for a whole piece of each.
    pub(super) fn resume(&mut self, now: Instant) {
        while self.journals.total_room() >= u64::from(POLL_MAX_READINGS)
            && let Some(ix) = self.turns.pop_front()
        {
            if let Some(peer) = self.peers.get_mut(ix.0) {
                peer.waits_its_turn = false;
            }
            self.ask(now, ix, POLL_MAX_READINGS);
        }
    }

    /// Asks a peer for at most `most` readings, unless an answer of it is still to come.
    pub(super) fn ask(&mut self, now: Instant, ix: PeerIx, most: u32) {
        let (silence, journal) = (self.silence(), self.own_journal(ix));
        let Some(peer) = self.peers.get_mut(ix.0) else { return };
        let (State::Up { link, asked }, id) = (&mut peer.state, self.next_id) else { return };
        if asked.is_some() && !peer.foreign {
            return;
        }
        let (place, room) = journal.map_or_else(Default::default, |journal| {
            self.journals.ask(journal, 0);
            (self.journals.place(journal), self.journals.room(journal))
        });
        // A first contact asks for the journal's name: there is nothing to come.
        let (after, max) = (place.received, room.min(most).min(peer.piece_max));
        if let Some(journal) = journal {
            self.journals.ask(journal, max);
        }
        *asked = Some(Asked { id, after, max, sent_at: now, silent_at: now + silence });
        let poll = PollRequest { journal, after, taken: place.taken, max };
        self.next_id += 1;
        self.outputs.push_back(PrimaryOutput::Send(*link, id, Body::Poll(poll)));
        self.set_timer(ix);
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
