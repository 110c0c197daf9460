//! Makes a failing scenario smaller: without the faults that it does not need, and with shorter ones.

use std::cell::Cell;
use std::time::Duration;

use super::fault::PlannedFault;
use super::outcome::Nobody;
use super::{Failure, Scenario, Violation, run};

/// Runs that one shrinking may take.
const RUNS_MAX: u32 = 400;
/// A fault that is shorter is not made shorter still.
const SHORT: Duration = Duration::from_millis(100);

/// The smallest scenario that was found in which the same rule is broken as in this one, and how it is broken there;
/// `None` when this one breaks none.
pub fn shrink(scenario: &Scenario) -> Option<(Scenario, Violation)> {
    shrink_with(scenario, |scenario| match run(scenario, &mut Nobody) {
        Err(Failure::Violation(violation)) => Some(violation),
        _ => None,
    })
}

/// [`shrink`], by another way to run.
pub(super) fn shrink_with(
    scenario: &Scenario,
    fails: impl Fn(&Scenario) -> Option<Violation>,
) -> Option<(Scenario, Violation)> {
    let mut best = (scenario.clone(), fails(scenario)?);
    let runs = Cell::new(0);
    let improve = |candidate: Scenario, best: &mut (Scenario, Violation)| {
        runs.set(runs.get() + 1);
        let violation = (runs.get() <= RUNS_MAX).then(|| fails(&candidate)).flatten();
        let violation = violation.filter(|found| found.invariant == best.1.invariant);
        violation.map(|violation| *best = (candidate, violation)).is_some()
    };
    loop {
        let mut is_smaller = false;
        // Many at once while that works, then fewer, at last one by one.
        let mut chunk = best.0.faults.len().div_ceil(2);
        while chunk > 0 {
            let mut at = 0;
            while at < best.0.faults.len() {
                let mut candidate = best.0.clone();
                let end = (at + chunk).min(candidate.faults.len());
                candidate.faults.drain(at..end);
                if improve(candidate, &mut best) {
                    is_smaller = true;
                } else {
                    at += chunk;
                }
            }
            chunk /= 2;
        }
        for at in 0..best.0.faults.len() {
            let mut candidate = best.0.clone();
            let half = candidate.faults.get_mut(at).and_then(halve);
            is_smaller |= half.is_some() && improve(candidate, &mut best);
        }
        if !is_smaller || runs.get() > RUNS_MAX {
            return Some(best);
        }
    }
}

/// Lets a fault end in the middle of its time.
fn halve(fault: &mut PlannedFault) -> Option<()> {
    let to = fault.to?;
    let half = to.checked_sub(fault.from).filter(|time| *time > SHORT)? / 2;
    let millis = u64::try_from(half.as_millis()).ok()?;
    fault.to = Some(fault.from + Duration::from_millis(millis));
    Some(())
}
