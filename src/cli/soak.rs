//! `pisink soak`: runs drawn scenarios, one a seed, on all cores, and says which break a rule. `scripts/soak` builds
//! the program for it; docs/simulator.md says what it shows.

use std::io::{BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{Told, Usage, say};
use crate::sim::{
    Drawn, Failure, LogTo, Nobody, Scenario, Violation, read_faults, run, shrink, write_faults,
};

/// From one line of progress to the next.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// Failures after which no more are looked for.
const FAILURES_MAX: usize = 20;

#[derive(Debug, clap::Args)]
pub(super) struct SoakArgs {
    /// How many seeds to run, of each kind
    #[arg(default_value_t = 1_000)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    from: u64,
    /// What to draw: ring, polling; both without it
    #[arg(long, value_name = "KIND")]
    role: Option<Drawn>,
    /// Threads; as many as there are cores without it
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Write the log of one seed (the first) to this file; `-` for standard output
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// With these faults instead of the drawn ones, `;` between them
    #[arg(long, value_name = "FAULTS")]
    faults: Option<String>,
    /// Show a failure as it was found, and do not look for the smallest list of faults that brings it about
    #[arg(long)]
    no_shrink: bool,
}

/// One failure.
struct Failed {
    kind: Drawn,
    seed: u64,
    failure: Failure,
}

/// What all threads share.
struct Work {
    next: AtomicU64,
    end: u64,
    kinds: Vec<Drawn>,
    done: AtomicU64,
    virtual_ms: AtomicU64,
    failed: Mutex<Vec<Failed>>,
}

pub(super) fn run_soak(args: &SoakArgs) -> Result<()> {
    let kinds = args.role.map_or(vec![Drawn::Ring, Drawn::Polling], |kind| vec![kind]);
    if args.log.is_some() || args.faults.is_some() {
        return replay(args, &kinds);
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let jobs = args.jobs.unwrap_or(cores).max(1);
    let end = args.from.saturating_add(args.seeds);
    let work = Work {
        next: AtomicU64::new(args.from),
        end,
        kinds,
        done: AtomicU64::new(0),
        virtual_ms: AtomicU64::new(0),
        failed: Mutex::new(Vec::new()),
    };
    // A panic in a run is told as a failure, with its seed.
    std::panic::set_hook(Box::new(|_| {}));
    let began = Instant::now();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(|| work.go_on())).collect();
        let mut told = Instant::now();
        while !workers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            std::thread::park_timeout(Duration::from_millis(20));
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                work.tell_progress(began);
            }
        }
    });
    work.tell_end(began, args.no_shrink)
}

impl Work {
    fn go_on(&self) {
        loop {
            let seed = self.next.fetch_add(1, Ordering::Relaxed);
            let has_failed_enough = || self.failed.lock().map_or(0, |failed| failed.len()) >= FAILURES_MAX;
            if seed >= self.end || has_failed_enough() {
                return;
            }
            for kind in &self.kinds {
                match run(&Scenario::draw(seed, *kind), &mut Nobody) {
                    Ok(outcome) => {
                        let ms = u64::try_from(outcome.virtual_time.as_millis()).unwrap_or(0);
                        self.virtual_ms.fetch_add(ms, Ordering::Relaxed);
                    }
                    Err(failure) => {
                        eprintln!("{kind} {failure}");
                        if let Ok(mut failed) = self.failed.lock() {
                            failed.push(Failed { kind: *kind, seed, failure });
                        }
                    }
                }
                self.done.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn figures(&self, began: Instant) -> String {
        let (done, seconds) = (self.done.load(Ordering::Relaxed), began.elapsed().as_secs_f64().max(1e-3));
        let virtual_s = self.virtual_ms.load(Ordering::Relaxed) as f64 / 1e3;
        let (rate, times) = (done as f64 / seconds, virtual_s / seconds);
        format!("{done} runs in {seconds:.1} s, {rate:.0} a second, {times:.0} times real time")
    }

    fn tell_progress(&self, began: Instant) {
        let failed = self.failed.lock().map_or(0, |failed| failed.len());
        let end = if std::io::stderr().is_terminal() { "\r" } else { "\n" };
        eprint!("{}, {failed} failed{end}", self.figures(began));
    }

    fn tell_end(self, began: Instant, no_shrink: bool) -> Result<()> {
        let figures = self.figures(began);
        let failed = self.failed.into_inner().unwrap_or_default();
        say(format!("{figures}; {} failed", failed.len()))?;
        for one in &failed {
            tell_failure(one, no_shrink)?;
        }
        if failed.is_empty() { Ok(()) } else { Err(Told.into()) }
    }
}

fn tell_failure(failed: &Failed, no_shrink: bool) -> Result<()> {
    let Failed { kind, seed, failure } = failed;
    let scenario = Scenario::draw(*seed, *kind);
    say(format!("\n{kind} {failure}"))?;
    say(format!(
        "  again:    pisink soak --role {kind} --from {seed} --log -    (pisink {})",
        env!("CARGO_PKG_VERSION")
    ))?;
    say(format!("  faults:   {}", write_faults(&scenario.faults)))?;
    if no_shrink {
        return Ok(());
    }
    match shrink(&scenario) {
        Some((smaller, Violation { what, .. })) => {
            say(format!("  smallest: --faults '{}'", write_faults(&smaller.faults)))?;
            say(format!("            {what}"))
        }
        None => say(
            "  it does not fail again: the run does not depend on its seed alone, which is a bug of its own",
        ),
    }
}

/// Runs one seed, with its log.
fn replay(args: &SoakArgs, kinds: &[Drawn]) -> Result<()> {
    let [kind] = kinds else {
        return Err(Usage(
            "--log and --faults are for one run: say --role ring or --role polling".to_owned(),
        )
        .into());
    };
    let mut scenario = Scenario::draw(args.from, *kind);
    if let Some(faults) = &args.faults {
        scenario.faults = read_faults(faults).map_err(|error| Usage(error.to_string()))?;
    }
    let result = match &args.log {
        None => run(&scenario, &mut Nobody),
        Some(path) => {
            let out: Box<dyn Write> = if path.as_os_str() == "-" {
                Box::new(std::io::stdout().lock())
            } else {
                let file = std::fs::File::create(path)
                    .with_context(|| format!("{} cannot be written", path.display()))?;
                Box::new(file)
            };
            let mut log = LogTo::new(BufWriter::new(out));
            log.write(Duration::ZERO, &format!("{scenario:?}"));
            let result = run(&scenario, &mut log);
            log.finish().context("the log cannot be written")?;
            result
        }
    };
    match result {
        Ok(outcome) => say(outcome.summary()),
        Err(failure) => {
            say(format!("{kind} {failure}"))?;
            Err(Told.into())
        }
    }
}
