//! `pisink plot`: pictures from a node's data folder.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use jiff::tz::TimeZone;

use super::parse;
use crate::io;
use crate::model::{NodeName, WallTime};
use crate::store::Filter;
use crate::view::{ErrAs, Format, PlotOptions};

/// Which readings; the same for plots and exports.
#[derive(Debug, Args)]
pub(super) struct Selection {
    /// Only what was read at or after this time: 2026-01-31, 2026-01-31T08:30 (local) or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = parse::time, conflicts_with = "last")]
    since: Option<WallTime>,

    /// Only what was read before this time
    #[arg(long, value_name = "TIME", value_parser = parse::time, conflicts_with = "last")]
    until: Option<WallTime>,

    /// Only the newest readings: 1h, 7d
    #[arg(long, value_name = "DURATION", value_parser = parse::duration)]
    last: Option<Duration>,

    /// Only this node; give one for each
    #[arg(long = "node", value_name = "NAME")]
    nodes: Vec<NodeName>,

    /// Only this quantity, as in temperature; give one for each
    #[arg(long = "quantity", value_name = "NAME")]
    quantities: Vec<String>,
}

impl Selection {
    pub(super) fn filter(&self) -> Filter {
        let since = self.last.map(|last| io::now().wall - last).or(self.since);
        Filter {
            since,
            until: self.until,
            nodes: self.nodes.clone(),
            quantities: self.quantities.clone(),
            ..Filter::default()
        }
    }
}

/// What becomes of an ERR on a plot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ErrChoice {
    /// A hollow × at zero, the line broken
    Zero,
    /// A gap
    Gap,
}

#[derive(Debug, Args)]
pub(super) struct PlotArgs {
    /// The node's data folder
    #[arg(long, value_name = "DIR", default_value = "pisink-data")]
    data: PathBuf,

    /// The folder of the pictures
    #[arg(long, value_name = "DIR", default_value = "plots")]
    out: PathBuf,

    #[command(flatten)]
    selection: Selection,

    /// How an ERR is drawn
    #[arg(long, value_enum, default_value_t = ErrChoice::Zero)]
    err: ErrChoice,

    /// The round of the bar view [default: the last one]
    #[arg(long, value_name = "NUMBER")]
    round: Option<u64>,

    /// SVG instead of PNG
    #[arg(long)]
    svg: bool,

    /// Width and height in pixels
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "1000x800", value_parser = size)]
    size: (u32, u32),

    /// Dots per inch: lettering and lines grow with it
    #[arg(long, default_value_t = 100)]
    dpi: u32,

    /// What stands over the pictures
    #[arg(long, default_value = "")]
    title: String,
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let sides = text.split_once(['x', '×']).and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    sides.ok_or_else(|| format!("{text:?} is no size; write it like 1000x800"))
}

pub(super) fn run(args: &PlotArgs) -> Result<()> {
    let options = PlotOptions {
        size_px: args.size,
        dpi: args.dpi,
        err: if args.err == ErrChoice::Zero { ErrAs::Zero } else { ErrAs::Gap },
        zone: TimeZone::system(),
        title: args.title.clone(),
        ..PlotOptions::default()
    };
    let format = if args.svg { Format::Svg } else { Format::Png };
    let spinner = ProgressBar::new_spinner().with_message("drawing");
    spinner.enable_steady_tick(Duration::from_millis(200));
    let files = io::draw(&args.data, &args.out, &args.selection.filter(), args.round, &options, format);
    spinner.finish_and_clear();
    for file in files? {
        super::say(file.display())?;
    }
    Ok(())
}
