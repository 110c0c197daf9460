//! What a thread promises before it waits: to be back by a moment. Whoever keeps an eye on the threads sees which of
//! them has broken its promise, and no thread has to wake up only to show that it lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::model::Instant;

/// One thread's promise; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Promise {
    thread: Arc<str>,
    back_by_us: Arc<AtomicI64>,
}

impl Promise {
    /// A thread that is to be there from `now` on.
    pub(crate) fn new(thread: &str, now: Instant) -> Self {
        Self { thread: thread.into(), back_by_us: Arc::new(AtomicI64::new(now.as_micros())) }
    }

    /// The thread waits, until then at the latest.
    pub(crate) fn back_by(&self, moment: Instant) {
        self.back_by_us.store(moment.as_micros(), Ordering::Relaxed);
    }

    /// Something waits for the thread: it is to be back now, whatever it has promised.
    pub(crate) fn is_wanted(&self, now: Instant) {
        self.back_by_us.fetch_min(now.as_micros(), Ordering::Relaxed);
    }

    /// The thread's name, when it is later than it promised by more than `grace`.
    pub(crate) fn overdue(&self, now: Instant, grace: Duration) -> Option<&str> {
        let back_by = Instant::from_micros(self.back_by_us.load(Ordering::Relaxed));
        (now.saturating_since(back_by) > grace).then_some(&*self.thread)
    }
}

/// How a thread waits that has its own timetable.
pub(crate) struct Wait {
    stopped: Receiver<()>,
    promise: Promise,
}

impl Wait {
    /// Until the other end of `stopped` is gone.
    pub(crate) fn new(stopped: Receiver<()>, promise: Promise) -> Self {
        Self { stopped, promise }
    }

    /// Waits for the next turn, not at all when that is past; false when the thread is to end. Times are
    /// microseconds since boot.
    pub(crate) fn until(&self, until_us: i64, now_us: i64) -> bool {
        self.promise.back_by(Instant::from_micros(until_us.max(now_us)));
        let patience = Duration::from_micros(u64::try_from(until_us.saturating_sub(now_us)).unwrap_or(0));
        matches!(self.stopped.recv_timeout(patience), Err(RecvTimeoutError::Timeout))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    fn second(seconds: i64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn who_is_not_back_in_time_is_named_and_who_is_back_is_not() {
        let promise = Promise::new("store", second(0));
        let seen = promise.clone();
        assert_eq!((seen.overdue(second(10), GRACE), seen.overdue(second(11), GRACE)), (None, Some("store")));
        promise.back_by(second(60));
        assert_eq!((seen.overdue(second(11), GRACE), seen.overdue(second(70), GRACE)), (None, None));
        assert_eq!(seen.overdue(second(71), GRACE), Some("store"));
        promise.back_by(second(600));
        seen.is_wanted(second(100));
        seen.is_wanted(second(105));
        assert_eq!(
            (seen.overdue(second(110), GRACE), seen.overdue(second(111), GRACE)),
            (None, Some("store"))
        );
    }
}
