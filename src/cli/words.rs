//! Sizes and times in words, as people read them.

use std::time::Duration;

const DAY_S: f64 = 86_400.0;

/// `12.3 GB`, in powers of 1000 as on a card's label.
pub(super) fn bytes(count: f64) -> String {
    for (unit, scale) in [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)] {
        if count >= scale {
            return format!("{:.1} {unit}", count / scale);
        }
    }
    format!("{count:.0} bytes")
}

/// `5 hours`, `12 days`, `3 years`: of a span in days, rounded down.
pub(super) fn days(days: f64) -> String {
    const YEAR: f64 = 365.25;
    /// Nobody plans further.
    const LONG_YEARS: f64 = 100.0;
    let (count, unit) = match days {
        days if days >= LONG_YEARS * YEAR => return "more than 100 years".to_owned(),
        days if days >= 2.0 * YEAR => (days / YEAR, "year"),
        days if days >= 2.0 => (days, "day"),
        days => (days * 24.0, "hour"),
    };
    let count = count.floor();
    format!("{count} {unit}{}", if count == 1.0 { "" } else { "s" })
}

/// `35 us`, `3.2 ms`, `1.5 s`, `20 min`, or as days.
pub(super) fn span(span: Duration) -> String {
    match span.as_secs_f64() {
        seconds if seconds < 1e-3 => format!("{:.0} us", seconds * 1e6),
        seconds if seconds < 1.0 => format!("{:.1} ms", seconds * 1e3),
        seconds if seconds < 120.0 => format!("{seconds:.1} s"),
        seconds if seconds < 7_200.0 => format!("{:.0} min", seconds / 60.0),
        seconds => days(seconds / DAY_S),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_fit_the_size() {
        assert_eq!(
            [0.0, 999.0, 1_000.0, 12_345_678_900.0].map(bytes),
            ["0 bytes", "999 bytes", "1.0 kB", "12.3 GB"]
        );
        assert_eq!([0.05, 1.99, 2.0, 800.0].map(days), ["1 hour", "47 hours", "2 days", "2 years"]);
        assert_eq!(days(1e9), "more than 100 years");
        assert_eq!(
            [35e-6, 0.0032, 1.5, 1_200.0, 90_000.0].map(|s| span(Duration::from_secs_f64(s))),
            ["35 us", "3.2 ms", "1.5 s", "20 min", "25 hours"]
        );
    }
}
