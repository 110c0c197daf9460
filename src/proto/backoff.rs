//! How long to wait before trying a dead peer again: longer each time, and never in step with others.

use std::time::Duration;

/// Exponential delays between two bounds, each shortened by up to half at random.
#[derive(Clone, Debug)]
pub struct Backoff {
    failures: u32,
    longest: Duration,
    rng: fastrand::Rng,
}

/// The first delay.
const FIRST: Duration = Duration::from_millis(250);
/// No delay is longer, however rarely rounds are: a node that comes back is seen within this time.
const LONGEST: Duration = Duration::from_secs(10);
/// Nor does the longest delay have to be shorter than this, however often rounds are.
const LONGEST_LEAST: Duration = Duration::from_millis(500);
/// Each peer makes the longest delay longer by so much: when all of many are dead, they are tried a thousand times a
/// second at most, all together.
const LONGEST_PER_PEER: Duration = Duration::from_millis(2);

impl Backoff {
    /// With its own random numbers, from `seed`. No delay is longer than half a round, within bounds: who comes back is
    /// missing in one at most. With many `peers` it may be longer.
    pub fn new(seed: u64, round: Duration, peers: usize) -> Self {
        let for_all = LONGEST_PER_PEER.saturating_mul(u32::try_from(peers).unwrap_or(u32::MAX));
        let longest = (round / 2).max(for_all).clamp(LONGEST_LEAST, LONGEST);
        Self { failures: 0, longest, rng: fastrand::Rng::with_seed(seed) }
    }

    /// The delay after one more failure.
    pub fn next_delay(&mut self) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        doubled.min(self.longest).mul_f64(1.0 - self.rng.f64() / 2.0)
    }

    /// It worked: the next failure is a first one.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Failures since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_stay_bounded_and_begin_anew() {
        let mut backoff = Backoff::new(1, Duration::from_secs(60), 1);
        for failure in 0..40_u32 {
            let full = FIRST.saturating_mul(1 << failure.min(10)).min(LONGEST);
            let delay = backoff.next_delay();
            assert!(delay <= full && delay >= full / 2, "{failure}: {delay:?}");
        }
        backoff.reset();
        assert!(backoff.next_delay() <= FIRST);
    }

    #[test]
    fn the_longest_delay_follows_the_rounds_and_the_number_of_peers() {
        let cases = [
            (10, 3, 500),
            (1_000, 3, 500),
            (4_000, 3, 2_000),
            (600_000, 3, 10_000),
            (1_000, 1_000, 2_000),
            (1_000, 10_000, 10_000),
        ];
        for (round_ms, peers, longest_ms) in cases {
            let mut backoff = Backoff::new(1, Duration::from_millis(round_ms), peers);
            let delays: Vec<Duration> = (0..60).map(|_| backoff.next_delay()).collect();
            let longest = delays.iter().max().copied().unwrap_or_default();
            let bound = Duration::from_millis(longest_ms);
            assert!(longest <= bound && longest > bound * 3 / 4, "{round_ms} ms, {peers} peers: {longest:?}");
        }
    }

    #[test]
    fn two_seeds_do_not_keep_step() {
        let delays = |seed| (0..8).map(|_| Backoff::new(seed, LONGEST, 1).next_delay()).collect::<Vec<_>>();
        assert_ne!(delays(1), delays(2));
    }
}
