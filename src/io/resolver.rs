//! Turns host names into addresses on a thread of its own, for the system's resolver blocks.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::Sender;

use super::queue::{QueueReceiver, QueueSender, queue};
use crate::proto::Far;

/// Names that may wait; a primary asks for each peer once at a time.
const NAMES_MAX: usize = 10_000;

/// An answer: for whom, which attempt, the name that was asked for, and where or why not.
pub(crate) type Resolved = (Far, u64, String, Result<SocketAddr, String>);

/// The way to the resolver.
pub(crate) struct Resolver {
    questions: QueueSender<(Far, u64, String)>,
}

impl Resolver {
    /// Starts the thread; it ends when the resolver is dropped.
    pub(crate) fn start(
        answers: Sender<Resolved>,
        wake: impl Fn() + Send + 'static,
    ) -> std::io::Result<Self> {
        let (questions, inbox) = queue(NAMES_MAX);
        std::thread::Builder::new().name("resolver".to_owned()).spawn(move || run(&inbox, &answers, wake))?;
        Ok(Self { questions })
    }

    /// Asks for the address of `host:port`; false when too many names wait.
    pub(crate) fn ask(&self, far: Far, attempt: u64, address: &str) -> bool {
        self.questions.try_send((far, attempt, address.to_owned())).is_ok()
    }
}

fn run(inbox: &QueueReceiver<(Far, u64, String)>, answers: &Sender<Resolved>, wake: impl Fn()) {
    while let Ok((far, attempt, address)) = inbox.recv() {
        let found = address
            .to_socket_addrs()
            .map_err(|error| format!("name not found: {error}"))
            .and_then(|mut found| found.next().ok_or_else(|| "the name has no address".to_owned()));
        if answers.send((far, attempt, address, found)).is_err() {
            return;
        }
        wake();
    }
}
