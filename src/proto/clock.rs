//! This node's own clocks, and how they are told to others.

use std::time::Duration;

use crate::model::{BootId, ClockMark, ClockSample, Instant, Now};

/// What a node knows of its own clocks.
#[derive(Clone, Copy, Debug)]
pub struct OwnClock {
    boot: BootId,
    synced: Option<Duration>,
}

impl OwnClock {
    /// In this boot; not synchronised until somebody says so.
    pub fn new(boot: BootId) -> Self {
        Self { boot, synced: None }
    }

    /// How far at most the wall clock is from the true time while something synchronises it; `None` when nothing does.
    pub fn set_synced(&mut self, synced: Option<Duration>) {
        self.synced = synced;
    }

    /// The boot that the monotonic clock counts from.
    pub fn boot(&self) -> BootId {
        self.boot
    }

    /// How the clocks stand.
    pub fn mark(&self, now: Now) -> ClockMark {
        ClockMark { mono: now.mono, wall: now.wall, synced: self.synced }
    }

    /// What goes with the answer, sent `now`, to a request that came at `received`.
    pub fn sample(&self, received: Instant, now: Now) -> ClockSample {
        ClockSample { boot: self.boot, received, mark: self.mark(now) }
    }
}
