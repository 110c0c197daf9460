//! Connections as a model: bytes in order, cut anywhere, late, held up, or lost for good.

use std::collections::VecDeque;

use super::check::{Broken, Invariant, hold};
use crate::model::Instant;
use crate::proto::LinkId;
use crate::wire::LineDecoder;

/// Bytes that may wait on a link: what the event loop lets wait before it closes one.
const WAITING_MAX_BYTES: usize = 4 << 20;

/// A number of bytes that arrive together, or the end.
#[derive(Clone, Copy, Debug)]
struct Segment {
    at: Instant,
    bytes: usize,
    is_end: bool,
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct End {
    /// The host, or none for a script that is no node.
    pub(super) host: Option<usize>,
    pub(super) link: LinkId,
    /// This end has not heard that it is gone.
    pub(super) is_up: bool,
    pub(super) decoder: LineDecoder,
    /// What is on its way to this end: the bytes, and when how many of them arrive.
    data: Vec<u8>,
    read: usize,
    segments: VecDeque<Segment>,
    busy_until: Instant,
    /// Nothing arrives before that, whatever was sent when.
    pub(super) stalled_until: Instant,
}

/// What arrives at an end.
pub(super) enum Arrival {
    /// Nothing yet; or not before that.
    Nothing(Option<Instant>),
    /// So many bytes of [`End::take_data`].
    Bytes(usize),
    /// The other end is gone.
    End,
}

impl End {
    pub(super) fn new(host: Option<usize>, link: LinkId) -> Self {
        Self {
            host,
            link,
            is_up: true,
            decoder: LineDecoder::default(),
            data: Vec::new(),
            read: 0,
            segments: VecDeque::new(),
            busy_until: Instant::ZERO,
            stalled_until: Instant::ZERO,
        }
    }

    /// Bytes are to arrive here at `at`, or when those before them have.
    pub(super) fn queue(&mut self, at: Instant, bytes: &[u8]) -> Result<(), Broken> {
        self.busy_until = self.busy_until.max(at);
        self.segments.push_back(Segment { at: self.busy_until, bytes: bytes.len(), is_end: false });
        self.data.extend_from_slice(bytes);
        hold(Invariant::Bounded, self.data.len() - self.read <= WAITING_MAX_BYTES, || {
            format!("{} bytes wait on a link of host {:?}", self.data.len() - self.read, self.host)
        })
    }

    /// After all that is on its way, the end.
    pub(super) fn queue_end(&mut self, at: Instant) {
        self.busy_until = self.busy_until.max(at);
        self.segments.push_back(Segment { at: self.busy_until, bytes: 0, is_end: true });
    }

    /// When all that is on its way will have arrived.
    pub(super) fn busy_until(&self) -> Instant {
        self.busy_until
    }

    /// Whether something is on its way.
    pub(super) fn is_awaited(&self) -> bool {
        !self.segments.is_empty()
    }

    /// Nothing more arrives before `until`.
    pub(super) fn hold_up(&mut self, until: Instant) {
        self.busy_until = self.busy_until.max(until);
        self.stalled_until = self.stalled_until.max(until);
    }

    /// What arrives at `now`, next of all that does.
    pub(super) fn arrive(&mut self, now: Instant) -> Arrival {
        match self.segments.front() {
            None => Arrival::Nothing(None),
            Some(_) if self.stalled_until > now => Arrival::Nothing(Some(self.stalled_until)),
            // Its own event comes.
            Some(segment) if segment.at > now => Arrival::Nothing(None),
            Some(segment) if segment.is_end => Arrival::End,
            Some(segment) => {
                let bytes = segment.bytes;
                self.segments.pop_front();
                Arrival::Bytes(bytes)
            }
        }
    }

    /// The bytes on their way, to be read from the front, and put back with [`End::put_back`].
    pub(super) fn take_data(&mut self) -> (Vec<u8>, usize) {
        (std::mem::take(&mut self.data), std::mem::take(&mut self.read))
    }

    /// Puts the bytes back, of which all before `read` have arrived, and what was queued meanwhile after them.
    pub(super) fn put_back(&mut self, mut data: Vec<u8>, read: usize) {
        data.extend_from_slice(&self.data);
        (self.data, self.read) = (data, read);
        if self.read == self.data.len() || self.read > WAITING_MAX_BYTES {
            self.data.drain(..self.read);
            self.read = 0;
        }
    }
}

/// One connection between two ends.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) ends: [End; 2],
    /// What is sent is lost, and nobody is told.
    pub(super) has_vanished: bool,
    pub(super) is_second_way: bool,
}
