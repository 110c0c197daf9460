//! What a node tells the service manager that runs it (`sd_notify(3)`): that it is ready, how it is, that its loop
//! turns, and that it is about to stop. Without `NOTIFY_SOCKET` in the environment there is nobody to tell, and all of
//! this is nothing.
//!
//! The watchdog is fed from the event loop, so a loop that hangs feeds no more; and only while the threads that sense
//! and write keep their promises, so a node that answers and records nothing is not taken for a sound one. Threads that
//! may rightly take long (drawing on a small Pi, looking up names) have no say in it.

use std::time::Duration;

use sd_notify::NotifyState;
use serde_json::Value as Json;

use super::promise::Promise;
use crate::model::Instant;

/// A thread that is later than it promised by more than so many times of the watchdog counts as stuck. Twice the 90 s
/// of the shipped unit are three minutes: a commit is three fsyncs at the most (the log, and at a checkpoint the log
/// again and the file), of 30 s each on a bad SD card, and to end the process during them would lose the readings that
/// wait in memory.
const GRACE_WATCHDOGS: u32 = 2;
/// While a thread is stuck it is looked at so often, to feed as soon as it moves again.
const STUCK_LOOK_EVERY: Duration = Duration::from_secs(1);
/// Without a watchdog, how the node is is told at most so often.
const STATUS_EVERY: Duration = Duration::from_secs(60);
/// A store that is opened anew while running is checked page by page before the loop turns again: so long for the
/// largest one on a slow card (4 GB at 5 MB/s).
const REOPENING_MAX: Duration = Duration::from_secs(15 * 60);

/// Who takes the words.
type Tell = Box<dyn Fn(&[NotifyState<'_>]) -> std::io::Result<()>>;

/// The way to the service manager, if there is one.
pub(crate) struct Notify {
    /// `None` when there is nobody to tell.
    tell: Option<Tell>,
    /// Told nothing for so long, the manager kills the process.
    watchdog: Option<Duration>,
    /// Threads that have to move for the watchdog to be fed.
    promises: Vec<Promise>,
    next_at: Option<Instant>,
    /// Whether it was told that a thread is stuck.
    told_stuck: bool,
}

impl Notify {
    /// What the environment says; nothing is sent yet.
    pub(crate) fn from_environment(promises: Vec<Promise>) -> Self {
        let is_on = std::env::var_os("NOTIFY_SOCKET").is_some_and(|path| !path.is_empty());
        Self::new(is_on.then(|| Box::new(sd_notify::notify) as Tell), sd_notify::watchdog_enabled(), promises)
    }

    fn new(tell: Option<Tell>, watchdog: Option<Duration>, promises: Vec<Promise>) -> Self {
        let watchdog = watchdog.filter(|time| tell.is_some() && !time.is_zero());
        Self { tell, watchdog, promises, next_at: None, told_stuck: false }
    }

    /// The node listens, its store is open, its sensors are being read. From here on the watchdog has to be fed.
    pub(crate) fn ready(&mut self, now: Instant, status: impl FnOnce() -> Json) {
        if self.tell.is_none() {
            return;
        }
        self.next_at = Some(now + self.every());
        let line = status_line(&status());
        // Whoever was given longer by `reopening` has the usual time again.
        let watchdog = self.watchdog.map(|time| [in_micros(time), NotifyState::Watchdog]);
        let states = [NotifyState::Ready, NotifyState::Status(&line)];
        self.send(&states.into_iter().chain(watchdog.into_iter().flatten()).collect::<Vec<_>>());
    }

    /// These are the threads that have to move from now on.
    pub(crate) fn watch(&mut self, promises: Vec<Promise>) {
        self.promises = promises;
    }

    /// The settings are being read again; [`Self::ready`] says when that is done.
    pub(crate) fn reloading(&mut self) {
        let time = NotifyState::monotonic_usec_now().ok();
        self.send(&[NotifyState::Reloading].into_iter().chain(time).collect::<Vec<_>>());
    }

    /// When [`Self::turn`] wants to be called at the latest.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.next_at
    }

    /// The loop has turned: feeds the watchdog if it is time, and tells how the node is.
    pub(crate) fn turn(&mut self, now: Instant, status: impl FnOnce() -> Json) {
        if self.next_at.is_none_or(|at| at > now) {
            return;
        }
        if self.is_stuck(now) {
            self.next_at = Some(now + STUCK_LOOK_EVERY);
            return;
        }
        self.next_at = Some(now + self.every());
        let line = status_line(&status());
        let states = [NotifyState::Status(&line)];
        self.send(
            &states.into_iter().chain(self.watchdog.map(|_| NotifyState::Watchdog)).collect::<Vec<_>>(),
        );
    }

    /// The node has been asked to stop, and does what is left to do.
    pub(crate) fn stopping(&mut self) {
        self.next_at = None;
        self.send(&[NotifyState::Stopping, NotifyState::Status("writing what is left to disk")]);
    }

    /// The store is opened anew, which takes its time; nobody feeds meanwhile.
    pub(crate) fn reopening(&mut self) {
        self.next_at = None;
        let status = NotifyState::Status("the store was damaged: moving it aside, beginning a new one");
        let longer = self.watchdog.map(|_| in_micros(REOPENING_MAX));
        self.send(&[status].into_iter().chain(longer).collect::<Vec<_>>());
    }

    /// Whether a thread has not moved for too long; told once.
    fn is_stuck(&mut self, now: Instant) -> bool {
        let Some(watchdog) = self.watchdog else { return false };
        let grace = watchdog * GRACE_WATCHDOGS;
        let stuck = self.promises.iter().find_map(|promise| promise.overdue(now, grace));
        match stuck {
            Some(thread) if !self.told_stuck => log::error!(
                "the thread {thread:?} has not moved for {} s: unless it does, the service manager will start this \
                 node anew within {} s",
                grace.as_secs(),
                watchdog.as_secs()
            ),
            None if self.told_stuck => log::warn!("all threads move again"),
            _ => {}
        }
        self.told_stuck = stuck.is_some();
        self.told_stuck
    }

    fn every(&self) -> Duration {
        self.watchdog.map_or(STATUS_EVERY, |time| time / 2)
    }

    fn send(&self, states: &[NotifyState<'_>]) {
        if let Some(tell) = &self.tell
            && let Err(error) = tell(states)
        {
            log::debug!("the service manager cannot be told: {error}");
        }
    }
}

fn in_micros(time: Duration) -> NotifyState<'static> {
    NotifyState::WatchdogUsec(u32::try_from(time.as_micros()).unwrap_or(u32::MAX))
}

/// The node's status in one line: `primary; 2 of 3 peers up; 7 channels, 1 of them ERR; 1234 readings; store ok`.
fn status_line(status: &Json) -> String {
    let text = |key: &str| status.get(key).and_then(Json::as_str).unwrap_or("?");
    let mut parts = vec![text("role").to_owned()];
    if let Some(polling) = status.get("polling") {
        let peers = list(polling, "peers");
        let up = peers.iter().filter(|peer| peer.get("state").is_some_and(|state| state == "up")).count();
        parts.push(format!("{up} of {} peers up", peers.len()));
    }
    let channels = list(status, "channels");
    let failing = channels.iter().filter(|channel| channel.get("err").is_some_and(Json::is_string)).count();
    parts.push(match failing {
        0 => format!("{} channels", channels.len()),
        _ => format!("{} channels, {failing} of them ERR", channels.len()),
    });
    parts.push(format!("{} readings", status.get("last").and_then(Json::as_u64).unwrap_or(0)));
    let trouble = status.get("store").and_then(|store| store.get("trouble")).and_then(Json::as_str);
    // A line end would begin a new word of the manager's language.
    let trouble =
        trouble.map_or("store ok".to_owned(), |why| format!("store FAILING: {}", why.replace('\n', " ")));
    parts.push(trouble);
    parts.join("; ")
}

fn list<'a>(of: &'a Json, key: &str) -> &'a [Json] {
    of.get(key).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
#[path = "notify_tests.rs"]
mod tests;
