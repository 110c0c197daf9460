//! Rows of table `boot`: the boots of each source's machine.

use rusqlite::{Connection, OptionalExtension, params};

use super::Store;
use super::error::{Doing, StoreError};
use super::schema::seq_to_sql;
use super::source_rows::close_span;
use super::sources::{Boot, OWN, Source, SourceIx};
use crate::model::BootId;

/// Boots of another node's machine that are known by its clock alone: its readings of them have yet to come. Of more,
/// the oldest are forgotten.
const AHEAD_MAX: i64 = 16;

const DOING: &str = "noting a boot";

impl Store {
    /// A boot of a source, which is added if it is new: none of its readings is here yet.
    pub(super) fn known_boot(&mut self, ix: SourceIx, id: BootId) -> Result<Boot, StoreError> {
        let Source { id: source, working, .. } = *self.sources.get(ix);
        let cached = [working.boot, working.heard.map(|heard| heard.boot)];
        if let Some(boot) = cached.into_iter().flatten().find(|boot| boot.id == id) {
            return Ok(boot);
        }
        let sql = "SELECT id FROM boot WHERE source = ?1 AND boot = ?2 ORDER BY id DESC LIMIT 1";
        if let Some(row) = find(&self.db, sql, source, id)? {
            return Ok(Boot { row, id });
        }
        let sql = "INSERT INTO boot (source, boot) VALUES (?1, ?2)";
        let row =
            self.db.prepare_cached(sql).doing(DOING)?.insert(params![source, id.to_string()]).doing(DOING)?;
        if ix != OWN {
            let sql = "SELECT id FROM boot WHERE source = ?1 AND first_seq IS NULL
                       AND NOT EXISTS (SELECT 1 FROM link WHERE here = boot.id) ORDER BY id DESC LIMIT -1 OFFSET ?2";
            self.forget_boots(sql, params![source, AHEAD_MAX])?;
        }
        Ok(Boot { row, id })
    }

    /// The boot that the readings belong to which come next, by its row; another one's open span ends here.
    pub(super) fn begin_boot(&mut self, ix: SourceIx, id: BootId) -> Result<i64, StoreError> {
        let source = self.sources.get_mut(ix);
        if let Some(boot) = source.working.boot.filter(|boot| boot.id == id) {
            return Ok(boot.row);
        }
        if let Some(span) = source.working.open.take() {
            close_span(&self.db, source.id, &span, source.working.taken)?;
        }
        let (row_of_source, first) = (source.id, seq_to_sql(source.working.taken.next())?);
        let (row, _) = self.place_boot(row_of_source, id, first)?;
        self.sources.get_mut(ix).working.boot = Some(Boot { row, id });
        Ok(row)
    }

    /// The row of a boot that begins at place `first` of a source, where another one's readings end and none is held;
    /// and whether the row is new.
    pub(super) fn place_boot(
        &mut self,
        source: i64,
        id: BootId,
        first: i64,
    ) -> Result<(i64, bool), StoreError> {
        self.keep_boot_beyond(source, first)?;
        // Known by its clock alone; or by readings beyond a hole, which begin to fill it.
        let sql = "SELECT id FROM boot WHERE source = ?1 AND boot = ?2 AND (first_seq IS NULL
                   OR first_seq = (SELECT min(first_seq) FROM boot WHERE source = ?1 AND first_seq > ?3))
                   ORDER BY first_seq IS NULL, id DESC LIMIT 1";
        let known = params![source, id.to_string(), first];
        let found: Option<i64> = self
            .db
            .prepare_cached(sql)
            .doing(DOING)?
            .query_row(known, |row| row.get(0))
            .optional()
            .doing(DOING)?;
        if let Some(row) = found {
            let sql = "UPDATE OR REPLACE boot SET first_seq = ?2 WHERE id = ?1";
            self.db.prepare_cached(sql).doing(DOING)?.execute([row, first]).doing(DOING)?;
            return Ok((row, false));
        }
        let sql = "INSERT OR REPLACE INTO boot (source, boot, first_seq) VALUES (?1, ?2, ?3)";
        Ok((self.db.prepare_cached(sql).doing(DOING)?.insert(known).doing(DOING)?, true))
    }

    /// Where another boot is to begin at `first` and readings are held further on, beyond a hole: they go on to belong
    /// to the boot that they do now.
    fn keep_boot_beyond(&mut self, source: i64, first: i64) -> Result<(), StoreError> {
        let sql = "SELECT boot.id, boot.first_seq, (SELECT min(first_seq) FROM span
                       WHERE source = ?1 AND first_seq > ?2 AND first_seq < coalesce(
                           (SELECT min(first_seq) FROM boot WHERE source = ?1 AND first_seq > ?2), ?3))
                   FROM boot WHERE source = ?1 AND first_seq <= ?2 ORDER BY first_seq DESC LIMIT 1";
        let at = params![source, first, i64::MAX];
        let found: Option<(i64, i64, Option<i64>)> = self
            .db
            .prepare_cached(sql)
            .doing(DOING)?
            .query_row(at, |row| row.try_into())
            .optional()
            .doing(DOING)?;
        let Some((row, begins, Some(beyond))) = found else { return Ok(()) };
        if begins == first {
            let sql = "UPDATE boot SET first_seq = ?2 WHERE id = ?1";
            self.db.prepare_cached(sql).doing(DOING)?.execute([row, beyond]).doing(DOING)?;
            return Ok(());
        }
        let sql =
            "INSERT INTO boot (source, boot, first_seq) SELECT source, boot, ?2 FROM boot WHERE id = ?1";
        let again = self.db.prepare_cached(sql).doing(DOING)?.insert([row, beyond]).doing(DOING)?;
        self.copy_clocks(row, again)?;
        let sql = "UPDATE span SET boot = ?3 WHERE source = ?4 AND boot = ?1 AND first_seq >= ?2";
        let spans = [row, beyond, again, source];
        self.db.prepare_cached(sql).doing(DOING)?.execute(spans).doing(DOING)?;
        Ok(())
    }

    /// What is known of the clocks of one boot, for another row of the same boot.
    pub(super) fn copy_clocks(&mut self, from: i64, to: i64) -> Result<(), StoreError> {
        for sql in [
            "INSERT OR IGNORE INTO mark SELECT ?2, mono_us, wall_us, synced_us FROM mark WHERE boot = ?1",
            "INSERT OR IGNORE INTO link SELECT ?2, here, mono_us, here_us, error_us FROM link WHERE boot = ?1",
        ] {
            self.db.prepare_cached(sql).doing(DOING)?.execute([from, to]).doing(DOING)?;
        }
        self.stale.add(to);
        Ok(())
    }

    /// Forgets the boots of which no reading is left, with what is known of their clocks. The one that the next reading
    /// belongs to stays, and those by whose clocks others are dated; of this machine, also those that rounds are dated
    /// by.
    pub(super) fn forget_gone_boots(&mut self, source: i64) -> Result<(), StoreError> {
        let own = self.sources.get(OWN);
        let gone = "SELECT id FROM boot WHERE source = ?1 AND first_seq < (
                        SELECT max(first_seq) FROM boot WHERE source = ?1 AND first_seq <= coalesce(
                            (SELECT min(seq) FROM reading WHERE source = ?1),
                            (SELECT taken_seq + 1 FROM source WHERE id = ?1)))";
        if source != own.id {
            let dates_nobody = format!("{gone} AND NOT EXISTS (SELECT 1 FROM link WHERE here = boot.id)");
            return self.forget_boots(&dates_nobody, [source]);
        }
        let idle = format!(
            "SELECT id FROM boot AS idle WHERE source = ?1 AND boot <> ?2 AND (first_seq IS NULL OR id IN ({gone}))
             AND id < coalesce((SELECT boot FROM round WHERE source = ?1 AND boot IS NOT NULL
                 ORDER BY number LIMIT 1), id + 1)
             AND NOT EXISTS (SELECT 1 FROM link WHERE here = idle.id)"
        );
        let present = self.boot.to_string();
        self.forget_boots(&idle, params![source, present])
    }

    fn forget_boots(&mut self, sql: &str, parameters: impl rusqlite::Params) -> Result<(), StoreError> {
        let mut statement = self.db.prepare_cached(sql).doing(DOING)?;
        let rows = statement.query_map(parameters, |row| row.get(0)).doing(DOING)?;
        let gone: Vec<i64> = rows.collect::<rusqlite::Result<_>>().doing(DOING)?;
        for boot in gone {
            for table in ["mark", "link", "dating"] {
                let sql = format!("DELETE FROM {table} WHERE boot = ?1");
                self.db.prepare_cached(&sql).doing(DOING)?.execute([boot]).doing(DOING)?;
            }
            self.db
                .prepare_cached("DELETE FROM boot WHERE id = ?1")
                .doing(DOING)?
                .execute([boot])
                .doing(DOING)?;
            self.stale.forget(boot);
        }
        Ok(())
    }
}

fn find(db: &Connection, sql: &str, source: i64, id: BootId) -> Result<Option<i64>, StoreError> {
    let row = params![source, id.to_string()];
    db.prepare_cached(sql).doing(DOING)?.query_row(row, |row| row.get(0)).optional().doing(DOING)
}
