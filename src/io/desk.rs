//! Where samples become readings: each is stamped with the moment, noted for the status, and appended to the journal.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use pisink_sensors::chip::{Fault, Quantity};
use serde_json::{Value as Json, json};

use super::clock;
use super::store_thread::StoreHandle;
use crate::model::{Channel, ErrReason, NodeName, Pack, Value};

/// The newest value and the ERRs of each channel, for the status.
#[derive(Clone, Default)]
pub(crate) struct Board(Arc<Mutex<BTreeMap<Arc<Channel>, Newest>>>);

/// The newest value of a channel, and how many ERRs it has had.
type Newest = (Value, u64);

impl Board {
    fn note(&self, channel: &Arc<Channel>, value: Value) {
        if let Ok(mut channels) = self.0.lock() {
            let entry = channels.entry(Arc::clone(channel)).or_insert((value, 0));
            entry.0 = value;
            entry.1 += u64::from(value.is_err());
        }
    }

    /// These channels are no more.
    pub(super) fn forget<'a>(&self, gone: impl Iterator<Item = &'a Arc<Channel>>) {
        if let Ok(mut channels) = self.0.lock() {
            for channel in gone {
                channels.remove(channel);
            }
        }
    }

    pub(crate) fn to_json(&self) -> Json {
        let Ok(channels) = self.0.lock() else { return Json::Null };
        let channel = |(channel, (value, errors)): (&Arc<Channel>, &Newest)| {
            json!({
                "channel": channel.to_string(),
                "unit": channel.unit,
                "value": value.ok(),
                "err": value.err().map(ErrReason::as_str),
                "errors": errors,
            })
        };
        channels.iter().map(channel).collect()
    }
}

/// Where samples are stamped and handed on.
pub(super) struct Desk {
    pub(super) node: NodeName,
    pub(super) store: StoreHandle,
    pub(super) board: Board,
}

impl Desk {
    pub(super) fn channels(&self, chip: &str, quantities: &[Quantity]) -> Vec<Arc<Channel>> {
        let channel = |quantity: &Quantity| {
            Arc::new(Channel {
                node: self.node.clone(),
                chip: chip.to_owned(),
                quantity: quantity.name.clone(),
                unit: quantity.unit.to_owned(),
            })
        };
        quantities.iter().map(channel).collect()
    }

    /// Stamps the values of one measurement with this moment, and appends them to the journal.
    pub(super) fn take(&self, values: impl Iterator<Item = (Arc<Channel>, Value)>) {
        let now = clock::now();
        let mut pack = Pack::default();
        for (channel, value) in values {
            self.board.note(&channel, value);
            pack.push(&channel, now.wall, now.mono, value);
        }
        if !pack.is_empty() {
            self.store.append(pack);
        }
    }
}

/// What a chip's fault is called in the record.
pub fn reason(fault: Fault) -> ErrReason {
    match fault {
        Fault::Nack => ErrReason::Nack,
        Fault::Timeout => ErrReason::Timeout,
        Fault::Crc => ErrReason::Crc,
        Fault::Range => ErrReason::Range,
        Fault::NotReady => ErrReason::NotReady,
        Fault::Absent => ErrReason::Absent,
        Fault::Stuck => ErrReason::Stuck,
    }
}
