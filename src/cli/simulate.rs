//! `pisink simulate`: a whole site in virtual time. The very code of a node runs on simulated hosts, with what a user
//! says goes wrong; what came of it is told and drawn. docs/simulator.md says what that can show and what not.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use super::run::OrderName;
use super::{Told, Usage, parse, say};
use crate::io;
use crate::proto::PollOrder;
use crate::sim::{self, Failure, LogTo, Sampling, Scenario, SimRole};
use crate::view::{Format, PlotOptions, curve_chart};

mod faults;
mod picture;
mod report;
mod watch;

use faults::FaultArgs;
use report::Report;
use watch::Watch;

const EXAMPLES: &str = "\
In class: what does a ring do when a Pi dies, when the sink dies, and when the network is cut in two?
  pisink simulate --nodes 5 --kill 3@20s..40s --plot ring.png
  pisink simulate --nodes 5 --kill sink@20s --standby 1 --plot standby.png
  pisink simulate --nodes 6 --partition 10s..40s --plot two-rings.png
  pisink simulate --nodes 6 --role primary --poll-order in-turn --latency 20ms

Before a site is changed: thirty nodes on bad Wi-Fi for a day; the sink's card is slow, its power fails
  pisink simulate --nodes 30 --hours 24 --interval 10s --loss 5% --latency 2ms..60ms --seed 7
  pisink simulate --nodes 30 --role primary --loss 5% --fault 'slowdisk sink@60s..90s' --fault 'power sink@2m..3m'

Nodes are called sink, node-1 (or just 1), node-2 and so on. One seed gives one run, to the last byte of its log.
All faults that --fault knows, with HOST, FROM and TO put in:
  kill 3@20s..40s   power 3@20s..40s   flash 3@20s..40s   pause 3@20s..40s    a process, a Pi, a new card
  partition 1,2|3,4@10s..40s   cut 1,2@10s..40s   oneway 1>2@10s..40s         who cannot reach whom
  loss 5%@10s..40s   slow 20000@10s..40s (bytes a second)                     a bad network
  break 1,2@10s   vanish any@10s   stall any@10s..14s                         one connection
  full sink@10s..40s   slowdisk 1@10s..40s   unreadable 1@10s..40s            a disk
  step 1 -3600s@10s   retain 1@10s   overflow 1@10s   guest 1@10s..12s        clocks, old readings, scripts";

/// How the nodes bring their readings together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RoleName {
    /// A token goes round; the sink is a member
    Ring,
    /// The sink polls all others
    Primary,
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SimulateArgs {
    /// How many nodes, the sink among them
    #[arg(long, default_value_t = 5, value_name = "N")]
    nodes: usize,

    /// How they bring their readings together
    #[arg(long, value_enum, default_value_t = RoleName::Ring)]
    role: RoleName,

    /// How long they run [default: 2m]
    #[arg(long = "for", value_name = "DURATION", value_parser = parse::duration, conflicts_with = "hours")]
    time: Option<Duration>,

    /// How long they run, in hours
    #[arg(long, value_name = "HOURS")]
    hours: Option<f64>,

    /// Whatever is left to chance comes out of this number
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// From one measurement to the next
    #[arg(long, default_value = "1s", value_parser = parse::duration, value_name = "DURATION")]
    interval: Duration,

    /// Channels of each node: readings at each measurement
    #[arg(long, default_value_t = 1, value_name = "N")]
    channels: u16,

    /// How long the network takes to deliver, as 5ms or 1ms..20ms
    #[arg(long, default_value = "200us..2ms", value_parser = latency, value_name = "TIME")]
    latency: RangeInclusive<Duration>,

    /// The share of packets that the network loses (TCP sends them again)
    #[arg(long, default_value = "0%", value_parser = sim::percent, value_name = "PERCENT")]
    loss: f64,

    #[command(flatten)]
    faults: FaultArgs,

    /// How many members stand by to take the sink's place (ring)
    #[arg(long, default_value_t = 0, value_name = "N")]
    standby: usize,

    /// In what order the sink asks the nodes (primary) [default: at-once]
    #[arg(long, value_name = "ORDER")]
    poll_order: Option<OrderName>,

    /// From one round to the next
    #[arg(long, default_value = "1s", value_parser = parse::duration, value_name = "DURATION")]
    round_interval: Duration,

    /// How often the token goes round while there is little to carry (ring) [default: 250ms]
    #[arg(long, value_parser = parse::duration, value_name = "DURATION")]
    token_hold: Option<Duration>,

    /// Draw what happened into this file (PNG, or SVG by its name)
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,

    /// Write every event to this file; `-` for standard output
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,

    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

/// `5ms`, or `1ms..20ms`.
pub(super) fn latency(text: &str) -> Result<RangeInclusive<Duration>, String> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    let (from, to) = (sim::duration(from)?, sim::duration(to)?);
    if from > to { Err(format!("{text:?} ends before it begins")) } else { Ok(from..=to) }
}

pub(super) fn run(args: &SimulateArgs) -> Result<()> {
    let scenario = scenario(args)?;
    let format = args.plot.as_deref().map(picture_format).transpose()?;
    let log = args.log.as_deref().map(log_file).transpose()?;
    let began = io::now().mono;
    let mut watch = Watch::new(&scenario, log.map(LogTo::new));
    let result = sim::run(&scenario, &mut watch);
    let seen = watch.finish().context("writing the log")?;
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(Failure::Scenario(error)) => return Err(Usage(error.to_string()).into()),
        Err(Failure::Violation(violation)) => {
            say(format_args!(
                "A rule is broken. This must not happen; please report it with these two lines:"
            ))?;
            say(format_args!("  {violation}"))?;
            say(format_args!("  again: {} (pisink {})", again(), env!("CARGO_PKG_VERSION")))?;
            return Err(Told.into());
        }
    };
    let took = io::now().mono.saturating_since(began);
    let report = Report { scenario: &scenario, outcome: &outcome, took };
    if args.json {
        say(serde_json::to_string_pretty(&report.to_json())?)?;
    } else {
        say(report.text(super::wants_colour()))?;
    }
    if let (Some(path), Some(format)) = (&args.plot, format) {
        let curves = picture::curves(&scenario, &outcome, &seen, report.sentence());
        let options = PlotOptions { size_px: (1_000, 640), title: report.title(), ..PlotOptions::default() };
        io::write_aside(path, &curve_chart(&curves, &options, format)?)?;
        if !args.json {
            say(format_args!("Look at   {}", path.display()))?;
        }
    }
    Ok(())
}

/// By a file's name.
pub(super) fn picture_format(path: &std::path::Path) -> Result<Format> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("png") => Ok(Format::Png),
        Some("svg") => Ok(Format::Svg),
        _ => Err(Usage(format!("--plot {}: name it .png or .svg", path.display())).into()),
    }
}

fn log_file(path: &std::path::Path) -> Result<Box<dyn Write>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufWriter::new(std::io::stdout())));
    }
    let file = File::create(path).with_context(|| format!("writing {}", path.display()))?;
    Ok(Box::new(BufWriter::new(file)))
}

/// The command that was typed, for a shell.
fn again() -> String {
    let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.,:@%=/".contains(c));
    let quoted = |text: String| if is_plain(&text) { text } else { format!("'{text}'") };
    std::iter::once("pisink".to_owned())
        .chain(std::env::args().skip(1).map(quoted))
        .collect::<Vec<_>>()
        .join(" ")
}

/// What the arguments come to.
fn scenario(args: &SimulateArgs) -> Result<Scenario> {
    let role = match args.role {
        RoleName::Ring => SimRole::Ring,
        RoleName::Primary => SimRole::Primary,
    };
    if role == SimRole::Primary && (args.standby > 0 || args.token_hold.is_some()) {
        return Err(Usage("--standby and --token-hold are for --role ring".to_owned()).into());
    }
    if role == SimRole::Ring && args.poll_order.is_some() {
        return Err(Usage("--poll-order is for --role primary: in a ring nobody polls".to_owned()).into());
    }
    let duration = match (args.time, args.hours) {
        (Some(time), _) => time,
        (None, Some(hours)) => hours_of(hours)?,
        (None, None) => Duration::from_secs(120),
    };
    let mut scenario = Scenario::calm(role, args.nodes);
    scenario.sinks += args.standby;
    scenario.seed = args.seed;
    scenario.duration = duration;
    scenario.sampling = Sampling { interval: args.interval, channels: args.channels, ..scenario.sampling };
    scenario.network.latency = args.latency.clone();
    scenario.network.loss = args.loss / 100.0;
    scenario.polling.interval = args.round_interval;
    scenario.polling.deadline = args.round_interval / 2;
    scenario.polling.order = args.poll_order.map_or(PollOrder::AtOnce, PollOrder::from);
    scenario.ring.round_interval = args.round_interval;
    scenario.ring.token_hold = args.token_hold.unwrap_or(scenario.ring.token_hold);
    scenario.faults = args.faults.planned(args.nodes)?;
    if let Some(late) = scenario.faults.iter().find(|fault| fault.from >= duration) {
        return Err(Usage(format!("{late}: the run is over by then; make it longer with --for")).into());
    }
    scenario.check().map_err(|error| Usage(error.to_string()))?;
    Ok(scenario)
}

fn hours_of(hours: f64) -> Result<Duration> {
    /// Half a year of seconds is what one run can count in.
    const HOURS_MAX: f64 = 4_400.0;
    if hours > 0.0 && hours <= HOURS_MAX {
        return Ok(Duration::from_secs_f64(hours * 3_600.0));
    }
    Err(Usage(format!("--hours {hours}: more than 0, and {HOURS_MAX} at most")).into())
}

#[cfg(test)]
mod tests;
