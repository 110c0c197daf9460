//! A host's disk as a model: what is durable, what waits for the next commit, what a commit that fails costs, and what
//! is gone when the host dies. It does what the real store does, and holds it to the rules while it does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::check::{Broken, Invariant, hold};
use crate::model::{BootId, Channel, Instant, JournalId, NodeName, Pack, Readings, Seq, Value, WallTime};

/// Readings of others that may be in one group: what a sink asks for before it knows that some are durable, and one
/// more piece.
const GROUP_MAX_READINGS: u64 = (1 << 16) + (1 << 14);

/// One reading, as its source took it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Row {
    /// The true time.
    pub(super) at: Instant,
    pub(super) mono: Instant,
    pub(super) wall: WallTime,
    pub(super) value: Value,
    pub(super) boot: u32,
    pub(super) channel: u16,
}

/// All that ever was durable in a journal at its source, dropped or not.
#[derive(Debug, Default)]
pub(super) struct Story {
    pub(super) rows: Vec<Row>,
    pub(super) channels: Vec<Arc<Channel>>,
    /// Through here the source has nothing any more.
    pub(super) dropped_through: u64,
    /// Through here it was durable at a sink.
    pub(super) collected: u64,
}

impl Story {
    pub(super) fn last(&self) -> u64 {
        self.rows.len() as u64
    }

    /// The rows after `after`.
    pub(super) fn rows_after(&self, after: u64) -> &[Row] {
        usize::try_from(after).ok().and_then(|after| self.rows.get(after..)).unwrap_or_default()
    }

    pub(super) fn row(&self, place: u64) -> Option<&Row> {
        self.rows.get(usize::try_from(place.checked_sub(1)?).ok()?)
    }

    /// The number of a channel, added if it is new.
    pub(super) fn channel(&mut self, channel: &Arc<Channel>) -> u16 {
        let known = self.channels.iter().position(|one| one == channel);
        let at = known.unwrap_or_else(|| {
            self.channels.push(Arc::clone(channel));
            self.channels.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }
}

/// The journals of the world, also of cards that are gone.
pub(super) type Stories = BTreeMap<JournalId, Story>;

/// What a commit that succeeds makes durable besides own readings.
#[derive(Debug, Default)]
struct Group {
    takes: BTreeMap<JournalId, u64>,
    readings: u64,
    consumers: BTreeMap<NodeName, Seq>,
    peers: BTreeMap<String, NodeName>,
    round: u64,
    is_dirty: bool,
}

/// One card.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) journal: JournalId,
    /// How far each journal of others is held durably.
    pub(super) taken: BTreeMap<JournalId, u64>,
    pub(super) consumers: BTreeMap<NodeName, Seq>,
    pub(super) peers: BTreeMap<String, NodeName>,
    pub(super) round: u64,
    /// Readings of others that are held.
    pub(super) held_readings: u64,
    /// Own readings that wait for a commit; a failed one keeps them, a crash does not.
    waiting: Vec<Row>,
    group: Group,
    /// Journals of which something was refused since the process began.
    refused: BTreeSet<JournalId>,
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
            held_readings: 0,
            waiting: Vec::new(),
            group: Group::default(),
            refused: BTreeSet::new(),
            is_commit_due: false,
        }
    }

    /// The process dies: what is not durable is gone. The own readings among it.
    pub(super) fn crash(&mut self) -> Vec<Row> {
        self.group = Group::default();
        self.refused.clear();
        self.is_commit_due = false;
        std::mem::take(&mut self.waiting)
    }

    pub(super) fn append(&mut self, row: Row) {
        self.waiting.push(row);
    }

    pub(super) fn note_consumer(&mut self, name: NodeName, seq: Seq) {
        self.group.is_dirty = true;
        self.group.consumers.insert(name, seq);
    }

    pub(super) fn note_peer(&mut self, address: String, node: NodeName) {
        self.group.is_dirty = true;
        self.group.peers.insert(address, node);
    }

    pub(super) fn add_round(&mut self, number: u64) -> Result<(), Broken> {
        let last = self.round.max(self.group.round);
        self.group.is_dirty = true;
        self.group.round = number;
        hold(Invariant::OnceInOrder, number > last, || format!("round {number} comes after round {last}"))
    }

    /// The durable end of a journal of another node.
    pub(super) fn cursor(&self, journal: JournalId) -> u64 {
        self.taken.get(&journal).copied().unwrap_or(0)
    }

    /// Own readings that are not durable yet.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether a commit would make anything durable.
    pub(super) fn is_dirty(&self) -> bool {
        !self.waiting.is_empty() || self.group.is_dirty || !self.group.takes.is_empty()
    }

    /// A piece that the store was never given, for its queue is full.
    pub(super) fn refuse(&mut self, journal: JournalId) {
        self.refused.insert(journal);
    }

    /// Puts a piece into the open group. False: it begins beyond what is here, and is refused. What comes by a token
    /// never does, unless something was refused in this life.
    pub(super) fn take(
        &mut self,
        piece: &Readings,
        stories: &Stories,
        is_by_token: bool,
    ) -> Result<bool, Broken> {
        hold(Invariant::OnceInOrder, piece.journal != self.journal, || {
            "a node takes its own journal".to_owned()
        })?;
        let Some(story) = stories.get(&piece.journal) else {
            return hold(Invariant::Genuine, false, || format!("no node has journal {}", piece.journal))
                .map(|()| false);
        };
        let cursor =
            self.group.takes.get(&piece.journal).copied().unwrap_or_else(|| self.cursor(piece.journal));
        if piece.after.0 > cursor {
            // Not without a reason: something before it was refused.
            hold(Invariant::NothingSkipped, !is_by_token || self.refused.contains(&piece.journal), || {
                format!(
                    "a piece of journal {} after {} comes, and {cursor} is the end",
                    piece.journal, piece.after
                )
            })?;
            self.refuse(piece.journal);
            return Ok(false);
        }
        let first = piece.first.0;
        hold(Invariant::NothingSkipped, first <= cursor + 1 || first - 1 <= story.dropped_through, || {
            let dropped = story.dropped_through;
            format!(
                "readings {} to {} are passed over; their source dropped those through {dropped}",
                cursor + 1,
                first - 1
            )
        })?;
        let through = Self::check_readings(piece, story, cursor)?;
        self.group.readings += through - cursor;
        self.group.takes.insert(piece.journal, through);
        // What a source has dropped is no reading, though it counts as one here.
        let most = GROUP_MAX_READINGS + story.dropped_through;
        let waiting = self.group.readings;
        hold(Invariant::Bounded, waiting <= most, || format!("{waiting} readings wait for one commit"))?;
        Ok(true)
    }

    /// Each reading of a piece is the one that was sensed, and they follow on one another. The end of what is held with
    /// it.
    fn check_readings(piece: &Readings, story: &Story, cursor: u64) -> Result<u64, Broken> {
        let first = piece.first.0;
        let mut through = cursor.max(first.saturating_sub(1));
        for (place, reading) in (first..).zip(&piece.pack.readings) {
            let row = story.row(place);
            let channel = row.and_then(|row| story.channels.get(usize::from(row.channel)));
            let is_genuine = row.is_some_and(|row| {
                (row.value, row.mono, row.wall) == (reading.value, reading.mono, reading.time)
                    && BootId(u128::from(row.boot)) == piece.boot
            });
            hold(Invariant::Genuine, is_genuine && channel == piece.pack.channel(reading), || {
                format!(
                    "reading {place} of journal {} is {reading:?}, and {row:?} at its source",
                    piece.journal
                )
            })?;
            if place > through {
                hold(Invariant::OnceInOrder, place == through + 1, || {
                    format!("reading {place} after {through}")
                })?;
                through = place;
            }
        }
        Ok(through)
    }

    /// The open group becomes durable; or is undone, where the disk takes nothing.
    pub(super) fn commit(&mut self, stories: &mut Stories, is_failing: bool) -> Result<Committed, Broken> {
        self.is_commit_due = false;
        let group = std::mem::take(&mut self.group);
        if is_failing {
            self.refused.extend(group.takes.keys());
            return Ok(Committed { refused: group.takes.into_keys().collect(), ..Committed::default() });
        }
        let mut committed = Committed::default();
        if !self.waiting.is_empty() {
            let story = stories.entry(self.journal).or_default();
            story.rows.append(&mut self.waiting);
            committed.appended = Some(Seq(story.last()));
        }
        for (journal, through) in group.takes {
            committed.taken.push((journal, Seq(through)));
            let held = self.taken.entry(journal).or_default();
            hold(Invariant::OnceInOrder, through >= *held, || {
                format!("the cursor of journal {journal} goes back from {held} to {through}")
            })?;
            self.held_readings += through - *held;
            *held = through;
        }
        self.consumers.extend(group.consumers);
        self.peers.extend(group.peers);
        self.round = self.round.max(group.round);
        Ok(committed)
    }

    /// What retention may drop: what every consumer that is known has.
    pub(super) fn taken_by_all(&self) -> u64 {
        self.consumers.values().min().map_or(0, |seq| seq.0)
    }
}

/// A piece of a journal: consecutive readings of one boot, and no more than asked for.
pub(super) fn read(
    story: &Story,
    journal: JournalId,
    node: &NodeName,
    after: Seq,
    most: u32,
    own_boot: u32,
) -> Readings {
    let first = after.0.max(story.dropped_through);
    let rows = story.rows_after(first);
    let boot = rows.first().map_or(own_boot, |row| row.boot);
    let mut pack = Pack::default();
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    for row in rows.iter().take(most).take_while(|row| row.boot == boot) {
        if let Some(channel) = story.channels.get(usize::from(row.channel)) {
            pack.push(channel, row.wall, row.mono, row.value);
        }
    }
    Readings {
        re: String::new(),
        node: node.clone(),
        journal,
        boot: BootId(u128::from(boot)),
        after,
        first: Seq(first + 1),
        last: after,
        clock: None,
        mark: None,
        pack,
    }
}
