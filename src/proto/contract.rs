//! One harness for every pure machine: drives it as an event loop would, and holds it to the contract that
//! [`super`] tells, at every step. The simulator drives nodes by it, and so do the tests.

use std::fmt::Debug;
#[cfg(test)]
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::model::{Instant, Now};

/// A machine that is watched.
pub(crate) trait Machine {
    /// What it wants carried out.
    type Output: Debug;
    /// Does what is due.
    fn handle_timeout(&mut self, now: Now);
    /// When to do so, and why.
    fn poll_timeout(&self) -> Option<(Instant, &'static str)>;
    /// The next thing to carry out.
    fn poll_output(&mut self) -> Option<Self::Output>;
    /// Most outputs that one input may cause.
    fn outputs_max(&self) -> usize;
}

/// Most outputs that one input may cause at a machine that polls `peers`: a link dropped, lost, told and tried again
/// for each, and a round that ends and one that begins.
pub(crate) const fn polling_outputs_max(peers: usize) -> usize {
    4 * peers + 8
}

/// Time-outs that may follow one another without an event until a moment: more is a machine that spins.
#[cfg(test)]
const TIMEOUTS_MAX: usize = 100_000;

/// A machine that is watched at every step.
#[derive(Debug)]
pub(crate) struct Watched<M: Machine> {
    machine: M,
    now: Now,
}

/// The moment `micros` after boot. The wall clock is another number, so that the two cannot be mixed up unseen.
#[cfg(test)]
pub(crate) fn at(mono: Instant) -> Now {
    let wall = crate::model::WallTime::from_unix_micros(1_700_000_000_000_000 + mono.as_micros());
    Now { mono, wall }
}

impl<M: Machine> Watched<M> {
    /// A machine that began at `now`.
    pub(crate) fn begun(machine: M, now: Now) -> Self {
        Self { machine, now }
    }

    pub(crate) fn machine(&self) -> &M {
        &self.machine
    }

    /// What the machine does at `now`, and all that it leads to, after what is in `outputs` already. An error says how
    /// the contract is broken.
    pub(crate) fn drive(
        &mut self,
        now: Now,
        step: impl FnOnce(&mut M, Now),
        outputs: &mut Vec<M::Output>,
    ) -> Result<(), String> {
        if now.mono < self.now.mono {
            return Err(format!("time goes back from {:?} to {:?}", self.now.mono, now.mono));
        }
        self.now = now;
        step(&mut self.machine, now);
        let (first, most) = (outputs.len(), self.machine.outputs_max());
        while let Some(output) = self.machine.poll_output() {
            if outputs.len() - first >= most {
                return Err(format!("one input led to more than {most} outputs; the last is {output:?}"));
            }
            outputs.push(output);
        }
        Ok(())
    }

    /// What is due at `now` is done; afterwards nothing may be due at the same moment.
    pub(crate) fn drive_timeout(&mut self, now: Now, outputs: &mut Vec<M::Output>) -> Result<(), String> {
        self.drive(now, |machine, now| machine.handle_timeout(now), outputs)?;
        match self.machine.poll_timeout() {
            Some((due, why)) if due <= now.mono => {
                Err(format!("{why}: due again at {due:?}, at once after {:?}", now.mono))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
impl<M: Machine> Watched<M> {
    pub(crate) fn new(machine: M, mono: Instant) -> Self {
        Self::begun(machine, at(mono))
    }

    pub(crate) fn now(&self) -> Instant {
        self.now.mono
    }

    /// Time passes without a word to the machine.
    pub(crate) fn advance(&mut self, mono: Instant) {
        assert!(mono >= self.now.mono, "time goes back from {:?} to {mono:?}", self.now.mono);
        self.now = at(mono);
    }

    /// One input at the present moment, and all that it leads to.
    pub(crate) fn input(&mut self, input: impl FnOnce(&mut M, Now)) -> Vec<M::Output> {
        let mut outputs = Vec::new();
        self.drive(self.now, input, &mut outputs).unwrap();
        outputs
    }

    /// What is due is done; afterwards nothing may be due at the same moment.
    pub(crate) fn timeout(&mut self) -> Vec<M::Output> {
        let mut outputs = Vec::new();
        self.drive_timeout(self.now, &mut outputs).unwrap();
        outputs
    }

    /// Lets time pass until `until` as an event loop does to which nothing happens.
    pub(crate) fn run_until(&mut self, until: Instant) -> Vec<M::Output> {
        let mut outputs = Vec::new();
        for _ in 0..TIMEOUTS_MAX {
            match self.machine.poll_timeout() {
                Some((due, _)) if due <= until => {
                    self.advance(due.max(self.now.mono));
                    outputs.extend(self.timeout());
                }
                _ => {
                    self.advance(until);
                    return outputs;
                }
            }
        }
        panic!("more than {TIMEOUTS_MAX} time-outs until {until:?}: {:?}", self.machine.poll_timeout());
    }
}

/// Runs `test` with seeds 1 to `count`, or with the one that the environment's `PISINK_SEED` names; fails when one
/// fails, and says which and how to run it again. `PISINK_SEEDS` gives another count.
#[cfg(test)]
pub(crate) fn for_seeds(count: u64, test: impl Fn(u64)) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect(name));
    if let Some(seed) = number("PISINK_SEED") {
        return test(seed);
    }
    // Asked for a count, it runs them all: to see how many find a bug. Otherwise a few failures are enough.
    let (count, failures_max) = number("PISINK_SEEDS").map_or((count, 3), |count| (count, usize::MAX));
    let fails = |seed: &u64| catch_unwind(AssertUnwindSafe(|| test(*seed))).is_err();
    let failed: Vec<u64> = (1..=count).filter(fails).take(failures_max).collect();
    assert!(
        failed.is_empty(),
        "{} of {count} seeds fail: {failed:?}; run one again with PISINK_SEED={} cargo nextest run",
        failed.len(),
        failed[0]
    );
}
