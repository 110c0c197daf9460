//! Reading this node's own journal back, for those who poll it.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::Store;
use super::clocks::check_mark;
use super::dating::piece_at;
use super::error::{Doing, StoreError};
use super::refresh::pieces_of;
use super::schema::{boot_from_sql, err_reason, seq_from_sql, seq_to_sql};
use super::sources::OWN;
use crate::model::{BootId, ChannelIx, ClockMark, Instant, Pack, Reading, Readings, Seq, WallTime};

/// At most this many readings at once, whatever is asked for: some 400 KiB in memory.
pub const READ_OWN_MAX: u32 = 10_000;

const DOING: &str = "reading the node's own journal";

impl Store {
    /// The committed readings of this node's own journal that come after `after`: consecutive, of one boot, at most
    /// `max` of them. `first` lies later than what follows `after` where retention dropped readings; with nothing to
    /// give, it is the place that would come next. `re` is left empty.
    pub fn read_own(&mut self, after: Seq, max: u32) -> Result<Readings, StoreError> {
        let own = self.sources.get(OWN);
        let (source, node, journal, last) = (own.id, own.node.clone(), own.journal, own.committed.taken);
        let mut piece = Readings {
            re: String::new(),
            node,
            journal,
            boot: self.boot,
            after,
            first: last.next(),
            last,
            clock: None,
            mark: None,
            pack: Pack::default(),
        };
        let Some(first) = self.first_after(source, after, last)? else {
            return Ok(piece);
        };
        let (row, boot, until) = self.boot_at(source, first, last)?;
        piece.first = first;
        piece.boot = boot;
        piece.pack = self.pack(source, first, until, max.clamp(1, READ_OWN_MAX))?;
        if boot != self.boot {
            piece.mark = self.remembered(row, &piece.pack)?;
        }
        Ok(piece)
    }

    /// The first place held after `after`, up to the last committed one.
    fn first_after(&self, source: i64, after: Seq, last: Seq) -> Result<Option<Seq>, StoreError> {
        if after >= last {
            return Ok(None);
        }
        let sql = "SELECT min(seq) FROM reading WHERE source = ?1 AND seq > ?2 AND seq <= ?3";
        let range = params![source, seq_to_sql(after)?, seq_to_sql(last)?];
        let first: Option<i64> =
            self.db.prepare_cached(sql).doing(DOING)?.query_row(range, |row| row.get(0)).doing(DOING)?;
        first.map(seq_from_sql).transpose()
    }

    /// The boot that `first` belongs to, with its row, and the last place, up to `last`, that does so too.
    fn boot_at(&self, source: i64, first: Seq, last: Seq) -> Result<(i64, BootId, Seq), StoreError> {
        let at = params![source, seq_to_sql(first)?];
        let sql =
            "SELECT id, boot FROM boot WHERE source = ?1 AND first_seq <= ?2 ORDER BY first_seq DESC LIMIT 1";
        let found: Option<(i64, String)> = self
            .db
            .prepare_cached(sql)
            .doing(DOING)?
            .query_row(at, |row| row.try_into())
            .optional()
            .doing(DOING)?;
        let (row, boot) = match found {
            Some((row, boot)) => (row, boot_from_sql(&boot)?),
            None => (0, self.boot),
        };
        let sql = "SELECT min(first_seq) FROM boot WHERE source = ?1 AND first_seq > ?2";
        let next: Option<i64> =
            self.db.prepare_cached(sql).doing(DOING)?.query_row(at, |row| row.get(0)).doing(DOING)?;
        let until = next.map(seq_from_sql).transpose()?.map_or(last, |next| last.min(Seq(next.0 - 1)));
        Ok((row, boot, until))
    }

    /// What this node knows of its wall clock in an earlier boot, at the moment of the first reading of `pack`. The
    /// error is that of all of `pack`, and rounded up to a power of two: so the one who is told piece by piece hears of
    /// something new some thirty times at most, and never of too small an error.
    fn remembered(&self, boot: i64, pack: &Pack) -> Result<Option<ClockMark>, StoreError> {
        let ends = [pack.readings.first(), pack.readings.last()].map(|end| end.map(|reading| reading.mono));
        let [Some(first), Some(last)] = ends else { return Ok(None) };
        let (first_us, last_us) = (first.as_micros(), last.as_micros());
        let pieces = pieces_of(&self.db, boot, (first_us.min(last_us), first_us.max(last_us)))?;
        let Some(piece) = piece_at(&pieces, first_us) else { return Ok(None) };
        let errors = [first_us, last_us].map(|at| piece_at(&pieces, at).and_then(|piece| piece.error_us(at)));
        let synced = match errors {
            [Some(a), Some(b)] => u64::try_from(a.max(b)).ok().and_then(u64::checked_next_power_of_two),
            _ => None,
        };
        let mark = ClockMark {
            mono: first,
            wall: WallTime::from_unix_micros(piece.time_us(first_us)),
            synced: synced.map(Duration::from_micros),
        };
        Ok(Some(mark).filter(|mark| check_mark(mark).is_ok()))
    }

    fn pack(&mut self, source: i64, first: Seq, until: Seq, max: u32) -> Result<Pack, StoreError> {
        let count = (until.0 - first.0 + 1).min(u64::from(max));
        let mut pack = Pack::default();
        pack.readings.reserve_exact(usize::try_from(count).unwrap_or(0));
        let mut slots: BTreeMap<i64, ChannelIx> = BTreeMap::new();
        let sql = "SELECT seq, channel, time_us, mono_us, value, err FROM reading
                   WHERE source = ?1 AND seq >= ?2 AND seq <= ?3 ORDER BY seq LIMIT ?4";
        let mut statement = self.db.prepare_cached(sql).doing(DOING)?;
        let range = params![source, seq_to_sql(first)?, seq_to_sql(until)?, max];
        let mut rows = statement.query(range).doing(DOING)?;
        while let Some(row) = rows.next().doing(DOING)? {
            // A journal has no holes; should a file have one, the piece ends there.
            if seq_from_sql(row.get(0).doing(DOING)?)? != first.plus(pack.len() as u64) {
                break;
            }
            let id: i64 = row.get(1).doing(DOING)?;
            let channel = match slots.get(&id) {
                Some(slot) => *slot,
                None => {
                    let slot = pack.channel_ix(&self.channels.name(&self.db, id)?);
                    slots.insert(id, slot);
                    slot
                }
            };
            let value: Option<f64> = row.get(4).doing(DOING)?;
            pack.readings.push(Reading {
                channel,
                time: WallTime::from_unix_micros(row.get(2).doing(DOING)?),
                mono: Instant::from_micros(row.get(3).doing(DOING)?),
                value: match value {
                    Some(value) => Ok(value),
                    None => Err(err_reason(row.get(5).doing(DOING)?)?),
                },
            });
        }
        Ok(pack)
    }
}
