//! What has come already: a message that wants a receipt is sent again until it has one, and is acted upon once. Known
//! are the last messages of each sender by id and time stamp, for one that starts again counts from 0 again; what wants
//! no receipt is never repeated, and need not be remembered.

use std::collections::{BTreeMap, VecDeque};

use crate::model::StationMessage;

/// Messages of one sender that are remembered.
const REMEMBERED_MAX: usize = 256;
/// Senders of whom any are; then the one that has been silent longest is forgotten.
const SENDERS_MAX: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Inbox {
    senders: BTreeMap<String, Sender>,
    heard: u64,
}

#[derive(Debug, Default)]
struct Sender {
    heard: u64,
    /// Ids with their time stamps, the newest last.
    last: VecDeque<(String, String)>,
}

impl Inbox {
    /// Whether this message comes for the first time.
    pub(super) fn is_new(&mut self, message: &StationMessage) -> bool {
        if !message.wants_receipt() {
            return true;
        }
        self.heard += 1;
        let heard = self.heard;
        if !self.senders.contains_key(&message.sender) {
            self.make_room();
        }
        let sender = self.senders.entry(message.sender.clone()).or_default();
        sender.heard = heard;
        let is_it = |(id, timestamp): &(String, String)| *id == message.id && *timestamp == message.timestamp;
        // The one that is repeated is among the last ones.
        if sender.last.iter().rev().any(is_it) {
            return false;
        }
        if sender.last.len() == REMEMBERED_MAX {
            sender.last.pop_front();
        }
        sender.last.push_back((message.id.clone(), message.timestamp.clone()));
        true
    }

    fn make_room(&mut self) {
        if self.senders.len() < SENDERS_MAX {
            return;
        }
        let longest_silent = self.senders.iter().min_by_key(|(_, sender)| sender.heard);
        if let Some(name) = longest_silent.map(|(name, _)| name.clone()) {
            self.senders.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;
    use crate::model::NOREPEAT;

    fn message(sender: &str, n: usize) -> StationMessage {
        let id = format!("{sender}_{n}");
        StationMessage::new(id, (sender, "T"), "DATA", Json::Null)
    }

    #[test]
    fn a_repeat_is_known_and_a_new_life_is_none() {
        let mut inbox = Inbox::default();
        let first = message("cam", 0);
        assert!(inbox.is_new(&first) && !inbox.is_new(&first) && inbox.is_new(&message("mic", 0)));
        let next_life = StationMessage { timestamp: "2026-11-20T10:00:00".into(), ..first.clone() };
        assert!(inbox.is_new(&next_life) && !inbox.is_new(&next_life) && !inbox.is_new(&first));
        let stream = message("cam", 0).flagged(NOREPEAT);
        assert!(inbox.is_new(&stream) && inbox.is_new(&stream));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut inbox = Inbox::default();
        for n in 0..2 * REMEMBERED_MAX {
            assert!(inbox.is_new(&message("cam", n)));
        }
        assert!(inbox.is_new(&message("cam", 0)) && !inbox.is_new(&message("cam", 2 * REMEMBERED_MAX - 1)));
        for n in 0..2 * SENDERS_MAX {
            assert!(inbox.is_new(&message(&format!("s{n}"), 0)));
        }
        assert_eq!(inbox.senders.len(), SENDERS_MAX);
        assert!(!inbox.is_new(&message(&format!("s{}", 2 * SENDERS_MAX - 1), 0)), "the latest are kept");
    }
}
