//! Marks of this machine's wall clock on their way to the disk. Each is made once, and a boot may have no other: unlike
//! what else is noted beside the readings, they outlive a group that fails. They go with the next commit of something
//! else, and make none of their own: the first readings after a start must not wait for the one after.

use super::Worker;
use crate::model::ClockMark;

/// Marks that wait for a disk that takes none; then the oldest go. A boot makes a handful.
const MARKS_MAX: usize = 64;

impl Worker {
    pub(super) fn note_mark(&mut self, mark: ClockMark) {
        if self.marks.len() >= MARKS_MAX {
            self.marks.pop_front();
        }
        self.marks.push_back(mark);
    }

    /// Puts the marks that are not durable into the open group, once more if need be: the store keeps each once.
    pub(super) fn apply_marks(&mut self) {
        for at in 0..self.marks.len() {
            let Some(mark) = self.marks.get(at) else { return };
            match self.store.note_mark(mark) {
                Err(error) if error.is_refusal() => log::debug!("{error}"),
                Err(error) => return self.fail(&error),
                Ok(()) => {}
            }
        }
    }
}
