//! Links on which something has begun that has to end: a message, or the close. Whoever dribbles is dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::Instant;
use crate::proto::LinkId;

/// What has begun on a link has to end within this time.
pub(super) const UNFINISHED_MAX: Duration = Duration::from_secs(30);

/// Since when something is unfinished, by link.
#[derive(Debug, Default)]
pub(super) struct Unfinished {
    since: BTreeMap<LinkId, Instant>,
    /// The same, oldest first.
    order: BTreeSet<(Instant, LinkId)>,
}

impl Unfinished {
    /// Something begins on this link now, unless something is unfinished there already.
    pub(super) fn begin(&mut self, link: LinkId, now: Instant) {
        self.since.entry(link).or_insert_with(|| {
            self.order.insert((now, link));
            now
        });
    }

    /// What had begun is over.
    pub(super) fn end(&mut self, link: LinkId) {
        if let Some(since) = self.since.remove(&link) {
            self.order.remove(&(since, link));
        }
    }

    /// When the first link is overdue.
    pub(super) fn due(&self) -> Option<Instant> {
        self.order.first().map(|(since, _)| *since + UNFINISHED_MAX)
    }

    /// A link that is overdue, if any.
    pub(super) fn overdue(&self, now: Instant) -> Option<LinkId> {
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
    fn a_new_beginning_has_its_own_time() {
        let link = LinkId(16);
        let mut unfinished = Unfinished::default();
        for start in 0..100 {
            unfinished.begin(link, second(start));
            assert_eq!(
                unfinished.overdue(second(start + 1)),
                None,
                "each message of a steady stream has its own time"
            );
            unfinished.end(link);
        }
    }
}
