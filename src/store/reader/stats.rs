//! What a store holds, in numbers; from the spans and cursors, without looking at every reading.

use super::Reader;
use crate::model::{JournalId, NodeName, Seq, WallTime};
use crate::store::error::{Doing, StoreError};
use crate::store::schema::{journal_from_sql, node_from_sql, seq_from_sql};
use crate::store::used_bytes;

/// What a store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Every journal, by node and journal.
    pub sources: Vec<SourceStats>,
    /// Rounds held.
    pub rounds: u64,
    /// Bytes of the file that hold something.
    pub bytes: u64,
}

/// What is held of one journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStats {
    /// The node.
    pub node: NodeName,
    /// The journal.
    pub journal: JournalId,
    /// Whether it is the own journal of the node whose store this is.
    pub own: bool,
    /// The last place held or had.
    pub cursor: Seq,
    /// Readings held.
    pub readings: u64,
    /// Between which times they lie; `None` when none is held.
    pub times: Option<(WallTime, WallTime)>,
    /// Readings that retention dropped before every consumer had them.
    pub dropped_untaken: u64,
    /// Readings that the source no longer had when it was asked.
    pub missing: u64,
}

impl Reader {
    /// How far each journal is held: cheap enough to be asked all the time.
    pub fn cursors(&self) -> Result<Vec<(JournalId, Seq)>, StoreError> {
        let doing = "reading the cursors";
        let mut statement = self.db.prepare_cached("SELECT journal, taken_seq FROM source").doing(doing)?;
        let mut rows = statement.query([]).doing(doing)?;
        let mut cursors = Vec::new();
        while let Some(row) = rows.next().doing(doing)? {
            let journal = journal_from_sql(&row.get::<_, String>(0).doing(doing)?)?;
            cursors.push((journal, seq_from_sql(row.get(1).doing(doing)?)?));
        }
        Ok(cursors)
    }

    /// What the store holds.
    pub fn stats(&self) -> Result<Stats, StoreError> {
        let doing = "counting what is held";
        let sql = "
            WITH held AS (
                SELECT source, sum(last_seq - first_seq + 1) AS n, min(min_time_us) AS min_us,
                       max(max_time_us) AS max_us
                FROM piece GROUP BY source
            ), lost AS (
                SELECT source, sum((reason = 'max_bytes') * (last_seq - first_seq + 1)) AS dropped,
                       sum((reason = 'not_at_source') * (last_seq - first_seq + 1)) AS missing
                FROM dropped GROUP BY source
            )
            SELECT node, journal, own, taken_seq, coalesce(n, 0), min_us, max_us,
                   coalesce(dropped, 0), coalesce(missing, 0)
            FROM source LEFT JOIN held ON held.source = id LEFT JOIN lost ON lost.source = id
            ORDER BY node, journal";
        let mut statement = self.db.prepare_cached(sql).doing(doing)?;
        let mut rows = statement.query([]).doing(doing)?;
        let mut sources = Vec::new();
        while let Some(row) = rows.next().doing(doing)? {
            let count = |at| seq_from_sql(row.get(at).doing(doing)?).map(|count| count.0);
            let time = |at| row.get::<_, Option<i64>>(at).doing(doing);
            sources.push(SourceStats {
                node: node_from_sql(&row.get::<_, String>(0).doing(doing)?)?,
                journal: journal_from_sql(&row.get::<_, String>(1).doing(doing)?)?,
                own: row.get(2).doing(doing)?,
                cursor: Seq(count(3)?),
                readings: count(4)?,
                times: time(5)?
                    .zip(time(6)?)
                    .map(|(min, max)| (WallTime::from_unix_micros(min), WallTime::from_unix_micros(max))),
                dropped_untaken: count(7)?,
                missing: count(8)?,
            });
        }
        let rounds: i64 =
            self.db.query_row("SELECT count(*) FROM round", [], |row| row.get(0)).doing(doing)?;
        Ok(Stats { sources, rounds: seq_from_sql(rounds)?.0, bytes: used_bytes(&self.db)? })
    }
}
