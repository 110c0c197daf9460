//! Rounds on their way to the disk. Where nothing is new since the last one, a round makes no commit of its own, for a
//! sink that has nothing else to store would write each second: it goes with the next commit of something else, or
//! with others like it after a while. When the power fails before that, it was never there; nothing depends on it.

use std::time::Duration;

use super::Worker;
use crate::model::{Instant, NodeName, RoundRecord};

/// A round waits so long for a commit.
const WAIT: Duration = Duration::from_secs(10);
/// Rounds that wait; then they are committed, however soon that is.
const ROUNDS_MAX: usize = 64;

/// Rounds that are in no group yet, and since when.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    waiting: Vec<RoundRecord>,
    due: Option<Instant>,
    /// What the last one said.
    last: Option<(u32, u32, Vec<NodeName>)>,
}

impl Rounds {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When the first of them has waited long enough.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Keeps a round; whether it is to be committed as soon as anything is.
    fn keep(&mut self, now: Instant, round: RoundRecord) -> bool {
        let said = Some((round.nodes, round.answered, round.down.clone()));
        let is_new = said != self.last;
        self.last = said;
        self.waiting.push(round);
        self.due.get_or_insert(now + WAIT);
        is_new || self.waiting.len() >= ROUNDS_MAX
    }

    fn take(&mut self) -> Vec<RoundRecord> {
        self.due = None;
        std::mem::take(&mut self.waiting)
    }
}

impl Worker {
    /// A round has ended. One that ends while the disk takes nothing is not kept.
    pub(super) fn add_round(&mut self, now: Instant, round: RoundRecord) {
        if self.trouble.is_none() && self.rounds.keep(now, round) {
            self.is_dirty = true;
        }
    }

    /// Puts the rounds that wait into the open group: lost with it when that fails.
    pub(super) fn apply_rounds(&mut self) {
        for round in self.rounds.take() {
            self.note(|store| store.add_round(&round));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::WallTime;

    fn round(number: u64, answered: u32) -> RoundRecord {
        let (time, mono, down) = (WallTime::default(), Instant::ZERO, Vec::new());
        RoundRecord { number, time, mono, nodes: 3, answered, down }
    }

    #[test]
    fn only_a_round_that_says_something_new_asks_for_a_commit() {
        let mut rounds = Rounds::default();
        assert!(rounds.keep(Instant::ZERO, round(1, 3)));
        assert_eq!(rounds.take().len(), 1);
        assert!(!rounds.keep(Instant::ZERO + WAIT, round(2, 3)));
        assert!(!rounds.keep(Instant::ZERO + 2 * WAIT, round(3, 3)));
        assert_eq!(rounds.due(), Some(Instant::ZERO + 2 * WAIT), "it counts from the first");
        assert!(rounds.keep(Instant::ZERO + 2 * WAIT, round(4, 2)));
        assert_eq!(rounds.take().iter().map(|round| round.number).collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!((rounds.due(), rounds.is_empty()), (None, true));
    }

    #[test]
    fn not_more_of_them_wait_than_the_bound_says() {
        let mut rounds = Rounds::default();
        let asked = (0..ROUNDS_MAX as u64).filter(|at| rounds.keep(Instant::ZERO, round(*at, 3))).count();
        assert_eq!(asked, 2, "the first, and the one that is too many");
    }
}
