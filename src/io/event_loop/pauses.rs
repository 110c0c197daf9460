//! Links on which a message ends when its sender pauses, as one of the lab's does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::Instant;
use crate::proto::LinkId;

/// When a pause will have been long enough, by link.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    until: BTreeMap<LinkId, Instant>,
    /// The same, the first to be over first.
    order: BTreeSet<(Instant, LinkId)>,
}

impl Pauses {
    /// A link was read: the pause that counts begins now. Without one, no message has begun there.
    pub(super) fn after_read(&mut self, link: LinkId, now: Instant, pause: Option<Duration>) {
        if pause.is_none() && self.until.is_empty() {
            return;
        }
        self.end(link);
        if let Some(pause) = pause {
            self.until.insert(link, now + pause);
            self.order.insert((now + pause, link));
        }
    }

    /// Nothing is waited for any more.
    pub(super) fn end(&mut self, link: LinkId) {
        if let Some(until) = self.until.remove(&link) {
            self.order.remove(&(until, link));
        }
    }

    /// When the first pause is over.
    pub(super) fn due(&self) -> Option<Instant> {
        self.order.first().map(|(until, _)| *until)
    }

    /// A link whose pause is over, which is waited for no longer.
    pub(super) fn take_over(&mut self, now: Instant) -> Option<LinkId> {
        self.due().filter(|due| *due <= now)?;
        let (_, link) = self.order.pop_first()?;
        self.until.remove(&link);
        Some(link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_begins_anew_with_each_read_and_is_over_once() {
        let (one, other, pause) = (LinkId(16), LinkId(17), Some(Duration::from_millis(500)));
        let ms = |ms: i64| Instant::from_micros(ms * 1_000);
        let mut pauses = Pauses::default();
        pauses.after_read(one, ms(0), pause);
        pauses.after_read(other, ms(100), pause);
        pauses.after_read(one, ms(300), pause);
        assert_eq!((pauses.due(), pauses.take_over(ms(599))), (Some(ms(600)), None));
        assert_eq!((pauses.take_over(ms(800)), pauses.take_over(ms(800))), (Some(other), Some(one)));
        pauses.after_read(one, ms(900), pause);
        // What was waited for has come.
        pauses.after_read(one, ms(901), None);
        assert_eq!((pauses.due(), pauses.take_over(ms(9_000))), (None, None));
    }
}
