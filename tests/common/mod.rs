//! What the tests on the real binary share: nodes as processes of their own, clients that speak to them, secondaries
//! that the test plays itself, and a look into the stores that are left.
//!
//! Everything happens on the loopback interface, or in name spaces ([`Lan`]). Nothing here waits for a fixed time and
//! hopes: each wait is for an event, and gives up after [`PATIENCE`] with what the nodes logged.

// Each test binary uses its own part of this.
#![allow(dead_code, unused_imports)]

mod client;
mod command;
mod fake;
mod jsocket;
mod lan;
mod process;
mod proxy;
mod ring;
mod script;
mod stores;
mod terminal;

pub(crate) use client::Client;
pub(crate) use command::{Finished, command, finished, pisink, pisink_by};
pub(crate) use fake::{FakeSecondary, fake_value};
pub(crate) use jsocket::{JsocketDialect, JsocketPeer};
pub(crate) use lan::Lan;
pub(crate) use process::{Launch, Process, peer};
pub(crate) use proxy::Proxy;
pub(crate) use ring::RingSite;
pub(crate) use script::{Script, real_python};
pub(crate) use stores::{Row, assert_collected, cursor_of, journal_of, own_journal, own_rows, rows};
pub(crate) use terminal::AtTerminal;

use std::net::TcpListener;
use std::time::{Duration, Instant};

/// How long a wait may take on a machine that has much else to do. No test counts on anything being faster.
pub(crate) const PATIENCE: Duration = Duration::from_secs(50);

/// From one look to the next, where nothing tells of the event.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks again and again until there is something to see.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        std::thread::park_timeout(LOOK_EVERY);
    }
}

/// Random numbers from a seed that is printed; `PISINK_SEED` in the environment gives the same run again.
pub(crate) fn rng() -> fastrand::Rng {
    let given = std::env::var("PISINK_SEED").ok().map(|text| text.parse().expect("PISINK_SEED is a number"));
    let seed: u64 = given.unwrap_or_else(|| fastrand::u64(..1_000_000));
    eprintln!("PISINK_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// An address of the loopback interface whose port is free and stays so while a node is restarted: below the range
/// that the kernel gives to outgoing connections.
pub(crate) fn free_address() -> String {
    loop {
        let address = format!("127.0.0.1:{}", fastrand::u16(10_000..32_000));
        if TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}
