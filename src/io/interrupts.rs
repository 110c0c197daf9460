//! Waiting that an interrupt ends, for commands that go on for a while.

use std::time::Duration;

use anyhow::{Context, Result};
use mio::{Events, Interest, Poll, Token};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;

/// SIGINT and SIGTERM, from now on, instead of a sudden end.
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
        let mut signals = Signals::new([SIGINT, SIGTERM]).context("watching for signals")?;
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
