//! A node's disk as a model: its own journal, what it holds of others, what waits for the next commit. A reading is
//! told by its journal and place, so that a piece's text says what ought to be in it.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{JournalId, Piece, Seq};

/// One card.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) journal: JournalId,
    /// The own journal's durable end.
    pub(super) last: u64,
    /// Own readings that wait for a commit; a failed one keeps them, a crash does not.
    waiting: u64,
    /// How far each journal is held durably.
    pub(super) held: BTreeMap<JournalId, u64>,
    /// The same with what waits for the commit.
    group: BTreeMap<JournalId, u64>,
    /// Journals of which something was refused and nothing taken since.
    refused: BTreeSet<JournalId>,
    pub(super) round: u64,
    pub(super) is_failing: bool,
    pub(super) is_commit_due: bool,
    pub(super) reading_bytes: usize,
}

/// What a commit came to.
#[derive(Debug, Default)]
pub(super) struct Committed {
    pub(super) appended: Option<Seq>,
    pub(super) taken: Vec<(JournalId, Seq)>,
    pub(super) refused: Vec<JournalId>,
}

impl Disk {
    pub(super) fn new(journal: JournalId, last: u64, reading_bytes: usize) -> Self {
        Self {
            journal,
            last,
            waiting: 0,
            held: BTreeMap::new(),
            group: BTreeMap::new(),
            refused: BTreeSet::new(),
            round: 0,
            is_failing: false,
            is_commit_due: false,
            reading_bytes,
        }
    }

    pub(super) fn append(&mut self, readings: u64) {
        self.waiting += readings;
    }

    /// Power fails: what is not durable is gone.
    pub(super) fn crash(&mut self) {
        self.waiting = 0;
        self.group.clear();
        self.refused.clear();
        self.is_commit_due = false;
    }

    pub(super) fn held(&self, journal: JournalId) -> u64 {
        self.held.get(&journal).copied().unwrap_or(0)
    }

    pub(super) fn read(&self, after: Seq, max: u32) -> Piece {
        let through = self.last.min(after.0 + u64::from(max));
        assert!(through > after.0, "a read beyond the journal's end");
        let count = usize::try_from(through - after.0).unwrap();
        let text = label(self.journal, after.0, through) + &" ".repeat(count * self.reading_bytes);
        Piece { journal: self.journal, after, through: Seq(through), text: text.into() }
    }

    /// Puts a piece into the open group. False: it begins beyond what is here, and is refused.
    pub(super) fn take(&mut self, piece: &Piece) -> bool {
        assert_ne!(piece.journal, self.journal, "a node takes its own journal");
        let label = label(piece.journal, piece.after.0, piece.through.0);
        assert_eq!(piece.text.trim_end(), label, "a piece is another than at its source");
        let cursor = self.group.get(&piece.journal).copied().unwrap_or_else(|| self.held(piece.journal));
        let was_refused = self.refused.contains(&piece.journal);
        assert!(was_refused || piece.after.0 == cursor, "{label} does not follow on {cursor}");
        if piece.after.0 > cursor {
            return false;
        }
        self.group.insert(piece.journal, cursor.max(piece.through.0));
        true
    }

    /// A piece that the store was never given, for its queue is full.
    pub(super) fn refuse(&mut self, journal: JournalId) {
        self.refused.insert(journal);
    }

    pub(super) fn add_round(&mut self, number: u64) {
        assert!(number > self.round, "round {number} twice");
        self.round = number;
    }

    /// The open group becomes durable, or is undone.
    pub(super) fn commit(&mut self) -> Committed {
        self.is_commit_due = false;
        let group = std::mem::take(&mut self.group);
        if self.is_failing {
            self.refused.extend(group.keys());
            return Committed { refused: group.into_keys().collect(), ..Committed::default() };
        }
        let appended = (self.waiting > 0).then(|| Seq(self.last + self.waiting));
        self.last += std::mem::take(&mut self.waiting);
        for (journal, through) in &group {
            let held = self.held.entry(*journal).or_default();
            assert!(*through >= *held, "a cursor goes back");
            *held = *through;
        }
        let taken = group.into_iter().map(|(journal, through)| (journal, Seq(through))).collect();
        Committed { appended, taken, refused: Vec::new() }
    }

    pub(super) fn has_waiting(&self) -> bool {
        self.waiting > 0 || !self.group.is_empty()
    }
}

fn label(journal: JournalId, after: u64, through: u64) -> String {
    format!("{journal} {}..={through}", after + 1)
}
