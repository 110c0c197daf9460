//! Tests of the store as its users see it, and the helpers that they share.

mod crash;
mod damage;
mod dating;
mod exactly_once;
mod export;
mod full;
mod latest;
mod opening;
mod own;
mod reader;
mod retention;
mod rounds;
mod version_1;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::model::{Channel, ErrReason, Instant, Pack, Readings, Value, WallTime};

/// 2026-01-20T00:00:00Z.
pub(super) const DAY: i64 = 1_768_867_200_000_000;

pub(super) fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

pub(super) fn at_s(seconds: i64) -> WallTime {
    WallTime::from_unix_micros(DAY + seconds * 1_000_000)
}

/// The same moment by the monotonic clock of every node here: they all booted at [`DAY`].
pub(super) fn mono_s(seconds: i64) -> Instant {
    Instant::from_micros(seconds * 1_000_000)
}

pub(super) fn params(node: &str, journal: u64) -> OpenParams {
    OpenParams {
        node: name(node),
        new_journal: JournalId(journal),
        boot: BootId(1),
        now: at_s(0),
        check: Check::Auto,
    }
}

/// Opens the store of node `sink`, which gets journal 0xa.
pub(super) fn open(dir: &Path) -> Store {
    Store::open(dir, &params("sink", 0xa)).unwrap().0
}

pub(super) fn channel(node: &str, quantity: &str) -> Arc<Channel> {
    let unit = if quantity == "temperature" { "Cel" } else { "%RH" };
    Arc::new(Channel {
        node: name(node),
        chip: "sht3x-44".into(),
        quantity: quantity.into(),
        unit: unit.into(),
    })
}

/// What reading `seq` of `journal` is, whoever sends it: every seventh an ERR, in two channels by turns.
pub(super) fn value_at(journal: u64, seq: u64) -> Value {
    if seq.is_multiple_of(7) {
        Err(ErrReason::ALL[usize::try_from(seq % 9).unwrap()])
    } else {
        Ok(journal as f64 * 1000.0 + seq as f64 / 8.0)
    }
}

/// Readings `first..first + len` of a journal, one a second, the first at [`DAY`].
pub(super) fn pack(node: &str, journal: u64, first: u64, len: u64) -> Pack {
    let mut pack = Pack::default();
    for seq in first..first + len {
        let quantity = if seq % 2 == 0 { "temperature" } else { "humidity" };
        let seconds = seq as i64;
        pack.push(&channel(node, quantity), at_s(seconds), mono_s(seconds), value_at(journal, seq));
    }
    pack
}

pub(super) fn piece(node: &str, journal: u64, first: u64, len: u64) -> Readings {
    Readings {
        re: String::new(),
        node: name(node),
        journal: JournalId(journal),
        boot: BootId(7),
        after: Seq(first.saturating_sub(1)),
        first: Seq(first),
        last: Seq(first + len),
        clock: None,
        mark: None,
        pack: pack(node, journal, first, len),
    }
}

/// Appends `len` readings to the own journal 0xa of `sink`.
pub(super) fn append(store: &mut Store, len: u64) -> Seq {
    let first = store.sources.get(OWN).working.taken.next().0;
    store.append(&pack("sink", 0xa, first, len)).unwrap()
}

/// Takes `piece` as the answer to a poll with the cursor `after`.
pub(super) fn take_after(
    store: &mut Store,
    piece: &Readings,
    after: Seq,
    now: WallTime,
) -> Result<Taken, StoreError> {
    store.take(&Readings { after, ..piece.clone() }, now)
}

/// Takes a piece that was asked for with the place before it.
pub(super) fn take(store: &mut Store, node: &str, journal: u64, first: u64, len: u64) -> Taken {
    take_after(store, &piece(node, journal, first, len), Seq(first - 1), at_s(0)).unwrap()
}

/// Everything in the store, as another process would read it: node and journal and seq to value.
pub(super) fn everything(dir: &Path) -> BTreeMap<(String, u64, u64), Value> {
    let mut all = BTreeMap::new();
    let reader = Reader::open(dir).unwrap();
    let count = reader
        .readings(&Filter::default(), |row| {
            let key = (row.channel.node.to_string(), row.journal.0, row.seq.0);
            assert_eq!(all.insert(key, row.value), None, "a reading is there twice");
            assert_eq!(row.value, value_at(row.journal.0, row.seq.0));
            assert_eq!((row.node_time, row.dated.time), (at_s(row.seq.0 as i64), at_s(row.seq.0 as i64)));
            Ok::<_, StoreError>(())
        })
        .unwrap();
    assert_eq!(count, all.len() as u64);
    all
}

/// Spans and readings must say the same: every reading lies in one span, and within its times.
pub(super) fn spans_are_right(store: &Store) {
    let wrong: i64 = store
        .db
        .query_row(
            "SELECT count(*) FROM (
                 SELECT 1 FROM piece WHERE
                     (SELECT count(*) FROM reading WHERE reading.source = piece.source
                      AND seq BETWEEN first_seq AND last_seq) <> last_seq - first_seq + 1
                     OR (SELECT min(mono_us) FROM reading WHERE reading.source = piece.source
                      AND seq BETWEEN first_seq AND last_seq) <> min_mono_us
                     OR (SELECT max(mono_us) FROM reading WHERE reading.source = piece.source
                      AND seq BETWEEN first_seq AND last_seq) <> max_mono_us
                 UNION ALL
                 SELECT 1 FROM reading WHERE (SELECT count(*) FROM piece WHERE piece.source = reading.source
                     AND seq BETWEEN first_seq AND last_seq) <> 1)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(wrong, 0, "spans that do not fit their readings, or readings in no span");
}
