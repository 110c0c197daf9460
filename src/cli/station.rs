//! A client of Autopilot's stations: a DEALER that sends messages, hears whether they came, and what is answered.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use serde_json::Value as Json;

use crate::model::{Body, Message, Routed, StationMessage, WallTime};
use crate::wire::{Dialect, Framing};

/// A link to a station.
pub(super) struct Client {
    stream: TcpStream,
    framing: Framing,
    address: String,
    /// What this end is called.
    id: String,
    /// What the other end is called.
    station: String,
    next_id: u64,
    timeout: Duration,
    heard: VecDeque<StationMessage>,
}

impl Client {
    /// Connects as `id` to the station at `address`.
    pub(super) fn connect(address: &str, id: &str, timeout: Duration) -> Result<Self> {
        let next_step = "does a station listen there? `pisink run` and Autopilot's terminals do";
        let resolved = address
            .to_socket_addrs()
            .with_context(|| format!("{address}: write it as HOST:PORT"))?
            .next()
            .with_context(|| format!("{address}: the name has no address"))?;
        let stream = TcpStream::connect_timeout(&resolved, timeout)
            .with_context(|| format!("{address} does not answer; {next_step}"))?;
        stream.set_nodelay(true)?;
        let framing = Framing::speaking(Dialect::Zmtp).named(id.as_bytes().to_vec());
        let mut client = Self {
            stream,
            framing,
            address: address.to_owned(),
            id: id.to_owned(),
            station: String::new(),
            next_id: 0,
            timeout,
            heard: VecDeque::new(),
        };
        client.greet()?;
        let deadline = Instant::now() + timeout;
        while client.station.is_empty() {
            if !client.read(deadline)? {
                bail!("{address} does not say who it is within {timeout:?}; {next_step}");
            }
        }
        Ok(client)
    }

    /// What the other end is called.
    pub(super) fn station(&self) -> &str {
        &self.station
    }

    /// Sends a message that wants a receipt; its id.
    pub(super) fn send(&mut self, to: &str, key: &str, value: Json) -> Result<String> {
        let id = format!("{}_{}", self.id, self.next_id);
        self.next_id += 1;
        let mut message = StationMessage::new(id.clone(), (&self.id, to), key, value);
        message.timestamp = now().to_string();
        self.put(vec![self.station.clone(), to.to_owned()], message)?;
        Ok(id)
    }

    /// The next message that is for this end; `None` when there is none until `deadline`. It is confirmed if it wants
    /// that.
    pub(super) fn next(&mut self, deadline: Instant) -> Result<Option<StationMessage>> {
        loop {
            if let Some(message) = self.heard.pop_front() {
                if message.wants_receipt() {
                    let id = format!("{}_{}", self.id, self.next_id);
                    self.next_id += 1;
                    let mut receipt = StationMessage::new(
                        id,
                        (&self.id, &message.sender),
                        "CONFIRM",
                        Json::from(message.id.as_str()),
                    );
                    receipt.timestamp = now().to_string();
                    self.put(vec![self.station.clone(), message.sender.clone()], receipt)?;
                }
                return Ok(Some(message));
            }
            if !self.read(deadline)? {
                return Ok(None);
            }
        }
    }

    fn put(&mut self, path: Vec<String>, message: StationMessage) -> Result<()> {
        let body = Body::Station(Routed::new(path, message));
        let message = Message { id: String::new(), to: None, sender: None, timestamp: None, body };
        let mut bytes = Vec::new();
        self.framing.encode(&message, now(), &mut bytes);
        self.stream.write_all(&bytes).with_context(|| format!("{}: sending", self.address))
    }

    fn greet(&mut self) -> Result<()> {
        let mut bytes = Vec::new();
        self.framing.greeting(&mut bytes);
        Ok(self.stream.write_all(&bytes)?)
    }

    /// Reads once; false when nothing came until `deadline`.
    fn read(&mut self, deadline: Instant) -> Result<bool> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut buffer = vec![0; 64 << 10];
        let count = match self.stream.read(&mut buffer) {
            Ok(0) => bail!(
                "{} closed the connection: is it a station, and is it open to this machine?",
                self.address
            ),
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(false);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(true),
            Err(error) => return Err(error).with_context(|| format!("{}: reading", self.address)),
        };
        let mut input = buffer.get(..count).unwrap_or_default();
        while let Some(message) = self.framing.next(&mut input) {
            match message
                .with_context(|| format!("{} does not speak Autopilot's language", self.address))?
                .body
            {
                Body::Introduced { identity, .. } => {
                    // A ROUTER without a name takes any: Autopilot's look only at the recipient.
                    let name = String::from_utf8_lossy(&identity).into_owned();
                    self.station = if name.is_empty() { "T".to_owned() } else { name };
                }
                Body::Station(routed) => self.heard.push_back(routed.message),
                Body::Error { text, .. } => bail!("{}: {text}", self.address),
                _ => {}
            }
        }
        self.greet()?;
        Ok(true)
    }

    /// How long an answer may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }
}

/// A name for this end that nobody else bears at the same time.
pub(super) fn own_name() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{host}.{}", std::process::id())
}

fn now() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime::from_unix_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
