//! `pisink demo`: the main job on one machine, with everything that goes wrong in the field: three nodes as processes
//! of their own, a chip that burns out, a node that is killed and comes back; then the same nodes as a ring, which
//! heals when one is killed; and the count at the end.

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

use site::{NODES, PLOTS, Site};

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// The folder for the nodes' data and the plots; what an earlier demo left there is replaced
    #[arg(long, value_name = "DIR", default_value = "demo-out")]
    dir: PathBuf,

    /// How long the sink polls; the ring after it goes round for two thirds of that
    #[arg(long, default_value = "11s", value_parser = parse::duration, value_name = "DURATION")]
    duration: Duration,

    /// The seed of the simulated world
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

/// What happens, as a share of the whole duration.
const POLLING: [(f64, Act); 3] = [(0.3, Act::Kill), (0.45, Act::Burnt), (0.62, Act::Return)];
const RING: [(f64, Act); 2] = [(0.35, Act::Leave), (0.65, Act::Join)];
/// How long the ring goes round, as a share of the polling.
const RING_SHARE: f64 = 0.65;
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
    /// The same two for a ring.
    Leave,
    Join,
}

pub(super) fn run(args: &DemoArgs) -> Result<()> {
    if args.duration < SHORTEST {
        bail!(super::Usage(format!("--duration: the demo needs {SHORTEST:?} at least to show anything")));
    }
    let colour = super::wants_colour();
    clear(&args.dir)?;
    let burnt_at = args.duration.mul_f64(act_share(Act::Burnt));
    let mut site = Site::start(&args.dir, args.seed, burnt_at)?;
    say(
        "First act: three nodes on this machine, each a process with its own journal and simulated chips; one polls:",
    )?;
    say(site.describe())?;
    say(format_args!("\n{}", header()))?;
    let began = io::now().wall;
    play(&mut site, &POLLING, args.duration, colour)?;
    let turned = io::now().wall;
    say("\nSecond act: the same nodes, journals and store; now nobody asks, and a token goes round:")?;
    site.become_a_ring()?;
    say(site.describe())?;
    let healed = site.wait_for_others(NODES.len() - 1)?;
    let round_began = io::now().wall;
    say(format_args!("They are a ring after {}.\n\n{}", millis(healed), header()))?;
    play(&mut site, &RING, args.duration.mul_f64(RING_SHARE), colour)?;
    say("\nThe sensing ends; the sink takes the last readings out of the nodes' journals.")?;
    let until = io::now().wall;
    site.end_sensing(SETTLE_MAX)?;
    site.stop()?;
    draw(
        &args.dir,
        PLOTS[0],
        "polling: bench's soil sensor burns out, roof is killed and comes back",
        began,
        turned,
    )?;
    draw(&args.dir, PLOTS[1], "a ring: roof is killed, the others go on, it comes back", round_began, until)?;
    say("All nodes are stopped. What the journals on the nodes hold, and what the sink holds of them:\n")?;
    let verdict = check::check(&args.dir, until)?;
    say(&verdict)?;
    for (lead, plots) in ["Look at ", "        "].into_iter().zip(PLOTS) {
        let plots = args.dir.join(plots);
        say(format_args!(
            "{lead}  {}   {}",
            plots.join("time-series.png").display(),
            plots.join("round.png").display()
        ))?;
    }
    say(format_args!("More      pisink export --data {} --format csv", args.dir.join("sink").display()))?;
    if !verdict.is_good() {
        bail!(
            "readings are missing or doubled: this must not happen; please report it with the folder {}",
            args.dir.display()
        );
    }
    Ok(())
}

/// Draws what happened in an act, over what the sink drew last.
fn draw(dir: &Path, plots: &str, story: &str, since: WallTime, until: WallTime) -> Result<()> {
    let options = PlotOptions {
        zone: TimeZone::system(),
        title: format!("pisink demo, {story}"),
        ..PlotOptions::default()
    };
    let filter = Filter { since: Some(since), until: Some(until), ..Filter::default() };
    io::draw(&dir.join("sink"), &dir.join(plots), &filter, None, &options, Format::Png)?;
    Ok(())
}

fn act_share(act: Act) -> f64 {
    POLLING.iter().find(|(_, other)| *other == act).map_or(1.0, |(share, _)| *share)
}

/// Runs the acts at their times, with a line of the table in between.
fn play(site: &mut Site, acts: &[(f64, Act)], duration: Duration, colour: bool) -> Result<()> {
    let began = io::now().mono;
    let mut acts = acts.iter().map(|(share, act)| (began + duration.mul_f64(*share), *act)).peekable();
    let mut next_line = began + LINE_EVERY;
    let end = began + duration;
    loop {
        let next_act = acts.peek().map_or(end, |(at, _)| *at);
        let next = next_act.min(next_line).min(end);
        site.wait_until(next)?;
        let now = io::now().mono;
        if let Some((_, act)) = acts.next_if(|(at, _)| *at <= now) {
            announce(&perform(site, act)?, colour)?;
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

fn perform(site: &mut Site, act: Act) -> Result<String> {
    Ok(match act {
        Act::Burnt => "bench's soil sensor burns out: from now on its readings are ERR nack".to_owned(),
        Act::Kill => {
            site.kill("roof")?;
            "kill -9 roof: its readings stop, the rounds go on, and count it as ERR node_down".to_owned()
        }
        Act::Return => {
            site.start_again("roof")?;
            "roof is started again: it goes on in its journal, and the sink takes up where it was".to_owned()
        }
        Act::Leave => {
            site.kill("roof")?;
            let healed = site.wait_for_others(NODES.len() - 2)?;
            format!("kill -9 roof: the others skip it, and are a ring of two after {}", millis(healed))
        }
        Act::Join => {
            site.start_again("roof")?;
            let healed = site.wait_for_others(NODES.len() - 1)?;
            format!("roof is started again: it is taken in after {}, and brings what it has", millis(healed))
        }
    })
}

/// A time that people can compare.
fn millis(time: Duration) -> String {
    format!("{} ms", time.as_millis())
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
fn line(site: &mut Site, began: Instant, now: Instant) -> String {
    let statuses: Vec<Option<Json>> = NODES.iter().map(|node| site.status(node.name)).collect();
    let sink = statuses.first().cloned().flatten().unwrap_or(Json::Null);
    let round = sink.pointer("/polling/round").or_else(|| sink.pointer("/ring/round"));
    let taken = site.taken(&sink);
    let own = sink.get("last").and_then(Json::as_u64).unwrap_or(0);
    let cells: String = statuses.iter().map(|status| format!("{:>20}", cell(status.as_ref()))).collect();
    format!(
        "{:>5.1}s  {:>6}{cells}  {:>22}",
        now.saturating_since(began).as_secs_f64(),
        round.and_then(Json::as_u64).unwrap_or(0),
        taken.saturating_add(own),
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
        let folders = NODES.iter().map(|node| node.name).chain(PLOTS).map(str::to_owned);
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
