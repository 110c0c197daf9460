//! What becomes known of clocks: marks of wall clocks, and links between the monotonic clocks of machines.

use super::{Store, StoreError};
use crate::model::{ClockLink, ClockMark, Instant, JournalId, NodeName};

/// No clock shows more, and no boot lasts longer: 142 years, in microseconds. Leaves room for sums.
const TIME_MAX_US: i64 = 1 << 52;

impl Store {
    /// Notes what this machine's wall clock shows, in the open group. What says nothing new is not kept, so that it
    /// can be called as often as one likes. Refused: times that no clock shows.
    pub fn note_mark(&mut self, mark: &ClockMark) -> Result<(), StoreError> {
        check_mark(mark)
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
                "{node} has this node's own journal: no clock to learn of"
            )));
        }
        check_mono(link.mono)?;
        check_mono(link.here)
    }
}

fn check_mark(mark: &ClockMark) -> Result<(), StoreError> {
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
