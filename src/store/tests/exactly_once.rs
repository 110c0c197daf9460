//! Exactly once: the store against a model in plain maps, under duplicates, overlaps, pieces out of order, roll-backs
//! and reopenings; and the single rules one by one.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const NODES: [&str; 2] = ["pi-1", "pi-2"];

#[derive(Clone, Debug)]
enum Step {
    Append(u64),
    /// A piece of journal `journal`, sent by `node`, from `ahead` places after the cursor, asked for with a cursor
    /// `asked` places before its first.
    Take {
        node: usize,
        journal: u64,
        ahead: i64,
        len: u64,
        asked: u64,
    },
    Commit,
    RollBack,
    /// The process dies and starts again.
    Crash,
    /// It ends in order and starts again.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0u64..40).prop_map(Step::Append),
        6 => (0usize..2, 1u64..3, -25i64..4, 0u64..40, 0u64..8)
            .prop_map(|(node, journal, ahead, len, asked)| Step::Take { node, journal, ahead, len, asked }),
        3 => Just(Step::Commit),
        1 => Just(Step::RollBack),
        1 => Just(Step::Crash),
        1 => Just(Step::Restart),
    ]
}

/// What a store must hold: the places of each journal, by the node that they came under, and the cursors.
#[derive(Clone, Debug, Default)]
struct Model {
    held: BTreeMap<(String, u64, u64), Value>,
    cursors: BTreeMap<(String, u64), u64>,
}

impl Model {
    fn cursor(&self, node: &str, journal: u64) -> u64 {
        let own_name = self.cursors.get(&(node.to_string(), journal));
        let any_name =
            || self.cursors.iter().filter(|((_, id), _)| *id == journal).map(|(_, seq)| *seq).max();
        own_name.copied().or_else(any_name).unwrap_or(0)
    }

    fn take(&mut self, node: &str, journal: u64, first: u64, len: u64, after: u64) -> Taken {
        let cursor = self.cursor(node, journal);
        self.cursors.insert((node.to_string(), journal), cursor);
        let mut taken = Taken { new: 0, duplicates: 0, hole: None, early: false, cursor: Seq(cursor) };
        if first > cursor + 1 {
            if after > cursor {
                return Taken { early: true, ..taken };
            }
            taken.hole = Some(SeqRange { first: Seq(cursor + 1), last: Seq(first - 1) });
        }
        for seq in first..first + len {
            if seq <= cursor {
                taken.duplicates += 1;
            } else {
                taken.new += 1;
                self.held.insert((node.to_string(), journal, seq), value_at(journal, seq));
            }
        }
        taken.cursor = Seq(cursor.max(first + len - 1));
        self.cursors.insert((node.to_string(), journal), taken.cursor.0);
        taken
    }

    fn append(&mut self, len: u64) -> u64 {
        let last = self.cursor("sink", 0xa);
        for seq in last + 1..=last + len {
            self.held.insert(("sink".into(), 0xa, seq), value_at(0xa, seq));
        }
        self.cursors.insert(("sink".into(), 0xa), last + len);
        last + len
    }
}

fn agree(store: &mut Store, dir: &Path, model: &Model) {
    assert_eq!(everything(dir), model.held);
    spans_are_right(store);
    for ((node, journal), seq) in &model.cursors {
        assert_eq!(store.cursor(&name(node), JournalId(*journal)).unwrap().0, *seq, "cursor of {node}");
    }
    assert_eq!(store.own().last.0, model.cursor("sink", 0xa));
    let own: Vec<u64> = model.held.keys().filter(|key| key.1 == 0xa).map(|key| key.2).collect();
    let piece = store.read_own(Seq::ZERO, READ_OWN_MAX).unwrap();
    assert_eq!(piece.pack.len(), own.len());
    assert_eq!(piece.first, Seq(1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_the_model(steps in proptest::collection::vec(step(), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path());
        let mut working = Model::default();
        working.append(0);
        let mut committed = working.clone();
        for step in steps {
            match step {
                Step::Append(len) => prop_assert_eq!(append(&mut store, len).0, working.append(len)),
                Step::Take { node, journal, ahead, len, asked } => {
                    let node = NODES[node];
                    let first = working.cursor(node, journal).saturating_add_signed(ahead + 1).max(1);
                    let after = first.saturating_sub(1 + asked);
                    let taken = take_after(&mut store, &piece(node, journal, first, len), Seq(after), at_s(0)).unwrap();
                    prop_assert_eq!(taken, working.take(node, journal, first, len, after));
                }
                Step::Commit => {
                    let done = store.commit().unwrap();
                    for cursor in done.cursors {
                        prop_assert_eq!(working.cursor(cursor.node.as_str(), cursor.journal.0), cursor.seq.0);
                    }
                    committed = working.clone();
                    agree(&mut store, dir.path(), &committed);
                }
                Step::RollBack => {
                    store.roll_back();
                    working = committed.clone();
                    agree(&mut store, dir.path(), &committed);
                }
                Step::Crash => {
                    drop(store);
                    store = open(dir.path());
                    working = committed.clone();
                    agree(&mut store, dir.path(), &committed);
                }
                Step::Restart => {
                    store.close().unwrap();
                    store = open(dir.path());
                    committed = working.clone();
                    agree(&mut store, dir.path(), &committed);
                }
            }
        }
    }
}

#[test]
fn what_is_not_committed_is_not_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    append(&mut store, 5);
    assert_eq!(take(&mut store, "pi-1", 1, 1, 5).cursor, Seq(5));
    assert_eq!(store.own().last, Seq::ZERO);
    assert_eq!(store.cursor(&name("pi-1"), JournalId(1)).unwrap(), Seq::ZERO);
    assert!(store.read_own(Seq::ZERO, 10).unwrap().pack.is_empty());

    let done = store.commit().unwrap();
    assert_eq!(done.own, Seq(5));
    let told: Vec<_> = done.cursors.iter().map(|cursor| (cursor.node.as_str(), cursor.seq.0)).collect();
    assert_eq!(told, [("sink", 5), ("pi-1", 5)]);
    assert_eq!(store.commit().unwrap().cursors, []);
}

#[test]
fn a_piece_beyond_what_was_undone_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    take(&mut store, "pi-1", 1, 1, 10);
    store.commit().unwrap();
    take(&mut store, "pi-1", 1, 11, 10);
    store.roll_back();
    // The next piece was already on its way, asked for with cursor 20. Taken, it would leave 11 to 20 out for ever.
    let next = take(&mut store, "pi-1", 1, 21, 10);
    assert_eq!(next, Taken { new: 0, duplicates: 0, hole: None, early: true, cursor: Seq(10) });
    // Asked for with 10 and beginning at 21 it says that the source has no 11 to 20 any more.
    let later = take_after(&mut store, &piece("pi-1", 1, 21, 10), Seq(10), at_s(3)).unwrap();
    assert_eq!(later.hole, Some(SeqRange { first: Seq(11), last: Seq(20) }));
    assert_eq!((later.new, later.cursor), (10, Seq(30)));
    store.commit().unwrap();
    let stats = Reader::open(dir.path()).unwrap().stats().unwrap();
    assert_eq!((stats.sources[0].missing, stats.sources[0].readings), (10, 20));
    // The readings that seemed lost come after all: too late, and not twice.
    assert_eq!(take(&mut store, "pi-1", 1, 11, 10).duplicates, 10);
}

#[test]
fn one_name_with_two_journals_is_two_sources() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    take(&mut store, "pi-1", 1, 1, 9);
    assert_eq!(take(&mut store, "pi-1", 2, 1, 4).new, 4);
    store.commit().unwrap();
    assert_eq!(everything(dir.path()).len(), 13);
    let sources = store.sources().unwrap();
    let list: Vec<_> = sources.iter().map(|s| (s.node.as_str(), s.journal.0, s.own, s.cursor.0)).collect();
    assert_eq!(list, [("pi-1", 1, false, 9), ("pi-1", 2, false, 4), ("sink", 0xa, true, 0)]);
}

#[test]
fn a_renamed_node_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    take(&mut store, "pi-1", 1, 1, 9);
    store.commit().unwrap();
    assert_eq!(store.cursor(&name("shed"), JournalId(1)).unwrap(), Seq(9));
    let taken = take(&mut store, "shed", 1, 8, 4);
    assert_eq!((taken.duplicates, taken.new, taken.cursor), (2, 2, Seq(11)));
    store.commit().unwrap();
    assert_eq!(everything(dir.path()).len(), 11);
}

#[test]
fn what_cannot_be_is_refused_and_undoes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    append(&mut store, 3);
    let refused = |result: Result<Taken, StoreError>, word: &str| {
        let error = result.unwrap_err();
        assert!(error.is_refusal() && error.to_string().contains(word), "{error}");
    };
    let mut stray = piece("pi-1", 1, 1, 3);
    stray.pack.channels.pop();
    refused(take_after(&mut store, &stray, Seq::ZERO, at_s(0)), "channel 1");
    refused(take_after(&mut store, &piece("pi-1", 0xa, 1, 3), Seq::ZERO, at_s(0)), "own");
    let mut zero = piece("pi-1", 1, 1, 3);
    zero.first = Seq::ZERO;
    refused(take_after(&mut store, &zero, Seq::ZERO, at_s(0)), "begin at 1");
    zero.first = Seq(u64::MAX);
    refused(take_after(&mut store, &zero, Seq::ZERO, at_s(0)), "beyond");
    store.commit().unwrap();
    assert_eq!(everything(dir.path()).len(), 3);
}

#[test]
fn a_number_that_is_none_is_kept_as_err() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let mut own = pack("sink", 0xa, 1, 2);
    own.readings[0].value = Ok(f64::NAN);
    own.readings[1].value = Ok(f64::INFINITY);
    store.append(&own).unwrap();
    store.commit().unwrap();
    let values: Vec<_> =
        store.read_own(Seq::ZERO, 9).unwrap().pack.readings.iter().map(|r| r.value).collect();
    assert_eq!(values, [Err(ErrReason::Range), Err(ErrReason::Range)]);
}
