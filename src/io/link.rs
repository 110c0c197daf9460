//! One connection: its socket, what has come of an unfinished message, and what waits to be sent.

use std::io::{ErrorKind, Read, Write};
use std::net::IpAddr;
use std::time::Duration;

use mio::net::TcpStream;

use crate::model::Message;
use crate::model::WallTime;
use crate::proto::Far;
use crate::wire::{Dialect, Framing, WireError};

/// A peer that lets more than this wait to be sent does not read: its link is closed.
pub(crate) const OUTBOUND_MAX_BYTES: usize = 4 << 20;
/// When so much waits, it is offered to the socket without waiting for the end of the turn.
const FLUSH_BYTES: usize = 64 << 10;
/// What an emptied outbound buffer keeps for the next message to a peer: a token of a ring of sixty-four. A stranger's
/// keeps nothing, for there may be ten thousand.
const OUTBOUND_KEEP_BYTES: usize = 8 << 10;

/// A silent peer of ZeroMQ is asked by its kernel after this, so often, and then it is dead: after 25 s.
const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEP_ALIVE_PROBES: u32 = 3;

/// One connection.
pub(crate) struct Link {
    stream: TcpStream,
    framing: Framing,
    outbound: Vec<u8>,
    /// How much of `outbound` is sent.
    sent: usize,
    /// The peer for whom it was opened.
    pub(crate) far: Option<Far>,
    pub(crate) remote: IpAddr,
    /// False while the connection is still being made.
    pub(crate) is_connected: bool,
    pub(crate) fate: Fate,
    /// The other end has closed its side, or the socket failed: it is read to the end.
    pub(crate) is_ending: bool,
    /// It has sent plain JSON.
    pub(crate) is_script: bool,
    /// Answers that the store has still to give.
    pub(crate) awaited: u32,
    /// Messages that have come.
    pub(crate) messages: u64,
    /// Bytes that were queued to be sent, ever.
    pub(crate) queued_bytes: u64,
    /// What it holds in memory, as the loop has counted it last.
    pub(crate) counted_bytes: usize,
}

/// How a link goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// As ever.
    Open,
    /// The other end has said everything: it closes when everything is answered and sent.
    Answering,
    /// The node wants it closed when everything is sent.
    Closing,
    /// It is dropped at once, and the node has to hear why.
    Lost(String),
}

/// What one read gave.
pub(crate) enum Received<'a> {
    Bytes(&'a [u8]),
    /// All that was there is read.
    Nothing,
    /// The other end says nothing more.
    End,
    /// The socket failed.
    Failed(String),
}

impl Link {
    pub(crate) fn new(stream: TcpStream, remote: IpAddr, far: Option<Far>, framing: Framing) -> Self {
        let is_connected = far.is_none();
        Self {
            stream,
            framing,
            outbound: Vec::new(),
            sent: 0,
            far,
            remote,
            is_connected,
            fate: Fate::Open,
            is_ending: false,
            is_script: false,
            awaited: 0,
            messages: 0,
            queued_bytes: 0,
            counted_bytes: 0,
        }
    }

    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Has the kernel look from time to time whether the other end is there: a peer of ZeroMQ that lost its power comes
    /// back under its name, and that is taken as long as the former link stands.
    pub(crate) fn keep_alive(&self) {
        use rustix::net::sockopt;
        // Where it cannot be had, who comes back waits longer.
        let _ = sockopt::set_tcp_keepidle(&self.stream, KEEP_ALIVE_IDLE);
        let _ = sockopt::set_tcp_keepintvl(&self.stream, KEEP_ALIVE_INTERVAL);
        let _ = sockopt::set_tcp_keepcnt(&self.stream, KEEP_ALIVE_PROBES);
        let _ = sockopt::set_socket_keepalive(&self.stream, true);
    }

    /// Reads once.
    ///
    /// jsocket writes a message in two parts and sends the second when the first is acknowledged: a kernel that waits
    /// with that for an answer to go along (40 ms) would wait for ever, so it is told not to, each time anew.
    pub(crate) fn receive<'a>(&mut self, scratch: &'a mut [u8]) -> Received<'a> {
        if matches!(self.framing.dialect(), Some(Dialect::Jsocket(_))) {
            // Where it cannot be had, it is only slow.
            let _ = rustix::net::sockopt::set_tcp_quickack(&self.stream, true);
        }
        loop {
            return match self.stream.read(scratch) {
                Ok(0) => Received::End,
                Ok(count) => Received::Bytes(scratch.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => Received::Nothing,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => Received::Failed(error.to_string()),
            };
        }
    }

    /// The next message of what was received.
    pub(crate) fn next_message(&mut self, input: &mut &[u8]) -> Option<Result<Message, WireError>> {
        let message = self.framing.next(input)?;
        self.messages += 1;
        Some(message)
    }

    /// What had begun is whole: the other end has closed, or paused.
    pub(crate) fn finish_message(&mut self) -> Option<Result<Message, WireError>> {
        let message = self.framing.finish()?;
        self.messages += 1;
        Some(message)
    }

    /// After what pause a message that has begun is whole, if that is how messages end here.
    pub(crate) fn pause(&self) -> Option<Duration> {
        self.framing.pause()
    }

    /// Queues what its framing has to say of itself; whether there is anything to send.
    pub(crate) fn greet(&mut self) -> bool {
        self.framing.greeting(&mut self.outbound);
        self.waiting_bytes() > 0
    }

    /// Which framing it speaks, if that is told.
    pub(crate) fn dialect(&self) -> Option<Dialect> {
        self.framing.dialect()
    }

    /// Whether a message has begun and not ended.
    pub(crate) fn is_partial(&self) -> bool {
        self.framing.is_partial()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.fate == Fate::Open
    }

    /// Queues a message; false when too much waits, although the socket was offered it.
    pub(crate) fn queue(&mut self, message: &Message, now: WallTime) -> bool {
        let before = self.outbound.len();
        self.framing.encode(message, now, &mut self.outbound);
        self.queued_bytes += (self.outbound.len() - before) as u64;
        if self.waiting_bytes() > FLUSH_BYTES
            && let Err(why) = self.flush()
        {
            self.lose(why);
        }
        self.waiting_bytes() <= OUTBOUND_MAX_BYTES
    }

    /// What is queued and not yet sent.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.outbound.len() - self.sent
    }

    /// What it holds in memory: half a message, and what waits to be sent.
    pub(crate) fn held_bytes(&self) -> usize {
        self.outbound.capacity() + self.framing.held_bytes()
    }

    /// Sends nothing more: the link is to be dropped at once.
    pub(crate) fn lose(&mut self, why: String) {
        self.outbound = Vec::new();
        self.sent = 0;
        self.fate = Fate::Lost(why);
    }

    /// Sends what the socket takes. `Ok(true)`: all is sent.
    pub(crate) fn flush(&mut self) -> Result<bool, String> {
        if !self.is_connected {
            return Ok(false);
        }
        while let Some(rest) = self.outbound.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(0) => return Err("the socket takes no more".to_owned()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        self.outbound.clear();
        self.outbound.shrink_to(if self.far.is_some() { OUTBOUND_KEEP_BYTES } else { 0 });
        self.sent = 0;
        Ok(true)
    }
}
