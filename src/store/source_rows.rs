//! Rows of the tables about sources: cursors, full spans, and what is missing.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::error::{Doing, StoreError, unreadable};
use super::schema::{boot_from_sql, journal_from_sql, node_from_sql, seq_from_sql, seq_to_sql};
use super::sources::{Boot, OpenSpan, Place, Source};
use crate::model::{JournalId, NodeName, Seq, WallTime};

/// This node's own journal, as it was found or made.
pub(super) struct Own {
    pub(super) source: Source,
    /// It was made now.
    pub(super) made: bool,
    /// The name that the node had before, if that was another.
    pub(super) renamed_from: Option<NodeName>,
}

/// This node's own journal: found, and from now on under the name that the node has now; or made.
pub(super) fn own(db: &Connection, node: &NodeName, new_journal: JournalId) -> Result<Own, StoreError> {
    let doing = "opening the node's own journal";
    let Some(mut source) = load(db, "own = 1", [])? else {
        insert(db, node, new_journal, true, Seq::ZERO)?;
        let source = load(db, "own = 1", [])?.ok_or_else(|| unreadable(doing, "nothing"))?;
        return Ok(Own { source, made: true, renamed_from: None });
    };
    if source.node == *node {
        return Ok(Own { source, made: false, renamed_from: None });
    }
    // No other row has this journal: `Store::take` refuses it from anybody else.
    let sql = "UPDATE source SET node = ?2 WHERE id = ?1";
    db.execute(sql, params![source.id, node.as_str()]).doing(doing)?;
    let renamed_from = Some(std::mem::replace(&mut source.node, node.clone()));
    Ok(Own { source, made: false, renamed_from })
}

/// The name under which a store goes by now, if it has a journal.
pub(super) fn own_name(db: &Connection) -> Result<Option<NodeName>, StoreError> {
    Ok(load(db, "own = 1", [])?.map(|source| source.node))
}

/// Notes a full span, or one that ends at a hole.
pub(super) fn close_span(db: &Connection, source: i64, span: &OpenSpan, last: Seq) -> Result<(), StoreError> {
    let doing = "storing a span";
    let sql = "INSERT INTO span VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let OpenSpan { first, boot, min_mono_us, max_mono_us, taken_us } = *span;
    let (first, last) = (seq_to_sql(first)?, seq_to_sql(last)?);
    let row = params![source, first, last, boot, min_mono_us, max_mono_us, taken_us];
    db.prepare_cached(sql).doing(doing)?.execute(row).doing(doing)?;
    Ok(())
}

/// Why readings are missing, as in `dropped.reason`.
pub(super) const NOT_AT_SOURCE: &str = "not_at_source";
/// Dropped here, untaken, to stay within the bound.
pub(super) const MAX_BYTES: &str = "max_bytes";

/// Notes readings that nobody will ever have; one row for neighbours.
pub(super) fn note_dropped(
    db: &Connection,
    source: i64,
    (first, last): (Seq, Seq),
    reason: &str,
    now: WallTime,
) -> Result<(), StoreError> {
    let doing = "noting dropped readings";
    let (first, last, now) = (seq_to_sql(first)?, seq_to_sql(last)?, now.as_unix_micros());
    let longer = "UPDATE dropped SET last_seq = ?3, time_us = ?5
                  WHERE source = ?1 AND last_seq = ?2 - 1 AND reason = ?4";
    let row = params![source, first, last, reason, now];
    if db.prepare_cached(longer).doing(doing)?.execute(row).doing(doing)? == 0 {
        let sql = "INSERT INTO dropped (source, first_seq, last_seq, reason, time_us)
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        db.prepare_cached(sql).doing(doing)?.execute(row).doing(doing)?;
    }
    Ok(())
}

/// Adds a source, and returns its row id.
pub(super) fn insert(
    db: &Connection,
    node: &NodeName,
    journal: JournalId,
    own: bool,
    taken: Seq,
) -> Result<i64, StoreError> {
    let sql = "INSERT INTO source (node, journal, own, taken_seq) VALUES (?1, ?2, ?3, ?4)";
    db.execute(sql, params![node.as_str(), journal.to_string(), own, seq_to_sql(taken)?])
        .doing("adding a journal")?;
    Ok(db.last_insert_rowid())
}

/// The source that `filter`, an SQL condition, finds.
pub(super) fn load(
    db: &Connection,
    filter: &str,
    parameters: impl rusqlite::Params,
) -> Result<Option<Source>, StoreError> {
    let doing = "reading a cursor";
    let sql = format!(
        "SELECT source.id, node, journal, taken_seq, newest.id, newest.boot, open_first_seq, open_boot,
         open_min_mono_us, open_max_mono_us, open_taken_us FROM source
         LEFT JOIN boot AS newest ON newest.id = (SELECT id FROM boot
             WHERE boot.source = source.id AND first_seq <= taken_seq + 1 ORDER BY first_seq DESC LIMIT 1)
         WHERE {filter}"
    );
    let read = |row: &Row<'_>| -> rusqlite::Result<_> {
        type Ids = (i64, String, String, i64, Option<i64>, Option<String>);
        let ids: Ids = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?);
        Ok((ids, open_span(row)?))
    };
    let row = db.prepare_cached(&sql).doing(doing)?.query_row(parameters, read).optional().doing(doing)?;
    let Some(((id, node, journal, taken, boot_row, boot), open)) = row else {
        return Ok(None);
    };
    let open = open.map(|(first, span)| Ok(OpenSpan { first: seq_from_sql(first)?, ..span })).transpose()?;
    let boot = boot.as_deref().map(boot_from_sql).transpose()?;
    let boot = boot_row.zip(boot).map(|(row, id)| Boot { row, id });
    let place = Place { taken: seq_from_sql(taken)?, open, boot, heard: None };
    let (node, journal) = (node_from_sql(&node)?, journal_from_sql(&journal)?);
    Ok(Some(Source { id, node, journal, committed: place, working: place, is_new: false }))
}

/// The first place of an open span, and the rest of it, from column 6 on.
fn open_span(row: &Row<'_>) -> rusqlite::Result<Option<(i64, OpenSpan)>> {
    let Some(first) = row.get(6)? else { return Ok(None) };
    let span = OpenSpan {
        first: Seq::ZERO,
        boot: row.get(7)?,
        min_mono_us: row.get(8)?,
        max_mono_us: row.get(9)?,
        taken_us: row.get(10)?,
    };
    Ok(Some((first, span)))
}
