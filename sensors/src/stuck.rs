//! Finds a chip that gives one raw value for ever: a latched-up converter answers with good checksums and old bits.

use crate::chip::{Fault, Sample};

/// So many identical measurements in a row prove that a chip is stuck. The chips that are watched have 16 bits or more,
/// of which noise moves several all the time: that all words of two measurements agree happens by chance once in tens
/// to hundreds, so 120 in a row do not happen in the life of a chip, while a chip that is merely quiet for a minute is
/// left alone. Chips with coarse steps, which rightly repeat themselves for hours, are not to be watched at all.
pub const MAX_REPEATS: u32 = 120;

/// Watches the measurements of one chip that is noisy by its nature.
#[derive(Debug, Default)]
pub struct StuckGuard {
    last: Vec<(usize, u64)>,
    repeats: u32,
}

impl StuckGuard {
    /// A guard that has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one whole measurement. Once it and the [`MAX_REPEATS`] before it are alike to the bit, in all quantities,
    /// its values become [`Fault::Stuck`], until they change. A measurement with an error in it proves nothing and is
    /// passed over.
    pub fn check(&mut self, samples: &mut [Sample]) {
        // A conversion is a function of the raw bits alone, so equal values stand for equal bits.
        let bits = |sample: &Sample| Some((sample.quantity, sample.value.ok()?.to_bits()));
        let Some(values) = samples.iter().map(bits).collect::<Option<Vec<_>>>() else { return };
        if values != self.last {
            self.last = values;
            self.repeats = 0;
            return;
        }
        self.repeats = self.repeats.saturating_add(1);
        if self.repeats >= MAX_REPEATS {
            samples.iter_mut().for_each(|sample| sample.value = Err(Fault::Stuck));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement(temperature: f64, humidity: f64) -> [Sample; 2] {
        [Sample { quantity: 0, value: Ok(temperature) }, Sample { quantity: 1, value: Ok(humidity) }]
    }

    /// What the guard makes of `samples`.
    fn checked(guard: &mut StuckGuard, mut samples: [Sample; 2]) -> [Sample; 2] {
        guard.check(&mut samples);
        samples
    }

    #[test]
    fn the_bound_is_where_it_is_said_to_be_and_a_change_ends_it() {
        let mut guard = StuckGuard::new();
        let same = measurement(21.5, 40.25);
        for _ in 0..MAX_REPEATS {
            assert_eq!(checked(&mut guard, same), same);
        }
        let stuck = [0, 1].map(|quantity| Sample { quantity, value: Err(Fault::Stuck) });
        assert_eq!(checked(&mut guard, same), stuck);
        assert_eq!(checked(&mut guard, same), stuck);
        let other = measurement(21.5, 40.26);
        assert_eq!(checked(&mut guard, other), other);
        for _ in 0..MAX_REPEATS {
            assert_eq!(checked(&mut guard, same), same, "it counts from the start again");
        }
        assert_eq!(checked(&mut guard, same), stuck);
    }

    #[test]
    fn one_quantity_that_moves_proves_life() {
        let mut guard = StuckGuard::new();
        for n in 0..3 * MAX_REPEATS {
            let at_the_end_of_its_scale = measurement(20.0 + f64::from(n % 2) * 0.01, 100.0);
            assert_eq!(checked(&mut guard, at_the_end_of_its_scale), at_the_end_of_its_scale);
        }
    }

    #[test]
    fn errors_neither_count_nor_start_the_count_again() {
        let mut guard = StuckGuard::new();
        let same = measurement(21.5, 40.25);
        let mut failed = same;
        failed[1].value = Err(Fault::Range);
        for _ in 0..MAX_REPEATS {
            assert_eq!(checked(&mut guard, same), same);
            assert_eq!(checked(&mut guard, failed), failed);
        }
        assert_eq!(checked(&mut guard, same)[0].value, Err(Fault::Stuck));
        guard.check(&mut []);
    }
}
