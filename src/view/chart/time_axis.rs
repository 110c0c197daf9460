//! The level axis of a panel: wall time in a zone, with ticks where people expect them, from milliseconds to
//! centuries.

use std::ops::Range;

use jiff::civil::{self, Date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged};

use crate::model::WallTime;

/// No axis has more ticks than this.
const TICKS_MAX: i64 = 40;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const MONTH: i64 = 30 * DAY;

/// The distance of two ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// So many microseconds, at most an hour: counted in true time, for every minute has a tick even when a clock is
    /// set back.
    Micros(i64),
    /// So many hours on the wall clock: 6:00 is at 6:00 also on the day on which clocks change.
    Hours(i64),
    /// So many days, from a Monday.
    Days(i64),
    /// So many months.
    Months(i64),
}

impl Step {
    fn micros(self) -> i64 {
        match self {
            Step::Micros(micros) => micros,
            Step::Hours(hours) => hours * HOUR,
            Step::Days(days) => days * DAY,
            Step::Months(months) => months * MONTH,
        }
    }
}

/// Every distance that people count time by.
const STEPS: [Step; 47] = {
    use Step::{Days, Hours, Micros, Months};
    const MILLI: i64 = 1000;
    [
        Micros(MILLI),
        Micros(2 * MILLI),
        Micros(5 * MILLI),
        Micros(10 * MILLI),
        Micros(20 * MILLI),
        Micros(50 * MILLI),
        Micros(100 * MILLI),
        Micros(200 * MILLI),
        Micros(500 * MILLI),
        Micros(SECOND),
        Micros(2 * SECOND),
        Micros(5 * SECOND),
        Micros(10 * SECOND),
        Micros(15 * SECOND),
        Micros(30 * SECOND),
        Micros(MINUTE),
        Micros(2 * MINUTE),
        Micros(5 * MINUTE),
        Micros(10 * MINUTE),
        Micros(15 * MINUTE),
        Micros(30 * MINUTE),
        Micros(HOUR),
        Hours(2),
        Hours(3),
        Hours(6),
        Hours(12),
        Days(1),
        Days(2),
        Days(7),
        Days(14),
        Months(1),
        Months(2),
        Months(3),
        Months(6),
        Months(12),
        Months(2 * 12),
        Months(5 * 12),
        Months(10 * 12),
        Months(20 * 12),
        Months(50 * 12),
        Months(100 * 12),
        Months(200 * 12),
        Months(500 * 12),
        Months(1000 * 12),
        Months(2000 * 12),
        Months(5000 * 12),
        Months(10_000 * 12),
    ]
};

/// A level axis.
#[derive(Clone, Debug)]
pub(super) struct TimeAxis {
    start: WallTime,
    end: WallTime,
    ticks: Vec<(WallTime, String)>,
    label: String,
}

impl TimeAxis {
    /// From `start` to `end`, with at most `ticks_wanted` ticks. Times outside the years that the calendar library
    /// knows (-9999 to 9999) are drawn at its ends.
    pub(super) fn new(start: WallTime, end: WallTime, ticks_wanted: usize, zone: &TimeZone) -> Self {
        let (start, end) = (known(start), known(end));
        let (first, last) = (start.as_unix_micros(), end.as_unix_micros());
        let wanted = i64::try_from(ticks_wanted).unwrap_or(TICKS_MAX).clamp(2, TICKS_MAX);
        let fits = |step: &Step| (last - first) / step.micros() < wanted;
        let step = STEPS.into_iter().find(fits).unwrap_or(Step::Months(10_000 * 12));
        let mut ticks = Vec::new();
        for time in times(first, last, step, zone) {
            ticks.push((WallTime::from_unix_micros(time), tick_label(&zoned(time, zone), step)));
        }
        Self { start, end, ticks, label: axis_label(first, last, step, zone) }
    }

    /// Times and what is written under them.
    pub(super) fn ticks(&self) -> &[(WallTime, String)] {
        &self.ticks
    }

    /// The axis's name: `time (Europe/Berlin) · 2026-01-31`.
    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// The left end.
    pub(super) fn start(&self) -> WallTime {
        self.start
    }

    /// The right end.
    pub(super) fn end(&self) -> WallTime {
        self.end
    }
}

/// plotters' view of the axis.
impl Ranged for TimeAxis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = WallTime;

    fn map(&self, time: &WallTime, limit: (i32, i32)) -> i32 {
        let (start, end) = (self.start.as_unix_micros(), self.end.as_unix_micros());
        let offset = i128::from(time.as_unix_micros().clamp(start, end) - start);
        let width = i128::from(limit.1) - i128::from(limit.0);
        i32::try_from(offset * width / i128::from((end - start).max(1))).unwrap_or(0) + limit.0
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<WallTime> {
        self.ticks.iter().map(|(time, _)| *time).take(hint.max_num_points()).collect()
    }

    fn range(&self) -> Range<WallTime> {
        self.start..self.end
    }
}

/// A day is left free at both ends: within it, every time zone has a calendar date.
fn known(time: WallTime) -> WallTime {
    let least = Timestamp::MIN.as_microsecond() + 2 * DAY;
    let most = Timestamp::MAX.as_microsecond() - 2 * DAY;
    WallTime::from_unix_micros(time.as_unix_micros().clamp(least, most))
}

fn zoned(micros: i64, zone: &TimeZone) -> Zoned {
    Timestamp::from_microsecond(micros).unwrap_or_default().to_zoned(zone.clone())
}

/// The times of the ticks between `first` and `last`.
fn times(first: i64, last: i64, step: Step, zone: &TimeZone) -> Vec<i64> {
    if let Step::Micros(step) = step {
        let offset = i64::from(zoned(first, zone).offset().seconds()) * SECOND;
        let aligned = (first + offset).div_euclid(step) * step - offset;
        let times = (0..=TICKS_MAX + 1).map(|count| aligned + count * step);
        return times.filter(|time| (first..=last).contains(time)).collect();
    }
    let local = zoned(first, zone).datetime();
    let index = match step {
        Step::Months(months) => {
            (i64::from(local.year()) * 12 + i64::from(local.month()) - 1).div_euclid(months)
        }
        Step::Days(days) => (days_since_monday(local.date())).div_euclid(days),
        Step::Hours(_) | Step::Micros(_) => {
            (days_since_monday(local.date()) * 24 + i64::from(local.hour())).div_euclid(step.micros() / HOUR)
        }
    };
    let indices = index..=index + TICKS_MAX + 1;
    let times = indices.filter_map(|index| {
        let local = civil_tick(index, step)?;
        Some(local.to_zoned(zone.clone()).ok()?.timestamp().as_microsecond())
    });
    times.filter(|time| (first..=last).contains(time)).collect()
}

/// The Monday that weeks are counted from.
const MONDAY: Date = civil::date(1970, 1, 5);

fn days_since_monday(date: Date) -> i64 {
    MONDAY.until(date).map_or(0, |span| i64::from(span.get_days()))
}

/// The `index`th tick of a step, on the wall clock.
fn civil_tick(index: i64, step: Step) -> Option<civil::DateTime> {
    match step {
        Step::Months(months) => {
            let months = index * months;
            let year = i16::try_from(months.div_euclid(12)).ok()?;
            let month = i8::try_from(months.rem_euclid(12) + 1).ok()?;
            Some(Date::new(year, month, 1).ok()?.at(0, 0, 0, 0))
        }
        Step::Days(days) => Some(MONDAY.checked_add((index * days).days()).ok()?.at(0, 0, 0, 0)),
        Step::Hours(_) | Step::Micros(_) => {
            MONDAY.at(0, 0, 0, 0).checked_add((index * (step.micros() / HOUR)).hours()).ok()
        }
    }
}

fn tick_label(at: &Zoned, step: Step) -> String {
    let midnight = at.time() == civil::Time::midnight();
    let format = match step {
        Step::Micros(micros) if micros < 10_000 => "%H:%M:%S%.3f",
        Step::Micros(micros) if micros < 100_000 => "%H:%M:%S%.2f",
        Step::Micros(micros) if micros < SECOND => "%H:%M:%S%.1f",
        Step::Micros(micros) if micros < MINUTE => "%H:%M:%S",
        Step::Micros(_) | Step::Hours(_) if !midnight => "%H:%M",
        Step::Micros(_) | Step::Hours(_) | Step::Days(_) => "%-d %b",
        Step::Months(months) if months < 12 => "%b %Y",
        Step::Months(_) => "%Y",
    };
    at.strftime(format).to_string()
}

/// Names the zone, and the days or the years that the ticks do not tell.
fn axis_label(first: i64, last: i64, step: Step, zone: &TimeZone) -> String {
    let (from, to) = (zoned(first, zone), zoned(last, zone));
    let mut label = format!("time ({})", zone_name(zone, &to));
    let (from, to) = match step {
        Step::Micros(_) | Step::Hours(_) => (from.date().to_string(), to.date().to_string()),
        Step::Days(_) => (from.year().to_string(), to.year().to_string()),
        Step::Months(_) => return label,
    };
    label.push_str(" · ");
    label.push_str(&from);
    if to != from {
        label.push_str(" to ");
        label.push_str(&to);
    }
    label
}

/// What a zone is called.
pub(super) fn zone_name(zone: &TimeZone, at: &Zoned) -> String {
    match zone.iana_name() {
        Some(name) => name.to_string(),
        None if zone.is_unknown() => "UTC, as the zone is not known".into(),
        None => format!("UTC{}", at.offset()),
    }
}

#[cfg(test)]
#[path = "time_axis_tests.rs"]
mod tests;
