//! Keeps table `dating` true to what is known of clocks: in the group that changes it, within a bound.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::dating::{Knowledge, Piece, Relation, SinkBoot, Whose, resolve};
use super::error::{Doing, StoreError, unreadable};
use super::links::links;
use super::marks::marks;
use crate::model::TimeSource;

/// Marks and links looked at in one group, some 50 ms on a Pi. Where one step of this machine's clock dates thousands
/// of boots anew, the rest follow in the next groups.
const LOOKED_AT_MAX: usize = 20_000;

const DOING: &str = "dating readings";

/// The boots whose dating has yet to follow from what is known.
#[derive(Debug, Default)]
pub(super) struct Stale {
    working: BTreeSet<i64>,
    /// Those that the file knows to be stale.
    committed: BTreeSet<i64>,
}

impl Stale {
    /// Reads what an earlier process left to do.
    pub(super) fn load(db: &Connection) -> Result<Self, StoreError> {
        let mut statement = db.prepare("SELECT id FROM boot WHERE stale = 1").doing(DOING)?;
        let rows = statement.query_map([], |row| row.get(0)).doing(DOING)?;
        let committed: BTreeSet<i64> = rows.collect::<rusqlite::Result<_>>().doing(DOING)?;
        Ok(Self { working: committed.clone(), committed })
    }

    pub(super) fn add(&mut self, boot: i64) {
        self.working.insert(boot);
    }

    /// Adds every boot that was linked to `here`, a boot of a sink.
    pub(super) fn add_linked(&mut self, db: &Connection, here: i64) -> Result<(), StoreError> {
        let sql = "SELECT DISTINCT boot FROM link WHERE here = ?1";
        let mut statement = db.prepare_cached(sql).doing(DOING)?;
        let rows = statement.query_map([here], |row| row.get::<_, i64>(0)).doing(DOING)?;
        for boot in rows {
            self.working.insert(boot.doing(DOING)?);
        }
        Ok(())
    }

    pub(super) fn forget(&mut self, boot: i64) {
        self.working.remove(&boot);
    }

    /// How many.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.working.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.working.is_empty()
    }

    /// Dates boots anew, the newest first, as many as the bound allows; the file is told of the rest.
    pub(super) fn refresh(&mut self, db: &Connection) -> Result<(), StoreError> {
        let mut refresher = Refresher { db, here: BTreeMap::new(), looked_at: 0 };
        while refresher.looked_at < LOOKED_AT_MAX {
            let Some(boot) = self.working.pop_last() else { break };
            refresher.refresh(boot)?;
        }
        let sql = "UPDATE boot SET stale = ?2 WHERE id = ?1";
        for boot in self.working.symmetric_difference(&self.committed) {
            let row = params![boot, self.working.contains(boot)];
            db.prepare_cached(sql).doing(DOING)?.execute(row).doing(DOING)?;
        }
        Ok(())
    }

    /// The group is durable.
    pub(super) fn committed(&mut self) {
        self.committed.clone_from(&self.working);
    }

    /// The group is undone.
    pub(super) fn rolled_back(&mut self) {
        self.working.clone_from(&self.committed);
    }
}

/// Dates all of `boots`, however many.
pub(super) fn refresh_all(db: &Connection, boots: BTreeSet<i64>) -> Result<(), StoreError> {
    let mut refresher = Refresher { db, here: BTreeMap::new(), looked_at: 0 };
    boots.into_iter().try_for_each(|boot| refresher.refresh(boot))
}

struct Refresher<'a> {
    db: &'a Connection,
    /// The wall clocks of sinks' boots, as far as they were wanted.
    here: BTreeMap<SinkBoot, Relation>,
    looked_at: usize,
}

impl Refresher<'_> {
    fn refresh(&mut self, boot: i64) -> Result<(), StoreError> {
        let sql = "SELECT own, EXISTS (SELECT 1 FROM link WHERE here = ?1)
                   FROM boot JOIN source ON source.id = boot.source WHERE boot.id = ?1";
        let found = self.db.prepare_cached(sql).doing(DOING)?.query_row([boot], |row| {
            Ok(match (row.get(0)?, row.get(1)?) {
                (true, _) => Whose::ThisMachines,
                (false, true) => Whose::AnotherSinks,
                (false, false) => Whose::ANodes,
            })
        });
        let Some(whose) = found.optional().doing(DOING)? else { return Ok(()) };
        let known = Knowledge { whose, marks: marks(self.db, boot)?, links: links(self.db, boot)? };
        self.looked_at += 1 + known.marks.len() + known.links.len();
        for (here, _) in &known.links {
            if !self.here.contains_key(here)
                && let Some(relation) = Relation::new(&marks(self.db, *here)?)
            {
                self.here.insert(*here, relation);
            }
        }
        self.write(boot, &resolve(&known, &self.here))
    }

    /// Writes the pieces that differ from what is there.
    fn write(&self, boot: i64, pieces: &[Piece]) -> Result<(), StoreError> {
        let mut old: BTreeMap<i64, Piece> = pieces_of(self.db, boot, (i64::MIN, i64::MAX))?
            .into_iter()
            .map(|piece| (piece.from_us, piece))
            .collect();
        let sql = "INSERT OR REPLACE INTO dating (boot, from_mono_us, mono_us, time_us, rate_ppb, error_us, growth_ppb,
                   time_source) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let mut insert = self.db.prepare_cached(sql).doing(DOING)?;
        for piece in pieces {
            if old.remove(&piece.from_us) != Some(*piece) {
                let Piece { from_us, mono_us, time_us, rate_ppb, error_us, growth_ppb, source } = *piece;
                let row =
                    params![boot, from_us, mono_us, time_us, rate_ppb, error_us, growth_ppb, source.as_str()];
                insert.execute(row).doing(DOING)?;
            }
        }
        let sql = "DELETE FROM dating WHERE boot = ?1 AND from_mono_us = ?2";
        for from_us in old.into_keys() {
            self.db.prepare_cached(sql).doing(DOING)?.execute([boot, from_us]).doing(DOING)?;
        }
        Ok(())
    }
}

/// The pieces of a boot that hold for monotonic moments between `least` and `most`, in microseconds, in order.
pub(super) fn pieces_of(
    db: &Connection,
    boot: i64,
    (least_us, most_us): (i64, i64),
) -> Result<Vec<Piece>, StoreError> {
    let sql = "SELECT from_mono_us, mono_us, time_us, rate_ppb, error_us, growth_ppb, time_source FROM dating
               WHERE boot = ?1 AND from_mono_us <= ?3 AND from_mono_us >= coalesce(
                   (SELECT max(from_mono_us) FROM dating WHERE boot = ?1 AND from_mono_us <= ?2), ?2)
               ORDER BY from_mono_us";
    let mut statement = db.prepare_cached(sql).doing(DOING)?;
    let mut rows = statement.query([boot, least_us, most_us]).doing(DOING)?;
    let mut pieces = Vec::new();
    while let Some(row) = rows.next().doing(DOING)? {
        pieces.push(piece(row)?);
    }
    Ok(pieces)
}

fn piece(row: &Row<'_>) -> Result<Piece, StoreError> {
    let source = row.get_ref(6).doing(DOING)?.as_str().unwrap_or_default();
    let source: TimeSource = source.parse().map_err(|()| unreadable(DOING, source))?;
    let number = |at| row.get(at).doing(DOING);
    Ok(Piece {
        from_us: number(0)?,
        mono_us: number(1)?,
        time_us: number(2)?,
        rate_ppb: number(3)?,
        error_us: row.get(4).doing(DOING)?,
        growth_ppb: number(5)?,
        source,
    })
}
