//! What a node says of its clocks, as JSON: `clock` beside an answer, `mark` beside readings of an earlier boot.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{BootId, ClockMark, ClockSample, Instant, WallTime};

/// No clock shows so much: 142 years, in microseconds. Leaves room for sums.
const TIME_MAX_US: i64 = 1 << 52;

/// A [`ClockSample`] on the wire.
#[derive(Deserialize, Serialize)]
pub(super) struct RawClock {
    boot: String,
    received_us: i64,
    sent_us: i64,
    wall_us: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    synced_us: Option<i64>,
}

/// A [`ClockMark`] on the wire.
#[derive(Deserialize, Serialize)]
pub(super) struct RawMark {
    mono_us: i64,
    wall_us: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    synced_us: Option<i64>,
}

impl RawClock {
    pub(super) fn check(&self) -> Result<ClockSample, String> {
        let boot: BootId = self.boot.parse().map_err(|e| format!("clock: boot: {e}"))?;
        let received = instant("clock: received_us", self.received_us)?;
        let mark = mark("clock: ", ("sent_us", self.sent_us), self.wall_us, self.synced_us)?;
        if mark.mono < received {
            return Err("clock: sent_us comes before received_us".to_owned());
        }
        Ok(ClockSample { boot, received, mark })
    }
}

impl From<&ClockSample> for RawClock {
    fn from(sample: &ClockSample) -> Self {
        let ClockSample { boot, received, mark } = sample;
        let RawMark { mono_us: sent_us, wall_us, synced_us } = mark.into();
        Self { boot: boot.to_string(), received_us: received.as_micros(), sent_us, wall_us, synced_us }
    }
}

impl RawMark {
    pub(super) fn check(&self) -> Result<ClockMark, String> {
        mark("mark: ", ("mono_us", self.mono_us), self.wall_us, self.synced_us)
    }
}

impl From<&ClockMark> for RawMark {
    fn from(mark: &ClockMark) -> Self {
        Self {
            mono_us: mark.mono.as_micros(),
            wall_us: mark.wall.as_unix_micros(),
            synced_us: mark.synced.map(|error| i64::try_from(error.as_micros()).unwrap_or(i64::MAX)),
        }
    }
}

fn mark(of: &str, mono: (&str, i64), wall_us: i64, synced_us: Option<i64>) -> Result<ClockMark, String> {
    let mono = instant(&format!("{of}{}", mono.0), mono.1)?;
    if wall_us.abs() > TIME_MAX_US {
        return Err(format!("{of}wall_us: {wall_us} is no time that a clock shows"));
    }
    let error = |us: i64| u64::try_from(us).map(Duration::from_micros);
    let synced = synced_us.map(error).transpose().map_err(|_| format!("{of}synced_us is below zero"))?;
    Ok(ClockMark { mono, wall: WallTime::from_unix_micros(wall_us), synced })
}

fn instant(name: &str, micros: i64) -> Result<Instant, String> {
    if (0..=TIME_MAX_US).contains(&micros) {
        Ok(Instant::from_micros(micros))
    } else {
        Err(format!("{name}: {micros} is no time since a boot"))
    }
}
