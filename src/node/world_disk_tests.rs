//! A node's disk as a model: what is durable, what waits for the next commit, and what a commit that fails costs.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{BootId, JournalId, NodeName, Readings, Seq};

/// One reading of a journal: a number that no other reading in the world has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) value: u32,
    pub(super) boot: BootId,
}

/// All that ever was durable in a journal at its source, dropped or not, and whether its card is still there.
#[derive(Debug, Default)]
pub(super) struct Story {
    pub(super) rows: Vec<Row>,
    /// Through here the source has nothing any more.
    pub(super) dropped_through: u64,
}

impl Story {
    pub(super) fn last(&self) -> u64 {
        self.rows.len() as u64
    }
}

/// The journals of the world, also of cards that are gone.
pub(super) type Stories = BTreeMap<JournalId, Story>;

/// What one sink holds durably of one journal.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    pub(super) cursor: u64,
    pub(super) rows: BTreeMap<u64, u32>,
}

/// What a commit that succeeds makes durable besides own readings.
#[derive(Debug, Default)]
struct Group {
    takes: BTreeMap<JournalId, Held>,
    consumers: BTreeMap<NodeName, Seq>,
    peers: BTreeMap<String, NodeName>,
    round: u64,
}

/// One card.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) journal: JournalId,
    pub(super) taken: BTreeMap<JournalId, Held>,
    pub(super) consumers: BTreeMap<NodeName, Seq>,
    pub(super) peers: BTreeMap<String, NodeName>,
    pub(super) round: u64,
    pub(super) is_failing: bool,
    /// Own readings that wait for a commit; a failed one keeps them, a crash does not.
    waiting: Vec<Row>,
    group: Group,
    pub(super) is_commit_due: bool,
}

/// What a commit came to.
#[derive(Debug, Default)]
pub(super) struct Committed {
    pub(super) appended: Option<Seq>,
    pub(super) taken: Vec<(JournalId, Seq)>,
    pub(super) refused: BTreeSet<JournalId>,
}

impl Disk {
    pub(super) fn new(journal: JournalId) -> Self {
        Self {
            journal,
            taken: BTreeMap::new(),
            consumers: BTreeMap::new(),
            peers: BTreeMap::new(),
            round: 0,
            is_failing: false,
            waiting: Vec::new(),
            group: Group::default(),
            is_commit_due: false,
        }
    }

    /// Power fails: what is not durable is gone.
    pub(super) fn crash(&mut self) {
        self.waiting.clear();
        self.group = Group::default();
        self.is_commit_due = false;
    }

    pub(super) fn append(&mut self, rows: impl IntoIterator<Item = Row>) {
        self.waiting.extend(rows);
    }

    pub(super) fn note_consumer(&mut self, name: NodeName, seq: Seq) {
        self.group.consumers.insert(name, seq);
    }

    pub(super) fn note_peer(&mut self, address: String, node: NodeName) {
        self.group.peers.insert(address, node);
    }

    pub(super) fn add_round(&mut self, number: u64) {
        assert!(number > self.round.max(self.group.round), "round {number} twice");
        self.group.round = number;
    }

    /// The durable end of a journal of another node.
    pub(super) fn cursor(&self, journal: JournalId) -> u64 {
        self.taken.get(&journal).map_or(0, |held| held.cursor)
    }

    /// Puts a piece into the open group. False: it begins beyond what is here, and is refused.
    pub(super) fn take(&mut self, piece: &Readings, stories: &Stories) -> bool {
        assert_ne!(piece.journal, self.journal, "a node takes its own journal");
        let story = &stories[&piece.journal];
        let group = &mut self.group.takes;
        let cursor = group.get(&piece.journal).map_or_else(|| self.taken.get(&piece.journal), Some);
        let cursor = cursor.map_or(0, |held| held.cursor);
        if piece.after.0 > cursor {
            return false;
        }
        let missing = cursor + 1..piece.first.0;
        assert!(
            missing.is_empty() || missing.end - 1 <= story.dropped_through,
            "readings {missing:?} are skipped, and the source has them (it dropped those through {})",
            story.dropped_through
        );
        let held = group.entry(piece.journal).or_default();
        held.cursor = cursor.max(piece.first.0 - 1);
        for (place, reading) in (piece.first.0..).zip(&piece.pack.readings) {
            let row = story.rows[usize::try_from(place - 1).unwrap()];
            assert_eq!(reading.value, Ok(f64::from(row.value)), "reading {place} is another at the source");
            assert_eq!(piece.boot, row.boot, "reading {place}: its boot");
            if place > held.cursor {
                assert_eq!(place, held.cursor + 1, "out of order");
                assert_eq!(held.rows.insert(place, row.value), None, "reading {place} twice");
                held.cursor = place;
            }
        }
        true
    }

    /// The open group becomes durable, or is undone.
    pub(super) fn commit(&mut self, stories: &mut Stories) -> Committed {
        self.is_commit_due = false;
        let group = std::mem::take(&mut self.group);
        if self.is_failing {
            return Committed { refused: group.takes.into_keys().collect(), ..Committed::default() };
        }
        let mut committed = Committed::default();
        let story = stories.entry(self.journal).or_default();
        if !self.waiting.is_empty() {
            story.rows.append(&mut self.waiting);
            committed.appended = Some(Seq(story.last()));
        }
        for (journal, new) in group.takes {
            committed.taken.push((journal, Seq(new.cursor)));
            let held = self.taken.entry(journal).or_default();
            held.cursor = new.cursor;
            for (place, value) in new.rows {
                assert_eq!(held.rows.insert(place, value), None, "reading {place} is stored twice");
            }
        }
        self.consumers.extend(group.consumers);
        self.peers.extend(group.peers);
        self.round = self.round.max(group.round);
        committed
    }

    /// What retention may drop: what every consumer that is known has.
    pub(super) fn taken_by_all(&self) -> u64 {
        self.consumers.values().min().map_or(0, |seq| seq.0)
    }
}
