//! One connection: its socket, what has come of an unfinished message, and what waits to be sent.

use std::io::{ErrorKind, Read, Write};
use std::net::IpAddr;

use mio::net::TcpStream;

use crate::model::Message;
use crate::model::WallTime;
use crate::proto::PeerIx;
use crate::wire::{self, LineDecoder, WireError};

/// A peer that lets more than this wait to be sent does not read: its link is closed.
pub(crate) const OUTBOUND_MAX_BYTES: usize = 4 << 20;
/// An emptied outbound buffer larger than this is given back.
const OUTBOUND_KEEP_BYTES: usize = 0;

/// One connection.
pub(crate) struct Link {
    stream: TcpStream,
    decoder: LineDecoder,
    outbound: Vec<u8>,
    /// How much of `outbound` is sent.
    sent: usize,
    /// The peer for whom it was opened.
    pub(crate) peer: Option<PeerIx>,
    pub(crate) remote: IpAddr,
    /// False while the connection is still being made.
    pub(crate) is_connected: bool,
    /// Close when everything is sent.
    pub(crate) is_closing: bool,
    /// The other end has closed its side, or the socket failed: it is read to the end.
    pub(crate) is_ending: bool,
    /// It has sent plain JSON.
    pub(crate) is_script: bool,
}

/// What one read gave.
pub(crate) enum Received<'a> {
    Bytes(&'a [u8]),
    /// All that was there is read.
    Nothing,
    /// The other end closed, or the socket failed.
    Closed(String),
}

impl Link {
    pub(crate) fn new(stream: TcpStream, remote: IpAddr, peer: Option<PeerIx>) -> Self {
        let is_connected = peer.is_none();
        Self {
            stream,
            decoder: LineDecoder::default(),
            outbound: Vec::new(),
            sent: 0,
            peer,
            remote,
            is_connected,
            is_closing: false,
            is_ending: false,
            is_script: false,
        }
    }

    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Reads once.
    pub(crate) fn receive<'a>(&mut self, scratch: &'a mut [u8]) -> Received<'a> {
        loop {
            return match self.stream.read(scratch) {
                Ok(0) => Received::Closed("closed by the other end".to_owned()),
                Ok(count) => Received::Bytes(scratch.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => Received::Nothing,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => Received::Closed(error.to_string()),
            };
        }
    }

    /// The next message of what was received.
    pub(crate) fn next_message(&mut self, input: &mut &[u8]) -> Option<Result<Message, WireError>> {
        self.decoder.next(input)
    }

    /// Whether a message has begun and not ended.
    pub(crate) fn is_partial(&self) -> bool {
        self.decoder.is_partial()
    }

    /// Queues a message; false when too much waits already.
    pub(crate) fn queue(&mut self, message: &Message, now: WallTime) -> bool {
        wire::encode(message, now, &mut self.outbound);
        self.outbound.len() - self.sent <= OUTBOUND_MAX_BYTES
    }

    /// Sends nothing more: the link is to be closed at once.
    pub(crate) fn give_up(&mut self) {
        self.outbound = Vec::new();
        self.sent = 0;
        self.is_closing = true;
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
        self.outbound.shrink_to(OUTBOUND_KEEP_BYTES);
        self.sent = 0;
        Ok(true)
    }
}
