//! `pisink init`: a config for this machine, from what is on its buses. Asks only what it cannot know, and only
//! somebody who is there; writes nothing before all is known.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result};
use clap::Args;
use pisink_sensors::bus::BusSpec;
use pisink_sensors::catalogue::ChipSpec;

use super::config::{self, FileConfig};
use super::run::{self, RoleName, RunArgs, Which};
use super::{Usage, say};
use crate::io::Interrupts;

mod buses;
mod chips;
mod dialogue;
mod place;
mod questions;
mod report;
mod text;

use buses::Survey;
use chips::Chips;
use dialogue::Dialogue;
use place::Place;
use report::Report;

const EXAMPLES: &str = "\
On a terminal it asks for what it cannot know: the role, the peers of a primary or a ring, the
ring's sink, where to listen, and which chip it is where the bus cannot tell. Flags answer
beforehand.
With --yes, or where there is no terminal, it asks nothing: the role has to be given then, a
chip in doubt is left out (the file has it as a comment), and the node listens on this machine
only unless --listen says otherwise.

  pisink init                                     asks, and writes pisink.toml
  sudo pisink init --out /etc/pisink/pisink.toml --force      for the service
  pisink init --role secondary --listen 0.0.0.0:7001 --yes    asks nothing
  pisink init --bus sim --out -                   how it would be, with simulated chips

What it tells and asks goes to standard error; on standard output is the config (--out -), or
JSON.";

/// A config in this folder is for the service, whose own folder is better than one relative to where it is started.
const SYSTEM_CONFIGS: &str = "/etc";
const SYSTEM_DATA: &str = "/var/lib/pisink";
/// Where a sink draws: what it collects is there to be looked at.
const PLOTS: &str = "plots";

/// What to scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BusChoice {
    /// What there is.
    Auto,
    /// This one, or nothing.
    One(BusSpec),
}

impl FromStr for BusChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            text => text.parse().map(Self::One).map_err(|why| format!("{why}, or auto")),
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct InitArgs {
    /// The config file to write; - for standard output
    #[arg(long, default_value = "pisink.toml", value_name = "FILE")]
    out: PathBuf,

    /// Replace a file that is there; the old one is kept as FILE.old
    #[arg(long)]
    force: bool,

    /// The bus to scan: auto for every I2C bus of this machine, pi:N for /dev/i2c-N, sim for simulated chips, none
    #[arg(long, default_value = "auto", value_name = "BUS")]
    bus: BusChoice,

    /// A chip to take as given, found or not: DRIVER@ADDRESS[,OPTION=VALUE]; decides where the bus cannot tell
    #[arg(long = "chip", value_name = "CHIP")]
    chips: Vec<ChipSpec>,

    /// What this node does
    #[arg(long)]
    role: Option<RoleName>,

    /// The node's name [default: the host name]
    #[arg(long)]
    name: Option<String>,

    /// Where to listen; 0.0.0.0:7001 for everybody on the network [default: 127.0.0.1:7001]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,

    /// A node to poll, or one of the ring, this one among them; give one for each. Who polls is a primary
    #[arg(long = "peer", value_name = "HOST:PORT", value_delimiter = ',')]
    peers: Vec<String>,

    /// The sink of a ring: an address of the list of peers; true for this node, false for not this one
    #[arg(long, value_name = "HOST:PORT")]
    sink: Option<Which>,

    /// The folder of the store [default: pisink-data; /var/lib/pisink for a config in /etc]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Ask nothing: take what is given, and safe defaults
    #[arg(short, long)]
    yes: bool,

    /// What was found and written as JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Writes a config.
pub(super) fn run(args: &InitArgs) -> Result<()> {
    check(args)?;
    let place = Place::find(&args.out, args.force)?;
    let survey = survey(args)?;
    if !args.json {
        report::tell(&report::survey_lines(&survey, args.bus == BusChoice::One(BusSpec::None)));
    }
    let mut chips = Chips::new(&survey, &args.chips);
    let mut config = given(args, &place);
    config.bus = chips.main_bus().map(|bus| bus.to_string());
    if is_asked(args) {
        let (mut input, mut output) = (io::stdin().lock(), io::stderr().lock());
        ask(&mut config, &mut chips, &mut input, &mut output)?;
    }
    if config.role != Some(questions::word(RoleName::Secondary)) {
        config.plots = Some(system_data(&place).unwrap_or_default().join(PLOTS));
    }
    let lines = chips.lines();
    let text =
        text::config_text(&config, &lines).context("a path is no text: give another --data or --out")?;
    let config = verified(&text)?;
    // From here on nobody interrupts: all is written in a moment.
    let _interrupts = Interrupts::watch()?;
    let report = Report { survey: &survey, config: &config, out: &args.out, undecided: chips.doubts() };
    if !args.json {
        let kept = place.write(&text)?;
        report::tell(&report.lines(kept.as_deref()));
        return Ok(());
    }
    let kept = if place == Place::Output { None } else { place.write(&text)? };
    say(serde_json::to_string_pretty(&report.json(&text, kept.as_deref()))?)
}

/// What is wrong with the flags alone is said before anything is scanned or asked.
fn check(args: &InitArgs) -> Result<()> {
    args.peers.iter().try_for_each(|peer| run::check_peer(peer))?;
    run::listen(args.listen.clone())?;
    if args.name.is_some() {
        run::name(args.name.as_ref())?;
    }
    match (args.role, args.peers.first()) {
        (Some(RoleName::Secondary), Some(peer)) => Err(Usage(format!(
            "--peer {peer}: a secondary polls nobody; say --role primary, or leave the peer out"
        ))
        .into()),
        (None, None) if !is_asked(args) => Err(Usage(
            "no role: say --role primary on the sink and --role secondary on the others, or --role ring on all"
                .to_owned(),
        )
        .into()),
        (Some(RoleName::Ring), None) if !is_asked(args) => Err(Usage(
            "a ring needs the list of its nodes: give --peer HOST:PORT for each, this one among them".to_owned(),
        )
        .into()),
        (role, _) if args.sink.is_some() && role != Some(RoleName::Ring) => {
            Err(Usage("--sink is for --role ring; a primary is the sink anyway".to_owned()).into())
        }
        _ => Ok(()),
    }
}

fn survey(args: &InitArgs) -> Result<Survey> {
    let is_watched = !args.json && io::stderr().is_terminal();
    let mut open = |spec: &BusSpec| {
        // A bus whose lines are held takes seconds to say so.
        if is_watched {
            report::tell(&[format!("Scanning {spec} ...")]);
        }
        buses::open(spec, &args.chips)
    };
    match args.bus {
        BusChoice::Auto => buses::scan_all(&buses::adapters(Path::new("/")), &mut open),
        BusChoice::One(BusSpec::None) => Ok(Survey::default()),
        BusChoice::One(spec) => buses::scan_one(spec, &mut open),
    }
}

/// What the flags say.
fn given(args: &InitArgs, place: &Place) -> FileConfig {
    let role = args.role.or((!args.peers.is_empty()).then_some(RoleName::Primary));
    FileConfig {
        role: role.map(questions::word),
        name: args.name.clone(),
        listen: args.listen.clone(),
        data: args.data.clone().or_else(|| system_data(place)),
        peers: args.peers.clone(),
        sink: args.sink.clone(),
        ..FileConfig::default()
    }
}

/// Where the service keeps its store.
fn system_data(place: &Place) -> Option<PathBuf> {
    let path = std::path::absolute(place.path()?).ok()?;
    path.starts_with(SYSTEM_CONFIGS).then(|| SYSTEM_DATA.into())
}

/// Whether somebody is there to be asked.
fn is_asked(args: &InitArgs) -> bool {
    !args.yes && io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Everything that is open yet.
fn ask(
    config: &mut FileConfig,
    chips: &mut Chips<'_>,
    input: &mut dyn BufRead,
    output: &mut dyn Write,
) -> Result<()> {
    let mut dialogue = Dialogue::new(input, output);
    let host = run::name(None).ok();
    questions::about_node(config, host.as_ref(), &mut dialogue)?;
    questions::about_chips(chips, &mut dialogue)
}

/// What `pisink run` reads out of `text`, and that it makes sense.
fn verified(text: &str) -> Result<FileConfig> {
    let config = config::parse(text)
        .map_err(|(line, why)| anyhow::anyhow!("the new config does not read back, at line {line}: {why}"))?;
    run::settle(RunArgs::default(), config.clone())?;
    Ok(config)
}

#[cfg(test)]
mod tests;
