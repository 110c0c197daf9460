//! Rows of table `mark`: what the wall clock of a boot showed.

use rusqlite::{Connection, OptionalExtension, Row, params};
use std::time::Duration;

use super::error::{Doing, StoreError};
use crate::model::{ClockMark, Instant, WallTime};

/// A wall clock that is so much off what it showed before has been stepped; less is how exactly it can be read.
const STEP_US: u64 = 10_000;

/// The same for the stamps of readings, which are not taken at quite one moment.
pub(super) const STAMP_STEP_US: u64 = 1_000_000;

/// Marks of one boot. Of a clock that steps more often the oldest are forgotten, and first those that nothing
/// synchronised.
const MARKS_MAX: i64 = 256;

const DOING: &str = "noting what a clock shows";

/// How a mark came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// A machine says how its clock stands now.
    Clock,
    /// A machine says what it knows of an earlier boot of its own, for each moment of it.
    Memory,
    /// From the stamps of readings, for want of better.
    Stamps,
}

/// Whether `mark` says something that `known`, the one that would hold at its moment, does not.
pub(super) fn is_news(known: &ClockMark, by: By, mark: &ClockMark) -> bool {
    let off_us = known.offset_us().abs_diff(mark.offset_us());
    if by == By::Stamps {
        return known.synced.is_none() && off_us > STAMP_STEP_US;
    }
    // A machine's own statement of its error goes up and down; what it remembers of a boot is the error at that moment.
    off_us > STEP_US
        || match (known.synced, mark.synced) {
            (Some(known), Some(error)) => error <= known / 2 || (by == By::Memory && error > known),
            (known, error) => known.is_some() != error.is_some(),
        }
}

/// The mark of a boot that holds at the moment of `mark`. For stamps, a synchronised one of the boot if there is any,
/// else the nearest: they say nothing against either.
pub(super) fn known_beside(
    db: &Connection,
    boot: i64,
    by: By,
    mark: &ClockMark,
) -> Result<Option<ClockMark>, StoreError> {
    let sql = match by {
        By::Clock | By::Memory => {
            "SELECT mono_us, wall_us, synced_us FROM mark WHERE boot = ?1 AND mono_us <= ?2
             ORDER BY mono_us DESC LIMIT 1"
        }
        By::Stamps => {
            "SELECT mono_us, wall_us, synced_us FROM mark WHERE boot = ?1
             ORDER BY synced_us IS NULL, mono_us > ?2, abs(mono_us - ?2) LIMIT 1"
        }
    };
    let at = params![boot, mark.mono.as_micros()];
    db.prepare_cached(sql).doing(DOING)?.query_row(at, mark_from_row).optional().doing(DOING)
}

/// All marks of a boot, in order.
pub(super) fn marks(db: &Connection, boot: i64) -> Result<Vec<ClockMark>, StoreError> {
    let doing = "reading what a clock showed";
    let sql = "SELECT mono_us, wall_us, synced_us FROM mark WHERE boot = ?1 ORDER BY mono_us";
    let mut statement = db.prepare_cached(sql).doing(doing)?;
    let rows = statement.query_map([boot], mark_from_row).doing(doing)?;
    rows.collect::<rusqlite::Result<_>>().doing(doing)
}

/// Adds a mark, instead of one of the same moment if there is one.
pub(super) fn add_mark(db: &Connection, boot: i64, mark: &ClockMark) -> Result<(), StoreError> {
    let synced_us = mark.synced.map(|error| i64::try_from(error.as_micros()).unwrap_or(i64::MAX));
    let sql = "INSERT OR REPLACE INTO mark (boot, mono_us, wall_us, synced_us) VALUES (?1, ?2, ?3, ?4)";
    let row = params![boot, mark.mono.as_micros(), mark.wall.as_unix_micros(), synced_us];
    db.prepare_cached(sql).doing(DOING)?.execute(row).doing(DOING)?;
    let sql =
        "DELETE FROM mark WHERE boot = ?1 AND (SELECT count(*) FROM mark WHERE boot = ?1) > ?2 AND mono_us =
               (SELECT mono_us FROM mark WHERE boot = ?1 ORDER BY synced_us IS NOT NULL, mono_us LIMIT 1)";
    db.prepare_cached(sql).doing(DOING)?.execute(params![boot, MARKS_MAX]).doing(DOING)?;
    Ok(())
}

fn mark_from_row(row: &Row<'_>) -> rusqlite::Result<ClockMark> {
    let synced_us: Option<i64> = row.get(2)?;
    Ok(ClockMark {
        mono: Instant::from_micros(row.get(0)?),
        wall: WallTime::from_unix_micros(row.get(1)?),
        synced: synced_us.map(|us| Duration::from_micros(u64::try_from(us).unwrap_or(0))),
    })
}
