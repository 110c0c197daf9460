//! The command line: one file per subcommand, each with its arguments as typed and what they come to.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod ask;
mod call;
mod compare;
mod config;
mod demo;
mod doctor;
mod export;
mod generate;
mod init;
mod merge;
mod parse;
mod plot;
mod request;
mod role;
mod run;
mod send_file;
mod sensors;
mod simulate;
mod soak;
mod station;
mod status;
mod words;
mod zre;

const ABOUT: &str = "\
One binary on every Raspberry Pi of a site: reads its I2C sensors into a durable journal, and
brings all readings together on a sink, which averages, plots and exports them. No broker, no cloud,
no access point.";

const AFTER: &str = "\
No Pi at hand?   pisink demo             three nodes on this machine, with simulated chips
On each Pi       pisink sensors scan     what is on the bus, and the config lines for it
                 pisink init             a commented config out of that; then pisink run --config pisink.toml
                 pisink run --role secondary --chip sht3x@0x44
On the sink      pisink run --role primary --peer pi-2:7001 --peer pi-3:7001 --plots plots
Afterwards       pisink export --data DIR --format csv --out readings.csv

Exit codes: 0 done, 1 failed, 2 wrong usage.";

#[derive(Debug, Parser)]
#[command(name = "pisink", version, about = ABOUT, after_help = AFTER, max_term_width = 100)]
struct Cli {
    /// More in the log: -v for details, -vv for everything (RUST_LOG works too)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node: sense, journal, answer polls; as primary, collect from the others and plot
    Run(Box<run::RunArgs>),
    /// Write a commented config for this machine, from what is on its buses
    Init(init::InitArgs),
    /// Show what pisink does: three nodes on this machine, simulated chips, faults, and plots
    Demo(demo::DemoArgs),
    /// Draw PNG (or SVG) plots from a node's data folder
    Plot(plot::PlotArgs),
    /// Write readings as CSV, JSON lines or SenML
    Export(export::ExportArgs),
    /// Bring data folders into one: a sink's and its standby's, or those of two sinks
    Merge(merge::MergeArgs),
    /// List the chips that pisink knows, find those on a bus, read them
    Sensors(sensors::SensorsArgs),
    /// Ask a running node how it is
    Status(status::StatusArgs),
    /// Send one JSON message to a server, by line JSON or jsocket, and print its answer
    Request(request::RequestArgs),
    /// Ask a running node for its role, or give it another
    Role(role::RoleArgs),
    /// List who is there by ZRE (pyre, zyre, nodes): id, name, address, groups, headers
    Peers(zre::peers::PeersArgs),
    /// Say something to all in a group of ZRE
    Shout(zre::say::ShoutArgs),
    /// Say something to one peer of ZRE, and print its answer
    Whisper(zre::say::WhisperArgs),
    /// Print what is said in a group of ZRE
    Listen(zre::listen::ListenArgs),
    /// Spread requests over the members of a group of ZRE, and print each answer with who gave it
    Deal(zre::deal::DealArgs),
    /// Send a message to a station of Autopilot's network (a node is one), and print what it answers
    Call(call::CallArgs),
    /// Send a file to a node's folder of files, in parts, checked, from where it broke off
    SendFile(send_file::SendFileArgs),
    /// Check everything that a node needs on this machine, and say what to do about what is wrong
    Doctor(Box<doctor::DoctorArgs>),
    /// Run a whole site in virtual time, with its faults: what would happen, in seconds
    Simulate(Box<simulate::SimulateArgs>),
    /// Compare polling all at once, polling one after the other, and the ring: in figures and a picture
    Compare(Box<compare::CompareArgs>),
    /// Run seeds of the simulator, and say which break a rule
    #[command(hide = true)]
    Soak(soak::SoakArgs),
    /// Write the completions of a shell to standard output
    #[command(hide = true)]
    Completions(generate::CompletionsArgs),
    /// Write the man pages
    #[command(hide = true)]
    Man(generate::ManArgs),
}

/// The arguments make no sense; the exit code is 2. The text says what is wrong and what would be right.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// What failed was told already, as the command's own output; the exit code is 1.
#[derive(Debug, thiserror::Error)]
#[error("told already")]
struct Told;

/// Runs the program on the process's arguments.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log(cli.verbose);
    let result = match cli.command {
        Command::Run(args) => run::run(*args),
        Command::Init(args) => init::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Plot(args) => plot::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Sensors(args) => sensors::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Request(args) => request::run(&args),
        Command::Role(args) => role::run(args),
        Command::Peers(args) => zre::peers::run(&args),
        Command::Shout(args) => zre::say::shout(&args),
        Command::Whisper(args) => zre::say::whisper(&args),
        Command::Listen(args) => zre::listen::run(&args),
        Command::Deal(args) => zre::deal::run(&args),
        Command::Call(args) => call::run(&args),
        Command::SendFile(args) => send_file::run(&args),
        Command::Doctor(args) => doctor::run(*args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Soak(args) => soak::run_soak(&args),
        Command::Completions(args) => generate::completions(&args),
        Command::Man(args) => generate::man(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) if error.is::<Told>() => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("pisink: {error:#}");
            ExitCode::from(if error.downcast_ref::<Usage>().is_some() { 2 } else { 1 })
        }
    }
}

/// Who reads our output may have seen enough (`pisink export | head`): that is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        // serde_json does not name the error that it met as the source of its own.
        let json = cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        io.or(json) == Some(std::io::ErrorKind::BrokenPipe)
    })
}

/// Writes a line to standard output. (`println!` would panic where nobody reads any more.)
fn say(line: impl std::fmt::Display) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{line}")?)
}

/// Whether colours are wanted: on a terminal, unless the user says no (no-color.org).
fn wants_colour() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    std::io::stdout().is_terminal()
        && !is_set("NO_COLOR")
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

fn start_log(verbose: u8) {
    let level = match verbose {
        0 => "info",
        1 => "debug",
        _ => "trace",
    };
    let mut builder = env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(level));
    // It warns of shapes without an area, which a plot may well have, in words that mean nothing to people.
    builder.filter_module("tiny_skia", log::LevelFilter::Error);
    if is_journal() {
        // It has the time already, and knows the level by the number before the line (sd-daemon(3)).
        builder.format(|out, record| writeln!(out, "<{}>{}", syslog_level(record.level()), record.args()));
    } else {
        builder.format_target(false).format_timestamp_millis();
    }
    builder.init();
}

/// Whether standard error goes into the journal: `JOURNAL_STREAM` names its device and file. The variable alone says
/// nothing, for whatever a service starts inherits it.
fn is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    rustix::fs::fstat(std::io::stderr())
        .is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

fn syslog_level(level: log::Level) -> u8 {
    match level {
        log::Level::Error => 3,
        log::Level::Warn => 4,
        log::Level::Info => 6,
        log::Level::Debug | log::Level::Trace => 7,
    }
}
