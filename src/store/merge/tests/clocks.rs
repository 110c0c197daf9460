//! Times after a merge are the times before it: wherever one sink alone dated a boot, exactly; where both did, by the
//! better clock, and never further off than is said.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::{BootId, ClockLink, ClockMark, Dated, Readings, TimeSource};

/// How good a sink's clock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Clock {
    Unset,
    /// Set, and wrong by so many seconds.
    Wrong(i64),
    /// Synchronised, and off by so many microseconds, which it admits.
    Synced(i64),
}

/// A sink that booted at second `booted` of the day.
#[derive(Clone, Copy, Debug)]
struct Sink {
    number: u64,
    booted: i64,
    clock: Clock,
}

/// A node, whose clock begins in 1970 with its boot at second `booted` of the day.
#[derive(Clone, Copy, Debug)]
struct Node {
    number: u64,
    booted: i64,
}

const NODES: [Node; 3] =
    [Node { number: 1, booted: 40 }, Node { number: 2, booted: 70 }, Node { number: 3, booted: 20 }];

impl Node {
    fn name(&self) -> String {
        format!("pi-{}", self.number)
    }
}

impl Sink {
    fn open(&self, dir: &Path) -> Store {
        let boot = BootId(100 + u128::from(self.number));
        let own = OpenParams { boot, ..params(&format!("sink-{}", self.number), 0xa0 + self.number) };
        let mut store = Store::open(dir, &own).unwrap().0;
        let mono = mono_s(10);
        let truth = at_s(10 + self.booted);
        let (wall, synced) = match self.clock {
            Clock::Unset => (WallTime::from_unix_micros(10_000_000), None),
            Clock::Wrong(seconds) => (at_s(10 + self.booted + seconds), None),
            Clock::Synced(us) => (
                WallTime::from_unix_micros(truth.as_unix_micros() + us),
                Some(Duration::from_micros(us.unsigned_abs())),
            ),
        };
        store.note_mark(&ClockMark { mono, wall, synced }).unwrap();
        let mut own = pack(&format!("sink-{}", self.number), 0xa0 + self.number, 1, 5);
        own.readings
            .iter_mut()
            .for_each(|reading| reading.time = WallTime::from_unix_micros(reading.mono.as_micros()));
        store.append(&own).unwrap();
        store
    }

    /// Meets a node's clock at its seconds `met`, 1 ms too late and admitting 2.
    fn meet(&self, store: &mut Store, node: &Node, met: &[i64]) {
        for second in met {
            let here = mono_s(second + node.booted - self.booted) + Duration::from_millis(1);
            let boot = BootId(u128::from(node.number));
            let link = ClockLink { boot, mono: mono_s(*second), here, error: Duration::from_millis(2) };
            store.note_link(&name(&node.name()), JournalId(node.number), &link).unwrap();
        }
    }

    fn take(&self, store: &mut Store, node: &Node, first: u64, len: u64) {
        let boot = BootId(u128::from(node.number));
        let mut piece = Readings { boot, ..piece(&node.name(), node.number, first, len) };
        for reading in &mut piece.pack.readings {
            reading.time = WallTime::from_unix_micros(reading.mono.as_micros());
        }
        take_after(store, &piece, Seq::ZERO, at_s(0)).unwrap();
        store.commit().unwrap();
    }
}

/// The date of each reading, by journal and place.
fn dates(dir: &Path) -> BTreeMap<(u64, u64), Dated> {
    let mut dates = BTreeMap::new();
    let each = |row: &crate::store::ExportRow<'_>| {
        dates.insert((row.journal.0, row.seq.0), row.dated);
        Ok::<_, StoreError>(())
    };
    Reader::open(dir).unwrap().readings(&Filter::default(), each).unwrap();
    dates
}

fn clock() -> impl Strategy<Value = Clock> {
    prop_oneof![
        Just(Clock::Unset),
        prop_oneof![Just(-600i64), Just(7200)].prop_map(Clock::Wrong),
        (-5000i64..5000).prop_map(Clock::Synced),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn times_are_as_good_as_before(clocks in (clock(), clock()), booted in (0i64..15, 0i64..15)) {
        let root = tempfile::tempdir().unwrap();
        let sinks = [
            Sink { number: 1, booted: booted.0, clock: clocks.0 },
            Sink { number: 2, booted: booted.1, clock: clocks.1 },
        ];
        let [alone_1, alone_2, both] = NODES;
        let dir = |name: &str| root.path().join(name);
        for (sink, alone, met, first) in [(sinks[0], alone_1, [3, 900], 1), (sinks[1], alone_2, [1000, 2400], 21)] {
            let mut store = sink.open(&dir(&sink.number.to_string()));
            sink.meet(&mut store, &alone, &[5, 700]);
            sink.take(&mut store, &alone, 1, 30);
            sink.meet(&mut store, &both, &met);
            sink.take(&mut store, &both, first, 20);
            store.close().unwrap();
        }
        let before = [dates(&dir("1")), dates(&dir("2"))];
        let mut after = Vec::new();
        for (into, order) in [("12", ["1", "2"]), ("21", ["2", "1"])] {
            let mut store = open_into(&dir(into));
            order.iter().for_each(|from| drop(merge(&mut store, &dir(from))));
            is_right(&store);
            after.push(dates(&dir(into)));
        }
        prop_assert_eq!(&after[0], &after[1], "in whatever order");
        let after = &after[0];
        prop_assert_eq!(after.len(), 5 + 5 + 30 + 30 + 40);
        for (at, before) in before.iter().enumerate() {
            for (key, dated) in before.iter().filter(|((journal, _), _)| *journal != both.number) {
                prop_assert_eq!(&after[key], dated, "{:?} of sink {}", key, at + 1);
            }
        }
        // The node that both met: by the better clock, or by the one that met it last.
        let synced = clocks.0.max(clocks.1);
        for seq in 1..=40u64 {
            let dated = after[&(both.number, seq)];
            let truth_us = at_s(seq as i64 + both.booted).as_unix_micros();
            let off_us = dated.time.as_unix_micros() - truth_us;
            match synced {
                Clock::Synced(_) => {
                    prop_assert_eq!(dated.source, TimeSource::Sink);
                    let error_us = i64::try_from(dated.error.unwrap().as_micros()).unwrap();
                    prop_assert!(off_us.abs() <= error_us, "off by {} us, said {}", off_us, error_us);
                    prop_assert!(error_us < 1_200_000, "and not just by saying nothing: {}", error_us);
                }
                Clock::Wrong(_) => {
                    let by = if matches!(clocks.1, Clock::Wrong(_)) { clocks.1 } else { clocks.0 };
                    let Clock::Wrong(seconds) = by else { panic!("one of them is") };
                    prop_assert!((off_us - seconds * 1_000_000).abs() < 1_200_000, "{}", off_us);
                    prop_assert_eq!(dated.source, TimeSource::Sink);
                }
                Clock::Unset => prop_assert_eq!(dated.source, TimeSource::Unknown),
            }
        }
    }
}

#[test]
fn what_becomes_known_of_another_sinks_clock_dates_what_it_collected() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sink = Sink { number: 2, booted: 0, clock: Clock::Unset };
    let mut from = sink.open(b.path());
    sink.meet(&mut from, &NODES[0], &[5]);
    sink.take(&mut from, &NODES[0], 1, 30);
    let mut into = make(a.path(), "sink", 0xa);
    merge(&mut into, b.path());
    assert!(dates(a.path()).values().all(|dated| dated.source == TimeSource::Unknown));
    // The standby is synchronised later in that boot, and is merged again.
    let synced = Some(Duration::from_millis(1));
    from.note_mark(&ClockMark { mono: mono_s(900), wall: at_s(900), synced }).unwrap();
    from.commit().unwrap();
    merge(&mut into, b.path());
    for ((journal, seq), dated) in dates(a.path()) {
        let booted = if journal == 1 { NODES[0].booted } else { 0 };
        let off_us = dated.time.as_unix_micros() - at_s(seq as i64 + booted).as_unix_micros();
        assert!(
            dated.error.unwrap().as_micros() >= u128::from(off_us.unsigned_abs()),
            "{journal} {seq} {dated:?}"
        );
    }
    // Its own clock dates its own readings, and what it collected stays dated when its readings are dropped here.
    let days = crate::store::Retention { max_bytes: Some(0), sink: true, ..Default::default() };
    into.retain(&days, at_s(9_000)).unwrap();
    into.db
        .execute("DELETE FROM reading WHERE source = (SELECT id FROM source WHERE node = 'sink-2')", [])
        .unwrap();
    into.db.execute("UPDATE boot SET stale = 1", []).unwrap();
    into.close().unwrap();
    let mut into = make(a.path(), "sink", 0xa);
    let source: i64 =
        into.db.query_row("SELECT id FROM source WHERE node = 'sink-2'", [], |row| row.get(0)).unwrap();
    into.forget_gone_boots(source).unwrap();
    into.commit().unwrap();
    assert!(dates(a.path()).values().all(|dated| dated.source == TimeSource::Sink));
}

#[test]
fn marks_of_two_observers_are_what_one_would_have_kept() {
    let mark = |mono, off_us: i64, synced_ms: Option<u64>| ClockMark {
        mono: mono_s(mono),
        wall: WallTime::from_unix_micros(at_s(mono).as_unix_micros() + off_us),
        synced: synced_ms.map(Duration::from_millis),
    };
    let union = super::super::clocks::union;
    let (early, late) = ([mark(5, 0, None), mark(50, 0, Some(8))], [mark(9, 900, None), mark(90, 0, None)]);
    let both = [early[0], early[1], late[1]];
    // It is no longer synchronised, of which the other has heard; that it was read 0.9 ms later says nothing.
    assert_eq!((union(&early, &late), union(&late, &early)), (both.to_vec(), both.to_vec()));
    assert_eq!((union(&both, &late), union(&early, &[])), (both.to_vec(), early.to_vec()));
    assert_eq!(union(&[], &late), late.to_vec());
    // A larger error that a node remembers counts from there on.
    let worse = [mark(70, 0, Some(20))];
    assert_eq!(union(&early, &worse), [early[0], early[1], worse[0]]);
    // Of one moment, what was synchronised.
    assert_eq!(union(&[mark(5, 0, None)], &[mark(5, 0, Some(3))]), [mark(5, 0, Some(3))]);
}
