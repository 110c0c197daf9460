//! How far each journal is held here, and which peer it comes from at present. It outlives links and peers: what has
//! been handed to the store is confirmed or refused whether its link still stands or not.

use std::collections::BTreeMap;

use crate::model::{JournalId, Seq};
use crate::proto::PeerIx;

/// Readings of all journals together that are asked for or received and not yet durable: with their text on the links
/// and their rows in memory some 10 MiB, however many peers have a backlog at once.
pub(super) const UNCOMMITTED_TOTAL_MAX: u64 = 1 << 16;

/// Readings of one journal that are asked for or received and not yet durable. Bounds what a slow disk makes wait; more
/// than the store commits at once, so that a peer with a backlog need not wait for a commit.
pub(super) const UNCOMMITTED_MAX: u64 = UNCOMMITTED_TOTAL_MAX / 2;

/// How far one journal is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The end of what has come; never behind `taken`.
    pub(super) received: Seq,
    /// The end of what is durable here.
    pub(super) taken: Seq,
}

#[derive(Clone, Debug, Default)]
struct Held {
    place: Place,
    /// Readings that are asked for and may come.
    asked: u32,
    owner: Option<PeerIx>,
}

impl Held {
    /// Readings that are asked for or received and not yet durable. Places that the peer no longer has are no
    /// readings: however far it says that it begins, no journal counts for more than its bound.
    fn uncommitted(&self) -> u64 {
        let received = self.place.received.0.saturating_sub(self.place.taken.0);
        received.saturating_add(u64::from(self.asked)).min(UNCOMMITTED_MAX)
    }
}

/// All journals of which something is held, or that a peer has at present.
#[derive(Clone, Debug)]
pub(super) struct Journals {
    held: BTreeMap<JournalId, Held>,
    /// The sum of [`Held::uncommitted`].
    uncommitted: u64,
}

impl Journals {
    /// With what the store holds.
    pub(super) fn new(cursors: BTreeMap<JournalId, Seq>) -> Self {
        let held = |taken| Held { place: Place { received: taken, taken }, ..Held::default() };
        let held = cursors.into_iter().map(|(journal, taken)| (journal, held(taken))).collect();
        Self { held, uncommitted: 0 }
    }

    /// The peer that `journal` comes from.
    pub(super) fn owner(&self, journal: JournalId) -> Option<PeerIx> {
        self.held.get(&journal)?.owner
    }

    /// `journal` comes from `ix` from now on, unless it comes from another: then from which.
    pub(super) fn claim(&mut self, journal: JournalId, ix: PeerIx) -> Result<(), PeerIx> {
        match self.held.entry(journal).or_default().owner.get_or_insert(ix) {
            owner if *owner == ix => Ok(()),
            owner => Err(*owner),
        }
    }

    /// `journal` no longer comes from `ix`, if it did.
    pub(super) fn release(&mut self, journal: JournalId, ix: PeerIx) {
        if self.owner(journal) == Some(ix) {
            self.change(journal, |held| (held.owner, held.asked) = (None, 0));
            self.drop_if_empty(journal);
        }
    }

    /// How far `journal` is held.
    pub(super) fn place(&self, journal: JournalId) -> Place {
        self.held.get(&journal).map(|held| held.place).unwrap_or_default()
    }

    /// Whether there is more of `journal` than has come, if it ends at `last`.
    pub(super) fn has_more(&self, journal: JournalId, last: Seq) -> bool {
        last > self.place(journal).received
    }

    /// How many readings more of `journal` may come before the store confirms some.
    pub(super) fn room(&self, journal: JournalId) -> u32 {
        let uncommitted = self.held.get(&journal).map_or(0, Held::uncommitted);
        let room = UNCOMMITTED_MAX.saturating_sub(uncommitted).min(self.total_room());
        u32::try_from(room).unwrap_or(u32::MAX)
    }

    /// How many readings more may come of all journals together.
    pub(super) fn total_room(&self) -> u64 {
        UNCOMMITTED_TOTAL_MAX.saturating_sub(self.uncommitted)
    }

    /// Of `journal`, so many readings are asked for and may come.
    pub(super) fn ask(&mut self, journal: JournalId, readings: u32) {
        self.change(journal, |held| held.asked = readings);
    }

    /// Readings through here have been handed to the store.
    pub(super) fn receive(&mut self, journal: JournalId, through: Seq) {
        self.change(journal, |held| held.place.received = through);
    }

    /// The store holds `journal` durably through `cursor`.
    pub(super) fn confirm(&mut self, journal: JournalId, cursor: Seq) {
        self.change(journal, |Held { place: Place { received, taken }, .. }| {
            *taken = cursor.max(*taken);
            *received = (*taken).max(*received);
        });
    }

    /// What has come of `journal` and is not durable never will be, and what is asked for is of no interest.
    pub(super) fn rewind(&mut self, journal: JournalId) {
        if self.held.contains_key(&journal) {
            self.change(journal, |held| (held.place.received, held.asked) = (held.place.taken, 0));
            self.drop_if_empty(journal);
        }
    }

    /// Changes what is known of one journal, and the sum with it.
    fn change(&mut self, journal: JournalId, change: impl FnOnce(&mut Held)) {
        let held = self.held.entry(journal).or_default();
        let before = held.uncommitted();
        change(held);
        self.uncommitted = self.uncommitted.saturating_sub(before).saturating_add(held.uncommitted());
    }

    /// A journal of which nothing is held and that nobody has is not remembered.
    fn drop_if_empty(&mut self, journal: JournalId) {
        let empty = |held: &Held| held.owner.is_none() && held.place == Place::default();
        if self.held.get(&journal).is_some_and(empty) {
            self.held.remove(&journal);
        }
    }

    #[cfg(test)]
    pub(super) fn owned(&self) -> usize {
        self.held.values().filter(|held| held.owner.is_some()).count()
    }

    /// The sum that is kept, and the sum as it is.
    #[cfg(test)]
    pub(super) fn uncommitted(&self) -> (u64, u64) {
        (self.uncommitted, self.held.values().map(Held::uncommitted).sum())
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }
}
