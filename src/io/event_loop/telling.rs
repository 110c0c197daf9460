//! How much strangers can make a node write into its log: a log on an SD card has to last.

use std::time::Duration;

use crate::model::Instant;

/// Lines that strangers can cause in one [`WINDOW`].
const LINES_MAX: u32 = 100;
const WINDOW: Duration = Duration::from_secs(60);

/// Counts lines, and what was not told.
#[derive(Debug)]
pub(super) struct Telling {
    began_at: Instant,
    told: u32,
    untold: u64,
}

impl Telling {
    pub(super) fn new(now: Instant) -> Self {
        Self { began_at: now, told: 0, untold: 0 }
    }

    /// Whether one more line may be told. `Some(count)`: yes, and that so many were not told before it.
    pub(super) fn may_tell(&mut self, now: Instant) -> Option<u64> {
        if now.saturating_since(self.began_at) >= WINDOW {
            (self.began_at, self.told) = (now, 0);
        }
        if self.told >= LINES_MAX {
            self.untold += 1;
            return None;
        }
        self.told += 1;
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_told_up_to_a_bound_and_its_rest_as_a_number() {
        let mut telling = Telling::new(Instant::ZERO);
        let told = (0..10_000).filter(|_| telling.may_tell(Instant::from_micros(1)).is_some()).count();
        assert_eq!(told, LINES_MAX as usize);
        let later = Instant::ZERO + WINDOW;
        assert_eq!(telling.may_tell(later), Some(9_900));
        assert_eq!(telling.may_tell(later), Some(0));
    }
}
