//! A comparison in words: a table, and a conclusion drawn from its figures.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::World;
use super::ways::{Figures, Plan, Way};
use crate::cli::words::{bytes, span};
use crate::sim::Short;

/// Two times whose ratio is less are told as alike.
const ALIKE: f64 = 1.1;

/// What is compared, in a line.
pub(super) fn title(plan: &Plan) -> String {
    format!(
        "Three ways to bring readings together: chips read every {}, everybody asked every {}, {} each",
        Short(plan.interval),
        Short(plan.round),
        Short(plan.time)
    )
}

/// For people.
pub(super) fn text(plan: &Plan, worlds: &[World]) -> String {
    let mut lines = vec![title(plan)];
    for world in worlds {
        lines.push(String::new());
        lines.push(match world.name {
            "real" => "With real processes on this machine:".to_owned(),
            _ => format!("In the simulator (seed {}):", plan.seed),
        });
        lines.extend(table(plan, world));
        lines.push(String::new());
        lines.push(conclusion(world, worlds.len() > 1));
    }
    lines.join("\n")
}

/// The columns' names in two lines, and their widths.
const COLUMNS: [(&str, &str, usize); 12] = [
    ("", "nodes", 5),
    ("average", "median", 10),
    ("known", "99 %", 9),
    ("after", "longest", 9),
    ("messages", "a reading", 11),
    ("bytes", "a reading", 11),
    ("sockets", "sink", 9),
    ("", "others", 8),
    ("storage", "sink", 11),
    ("", "others", 11),
    ("longest", "wait", 10),
    ("with one", "dead", 10),
];

fn table(plan: &Plan, world: &World) -> Vec<String> {
    let head = |pick: fn(&(&'static str, &'static str, usize)) -> &'static str| -> String {
        COLUMNS.iter().map(|column| format!("{:>width$}", pick(column), width = column.2)).collect()
    };
    let mut lines = vec![head(|column| column.0), head(|column| column.1)];
    for figures in &world.figures {
        let cells = cells(figures);
        let row: String = cells
            .iter()
            .zip(&COLUMNS)
            .map(|(cell, column)| format!("{cell:>width$}", width = column.2))
            .collect();
        lines.push(format!("{row}  {}", figures.way.name()));
    }
    lines.push(String::new());
    let dies = if plan.is_killed { "is killed" } else { "falls silent" };
    lines.push(format!(
        "The last two columns: how long a reading waits for the sink's disk at most; and when the last node {dies}."
    ));
    lines
}

fn cells(figures: &Figures) -> [String; 12] {
    let time = |time: Option<Duration>| time.map_or("-".to_owned(), span);
    [
        figures.nodes.to_string(),
        time(figures.known.median),
        time(figures.known.p99),
        time(figures.known.longest),
        format!("{:.2}", figures.messages_per_reading),
        format!("{:.0}", figures.bytes_per_reading),
        format!("{:.1}", figures.sockets.0),
        format!("{:.1}", figures.sockets.1),
        bytes(figures.store_bytes.0 as f64),
        bytes(figures.store_bytes.1 as f64),
        time(figures.longest_wait),
        time(figures.longest_wait_with_dead),
    ]
}

/// What the figures of the largest site say, in sentences.
pub(super) fn conclusion(world: &World, is_one_of_two: bool) -> String {
    let Some(nodes) = world.figures.iter().map(|figures| figures.nodes).max() else { return String::new() };
    let largest: Vec<&Figures> = world.figures.iter().filter(|figures| figures.nodes == nodes).collect();
    let place = match (is_one_of_two, world.name) {
        (true, "real") => " (real)",
        (true, _) => " (simulated)",
        (false, _) => "",
    };
    format!("With {nodes} nodes{place} {}. {} {}", soonest(&largest), messages(&largest), dead(&largest))
        .trim_end()
        .to_owned()
}

/// Ways and what one figure of theirs is, the smallest first.
fn ranked(largest: &[&Figures], of: impl Fn(&Figures) -> Option<f64>) -> Vec<(f64, Way)> {
    let mut all: Vec<(f64, Way)> =
        largest.iter().filter_map(|figures| Some((of(figures)?, figures.way))).collect();
    all.sort_by(|one, other| one.0.total_cmp(&other.0));
    all
}

fn seconds(time: Option<Duration>) -> Option<f64> {
    time.map(|time| time.as_secs_f64())
}

fn listed(ranked: &[(f64, Way)], unit: impl Fn(f64) -> String) -> String {
    let one = |(value, way): &(f64, Way)| format!("{} {}", way.name(), unit(*value));
    ranked.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn soonest(largest: &[&Figures]) -> String {
    let ranked = ranked(largest, |figures| seconds(figures.known.median));
    let told = |value| span(Duration::from_secs_f64(value));
    match ranked.as_slice() {
        [] => "no average was known".to_owned(),
        [first, .., last] if last.0 < first.0 * ALIKE => {
            format!("all ways know an average equally soon ({})", listed(&ranked, told))
        }
        [first, rest @ ..] => format!(
            "{} knows an average soonest: {} after its last reading (median); {}",
            first.1.name(),
            told(first.0),
            listed(rest, told)
        ),
    }
}

fn messages(largest: &[&Figures]) -> String {
    let ranked = ranked(largest, |figures| Some(figures.messages_per_reading));
    let sockets =
        |way: Way| largest.iter().find(|figures| figures.way == way).map(|figures| figures.sockets.0);
    let open = match (sockets(Way::AtOnce), sockets(Way::Ring)) {
        (Some(polling), Some(ring)) => {
            format!(" The sink has {polling:.0} sockets open when it polls, {ring:.0} in the ring.")
        }
        _ => String::new(),
    };
    format!("Messages for each reading: {}.{open}", listed(&ranked, |value| format!("{value:.1}")))
}

/// What a dead node costs: how much longer the longest wait is than while all live.
fn dead(largest: &[&Figures]) -> String {
    let cost = |figures: &Figures| {
        let (with_dead, without) = (seconds(figures.longest_wait_with_dead)?, seconds(figures.longest_wait)?);
        Some((with_dead - without).max(0.0))
    };
    let ranked = ranked(largest, cost);
    if ranked.is_empty() {
        return String::new();
    }
    let told = |value: f64| match value {
        value if value < 1e-3 => "nothing".to_owned(),
        value => span(Duration::from_secs_f64(value)),
    };
    format!(
        "What one dead node adds to the longest wait of a reading of the others: {}.",
        listed(&ranked, told)
    )
}

/// For programs. Times are in seconds.
pub(super) fn to_json(plan: &Plan, worlds: &[World]) -> Json {
    let figures = |figures: &Figures| {
        json!({
            "way": match figures.way {
                Way::AtOnce => "poll-at-once",
                Way::InTurn => "poll-in-turn",
                Way::Ring => "ring",
            },
            "nodes": figures.nodes,
            "averages": figures.known.count,
            "median_s": seconds(figures.known.median),
            "p99_s": seconds(figures.known.p99),
            "longest_s": seconds(figures.known.longest),
            "longest_wait_s": seconds(figures.longest_wait),
            "longest_wait_with_dead_s": seconds(figures.longest_wait_with_dead),
            "messages_per_reading": figures.messages_per_reading,
            "bytes_per_reading": figures.bytes_per_reading,
            "sockets": { "sink": figures.sockets.0, "others_most": figures.sockets.1 },
            "store_bytes": { "sink": figures.store_bytes.0, "others_most": figures.store_bytes.1 },
        })
    };
    let world = |world: &World| {
        json!({
            "world": world.name,
            "figures": world.figures.iter().map(figures).collect::<Vec<_>>(),
            "conclusion": conclusion(world, worlds.len() > 1),
        })
    };
    json!({
        "interval_s": plan.interval.as_secs_f64(),
        "round_s": plan.round.as_secs_f64(),
        "flush_interval_s": plan.flush_interval.as_secs_f64(),
        "run_s": plan.time.as_secs_f64(),
        "death": if plan.is_killed { "killed" } else { "silent" },
        "seed": plan.seed,
        "worlds": worlds.iter().map(world).collect::<Vec<_>>(),
    })
}
