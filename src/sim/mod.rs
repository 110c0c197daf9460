//! The simulator: the very nodes that run on Pis, on hosts with disks and clocks, joined by a network, in virtual time;
//! and what goes wrong there. One seed gives one run, byte for byte, and rules are held to at every step.
//! docs/simulator.md says how it works, and what it can show and what not.
//!
//! ```
//! use pisink::sim::{Fault, HostIx, Nobody, Scenario, SimRole, run};
//! use std::time::Duration;
//!
//! let mut scenario = Scenario::calm(SimRole::Ring, 5);
//! scenario.faults.push("kill 3@20s..40s".parse().unwrap());
//! let outcome = run(&scenario, &mut Nobody).unwrap();
//! assert_eq!(outcome.readings.at_sink, outcome.readings.taken);
//! ```
//!
//! Hosts are numbered, and every number that comes from outside is checked by [`Scenario::check`].

mod check;
mod clock;
mod disk;
mod draw;
mod fault;
mod health;
mod host;
mod links;
mod log;
mod measure;
mod net;
mod outcome;
mod process;
mod scenario;
mod shrink;
mod store;
mod text;
mod trouble;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use check::{Invariant, Violation};
pub use draw::Drawn;
pub use fault::{Fault, FaultError, HostIx, LinkPick, PlannedFault, percent, read_faults, write_faults};
pub use outcome::{
    FaultOutcome, Latencies, LogTo, Nobody, Observer, Outcome, ReadingCount, RingCount, Traffic,
};
pub use scenario::{
    ClockModel, DiskModel, NetworkModel, POLLED_MAX, Polling, RingSettings, Sampling, Scenario,
    ScenarioError, SimRole, Site,
};
pub use shrink::shrink;
pub use text::{Short, duration};

use check::Broken;
use world::World;

/// Why a run came to no outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It could not begin.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A rule was broken.
    #[error(transparent)]
    Violation(#[from] Violation),
}

/// Runs a scenario to its end: until it has sensed for as long as it is to, and everything is at a sink.
pub fn run(scenario: &Scenario, observer: &mut dyn Observer) -> Result<Outcome, Failure> {
    scenario.check()?;
    run_world(World::new(scenario, observer))
}

/// [`run`], with a defect in every node.
#[cfg(any(test, feature = "planted"))]
pub(crate) fn run_planted(
    scenario: &Scenario,
    defect: crate::proto::defect::Defect,
) -> Result<Outcome, Failure> {
    scenario.check()?;
    let mut nobody = Nobody;
    let mut world = World::new(scenario, &mut nobody);
    world.planted.defect = Some(defect);
    run_world(world)
}

fn run_world(mut world: World<'_>) -> Result<Outcome, Failure> {
    // A panic anywhere in a node is a broken rule like others: it is told with its seed, and can be made smaller.
    let ran = catch_unwind(AssertUnwindSafe(|| world.run()));
    let broken = match ran {
        Ok(Ok(())) => return Ok(world.outcome()),
        Ok(Err(broken)) => broken,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
            Broken { invariant: Invariant::NoPanic, what: text.to_owned() }
        }
    };
    let Broken { invariant, what } = broken;
    let violation = Violation { invariant, at: world.elapsed(), what, seed: world.scenario.seed };
    Err(violation.into())
}

#[cfg(test)]
mod tests;
