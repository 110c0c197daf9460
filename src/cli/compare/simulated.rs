//! The comparison in the simulator: a run in which all live, and some in which the last node dies in the middle.

use std::time::Duration;

use anyhow::{Context, Result};

use super::averages::known;
use super::ways::{Figures, Plan, Progress, Way};
use crate::proto::PollOrder;
use crate::sim::{Fault, HostIx, Nobody, Outcome, Sampling, Scenario, SimRole, run};

/// What the nodes do in this time is not counted: they find one another.
const WARM_UP: Duration = Duration::from_secs(5);
/// So many runs with a dead node, in which it dies at other places of the token and of the round: the worst counts.
const DEATHS: u32 = 3;

/// Runs all ways with all numbers of nodes.
pub(super) fn measure(plan: &Plan, progress: &mut Progress) -> Result<Vec<Figures>> {
    let mut figures = Vec::new();
    for nodes in &plan.nodes {
        for way in Way::ALL {
            progress.next(&format!("{nodes} simulated nodes, {}", way.name()));
            figures.push(one(plan, *nodes, way)?);
        }
    }
    Ok(figures)
}

fn one(plan: &Plan, nodes: usize, way: Way) -> Result<Figures> {
    let calm = scenario(plan, nodes, way);
    let again = "this must not happen; please report it";
    let failed = || format!("{nodes} nodes, {}: {again}", way.name());
    let of_all = run(&calm, &mut Nobody).with_context(failed)?;
    let last = HostIx(nodes.saturating_sub(1));
    let mut longest = None;
    for death in 0..DEATHS {
        let fault = if plan.is_killed { Fault::Kill(last) } else { Fault::Power(last) };
        let died_at = WARM_UP + plan.time / 2 + plan.interval * death / DEATHS;
        let faults = vec![fault.at(died_at)];
        let outcome = run(&Scenario { faults, ..calm.clone() }, &mut Nobody).with_context(failed)?;
        longest = longest.max(longest_wait(&outcome, died_at));
    }
    Ok(figures(&of_all, (nodes, way), longest))
}

/// The longest wait of a reading that ended after this time.
fn longest_wait(outcome: &Outcome, from: Duration) -> Option<Duration> {
    let from = usize::try_from(from.as_secs()).unwrap_or(usize::MAX);
    outcome.longest_waits.iter().skip(from).copied().max()
}

/// The site of a plan, on which nothing goes wrong.
fn scenario(plan: &Plan, nodes: usize, way: Way) -> Scenario {
    let role = if way == Way::Ring { SimRole::Ring } else { SimRole::Primary };
    let mut scenario = Scenario::calm(role, nodes);
    scenario.seed = plan.seed;
    scenario.duration = WARM_UP + plan.time;
    scenario.sampling = Sampling { interval: plan.interval, channels: plan.channels, ..scenario.sampling };
    scenario.polling.interval = plan.pace(nodes, way, *plan.latency.end());
    scenario.polling.deadline = scenario.polling.interval;
    scenario.polling.order = if way == Way::InTurn { PollOrder::InTurn } else { PollOrder::AtOnce };
    scenario.ring.token_hold = plan.round;
    scenario.ring.round_interval = plan.round;
    scenario.ring.makes_token = Some(HostIx(0));
    scenario.disk.flush_interval = plan.flush_interval;
    scenario.network.latency = plan.latency.clone();
    scenario.network.loss = plan.loss;
    scenario
}

fn figures(outcome: &Outcome, (nodes, way): (usize, Way), longest: Option<Duration>) -> Figures {
    let (sent, readings) = (outcome.sent(), outcome.readings.taken.max(1) as f64);
    let links: Vec<f64> = outcome.links.iter().map(|(_, mean)| *mean).collect();
    let (sink_links, other_links) = links.split_first().unwrap_or((&0.0, &[]));
    let (sink_bytes, other_bytes) = outcome.store_bytes.split_first().unwrap_or((&0, &[]));
    Figures {
        way,
        nodes,
        known: known(outcome.averages.iter().filter(|(at, _)| *at > WARM_UP).map(|(_, took)| *took)),
        longest_wait: longest_wait(outcome, WARM_UP),
        longest_wait_with_dead: longest,
        messages_per_reading: sent.messages as f64 / readings,
        bytes_per_reading: sent.bytes as f64 / readings,
        sockets: (*sink_links, other_links.iter().copied().fold(0.0, f64::max)),
        store_bytes: (*sink_bytes, other_bytes.iter().max().copied().unwrap_or(0)),
    }
}
