//! Rows of table `link`: where the monotonic clock of a boot met one of this machine's boots.

use std::time::Duration;

use rusqlite::{Connection, Row, params};

use super::error::{Doing, StoreError};
use crate::model::{BootId, ClockLink, Instant};

/// A link between two others says nothing when it lies on their line, so near as this, or as its own error.
const ON_LINE_US: i64 = 1_000;

/// But so far apart there is one all the same: a clock's rate changes with the weather.
const APART_MAX_US: i64 = 3_600_000_000;

/// Links of one boot; at one an hour more than a year. Beyond it every second one but the ends is forgotten.
const LINKS_MAX: i64 = if cfg!(test) { 50 } else { 10_000 };

const DOING: &str = "noting where two clocks met";

/// Adds a link of `boot` to `here`, a boot of this machine. Returns whether anything changed: one that is not after the
/// last is left out. The last one is the moving end of a line, which stays where it is when the next is not on it.
pub(super) fn add(db: &Connection, boot: i64, here: i64, link: &ClockLink) -> Result<bool, StoreError> {
    let sql = "SELECT mono_us, here_us, error_us FROM link WHERE boot = ?1 AND here = ?2 ORDER BY mono_us DESC LIMIT 2";
    let mut statement = db.prepare_cached(sql).doing(DOING)?;
    let rows = statement.query_map([boot, here], |row| from_row(row, link.boot)).doing(DOING)?;
    let newest: Vec<ClockLink> = rows.collect::<rusqlite::Result<_>>().doing(DOING)?;
    if newest.first().is_some_and(|last| link.mono <= last.mono || link.here <= last.here) {
        return Ok(false);
    }
    match newest[..] {
        [end, start] if is_on_line(&start, &end, link) => {
            let sql = "DELETE FROM link WHERE boot = ?1 AND here = ?2 AND mono_us = ?3";
            let row = params![boot, here, end.mono.as_micros()];
            db.prepare_cached(sql).doing(DOING)?.execute(row).doing(DOING)?;
        }
        _ => thin(db, boot)?,
    }
    let sql = "INSERT INTO link (boot, here, mono_us, here_us, error_us) VALUES (?1, ?2, ?3, ?4, ?5)";
    let row = params![boot, here, link.mono.as_micros(), link.here.as_micros(), micros(link.error)];
    db.prepare_cached(sql).doing(DOING)?.execute(row).doing(DOING)?;
    Ok(true)
}

/// Puts `links`, which are in order, in the place of those that are known between a boot and `here`.
pub(super) fn add_all(db: &Connection, boot: i64, here: i64, links: &[ClockLink]) -> Result<(), StoreError> {
    let sql = "DELETE FROM link WHERE boot = ?1 AND here = ?2";
    db.prepare_cached(sql).doing(DOING)?.execute([boot, here]).doing(DOING)?;
    let sql = "INSERT INTO link (boot, here, mono_us, here_us, error_us) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut insert = db.prepare_cached(sql).doing(DOING)?;
    for link in links {
        let row = params![boot, here, link.mono.as_micros(), link.here.as_micros(), micros(link.error)];
        insert.execute(row).doing(DOING)?;
    }
    thin(db, boot)
}

/// All links of a boot, each with the row of this machine's boot.
pub(super) fn links(db: &Connection, boot: i64) -> Result<Vec<(i64, ClockLink)>, StoreError> {
    let doing = "reading where two clocks met";
    let sql = "SELECT mono_us, here_us, error_us, here FROM link WHERE boot = ?1 ORDER BY here, mono_us";
    let mut statement = db.prepare_cached(sql).doing(doing)?;
    // Whose boot it is, is known by the row.
    let rows =
        statement.query_map([boot], |row| Ok((row.get(3)?, from_row(row, BootId(0))?))).doing(doing)?;
    rows.collect::<rusqlite::Result<_>>().doing(doing)
}

/// Whether `end` says nothing beside `start` and `next`.
fn is_on_line(start: &ClockLink, end: &ClockLink, next: &ClockLink) -> bool {
    let [mono, to_end] =
        [next, end].map(|to| i128::from(to.mono.as_micros()) - i128::from(start.mono.as_micros()));
    let [here, end_here] =
        [next, end].map(|to| i128::from(to.here.as_micros()) - i128::from(start.here.as_micros()));
    let off = (end_here - here * to_end / mono.max(1)).abs();
    let near = i128::from(micros(end.error).max(ON_LINE_US));
    let is_as_good = micros(next.error) <= micros(end.error).saturating_mul(2).max(ON_LINE_US);
    mono <= i128::from(APART_MAX_US) && off <= near && is_as_good
}

fn thin(db: &Connection, boot: i64) -> Result<(), StoreError> {
    let count: i64 = db
        .prepare_cached("SELECT count(*) FROM link WHERE boot = ?1")
        .doing(DOING)?
        .query_row([boot], |row| row.get(0))
        .doing(DOING)?;
    if count < LINKS_MAX {
        return Ok(());
    }
    let sql = "DELETE FROM link WHERE boot = ?1 AND (here, mono_us) IN (
                   SELECT here, mono_us FROM (SELECT here, mono_us, row_number() OVER (ORDER BY here, mono_us) AS place
                   FROM link WHERE boot = ?1) WHERE place % 2 = 0 AND place < ?2)";
    db.prepare_cached(sql).doing(DOING)?.execute([boot, count]).doing(DOING)?;
    Ok(())
}

fn from_row(row: &Row<'_>, boot: BootId) -> rusqlite::Result<ClockLink> {
    Ok(ClockLink {
        boot,
        mono: Instant::from_micros(row.get(0)?),
        here: Instant::from_micros(row.get(1)?),
        error: Duration::from_micros(u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0)),
    })
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
