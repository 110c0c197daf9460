//! One of those before a standby in the order of sinks: the link to it, and what it says.

use std::time::Duration;

use crate::model::{Instant, NodeName, SinkPart};
use crate::proto::{Backoff, LinkId};

/// Where the link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No link; the next try is at this time.
    Down { retry_at: Instant },
    /// A connection is under way, for this long at most.
    Connecting { until: Instant },
    /// The link stands: the question that waits for its answer, and until when it may; and when to ask the next.
    Up { link: LinkId, asked: Option<(u64, Instant)>, ask_at: Instant },
}

#[derive(Debug)]
pub(super) struct Before {
    pub(super) address: String,
    pub(super) node: Option<NodeName>,
    pub(super) state: State,
    /// Since when each of its answers knew of one who collects, without a break in the link.
    pub(super) steady_since: Option<Instant>,
    /// What is odd about its answers, as told.
    pub(super) finding: Option<String>,
    /// Its last answer; none is left of a link that is gone.
    part: Option<SinkPart>,
    has_answered: bool,
    backoff: Backoff,
}

impl Before {
    /// To be connected to at `now`. `pace` is the seed for the jitter, and the time from one question to the next.
    pub(super) fn new(
        address: String,
        node: Option<NodeName>,
        now: Instant,
        (seed, interval): (u64, Duration),
    ) -> Self {
        Self {
            address,
            node,
            state: State::Down { retry_at: now },
            steady_since: None,
            finding: None,
            part: None,
            has_answered: false,
            backoff: Backoff::new(seed, interval, 1),
        }
    }

    pub(super) fn link(&self) -> Option<LinkId> {
        match self.state {
            State::Up { link, .. } => Some(link),
            _ => None,
        }
    }

    /// What it said last on this link.
    pub(super) fn part(&self) -> Option<SinkPart> {
        self.part
    }

    /// What the status says of it.
    pub(super) fn word(&self) -> &'static str {
        match (self.part, self.has_answered) {
            (Some(part), _) => part.as_str(),
            (None, true) => "no sink",
            (None, false) => "silent",
        }
    }

    /// When its state asks for attention by itself.
    pub(super) fn deadline(&self) -> Instant {
        match self.state {
            State::Down { retry_at } => retry_at,
            State::Connecting { until } => until,
            State::Up { asked: Some((_, silent_at)), .. } => silent_at,
            State::Up { asked: None, ask_at, .. } => ask_at,
        }
    }

    /// Whether this is the answer that it owes; it owes none any more.
    pub(super) fn answered(&mut self, id: &str) -> bool {
        let State::Up { asked, .. } = &mut self.state else { return false };
        asked.take_if(|(asked, _)| id.parse() == Ok(*asked)).is_some()
    }

    /// It said so; `None` when it has no place before this standby. Whether that is news.
    pub(super) fn hear(&mut self, now: Instant, part: Option<SinkPart>) -> bool {
        self.backoff.reset();
        let is_news = !std::mem::replace(&mut self.has_answered, true) || self.part != part;
        self.part = part;
        match part {
            Some(part) if part.knows_of_sink() => self.steady_since = self.steady_since.or(Some(now)),
            _ => self.steady_since = None,
        }
        is_news
    }

    /// Its link is gone, or did not come about. Whether that is the first failure after an answer.
    pub(super) fn lose(&mut self, now: Instant) -> bool {
        (self.part, self.steady_since, self.has_answered) = (None, None, false);
        self.state = State::Down { retry_at: now + self.backoff.next_delay() };
        self.backoff.failures() == 1
    }
}
