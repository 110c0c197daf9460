//! What a node needs of its store when its role begins, at its start or while it runs.

use std::collections::BTreeMap;

use super::{StoreReply, StoreSettings, Worker};
use crate::io::clock;
use crate::io::kept_role::Keep;
use crate::model::{JournalId, NodeName, Seq};
use crate::store::{Store, StoreError};

/// What the store holds durably, as far as a role builds on it.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoleFacts {
    /// How far each journal is held.
    pub(crate) cursors: BTreeMap<JournalId, Seq>,
    /// The node last seen at each address.
    pub(crate) peers: BTreeMap<String, NodeName>,
    /// The last round's number.
    pub(crate) last_round: u64,
}

impl RoleFacts {
    /// As they are committed.
    pub(crate) fn of(store: &Store) -> Result<Self, StoreError> {
        let mut cursors = BTreeMap::new();
        // A node that was renamed has one journal under two names.
        for source in store.sources()? {
            let cursor: &mut Seq = cursors.entry(source.journal).or_default();
            *cursor = source.cursor.max(*cursor);
        }
        Ok(Self { cursors, peers: store.peers()?.into_iter().collect(), last_round: store.last_round() })
    }
}

impl Worker {
    /// Works by other settings from now on.
    pub(super) fn adjust(&mut self, settings: StoreSettings) {
        self.settings = settings;
        // What waits was to wait no longer than it is to wait now.
        let soon = clock::now().mono + self.settings.flush_interval;
        self.next_commit_at = self.next_commit_at.min(soon);
    }

    /// Everything that was given to the store before is durable or refused when this is answered, and so is what is to
    /// be kept.
    pub(super) fn settle(&mut self, keep: Option<Keep>) {
        if self.is_dirty || !self.rounds.is_empty() {
            self.commit(clock::now().mono);
        }
        let facts = RoleFacts::of(&self.store).map_err(|error| {
            if error.is_damage() {
                self.fail(&error);
            }
            error.to_string()
        });
        let settled = facts.and_then(|facts| keep.map_or(Ok(()), |keep| keep.carry_out()).map(|()| facts));
        self.reply(StoreReply::Settled(settled));
    }
}
