//! Whatever overlapping stores are merged, in whatever order: every reading once, no cursor beyond what is missing, and
//! a sink that goes on polling gets the rest.

use proptest::prelude::*;

use super::*;
use crate::model::Value;

/// The last place that each node has.
const LAST: u64 = 60;

const NODES: [&str; 3] = ["pi-1", "pi-2", "pi-3"];

/// What a store is given: of which node, from which place, how many readings; how many are its own; and whether it
/// forgets why some are missing.
type Given = (Vec<(usize, u64, u64)>, u64, bool);

fn given() -> impl Strategy<Value = Given> {
    let one = (0usize..3, 1..LAST, 1u64..30);
    (proptest::collection::vec(one, 0..6), 0u64..30, any::<bool>())
}

/// Builds the store; its own node is `sink-N` with journal 0xa0 + N.
fn build(dir: &Path, number: u64, (pieces, own, forgets): &Given) {
    let (node, journal) = (format!("sink-{number}"), 0xa0 + number);
    let mut store = make(dir, &node, journal);
    for (node, first, len) in pieces {
        give(&mut store, NODES[*node], *node as u64 + 1, *first, (*len).min(LAST + 1 - first));
    }
    store.append(&pack(&node, journal, 1, *own)).unwrap();
    if *forgets {
        forget_gone(&store);
    }
    store.close().unwrap();
}

type Everything = BTreeMap<(String, u64, u64), Value>;

fn merged(dir: &Path, from: &[&Path]) -> (Everything, Store) {
    let mut into = open_into(dir);
    for from in from {
        let total =
            into.merge(&Reader::open(from).unwrap(), at_s(9), &mut |told| assert!(told.done <= told.total));
        assert_eq!(total.unwrap().counts().2, 0);
        is_right(&into);
    }
    (everything(dir), into)
}

/// No place up to the cursor is missing without a reason; the first after it is neither held nor gone.
fn cursors_are_right(store: &Store, from: &[&Path]) {
    for (at, node) in NODES.iter().enumerate() {
        let journal = at as u64 + 1;
        let cursor = cursor(store, node, journal);
        let mut settled = places(store, journal);
        for gone in snapshot::gone(&store.db, source_row(store, journal)).unwrap() {
            settled.extend(gone.first.unsigned_abs()..=gone.last.unsigned_abs());
        }
        // The beginning is where the first store that knew of it began.
        let begins = from.iter().find_map(|dir| {
            let list = snapshot::journals(&Reader::open(dir).unwrap().db).unwrap();
            list.iter()
                .find(|listed| listed.journal.0 == journal)
                .map(|listed| listed.begins_after.unsigned_abs())
        });
        let begins = begins.unwrap_or(0);
        assert!(
            (begins + 1..=cursor).all(|place| settled.contains(&place)),
            "{node}: {cursor} of {settled:?}"
        );
        assert!(!settled.contains(&(cursor + 1)), "{node}: it could be more than {cursor}: {settled:?}");
    }
}

fn source_row(store: &Store, journal: u64) -> i64 {
    let sql = "SELECT coalesce(max(id), 0) FROM source WHERE journal = ?1";
    store.db.query_row(sql, [JournalId(journal).to_string()], |row| row.get(0)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn merged_stores_are_the_union(stores in proptest::collection::vec(given(), 3), polls in 1u64..25) {
        let root = tempfile::tempdir().unwrap();
        let dir = |name: &str| root.path().join(name);
        let mut want = Everything::new();
        for (number, given) in stores.iter().enumerate() {
            let from = dir(&number.to_string());
            build(&from, number as u64, given);
            want.extend(everything(&from));
        }
        let [a, b, c] = [dir("0"), dir("1"), dir("2")];
        for (name, order) in [("abc", [&a, &b, &c]), ("cba", [&c, &b, &a]), ("bac", [&b, &a, &c])] {
            let order = order.map(std::path::PathBuf::as_path);
            let (all, mut store) = merged(&dir(name), &order);
            prop_assert_eq!(&all, &want, "{}", name);
            cursors_are_right(&store, &order);
            let before = dump(&store);
            for from in order {
                let again = merge(&mut store, from);
                prop_assert_eq!((again.counts().0, again.rounds), (0, 0));
            }
            prop_assert_eq!(&dump(&store), &before, "twice is once");
            // A store that had something before, and its sink at work.
            let mut into = make(&dir(&format!("into-{name}")), "into", 0xd);
            give(&mut into, "pi-1", 1, 1, 5);
            into.append(&pack("into", 0xd, 1, 7)).unwrap();
            into.commit().unwrap();
            let mut all = everything(&dir(&format!("into-{name}")));
            all.extend(want.clone());
            order.iter().for_each(|from| drop(merge(&mut into, from)));
            prop_assert_eq!(&everything(&dir(&format!("into-{name}"))), &all);
            is_right(&into);
            for (at, node) in NODES.iter().enumerate() {
                let journal = at as u64 + 1;
                loop {
                    let after = cursor(&into, node, journal);
                    if after >= LAST { break }
                    let len = polls.min(LAST - after);
                    let taken = take(&mut into, node, journal, after + 1, len);
                    prop_assert!(!taken.early && taken.hole.is_none() && taken.new + taken.duplicates == len);
                    into.commit().unwrap();
                    for seq in after + 1..=after + len {
                        all.insert((node.to_string(), journal, seq), value_at(journal, seq));
                    }
                    is_right(&into);
                }
                prop_assert_eq!(cursor(&into, node, journal), LAST);
            }
            prop_assert_eq!(&everything(&dir(&format!("into-{name}"))), &all);
        }
    }

    #[test]
    fn a_merge_that_is_killed_anywhere_is_run_again(from in given(), into in given()) {
        let root = tempfile::tempdir().unwrap();
        let dir = |name: &str| root.path().join(name);
        build(&dir("from"), 0, &from);
        build(&dir("into"), 1, &into);
        let mut want = everything(&dir("into"));
        want.extend(everything(&dir("from")));
        let mut store = open_into(&dir("into"));
        // The files as they would be found after a kill at that moment.
        let mut kills = 0;
        let copy = |to: &Path| {
            std::fs::create_dir_all(to).unwrap();
            for suffix in ["", "-wal"] {
                let file = format!("{FILE_NAME}{suffix}");
                std::fs::copy(dir("into").join(&file), to.join(&file)).unwrap();
            }
        };
        let reader = Reader::open(&dir("from")).unwrap();
        store.merge(&reader, at_s(9), &mut |_| {
            kills += 1;
            copy(&dir(&format!("killed-{kills}")));
        }).unwrap();
        let whole = dump(&store);
        for kill in 1..=kills {
            let killed = dir(&format!("killed-{kill}"));
            let mut store = open_into(&killed);
            is_right(&store);
            let held: BTreeSet<_> = everything(&killed).into_keys().collect();
            prop_assert!(held.iter().all(|key| want.contains_key(key)));
            merge(&mut store, &dir("from"));
            is_right(&store);
            prop_assert_eq!(&everything(&killed), &want);
            for (at, node) in NODES.iter().enumerate() {
                let journal = at as u64 + 1;
                prop_assert_eq!(cursor(&store, node, journal), {
                    let line = whole.iter().find(|line| line.starts_with(node)).cloned().unwrap_or_default();
                    let after = format!("{node}{}0", JournalId(journal));
                    line.strip_prefix(&after).and_then(|taken| taken.parse().ok()).unwrap_or(0)
                });
            }
        }
    }
}
