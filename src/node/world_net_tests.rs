//! Connections as a model: bytes in order, cut anywhere, late, held up, or lost for good.

use std::collections::VecDeque;

use crate::model::Instant;
use crate::proto::LinkId;
use crate::wire::LineDecoder;

/// One end of a connection.
#[derive(Debug)]
pub(super) struct End {
    /// The host, or none for a script that is no node.
    pub(super) host: Option<usize>,
    pub(super) link: LinkId,
    /// This end has not heard that it is gone.
    pub(super) is_up: bool,
    pub(super) decoder: LineDecoder,
    /// What is on its way to this end, with the time of its arrival.
    inbound: VecDeque<(Instant, Vec<u8>)>,
    busy_until: Instant,
}

impl End {
    pub(super) fn new(host: Option<usize>, link: LinkId) -> Self {
        let (inbound, busy_until) = (VecDeque::new(), Instant::ZERO);
        Self { host, link, is_up: true, decoder: LineDecoder::default(), inbound, busy_until }
    }

    /// Bytes are to arrive here at `at`, or when those before them have. Returns when.
    pub(super) fn queue(&mut self, at: Instant, bytes: Vec<u8>) -> Instant {
        self.busy_until = self.busy_until.max(at);
        self.inbound.push_back((self.busy_until, bytes));
        self.busy_until
    }

    /// When all that is on its way will have arrived.
    pub(super) fn busy_until(&self) -> Instant {
        self.busy_until
    }

    /// Nothing more arrives before `until`.
    pub(super) fn hold_up(&mut self, until: Instant) {
        self.busy_until = self.busy_until.max(until);
        for (at, _) in &mut self.inbound {
            *at = until.max(*at);
        }
    }

    /// What arrives now; or when it will, if it is held up.
    pub(super) fn arrive(&mut self, now: Instant) -> Result<Vec<u8>, Option<Instant>> {
        match self.inbound.front() {
            Some((at, _)) if *at <= now => Ok(self.inbound.pop_front().expect("there is one").1),
            other => Err(other.map(|(at, _)| *at)),
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
    pub(super) micros_per_byte: u32,
}
