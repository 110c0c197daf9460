//! One link to a JSON server, by a framing that is named: asks, and waits for the answer. Blocking; for command lines
//! and small programs.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::clock;
use crate::model::{Body, Message};
use crate::wire::{Dialect, Framing, WireError};

/// One buffer for a read.
const SCRATCH_BYTES: usize = 64 << 10;

/// How long to try, and to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Attempts at a connection.
    pub tries: u32,
    /// From one attempt that failed to the next.
    pub pause: Duration,
    /// For a connection, and for an answer.
    pub timeout: Duration,
}

impl Default for Patience {
    /// That of jsocket's own client.
    fn default() -> Self {
        Self { tries: 10, pause: Duration::from_secs(3), timeout: Duration::from_secs(2) }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is none.
    #[error("{address}: {why}; write it as HOST:PORT, as in pi-2:7001")]
    Address {
        /// As given.
        address: String,
        /// What is wrong.
        why: String,
    },
    /// Nobody takes the connection.
    #[error("{address} does not answer, {tries} times tried: {why}")]
    NotThere {
        /// Where.
        address: String,
        /// How often it was tried.
        tries: u32,
        /// What the last attempt came to.
        why: String,
    },
    /// No answer in time.
    #[error("{address} took the message and gave no answer within {timeout:?}")]
    NoAnswer {
        /// Where.
        address: String,
        /// How long was waited.
        timeout: Duration,
    },
    /// The other end closed the link.
    #[error("{address} closed the connection without an answer: does it speak {dialect}?")]
    Closed {
        /// Where.
        address: String,
        /// What was spoken.
        dialect: &'static str,
    },
    /// What came is no message.
    #[error("{address} does not speak {dialect}: {why}")]
    Wire {
        /// Where.
        address: String,
        /// What was spoken.
        dialect: &'static str,
        /// What is wrong with it.
        why: WireError,
    },
    /// The socket failed.
    #[error("{address}: {why}")]
    Broken {
        /// Where.
        address: String,
        /// The system's words.
        why: std::io::Error,
    },
}

/// A link to a JSON server.
pub struct Client {
    address: String,
    stream: TcpStream,
    dialect: Dialect,
    framing: Framing,
    timeout: Duration,
    /// Messages that have come and were not asked for yet.
    come: VecDeque<Result<Json, WireError>>,
}

impl Client {
    /// Connects; tries again after a pause as often as `patience` says, and tells `on_failure` before each pause how
    /// often it has tried and why in vain.
    ///
    /// # Errors
    /// The address is none, or nobody takes the connection.
    pub fn connect(
        address: &str,
        dialect: Dialect,
        patience: &Patience,
        mut on_failure: impl FnMut(u32, &std::io::Error),
    ) -> Result<Self, ClientError> {
        let wrong = |why: String| ClientError::Address { address: address.to_owned(), why };
        let mut tries = 0;
        let stream = loop {
            // A name may lead elsewhere the next time.
            let mut resolved = address.to_socket_addrs().map_err(|error| wrong(error.to_string()))?;
            let resolved = resolved.next().ok_or_else(|| wrong("the name has no address".to_owned()))?;
            tries += 1;
            match TcpStream::connect_timeout(&resolved, patience.timeout) {
                Ok(stream) => break stream,
                Err(why) if tries >= patience.tries => {
                    let (address, why) = (address.to_owned(), why.to_string());
                    return Err(ClientError::NotThere { address, tries, why });
                }
                Err(why) => on_failure(tries, &why),
            }
            // Somebody may unpark this thread: then the next try comes sooner.
            std::thread::park_timeout(patience.pause);
        };
        let framing = Framing::speaking_plain(dialect);
        let (address, timeout) = (address.to_owned(), patience.timeout);
        let client = Self { address, stream, dialect, framing, timeout, come: VecDeque::new() };
        // Every message is one write: there is nothing to be gained by waiting for more.
        client.stream.set_nodelay(true).map_err(|why| client.broken(why))?;
        client.stream.set_write_timeout(Some(timeout)).map_err(|why| client.broken(why))?;
        Ok(client)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The socket failed, or the other end does not read.
    pub fn send(&mut self, message: &Json) -> Result<(), ClientError> {
        let body = Body::Foreign(message.clone());
        let message = Message { id: String::new(), to: None, sender: None, timestamp: None, body };
        let mut bytes = Vec::new();
        self.framing.encode(&message, clock::now().wall, &mut bytes);
        self.stream.write_all(&bytes).map_err(|why| self.broken(why))
    }

    /// The next message.
    ///
    /// # Errors
    /// None came in time, the link is gone, or what came is none.
    pub fn receive(&mut self) -> Result<Json, ClientError> {
        let until = Instant::now() + self.timeout;
        let mut scratch = vec![0; SCRATCH_BYTES];
        loop {
            if let Some(message) = self.come.pop_front() {
                return message.map_err(|why| ClientError::Wire {
                    address: self.address.clone(),
                    dialect: self.dialect.as_str(),
                    why,
                });
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.no_answer());
            }
            self.stream.set_read_timeout(Some(left)).map_err(|why| self.broken(why))?;
            match self.stream.read(&mut scratch) {
                Ok(0) => {
                    let (address, dialect) = (self.address.clone(), self.dialect.as_str());
                    return Err(ClientError::Closed { address, dialect });
                }
                Ok(count) => self.take(scratch.get(..count).unwrap_or_default()),
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Err(self.no_answer());
                }
                Err(why) => return Err(self.broken(why)),
            }
        }
    }

    /// Sends a message, and waits for the next one that comes.
    ///
    /// # Errors
    /// As [`Client::send`] and [`Client::receive`].
    pub fn ask(&mut self, message: &Json) -> Result<Json, ClientError> {
        self.send(message)?;
        self.receive()
    }

    /// At most a buffer full at a time: what comes of it is bounded.
    fn take(&mut self, mut bytes: &[u8]) {
        while let Some(message) = self.framing.next(&mut bytes) {
            match message.map(|message| message.body) {
                Ok(Body::Foreign(json)) => self.come.push_back(Ok(json)),
                Ok(_) => {}
                Err(why) => self.come.push_back(Err(why)),
            }
        }
    }

    fn no_answer(&self) -> ClientError {
        ClientError::NoAnswer { address: self.address.clone(), timeout: self.timeout }
    }

    fn broken(&self, why: std::io::Error) -> ClientError {
        ClientError::Broken { address: self.address.clone(), why }
    }
}
