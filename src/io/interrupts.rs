//! The signals that end a process cleanly, and waiting that they end.

use std::time::Duration;

use anyhow::{Context, Result};
use mio::{Events, Interest, Poll, Token};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;

/// The signals that ask for a clean end. A terminal that is closed is one, unless `nohup` has it ignored.
pub(super) fn stopping() -> Vec<i32> {
    let hangup = (!hangup_is_ignored()).then_some(SIGHUP);
    [SIGINT, SIGTERM].into_iter().chain(hangup).collect()
}

/// Whether this process belongs to a terminal, which sends SIGHUP when it is closed. A service belongs to none.
pub(super) fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

/// Whether the process was started with SIGHUP ignored, as the kernel's bit mask says.
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (SIGHUP - 1) & 1 == 1)
}

/// The signals that end a process, from now on, instead of a sudden end.
pub struct Interrupts {
    poll: Poll,
    signals: Signals,
    events: Events,
}

impl Interrupts {
    /// Begins to watch for them.
    ///
    /// # Errors
    /// The system has no file descriptor left.
    pub fn watch() -> Result<Self> {
        let poll = Poll::new().context("watching for signals")?;
        let mut signals = Signals::new(stopping()).context("watching for signals")?;
        poll.registry()
            .register(&mut signals, Token(0), Interest::READABLE)
            .context("watching for signals")?;
        Ok(Self { poll, signals, events: Events::with_capacity(4) })
    }

    /// Waits for `patience`; true when a signal came, at once then.
    pub fn wait(&mut self, patience: Duration) -> bool {
        // An error (EINTR) means that a signal came, perhaps one that is not watched: the caller looks again anyway.
        let _ = self.poll.poll(&mut self.events, Some(patience));
        self.signals.pending().next().is_some()
    }
}
