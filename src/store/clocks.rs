//! What becomes known of clocks: marks of wall clocks, and links between the monotonic clocks of machines.
//!
//! Only what says something new is kept: between steps both clocks of a machine go at one rate, and between two links
//! on a line nothing is worth a row. So a month of a node is some hundred rows, and not one for each answer.

use std::time::Duration;

use super::error::StoreError;
use super::marks::{By, add_mark, is_news, known_beside};
use super::sources::{Boot, Heard, OWN, SourceIx};
use super::{Store, links};
use crate::model::{BootId, ClockLink, ClockMark, Instant, JournalId, NodeName, Reading, Readings, WallTime};

/// No clock shows more, and no boot lasts longer: 142 years, in microseconds. Leaves room for sums.
const TIME_MAX_US: i64 = 1 << 52;

/// A link that leaves more open than this says nothing.
const LINK_ERROR_MAX: Duration = Duration::from_secs(3600);

impl Store {
    /// Notes what this machine's wall clock shows, in the open group. What says nothing new is not kept, so that it
    /// can be called as often as one likes. Refused: times that no clock shows.
    pub fn note_mark(&mut self, mark: &ClockMark) -> Result<(), StoreError> {
        check_mark(mark)?;
        if self.sources.get(OWN).working.heard.is_some_and(|heard| heard.covers(self.boot, By::Clock, mark)) {
            return Ok(());
        }
        self.in_group(|store| {
            let boot = store.known_boot(OWN, store.boot)?;
            store.keep(OWN, boot, By::Clock, mark)
        })
    }

    /// Notes where the clock of `node` met this machine's, in the open group; the journal need not be known yet.
    /// Refused: times that no clock shows, and this node's own journal.
    pub fn note_link(
        &mut self,
        node: &NodeName,
        journal: JournalId,
        link: &ClockLink,
    ) -> Result<(), StoreError> {
        if journal == self.own().journal {
            return Err(StoreError::Refused(format!(
                "{node} has this node's own journal: there is no clock to learn of"
            )));
        }
        check_mono(link.mono)?;
        check_mono(link.here)?;
        if link.error > LINK_ERROR_MAX {
            return Err(StoreError::Refused(format!(
                "a link that is off by up to {:?} says nothing",
                link.error
            )));
        }
        self.in_group(|store| {
            let ix = match store.sources.find(&store.db, node, journal)? {
                Some(ix) => ix,
                None => store.sources.make(&store.db, node, journal)?,
            };
            let here = store.known_boot(OWN, store.boot)?.row;
            let boot = store.known_boot(ix, link.boot)?.row;
            if links::add(&store.db, boot, here, link)? {
                store.stale.add(boot);
            }
            Ok(())
        })
    }

    /// The row of this machine's present boot, of which at least this stamp is known.
    pub(super) fn own_boot(&mut self, mono: Instant, wall: WallTime) -> Result<i64, StoreError> {
        let boot = self.known_boot(OWN, self.boot)?;
        self.keep(OWN, boot, By::Stamps, &stamp(mono, wall))?;
        Ok(boot.row)
    }

    /// Learns from a piece of a journal whose readings `new` have come in with it.
    pub(super) fn learn(
        &mut self,
        ix: SourceIx,
        piece: &Readings,
        new: &[Reading],
    ) -> Result<(), StoreError> {
        let mut is_told = false;
        if let Some(clock) = piece.clock.filter(|clock| check_mark(&clock.mark).is_ok()) {
            let boot = self.known_boot(ix, clock.boot)?;
            self.keep(ix, boot, By::Clock, &clock.mark)?;
            is_told = clock.boot == piece.boot;
        }
        if new.is_empty() || is_told {
            return Ok(());
        }
        let boot = self.known_boot(ix, piece.boot)?;
        match piece.mark.filter(|mark| check_mark(mark).is_ok()) {
            Some(mark) => self.keep(ix, boot, By::Memory, &mark),
            None => self.learn_from_stamps(ix, boot, new),
        }
    }

    /// Learns from the stamps of this node's own readings, which need not have been told of its clock before.
    pub(super) fn learn_own(&mut self, readings: &[Reading]) -> Result<(), StoreError> {
        if readings.is_empty() {
            return Ok(());
        }
        let boot = self.known_boot(OWN, self.boot)?;
        self.learn_from_stamps(OWN, boot, readings)
    }

    /// Marks from the first and the last of `readings`, where the stamps show something that was not known.
    fn learn_from_stamps(
        &mut self,
        ix: SourceIx,
        boot: Boot,
        readings: &[Reading],
    ) -> Result<(), StoreError> {
        let ends = readings.first().into_iter().chain(readings.last());
        ends.map(|reading| stamp(reading.mono, reading.time))
            .try_for_each(|mark| self.keep(ix, boot, By::Stamps, &mark))
    }

    /// Keeps a mark if it says something new.
    fn keep(&mut self, ix: SourceIx, boot: Boot, by: By, mark: &ClockMark) -> Result<(), StoreError> {
        if self.sources.get(ix).working.heard.is_some_and(|heard| heard.covers(boot.id, by, mark)) {
            return Ok(());
        }
        let known = known_beside(&self.db, boot.row, by, mark)?;
        let known = match known.filter(|known| !is_news(known, by, mark)) {
            Some(known) => known,
            None => {
                add_mark(&self.db, boot.row, mark)?;
                self.stale.add(boot.row);
                self.stale.add_linked(&self.db, boot.row)?;
                *mark
            }
        };
        if by != By::Memory {
            self.sources.hear(ix, Heard { boot, mark: known });
        }
        Ok(())
    }
}

impl Heard {
    /// Whether a mark of this boot says nothing beyond what was heard last.
    fn covers(&self, boot: BootId, by: By, mark: &ClockMark) -> bool {
        self.boot.id == boot && mark.mono >= self.mark.mono && !is_news(&self.mark, by, mark)
    }
}

/// The stamps of a reading as a mark, as near as a clock can come to them.
fn stamp(mono: Instant, wall: WallTime) -> ClockMark {
    ClockMark {
        mono: Instant::from_micros(mono.as_micros().clamp(0, TIME_MAX_US)),
        wall: WallTime::from_unix_micros(wall.as_unix_micros().clamp(-TIME_MAX_US, TIME_MAX_US)),
        synced: None,
    }
}

pub(super) fn check_mark(mark: &ClockMark) -> Result<(), StoreError> {
    let wall_us = mark.wall.as_unix_micros();
    if wall_us.unsigned_abs() > TIME_MAX_US.unsigned_abs() {
        return Err(StoreError::Refused(format!("{wall_us} us since 1970 is no time that a clock shows")));
    }
    check_mono(mark.mono)
}

fn check_mono(mono: Instant) -> Result<(), StoreError> {
    match mono.as_micros() {
        0..=TIME_MAX_US => Ok(()),
        micros => Err(StoreError::Refused(format!("{micros} us is no time since a boot"))),
    }
}
