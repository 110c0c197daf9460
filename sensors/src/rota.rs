//! Who is next on a bus: each chip is measured by its own interval, and while one converts, the others have the bus.
//!
//! A pure machine over the caller's monotonic microseconds. Its driver asks [`Rota::next`] what to do, does it, and
//! reports with [`Rota::measuring`] or [`Rota::finished`]:
//!
//! ```
//! use std::time::Duration;
//! use pisink_sensors::rota::{Action, Rota};
//!
//! let mut rota = Rota::new([Duration::from_secs(1)]);
//! assert_eq!(rota.next(0), Action::Start(0));
//! rota.measuring(0, 100, Duration::from_millis(16)); // `start` ended at 100 and says to wait
//! assert_eq!(rota.next(100), Action::WaitUntil(16_100));
//! assert_eq!(rota.next(16_100), Action::Read(0));
//! rota.finished(0, 16_500);
//! assert_eq!(rota.next(16_500), Action::WaitUntil(1_000_000));
//! ```

use std::time::Duration;

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a measurement of this chip.
    Start(usize),
    /// Read this chip.
    Read(usize),
    /// Nothing until this time, in microseconds.
    WaitUntil(i64),
}

/// The chips of one bus, by index, and when each wants the bus.
#[derive(Debug, Default)]
pub struct Rota {
    tasks: Vec<Task>,
}

#[derive(Debug)]
struct Task {
    interval_us: i64,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nobody has asked yet: it is due when somebody does.
    New,
    /// Its next measurement is due at this tick.
    Due { tick_us: i64 },
    /// It is converting for the measurement of this tick.
    Measuring { tick_us: i64, read_us: i64 },
}

/// No chip is measured more often than this, however its interval is given.
const MIN_INTERVAL_US: i64 = 1_000;

impl Rota {
    /// A rota of chips with these intervals. All ticks count from the first call of [`Self::next`], and the first
    /// measurements are due then.
    pub fn new(intervals: impl IntoIterator<Item = Duration>) -> Self {
        let task = |interval| Task { interval_us: micros(interval).max(MIN_INTERVAL_US), state: State::New };
        Self { tasks: intervals.into_iter().map(task).collect() }
    }

    /// What to do at `now_us`: whoever has waited longest for the bus has it, and of two who came together the one with
    /// the lower index. Asks again for the same until that is reported; an empty rota waits for ever.
    pub fn next(&mut self, now_us: i64) -> Action {
        let new = self.tasks.iter_mut().filter(|task| matches!(task.state, State::New));
        new.for_each(|task| task.state = State::Due { tick_us: now_us });
        let wakes = self.tasks.iter().map(|task| task.wake_us()).enumerate();
        match wakes.min_by_key(|(_, wake_us)| *wake_us) {
            None => Action::WaitUntil(i64::MAX),
            Some((_, wake_us)) if wake_us > now_us => Action::WaitUntil(wake_us),
            Some((index, _)) => match self.tasks.get(index).map(|task| task.state) {
                Some(State::Measuring { .. }) => Action::Read(index),
                _ => Action::Start(index),
            },
        }
    }

    /// Reports that chip `index` is to be read `wait` after `now_us`: it has been started, or is to be read again.
    pub fn measuring(&mut self, index: usize, now_us: i64, wait: Duration) {
        if let Some(task) = self.tasks.get_mut(index) {
            let read_us = now_us.saturating_add(micros(wait));
            task.state = State::Measuring { tick_us: task.tick_us(now_us), read_us };
        }
    }

    /// Reports that the measurement of chip `index` is over, well or badly. It is due again at its next tick after
    /// `now_us`; says how many ticks have been missed meanwhile, which are not made up for.
    pub fn finished(&mut self, index: usize, now_us: i64) -> u64 {
        let Some(task) = self.tasks.get_mut(index) else { return 0 };
        let next_us = task.tick_us(now_us).saturating_add(task.interval_us);
        let missed = if next_us > now_us { 0 } else { (now_us - next_us) / task.interval_us + 1 };
        let tick_us = next_us.saturating_add(missed.saturating_mul(task.interval_us));
        task.state = State::Due { tick_us };
        missed.unsigned_abs()
    }
}

impl Task {
    /// When it wants the bus.
    fn wake_us(&self) -> i64 {
        match self.state {
            State::New => i64::MIN,
            State::Due { tick_us } => tick_us,
            State::Measuring { read_us, .. } => read_us,
        }
    }

    /// The tick that it is being measured for.
    fn tick_us(&self, now_us: i64) -> i64 {
        match self.state {
            State::New => now_us,
            State::Due { tick_us } | State::Measuring { tick_us, .. } => tick_us,
        }
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
