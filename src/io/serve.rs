//! A JSON server of one's own: override one method, and be spoken to in line JSON, each jsocket, and what else the
//! library has a framing for. Ten thousand links on one thread; every buffer has a bound.
//!
//! ```no_run
//! use pisink::serve::{Caller, Server};
//! use serde_json::{Value, json};
//!
//! fn main() -> anyhow::Result<()> {
//!     let mut asked = 0;
//!     Server::bind("127.0.0.1:5489")?.stop_at_signals()?.run(|request: &Value, _: &Caller| {
//!         asked += 1;
//!         Some(json!({ "you_said": request, "asked": asked }))
//!     })?;
//!     Ok(())
//! }
//! ```

mod turns;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use mio::{Interest, Poll, Token, Waker};
use serde_json::Value as Json;
use signal_hook_mio::v1_0::Signals;

use super::unfinished::UNFINISHED_MAX;
use super::{interrupts, ports, raise_file_limit};
use crate::model::Framings;
use crate::wire::Dialect;

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
const SIGNALS: Token = Token(2);
/// Tokens from here on are links' numbers.
const FIRST_LINK: u64 = 16;

/// What a server does with a message. Any closure of this shape is one.
pub trait Handler {
    /// Answers `request`, in the framing that it came in; `None` says nothing. Whoever waits for an answer waits for
    /// this: what takes long belongs on a thread of its own.
    fn handle(&mut self, request: &Json, from: &Caller) -> Option<Json>;
}

impl<F: FnMut(&Json, &Caller) -> Option<Json>> Handler for F {
    fn handle(&mut self, request: &Json, from: &Caller) -> Option<Json> {
        self(request, from)
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The other end.
    pub address: SocketAddr,
    /// The link's number, never used again for another.
    pub link: u64,
    /// The framing that it speaks.
    pub dialect: Dialect,
}

/// The bounds of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Links at once; more are turned away.
    pub links: usize,
    /// What all links may hold in memory together: half messages, and answers that wait to be sent. Beyond it, the link
    /// that holds most is closed.
    pub held_bytes: usize,
    /// A message that has begun has to be whole within this time.
    pub unfinished: Duration,
    /// A link that says nothing for so long is closed; `None` lets it be.
    pub idle: Option<Duration>,
    /// A link is closed at its so-manieth message that is none.
    pub offences: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { links: 10_240, held_bytes: 32 << 20, unfinished: UNFINISHED_MAX, idle: None, offences: 16 }
    }
}

/// What a server has seen so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Links that are open now.
    pub links: usize,
    /// Links that were ever accepted.
    pub accepted: u64,
    /// Connections that found no room.
    pub turned_away: u64,
    /// Messages that the handler was given.
    pub requests: u64,
    /// Answers that it gave.
    pub answers: u64,
    /// Messages that were none.
    pub offences: u64,
    /// Links that were closed by a bound: too slow, too silent, or holding too much.
    pub dropped: u64,
}

/// A server that listens.
pub struct Server {
    poll: Poll,
    port: ports::Port,
    signals: Option<Signals>,
    limits: Limits,
    shared: Arc<Shared>,
}

/// What other threads may know and say.
struct Shared {
    waker: Waker,
    is_over: AtomicBool,
    statistics: Mutex<Statistics>,
}

/// Stops a server from elsewhere, and tells what it has seen. Outlives it.
#[derive(Clone)]
pub struct Stopper(Arc<Shared>);

impl Stopper {
    /// Has the server send what it has to send, and end.
    pub fn stop(&self) {
        self.0.is_over.store(true, Ordering::Release);
        // It fails only when the server is gone already.
        let _ = self.0.waker.wake();
    }

    /// What it has seen so far.
    pub fn statistics(&self) -> Statistics {
        self.0.statistics.lock().map(|statistics| *statistics).unwrap_or_default()
    }
}

impl Server {
    /// Listens on `address`, as `HOST:PORT`; port 0 is a free one. All framings are open to whoever can reach it: there
    /// is no authentication.
    ///
    /// # Errors
    /// The address is none of this machine, or another program has it.
    pub fn bind(address: &str) -> Result<Self> {
        raise_file_limit();
        let mut port = ports::listen(address, Framings::ALL)?;
        let poll = Poll::new().context("making the event loop")?;
        let waker = Waker::new(poll.registry(), WAKER).context("making the event loop")?;
        let registry = poll.registry();
        registry
            .register(&mut port.listener, LISTENER, Interest::READABLE)
            .context("watching the listening port")?;
        let shared = Shared { waker, is_over: AtomicBool::new(false), statistics: Mutex::default() };
        Ok(Self { poll, port, signals: None, limits: Limits::default(), shared: Arc::new(shared) })
    }

    /// With other bounds.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Ends at SIGINT, SIGTERM and SIGHUP as by [`Stopper::stop`].
    ///
    /// # Errors
    /// The system does not let signals be watched.
    pub fn stop_at_signals(self) -> Result<Self> {
        let mut signals = Signals::new(interrupts::stopping()).context("watching for signals")?;
        let registry = self.poll.registry();
        registry.register(&mut signals, SIGNALS, Interest::READABLE).context("watching for signals")?;
        Ok(Self { signals: Some(signals), ..self })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.port.address
    }

    /// The way to stop it, and to see how it is, from another thread.
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.shared))
    }

    /// Serves until it is stopped; then sends what waits to be sent, as far as that goes without waiting, and tells
    /// what it has seen.
    ///
    /// # Errors
    /// The event loop failed.
    pub fn run(self, handler: impl Handler) -> Result<Statistics> {
        turns::Turns::new(self, handler).run()
    }
}
