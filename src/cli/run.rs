//! `pisink run`: from flags, environment and file to a running node.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};
use pisink_sensors::bus::BusSpec;
use pisink_sensors::catalogue::ChipSpec;
use pisink_sensors::sim::PlannedFault;

use super::config::{self, FileConfig};
use super::{Usage, parse};
use crate::io::{self, BusSettings, PlotSettings, Settings, Source};
use crate::model::NodeName;

mod autopilot;
mod lab;
mod listen;
pub(super) mod other_role;
mod own_place;
mod question;
mod ring;
mod role;
mod standby;
mod zre;

pub(super) use listen::listen;
pub(super) use own_place::{Own, is_elsewhere};
pub(super) use ring::Which;
pub(super) use role::{OrderName, check_peer};
pub(super) use zre::{GROUP_RULE, is_group};

const EXAMPLES: &str = "\
Each flag can stand in the config file (peers, chips and faults are lists there) and in the
environment (PISINK_ROLE, PISINK_PEER=a:7001,b:7001, PISINK_CHIP=\"sht3x@0x44 seesaw@0x36\").
Flags win over the environment, and the environment over the file.

  pisink run --role secondary --chip sht3x@0x44
  pisink run --role primary --listen 0.0.0.0:7001 --peer pi-2:7001 --peer pi-3:7001
  pisink run --role secondary --bus sim --chip sht3x@0x44 --fault sht3x@0x44=nack@10s..20s
  pisink run --role ring --listen 0.0.0.0:7001 --peer pi-1:7001 --peer pi-2:7001 --peer pi-3:7001 \
             --sink pi-1:7001 --standby pi-2:7001       the same on all three

SIGINT and SIGTERM stop it with everything flushed; SIGUSR1 draws the plots now; SIGHUP has a node with a config
and without a terminal read its config again. `pisink role` changes the role of a running node.";

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RoleName {
    /// The sink: polls the others, stores and plots everything
    Primary,
    /// Senses and answers polls
    Secondary,
    /// One of those among whom a token goes round; one of them is the sink
    Ring,
}

#[derive(Clone, Debug, Default, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RunArgs {
    /// A TOML file with any of these settings
    #[arg(long, env = "PISINK_CONFIG", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// What this node does
    #[arg(long, env = "PISINK_ROLE")]
    pub(super) role: Option<RoleName>,

    /// The node's name [default: the host name]
    #[arg(long, env = "PISINK_NAME")]
    name: Option<String>,

    /// Where to listen; 0.0.0.0:7001 for everybody on the network. Other framings than line JSON are for this machine
    /// alone, unless a further line opens them: --listen jsocket,zre=0.0.0.0:7001 (line, jsocket, zre, autopilot, lab)
    /// [default: 127.0.0.1:7001]
    #[arg(long, env = "PISINK_LISTEN", value_name = "[FRAMING,..=]ADDRESS:PORT", value_delimiter = ' ')]
    listen: Vec<String>,

    /// Commands that are obeyed over other framings than line JSON too: START, STOP, PARAM, KILL, FILE, ROLE
    #[arg(long, env = "PISINK_ALLOW", value_name = "COMMAND", value_delimiter = ',')]
    allow: Vec<String>,

    /// The folder of the store [default: pisink-data]
    #[arg(long, env = "PISINK_DATA", value_name = "DIR")]
    data: Option<PathBuf>,

    /// A node to poll (primary), or one of the ring, this one among them, in the same order everywhere (ring); give
    /// one for each
    #[arg(long = "peer", env = "PISINK_PEER", value_name = "HOST:PORT", value_delimiter = ',')]
    pub(super) peers: Vec<String>,

    /// The bus: pi:N for /dev/i2c-N, sim or sim:SEED for simulated chips, none [default: pi:1]
    #[arg(long, env = "PISINK_BUS", value_name = "BUS")]
    pub(super) bus: Option<String>,

    /// A chip as DRIVER@ADDRESS[,OPTION=VALUE]; on another bus than --bus: BUS/DRIVER@ADDRESS. See `sensors list`
    #[arg(long = "chip", env = "PISINK_CHIP", value_name = "CHIP", value_delimiter = ' ')]
    chips: Vec<String>,

    /// A fault of a simulated chip: CHIP@ADDRESS=nack|bad_crc|stuck|timeout|gone@FROM..TO, times since the start
    #[arg(long = "fault", env = "PISINK_FAULT", value_name = "FAULT", value_delimiter = ' ')]
    faults: Vec<String>,

    /// Read the machine's own channels too (load, memory, disk, SoC temperature), or --host=false not to
    /// [default: where there are no chips]
    #[arg(long, env = "PISINK_HOST", value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true")]
    host: Option<bool>,

    /// From one measurement to the next [default: 1s]
    #[arg(long, env = "PISINK_INTERVAL", value_name = "DURATION")]
    interval: Option<String>,

    /// From one round of polls to the next (primary) [default: 1s]
    #[arg(long, env = "PISINK_POLL_INTERVAL", value_name = "DURATION")]
    poll_interval: Option<String>,

    /// A node that has not answered by then is ERR node_down in that round (primary) [default: half the poll interval]
    #[arg(long, env = "PISINK_DEADLINE", value_name = "DURATION")]
    deadline: Option<String>,

    /// In what order a round asks the nodes (primary): a round takes as long as the slowest answer, or as all of them
    /// together [default: at-once]
    #[arg(long, env = "PISINK_POLL_ORDER", value_name = "ORDER")]
    poll_order: Option<OrderName>,

    /// Who is the sink: this node, or the one at this address (ring: of the list of peers); --sink=false: not this one
    /// [default: the primary; in a ring nobody: readings wait where they are]
    #[arg(long, env = "PISINK_SINK", value_name = "HOST:PORT", num_args = 0..=1, default_missing_value = "true")]
    sink: Option<Which>,

    /// Who takes the sink's place when it is gone (primary, ring): the nodes at these addresses, the first one first;
    /// or a number, which is this node's turn
    #[arg(long, env = "PISINK_STANDBY", value_name = "HOST:PORT", num_args = 0..=1, default_missing_value = "1")]
    #[arg(value_delimiter = ',')]
    standby: Vec<String>,

    /// Who starts with the token (ring): this node, or the one at this address; --token=false: not this one
    /// [default: asked on a terminal; else the ring elects one]
    #[arg(long, env = "PISINK_TOKEN", value_name = "HOST:PORT", num_args = 0..=1, default_missing_value = "true")]
    token: Option<Which>,

    /// How often the token goes round while there is little to carry (ring): longer costs less, shorter brings a
    /// reading sooner [default: 250ms]
    #[arg(long, env = "PISINK_TOKEN_HOLD", value_name = "DURATION")]
    token_hold: Option<String>,

    /// From one round to the next at least (ring): a round ends when the token comes to the sink [default: 1s]
    #[arg(long, env = "PISINK_ROUND_INTERVAL", value_name = "DURATION")]
    round_interval: Option<String>,

    /// A standby takes the sink's place when there was none for so long (primary, ring) [default: 5s]
    #[arg(long, env = "PISINK_STANDBY_AFTER", value_name = "DURATION")]
    standby_after: Option<String>,

    /// Commit to disk at most once in this time: longer spares an SD card, shorter loses less at a power cut
    /// [default: 200ms]
    #[arg(long, env = "PISINK_FLUSH_INTERVAL", value_name = "DURATION")]
    flush_interval: Option<String>,

    /// Keep readings for this long at least, then drop what consumers have taken [default: for ever]
    #[arg(long, env = "PISINK_KEEP_FOR", value_name = "DURATION")]
    keep_for: Option<String>,

    /// Let the store grow to this size at most, then drop the oldest readings [default: 4G]
    #[arg(long, env = "PISINK_KEEP_SIZE", value_name = "SIZE")]
    keep_size: Option<String>,

    /// Draw plots into this folder while running
    #[arg(long, env = "PISINK_PLOTS", value_name = "DIR")]
    plots: Option<PathBuf>,

    /// From one drawing to the next [default: 10s]
    #[arg(long, env = "PISINK_PLOT_INTERVAL", value_name = "DURATION")]
    plot_interval: Option<String>,

    /// How much of the past the plots show [default: 1h]
    #[arg(long, env = "PISINK_PLOT_LAST", value_name = "DURATION")]
    plot_last: Option<String>,

    #[command(flatten)]
    zre: zre::ZreArgs,

    #[command(flatten)]
    autopilot: autopilot::AutopilotArgs,

    #[command(flatten)]
    lab: lab::LabArgs,
}

/// Runs a node until it is asked to stop.
pub(super) fn run(args: RunArgs) -> Result<()> {
    let file = args.config.as_deref().map(config::read).transpose()?.unwrap_or_default();
    let mut args = args;
    question::about_token(&mut args, &file)?;
    ring::check_own_place(&args, &file)?;
    standby::warn_of_no_place(&args, &file)?;
    let settings = settle(args.clone(), file.clone())?;
    ring::warn_of_loopback(&settings);
    io::run(settings, source(args, file))
}

/// Where a running node can ask again: for another role, or for what the file says by then.
fn source(args: RunArgs, file: FileConfig) -> Source {
    let again = args.config.clone().map(|path| {
        let args = args.clone();
        let again = move || {
            let file = config::read(&path)?;
            ring::check_own_place(&args, &file)?;
            Ok((settle(args.clone(), file.clone())?, source(args.clone(), file)))
        };
        Box::new(again) as Box<io::Again>
    });
    Source {
        role_is_given: args.role.is_some(),
        role: Box::new(move |request| other_role::settings(&args, &file, request)),
        again,
    }
}

/// What flags, environment and the content of a file come to. Whoever wants to know whether a config makes sense gives
/// no flags.
pub(super) fn settle(args: RunArgs, file: FileConfig) -> Result<Settings> {
    let faults = parse_all::<PlannedFault>("fault", pick_list(&args.faults, &file.faults))?;
    let chips = parse_all::<ChipSpec>("chip", pick_list(&args.chips, &file.chips))?;
    let bus = bus(&args, &file)?;
    let host = args.host.or(file.host).unwrap_or(chips.is_empty());
    let own = own(&args, &file)?;
    let autopilot_name = own.name.clone();
    Ok(Settings {
        role: role::role(&args, &file, &own)?,
        lab: lab::lab(&args.lab, &file)?,
        access: listen::access(&args, &file)?,
        zre: zre::settings(&args.zre, &file)?,
        name: own.name,
        listen: own.listen,
        autopilot: autopilot::settings(args.autopilot, &file, &autopilot_name)?,
        data: args.data.or(file.data).unwrap_or_else(|| "pisink-data".into()),
        buses: assign(bus, chips, faults)?,
        host,
        interval: duration("interval", args.interval, file.interval)?.unwrap_or(Duration::from_secs(1)),
        flush_interval: duration("flush-interval", args.flush_interval, file.flush_interval)?
            .unwrap_or(Duration::from_millis(200)),
        keep_for: duration("keep-for", args.keep_for, file.keep_for)?,
        keep_bytes: match args.keep_size.or(file.keep_size) {
            Some(text) => parse::bytes(&text).map_err(|why| Usage(format!("--keep-size: {why}")))?,
            None => KEEP_BYTES,
        },
        plots: match args.plots.or(file.plots) {
            Some(dir) => Some(PlotSettings {
                dir,
                interval: duration("plot-interval", args.plot_interval, file.plot_interval)?
                    .unwrap_or(Duration::from_secs(10)),
                last: duration("plot-last", args.plot_last, file.plot_last)?
                    .unwrap_or(Duration::from_secs(3_600)),
            }),
            None => None,
        },
    })
}

/// Who this node is, and where.
fn own(args: &RunArgs, file: &FileConfig) -> Result<Own> {
    Ok(Own {
        name: name(args.name.as_ref().or(file.name.as_ref()))?,
        listen: listen(listen::given(args, file))?,
    })
}

/// The bus of chips that name none.
pub(super) fn bus(args: &RunArgs, file: &FileConfig) -> Result<BusSpec> {
    match args.bus.as_ref().or(file.bus.as_ref()) {
        Some(text) => text.parse().map_err(|why| Usage(format!("--bus {text}: {why}")).into()),
        None => Ok(BusSpec::Pi(1)),
    }
}

/// What a store may grow to unless told otherwise: an eighth of a common SD card, two years of a small site.
const KEEP_BYTES: u64 = 4_000_000_000;

/// The name that is given, or else the host's.
pub(super) fn name(given: Option<&String>) -> Result<NodeName> {
    if let Some(name) = given {
        return NodeName::new(name).map_err(|why| Usage(format!("--name {name:?}: {why}")).into());
    }
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    NodeName::new(&host).map_err(|why| {
        Usage(format!("the host name {host:?} is no name for a node ({why}): give one with --name")).into()
    })
}

fn pick_list<'a>(given: &'a [String], file: &'a [String]) -> &'a [String] {
    if given.is_empty() { file } else { given }
}

fn parse_all<T>(flag: &str, texts: &[String]) -> Result<Vec<T>>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let parse = |text: &String| {
        text.parse::<T>().map_err(|why| anyhow::Error::from(Usage(format!("--{flag} {text}: {why}"))))
    };
    texts.iter().map(parse).collect()
}

fn duration(flag: &str, given: Option<String>, file: Option<String>) -> Result<Option<Duration>> {
    let parse = |text: String| {
        parse::duration(&text).map_err(|why| anyhow::Error::from(Usage(format!("--{flag}: {why}"))))
    };
    given.or(file).map(parse).transpose()
}

/// Puts each chip on its bus, and each fault with its chip.
fn assign(first: BusSpec, chips: Vec<ChipSpec>, faults: Vec<PlannedFault>) -> Result<Vec<BusSettings>> {
    let mut assigned: Vec<BusSettings> = Vec::new();
    for chip in chips {
        let bus = chip.bus().unwrap_or(first);
        if bus == BusSpec::None {
            return Err(Usage(format!("--chip {chip} is on no bus: give --bus pi:1 or --bus sim")).into());
        }
        match assigned.iter_mut().find(|known| known.bus == bus) {
            Some(known) => {
                if let Some(other) = known.chips.iter().find(|other| other.address() == chip.address()) {
                    return Err(Usage(format!("--chip {chip} has the address of --chip {other}")).into());
                }
                known.chips.push(chip);
            }
            None => assigned.push(BusSettings { bus, chips: vec![chip], faults: Vec::new() }),
        }
    }
    for fault in faults {
        let has_chip = |settings: &&mut BusSettings| {
            matches!(settings.bus, BusSpec::Sim(_))
                && settings.chips.iter().any(|chip| chip.is(&fault.driver, fault.address))
        };
        match assigned.iter_mut().find(has_chip) {
            Some(settings) => settings.faults.push(fault),
            None => {
                return Err(Usage(format!(
                    "--fault {fault}: there is no such simulated chip; add it with --chip"
                ))
                .into());
            }
        }
    }
    Ok(assigned)
}
