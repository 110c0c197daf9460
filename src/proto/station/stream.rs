//! A pilot's own readings, on their way to the station above: piece by piece out of the journal, each a STREAM that
//! wants a receipt, the next when the last has one. So nothing waits in memory, a link that breaks loses nothing while
//! the node runs, and a stream without readings costs nothing.

use serde_json::{Map, Value as Json, json};

use super::config::StationOutput;
use super::{Station, StreamConfig};
use crate::model::{Instant, Now, Readings, Seq};

/// Most readings of one STREAM: at about a hundred bytes each it stays well below what a link may hold.
const PIECE_MAX: u32 = 1_000;

#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Where the journal ends.
    last: Seq,
    /// Received above through here.
    done: Seq,
    stage: Stage,
    /// Since when the first of those that wait has waited.
    waits_since: Option<Instant>,
    is_running: bool,
    sent: u64,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Nothing is on its way.
    #[default]
    Rests,
    /// The journal is being read.
    Reads,
    /// A STREAM waits for its receipt.
    Sent { id: String, through: Seq },
}

impl Stream {
    /// Begins after what the journal holds by now.
    pub(super) fn after(last: Seq) -> Self {
        Self { last, done: last, ..Self::default() }
    }

    /// Readings that were received above.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    fn waiting(&self) -> u64 {
        self.last.0.saturating_sub(self.done.0)
    }
}

impl Station {
    /// The own journal is durable through `last`.
    pub fn appended(&mut self, now: Now, last: Seq) {
        self.stream.last = last;
        if self.stream.waiting() > 0 {
            self.stream.waits_since.get_or_insert(now.mono);
        }
        self.tend_stream(now);
    }

    /// Whether readings go to the station above: while the node senses for it.
    pub fn set_streaming(&mut self, now: Now, is_running: bool) {
        self.stream.is_running = is_running;
        self.tend_stream(now);
    }

    /// What was read of the own journal came, or why it could not be read.
    pub fn piece(&mut self, now: Now, piece: Result<Readings, String>) {
        if self.stream.stage != Stage::Reads {
            return;
        }
        self.stream.stage = Stage::Rests;
        let (Ok(piece), Some(config), Some(above)) = (piece, self.stream_config(), self.above_id()) else {
            self.stream.waits_since = Some(now.mono);
            return;
        };
        let through = piece.through();
        if piece.pack.is_empty() {
            // What lies between is no longer there.
            self.stream.done = self.stream.last.max(through);
            return;
        }
        let headers = json!({ "subject": config.subject, "pilot": self.config.id, "continuous": true });
        let value = json!({ "inner_key": config.inner_key, "headers": headers, "payload": payload(&piece) });
        let id = self.send(now, &above, "STREAM", value);
        self.stream.stage = Stage::Sent { id, through };
    }

    pub(super) fn stream_confirmed(&mut self, now: Now, receipt: &str) {
        let Stage::Sent { id, through } = &self.stream.stage else { return };
        if id == receipt {
            let (through, done) = (*through, self.stream.done);
            self.stream.sent += through.0.saturating_sub(done.0);
            self.stream.done = through.max(done);
            self.stream.stage = Stage::Rests;
            self.stream.waits_since = (self.stream.waiting() > 0).then_some(now.mono);
            self.tend_stream(now);
        }
    }

    /// A STREAM had no receipt as often as it was sent: it goes again, with what has come since.
    pub(super) fn stream_failed(&mut self, now: Now, given_up: &str) {
        if matches!(&self.stream.stage, Stage::Sent { id, .. } if id == given_up) {
            self.stream.stage = Stage::Rests;
            self.stream.waits_since = Some(now.mono);
        }
    }

    pub(super) fn stream_reached(&mut self, now: Now) {
        self.tend_stream(now);
    }

    pub(super) fn stream_lost(&mut self, now: Now) {
        // What is on its way waits in the outbox, and goes when the station above is back; the journal is read again.
        if self.stream.stage == Stage::Reads {
            self.stream.stage = Stage::Rests;
            self.stream.waits_since = Some(now.mono);
        }
    }

    /// When fewer than are worth a message go all the same.
    pub(super) fn stream_due(&self) -> Option<Instant> {
        let config = self.stream_config()?;
        self.may_stream().then_some(self.stream.waits_since?).map(|since| since + config.max_wait)
    }

    pub(super) fn tend_stream(&mut self, now: Now) {
        if !self.may_stream() {
            return;
        }
        let Some((min_size, max_wait)) = self.stream_config().map(|c| (c.min_size, c.max_wait)) else {
            return;
        };
        let waiting = self.stream.waiting();
        let is_enough = waiting >= u64::from(min_size.max(1));
        let is_late = self.stream.waits_since.is_some_and(|since| since + max_wait <= now.mono);
        if is_enough || is_late {
            self.stream.stage = Stage::Reads;
            self.stream.waits_since = None;
            let after = self.stream.done;
            self.outputs.push_back(StationOutput::Read { after, max: PIECE_MAX });
        }
    }

    fn may_stream(&self) -> bool {
        let is_reached = self.links.above.as_ref().is_some_and(|above| above.link.is_some());
        self.stream.is_running && is_reached && self.stream.stage == Stage::Rests && self.stream.waiting() > 0
    }

    fn stream_config(&self) -> Option<&StreamConfig> {
        self.config.above.as_ref()?.stream.as_ref()
    }

    fn above_id(&self) -> Option<String> {
        self.links.above.as_ref().map(|above| above.id.clone())
    }
}

/// One value for each reading: the channel's name with its value, when it was taken, and its place in the journal.
fn payload(piece: &Readings) -> Vec<Json> {
    let one = |(place, reading): (usize, &crate::model::Reading)| {
        let channel = piece.pack.channel(reading)?;
        let value = reading.value.map_or_else(|_| Json::from("ERR"), Json::from);
        let name = match channel.node == piece.node {
            true => format!("{}/{}", channel.chip, channel.quantity),
            false => channel.to_string(),
        };
        let mut fields = Map::new();
        fields.insert(name, value);
        fields.insert("timestamp".to_owned(), Json::from(reading.time.to_string()));
        fields.insert("journal".to_owned(), Json::from(piece.journal.to_string()));
        fields.insert("seq".to_owned(), Json::from(piece.first.plus(place as u64).0));
        Some(Json::Object(fields))
    };
    piece.pack.readings.iter().enumerate().filter_map(one).collect()
}
