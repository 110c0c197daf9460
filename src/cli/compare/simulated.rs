//! The comparison in the simulator: one run in which all live, and one in which the last node dies in the middle.

use anyhow::{Context, Result};

use super::averages::known;
use super::ways::{Figures, Plan, Progress, Way};
use crate::proto::PollOrder;
use crate::sim::{Fault, HostIx, Nobody, Outcome, Sampling, Scenario, SimRole, run};

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
    let of_all =
        run(&calm, &mut Nobody).with_context(|| format!("{nodes} nodes, {}: {again}", way.name()))?;
    let last = HostIx(nodes.saturating_sub(1));
    let fault = if plan.is_killed { Fault::Kill(last) } else { Fault::Power(last) };
    let died_at = plan.time / 2;
    let with_dead = Scenario { faults: vec![fault.at(died_at)], ..calm };
    let of_rest =
        run(&with_dead, &mut Nobody).with_context(|| format!("{nodes} nodes, {}: {again}", way.name()))?;
    let after = of_rest.averages.iter().filter(|(at, _)| *at > died_at).map(|(_, took)| *took);
    Ok(figures(&of_all, (nodes, way), after.max()))
}

/// The site of a plan, on which nothing goes wrong.
fn scenario(plan: &Plan, nodes: usize, way: Way) -> Scenario {
    let role = if way == Way::Ring { SimRole::Ring } else { SimRole::Primary };
    let mut scenario = Scenario::calm(role, nodes);
    scenario.seed = plan.seed;
    scenario.duration = plan.time;
    scenario.sampling = Sampling { interval: plan.interval, channels: plan.channels, ..scenario.sampling };
    scenario.polling.interval = plan.round;
    scenario.polling.deadline = plan.round;
    scenario.polling.order = if way == Way::InTurn { PollOrder::InTurn } else { PollOrder::AtOnce };
    scenario.ring.token_hold = plan.round;
    scenario.ring.round_interval = plan.round;
    scenario.ring.makes_token = Some(HostIx(0));
    scenario.disk.flush_interval = plan.flush_interval;
    scenario.network.latency = plan.latency.clone();
    scenario.network.loss = plan.loss;
    scenario
}

fn figures(outcome: &Outcome, (nodes, way): (usize, Way), longest: Option<std::time::Duration>) -> Figures {
    let (sent, readings) = (outcome.sent(), outcome.readings.taken.max(1) as f64);
    let most_of = |counts: &[usize]| counts.iter().max().copied().unwrap_or(0);
    let links: Vec<usize> = outcome.links.iter().map(|(most, _)| *most).collect();
    let (sink_links, other_links) = links.split_first().unwrap_or((&0, &[]));
    let (sink_bytes, other_bytes) = outcome.store_bytes.split_first().unwrap_or((&0, &[]));
    Figures {
        way,
        nodes,
        known: known(outcome.averages.iter().map(|(_, took)| *took)),
        longest_with_dead: longest,
        messages_per_reading: sent.messages as f64 / readings,
        bytes_per_reading: sent.bytes as f64 / readings,
        sockets: (*sink_links, most_of(other_links)),
        store_bytes: (*sink_bytes, other_bytes.iter().max().copied().unwrap_or(0)),
    }
}
