//! `pisink compare`: three ways to bring readings together (polling all at once, polling one after the other, a token
//! ring), measured on the same chips and faults over numbers of nodes: in the simulator, and with real processes on
//! this machine. docs/compare.md says what each figure means.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::simulate::{latency, picture_format};
use super::{Usage, parse, say};
use crate::io;
use crate::model::RING_MEMBERS_MAX;
use crate::sim;
use crate::view::{PlotOptions, curve_chart};

mod averages;
mod picture;
mod real;
mod report;
mod simulated;
mod ways;

use ways::{Figures, Plan, Progress};

const EXAMPLES: &str = "\
  pisink compare --plot ways.png                          in the simulator, with 2, 4, 8, 16 and 32 nodes
  pisink compare --latency 5ms..40ms --loss 2%            on bad Wi-Fi
  pisink compare --nodes 8 --round 1s --for 5m            one number of nodes, asked less often
  pisink compare --nodes 2,4,8 --real --plot ways.png     beside it with real processes on this machine

The last node falls silent in the middle of a second run: its plug is pulled. With --kill its process dies instead,
and its kernel tells all who speak to it.";

/// The numbers of nodes that are compared, unless told otherwise; and with real processes, which take real time.
const NODES: [usize; 5] = [2, 4, 8, 16, 32];
const NODES_REAL: [usize; 3] = [2, 4, 8];
/// How long each run is, unless told otherwise.
const TIME: Duration = Duration::from_secs(60);
const TIME_REAL: Duration = Duration::from_secs(12);
/// No run may be shorter than so many intervals: from fewer averages there is nothing to be learnt.
const INTERVALS_LEAST: u32 = 6;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CompareArgs {
    /// Numbers of nodes, the sink among them [default: 2,4,8,16,32; with --real 2,4,8]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    nodes: Vec<usize>,

    /// With real processes on this machine too: each run takes its time
    #[arg(long)]
    real: bool,

    /// How long each run is [default: 60s; with --real 12s]
    #[arg(long = "for", value_name = "DURATION", value_parser = parse::duration)]
    time: Option<Duration>,

    /// Kill the process of the last node, instead of letting it fall silent
    #[arg(long)]
    kill: bool,

    /// From one measurement to the next
    #[arg(long, default_value = "1s", value_parser = parse::duration, value_name = "DURATION")]
    interval: Duration,

    /// Channels of each node: readings at each measurement (1 or 2: what one simulated chip has)
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=2), value_name = "N")]
    channels: u16,

    /// How often everybody is asked: from one poll to the next, and what an idle token takes for a rotation. No divisor
    /// of --interval, so that it meets chips at any moment
    #[arg(long, default_value = "190ms", value_parser = parse::duration, value_name = "DURATION")]
    round: Duration,

    /// The shortest time from one commit to the next, on every node
    #[arg(long, default_value = "20ms", value_parser = parse::duration, value_name = "DURATION")]
    flush_interval: Duration,

    /// How long the simulated network takes to deliver, as 5ms or 1ms..20ms
    #[arg(long, default_value = "200us..2ms", value_parser = latency, value_name = "TIME")]
    latency: RangeInclusive<Duration>,

    /// The share of packets that the simulated network loses
    #[arg(long, default_value = "0%", value_parser = sim::percent, value_name = "PERCENT")]
    loss: f64,

    /// Whatever is left to chance in the simulator comes out of this number
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Draw the comparison into this file (PNG, or SVG by its name)
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,

    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

/// What came out in one world: the simulator, or this machine.
struct World {
    name: &'static str,
    figures: Vec<Figures>,
}

pub(super) fn run(args: &CompareArgs) -> Result<()> {
    let plan = plan(args)?;
    let format = args.plot.as_deref().map(picture_format).transpose()?;
    let mut progress = Progress::new(&plan, args.real);
    let mut worlds = vec![World { name: "simulated", figures: simulated::measure(&plan, &mut progress)? }];
    if args.real {
        worlds.push(World { name: "real", figures: real::measure(&plan, &mut progress)? });
    }
    progress.finish();
    if args.json {
        say(serde_json::to_string_pretty(&report::to_json(&plan, &worlds))?)?;
    } else {
        say(report::text(&plan, &worlds))?;
    }
    if let (Some(path), Some(format)) = (&args.plot, format) {
        let size_px = (1_200, if args.real { 760 } else { 440 });
        let options = PlotOptions { size_px, title: report::title(&plan), ..PlotOptions::default() };
        io::write_aside(path, &curve_chart(&picture::curves(&plan, &worlds), &options, format)?)?;
        if !args.json {
            say(format_args!("\nLook at   {}", path.display()))?;
        }
    }
    Ok(())
}

/// What the arguments come to.
fn plan(args: &CompareArgs) -> Result<Plan> {
    let usual: &[usize] = if args.real { &NODES_REAL } else { &NODES };
    let mut nodes = if args.nodes.is_empty() { usual.to_vec() } else { args.nodes.clone() };
    nodes.sort_unstable();
    nodes.dedup();
    if let Some(wrong) = nodes.iter().find(|count| !(2..=RING_MEMBERS_MAX).contains(*count)) {
        return Err(Usage(format!("--nodes {wrong}: 2 to {RING_MEMBERS_MAX}, as a ring can have")).into());
    }
    let time = args.time.unwrap_or(if args.real { TIME_REAL } else { TIME });
    if time < args.interval * INTERVALS_LEAST {
        return Err(Usage(format!(
            "--for {time:?}: too short for averages of every {:?}; give {:?} at least",
            args.interval,
            args.interval * INTERVALS_LEAST
        ))
        .into());
    }
    Ok(Plan {
        nodes,
        time,
        is_killed: args.kill,
        interval: args.interval,
        channels: args.channels,
        round: args.round,
        flush_interval: args.flush_interval,
        latency: args.latency.clone(),
        loss: args.loss / 100.0,
        seed: args.seed,
    })
}

#[cfg(test)]
mod tests;
