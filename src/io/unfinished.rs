//! Links on which something has begun that has to end: a message, or the close. Whoever dribbles is dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::Instant;
use crate::proto::LinkId;

/// What has begun on a link has to end within this time.
pub(crate) const UNFINISHED_MAX: Duration = Duration::from_secs(30);

/// Since when something is unfinished, by link.
#[derive(Debug)]
pub(crate) struct Unfinished {
    limit: Duration,
    since: BTreeMap<LinkId, Instant>,
    /// The same, oldest first.
    order: BTreeSet<(Instant, LinkId)>,
}

impl Default for Unfinished {
    fn default() -> Self {
        Self::within(UNFINISHED_MAX)
    }
}

impl Unfinished {
    /// What has begun has to end within `limit`.
    pub(crate) fn within(limit: Duration) -> Self {
        Self { limit, since: BTreeMap::new(), order: BTreeSet::new() }
    }

    /// Something begins on this link now, unless something is unfinished there already.
    pub(crate) fn begin(&mut self, link: LinkId, now: Instant) {
        self.since.entry(link).or_insert_with(|| {
            self.order.insert((now, link));
            now
        });
    }

    /// A link was read. A message that came whole ends what had begun; what came after it is a new beginning, however
    /// long the link has been in the middle of one message or another.
    pub(crate) fn after_read(&mut self, link: LinkId, now: Instant, brought_message: bool, is_partial: bool) {
        if brought_message || !is_partial {
            self.end(link);
        }
        if is_partial {
            self.begin(link, now);
        }
    }

    /// What had begun is over.
    pub(crate) fn end(&mut self, link: LinkId) {
        if let Some(since) = self.since.remove(&link) {
            self.order.remove(&(since, link));
        }
    }

    /// When the first link is overdue.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.order.first().map(|(since, _)| *since + self.limit)
    }

    /// A link that is overdue, if any.
    pub(crate) fn overdue(&self, now: Instant) -> Option<LinkId> {
        self.due().filter(|due| *due <= now)?;
        self.order.first().map(|(_, link)| *link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(seconds: i64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn who_dribbles_is_overdue_and_who_ends_is_not() {
        let (slow, quick) = (LinkId(16), LinkId(17));
        let mut unfinished = Unfinished::default();
        assert_eq!((unfinished.due(), unfinished.overdue(second(1_000))), (None, None));
        unfinished.begin(slow, second(0));
        unfinished.begin(quick, second(1));
        // More bytes of the same message give no more time.
        unfinished.begin(slow, second(29));
        unfinished.end(quick);
        assert_eq!((unfinished.due(), unfinished.overdue(second(29))), (Some(second(30)), None));
        assert_eq!(unfinished.overdue(second(30)), Some(slow));
        unfinished.end(slow);
        assert_eq!((unfinished.due(), unfinished.overdue(second(1_000))), (None, None));
    }

    #[test]
    fn a_steady_stream_that_is_always_in_the_middle_of_a_message_is_none_of_those() {
        let link = LinkId(16);
        let mut unfinished = Unfinished::default();
        for now in 0..100 {
            unfinished.after_read(link, second(now), true, true);
            assert_eq!(unfinished.overdue(second(now + 29)), None);
        }
        for now in 100..130 {
            unfinished.after_read(link, second(now), false, true);
        }
        assert_eq!(unfinished.overdue(second(129)), Some(link), "bytes without an end give no more time");
        unfinished.after_read(link, second(129), true, false);
        assert_eq!(unfinished.due(), None);
    }
}
