//! What every simulated chip is: a [`Twin`] that answers the bytes of a bus as the real part would.
//!
//! A twin is written from the datasheet, not from the driver, and it is strict: a command it does not know is not
//! acknowledged, and a result that is read too early is what the real chip gives too early. It keeps no clock: every
//! transfer brings its own [`Moment`].

use std::time::Duration;

use super::World;

/// A simulated chip at register level, fresh from power-on.
pub trait Twin: Send {
    /// One write transfer as the chip sees it (empty: the address alone).
    fn write(&mut self, bytes: &[u8], at: &Moment<'_>) -> Result<(), TwinError>;

    /// One read transfer: fills the whole buffer.
    fn read(&mut self, buffer: &mut [u8], at: &Moment<'_>) -> Result<(), TwinError>;
}

/// How a chip refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TwinError {
    /// It does not acknowledge: it is busy, or knows no such command.
    #[error("the chip does not acknowledge")]
    Nack,
}

/// When a transfer happens, and the world that the chip stands in.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The time of the transfer.
    pub now: SimTime,
    /// What there is to measure.
    pub world: &'a World,
}

/// A time in microseconds since the Unix epoch, as the caller's clock says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SimTime(i64);

impl SimTime {
    /// `micros` microseconds after the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This time and `span` more; stays at the last time there is.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The time that has passed since `earlier`; nothing if that is still to come.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_add_subtract_and_saturate() {
        let start = SimTime::from_micros(1_000);
        let later = start.plus(Duration::from_millis(2));
        assert_eq!(later.micros(), 3_000);
        assert_eq!(later.since(start), Duration::from_millis(2));
        assert_eq!(start.since(later), Duration::ZERO);
        assert_eq!(start.plus(Duration::MAX).micros(), i64::MAX);
    }
}
