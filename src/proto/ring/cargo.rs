//! What a member puts into the token: pieces of its own journal that come after the sink's cursor, read ahead so that
//! the token never waits for a disk, and no more than the member's share.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::{Cursor, Instant, Piece, Seq, TOKEN_MAX_BYTES, TOKEN_PIECES_MAX, Token};
use crate::proto::POLL_MAX_READINGS;
use crate::proto::defect::{Defect, Planted};

/// A journal that could not be read is tried again after this.
const READ_AGAIN: Duration = Duration::from_secs(1);
/// What one reading is taken to need before any was seen, in bytes of JSON.
const READING_FIRST_BYTES: usize = 128;
/// Who brings more than this at once, some eighty readings, will soon have more: the token does not rest.
const MUCH_BYTES: usize = 8 * 1024;
/// Most bytes that are read ahead.
const AHEAD_MAX_BYTES: usize = TOKEN_MAX_BYTES;

/// A read that the store is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) after: Seq,
    pub(super) max: u32,
}

/// The own journal, as far as it is of interest to a sink.
#[derive(Clone, Debug)]
pub(super) struct Cargo {
    /// The last durable place.
    last: Seq,
    ahead: VecDeque<Piece>,
    /// The end of what was read or given to a token.
    next: Seq,
    /// The sink's cursor was seen: it is known from where to read.
    is_wanted: bool,
    reading: Option<Read>,
    retry_at: Option<Instant>,
    bytes_per_reading: usize,
    /// Most bytes of one piece: what a member of this ring can always put in.
    piece_max_bytes: usize,
}

impl Cargo {
    pub(super) fn new(last: Seq) -> Self {
        Self {
            last,
            ahead: VecDeque::new(),
            next: Seq::ZERO,
            is_wanted: false,
            reading: None,
            retry_at: None,
            bytes_per_reading: READING_FIRST_BYTES,
            piece_max_bytes: TOKEN_MAX_BYTES,
        }
    }

    pub(super) fn last(&self) -> Seq {
        self.last
    }

    /// The own journal is durable through `last`.
    pub(super) fn appended(&mut self, last: Seq) {
        self.last = self.last.max(last);
    }

    /// Puts what there is after `cursor` into the token, within the share of the member at `place`.
    pub(super) fn load(
        &mut self,
        token: &mut Token,
        cursor: Cursor,
        sink_place: usize,
        place: usize,
        planted: &Planted,
    ) {
        let members = token.members.len().max(1);
        self.piece_max_bytes = TOKEN_MAX_BYTES / members;
        self.is_wanted = true;
        let begins = self.ahead.front().map_or(self.next, |piece| piece.after);
        if begins != cursor.after && !(planted.is(Defect::RestForgotten) && cursor.after < begins) {
            self.ahead.clear();
            self.next = cursor.after;
        }
        let used = token.bytes();
        let still_to_come = (sink_place + members - place) % members;
        let room = TOKEN_MAX_BYTES.saturating_sub(used);
        let share = if planted.is(Defect::ShareIgnored) { usize::MAX } else { room / still_to_come.max(1) };
        let (mut bytes, mut first) = (0, None);
        while let Some(piece) = self.ahead.front() {
            let fits = bytes + piece.bytes() <= share || (used == 0 && bytes == 0 && piece.bytes() <= room);
            // The first piece may begin far beyond the cursor, where the source has dropped what lies between.
            let count = piece.through.0.saturating_sub(first.unwrap_or(piece.through).0);
            let is_asked = count < u64::from(cursor.max) && cursor.max > 0;
            if !fits || !is_asked || token.pieces.len() >= TOKEN_PIECES_MAX {
                break;
            }
            first = first.or(Some(piece.through));
            bytes += piece.bytes();
            token.pieces.extend(self.ahead.pop_front());
        }
        // What the store is still to read does not keep the token from resting: a slow disk must not make it spin.
        let is_more = !self.ahead.is_empty() && cursor.max > 0;
        if bytes > MUCH_BYTES || is_more {
            token.busy = token.seq;
        }
        if planted.is(Defect::RestForgotten) && bytes > 0 {
            self.ahead.clear();
            self.next = self.last;
        }
    }

    /// The read that is to be done next, if there is one.
    pub(super) fn read(&mut self) -> Option<Read> {
        let ahead: usize = self.ahead.iter().map(Piece::bytes).sum();
        let is_idle = self.is_wanted && self.reading.is_none() && self.retry_at.is_none();
        if !is_idle || self.next >= self.last || ahead >= AHEAD_MAX_BYTES {
            return None;
        }
        // An eighth less than fits: readings are not all of one length.
        let most = self.piece_max_bytes / 8 * 7 / self.bytes_per_reading.max(1);
        let max = u32::try_from(most).unwrap_or(u32::MAX).clamp(1, POLL_MAX_READINGS);
        self.reading = Some(Read { after: self.next, max });
        self.reading
    }

    /// What a read gave.
    pub(super) fn piece(&mut self, now: Instant, piece: Result<Piece, String>) {
        let Some(asked) = self.reading.take() else { return };
        let piece = match piece {
            Ok(piece) if piece.after == asked.after && piece.through > piece.after => piece,
            _ => {
                self.retry_at = Some(now + READ_AGAIN);
                return;
            }
        };
        // The cursor moved meanwhile.
        if asked.after != self.next {
            return;
        }
        let count = usize::try_from(piece.through.0 - piece.after.0).unwrap_or(usize::MAX);
        self.bytes_per_reading = piece.bytes().div_ceil(count);
        if piece.bytes() > self.piece_max_bytes && asked.max > 1 {
            // Readings that are longer than those before: read it again in smaller pieces.
            self.bytes_per_reading =
                (self.piece_max_bytes / (asked.max as usize / 2).max(1)).max(self.bytes_per_reading);
            return;
        }
        self.next = piece.through;
        self.ahead.push_back(piece);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.retry_at
    }

    pub(super) fn expire(&mut self, now: Instant) {
        self.retry_at.take_if(|at| *at <= now);
    }
}
