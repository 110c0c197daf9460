//! The clocks of one polled peer: each poll and its answer give the four times by which NTP estimates an offset, here
//! between the two monotonic clocks, which nobody sets. The best exchange of a window becomes a [`ClockLink`]. It
//! believes nothing that cannot be: what a peer says of its clocks may be wrong, or made up.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::model::{
    BootId, CLOCK_IS_SET_FROM, ClockLink, ClockMark, ClockSample, Instant, JournalId, Now, TimeSource,
};

/// How far the rates of two machines' monotonic clocks lie apart at most, in millionths: crystals are within 100, and
/// whatever synchronises a clock may turn its rate for a while.
const DRIFT_MAX_PPM: i64 = 300;
/// What two stamps in whole microseconds leave open.
const GRANULARITY_US: i64 = 2;
/// An answer that took longer says nothing of clocks any more.
const EXCHANGE_MAX: Duration = Duration::from_secs(600);
/// The first exchange gives a link at once; then the best of each window does. Windows double, so that a boot is met
/// often at its beginning and a few hundred times a day later.
const WINDOW_MIN: Duration = Duration::from_secs(1);
const WINDOW_MAX: Duration = Duration::from_secs(256);
/// A clock that is away from where it must be by more than this, and by more than a hundredth of the time that has
/// passed, has not drifted: it is another clock.
const JUMP_MIN_US: i64 = 100_000;

/// One exchange, measured.
#[derive(Clone, Copy, Debug)]
struct Exchange {
    link: ClockLink,
    round_trip: Duration,
}

/// What is known of the clocks of one boot of a peer.
#[derive(Clone, Copy, Debug)]
struct Met {
    journal: JournalId,
    /// When its last answer left, by its own clock.
    sent: Instant,
    /// What its wall clock showed then.
    mark: ClockMark,
    /// The exchange by which its clock is known best at present.
    best: Exchange,
    /// The best one of the open window.
    candidate: Option<ClockLink>,
    window: Duration,
    window_ends_at: Instant,
}

/// The clocks of a polled peer.
#[derive(Clone, Debug, Default)]
pub(in crate::proto) struct PeerClock {
    met: Option<Met>,
    /// No two links come in less than [`WINDOW_MIN`], whatever the peer says.
    next_link_at: Option<Instant>,
}

impl PeerClock {
    /// A poll that was handed out at `sent` is answered `now`; the answer names `journal` and says `clock`. A link when
    /// there is one to be kept.
    pub(in crate::proto) fn exchange(
        &mut self,
        journal: JournalId,
        sent: Instant,
        clock: &ClockSample,
        now: Instant,
    ) -> Option<ClockLink> {
        let exchange = Exchange::measure(sent, clock, now)?;
        match &mut self.met {
            Some(met) if met.goes_on(journal, clock, &exchange) => met.take(clock, exchange),
            _ => self.met = Some(Met::begin(journal, clock, exchange, now)),
        }
        if self.next_link_at.is_some_and(|at| now < at) {
            return None;
        }
        let link = self.met.as_mut()?.end_window(now)?;
        self.next_link_at = Some(now + WINDOW_MIN);
        Some(link)
    }

    /// For the status: how far the peer's wall clock is ahead of this node's, and what is known of it.
    pub(in crate::proto) fn status(&self, now: Now) -> Json {
        let Some(Met { mark, best: Exchange { link, round_trip }, .. }) = &self.met else {
            return Json::Null;
        };
        let ours = now.wall.as_unix_micros().saturating_sub(now.mono.as_micros());
        let theirs_at_link = mark.offset_us().saturating_add(link.mono.as_micros());
        let offset_us = theirs_at_link.saturating_sub(ours.saturating_add(link.here.as_micros()));
        let age = now.mono.saturating_since(link.here);
        json!({
            "offset_s": offset_us as f64 / 1e6,
            "error_s": (link.error + drift(age)).as_secs_f64(),
            "round_trip_s": round_trip.as_secs_f64(),
            "synced_s": mark.synced.map(|error| error.as_secs_f64()),
            "is_set": mark.is_set(),
            "time_source": time_source(now, mark).as_str(),
            "boot": link.boot.to_string(),
        })
    }
}

impl Met {
    fn begin(journal: JournalId, clock: &ClockSample, exchange: Exchange, now: Instant) -> Self {
        Self {
            journal,
            sent: clock.mark.mono,
            mark: clock.mark,
            best: exchange,
            candidate: Some(exchange.link),
            window: WINDOW_MIN,
            window_ends_at: now,
        }
    }

    fn boot(&self) -> BootId {
        self.best.link.boot
    }

    /// Whether an exchange is one more with the same clock.
    fn goes_on(&self, journal: JournalId, clock: &ClockSample, exchange: &Exchange) -> bool {
        let (before, link) = (&self.best.link, &exchange.link);
        let there_us = link.mono.as_micros().saturating_sub(before.mono.as_micros());
        let here_us = link.here.as_micros().saturating_sub(before.here.as_micros());
        let apart_us = there_us.saturating_sub(here_us).saturating_abs();
        let errors_us = micros(before.error).saturating_add(micros(link.error));
        (self.journal, self.boot()) == (journal, clock.boot)
            && clock.received >= self.sent
            && apart_us <= (here_us / 100).saturating_add(errors_us).saturating_add(JUMP_MIN_US)
    }

    fn take(&mut self, clock: &ClockSample, exchange: Exchange) {
        let age = exchange.link.here.saturating_since(self.best.link.here);
        if exchange.link.error <= self.best.link.error + drift(age) {
            self.best = exchange;
        }
        if self.candidate.is_none_or(|candidate| exchange.link.error <= candidate.error) {
            self.candidate = Some(exchange.link);
        }
        (self.sent, self.mark) = (clock.mark.mono, clock.mark);
    }

    /// The best of the window that is over, if one is.
    fn end_window(&mut self, now: Instant) -> Option<ClockLink> {
        if now < self.window_ends_at {
            return None;
        }
        let link = self.candidate.take()?;
        self.window_ends_at = now + self.window;
        self.window = self.window.saturating_mul(2).min(WINDOW_MAX);
        Some(link)
    }
}

impl Exchange {
    /// From the four times; `None` for what cannot have been.
    fn measure(sent: Instant, clock: &ClockSample, now: Instant) -> Option<Self> {
        let here_us = now.as_micros().checked_sub(sent.as_micros())?;
        let there_us = clock.mark.mono.as_micros().checked_sub(clock.received.as_micros())?;
        if !(0..=micros(EXCHANGE_MAX)).contains(&here_us) || there_us < 0 {
            return None;
        }
        let open_us = here_us * DRIFT_MAX_PPM / 1_000_000 + GRANULARITY_US;
        let round_trip_us = here_us.checked_sub(there_us)?;
        if round_trip_us < -open_us {
            return None;
        }
        let round_trip_us = round_trip_us.max(0);
        let error_us = (round_trip_us + 1) / 2 + open_us;
        let link = ClockLink {
            boot: clock.boot,
            mono: Instant::from_micros(clock.received.as_micros().checked_add(there_us / 2)?),
            here: Instant::from_micros(sent.as_micros().checked_add(here_us / 2)?),
            error: duration(error_us),
        };
        Some(Self { link, round_trip: duration(round_trip_us) })
    }
}

/// By whose clock a peer's readings of now are dated here: as the store will come to it, too.
fn time_source(now: Now, theirs: &ClockMark) -> TimeSource {
    if now.wall >= CLOCK_IS_SET_FROM {
        TimeSource::Sink
    } else if theirs.synced.is_some() {
        TimeSource::Node
    } else {
        TimeSource::Unknown
    }
}

/// How far two clocks may drift apart in such a time.
fn drift(age: Duration) -> Duration {
    duration(micros(age).saturating_mul(DRIFT_MAX_PPM) / 1_000_000)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn duration(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}
