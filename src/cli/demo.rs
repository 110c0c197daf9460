//! `pisink demo`: the main job on one machine, with everything that goes wrong in the field: three nodes as processes
//! of their own, a chip that burns out, a node that is killed and comes back, and the count at the end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::tz::TimeZone;
use serde_json::Value as Json;

use super::{parse, say};
use crate::io;
use crate::model::{Instant, WallTime};
use crate::store::Filter;
use crate::view::{Format, PlotOptions};

mod check;
mod site;

use site::{NODES, Site};

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// The folder for the nodes' data and the plots; what an earlier demo left there is replaced
    #[arg(long, value_name = "DIR", default_value = "demo-out")]
    dir: PathBuf,

    /// How long the nodes run
    #[arg(long, default_value = "11s", value_parser = parse::duration, value_name = "DURATION")]
    duration: Duration,

    /// The seed of the simulated world
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

/// What happens, as a share of the whole duration.
const ACTS: [(f64, Act); 3] = [(0.3, Act::Kill), (0.45, Act::Burnt), (0.62, Act::Return)];
/// From one line of the table to the next.
const LINE_EVERY: Duration = Duration::from_millis(1_000);
/// How long the sink may take at the end to have everything.
const SETTLE_MAX: Duration = Duration::from_secs(5);
const SHORTEST: Duration = Duration::from_secs(4);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Burnt,
    Kill,
    Return,
}

pub(super) fn run(args: &DemoArgs) -> Result<()> {
    if args.duration < SHORTEST {
        bail!(super::Usage(format!("--duration: the demo needs {SHORTEST:?} at least to show anything")));
    }
    let colour = super::wants_colour();
    clear(&args.dir)?;
    let burnt_at = args.duration.mul_f64(act_share(Act::Burnt));
    let mut site = Site::start(&args.dir, args.seed, burnt_at)?;
    say("Three nodes on this machine, each a process with its own journal and simulated chips:")?;
    say(site.describe())?;
    say(format_args!("\n{}", header()))?;
    play(&mut site, args.duration, colour)?;
    say("\nThe sensing ends; the sink takes the last readings out of the nodes' journals.")?;
    let until = io::now().wall;
    site.end_sensing(SETTLE_MAX)?;
    site.stop()?;
    draw(&args.dir, until)?;
    say("All nodes are stopped. What the journals on the nodes hold, and what the sink holds of them:
")?;
    let verdict = check::check(&args.dir, until)?;
    say(&verdict)?;
    let plots = args.dir.join("plots");
    say(format_args!("Look at   {}", plots.join("time-series.png").display()))?;
    say(format_args!("          {}", plots.join("round.png").display()))?;
    say(format_args!("More      pisink export --data {} --format csv", args.dir.join("sink").display()))?;
    if !verdict.is_good() {
        bail!(
            "readings are missing or doubled: this must not happen; please report it with the folder {}",
            args.dir.display()
        );
    }
    Ok(())
}

/// Draws the story up to the end of the sensing, over what the sink drew last.
fn draw(dir: &Path, until: WallTime) -> Result<()> {
    let options = PlotOptions {
        zone: TimeZone::system(),
        title: "pisink demo: bench's soil sensor burns out, roof is killed and comes back".to_owned(),
        ..PlotOptions::default()
    };
    let story = Filter { until: Some(until), ..Filter::default() };
    io::draw(&dir.join("sink"), &dir.join("plots"), &story, None, &options, Format::Png)?;
    Ok(())
}

fn act_share(act: Act) -> f64 {
    ACTS.iter().find(|(_, other)| *other == act).map_or(1.0, |(share, _)| *share)
}

/// Runs the acts at their times, with a line of the table in between.
fn play(site: &mut Site, duration: Duration, colour: bool) -> Result<()> {
    let began = io::now().mono;
    let mut acts = ACTS.iter().map(|(share, act)| (began + duration.mul_f64(*share), *act)).peekable();
    let mut next_line = began + LINE_EVERY;
    let end = began + duration;
    loop {
        let next_act = acts.peek().map_or(end, |(at, _)| *at);
        let next = next_act.min(next_line).min(end);
        site.wait_until(next)?;
        let now = io::now().mono;
        if let Some((_, act)) = acts.next_if(|(at, _)| *at <= now) {
            announce(perform(site, act)?, colour)?;
        }
        if now >= next_line {
            next_line = next_line + LINE_EVERY;
            say(line(site, began, now))?;
        }
        if now >= end {
            return Ok(());
        }
    }
}

fn perform(site: &mut Site, act: Act) -> Result<&'static str> {
    match act {
        Act::Burnt => Ok("bench's soil sensor burns out: from now on its readings are ERR nack"),
        Act::Kill => {
            site.kill("roof")?;
            Ok("kill -9 roof: its readings stop, the rounds go on, and count it as ERR node_down")
        }
        Act::Return => {
            site.start_again("roof")?;
            Ok("roof is started again: it goes on in its journal, and the sink takes up where it was")
        }
    }
}

fn announce(text: &str, colour: bool) -> Result<()> {
    if colour {
        say(format_args!("\u{1b}[1;33m--> {text}\u{1b}[0m"))
    } else {
        say(format_args!("--> {text}"))
    }
}

fn header() -> String {
    let nodes: String = NODES.iter().map(|node| format!("{:>20}", node.name)).collect();
    format!("{:>6}  {:>6}{nodes}  {:>22}", "time", "round", "readings in the sink")
}

/// One line: each node's temperature and soil moisture as it says itself, and what the sink holds.
fn line(site: &Site, began: Instant, now: Instant) -> String {
    let statuses: Vec<Option<Json>> = NODES.iter().map(|node| site.status(node.name)).collect();
    let sink = statuses.first().cloned().flatten().unwrap_or(Json::Null);
    let polling = sink.get("polling").cloned().unwrap_or(Json::Null);
    let taken = polling
        .get("peers")
        .and_then(Json::as_array)
        .map(|peers| peers.iter().filter_map(|peer| peer.get("taken")?.as_u64()).sum::<u64>());
    let own = sink.get("last").and_then(Json::as_u64).unwrap_or(0);
    let cells: String = statuses.iter().map(|status| format!("{:>20}", cell(status.as_ref()))).collect();
    format!(
        "{:>5.1}s  {:>6}{cells}  {:>22}",
        now.saturating_since(began).as_secs_f64(),
        polling.get("round").and_then(Json::as_u64).unwrap_or(0),
        taken.unwrap_or(0) + own,
    )
}

fn cell(status: Option<&Json>) -> String {
    let Some(channels) = status.and_then(|status| status.get("channels")?.as_array()) else {
        return "down".to_owned();
    };
    let value = |quantity: &str, unit: &str| {
        let is_it = |channel: &&Json| {
            channel.get("channel").and_then(Json::as_str).is_some_and(|name| name.ends_with(quantity))
        };
        channels.iter().find(is_it).map(|channel| match channel.get("value").and_then(Json::as_f64) {
            Some(value) if unit.is_empty() => format!("{value:.0}"),
            Some(value) => format!("{value:.1} {unit}"),
            None => "ERR".to_owned(),
        })
    };
    let cells = [value("sht3x-44/temperature", "°C"), value("/soil_moisture", "")];
    let cells: Vec<String> = cells.into_iter().flatten().collect();
    if cells.is_empty() { "starting".to_owned() } else { cells.join("  soil ") }
}

/// Removes what an earlier demo left in `dir`, and nothing else: a folder with other things in it is refused.
fn clear(dir: &Path) -> Result<()> {
    if dir.exists() {
        let logs = NODES.iter().map(|node| format!("{}.log", node.name));
        let folders = NODES.iter().map(|node| node.name).chain(["plots"]).map(str::to_owned);
        let ours: Vec<String> = folders.chain(logs).collect();
        for entry in std::fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))? {
            let entry = entry?;
            if !ours.iter().any(|name| entry.file_name() == name.as_str()) {
                bail!(super::Usage(format!(
                    "{} holds {}, which no demo made: give an empty folder with --dir",
                    dir.display(),
                    entry.file_name().display()
                )));
            }
        }
        std::fs::remove_dir_all(dir).with_context(|| format!("clearing {}", dir.display()))?;
    }
    std::fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))
}
