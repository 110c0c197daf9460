//! Writing readings: this node's own, and pieces of other nodes' journals, each reading once.

use std::sync::{Arc, LazyLock};

use rusqlite::{Connection, Statement};

use super::error::{Doing, StoreError};
use super::schema::{err_code, seq_to_sql};
use super::source_rows::{NOT_AT_SOURCE, close_span, note_dropped};
use super::sources::{OWN, Source, SourceIx};
use super::{SeqRange, Store};
use crate::model::{BootId, Channel, ErrReason, Instant, Pack, Reading, Readings, Seq, WallTime};

/// What became of a piece of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Readings that are new here.
    pub new: u64,
    /// Readings that were here already, and were left out.
    pub duplicates: u64,
    /// Places that the source no longer has, and that were never here.
    pub hole: Option<SeqRange>,
    /// The piece begins beyond the cursor, and was asked for from beyond it too: what lies between may still come.
    /// Nothing was taken; ask again from the cursor.
    pub early: bool,
    /// The cursor, once the group is committed.
    pub cursor: Seq,
}

impl Store {
    /// Appends readings to this node's own journal, in the open group. Returns the place of the last one.
    pub fn append(&mut self, pack: &Pack) -> Result<Seq, StoreError> {
        let first = self.sources.get(OWN).working.taken.next();
        check(pack, first)?;
        let boot = self.boot;
        self.in_group(|store| {
            let taken_us = pack.readings.last().map_or(0, |reading| reading.time.as_unix_micros());
            store.write(OWN, boot, &pack.readings, &pack.channels, taken_us)?;
            store.learn_own(&pack.readings)?;
            Ok(store.sources.get(OWN).working.taken)
        })
    }

    /// Takes a piece of another node's journal in the open group: readings and cursor together.
    ///
    /// What is here already is left out. A piece that begins later than what follows its `after` shows that the source
    /// no longer has what lies between: that hole is recorded, and the piece is taken. A piece that answers an `after`
    /// beyond the cursor (the group with the readings before it was undone, or has not come yet) is not taken: see
    /// [`Taken::early`].
    ///
    /// Refused: this node's own journal, and places or channels that cannot be.
    pub fn take(&mut self, piece: &Readings, now: WallTime) -> Result<Taken, StoreError> {
        check(&piece.pack, piece.first)?;
        if piece.journal == self.own().journal {
            return Err(StoreError::Refused(format!(
                "node {} sends journal {}, which is this node's own: it is this node itself, or a copy of its \
                 card; on a copy, delete the data directory",
                piece.node, piece.journal
            )));
        }
        self.in_group(|store| store.take_checked(piece, now))
    }

    fn take_checked(&mut self, piece: &Readings, now: WallTime) -> Result<Taken, StoreError> {
        let ix = match self.sources.find(&self.db, &piece.node, piece.journal)? {
            Some(ix) => ix,
            None => self.sources.make(&self.db, &piece.node, piece.journal)?,
        };
        self.pass_held(ix)?;
        let cursor = self.sources.get(ix).working.taken;
        let mut taken = Taken { new: 0, duplicates: 0, hole: None, early: false, cursor };
        if piece.first > cursor.next() {
            if piece.after > cursor {
                return Ok(Taken { early: true, ..taken });
            }
            taken.hole = self.skip_hole(ix, piece.first, now)?;
        }
        let known = self.sources.get(ix).working.taken.next().0.saturating_sub(piece.first.0);
        let skip = usize::try_from(known).unwrap_or(usize::MAX).min(piece.pack.len());
        let rest = piece.pack.readings.get(skip..).unwrap_or_default();
        let stood_in = without_mono(piece).then(|| rest.iter().map(stand_in).collect::<Vec<_>>());
        let rest = stood_in.as_deref().unwrap_or(rest);
        taken.new = self.write_new(ix, piece, rest, now)?;
        taken.duplicates = piece.pack.len() as u64 - taken.new;
        self.learn(ix, piece, if taken.new > 0 { rest } else { &[] })?;
        taken.cursor = self.sources.get(ix).working.taken;
        Ok(taken)
    }

    /// Moves the cursor at least to just before `first`, past readings that the source no longer has and over what is
    /// held among them. Returns from where to where readings are missing.
    fn skip_hole(&mut self, ix: SourceIx, first: Seq, now: WallTime) -> Result<Option<SeqRange>, StoreError> {
        let mut hole: Option<SeqRange> = None;
        loop {
            let missing = self.sources.get(ix).working.taken.next();
            if missing >= first {
                return Ok(hole);
            }
            let until = self.next_ahead(ix)?.map_or(first, |ahead| ahead.first.min(first));
            let last = Seq(until.0 - 1);
            self.move_cursor(ix, last)?;
            note_dropped(&self.db, self.sources.get(ix).id, (missing, last), NOT_AT_SOURCE, now)?;
            hole = Some(SeqRange { first: hole.map_or(missing, |hole| hole.first), last });
            self.pass_held(ix)?;
        }
    }

    /// Writes what follows the cursor, but for what is held beyond it. Returns how many readings were new.
    fn write_new(
        &mut self,
        ix: SourceIx,
        piece: &Readings,
        mut rest: &[Reading],
        now: WallTime,
    ) -> Result<u64, StoreError> {
        let mut count = 0;
        while !rest.is_empty() {
            let cursor = self.sources.get(ix).working.taken;
            let places = self.next_ahead(ix)?.map_or(u64::MAX, |ahead| ahead.first.0 - cursor.next().0);
            let (new, after) = rest.split_at(rest.len().min(usize::try_from(places).unwrap_or(usize::MAX)));
            self.write(ix, piece.boot, new, &piece.pack.channels, now.as_unix_micros())?;
            count += new.len() as u64;
            if new.len() as u64 == places {
                self.pass_held(ix)?;
            }
            let held = self.sources.get(ix).working.taken.0 - cursor.0 - new.len() as u64;
            rest = after.get(usize::try_from(held).unwrap_or(usize::MAX)..).unwrap_or_default();
        }
        Ok(count)
    }

    /// Writes readings of one boot at the places that follow the source's cursor.
    fn write(
        &mut self,
        ix: SourceIx,
        boot: BootId,
        readings: &[Reading],
        channels: &[Arc<Channel>],
        taken_us: i64,
    ) -> Result<(), StoreError> {
        if readings.is_empty() {
            return Ok(());
        }
        let boot = self.begin_boot(ix, boot)?;
        let source = self.sources.get_mut(ix);
        let mut ids: Vec<Option<i64>> = vec![None; channels.len()];
        for reading in readings {
            let slot = reading.channel.0 as usize;
            match (ids.get_mut(slot), channels.get(slot)) {
                (Some(Some(_)), _) => {}
                (Some(id), Some(channel)) => *id = Some(self.channels.id(&self.db, channel)?),
                _ => return Err(no_channel(slot)),
            }
        }
        let (rows, rest) = readings.as_chunks::<ROWS_TOGETHER>();
        let stamp = (boot, taken_us);
        insert(&self.db, source, &ids, stamp, rows.iter().map(|rows| &rows[..]))?;
        insert(&self.db, source, &ids, stamp, rest.chunks(1))
    }
}

/// Whether a peer gave its readings no monotonic stamps, as a script may do that speaks the protocol.
fn without_mono(piece: &Readings) -> bool {
    let has_none = |reading: &Reading| reading.mono == Instant::ZERO;
    piece.clock.is_none() && piece.mark.is_none() && piece.pack.readings.iter().all(has_none)
}

/// Its wall clock stands in for the monotonic one: so its readings keep their times.
fn stand_in(reading: &Reading) -> Reading {
    Reading { mono: Instant::from_micros(reading.time.as_unix_micros()), ..*reading }
}

const DOING: &str = "storing readings";

/// Rows of one INSERT: SQLite then goes on from one to the next, and does not look for its place in the table each
/// time. Twice as many gain no more.
pub(super) const ROWS_TOGETHER: usize = 16;

/// The statements for one row, and for [`ROWS_TOGETHER`].
pub(super) static INSERT_SQL: LazyLock<[String; 2]> =
    LazyLock::new(|| [insert_sql(1), insert_sql(ROWS_TOGETHER)]);

/// The statement for so many rows: the source is the first parameter, then come six for each row. What fails undoes
/// the whole group, as every failure here does: SQLite then need not keep pages to undo the statement alone.
fn insert_sql(rows: usize) -> String {
    let row = |at: usize| {
        let [seq, channel, time, mono, value, err] = [2, 3, 4, 5, 6, 7].map(|column| column + 6 * at);
        format!("(?1, ?{seq}, ?{channel}, ?{time}, ?{mono}, ?{value}, ?{err})")
    };
    format!("INSERT OR ROLLBACK INTO reading VALUES {}", (0..rows).map(row).collect::<Vec<_>>().join(", "))
}

/// Inserts readings in groups of one size, at the places that follow the source's cursor. `ids` has each channel's id.
fn insert<'a>(
    db: &Connection,
    source: &mut Source,
    ids: &[Option<i64>],
    (boot, taken_us): (i64, i64),
    groups: impl Iterator<Item = &'a [Reading]>,
) -> Result<(), StoreError> {
    let mut statement = None;
    for group in groups {
        let statement = match &mut statement {
            Some(statement) => statement,
            none => {
                let mut fresh = db.prepare_cached(&INSERT_SQL[usize::from(group.len() > 1)]).doing(DOING)?;
                // What is the same for every row is bound once: SQLite keeps it from one execution to the next.
                fresh.raw_bind_parameter(1, source.id).doing(DOING)?;
                none.insert(fresh)
            }
        };
        for (at, reading) in group.iter().enumerate() {
            let id = ids.get(reading.channel.0 as usize).copied().flatten();
            bind(statement, 2 + 6 * at, source.working.taken.next(), id, reading)?;
            if let Some(span) = source.working.advance(boot, reading.mono.as_micros(), taken_us) {
                close_span(db, source.id, &span, source.working.taken)?;
            }
        }
        statement.raw_execute().doing(DOING)?;
    }
    Ok(())
}

/// Binds one row's parameters, from number `first` on.
fn bind(
    row: &mut Statement<'_>,
    first: usize,
    seq: Seq,
    channel: Option<i64>,
    reading: &Reading,
) -> Result<(), StoreError> {
    // A number that is not finite would be stored as NULL: it is no value, and is kept as ERR.
    let (value, err) = match reading.value {
        Ok(value) if value.is_finite() => (Some(value), None),
        Ok(_) => (None, Some(err_code(ErrReason::Range))),
        Err(reason) => (None, Some(err_code(reason))),
    };
    row.raw_bind_parameter(first, seq_to_sql(seq)?).doing(DOING)?;
    row.raw_bind_parameter(first + 1, channel).doing(DOING)?;
    row.raw_bind_parameter(first + 2, reading.time.as_unix_micros()).doing(DOING)?;
    row.raw_bind_parameter(first + 3, reading.mono.as_micros()).doing(DOING)?;
    row.raw_bind_parameter(first + 4, value).doing(DOING)?;
    row.raw_bind_parameter(first + 5, err).doing(DOING)
}

/// Refuses, before anything is written, a pack that names channels it does not have or places that cannot be.
fn check(pack: &Pack, first: Seq) -> Result<(), StoreError> {
    if first == Seq::ZERO {
        return Err(StoreError::Refused("places in a journal begin at 1".into()));
    }
    seq_to_sql(first.plus(pack.len() as u64))?;
    match pack.readings.iter().find(|reading| pack.channel(reading).is_none()) {
        Some(reading) => Err(no_channel(reading.channel.0 as usize)),
        None => Ok(()),
    }
}

fn no_channel(slot: usize) -> StoreError {
    StoreError::Refused(format!("a reading names channel {slot} of its pack, which the pack does not have"))
}
