//! The rules one by one, and whatever clocks do: time never goes back, and no error is larger than it is said to be.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::{BootId, ClockLink, ClockMark};

const S: i64 = 1_000_000;
const MS: i64 = 1_000;
const HOUR: i64 = 3600 * S;
/// 2026-01-20T00:00:00Z.
const DAY: i64 = 1_768_867_200 * S;

fn mark(mono_us: i64, wall_us: i64, synced_us: Option<u64>) -> ClockMark {
    ClockMark {
        mono: Instant::from_micros(mono_us),
        wall: WallTime::from_unix_micros(wall_us),
        synced: synced_us.map(Duration::from_micros),
    }
}

fn link(mono_us: i64, here_us: i64, error_us: i64) -> ClockLink {
    ClockLink {
        boot: BootId(1),
        mono: Instant::from_micros(mono_us),
        here: Instant::from_micros(here_us),
        error: Duration::from_micros(error_us.unsigned_abs()),
    }
}

fn own(marks: &[ClockMark]) -> Vec<Piece> {
    resolve(
        &Knowledge { whose: Whose::ThisMachines, marks: marks.to_vec(), ..Knowledge::default() },
        &BTreeMap::new(),
    )
}

/// Of another machine: its marks, links, and the marks of this machine's boots 1, 2, ...
fn other(marks: &[ClockMark], links: &[(i64, ClockLink)], here: &[&[ClockMark]]) -> Vec<Piece> {
    let here = (1..).zip(here).filter_map(|(boot, marks)| Some((boot, Relation::new(marks)?))).collect();
    resolve(&Knowledge { whose: Whose::ANodes, marks: marks.to_vec(), links: links.to_vec() }, &here)
}

fn at(pieces: &[Piece], mono_us: i64) -> (i64, Option<i64>, TimeSource) {
    let dated = date(pieces, Instant::from_micros(mono_us), WallTime::from_unix_micros(-7));
    let error = dated.error.map(|error| i64::try_from(error.as_micros()).unwrap());
    (dated.time.as_unix_micros(), error, dated.source)
}

/// Pieces follow each other, cover everything, and time never goes back, at their ends and within.
fn assert_sound(pieces: &[Piece]) {
    let Some(first) = pieces.first() else { return };
    assert_eq!(first.from_us, i64::MIN);
    for pair in pieces.windows(2) {
        assert!(pair[0].from_us < pair[1].from_us, "{pair:?}");
        let from_us = pair[1].from_us;
        assert!(pair[0].time_us(from_us) <= pair[1].time_us(from_us), "back at {from_us}: {pair:?}");
    }
    for piece in pieces {
        assert!(piece.rate_ppb >= -1_000_000_000, "{piece:?}");
        let times = [-3, -1, 0, 1, 2, 999, 1000, 1001].map(|away| piece.time_us(piece.mono_us + away));
        assert!(times.is_sorted(), "{piece:?} {times:?}");
    }
}

#[test]
fn a_clock_that_believed_in_1970_is_right_for_the_whole_boot_once_it_is_set() {
    let pieces = own(&[mark(5 * S, 9 * S, None), mark(3 * HOUR, DAY + 3 * HOUR, Some(2000))]);
    assert_eq!(at(&pieces, 4 * HOUR), (DAY + 4 * HOUR, Some(2003), TimeSource::Node));
    // Before, the clock's own drift may have added to the error.
    assert_eq!(at(&pieces, 2 * HOUR), (DAY + 2 * HOUR, Some(2003 + 1_080_000), TimeSource::Node));
    let by_hand = own(&[mark(5 * S, 9 * S, None), mark(HOUR, DAY, None), mark(2 * HOUR, DAY - HOUR, None)]);
    assert_eq!(at(&by_hand, S), (DAY - 3 * HOUR + S, None, TimeSource::Node));
    let never = own(&[mark(5 * S, 9 * S, None), mark(HOUR, HOUR + 8 * S, None)]);
    assert_eq!(at(&never, S), (9 * S, None, TimeSource::Unknown));
    assert_eq!(own(&[]), []);
}

#[test]
fn the_best_counts_then_the_last() {
    // Set by hand, then back in 1970: the setting stays. Synchronised once, then stepped by 20 years: so does NTP.
    let set = own(&[mark(0, DAY, None), mark(HOUR, 0, None)]);
    assert_eq!(at(&set, 2 * HOUR), (DAY + 2 * HOUR, None, TimeSource::Node));
    let synced = own(&[mark(0, DAY, Some(1000)), mark(HOUR, DAY + 20 * 8766 * HOUR, None)]);
    assert_eq!(at(&synced, HOUR), (DAY + HOUR, Some(1003), TimeSource::Node));
    assert_eq!(at(&synced, 2 * HOUR), (DAY + 2 * HOUR, Some(1003 + 1_080_000), TimeSource::Node));
}

#[test]
fn a_clock_that_comes_back_to_ntp_is_right_on_both_sides_and_in_between() {
    // It drifted 0.2 s in an hour without NTP.
    let found = DAY + 2 * HOUR - S / 5;
    for found in [found, DAY + 2 * HOUR + S / 5] {
        let marks =
            [mark(0, DAY, Some(MS as u64)), mark(HOUR, DAY + HOUR, None), mark(2 * HOUR, found, Some(500))];
        let pieces = own(&marks);
        assert_sound(&pieces);
        assert_eq!(at(&pieces, HOUR).0, DAY + HOUR);
        assert_eq!(at(&pieces, 2 * HOUR), (found, Some(503), TimeSource::Node));
        let between = at(&pieces, HOUR + HOUR / 2);
        assert!((between.0 - (DAY + HOUR + (found - DAY - HOUR) / 2)).abs() < 3, "{between:?}");
        assert!(between.1.unwrap() < 3 * MS);
    }
}

#[test]
fn a_slow_exchange_bends_nothing_between_quick_ones() {
    // As an emulated Pi gave them: the first answer took 1.7 s, and told the time wrong by 0.25 s.
    let slow = |mono_us: i64| link(mono_us, mono_us - S / 4, 851 * MS);
    let quick = |mono_us: i64| link(mono_us, mono_us, 3 * MS);
    let links = [(1, slow(64 * S)), (1, quick(74 * S)), (1, quick(119 * S)), (1, slow(128 * S))];
    let pieces = other(&[], &links, &[&[mark(0, DAY, None)]]);
    assert_sound(&pieces);
    for mono_us in [60 * S, 64 * S, 70 * S, 74 * S, 100 * S, 119 * S, 128 * S] {
        let (time_us, error_us, source) = at(&pieces, mono_us);
        assert_eq!((time_us, source), (DAY + mono_us, TimeSource::Sink));
        assert!(error_us.unwrap() <= 3 * MS + 14 * 300 + MS + 9, "{mono_us}: {error_us:?}");
    }
    // Alone, or far from any other, it is better than nothing.
    let far = other(&[], &[(1, slow(64 * S)), (1, quick(3 * HOUR))], &[&[mark(0, DAY, None)]]);
    assert_eq!(at(&far, 64 * S).0, DAY + 64 * S - S / 4);
}

#[test]
fn what_two_synchronised_clocks_say_differently_costs_little() {
    // 40 ms back, while both claim a millisecond: time stands still for a moment, and the days before stay right.
    let marks = [mark(0, DAY, Some(1000)), mark(HOUR, DAY + HOUR - 40 * MS, Some(1000))];
    let pieces = own(&marks);
    assert_sound(&pieces);
    assert_eq!(at(&pieces, S), (DAY + S, Some(1003), TimeSource::Node));
    assert_eq!(at(&pieces, HOUR - 20 * MS).0, DAY + HOUR - 40 * MS);
    assert_eq!(at(&pieces, HOUR + S).0, DAY + HOUR - 40 * MS + S);
    // Ten years back: one was plainly wrong, and the newer is believed.
    let pieces = own(&[mark(0, DAY + 87_660 * HOUR, Some(1000)), mark(HOUR, DAY + HOUR, Some(1000))]);
    assert_sound(&pieces);
    assert_eq!(at(&pieces, S).0, DAY + S);
}

#[test]
fn another_node_is_dated_by_the_best_clock_that_met_it() {
    let synced_node = [mark(0, DAY - S, Some(MS as u64))];
    let unset_node = [mark(0, 100 * S, None)];
    let set_node = [mark(0, DAY - S, None)];
    let sink = |synced| [mark(0, DAY, synced)];
    let unset_sink = [mark(0, 5 * S, None)];
    let links = [(1, link(10 * S, 70 * S, 300))];
    let by_sink = |dated: (i64, Option<i64>, TimeSource), error| {
        assert_eq!(dated, (DAY + 60 * S + 11 * S, Some(error), TimeSource::Sink));
    };
    let second = 300;
    by_sink(at(&other(&synced_node, &links, &[&sink(Some(50))]), 11 * S), 300 + 53 + 3 + second);
    by_sink(at(&other(&synced_node, &links, &[&sink(None)]), 11 * S), 300 + 3 + second);
    by_sink(at(&other(&unset_node, &links, &[&sink(None)]), 11 * S), 300 + 3 + second);
    // A sink that was never set: a node that was synchronised knows better; the others are kept in order with it.
    let dated = at(&other(&synced_node, &links, &[&unset_sink]), 11 * S);
    assert_eq!(dated, (DAY + 10 * S, Some(MS + 3), TimeSource::Node));
    for marks in [&unset_node, &set_node] {
        assert_eq!(at(&other(marks, &links, &[&unset_sink]), 11 * S), (76 * S, None, TimeSource::Unknown));
    }
    // No link: its own clock, and nothing better to say of it.
    assert_eq!(at(&other(&set_node, &[], &[]), 11 * S), (DAY + 10 * S, None, TimeSource::Unknown));
    assert_eq!(at(&other(&unset_node, &[], &[]), 11 * S), (111 * S, None, TimeSource::Unknown));
    assert_eq!(at(&other(&[], &[], &[]), 11 * S), (-7, None, TimeSource::Unknown));
}

#[test]
fn of_a_sink_that_is_not_synchronised_only_the_newest_boot_counts() {
    let links = [(1, link(10 * S, 70 * S, 300)), (2, link(20 * S, 5 * S, 300))];
    let (first, second) = ([mark(0, DAY, None)], [mark(0, DAY + HOUR, None)]);
    assert_eq!(at(&other(&[], &links, &[&first, &second]), 20 * S).0, DAY + HOUR + 5 * S);
    assert_eq!(at(&other(&[], &links, &[&first, &second]), 10 * S).0, DAY + HOUR - 5 * S);
    // A boot that was synchronised is better than a newer one that was not.
    let first = [mark(0, DAY, Some(100))];
    assert_eq!(at(&other(&[], &links, &[&first, &second]), 20 * S).0, DAY + 80 * S);
}

#[test]
fn nothing_panics_at_the_ends_of_numbers() {
    let ends = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX];
    for mono_us in ends {
        for wall_us in ends {
            let marks = [mark(mono_us, wall_us, Some(u64::MAX)), mark(i64::MAX, 0, Some(0))];
            let links = [(1, link(mono_us, wall_us, i64::MIN)), (1, link(i64::MAX, mono_us, 0))];
            for pieces in [own(&marks), other(&marks, &links, &[&marks]), other(&marks, &links, &[])] {
                for mono_us in ends {
                    at(&pieces, mono_us);
                }
            }
        }
    }
}

/// A machine of which the truth is known: a boot, and a crystal.
#[derive(Clone, Copy, Debug)]
struct Machine {
    booted_us: i64,
    drift_ppm: i64,
    /// From here on NTP keeps it at the true rate.
    synced_us: i64,
}

impl Machine {
    fn mono(&self, true_us: i64) -> i64 {
        let slewed = true_us.min(self.synced_us) - self.booted_us;
        true_us - self.booted_us + slewed.max(0) * self.drift_ppm / 1_000_000
    }
}

/// An exchange: when it began, how long each way took, all in microseconds.
type Exchange = (i64, i64, i64);

fn exchange(sink: &Machine, node: &Machine, (began, there, back): Exchange) -> ClockLink {
    let (t1, t2, t4) = (sink.mono(began), node.mono(began + there), sink.mono(began + there + back));
    link(t2, t1.midpoint(t4), (t4 - t1) / 2 + 2)
}

fn exchanges() -> impl Strategy<Value = Vec<Exchange>> {
    let day = 24 * HOUR;
    let one = (0..day, 100..50_000i64, 100..50_000i64);
    let near = (0..600 * S, 100..5_000i64, 100..5_000i64);
    proptest::collection::vec(prop_oneof![one, near], 1..12).prop_map(|mut list| {
        list.sort();
        list.dedup_by_key(|(began, ..)| *began / 200_000);
        list
    })
}

/// A moment, which of three years the clock believes in, how far off it is, and whether something synchronises it.
fn odd_mark() -> impl Strategy<Value = (i64, i64, i64, bool)> {
    (0i64..HOUR, 0i64..3, prop_oneof![-5 * S..5 * S, -20 * S..20 * S], any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn a_node_is_never_further_off_than_is_said(
        links in exchanges(),
        drifts in (-200i64..200, -100i64..100),
        boots in (0i64..10 * HOUR, 0i64..10 * HOUR),
        ntp in (0i64..30 * HOUR, -900i64..900),
        sink_reboots in proptest::option::of(0i64..24 * HOUR),
        probes in proptest::collection::vec(-10 * HOUR..40 * HOUR, 40),
    ) {
        let node = Machine { booted_us: -boots.0, drift_ppm: drifts.0, synced_us: i64::MAX };
        let sink = Machine { booted_us: -boots.1, drift_ppm: drifts.1, synced_us: ntp.0 };
        let reboots_us = sink_reboots.unwrap_or(i64::MAX);
        let again = Machine { booted_us: reboots_us, synced_us: reboots_us.max(ntp.0), ..sink };
        let (before, after): (Vec<_>, Vec<_>) = links.into_iter().partition(|(began, ..)| *began < reboots_us);
        let known: Vec<_> = before.into_iter().map(|each| (1, exchange(&sink, &node, each)))
            .chain(after.into_iter().map(|each| (2, exchange(&again, &node, each)))).collect();
        // Each boot of the sink begins in 1970; NTP comes at some moment, and is off by what it admits.
        let marks = |machine: &Machine| {
            let synced = machine.synced_us;
            [mark(0, 3 * S, None), mark(machine.mono(synced), DAY + synced + ntp.1, Some(900))]
        };
        let mut here = vec![marks(&sink)];
        if sink_reboots.is_some() {
            here.push(marks(&again));
        }
        let here: Vec<&[ClockMark]> = here.iter().map(|marks| &marks[..]).collect();
        let pieces = other(&[mark(0, 7 * S, None)], &known, &here);
        assert_sound(&pieces);
        for true_us in probes.into_iter().filter(|probe| *probe >= node.booted_us) {
            let (time_us, error_us, source) = at(&pieces, node.mono(true_us));
            prop_assert_eq!(source, TimeSource::Sink);
            let off_us = (time_us - DAY - true_us).abs();
            prop_assert!(off_us <= error_us.unwrap(), "off {} us, said {:?}", off_us, error_us);
        }
    }

    #[test]
    fn whatever_clocks_say_time_never_goes_back(
        marks in proptest::collection::vec(odd_mark(), 0..8),
        here in proptest::collection::vec(odd_mark(), 1..8),
        links in proptest::collection::vec((1i64..3, 0i64..HOUR, 0i64..HOUR, 1i64..S), 0..12),
        probes in proptest::collection::vec(-HOUR..3 * HOUR, 60),
    ) {
        let marks_of = |list: Vec<(i64, i64, i64, bool)>| {
            let years = [0, DAY, DAY + 8766 * HOUR];
            let one = |(mono, year, off, synced): (i64, i64, i64, bool)| {
                mark(mono, years[usize::try_from(year).unwrap()] + mono + off, synced.then_some(5_000))
            };
            let mut list: Vec<_> = list.into_iter().map(one).collect();
            list.sort_by_key(|mark| mark.mono);
            list.dedup_by_key(|mark| mark.mono);
            list
        };
        let (marks, here) = (marks_of(marks), marks_of(here));
        let links: Vec<_> = links.into_iter().map(|(boot, mono, at, error)| (boot, link(mono, at, error))).collect();
        for pieces in [own(&marks), other(&marks, &links, &[&here, &marks])] {
            assert_sound(&pieces);
            let mut probes = probes.clone();
            probes.sort_unstable();
            let times: Vec<i64> = probes.iter().map(|mono| at(&pieces, *mono).0).collect();
            prop_assert!(times.is_sorted(), "{:?}", pieces);
        }
    }
}
