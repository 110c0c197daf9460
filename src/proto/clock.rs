//! Clocks: this node's own, watched for steps, and those of the peers that a primary polls, met at each exchange.
//! Nothing here sets a clock; it notes what is needed to date readings later.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::model::{BootId, ClockMark, ClockSample, Instant, Now, TimeSource};

mod peer;

pub(super) use peer::PeerClock;

/// Two clocks of one machine that are read one after the other lie apart by less than this; what moves further was set.
const STEP_MIN: Duration = Duration::from_millis(10);
/// From one mark to the next at least. It doubles while marks keep coming, and is short again after a quiet time: a
/// clock that is set all day long makes a hundred marks a day and no more, and the last one is never lost.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(1_024);

/// What a node knows of its own clocks.
#[derive(Clone, Copy, Debug)]
pub struct OwnClock {
    boot: BootId,
    synced: Option<Duration>,
    noted: Option<ClockMark>,
    pause: Duration,
}

impl OwnClock {
    /// In this boot; not synchronised until somebody says so.
    pub fn new(boot: BootId) -> Self {
        Self { boot, synced: None, noted: None, pause: PAUSE_MIN }
    }

    /// How far at most the wall clock is from the true time while something synchronises it; `None` when nothing does.
    ///
    /// Whatever synchronises a clock is sure of it when it has just done so, and less sure from then to the next time.
    /// That swing is no news: of a stretch of synchronised time the best word counts.
    pub fn set_synced(&mut self, synced: Option<Duration>) {
        let is_news = match (self.synced, synced) {
            (Some(before), Some(now)) => now <= before / 2,
            (before, now) => before != now,
        };
        if is_news {
            self.synced = synced;
        }
    }

    /// Looks at both clocks. A mark, to be kept beside the readings, at first sight, when the wall clock was set, and
    /// when it is synchronised, better synchronised, or no longer.
    pub fn observe(&mut self, now: Now) -> Option<ClockMark> {
        if let Some(noted) = self.noted {
            let moved_us = self.mark(now).offset_us().saturating_sub(noted.offset_us()).unsigned_abs();
            let was_set = Duration::from_micros(moved_us) > STEP_MIN;
            if was_set {
                // Not known by whom: it has to be said anew that it is right.
                self.synced = None;
            }
            let quiet = now.mono.saturating_since(noted.mono);
            let is_news = was_set || self.synced != noted.synced;
            if !is_news || quiet < self.pause {
                return None;
            }
            let goes_on = quiet < self.pause.saturating_mul(2);
            self.pause = if goes_on { self.pause.saturating_mul(2).min(PAUSE_MAX) } else { PAUSE_MIN };
        }
        self.noted = Some(self.mark(now));
        self.noted
    }

    /// The boot that the monotonic clock counts from.
    pub fn boot(&self) -> BootId {
        self.boot
    }

    /// How the clocks stand.
    pub fn mark(&self, now: Now) -> ClockMark {
        ClockMark { mono: now.mono, wall: now.wall, synced: self.synced }
    }

    /// How the wall clock stands, for the status.
    pub fn status(&self, now: Now) -> Json {
        let mark = self.mark(now);
        json!({
            "wall": mark.wall.to_string(),
            "synced_s": mark.synced.map(|error| error.as_secs_f64()),
            "is_set": mark.is_set(),
            "time_source": (if mark.is_set() { TimeSource::Node } else { TimeSource::Unknown }).as_str(),
        })
    }

    /// What goes with the answer, sent `now`, to a request that came at `received`.
    pub fn sample(&self, received: Instant, now: Now) -> ClockSample {
        ClockSample { boot: self.boot, received, mark: self.mark(now) }
    }
}

#[cfg(test)]
mod tests;
