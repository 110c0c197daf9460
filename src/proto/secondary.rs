//! What every node does for those who collect from it: answers polls out of its own journal, and notes how far each
//! consumer has durably taken it.

use std::collections::{BTreeMap, VecDeque};

use super::defect::{Defect, Planted};
use super::{LinkId, OwnClock, POLL_MAX_READINGS};
use crate::model::{Body, Instant, JournalId, NodeName, Now, Pack, PollRequest, Readings, Seq};

/// What a driver has to carry out.
#[derive(Clone, Debug, PartialEq)]
pub enum SecondaryOutput {
    /// Send this answer on this link.
    Send(LinkId, Body),
    /// Read at most `max` readings after `after` from the own journal, and give them to [`Secondary::piece`].
    Read {
        /// The link whose poll asks.
        link: LinkId,
        /// The poll's id.
        re: String,
        /// The cursor.
        after: Seq,
        /// Most readings.
        max: u32,
    },
    /// A consumer has this much of the own journal on stable storage.
    NoteConsumer(NodeName, Seq),
}

/// A poll that waits for its readings.
#[derive(Debug)]
struct Asked {
    re: String,
    after: Seq,
    received: Instant,
}

/// Answers polls for one journal.
#[derive(Debug)]
pub struct Secondary {
    node: NodeName,
    journal: JournalId,
    /// The last durable place.
    last: Seq,
    /// Links with a read under way: one each, so that a flood of polls stays one read.
    reading: BTreeMap<LinkId, Asked>,
    consumers: BTreeMap<NodeName, Seq>,
    outputs: VecDeque<SecondaryOutput>,
    pub(super) planted: Planted,
}

/// Most consumers that are remembered; beyond it new ones are served but not noted.
const CONSUMERS_MAX: usize = 64;

impl Secondary {
    /// For `journal`, durable through `last`, with what is known of its consumers.
    pub fn new(node: NodeName, journal: JournalId, last: Seq, consumers: BTreeMap<NodeName, Seq>) -> Self {
        Self {
            node,
            journal,
            last,
            reading: BTreeMap::new(),
            consumers,
            outputs: VecDeque::new(),
            planted: Planted::default(),
        }
    }

    /// The own journal is durable through `last`.
    pub fn appended(&mut self, last: Seq) {
        self.last = self.last.max(last);
    }

    /// The last durable place.
    pub fn last(&self) -> Seq {
        self.last
    }

    /// How far each consumer has taken the journal.
    pub fn consumers(&self) -> &BTreeMap<NodeName, Seq> {
        &self.consumers
    }

    /// A poll came: answer it, or ask for what it wants.
    pub fn poll(
        &mut self,
        now: Now,
        clock: &OwnClock,
        link: LinkId,
        id: String,
        sender: Option<NodeName>,
        poll: PollRequest,
    ) {
        let asked = |after| Asked { re: id.clone(), after, received: now.mono };
        if poll.journal != Some(self.journal) {
            return self.answer_empty(now, clock, link, asked(Seq::ZERO));
        }
        if poll.after > self.last {
            let text = format!(
                "POLL asks for what comes after {} of journal {}, which ends at {}: was this node restored from an old \
                 copy? Give it a new journal by moving its data folder away",
                poll.after, self.journal, self.last
            );
            return self.outputs.push_back(SecondaryOutput::Send(link, Body::Error { re: id, text }));
        }
        if let Some(name) = sender {
            let is_sent = self.planted.is(Defect::NotesWhatWasSent);
            self.note(name, if is_sent { poll.after } else { poll.taken.min(poll.after) });
        }
        // To ask for none is to ask how far the journal goes: an asker whose disk is behind still wants to know.
        if poll.after == self.last || poll.max == 0 {
            return self.answer_empty(now, clock, link, asked(poll.after));
        }
        if self.reading.contains_key(&link) {
            let text = "POLL: the answer to the last one is still under way; wait for it".to_owned();
            return self.outputs.push_back(SecondaryOutput::Send(link, Body::Error { re: id, text }));
        }
        self.reading.insert(link, asked(poll.after));
        let max = poll.max.min(POLL_MAX_READINGS);
        self.outputs.push_back(SecondaryOutput::Read { link, re: id, after: poll.after, max });
    }

    /// What a [`SecondaryOutput::Read`] gave; `Err` with the store's words.
    pub fn piece(&mut self, now: Now, clock: &OwnClock, link: LinkId, piece: Result<Readings, String>) {
        let Some(Asked { re, after, received }) = self.reading.remove(&link) else { return };
        if self.planted.is(Defect::ReadNeverEnds) {
            self.reading.insert(link, Asked { re: re.clone(), after, received });
        }
        let body = match piece {
            Ok(piece) => Body::Readings(Readings {
                re,
                node: self.node.clone(),
                journal: self.journal,
                after,
                last: if self.planted.is(Defect::SaysMoreThanDurable) { self.last.next() } else { self.last },
                clock: Some(clock.sample(received, now)),
                ..piece
            }),
            Err(why) => Body::Error { re, text: format!("POLL: the journal cannot be read: {why}") },
        };
        self.outputs.push_back(SecondaryOutput::Send(link, body));
    }

    /// A link is gone.
    pub fn link_down(&mut self, link: LinkId) {
        self.reading.remove(&link);
    }

    /// The next thing to carry out.
    pub fn poll_output(&mut self) -> Option<SecondaryOutput> {
        self.outputs.pop_front()
    }

    fn answer_empty(&mut self, now: Now, clock: &OwnClock, link: LinkId, asked: Asked) {
        let Asked { re, after, received } = asked;
        let readings = Readings {
            re,
            node: self.node.clone(),
            journal: self.journal,
            boot: clock.boot(),
            after,
            first: after.next(),
            last: self.last,
            clock: Some(clock.sample(received, now)),
            mark: None,
            pack: Pack::default(),
        };
        self.outputs.push_back(SecondaryOutput::Send(link, Body::Readings(readings)));
    }

    /// Notes each move of a consumer. One that goes back has lost its store, or there are two of one name: the lower
    /// place is what may still be wanted, and retention goes by it.
    pub fn note(&mut self, name: NodeName, taken: Seq) {
        let known = self.consumers.get(&name).copied();
        let is_news = known != Some(taken);
        if is_news && (known.is_some() || self.consumers.len() < CONSUMERS_MAX) {
            self.consumers.insert(name.clone(), taken);
            self.outputs.push_back(SecondaryOutput::NoteConsumer(name, taken));
        }
    }
}

#[cfg(test)]
#[path = "secondary_tests.rs"]
mod tests;
