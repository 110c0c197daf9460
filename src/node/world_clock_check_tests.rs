//! What has to hold of how a sink dates the readings of a [`World`].

use super::*;
use crate::model::{ClockLink, Dated, TimeSource};
use crate::store::{Filter, Reader, StoreError};

/// Times are in whole microseconds, and are interpolated.
const EPSILON_US: i64 = 20;

/// Something that a node has told its store.
#[derive(Clone, Debug)]
pub(super) enum Fact {
    /// What the wall clock showed in this boot.
    Mark(BootId, ClockMark),
    /// In this boot of the sink, a clock was met.
    Link(BootId, JournalId, ClockLink),
}

/// How much a clock's word is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Quality {
    Unset,
    Set,
    Synced,
}

/// A reading at the sink.
struct Row {
    truth: Truth,
    journal: JournalId,
    dated: Dated,
}

impl World {
    /// Panics when a reading is dated wrongly; how many there are of each source.
    pub(super) fn check(&mut self) -> BTreeMap<TimeSource, u64> {
        self.commit(SINK);
        let mut counts = BTreeMap::new();
        let mut latest: BTreeMap<(JournalId, BootId), (WallTime, Instant)> = BTreeMap::new();
        for row in self.rows() {
            *counts.entry(row.dated.source).or_default() += 1;
            self.check_error(&row);
            if row.truth.host != SINK {
                self.check_source(&row);
            }
            let (time, mono) = (row.dated.time, row.truth.mono);
            let before = latest.insert((row.journal, row.truth.boot), (time, mono));
            assert!(
                before.is_none_or(|before| before.0 <= time),
                "{}: {mono:?} is dated {time}, and {before:?} came before",
                self.hosts[row.truth.host].name
            );
        }
        counts
    }

    fn rows(&self) -> Vec<Row> {
        let reader = Reader::open(self.hosts[SINK].dir.path()).unwrap();
        let mut rows = Vec::new();
        let each = |row: &crate::store::ExportRow<'_>| {
            let truth = self.truths[row.value.unwrap() as usize];
            assert_eq!(row.mono, truth.mono, "stamps are never rewritten");
            rows.push(Row { truth, journal: row.journal, dated: row.dated });
            Ok::<(), StoreError>(())
        };
        reader.readings(&Filter::default(), each).unwrap();
        rows
    }

    fn check_error(&self, row: &Row) {
        let Some((error, reference_us)) = row.dated.error.zip(self.reference_us(row)) else { return };
        let error_us = i64::try_from(error.as_micros()).unwrap();
        let off_us = row.dated.time.as_unix_micros() - reference_us;
        let host = &self.hosts[row.truth.host];
        assert!(
            off_us.abs() <= error_us + EPSILON_US,
            "{} is off by {} ms, and says {} ms: {:?} {:?}; sink {:?} {:?}, node {:?} {:?}, links {:?}",
            host.name,
            off_us as f64 / 1e3,
            error_us as f64 / 1e3,
            row.dated,
            row.truth,
            self.hosts[SINK].clocks,
            self.marks(SINK, None),
            host.clocks,
            self.marks(row.truth.host, Some(row.truth.boot)),
            self.links(row.journal, row.truth.boot),
        );
    }

    /// The time that an error counts against: the true one, or what a sink that nothing synchronises showed last, when
    /// its clock was set. None where it is against a boot of the sink that ended before anything synchronised it.
    fn reference_us(&self, row: &Row) -> Option<i64> {
        let sink = &self.hosts[SINK].clocks;
        let is_synced =
            |(boot, link): &(BootId, ClockLink)| self.sink_quality(*boot, link.here) == Quality::Synced;
        match sink.keeper {
            _ if row.dated.source == TimeSource::Node => Some(row.truth.at),
            Keeper::Ntp | Keeper::Steady => {
                let links = self.links(row.journal, row.truth.boot);
                links.iter().any(is_synced).then_some(row.truth.at)
            }
            Keeper::Hand | Keeper::Madness | Keeper::Nobody => {
                let marks = self.marks(SINK, None);
                let last = marks.iter().rfind(|mark| mark.is_set()).or(marks.last())?;
                Some(sink.mono_us(row.truth.at) + last.offset_us())
            }
        }
    }

    /// A reading is of unknown time exactly when no clock that was ever set can date it.
    fn check_source(&self, row: &Row) {
        let links = self.links(row.journal, row.truth.boot);
        let best = links.iter().map(|(boot, link)| self.sink_quality(*boot, link.here)).max();
        let was_synced =
            self.marks(row.truth.host, Some(row.truth.boot)).iter().any(|mark| mark.synced.is_some());
        let fits = match row.dated.source {
            TimeSource::Sink => best >= Some(Quality::Set),
            TimeSource::Node => was_synced && best < Some(Quality::Set),
            TimeSource::Unknown => best < Some(Quality::Set),
        };
        assert!(fits, "{:?} {:?}: {best:?} {links:?}", row.dated, row.truth);
    }

    /// What the sink's clock was worth at a moment of a boot, as far as is known in the end.
    fn sink_quality(&self, boot: BootId, here: Instant) -> Quality {
        let marks = self.marks(SINK, Some(boot));
        let next = marks.iter().position(|mark| mark.mono > here).unwrap_or(marks.len());
        let (before, after) = marks.split_at(next);
        let is_synced = |mark: &ClockMark| mark.synced.is_some();
        let held = before.last().is_some_and(is_synced) || after.iter().any(is_synced);
        match marks.iter().any(ClockMark::is_set) {
            _ if held => Quality::Synced,
            true => Quality::Set,
            false => Quality::Unset,
        }
    }

    fn marks(&self, host: usize, of: Option<BootId>) -> Vec<ClockMark> {
        let mark = |fact: &Fact| match fact {
            Fact::Mark(boot, mark) if of.is_none_or(|of| of == *boot) => Some(*mark),
            _ => None,
        };
        self.hosts[host].facts.iter().filter_map(mark).collect()
    }

    fn links(&self, of: JournalId, in_boot: BootId) -> Vec<(BootId, ClockLink)> {
        let link = |fact: &Fact| match fact {
            Fact::Link(boot, journal, link) if *journal == of && link.boot == in_boot => Some((*boot, *link)),
            _ => None,
        };
        self.hosts[SINK].facts.iter().filter_map(link).collect()
    }
}
