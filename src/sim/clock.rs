//! A host's two clocks as a model: they go at the host's own rate, the monotonic one from its boot, the other from
//! wherever it was set.

use crate::model::{Instant, Now, WallTime};

/// What true clocks show when a run begins: 2026-01-01T00:00:00Z.
pub(super) const BEGINS_AT: WallTime = WallTime::from_unix_micros(1_767_225_600_000_000);

const MILLION: i64 = 1_000_000;

/// Both clocks of one host. Times of the run are true times, from its begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostClock {
    booted_at: Instant,
    fast_ppm: i64,
    offset_us: i64,
}

impl HostClock {
    /// Of a host that boots when the run begins.
    pub(super) fn new(offset_us: i64, fast_ppm: i64) -> Self {
        Self { booted_at: Instant::ZERO, fast_ppm, offset_us }
    }

    /// The host boots at this true time: its monotonic clock begins anew.
    pub(super) fn boot(&mut self, at: Instant) {
        self.booted_at = at;
    }

    /// Somebody sets the wall clock.
    pub(super) fn step(&mut self, by_us: i64) {
        self.offset_us = self.offset_us.saturating_add(by_us);
    }

    /// What both show at this true time.
    pub(super) fn now(&self, at: Instant) -> Now {
        let wall = BEGINS_AT.as_unix_micros() + self.stretch(at.as_micros()) + self.offset_us;
        Now { mono: self.mono(at), wall: WallTime::from_unix_micros(wall) }
    }

    fn mono(&self, at: Instant) -> Instant {
        Instant::from_micros(self.stretch(at.as_micros().saturating_sub(self.booted_at.as_micros())))
    }

    fn stretch(&self, micros: i64) -> i64 {
        micros + micros / MILLION * self.fast_ppm + micros % MILLION * self.fast_ppm / MILLION
    }

    /// The first true time at which the monotonic clock shows `mono` or more; the end of time when it never does.
    pub(super) fn when(&self, mono: Instant) -> Instant {
        if self.fast_ppm == 0 {
            return Instant::from_micros(mono.as_micros().saturating_add(self.booted_at.as_micros()));
        }
        let guess = i128::from(mono.as_micros()) * i128::from(MILLION) / i128::from(MILLION + self.fast_ppm);
        let guess = i64::try_from(guess).unwrap_or(i64::MAX).saturating_add(self.booted_at.as_micros());
        // Rounding is off by a microsecond or two at the most.
        let near = (-3..=3).map(|off: i64| Instant::from_micros(guess.saturating_add(off)));
        let mut near = near.filter(|at| self.mono(*at) >= mono);
        near.next().unwrap_or(Instant::from_micros(guess.saturating_add(4)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_clock_shows_what_it_was_asked_for_and_not_before() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..2_000 {
            let mut clock = HostClock::new(0, rng.i64(-500..=500));
            clock.boot(Instant::from_micros(rng.i64(0..1_000_000_000)));
            let mono = Instant::from_micros(rng.i64(0..90_000_000_000));
            let at = clock.when(mono);
            assert!(clock.mono(at) >= mono, "{clock:?} {mono:?}");
            assert!(clock.mono(at - Duration::from_micros(1)) < mono, "{clock:?} {mono:?}");
        }
    }

    #[test]
    fn a_wall_clock_is_where_it_was_set() {
        let mut clock = HostClock::new(-5, 100);
        clock.boot(Instant::from_micros(2_000_000));
        let at = Instant::from_micros(10_000_000);
        assert_eq!(clock.now(at).mono, Instant::from_micros(8_000_800));
        assert_eq!(clock.now(at).wall.as_unix_micros() - BEGINS_AT.as_unix_micros(), 10_000_995);
        clock.step(-1_000);
        assert_eq!(clock.now(at).wall.as_unix_micros() - BEGINS_AT.as_unix_micros(), 9_999_995);
    }
}
