//! A look into stores, through the library's own reader.

use std::collections::BTreeMap;
use std::path::Path;

use pisink::model::{JournalId, NodeName};
use pisink::store::{Filter, Reader, StoreError};

/// One reading as a store has it. Two are equal only if every bit of them is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) channel: String,
    pub(crate) unit: String,
    pub(crate) time_us: i64,
    pub(crate) mono_us: i64,
    /// The value's bits, or the reason why there is none.
    pub(crate) value: Result<u64, &'static str>,
}

/// Every reading of a store by journal and place. A place that is there twice ends the test.
pub(crate) fn rows(data: &Path) -> BTreeMap<(JournalId, u64), Row> {
    let mut rows = BTreeMap::new();
    let collect = |row: &pisink::store::ExportRow<'_>| {
        let value = row.value.map(f64::to_bits).map_err(|reason| reason.as_str());
        let (time_us, mono_us) = (row.node_time.as_unix_micros(), row.mono.as_micros());
        let unit = row.channel.unit.clone();
        let said = Row { channel: row.channel.to_string(), unit, time_us, mono_us, value };
        let before = rows.insert((row.journal, row.seq.0), said);
        assert_eq!(before, None, "{} {} is there twice", row.journal, row.seq);
        Ok::<_, StoreError>(())
    };
    Reader::open(data).unwrap().readings(&Filter::default(), collect).unwrap();
    rows
}

/// The readings of one journal in a store, by place.
pub(crate) fn journal_of(data: &Path, journal: JournalId) -> BTreeMap<u64, Row> {
    rows(data).into_iter().filter(|((of, _), _)| *of == journal).map(|((_, seq), row)| (seq, row)).collect()
}

/// The id of a node's own journal, in its own store.
pub(crate) fn own_journal(data: &Path) -> JournalId {
    let stats = Reader::open(data).unwrap().stats().unwrap();
    stats.sources.iter().find(|source| source.own).unwrap().journal
}

/// The readings of a node's own journal, in its own store.
pub(crate) fn own_rows(data: &Path) -> BTreeMap<u64, Row> {
    journal_of(data, own_journal(data))
}

/// How far a store holds a journal.
pub(crate) fn cursor_of(data: &Path, journal: JournalId) -> u64 {
    let stats = Reader::open(data).unwrap().stats().unwrap();
    let cursors =
        stats.sources.iter().filter(|source| source.journal == journal).map(|source| source.cursor.0);
    cursors.max().unwrap_or(0)
}

/// The node names under which a store holds a journal.
pub(crate) fn names_of(data: &Path, journal: JournalId) -> Vec<NodeName> {
    let stats = Reader::open(data).unwrap().stats().unwrap();
    stats.sources.into_iter().filter(|source| source.journal == journal).map(|source| source.node).collect()
}

/// The sink has every reading of the node's journal up to its cursor exactly once, and each as the node has it.
/// Returns how many those are.
pub(crate) fn assert_collected(sink: &Path, node: &Path) -> u64 {
    let journal = own_journal(node);
    let (cursor, theirs, ours) = (cursor_of(sink, journal), own_rows(node), journal_of(sink, journal));
    assert_eq!(ours.len() as u64, cursor, "journal {journal}: one reading for each place up to the cursor");
    for (seq, row) in &ours {
        assert_eq!(Some(row), theirs.get(seq), "journal {journal}, place {seq}");
    }
    cursor
}
