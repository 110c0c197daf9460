//! The way to the store's thread: a bounded queue, how much of it is taken, and how the store is.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};

use super::{StoreCommand, StoreSettings, WAITING_MAX_READINGS};
use crate::io::clock;
use crate::io::promise::Promise;
use crate::io::queue::{QueueReceiver, QueueSender, queue};
use crate::model::Pack;

/// Commands that may wait. A sender that finds the queue full keeps what it has, or says that it dropped it.
const COMMANDS_MAX: usize = 8_192;
/// With more own readings than this handed over and not durable, scripts have to wait: the readings of one that sends
/// as fast as it can must not fill the memory, nor crowd out the sensors'.
const BEHIND_READINGS: usize = WAITING_MAX_READINGS / 2;
/// The same with so many commands in the queue, however few readings they bring.
const BEHIND_COMMANDS: usize = COMMANDS_MAX / 2;

/// How the store is, for the status.
#[derive(Clone, Debug, Default)]
pub(crate) struct StoreHealth {
    pub(crate) trouble: Option<String>,
    pub(crate) waiting_readings: usize,
    pub(crate) dropped_readings: u64,
    pub(crate) commits: u64,
    pub(crate) bytes: u64,
}

impl StoreHealth {
    pub(crate) fn to_json(&self) -> Json {
        json!({
            "state": if self.trouble.is_some() { "failing" } else { "ok" },
            "trouble": self.trouble,
            "waiting_readings": self.waiting_readings,
            "dropped_readings": self.dropped_readings,
            "commits": self.commits,
            "bytes": self.bytes,
        })
    }
}

/// The way to the store thread; cheap to clone.
#[derive(Clone)]
pub(crate) struct StoreHandle {
    commands: QueueSender<StoreCommand>,
    health: Arc<Mutex<StoreHealth>>,
    /// Own readings that are handed over and not durable.
    waiting: Arc<AtomicUsize>,
    promise: Promise,
}

impl StoreHandle {
    /// With the other end of its queue.
    pub(super) fn new() -> (Self, QueueReceiver<StoreCommand>) {
        let (commands, inbox) = queue(COMMANDS_MAX);
        let promise = Promise::new("store", clock::now().mono);
        (Self { commands, health: Arc::default(), waiting: Arc::default(), promise }, inbox)
    }

    /// Hands over a command; gives it back when the queue is full or the thread has ended.
    pub(crate) fn send(&self, command: StoreCommand) -> Result<(), StoreCommand> {
        // Before it is sent: what the thread promises once it has taken it counts.
        self.promise.is_wanted(clock::now().mono);
        self.commands.try_send(command)
    }

    /// Appends readings of this node; counts them as dropped when the store is so far behind that it cannot even queue.
    pub(crate) fn append(&self, pack: Pack) {
        self.waiting.fetch_add(pack.len(), Ordering::Relaxed);
        if let Err(StoreCommand::Append(pack)) = self.send(StoreCommand::Append(pack)) {
            self.waits_no_more(pack.len());
            self.count_dropped(pack.len());
        }
    }

    /// Whether so much waits to become durable that those who can be made to wait should.
    pub(crate) fn is_behind(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > BEHIND_READINGS || self.commands.len() > BEHIND_COMMANDS
    }

    /// Own readings do not wait any more: they are durable, or dropped.
    pub(super) fn waits_no_more(&self, readings: usize) {
        self.waiting.fetch_sub(readings, Ordering::Relaxed);
    }

    /// Counts readings that have no place, and says so at the first of them and whenever they have doubled.
    pub(super) fn count_dropped(&self, readings: usize) {
        let readings = readings as u64;
        self.update_health(|health| {
            let before = health.dropped_readings;
            health.dropped_readings += readings;
            if before.checked_ilog2() != health.dropped_readings.checked_ilog2() {
                log::error!(
                    "the store is too far behind: {} readings are dropped so far",
                    health.dropped_readings
                );
            }
        });
    }

    /// Has the thread work by other settings. There is always room for this: it comes from people, and not often.
    pub(crate) fn adjust(&self, settings: StoreSettings) {
        self.commands.send_last(StoreCommand::Adjust(settings));
    }

    /// Asks the thread to do what waits, to commit and to end.
    pub(crate) fn stop(&self) {
        self.commands.send_last(StoreCommand::Stop);
    }

    /// When the thread is to be back.
    pub(crate) fn promise(&self) -> &Promise {
        &self.promise
    }

    pub(crate) fn health(&self) -> StoreHealth {
        self.health.lock().map(|health| health.clone()).unwrap_or_default()
    }

    pub(super) fn update_health(&self, change: impl FnOnce(&mut StoreHealth)) {
        if let Ok(mut health) = self.health.lock() {
            change(&mut health);
        }
    }
}
