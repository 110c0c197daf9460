//! Times and durations as they stand in fault lists, logs and replay commands: short, exact, and read back as they were
//! written.

use std::fmt;
use std::time::Duration;

/// Units, the largest first, with their microseconds.
const UNITS: [(&str, u64); 5] =
    [("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1)];

/// A duration in the largest unit that says it exactly, with up to three decimals: `90s`, `250ms`, `1.5s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short(pub Duration);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX);
        if micros == 0 {
            return f.pad("0s");
        }
        let fits = UNITS.iter().find(|(_, unit)| micros.is_multiple_of(*unit));
        let (name, unit) = fits.copied().unwrap_or(("us", 1));
        // `90s` and `1500ms` are read more easily than `1.5m` and `1.5s`: no decimals are written.
        f.pad(&format!("{}{name}", micros / unit))
    }
}

/// Reads a duration: a number, which may have decimals, and a unit (`h`, `m`, `s`, `ms`, `us`).
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time; write it like 500ms, 90s, 10m or 1.5h");
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let (_, micros) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(part) || part.len() > 9 {
        return Err(wrong());
    }
    let whole = whole.parse::<u64>().ok().and_then(|count| count.checked_mul(*micros)).ok_or_else(wrong)?;
    let part = if part.is_empty() {
        0
    } else {
        let scale = 10_u128.pow(u32::try_from(part.len()).unwrap_or(0));
        let count = part.parse::<u128>().map_err(|_| wrong())?;
        u64::try_from(count * u128::from(*micros) / scale).map_err(|_| wrong())?
    };
    whole.checked_add(part).map(Duration::from_micros).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_they_are_written() {
        for (text, micros) in [
            ("0s", 0),
            ("90s", 90_000_000),
            ("250ms", 250_000),
            ("7us", 7),
            ("3h", 10_800_000_000),
            ("2m", 120_000_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_micros(micros)), "{text}");
            assert_eq!(
                duration(&Short(Duration::from_micros(micros)).to_string()),
                Ok(Duration::from_micros(micros))
            );
        }
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1_500)));
        assert_eq!(Short(Duration::from_millis(90_000)).to_string(), "90s");
        for wrong in ["", "s", "5", "-1s", "1.s.", "fast", "99999999999999999h", "1d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
