//! The newest reading of each channel, as those who ask for it get it.

use serde_json::{Value as Json, json};

use super::{StoreReply, Worker};
use crate::model::ErrReason;
use crate::node::Asker;
use crate::store::LatestReading;

impl Worker {
    /// Answers who asked.
    pub(super) fn tell_latest(&mut self, asker: Asker, id: String) {
        let latest = self.store.latest();
        if let Err(error) = &latest
            && error.is_damage()
        {
            self.fail(error);
        }
        let latest = latest.map(|list| list.iter().map(to_json).collect()).map_err(|error| error.to_string());
        self.reply(StoreReply::Latest { asker, id, latest });
    }
}

fn to_json(reading: &LatestReading) -> Json {
    let LatestReading { channel, time, value } = reading;
    let mut fields = json!({
        "node": channel.node.as_str(),
        "chip": channel.chip,
        "quantity": channel.quantity,
        "unit": channel.unit,
        "time": time.to_string(),
    });
    let (name, said) = match value {
        Ok(value) => ("value", json!(value)),
        Err(reason) => ("err", json!(ErrReason::as_str(*reason))),
    };
    fields[name] = said;
    fields
}
