//! How a node is, as it tells those who ask.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{Node, zre};
use crate::model::Now;

impl Node {
    /// How it is, as a `STATUS` answer says it.
    pub fn status(&self, now: Now) -> Json {
        let consumers: BTreeMap<&str, u64> =
            self.secondary.consumers().iter().map(|(name, seq)| (name.as_str(), seq.0)).collect();
        let mut status = json!({
            "node": self.name.as_str(),
            "role": self.duty.name(),
            "version": env!("CARGO_PKG_VERSION"),
            "journal": self.journal.to_string(),
            "boot": self.clock.boot().to_string(),
            "last": self.secondary.last().0,
            "up_s": now.mono.saturating_since(self.began_at).as_secs(),
            "clock": self.clock.status(now),
            "consumers": consumers,
            "foreign": self.guests.status(),
            "lab": self.lab.status(now),
        });
        if let (Some(fields), Some(part)) = (status.as_object_mut(), &self.zre) {
            fields.insert("zre".to_owned(), zre::status(part, now));
        }
        if let (Some(fields), Some(part)) = (status.as_object_mut(), &self.station) {
            fields.insert("autopilot".to_owned(), part.machine.status());
        }
        if let Some(fields) = status.as_object_mut() {
            fields.extend(self.duty.status(now).into_iter().map(|(key, said)| (key.to_owned(), said)));
        }
        status
    }
}
