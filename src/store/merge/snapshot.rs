//! What a store that is merged holds, read in small steps: its node may go on working meanwhile.

use rusqlite::{Connection, Row as SqlRow, params};

use crate::model::{BootId, JournalId, NodeName};
use crate::store::Reader;
use crate::store::error::{Doing, StoreError};
use crate::store::schema::{boot_from_sql, journal_from_sql, node_from_sql};

const DOING: &str = "reading the store that is merged";

/// A journal as the other store knows it.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    /// Its row there.
    pub(super) row: i64,
    pub(super) node: NodeName,
    pub(super) journal: JournalId,
    /// It is the other store's own.
    pub(super) own: bool,
    /// Its cursor there.
    pub(super) taken: i64,
    /// Just before the first place that is held there; the cursor where none is.
    pub(super) begins_after: i64,
}

/// A boot as the other store knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ListedBoot {
    pub(super) row: i64,
    /// The row of its journal there.
    pub(super) source: i64,
    pub(super) id: BootId,
}

/// Consecutive readings of one boot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) first: i64,
    pub(super) last: i64,
    /// The row of the boot there.
    pub(super) boot: i64,
}

/// Readings that nobody will have, as the other store has noted.
#[derive(Clone, Debug)]
pub(super) struct Gone {
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) time_us: i64,
    pub(super) reason: String,
}

/// A reading as it is in the file. Two are equal when every bit of them is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) seq: i64,
    pub(super) channel: i64,
    pub(super) time_us: i64,
    pub(super) mono_us: i64,
    pub(super) value: Option<f64>,
    pub(super) err: Option<i64>,
}

/// All journals, by journal, and of one journal under several names the earlier places first.
pub(super) fn journals(db: &Connection) -> Result<Vec<Listed>, StoreError> {
    let sql = "SELECT id, node, journal, own, taken_seq, coalesce(
                   (SELECT min(first_seq) - 1 FROM span WHERE source = source.id), open_first_seq - 1, taken_seq),
                   open_first_seq
               FROM source ORDER BY journal, 6, id";
    let mut statement = db.prepare(sql).doing(DOING)?;
    let mut rows = statement.query([]).doing(DOING)?;
    let mut list = Vec::new();
    while let Some(row) = rows.next().doing(DOING)? {
        let node: String = row.get(1).doing(DOING)?;
        let journal: String = row.get(2).doing(DOING)?;
        let (begins_after, open): (i64, Option<i64>) = (row.get(5).doing(DOING)?, row.get(6).doing(DOING)?);
        list.push(Listed {
            row: row.get(0).doing(DOING)?,
            node: node_from_sql(&node)?,
            journal: journal_from_sql(&journal)?,
            own: row.get(3).doing(DOING)?,
            taken: row.get(4).doing(DOING)?,
            begins_after: open.map_or(begins_after, |open| begins_after.min(open - 1)),
        });
    }
    Ok(list)
}

/// All boots, in the order of their readings; those without any come last.
pub(super) fn boots(db: &Connection) -> Result<Vec<ListedBoot>, StoreError> {
    let mut statement = db
        .prepare("SELECT id, source, boot FROM boot ORDER BY source, first_seq IS NULL, first_seq, id")
        .doing(DOING)?;
    let mut rows = statement.query([]).doing(DOING)?;
    let mut list = Vec::new();
    while let Some(row) = rows.next().doing(DOING)? {
        let id: String = row.get(2).doing(DOING)?;
        let (id, source) = (boot_from_sql(&id)?, row.get(1).doing(DOING)?);
        list.push(ListedBoot { row: row.get(0).doing(DOING)?, source, id });
    }
    Ok(list)
}

/// The readings of a journal, in order: its full spans, and the growing one.
pub(super) fn pieces(from: &Reader, source: i64) -> Result<Vec<Piece>, StoreError> {
    let sql = "SELECT first_seq, last_seq, boot FROM span WHERE source = ?1
               UNION ALL SELECT open_first_seq, taken_seq, open_boot FROM source
               WHERE id = ?1 AND open_first_seq IS NOT NULL ORDER BY 1";
    let piece = |row: &SqlRow<'_>| Ok(Piece { first: row.get(0)?, last: row.get(1)?, boot: row.get(2)? });
    let mut statement = from.db.prepare_cached(sql).doing(DOING)?;
    let list = statement.query_map([source], piece).doing(DOING)?;
    list.collect::<rusqlite::Result<_>>().doing(DOING)
}

/// What nobody will have of a journal.
pub(super) fn gone(db: &Connection, source: i64) -> Result<Vec<Gone>, StoreError> {
    let sql = "SELECT first_seq, last_seq, time_us, reason FROM dropped WHERE source = ?1 ORDER BY first_seq";
    let gone = |row: &SqlRow<'_>| {
        Ok(Gone { first: row.get(0)?, last: row.get(1)?, time_us: row.get(2)?, reason: row.get(3)? })
    };
    let mut statement = db.prepare_cached(sql).doing(DOING)?;
    let list = statement.query_map([source], gone).doing(DOING)?;
    list.collect::<rusqlite::Result<_>>().doing(DOING)
}

/// Adds the readings from `first` to `last` that there are to `list`, in order.
pub(super) fn rows(
    db: &Connection,
    source: i64,
    (first, last): (i64, i64),
    list: &mut Vec<Row>,
) -> Result<(), StoreError> {
    let sql = "SELECT seq, channel, time_us, mono_us, value, err FROM reading
               WHERE source = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq";
    let mut statement = db.prepare_cached(sql).doing(DOING)?;
    let mut rows = statement.query(params![source, first, last]).doing(DOING)?;
    while let Some(row) = rows.next().doing(DOING)? {
        list.push(Row {
            seq: row.get(0).doing(DOING)?,
            channel: row.get(1).doing(DOING)?,
            time_us: row.get(2).doing(DOING)?,
            mono_us: row.get(3).doing(DOING)?,
            value: row.get(4).doing(DOING)?,
            err: row.get(5).doing(DOING)?,
        });
    }
    Ok(())
}

/// How many readings there are, as the spans say.
pub(super) fn count(db: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT coalesce((SELECT sum(last_seq - first_seq + 1) FROM span), 0) +
                   coalesce((SELECT sum(taken_seq - open_first_seq + 1) FROM source), 0)";
    let count: i64 = db.query_row(sql, [], |row| row.get(0)).doing(DOING)?;
    Ok(u64::try_from(count).unwrap_or(0))
}
