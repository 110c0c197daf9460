//! What has no receipt yet: sent again after a while, as often as its TTL allows, then given up. What could not be sent
//! for want of a link was not sent, and does not count; but it does not wait for ever either.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value as Json;

use crate::model::{Instant, StationMessage};

/// Messages that wait for their receipts; then the oldest is given up.
pub(super) const OUTBOX_MAX: usize = 1_024;
/// How often a message is looked at that cannot be sent, before it is given up: a minute, at five seconds each.
const PATIENCE: u8 = 12;
/// What they hold together, in bytes, nearly.
const OUTBOX_MAX_BYTES: usize = 8 << 20;

#[derive(Debug)]
pub(super) struct Outbox {
    interval: Duration,
    /// In the order in which they were first sent.
    waiting: BTreeMap<u64, Waiting>,
    by_id: BTreeMap<String, u64>,
    due: BTreeSet<(Instant, u64)>,
    next: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    message: StationMessage,
    due: Instant,
    bytes: usize,
    patience: u8,
}

impl Outbox {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            waiting: BTreeMap::new(),
            by_id: BTreeMap::new(),
            due: BTreeSet::new(),
            next: 0,
            bytes: 0,
        }
    }

    /// `message` waits for its receipt from now on. Gives back what has to be given up for it.
    pub(super) fn add(
        &mut self,
        now: Instant,
        mut message: StationMessage,
        is_sent: bool,
    ) -> Vec<StationMessage> {
        message.ttl = message.ttl.saturating_sub(u8::from(is_sent));
        let bytes = size_of::<Waiting>() + message.id.len() + message.to.len() + weight(&message.value);
        let mut given_up = Vec::new();
        while self.waiting.len() >= OUTBOX_MAX || self.bytes + bytes > OUTBOX_MAX_BYTES {
            let Some(oldest) = self.waiting.keys().next().copied() else { break };
            given_up.extend(self.remove(oldest));
        }
        let (number, due) = (self.next, now + self.interval);
        self.next += 1;
        self.by_id.insert(message.id.clone(), number);
        self.due.insert((due, number));
        self.bytes += bytes;
        self.waiting.insert(number, Waiting { message, due, bytes, patience: PATIENCE });
        given_up
    }

    /// A receipt came; the message that it was for, if that still waited.
    pub(super) fn confirm(&mut self, id: &str) -> Option<StationMessage> {
        let number = self.by_id.get(id).copied()?;
        self.remove(number)
    }

    /// When the next one is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// A message that is due: to be sent once more (`Ok`), or given up (`Err`). One that `can_go` nowhere waits on.
    pub(super) fn take_due(
        &mut self,
        now: Instant,
        can_go: impl Fn(&StationMessage) -> bool,
    ) -> Option<Result<StationMessage, StationMessage>> {
        while let Some((_, number)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            let waiting = self.waiting.get_mut(&number)?;
            if waiting.message.ttl == 0 || waiting.patience == 0 {
                return self.remove(number).map(Err);
            }
            if can_go(&waiting.message) {
                return self.again(now, number).map(Ok);
            }
            waiting.patience -= 1;
            self.postpone(now, number);
        }
        None
    }

    /// All that wait and whose recipient `is_meant`, to be sent once more at once, in their order.
    pub(super) fn take_for(
        &mut self,
        now: Instant,
        is_meant: impl Fn(&StationMessage) -> bool,
    ) -> Vec<StationMessage> {
        let meant = self.waiting.iter().filter(|(_, waiting)| is_meant(&waiting.message));
        let numbers: Vec<u64> = meant.map(|(number, _)| *number).collect();
        numbers.into_iter().filter_map(|number| self.again(now, number)).collect()
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    fn again(&mut self, now: Instant, number: u64) -> Option<StationMessage> {
        let waiting = self.waiting.get_mut(&number).filter(|waiting| waiting.message.ttl > 0)?;
        let message = waiting.message.clone();
        waiting.message.ttl -= 1;
        self.postpone(now, number);
        Some(message)
    }

    fn postpone(&mut self, now: Instant, number: u64) {
        if let Some(waiting) = self.waiting.get_mut(&number) {
            self.due.remove(&(waiting.due, number));
            waiting.due = now + self.interval;
            self.due.insert((waiting.due, number));
        }
    }

    fn remove(&mut self, number: u64) -> Option<StationMessage> {
        let Waiting { message, due, bytes, .. } = self.waiting.remove(&number)?;
        self.by_id.remove(&message.id);
        self.due.remove(&(due, number));
        self.bytes -= bytes;
        Some(message)
    }
}

/// About how many bytes a value holds in memory.
fn weight(value: &Json) -> usize {
    let inner = match value {
        Json::String(text) => text.len(),
        Json::Array(list) => list.iter().map(weight).sum(),
        Json::Object(fields) => fields.iter().map(|(key, value)| key.len() + weight(value)).sum(),
        _ => 0,
    };
    size_of::<Json>() + inner
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(5);

    fn message(n: usize, value: Json) -> StationMessage {
        StationMessage::new(format!("a_{n}"), ("a", "b"), "DATA", value)
    }

    fn at(secs: i64) -> Instant {
        Instant::from_micros(secs * 1_000_000)
    }

    #[test]
    fn it_is_sent_as_often_as_its_ttl_says_and_then_given_up() {
        let mut outbox = Outbox::new(INTERVAL);
        assert_eq!(outbox.add(at(0), message(1, Json::Null), true), []);
        assert_eq!((outbox.next_due(), outbox.take_due(at(4), |_| true)), (Some(at(5)), None));
        assert_eq!(outbox.take_due(at(5), |_| true).unwrap().unwrap().ttl, 1, "the second of two");
        assert_eq!(outbox.take_due(at(5), |_| true), None);
        assert_eq!(outbox.take_due(at(10), |_| true).unwrap().unwrap_err().id, "a_1");
        assert_eq!((outbox.len(), outbox.next_due(), outbox.bytes), (0, None, 0));
    }

    #[test]
    fn what_cannot_go_is_not_counted_as_sent_and_waits_a_minute() {
        let mut outbox = Outbox::new(INTERVAL);
        outbox.add(at(0), message(1, Json::Null), false);
        for n in 1..=12 {
            assert_eq!(outbox.take_due(at(5 * n), |_| false), None);
        }
        assert_eq!(outbox.take_for(at(61), |_| true)[0].ttl, 2);
        assert_eq!(outbox.take_due(at(66), |_| false).unwrap().unwrap_err().id, "a_1");
    }

    #[test]
    fn a_receipt_ends_it_once() {
        let mut outbox = Outbox::new(INTERVAL);
        outbox.add(at(0), message(1, Json::Null), true);
        assert_eq!(outbox.confirm("a_2"), None);
        assert_eq!(outbox.confirm("a_1").unwrap().id, "a_1");
        assert_eq!((outbox.confirm("a_1"), outbox.next_due(), outbox.bytes), (None, None, 0));
    }

    #[test]
    fn a_recipient_that_comes_back_gets_all_in_order() {
        let mut outbox = Outbox::new(INTERVAL);
        for n in 0..5 {
            let to = if n == 2 { "c" } else { "b" };
            outbox.add(at(n as i64), StationMessage { to: to.into(), ..message(n, Json::Null) }, true);
        }
        let ids = |messages: Vec<StationMessage>| messages.into_iter().map(|m| m.id).collect::<Vec<_>>();
        assert_eq!(ids(outbox.take_for(at(6), |m| m.to == "b")), ["a_0", "a_1", "a_3", "a_4"]);
        assert_eq!(ids(outbox.take_for(at(6), |m| m.to == "b")), [""; 0], "their TTL is used up");
        assert_eq!(outbox.next_due(), Some(at(7)), "c's is as it was");
    }

    #[test]
    fn what_waits_is_bounded_in_number_and_size() {
        let mut outbox = Outbox::new(INTERVAL);
        let given_up: usize =
            (0..OUTBOX_MAX + 10).map(|n| outbox.add(at(0), message(n, Json::Null), true).len()).sum();
        assert_eq!((given_up, outbox.len()), (10, OUTBOX_MAX));
        let large = Json::from("x".repeat(OUTBOX_MAX_BYTES / 2));
        outbox.add(at(0), message(9_000, large.clone()), true);
        let given_up = outbox.add(at(0), message(9_001, large), true);
        assert_eq!(given_up.last().unwrap().id, "a_9000", "the oldest go first");
        assert!(outbox.bytes <= OUTBOX_MAX_BYTES && outbox.len() == 1);
    }
}
