//! Everything by which readings are dated: boots, what wall clocks showed in them, and where clocks met. It comes
//! before the readings, so that these have their right times from the first group on.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension, params};

use super::MappedBoot;
use super::snapshot::{Listed, ListedBoot, boots};
use crate::model::{BootId, ClockLink, ClockMark};
use crate::store::error::{Doing, StoreError};
use crate::store::links::{add_all, links};
use crate::store::marks::{By, add_mark, is_news, marks};
use crate::store::{Reader, Store};

/// Boots in a group: at most some hundred thousand marks and links, and some hundred as a rule.
const GROUP_BOOTS: usize = 64;

const DOING: &str = "merging clocks";

impl Store {
    /// Brings over boots, marks and links. Returns where each boot of the other store is here.
    pub(super) fn merge_clocks(
        &mut self,
        from: &Reader,
        listed: &[Listed],
    ) -> Result<BTreeMap<i64, MappedBoot>, StoreError> {
        let list = boots(&from.db)?;
        let mapped = self.in_group(|store| store.map_boots(listed, &list))?;
        self.commit()?;
        for group in list.chunks(GROUP_BOOTS) {
            for boot in group {
                self.in_group(|store| store.merge_clock(from, boot.row, &mapped))?;
            }
            self.commit()?;
        }
        Ok(mapped)
    }

    /// The row here of each boot there; those that are not known are added.
    fn map_boots(
        &mut self,
        listed: &[Listed],
        list: &[ListedBoot],
    ) -> Result<BTreeMap<i64, MappedBoot>, StoreError> {
        let mut sources = BTreeMap::new();
        for listed in listed {
            let ix = self.destination(listed)?;
            sources.insert(listed.row, self.sources.get(ix).id);
        }
        let mut mapped = BTreeMap::new();
        for boot in list {
            if let Some(source) = sources.get(&boot.source) {
                let row = self.boot_row(*source, boot.id)?;
                mapped.insert(boot.row, MappedBoot { id: boot.id, row });
            }
        }
        Ok(mapped)
    }

    fn boot_row(&mut self, source: i64, id: BootId) -> Result<i64, StoreError> {
        let known = params![source, id.to_string()];
        let sql = "SELECT id FROM boot WHERE source = ?1 AND boot = ?2 ORDER BY id DESC LIMIT 1";
        let found = self.db.prepare_cached(sql).doing(DOING)?.query_row(known, |row| row.get(0)).optional();
        if let Some(row) = found.doing(DOING)? {
            return Ok(row);
        }
        let sql = "INSERT INTO boot (source, boot) VALUES (?1, ?2)";
        self.db.prepare_cached(sql).doing(DOING)?.insert(known).doing(DOING)
    }

    fn merge_clock(
        &mut self,
        from: &Reader,
        there: i64,
        mapped: &BTreeMap<i64, MappedBoot>,
    ) -> Result<(), StoreError> {
        let Some(here) = mapped.get(&there) else { return Ok(()) };
        let (ours, theirs) = (marks(&self.db, here.row)?, marks(&from.db, there)?);
        let both = union(&ours, &theirs);
        if both != ours {
            let known: BTreeSet<i64> = both.iter().map(|mark| mark.mono.as_micros()).collect();
            for mark in ours.iter().filter(|mark| !known.contains(&mark.mono.as_micros())) {
                let sql = "DELETE FROM mark WHERE boot = ?1 AND mono_us = ?2";
                let row = params![here.row, mark.mono.as_micros()];
                self.db.prepare_cached(sql).doing(DOING)?.execute(row).doing(DOING)?;
            }
            for mark in both.iter().filter(|mark| !ours.contains(mark)) {
                add_mark(&self.db, here.row, mark)?;
            }
            self.stale.add(here.row);
            self.stale.add_linked(&self.db, here.row)?;
        }
        let mut by_sink: BTreeMap<i64, Vec<ClockLink>> = BTreeMap::new();
        for (sink, link) in links(&from.db, there)? {
            if let Some(sink) = mapped.get(&sink) {
                by_sink.entry(sink.row).or_default().push(link);
            }
        }
        self.merge_links(here.row, &by_sink)
    }

    /// Links to one boot of a sink were all made by that sink: who has the last of them has them all.
    fn merge_links(&mut self, boot: i64, by_sink: &BTreeMap<i64, Vec<ClockLink>>) -> Result<(), StoreError> {
        for (sink, theirs) in by_sink {
            let sql = "SELECT max(mono_us) FROM link WHERE boot = ?1 AND here = ?2";
            let pair = [boot, *sink];
            let ours: Option<i64> =
                self.db.prepare_cached(sql).doing(DOING)?.query_row(pair, |row| row.get(0)).doing(DOING)?;
            let newest = theirs.last().map(|link| link.mono.as_micros());
            if newest > ours {
                add_all(&self.db, boot, *sink, theirs)?;
                self.stale.add(boot);
                self.stale.add(*sink);
            }
        }
        Ok(())
    }
}

/// Marks that two observers have of one boot, as one who had heard all of them would have kept them. What one alone has
/// stays as it is.
pub(super) fn union(ours: &[ClockMark], theirs: &[ClockMark]) -> Vec<ClockMark> {
    if ours.is_empty() || theirs.iter().all(|mark| ours.contains(mark)) {
        return if ours.is_empty() { theirs.to_vec() } else { ours.to_vec() };
    }
    let mut all: BTreeMap<i64, ClockMark> = BTreeMap::new();
    for mark in ours.iter().chain(theirs) {
        let known = all.entry(mark.mono.as_micros()).or_insert(*mark);
        if known.synced.is_none() {
            *known = *mark;
        }
    }
    let mut kept: Vec<ClockMark> = Vec::with_capacity(all.len());
    for mark in all.into_values() {
        // A larger error is news too: the other may have heard of it later than this one.
        if kept.last().is_none_or(|last| is_news(last, By::Memory, &mark)) {
            kept.push(mark);
        }
    }
    kept
}
