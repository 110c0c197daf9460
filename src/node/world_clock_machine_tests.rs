//! A machine's clocks as a model: a crystal that drifts, boots that count from their own beginning, and a wall clock
//! that starts wrong, is set, and is synchronised for a while.

use std::time::Duration;

use super::TRUE_START_US;
use crate::model::{BootId, Instant, Now, WallTime};

pub(super) const SECOND: i64 = 1_000_000;
const YEAR: i64 = 365 * 86_400 * SECOND;

/// How far at most the crystals of this world drift from the truth: 200 ppm at a node, 90 ppm at the sink, and so not
/// beyond 300 between the two.
const DRIFT_MAX_PPB: [i64; 2] = [90_000, 200_000];
/// What NTP leaves of it, and has written down for the next boot.
const DISCIPLINED_MAX_PPB: i64 = 1_000;
/// How far an NTP server's word is off at most, and how far a machine says that it may be: what a disciplined crystal
/// drifts in the time of a world is in it.
const SERVER_OFF_MAX_US: i64 = 20_000;
pub(super) const SYNCED: Duration = Duration::from_millis(100);

/// What may happen to a wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeper {
    /// NTP comes and goes.
    Ntp,
    /// NTP from the beginning to the end.
    Steady,
    /// Somebody sets it by hand, more or less rightly.
    Hand,
    /// It is set to any time within twenty years.
    Madness,
    /// Nobody.
    Nobody,
}

/// The clocks of one machine.
#[derive(Debug)]
pub(super) struct Clocks {
    pub(super) keeper: Keeper,
    crystal_ppb: i64,
    rate_ppb: i64,
    /// True time and monotonic time at the beginning of the present rate.
    leg: (i64, i64),
    /// Wall time less monotonic time.
    offset_us: i64,
    pub(super) synced: Option<Duration>,
    boots: u32,
    number: u32,
}

impl Clocks {
    pub(super) fn new(number: u32, keeper: Keeper, rng: &mut fastrand::Rng) -> Self {
        let is_disciplined = matches!(keeper, Keeper::Ntp | Keeper::Steady);
        let drift_max_ppb = DRIFT_MAX_PPB[usize::from(number > 1)];
        let most = if is_disciplined { DISCIPLINED_MAX_PPB } else { drift_max_ppb };
        let crystal_ppb = rng.i64(-most..=most);
        let leg = (TRUE_START_US, 0);
        Self { keeper, crystal_ppb, rate_ppb: crystal_ppb, leg, offset_us: 0, synced: None, boots: 0, number }
    }

    pub(super) fn boot_id(&self) -> BootId {
        BootId(u128::from(self.number) << 32 | u128::from(self.boots))
    }

    /// Begins a boot at the true time `at`. The wall clock begins in 1970, where it was when the power went, nearly
    /// right (a clock chip), or anywhere.
    pub(super) fn boot(&mut self, at: i64, rng: &mut fastrand::Rng) {
        let before = self.wall_us(at);
        self.boots += 1;
        self.rate_ppb = self.crystal_ppb;
        self.leg = (at, rng.i64(SECOND..30 * SECOND));
        self.synced = None;
        let wall_us = match (self.keeper, rng.u8(0..4)) {
            (Keeper::Steady, _) => return self.synchronise(at, rng),
            (Keeper::Nobody, _) | (_, 0) => self.leg.1,
            (_, 1) if self.boots > 1 => before - rng.i64(0..100 * SECOND),
            (Keeper::Madness, _) => at + rng.i64(-20 * YEAR..20 * YEAR),
            _ => at + rng.i64(-2 * SECOND..2 * SECOND),
        };
        self.offset_us = wall_us - self.leg.1;
    }

    /// Something happens to the wall clock.
    pub(super) fn stir(&mut self, at: i64, rng: &mut fastrand::Rng) {
        let wall_us = match (self.keeper, rng.u8(0..4)) {
            (Keeper::Ntp, 0) => {
                self.synced = None;
                return;
            }
            (Keeper::Ntp, _) => return self.synchronise(at, rng),
            (Keeper::Steady | Keeper::Nobody, _) => return,
            (Keeper::Hand, _) => at + rng.i64(-3_600 * SECOND..3_600 * SECOND),
            (Keeper::Madness, 0) => self.wall_us(at) + rng.i64(-SECOND..SECOND),
            (Keeper::Madness, _) => at + rng.i64(-20 * YEAR..20 * YEAR),
        };
        self.synced = None;
        self.offset_us = wall_us - self.mono_us(at);
    }

    fn synchronise(&mut self, at: i64, rng: &mut fastrand::Rng) {
        let mono_us = self.mono_us(at);
        self.leg = (at, mono_us);
        self.rate_ppb = rng.i64(-DISCIPLINED_MAX_PPB..=DISCIPLINED_MAX_PPB);
        self.offset_us = at + rng.i64(-SERVER_OFF_MAX_US..=SERVER_OFF_MAX_US) - mono_us;
        self.synced = Some(SYNCED);
    }

    pub(super) fn mono_us(&self, at: i64) -> i64 {
        let since = i128::from(at - self.leg.0);
        let drift = since * i128::from(self.rate_ppb) / 1_000_000_000;
        self.leg.1 + i64::try_from(since + drift).unwrap()
    }

    fn wall_us(&self, at: i64) -> i64 {
        self.mono_us(at) + self.offset_us
    }

    pub(super) fn now(&self, at: i64) -> Now {
        let wall = WallTime::from_unix_micros(self.wall_us(at));
        Now { mono: Instant::from_micros(self.mono_us(at)), wall }
    }

    /// The first true moment at which the monotonic clock shows `mono` or more.
    pub(super) fn true_us(&self, mono: Instant) -> i64 {
        let since = i128::from(mono.as_micros() - self.leg.1);
        let at = since * 1_000_000_000 / (1_000_000_000 + i128::from(self.rate_ppb));
        let mut at = self.leg.0 + i64::try_from(at).unwrap();
        while self.mono_us(at) < mono.as_micros() {
            at += 1;
        }
        at
    }
}
