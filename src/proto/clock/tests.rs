//! What is noted of the own clock, and what exchanges with a peer give: units here, and a property over whole lives.

use proptest::prelude::*;

use super::peer::PeerClock;
use super::*;
use crate::model::{ClockLink, JournalId, WallTime};

const MS: i64 = 1_000;
const SECOND: i64 = 1_000_000;
const TODAY: i64 = 1_763_640_000 * SECOND;

fn now(mono_us: i64, offset_us: i64) -> Now {
    Now { mono: Instant::from_micros(mono_us), wall: WallTime::from_unix_micros(mono_us + offset_us) }
}

fn own() -> OwnClock {
    OwnClock::new(BootId(7))
}

#[test]
fn a_quiet_clock_gives_one_mark_and_no_more() {
    let mut clock = own();
    assert_eq!(clock.observe(now(5, TODAY)).map(|mark| mark.offset_us()), Some(TODAY));
    for second in 1..10_000 {
        // What two looks at two clocks lie apart.
        let jitter = [0, 9 * MS, -9 * MS, 3][second as usize % 4];
        assert_eq!(clock.observe(now(second * SECOND, TODAY + jitter)), None, "{second}");
    }
}

#[test]
fn a_clock_that_is_set_gives_a_mark_with_what_it_shows_from_then_on() {
    let mut clock = own();
    clock.observe(now(0, 0)).unwrap();
    let set = now(20 * SECOND, TODAY);
    let mark = clock.observe(set).unwrap();
    assert_eq!((mark.mono, mark.wall, mark.synced), (set.mono, set.wall, None));
    let back = clock.observe(now(40 * SECOND, TODAY - 11 * MS)).unwrap();
    assert_eq!(back.offset_us(), TODAY - 11 * MS);
    // Small steps add up: the last mark counts, not the last look.
    assert_eq!(clock.observe(now(60 * SECOND, TODAY - 18 * MS)), None);
    assert!(clock.observe(now(80 * SECOND, TODAY - 25 * MS)).is_some());
}

#[test]
fn a_clock_that_is_set_all_the_time_does_not_flood_and_its_last_word_is_kept() {
    let mut clock = own();
    let day = 86_400;
    let marks: Vec<ClockMark> =
        (0..day * 10).filter_map(|tenth| clock.observe(now(tenth * SECOND / 10, tenth * SECOND))).collect();
    assert!((90..120).contains(&marks.len()), "{} marks in a day", marks.len());
    // Then it is quiet, and set once more long after.
    let last = (day * 10 - 1) * SECOND;
    let end = (1..3_000).find_map(|second| clock.observe(now((day + second) * SECOND, last)));
    assert_eq!(end.map(|mark| mark.offset_us()), Some(last));
    assert!(clock.observe(now((day + 9_000) * SECOND, TODAY)).is_some());
    assert!(clock.observe(now((day + 9_001) * SECOND, 0)).is_some(), "short pauses again");
}

#[test]
fn the_swing_of_what_synchronises_a_clock_is_no_news() {
    let mut clock = own();
    let ms = |ms| Some(Duration::from_millis(ms));
    let mut second = 0;
    let mut look = |synced| {
        second += 16;
        clock.set_synced(synced);
        clock.observe(now(second * SECOND, TODAY)).map(|mark| mark.synced)
    };
    assert_eq!(look(None), Some(None), "first sight");
    assert_eq!(look(ms(400)), Some(ms(400)));
    assert_eq!(look(ms(500)), None);
    assert_eq!(look(ms(30)), Some(ms(30)));
    for swing in 0..100 {
        assert_eq!(look(ms(16 + swing * 10)), None);
    }
    assert_eq!(look(None), Some(None), "nothing synchronises it any more");
    assert_eq!(look(ms(500)), Some(ms(500)));
}

#[test]
fn a_synchronised_clock_that_is_set_is_so_no_longer_until_it_is_said_again() {
    let mut clock = own();
    clock.set_synced(Some(Duration::from_millis(5)));
    clock.observe(now(0, TODAY)).unwrap();
    assert_eq!(clock.observe(now(10 * SECOND, 0)).map(|mark| mark.synced), Some(None));
    clock.set_synced(Some(Duration::from_millis(5)));
    let mark = clock.observe(now(26 * SECOND, TODAY + 40 * MS)).unwrap();
    assert_eq!(mark.synced, None, "set again since the last look");
    clock.set_synced(Some(Duration::from_millis(5)));
    assert!(clock.observe(now(42 * SECOND, TODAY + 40 * MS)).unwrap().synced.is_some());
}

#[test]
fn a_synchronised_clock_that_is_no_longer_is_told_even_after_a_second() {
    let mut clock = own();
    clock.observe(now(0, TODAY)).unwrap();
    clock.set_synced(Some(Duration::from_millis(5)));
    assert_eq!(clock.observe(now(SECOND / 2, TODAY)), None, "two marks in a second are too many");
    assert!(clock.observe(now(SECOND, TODAY)).is_some());
    clock.set_synced(None);
    let marks: Vec<i64> = (11..50)
        .filter_map(|tenth| clock.observe(now(tenth * SECOND / 10, TODAY)))
        .map(|mark| mark.mono.as_micros())
        .collect();
    assert_eq!(marks, [3 * SECOND]);
}

const JOURNAL: JournalId = JournalId(1);

fn sample(boot: u128, received: i64, sent: i64) -> ClockSample {
    let mark = ClockMark {
        mono: Instant::from_micros(sent),
        wall: WallTime::from_unix_micros(sent.saturating_add(9 * SECOND)),
        synced: None,
    };
    ClockSample { boot: BootId(boot), received: Instant::from_micros(received), mark }
}

/// Polls at `second` of ours a peer that booted an hour before us; with so long on the way there and back.
fn exchange(peer: &mut PeerClock, second: i64, there: i64, back: i64) -> Option<ClockLink> {
    let (sent, ahead) = (second * SECOND, 3_600 * SECOND);
    let received = sent + there + ahead;
    let clock = sample(1, received, received + 5 * MS);
    let now = sent + there + 5 * MS + back;
    peer.exchange(JOURNAL, Instant::from_micros(sent), &clock, Instant::from_micros(now))
}

#[test]
fn the_first_exchange_gives_a_link_at_once_and_its_error_is_half_the_way() {
    let mut peer = PeerClock::default();
    let link = exchange(&mut peer, 100, 4 * MS, 2 * MS).unwrap();
    assert_eq!(link.boot, BootId(1));
    // Midway by both clocks; what the ways differ by is the true error, half of both what it can be at most.
    let apart_us = link.mono.as_micros() - link.here.as_micros() - 3_600 * SECOND;
    assert_eq!(apart_us, MS);
    assert!((3 * MS..3 * MS + 10).contains(&i64::try_from(link.error.as_micros()).unwrap()), "{link:?}");
    let status = peer.status(now(103 * SECOND, 0));
    assert_eq!(status["round_trip_s"], 0.006);
    // Its wall clock shows 9 s more than its monotonic one; ours the same as ours.
    assert_eq!(status["offset_s"], 3_609.001);
    // A clock in 1970 dates nobody; once ours is set, it does.
    assert_eq!(status["time_source"], "unknown");
    assert_eq!(peer.status(now(103 * SECOND, TODAY))["time_source"], "sink");
    let error_s = status["error_s"].as_f64().unwrap();
    assert!((0.0038..0.0040).contains(&error_s), "older by three seconds, and so less sure: {error_s}");
}

#[test]
fn a_window_keeps_its_quickest_exchange_and_windows_grow() {
    let mut peer = PeerClock::default();
    let mut came = Vec::new();
    for second in 0..2_000 {
        // Every seventh is quick; a poll that waits in a busy link takes long.
        let there = if second % 7 == 3 { MS } else { 300 * MS };
        if let Some(link) = exchange(&mut peer, second, there, MS) {
            came.push((second, link));
        }
    }
    let seconds: Vec<i64> = came.iter().map(|(second, _)| *second).collect();
    assert_eq!(seconds[..8], [0, 1, 4, 8, 16, 32, 64, 128]);
    assert!(seconds.windows(2).all(|pair| pair[1] - pair[0] <= 257), "{seconds:?}");
    assert!(seconds.len() < 20);
    for (second, link) in &came[4..] {
        assert!(link.error < Duration::from_millis(2), "{second}: {link:?}");
    }
    assert!(came.windows(2).all(|pair| pair[0].1.mono < pair[1].1.mono), "in order, and each once");
}

#[test]
fn another_boot_or_journal_is_met_anew_at_once() {
    let mut peer = PeerClock::default();
    let mut ask = |journal, boot, second: i64| {
        let (at, then) = (Instant::from_micros(second * SECOND), Instant::from_micros(second * SECOND + 2));
        peer.exchange(JournalId(journal), at, &sample(boot, 7 + second * SECOND, 8 + second * SECOND), then)
    };
    for second in 0..40 {
        ask(1, 1, second);
    }
    assert_eq!(ask(1, 1, 41), None);
    assert_eq!(ask(1, 2, 42).map(|link| link.boot), Some(BootId(2)));
    assert!(ask(2, 2, 43).is_some(), "another journal has other readings to date");
    assert!(ask(2, 2, 44).is_some(), "windows are short again");
}

#[test]
fn a_peer_that_boots_at_every_answer_does_not_flood() {
    let mut peer = PeerClock::default();
    let links = (0..1_000).filter_map(|tenth: i64| {
        let at = Instant::from_micros(tenth * SECOND / 10);
        peer.exchange(JOURNAL, at, &sample(tenth as u128, 7, 8), at + Duration::from_millis(1))
    });
    assert_eq!(links.count(), 100);
}

#[test]
fn nonsense_is_refused_and_what_follows_is_believed_again() {
    let at = Instant::from_micros;
    for (what, sent, received, replied, now) in [
        ("an answer before the question, here", 500, 100, 100, 400),
        ("an answer before the question, there", 500, 200, 100, 600),
        ("a node that took longer than we waited", 0, 0, 10 * SECOND, 9 * SECOND),
        ("an answer after an hour", 0, 0, 1, 3_600 * SECOND),
        ("numbers beyond all clocks", 0, i64::MIN, i64::MAX, 1),
        ("and these", i64::MIN, 0, 0, i64::MAX),
    ] {
        let mut peer = PeerClock::default();
        assert_eq!(peer.exchange(JOURNAL, at(sent), &sample(1, received, replied), at(now)), None, "{what}");
        assert_eq!(peer.status(Now::default()), Json::Null, "{what}");
    }
    // One wild word among good ones: what it leads to is mended by the next good one.
    let mut peer = PeerClock::default();
    for second in 0..300 {
        exchange(&mut peer, second, MS, MS);
    }
    let wild = sample(1, 1 << 50, (1 << 50) + 5);
    peer.exchange(JOURNAL, at(300 * SECOND), &wild, at(300 * SECOND + MS));
    let offset = |peer: &PeerClock| peer.status(now(302 * SECOND, 0))["offset_s"].as_f64().unwrap();
    assert!(offset(&peer) > 1e6);
    let link = exchange(&mut peer, 302, MS, MS).expect("a link at once");
    assert_eq!(link.mono.as_micros() - link.here.as_micros(), 3_600 * SECOND);
    assert!((offset(&peer) - 3_609.0).abs() < 0.01, "{}", offset(&peer));
}

/// How long a message is on its way: hardly any time, or seconds.
fn way_us() -> impl Strategy<Value = i64> {
    prop_oneof![0_i64..100, 0_i64..2_000_000]
}

proptest! {
    /// Whatever the drift, the ways and the waiting: the two moments of a link lie no further apart than it says.
    #[test]
    fn a_link_is_never_further_off_than_its_error(
        drift_ppm in -250_i64..=250,
        ahead in 0_i64..(1 << 45),
        polls in prop::collection::vec((1_i64..60_000, way_us(), 0_i64..8_000_000, way_us()), 1..60),
    ) {
        let mut peer = PeerClock::default();
        // The peer's clock, in whole microseconds, at a moment of ours.
        let there = |here: i64| ahead + here + (i128::from(here) * i128::from(drift_ppm) / 1_000_000) as i64;
        let mut here = 0;
        let mut met = None;
        for (wait_ms, way, work, back) in polls {
            let sent = here + wait_ms * MS;
            let (received, replied) = (sent + way, sent + way + work);
            here = replied + back;
            let clock = sample(3, there(received), there(replied));
            if let Some(link) = peer.exchange(JOURNAL, Instant::from_micros(sent), &clock, Instant::from_micros(here)) {
                let apart = (link.mono.as_micros() - there(link.here.as_micros())).unsigned_abs();
                prop_assert!(u128::from(apart) <= link.error.as_micros(), "{apart} us apart: {link:?}");
                prop_assert!(met.is_none_or(|before| before < link.mono));
                met = Some(link.mono);
            }
            // And so is what the status says: the peer's wall clock shows 9 s more than its monotonic one.
            let status = peer.status(now(here, 0));
            let offset_us = (status["offset_s"].as_f64().unwrap() - 9.0) * 1e6;
            let error_us = status["error_s"].as_f64().unwrap() * 1e6;
            let true_us = (there(here) - here) as f64;
            prop_assert!((offset_us - true_us).abs() <= error_us + 2.0, "{offset_us} and not {true_us}, {error_us}");
        }
        prop_assert!(met.is_some());
    }
}
