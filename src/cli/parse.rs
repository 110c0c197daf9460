//! Words for durations, sizes and times, as people type them.

use std::time::Duration;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, SpanRelativeTo, Timestamp};

use crate::model::WallTime;

/// `500ms`, `1s`, `2m`, `1h 30m`, `30d`: more than zero.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration; write it like 500ms, 1s, 10m, 1h or 30d");
    let span: Span = text.trim().parse().map_err(|_| wrong())?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
    Duration::try_from(duration).ok().filter(|duration| !duration.is_zero()).ok_or_else(wrong)
}

/// `800k`, `64M`, `2G` (powers of 1000), or a number of bytes.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size; write it like 500M or 2G");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default().to_ascii_lowercase();
    let scale: u64 = match unit.trim_end_matches('b') {
        "" => 1,
        "k" => 1_000,
        "m" => 1_000_000,
        "g" => 1_000_000_000,
        "t" => 1_000_000_000_000,
        _ => return Err(wrong()),
    };
    let count: u64 = digits.trim().parse().map_err(|_| wrong())?;
    count.checked_mul(scale).filter(|bytes| *bytes > 0).ok_or_else(wrong)
}

/// RFC 3339, or a date with or without a time of day in the local zone.
pub(super) fn time(text: &str) -> Result<WallTime, String> {
    let local =
        |date_time: DateTime| date_time.to_zoned(TimeZone::system()).ok().map(|zoned| zoned.timestamp());
    let found = text
        .parse::<Timestamp>()
        .ok()
        .or_else(|| text.parse::<DateTime>().ok().and_then(local))
        .or_else(|| text.parse::<Date>().ok().and_then(|date| local(date.at(0, 0, 0, 0))));
    found.map(|timestamp| WallTime::from_unix_micros(timestamp.as_microsecond())).ok_or_else(|| {
        format!("{text:?} is no time; write it like 2026-01-31, 2026-01-31T08:30 or 2026-01-31T07:30:00Z")
    })
}

/// The one of `known` that is nearest to `word`, if any is near.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const NEAR: f64 = 0.7;
    let rate = |candidate: &'a str| (strsim::jaro_winkler(word, candidate), candidate);
    let best = known.into_iter().map(rate).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= NEAR).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, ms) in [("500ms", 500), ("1s", 1_000), ("1h 30m", 5_400_000), ("30d", 2_592_000_000_u64)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for wrong in ["", "1", "0s", "-1s", "fast", "1y"] {
            assert!(duration(wrong).unwrap_err().contains("500ms"), "{wrong}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes("64M"), Ok(64_000_000));
        assert_eq!(bytes("2GB"), Ok(2_000_000_000));
        assert_eq!(bytes("123"), Ok(123));
        for wrong in ["", "M", "1x", "-1", "0", "99999999999T"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times() {
        assert_eq!(time("1970-01-01T00:00:01Z"), Ok(WallTime::from_unix_micros(1_000_000)));
        assert!(time("2026-01-31").is_ok() && time("2026-01-31T08:30").is_ok());
        assert!(time("yesterday").unwrap_err().contains("2026-01-31"));
    }

    #[test]
    fn near_words() {
        assert_eq!(nearest("intervall", ["interval", "deadline"]), Some("interval"));
        assert_eq!(nearest("zzz", ["interval", "deadline"]), None);
    }
}
