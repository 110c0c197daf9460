//! What goes wrong, as users say it: a flag for each common fault, and one for all others.

use anyhow::Result;
use clap::Args;

use crate::cli::Usage;
use crate::sim::{Fault, HostIx, PlannedFault};

/// The flags of faults.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct FaultArgs {
    /// Kill the process of a node, as sink@60s or 3@60s..90s; without an end it stays dead
    #[arg(long, value_name = "NODE@FROM[..TO]")]
    kill: Vec<String>,

    /// Let the process of a node stand still, as 3@60s..90s
    #[arg(long, value_name = "NODE@FROM..TO")]
    pause: Vec<String>,

    /// Cut the network in two halves, as 10s..40s; or in groups, as 1,2|3,4@10s..40s (who is not named is with the
    /// first)
    #[arg(long, value_name = "[GROUPS@]FROM..TO")]
    partition: Vec<String>,

    /// Any fault, in the simulator's own words; see below
    #[arg(long = "fault", value_name = "FAULT")]
    other: Vec<String>,
}

impl FaultArgs {
    /// What they come to at a site of so many nodes.
    pub(super) fn planned(&self, nodes: usize) -> Result<Vec<PlannedFault>> {
        let mut planned = Vec::new();
        for text in &self.kill {
            planned.push(one("--kill", text, &format!("kill {text}"))?);
        }
        for text in &self.pause {
            planned.push(one("--pause", text, &format!("pause {text}"))?);
        }
        for text in &self.partition {
            let groups = if text.contains('@') { text.clone() } else { format!("{}@{text}", halves(nodes)) };
            planned.push(one("--partition", text, &format!("partition {groups}"))?);
        }
        for text in &self.other {
            planned.push(one("--fault", text, text)?);
        }
        planned.sort_by_key(|fault| fault.from);
        Ok(planned)
    }
}

fn one(flag: &str, given: &str, text: &str) -> Result<PlannedFault> {
    normal(text).parse().map_err(|why| Usage(format!("{flag} {given}: {why}")).into())
}

/// With nodes by their numbers: `node-3` is 3.
fn normal(text: &str) -> String {
    text.replace("node-", "")
}

/// The half with the sink, and the other one.
fn halves(nodes: usize) -> String {
    let list =
        |from: usize, to: usize| (from..to).map(|at| HostIx(at).to_string()).collect::<Vec<_>>().join(",");
    let middle = nodes.div_ceil(2);
    format!("{}|{}", list(0, middle), list(middle, nodes))
}

/// What a picture says of a fault: groups of thirty nodes are not named.
pub(super) fn brief(fault: &PlannedFault) -> String {
    /// Longer is not read on a picture, in characters.
    const LONG_CHARS: usize = 24;
    let text = fault.fault.to_string();
    match &fault.fault {
        Fault::Partition(groups) if text.chars().count() > LONG_CHARS => {
            format!("partition in {}", groups.len())
        }
        _ => text,
    }
}
