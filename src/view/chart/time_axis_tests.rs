use proptest::prelude::*;

use super::*;

/// Central Europe by its rule, which needs no time zone database on the machine.
fn berlin() -> TimeZone {
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
}

/// From a civil time in `zone`, over so many seconds.
fn axis(from: &str, seconds: i64, ticks: usize, zone: &TimeZone) -> TimeAxis {
    let from: civil::DateTime = from.parse().unwrap();
    let start = from.to_zoned(zone.clone()).unwrap().timestamp().as_microsecond();
    let time = WallTime::from_unix_micros;
    TimeAxis::new(time(start), time(start + seconds * SECOND), ticks, zone)
}

fn labels(axis: &TimeAxis) -> String {
    axis.ticks().iter().map(|(_, label)| label.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn ticks_stand_where_people_expect_them() {
    let utc = TimeZone::UTC;
    for (from, seconds, expected) in [
        ("2026-01-31T10:15:02.3", 1, "10:15:02.4 10:15:02.6 10:15:02.8 10:15:03.0 10:15:03.2"),
        ("2026-01-31T10:15:02.3", 10, "10:15:04 10:15:06 10:15:08 10:15:10 10:15:12"),
        ("2026-01-31T10:15:02", 300, "10:16 10:17 10:18 10:19 10:20"),
        ("2026-01-31T10:15:02", 7200, "10:30 11:00 11:30 12:00"),
        ("2026-01-31T11:00", 86_400, "12:00 18:00 1 Feb 06:00"),
        ("2026-01-28T11:00", 5 * 86_400, "29 Jan 30 Jan 31 Jan 1 Feb 2 Feb"),
        ("2026-01-10T11:00", 30 * 86_400, "12 Jan 19 Jan 26 Jan 2 Feb 9 Feb"),
        ("2025-11-10T11:00", 150 * 86_400, "Dec 2025 Jan 2026 Feb 2026 Mar 2026 Apr 2026"),
        ("2020-11-10T11:00", 5 * 365 * 86_400, "2021 2022 2023 2024 2025"),
    ] {
        assert_eq!(labels(&axis(from, seconds, 6, &utc)), expected, "{from} + {seconds} s");
    }
}

#[test]
fn ticks_are_local_also_when_clocks_change() {
    let zone = berlin();
    // In the night of 2026-03-29 the hour from 2 to 3 does not exist; six-hour ticks stay on the wall clock.
    let spring = axis("2026-03-28T18:00", 86_400, 6, &zone);
    assert_eq!(labels(&spring), "18:00 29 Mar 06:00 12:00 18:00");
    let micros = |at: usize| spring.ticks()[at].0.as_unix_micros();
    assert_eq!(micros(2) - micros(1), 5 * HOUR, "from midnight to six that night");
    // On 2026-10-25 the hour from 2 to 3 comes twice, and has its ticks twice.
    let autumn = axis("2026-10-25T01:00", 4 * 3600, 6, &zone);
    assert_eq!(labels(&autumn), "01:00 02:00 02:00 03:00 04:00");
}

#[test]
fn the_axis_names_its_zone_and_the_day() {
    let new_york = TimeZone::fixed(jiff::tz::offset(-5));
    assert_eq!(axis("2026-01-31T10:00", 60, 6, &TimeZone::UTC).label(), "time (UTC) · 2026-01-31");
    assert_eq!(axis("2026-01-31T10:00", 60, 6, &new_york).label(), "time (UTC-05) · 2026-01-31");
    assert_eq!(
        axis("2026-01-31T23:00", 7200, 6, &TimeZone::UTC).label(),
        "time (UTC) · 2026-01-31 to 2026-02-01"
    );
    assert_eq!(axis("2025-12-20T10:00", 20 * 86_400, 6, &TimeZone::UTC).label(), "time (UTC) · 2025 to 2026");
    assert_eq!(axis("2020-12-20T10:00", 900 * 86_400, 6, &TimeZone::UTC).label(), "time (UTC)");
    if let Ok(zone) = TimeZone::get("Europe/Berlin") {
        assert_eq!(axis("2026-01-31T10:00", 60, 6, &zone).label(), "time (Europe/Berlin) · 2026-01-31");
    }
}

#[test]
fn a_quarter_hour_zone_has_round_ticks() {
    let kathmandu = TimeZone::fixed(jiff::tz::Offset::from_seconds(5 * 3600 + 45 * 60).unwrap());
    assert_eq!(labels(&axis("2026-01-31T10:00", 3600, 5, &kathmandu)), "10:00 10:15 10:30 10:45 11:00");
}

proptest! {
    /// Whatever two times come, even those that no calendar knows: few ticks, in order, within the axis.
    #[test]
    fn any_two_times_have_an_axis(
        a in any::<i64>(),
        span in prop_oneof![0_i64..100 * DAY, any::<i64>()],
        wanted in 0_usize..60,
    ) {
        let time = WallTime::from_unix_micros;
        let b = a.saturating_add(span.saturating_abs());
        let axis = TimeAxis::new(time(a), time(b), wanted, &berlin());
        prop_assert!(axis.ticks().len() <= 42);
        let in_order = axis.ticks().windows(2).all(|pair| pair[0].0 < pair[1].0);
        prop_assert!(in_order, "{:?}", axis.ticks());
        for (tick, _) in axis.ticks() {
            prop_assert!((axis.start()..=axis.end()).contains(tick));
        }
        for end in [a, b] {
            prop_assert!((0..=1000).contains(&axis.map(&time(end), (0, 1000))));
        }
    }
}
