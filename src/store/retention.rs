//! Retention: what is old, or too much, goes; oldest first, a span at a time, a bounded piece of work per call.
//!
//! Only the beginning of a journal is ever dropped, so that what is left has no hole. Pages that become free are used
//! again for new readings; the file does not shrink (`docs/store.md` says why, and how to shrink it).

use std::time::Duration;

use rusqlite::{OptionalExtension, Row, params};

use super::dating::piece_at;
use super::error::{Doing, StoreError};
use super::refresh::pieces_of;
use super::schema::{journal_from_sql, node_from_sql, seq_from_sql, seq_to_sql};
use super::source_rows::{MAX_BYTES, note_dropped};
use super::sources::OWN;
use super::{SeqRange, Store, used_bytes};
use crate::model::{CLOCK_IS_SET_FROM, Seq, TimeSource, WallTime};

/// Spans dropped in one call: some 65,000 readings, a few tenths of a second on a Pi.
const SPANS_PER_CALL: usize = 16;

/// Rounds dropped in one call.
const ROUNDS_PER_CALL: u64 = 4096;

/// A bound below this is taken as this: it is what the newest readings of a few journals need, and no less would
/// be left to read.
const MAX_BYTES_LEAST: u64 = 1 << 20;

const DOING: &str = "dropping old readings";

/// What may be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Readings and rounds older than this go, but not what a consumer of this node's own journal has yet to take.
    pub max_age: Option<Duration>,
    /// Beyond this many bytes in use the oldest goes, at last even what no consumer has taken; at least 1 MiB.
    pub max_bytes: Option<u64>,
    /// Whether this node is where readings are collected: then its own journal need not be kept for somebody else,
    /// unless somebody takes from it. On any other node, a journal without consumers is kept for the one to come.
    pub sink: bool,
}

/// What went. It is durable with the next commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionReport {
    /// Readings dropped.
    pub readings: u64,
    /// Rounds dropped.
    pub rounds: u64,
    /// Own readings among them that no consumer had taken, if any: they are lost. To be said loudly.
    pub untaken: Option<SeqRange>,
    /// Bytes still in use.
    pub bytes: u64,
    /// There is more to drop: call again.
    pub more: bool,
}

/// The oldest span of a source.
#[derive(Clone, Copy)]
struct Head {
    source: i64,
    last: Seq,
    /// When its newest reading was taken; where nobody can say, not before that came here.
    time_us: i64,
    /// The same, but of readings whose clock had never been set, the time of what comes after them in their journal.
    age_us: i64,
    /// It is the source's open span: all that is left of it up to the cursor.
    open: bool,
    /// Somebody still wants its places from here on.
    wanted_from: Option<Seq>,
}

impl Store {
    /// Drops what `policy` does not keep, in the open group. Call again while the report says that there is more.
    pub fn retain(&mut self, policy: &Retention, now: WallTime) -> Result<RetentionReport, StoreError> {
        self.in_group(|store| store.retain_some(policy, now))
    }

    fn retain_some(&mut self, policy: &Retention, now: WallTime) -> Result<RetentionReport, StoreError> {
        // The oldest spans are looked for in the file: it must say what the cache says.
        self.sources.flush(&self.db)?;
        let untouched = if policy.sink { self.own().last } else { Seq::ZERO };
        let taken = self.own_taken_by_all()?.unwrap_or(untouched);
        let aged_us = policy.max_age.map_or(i64::MIN, |age| (now - age).as_unix_micros());
        let max_bytes = policy.max_bytes.map_or(u64::MAX, |bytes| bytes.max(MAX_BYTES_LEAST));

        let mut report = RetentionReport { more: true, ..RetentionReport::default() };
        let mut heads = self.heads(None, taken, now)?;
        let mut rounds_until_us = aged_us;
        for _ in 0..SPANS_PER_CALL {
            let over = used_bytes(&self.db)? > max_bytes;
            let Some(at) = choose(&heads, aged_us, over) else {
                report.more = false;
                break;
            };
            let head = heads.swap_remove(at);
            self.drop_head(&head, now, &mut report)?;
            // Rounds older than every reading show nothing.
            rounds_until_us = rounds_until_us.max(head.time_us);
            heads.extend(self.heads(Some(head.source), taken, now)?);
        }
        let rounds_alone = heads.is_empty() && used_bytes(&self.db)? > max_bytes;
        report.rounds = self.drop_rounds(if rounds_alone { i64::MAX } else { rounds_until_us }, now)?;
        self.forget_gone_boots(self.sources.get(OWN).id)?;
        report.more |= report.rounds >= ROUNDS_PER_CALL;
        report.bytes = used_bytes(&self.db)?;
        Ok(report)
    }

    /// The oldest span of one source, or of each.
    fn heads(&self, source: Option<i64>, own_taken: Seq, now: WallTime) -> Result<Vec<Head>, StoreError> {
        let sql = "SELECT id, own, first_seq, last_seq, 0, boot, max_mono_us, taken_us FROM source
                   CROSS JOIN span ON source = id
                   WHERE (?1 IS NULL OR id = ?1)
                   AND first_seq = (SELECT min(first_seq) FROM span WHERE source = source.id)
                   AND (open_first_seq IS NULL OR open_first_seq > first_seq)
                   UNION ALL
                   SELECT id, own, open_first_seq, taken_seq, 1, open_boot, open_max_mono_us, open_taken_us FROM source
                   WHERE (?1 IS NULL OR id = ?1) AND open_first_seq IS NOT NULL
                   AND NOT EXISTS (SELECT 1 FROM span WHERE source = source.id AND first_seq < open_first_seq)";
        let mut statement = self.db.prepare_cached(sql).doing(DOING)?;
        let mut rows = statement.query([source]).doing(DOING)?;
        let mut heads = Vec::new();
        while let Some(row) = rows.next().doing(DOING)? {
            heads.push(self.head(row, own_taken, now)?);
        }
        Ok(heads)
    }

    fn head(&self, row: &Row<'_>, own_taken: Seq, now: WallTime) -> Result<Head, StoreError> {
        let source: i64 = row.get(0).doing(DOING)?;
        let own: bool = row.get(1).doing(DOING)?;
        let first = seq_from_sql(row.get(2).doing(DOING)?)?;
        let last = seq_from_sql(row.get(3).doing(DOING)?)?;
        let (boot, mono_us): (i64, i64) = (row.get(5).doing(DOING)?, row.get(6).doing(DOING)?);
        let taken_us: i64 = row.get(7).doing(DOING)?;
        let pieces = pieces_of(&self.db, boot, (mono_us, mono_us))?;
        let known = piece_at(&pieces, mono_us).map(|piece| (piece.time_us(mono_us), piece.source));
        let (time_us, is_known) = match known {
            Some((time_us, TimeSource::Unknown)) => (time_us.max(taken_us), false),
            Some((time_us, _)) => (time_us, true),
            None => (taken_us, false),
        };
        let from_us = tellable_from_us(now);
        let is_tellable = is_known || time_us >= from_us;
        Ok(Head {
            source,
            last,
            time_us,
            age_us: if is_tellable { time_us } else { self.told_after(source, first, from_us)? },
            open: row.get(4).doing(DOING)?,
            wanted_from: (own && last > own_taken).then(|| first.max(own_taken.next())),
        })
    }

    /// The time of the first span after `first` of which it can be told; what lies before it is older. Never, if there
    /// is none: it stays until there is, or until size drops it.
    fn told_after(&self, source: i64, first: Seq, from_us: i64) -> Result<i64, StoreError> {
        let sql = "SELECT max_time_us FROM piece WHERE source = ?1 AND first_seq > ?2
                   AND (time_source <> 'unknown' OR max_time_us >= ?3) ORDER BY first_seq LIMIT 1";
        let after = params![source, seq_to_sql(first)?, from_us];
        let found = self.db.prepare_cached(sql).doing(DOING)?.query_row(after, |row| row.get(0));
        Ok(found.optional().doing(DOING)?.unwrap_or(i64::MAX))
    }

    fn drop_head(
        &mut self,
        head: &Head,
        now: WallTime,
        report: &mut RetentionReport,
    ) -> Result<(), StoreError> {
        let through = params![head.source, seq_to_sql(head.last)?];
        let delete = |sql: &str| self.db.prepare_cached(sql).doing(DOING)?.execute(through).doing(DOING);
        report.readings += delete("DELETE FROM reading WHERE source = ?1 AND seq <= ?2")? as u64;
        delete("DELETE FROM span WHERE source = ?1 AND last_seq <= ?2")?;
        self.forget_gone_boots(head.source)?;
        if head.open {
            self.forget_open_span(head.source)?;
        }
        if let Some(first) = head.wanted_from {
            note_dropped(&self.db, head.source, (first, head.last), MAX_BYTES, now)?;
            let first = report.untaken.map_or(first, |range| range.first);
            report.untaken = Some(SeqRange { first, last: head.last });
        }
        Ok(())
    }

    fn forget_open_span(&mut self, source: i64) -> Result<(), StoreError> {
        let names = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
        let sql = "SELECT node, journal FROM source WHERE id = ?1";
        let (node, journal) =
            self.db.prepare_cached(sql).doing(DOING)?.query_row([source], names).doing(DOING)?;
        let (node, journal) = (node_from_sql(&node)?, journal_from_sql(&journal)?);
        if let Some(ix) = self.sources.find(&self.db, &node, journal)? {
            self.sources.get_mut(ix).working.open = None;
            self.sources.flush(&self.db)?;
        }
        Ok(())
    }

    /// Drops rounds that ended before `until_us`, but never the newest: numbers go on from it. One that ended while
    /// the clock had never been set is as old as the next one of which that is known.
    fn drop_rounds(&self, until_us: i64, now: WallTime) -> Result<u64, StoreError> {
        let sql = "SELECT id FROM source WHERE EXISTS (SELECT 1 FROM round WHERE round.source = source.id)";
        let mut statement = self.db.prepare_cached(sql).doing(DOING)?;
        let sinks = statement.query_map([], |row| row.get(0)).doing(DOING)?;
        let sinks: Vec<i64> = sinks.collect::<rusqlite::Result<_>>().doing(DOING)?;
        sinks.into_iter().map(|sink| self.drop_rounds_of(sink, until_us, now)).sum()
    }

    /// The same of one sink.
    fn drop_rounds_of(&self, sink: i64, until_us: i64, now: WallTime) -> Result<u64, StoreError> {
        let sql = "DELETE FROM round WHERE source = ?4
                   AND number < (SELECT max(number) FROM round WHERE source = ?4) AND number <= (
                   SELECT max(number) FROM (
                       SELECT number, time_us FROM rounds WHERE source = ?4 ORDER BY number LIMIT ?2)
                   WHERE time_us < ?1 AND time_us >= ?3)";
        let limit = i64::try_from(ROUNDS_PER_CALL).unwrap_or(i64::MAX);
        let range = params![until_us, limit, tellable_from_us(now), sink];
        let dropped = self.db.prepare_cached(sql).doing(DOING)?.execute(range).doing(DOING)?;
        if dropped > 0 {
            let sql = "DELETE FROM round_down WHERE source = ?1
                       AND last_round < (SELECT min(number) FROM round WHERE source = ?1)";
            self.db.execute(sql, [sink]).doing(DOING)?;
        }
        Ok(dropped as u64)
    }
}

/// From which time on the age of something can be told. By a clock that was set, what seems to be of before there was
/// pisink is of unknown age; by one that was not, everything of its boot is as old as it says.
fn tellable_from_us(now: WallTime) -> i64 {
    if now < CLOCK_IS_SET_FROM { i64::MIN } else { CLOCK_IS_SET_FROM.as_unix_micros() }
}

/// The span to drop next: the oldest that nobody wants, if it is too old or there is too much; else, if there is too
/// much, the oldest of all.
fn choose(heads: &[Head], aged_us: i64, over: bool) -> Option<usize> {
    let oldest = |wanted: bool| {
        let of_that_kind =
            heads.iter().enumerate().filter(move |(_, head)| head.wanted_from.is_some() == wanted);
        of_that_kind.min_by_key(|(_, head)| (head.time_us, head.source))
    };
    let aged = || {
        let free = heads.iter().enumerate().filter(|(_, head)| head.wanted_from.is_none());
        free.filter(|(_, head)| head.age_us < aged_us).min_by_key(|(_, head)| (head.age_us, head.source))
    };
    let free = if over { oldest(false) } else { aged() };
    let forced = || oldest(true).filter(|_| over);
    free.or_else(forced).map(|(at, _)| at)
}
