//! What a migration fills by program, for a script alone could not, or not within little memory.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{ClockMark, Instant, Seq, WallTime};
use crate::store::error::{Doing, StoreError};
use crate::store::marks::{STAMP_STEP_US, add_mark};
use crate::store::refresh::refresh_all;
use crate::store::schema::{seq_from_sql, seq_to_sql};
use crate::store::source_rows::close_span;
use crate::store::sources::{OpenSpan, Place};

const DOING: &str = "bringing the schema up to date";

/// Version 2: spans anew, each of one boot, by monotonic moments; of each boot the marks that its readings' stamps
/// show; and what follows from them. Every reading is looked at once, in order.
pub(super) fn version_2(db: &Connection) -> Result<(), StoreError> {
    let sources: Vec<(i64, i64)> =
        rows(db, "SELECT id, taken_seq FROM source ORDER BY id", |row| row.try_into())?;
    let mut boots = BTreeSet::new();
    for (source, taken) in sources {
        let mut place = Place::default();
        for stretch in stretches(db, source)? {
            boots.insert(stretch.boot);
            stand_in(db, source, &stretch)?;
            fill_stretch(db, source, &stretch, &mut place)?;
        }
        // The last span is full if more was taken than is here: then the readings after it were dropped.
        match place.open {
            Some(span) if place.taken == seq_from_sql(taken)? => set_open(db, source, &span)?,
            Some(span) => {
                close_span(db, source, &span, place.taken)?;
                set_none_open(db, source)?;
            }
            None => set_none_open(db, source)?,
        }
    }
    refresh_all(db, boots)
}

/// The readings of one boot.
struct Stretch {
    boot: i64,
    first: i64,
    until: i64,
}

/// The boots of a source, each with its places. Readings that no boot was noted for get one.
fn stretches(db: &Connection, source: i64) -> Result<Vec<Stretch>, StoreError> {
    let first: Option<i64> = db
        .query_row("SELECT min(seq) FROM reading WHERE source = ?1", [source], |row| row.get(0))
        .doing(DOING)?;
    let known: Option<i64> = db
        .query_row("SELECT min(first_seq) FROM boot WHERE source = ?1", [source], |row| row.get(0))
        .doing(DOING)?;
    if let Some(first) = first.filter(|first| known.is_none_or(|known| known > *first)) {
        let sql = "INSERT INTO boot (source, boot, first_seq) VALUES (?1, printf('%032d', 0), ?2)";
        db.execute(sql, params![source, first]).doing(DOING)?;
    }
    let sql = format!(
        "SELECT id, first_seq, lead(first_seq, 1, {}) OVER (ORDER BY first_seq) FROM boot WHERE source = {source}
         ORDER BY first_seq",
        i64::MAX
    );
    rows(db, &sql, |row| Ok(Stretch { boot: row.get(0)?, first: row.get(1)?, until: row.get(2)? }))
}

/// Where a peer gave no monotonic stamps, its wall clock stands in for them, as it does when such readings come in.
fn stand_in(db: &Connection, source: i64, stretch: &Stretch) -> Result<(), StoreError> {
    let range = params![source, stretch.first, stretch.until];
    let stamped =
        "SELECT 1 FROM reading WHERE source = ?1 AND seq >= ?2 AND seq < ?3 AND mono_us <> 0 LIMIT 1";
    let found: Option<i64> = db.query_row(stamped, range, |row| row.get(0)).optional().doing(DOING)?;
    if found.is_none() {
        let sql = "UPDATE reading SET mono_us = time_us WHERE source = ?1 AND seq >= ?2 AND seq < ?3";
        db.execute(sql, range).doing(DOING)?;
    }
    Ok(())
}

/// Spans and marks of one boot. `place` goes on from the boot before.
fn fill_stretch(
    db: &Connection,
    source: i64,
    stretch: &Stretch,
    place: &mut Place,
) -> Result<(), StoreError> {
    let sql =
        "SELECT seq, time_us, mono_us FROM reading WHERE source = ?1 AND seq >= ?2 AND seq < ?3 ORDER BY seq";
    let mut statement = db.prepare_cached(sql).doing(DOING)?;
    let mut rows = statement.query(params![source, stretch.first, stretch.until]).doing(DOING)?;
    let mut last_mark: Option<ClockMark> = None;
    while let Some(row) = rows.next().doing(DOING)? {
        let seq = seq_from_sql(row.get(0).doing(DOING)?)?;
        let (time_us, mono_us): (i64, i64) = (row.get(1).doing(DOING)?, row.get(2).doing(DOING)?);
        if place.open.is_some_and(|span| span.boot != stretch.boot) || seq != place.taken.next() {
            if let Some(span) = place.open.take() {
                close_span(db, source, &span, place.taken)?;
            }
            place.taken = Seq(seq.0.saturating_sub(1));
        }
        if let Some(span) = place.advance(stretch.boot, mono_us, time_us) {
            close_span(db, source, &span, place.taken)?;
        }
        let (mono, wall) = (Instant::from_micros(mono_us), WallTime::from_unix_micros(time_us));
        let mark = ClockMark { mono, wall, synced: None };
        let stepped = |last: ClockMark| last.offset_us().abs_diff(mark.offset_us()) > STAMP_STEP_US;
        if last_mark.is_none_or(stepped) {
            add_mark(db, stretch.boot, &mark)?;
            last_mark = Some(mark);
        }
    }
    Ok(())
}

fn set_open(db: &Connection, source: i64, span: &OpenSpan) -> Result<(), StoreError> {
    let sql = "UPDATE source SET open_first_seq = ?2, open_boot = ?3, open_min_mono_us = ?4,
               open_max_mono_us = ?5, open_taken_us = ?6 WHERE id = ?1";
    let OpenSpan { first, boot, min_mono_us, max_mono_us, taken_us } = *span;
    let row = params![source, seq_to_sql(first)?, boot, min_mono_us, max_mono_us, taken_us];
    db.execute(sql, row).doing(DOING).map(|_| ())
}

fn set_none_open(db: &Connection, source: i64) -> Result<(), StoreError> {
    let sql = "UPDATE source SET open_first_seq = NULL, open_min_mono_us = NULL, open_max_mono_us = NULL
               WHERE id = ?1";
    db.execute(sql, [source]).doing(DOING).map(|_| ())
}

fn rows<T>(
    db: &Connection,
    sql: &str,
    each: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = db.prepare(sql).doing(DOING)?;
    let rows = statement.query_map([], each).doing(DOING)?;
    rows.collect::<rusqlite::Result<_>>().doing(DOING)
}
