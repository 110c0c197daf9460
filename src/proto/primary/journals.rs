//! How far each journal is held here, and which peer it comes from at present. It outlives links and peers: what has
//! been handed to the store is confirmed or refused whether its link still stands or not.

use std::collections::BTreeMap;

use crate::model::{JournalId, Seq};
use crate::proto::{POLL_MAX_READINGS, PeerIx};

/// Readings of one journal that are asked for or received and not yet durable. Bounds what a slow disk makes wait.
pub(super) const UNCOMMITTED_MAX: u64 = 4 * POLL_MAX_READINGS as u64;

/// How far one journal is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The end of what has come; never behind `taken`.
    pub(super) received: Seq,
    /// The end of what is durable here.
    pub(super) taken: Seq,
}

impl Place {
    /// How many readings more may come before the store confirms some.
    pub(super) fn room(self) -> u32 {
        let waiting = self.received.0.saturating_sub(self.taken.0);
        u32::try_from(UNCOMMITTED_MAX.saturating_sub(waiting)).unwrap_or(u32::MAX)
    }
}

#[derive(Debug, Default)]
struct Held {
    place: Place,
    owner: Option<PeerIx>,
}

/// All journals of which something is held, or that a peer has at present.
#[derive(Debug)]
pub(super) struct Journals(BTreeMap<JournalId, Held>);

impl Journals {
    /// With what the store holds.
    pub(super) fn new(cursors: BTreeMap<JournalId, Seq>) -> Self {
        let held = |taken| Held { place: Place { received: taken, taken }, owner: None };
        Self(cursors.into_iter().map(|(journal, taken)| (journal, held(taken))).collect())
    }

    /// The peer that `journal` comes from.
    pub(super) fn owner(&self, journal: JournalId) -> Option<PeerIx> {
        self.0.get(&journal)?.owner
    }

    /// `journal` comes from `ix` from now on, unless it comes from another: then from which.
    pub(super) fn claim(&mut self, journal: JournalId, ix: PeerIx) -> Result<(), PeerIx> {
        match self.0.entry(journal).or_default().owner.get_or_insert(ix) {
            owner if *owner == ix => Ok(()),
            owner => Err(*owner),
        }
    }

    /// `journal` no longer comes from `ix`, if it did.
    pub(super) fn release(&mut self, journal: JournalId, ix: PeerIx) {
        let Some(held) = self.0.get_mut(&journal).filter(|held| held.owner == Some(ix)) else { return };
        held.owner = None;
        self.drop_if_empty(journal);
    }

    /// How far `journal` is held.
    pub(super) fn place(&self, journal: JournalId) -> Place {
        self.0.get(&journal).map(|held| held.place).unwrap_or_default()
    }

    /// Readings through here have been handed to the store.
    pub(super) fn receive(&mut self, journal: JournalId, through: Seq) {
        self.0.entry(journal).or_default().place.received = through;
    }

    /// The store holds `journal` durably through `cursor`.
    pub(super) fn confirm(&mut self, journal: JournalId, cursor: Seq) {
        let Place { received, taken } = &mut self.0.entry(journal).or_default().place;
        *taken = cursor.max(*taken);
        *received = (*taken).max(*received);
    }

    /// What has come of `journal` and is not durable never will be.
    pub(super) fn rewind(&mut self, journal: JournalId) {
        let Some(held) = self.0.get_mut(&journal) else { return };
        held.place.received = held.place.taken;
        self.drop_if_empty(journal);
    }

    /// A journal of which nothing is held and that nobody has is not remembered.
    fn drop_if_empty(&mut self, journal: JournalId) {
        let empty = |held: &Held| held.owner.is_none() && held.place == Place::default();
        if self.0.get(&journal).is_some_and(empty) {
            self.0.remove(&journal);
        }
    }

    #[cfg(test)]
    pub(super) fn owned(&self) -> usize {
        self.0.values().filter(|held| held.owner.is_some()).count()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
