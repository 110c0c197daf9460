//! `pisink doctor`: checks everything that a node needs on this machine, and says what to do about what is wrong.
//!
//! It looks and does not touch: it writes one small file into the data folder and takes it away again, sends nothing to
//! chips but what a scan does, and leaves a bus alone that a node works on. No check waits longer than its limit.

mod boot_config;
mod card;
mod checks;
mod chips;
mod clock;
mod finding;
mod host;
mod i2c;
mod journal;
mod limit;
mod node;
mod peers;
mod ping;
mod port;
mod power;
mod report;
mod scan;
mod scene;
mod service;
mod space;
mod speed;
#[cfg(test)]
mod testkit;
mod wifi;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use indicatif::ProgressBar;

use super::config::{self, FileConfig};
use super::run::{self, RunArgs, other_role};
use super::{Told, Usage, parse, words};
use crate::io::{self, Settings};
use checks::{CHECKS, Check};
use finding::{Finding, Severity};
use host::Host;
use report::Findings;
use scene::{Config, KeptRole, Scene};

/// Where the package has its config; used when no other is named and it is there.
const DEFAULT_CONFIG: &str = "/etc/pisink/pisink.toml";

/// Where the service runs, so that its relative paths lie there.
const SERVICE_DIR: &str = "/var/lib/pisink";

const EXPLAINED: &str = "\
Each line is a mark, the check's name, what is so and, indented, what to do next. The marks:
  ok    as it should be
  note  worth knowing; nothing has to be done
  WARN  the node works, but worse than it could, or not for ever
  FAIL  something that the node needs does not work
  skip  not here, or not to be found out

The settings are those of `pisink run`, from flags, environment and file. Without --config, the
file is /etc/pisink/pisink.toml, if that is there. docs/doctor.md has a table of all checks.

  pisink doctor                 everything, with the service's config
  sudo pisink doctor            the same, and names other users' programs
  pisink doctor --only i2c,bus,chips --bus pi:1 --chip sht3x@0x44
  pisink doctor --json | jq '.findings[] | select(.severity == \"failure\")'

Exit codes: 0 without failures (there may be warnings), 1 with a failure, 2 wrong usage.";

#[derive(Debug, Args)]
#[command(after_help = EXPLAINED)]
pub(super) struct DoctorArgs {
    /// Only these checks, parted by commas; --list has their names
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,

    /// The checks that there are
    #[arg(long)]
    list: bool,

    /// As JSON, for programs
    #[arg(long)]
    json: bool,

    #[command(flatten, next_help_heading = "Settings, as for `pisink run`")]
    run: RunArgs,
}

/// Makes the checks, and fails if one does.
pub(super) fn run(args: DoctorArgs) -> Result<()> {
    if args.list {
        return report::list(args.json);
    }
    let wanted = wanted(&args.only)?;
    let scene = Arc::new(scene(args.run)?);
    let mut findings = Findings::new();
    let colour = super::wants_colour();
    let mut out = std::io::stdout().lock();
    for check in wanted {
        for finding in make(check, &scene) {
            if !args.json {
                out.write_all(report::lines(check.name, &finding, colour).as_bytes())?;
            }
            findings.push((check.name, finding));
        }
        out.flush()?;
    }
    if args.json {
        serde_json::to_writer_pretty(&mut out, &report::json(&findings, scene.wall))?;
        writeln!(out)?;
    } else {
        writeln!(out, "\n{}", report::summary(&findings))?;
    }
    if report::worst(&findings) == Severity::Failure { Err(Told.into()) } else { Ok(()) }
}

fn wanted(names: &[String]) -> Result<Vec<&'static Check>> {
    for name in names {
        if CHECKS.iter().all(|check| check.name != name) {
            let known: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
            let hint = match parse::nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("there are {}", known.join(", ")),
            };
            return Err(Usage(format!("--only {name}: there is no such check; {hint}")).into());
        }
    }
    let is_wanted = |check: &&Check| names.is_empty() || names.iter().any(|name| name == check.name);
    Ok(CHECKS.iter().filter(is_wanted).collect())
}

fn make(check: &Check, scene: &Arc<Scene>) -> Vec<Finding> {
    let (run, scene) = (check.run, Arc::clone(scene));
    let progress = progress(check);
    let findings = limit::within(check.limit, move || run(&scene)).unwrap_or_else(|| {
        vec![Finding::warning(
            format!("it did not end within {} s, and was given up", check.limit.as_secs()),
            "look at `dmesg | tail` for a disk or a bus that hangs",
        )]
    });
    progress.finish_and_clear();
    findings
}

/// What is shown on a terminal while a check goes on that may take its time.
fn progress(check: &Check) -> ProgressBar {
    /// Checks that are given up sooner are done in an instant.
    const LONG: Duration = Duration::from_secs(30);
    const TICK: Duration = Duration::from_millis(200);
    if check.limit < LONG {
        return ProgressBar::hidden();
    }
    let progress = ProgressBar::new_spinner().with_message(format!("{}: {} ...", check.name, check.about));
    progress.enable_steady_tick(TICK);
    progress
}

/// What flags, environment and file come to. A file that is wrong is a finding; a flag that is wrong is wrong usage.
fn scene(mut args: RunArgs) -> Result<Scene> {
    let path =
        args.config.take().or_else(|| Some(PathBuf::from(DEFAULT_CONFIG)).filter(|path| path.exists()));
    let (mut config, mut file) = read(path.as_deref());
    let resolve = |file: &FileConfig| -> Result<_> {
        let (args, file) = with_role(args.clone(), file.clone());
        let bus = run::bus(&args, &file)?;
        Ok((run::settle(args, file)?, bus))
    };
    let resolved = match (resolve(&file), &config) {
        // If the flags are right without it, it is the file that is wrong.
        (Err(error), Config::Read(path)) => {
            let Ok(resolved) = resolve(&FileConfig::default()) else { return Err(error) };
            config = Config::Bad { path: path.clone(), why: format!("{}: {error:#}", path.display()) };
            file = FileConfig::default();
            resolved
        }
        (resolved, _) => resolved?,
    };
    let (mut settings, bus) = resolved;
    settings.data = in_service_dir(&config, settings.data);
    let kept_role = take_up_kept(&mut settings, &args, &file);
    let mut scene = Scene::new(Host::this(), config, settings, bus);
    scene.kept_role = kept_role;
    Ok(scene)
}

/// Gives the settings the role that the data folder keeps, where a node would take it up at its start.
fn take_up_kept(settings: &mut Settings, args: &RunArgs, file: &FileConfig) -> KeptRole {
    let kept = match io::kept_role(&settings.data) {
        Ok(None) => return KeptRole::None,
        Ok(Some(kept)) => kept,
        Err(why) => return KeptRole::Passed(why),
    };
    if args.role.is_some() {
        return KeptRole::Passed(format!("a flag or the environment names another than {}", kept.role));
    }
    match other_role::settings(args, file, &kept) {
        Ok(role) => {
            settings.role = role;
            KeptRole::Taken
        }
        Err(error) => KeptRole::Passed(format!("{} cannot be: {error:#}", kept.role)),
    }
}

fn read(path: Option<&Path>) -> (Config, FileConfig) {
    let Some(path) = path else { return (Config::None, FileConfig::default()) };
    match config::read(path) {
        Ok(file) => (Config::Read(path.to_owned()), file),
        Err(error) if is_denied(&error) => (Config::Hidden(path.to_owned()), FileConfig::default()),
        Err(error) => {
            (Config::Bad { path: path.to_owned(), why: format!("{error:#}") }, FileConfig::default())
        }
    }
}

fn is_denied(error: &anyhow::Error) -> bool {
    let kind = error.root_cause().downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    kind == Some(std::io::ErrorKind::PermissionDenied)
}

/// A relative path of the service's config lies where the service runs.
fn in_service_dir(config: &Config, path: PathBuf) -> PathBuf {
    match config {
        Config::Read(file) if file == Path::new(DEFAULT_CONFIG) => Path::new(SERVICE_DIR).join(path),
        _ => path,
    }
}

/// A node has to be told its role; here, whoever has peers is a primary.
fn with_role(args: RunArgs, mut file: FileConfig) -> (RunArgs, FileConfig) {
    if args.role.is_none() && file.role.is_none() {
        let is_alone = args.peers.is_empty() && file.peers.is_empty();
        file.role = Some(if is_alone { "secondary" } else { "primary" }.to_owned());
    }
    (args, file)
}

#[cfg(test)]
#[path = "doctor/whole_tests.rs"]
mod tests;
