//! Work that may take too long: it goes on in a thread of its own, and nobody waits for it longer than its limit.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// What `work` comes to; `None` if that takes longer than `limit`. The thread of late work ends with the process.
pub(super) fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (to, from) = mpsc::channel();
    let worker = thread::Builder::new().name("doctor".to_owned()).spawn(move || {
        // An error means that nobody waits any more.
        let _ = to.send(work());
    });
    worker.ok()?;
    from.recv_timeout(limit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_work_is_left_alone() {
        assert_eq!(within(Duration::from_secs(60), || 7), Some(7));
        let (_keep, never) = mpsc::channel::<()>();
        assert_eq!(within(Duration::from_millis(1), move || never.recv().is_err()), None);
    }
}
