//! `pisink merge`: brings data folders into one, each reading once.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value as Json, json};

use super::{Told, Usage};
use crate::io;
use crate::model::JournalId;
use crate::store::{Check, MergeProgress, MergeReport, OpenParams, Reader, Store};

const ABOUT: &str = "\
Bring the data folders of several nodes into one: of a sink and the standby that took its place, of
two sinks that were cut off from each other, of an old card and a new one.

Everything goes into the folder --into, which is made if it is not there: readings, each once by its
journal and place; rounds; names at addresses; and what is known of clocks, so that each reading
keeps its time. The others are only read.";

const AFTER: &str = "\
The node of --into must not run. The others may: what they have when the merge comes to it is
brought over, and merging again brings the rest. A merge that was ended in the middle is simply run
again.

The node of --into stays the node it was, with its own journal; the others' own journals become
journals of other nodes. A sink that runs on the folder afterwards goes on polling from where
nothing is missing; what it is sent a second time is left out.

A reading that two folders have with different content (a card was copied and both copies went on,
or a file is damaged) stays as it is in --into. That is a conflict: it is told, and the exit code is 1.

  pisink merge --into /var/lib/pisink standby-data      after the sink is back: what the standby took
  pisink merge --into all-data east-data west-data      one folder out of two, for plots and exports
  pisink merge --into all-data east-data --json | jq .new

Exit codes: 0 done, 1 failed, or done with conflicts, 2 wrong usage.";

/// How long a merge may take before its progress is shown.
const SHOW_AFTER: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
#[command(long_about = ABOUT, after_help = AFTER)]
pub(super) struct MergeArgs {
    /// The data folder that everything goes into; made if it is not there
    #[arg(long, value_name = "DIR")]
    into: PathBuf,

    /// The data folders to bring over
    #[arg(value_name = "FROM", required = true)]
    from: Vec<PathBuf>,

    /// The name of the node of a new folder [default: the host name]
    #[arg(long)]
    name: Option<String>,

    /// What was done as JSON, for programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &MergeArgs) -> Result<()> {
    let readers = open_all(args)?;
    let params = OpenParams {
        node: super::run::name(args.name.as_ref())?,
        new_journal: JournalId(io::random_u64()),
        boot: io::boot_id(),
        now: io::now().wall,
        check: Check::Auto,
    };
    let (mut store, opened) = Store::open_to_merge(&args.into, &params)?;
    let mut reports = Vec::with_capacity(readers.len());
    for (from, reader) in &readers {
        let merged = merge(&mut store, from, reader);
        reports.push((*from, merged.with_context(|| format!("merging {}", from.display()))?));
    }
    store.close()?;
    if args.json {
        super::say(serde_json::to_string_pretty(&to_json(&args.into, opened.made, &reports))?)?;
    } else {
        super::say(for_people(&args.into, opened.made, &reports).trim_end())?;
    }
    if reports.iter().any(|(_, report)| report.counts().2 > 0) { Err(Told.into()) } else { Ok(()) }
}

/// Opens and checks every folder before anything is written.
fn open_all(args: &MergeArgs) -> Result<Vec<(&Path, Reader)>> {
    let into = args.into.canonicalize().ok();
    let mut readers = Vec::with_capacity(args.from.len());
    for from in &args.from {
        if into.is_some() && from.canonicalize().ok() == into {
            let why = "is both --into and to be merged; give the other folders alone";
            return Err(Usage(format!("{} {why}", from.display())).into());
        }
        let reader = Reader::open(from)?;
        reader.check(from).with_context(|| format!("looking at {}", from.display()))?;
        readers.push((from.as_path(), reader));
    }
    Ok(readers)
}

fn merge(store: &mut Store, from: &Path, reader: &Reader) -> Result<MergeReport> {
    let style =
        ProgressStyle::with_template("{msg} {bar:30} {human_pos} of {human_len} readings, {eta} to go")?;
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()).with_style(style);
    bar.set_message(from.display().to_string());
    let began = Instant::now();
    let told = &mut |MergeProgress { done, total }| {
        if bar.is_hidden() && began.elapsed() >= SHOW_AFTER {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        bar.set_length(total.max(done));
        bar.set_position(done);
    };
    let report = store.merge(reader, io::now().wall, told);
    bar.finish_and_clear();
    Ok(report?)
}

type Reports<'a> = [(&'a Path, MergeReport)];

fn for_people(into: &Path, made: bool, reports: &Reports<'_>) -> String {
    let mut text = String::new();
    for (from, report) in reports {
        let (new, duplicates, conflicts) = report.counts();
        let _ = writeln!(
            text,
            "{}: {new} readings are new, {duplicates} were there already; {} rounds are new",
            from.display(),
            report.rounds
        );
        for journal in report.journals.iter().filter(|journal| journal.new > 0) {
            let _ = writeln!(
                text,
                "  {:<16} journal {}: {} new, {} there already",
                journal.node, journal.journal, journal.new, journal.duplicates
            );
        }
        if conflicts > 0 {
            let _ = writeln!(
                text,
                "CONFLICT: {conflicts} readings of {} are there with another content, which stays: is one card a copy \
                 of another?",
                from.display()
            );
        }
        for conflict in &report.conflicts {
            let _ = writeln!(
                text,
                "  {:<16} journal {}, place {}",
                conflict.node, conflict.journal, conflict.seq
            );
        }
    }
    // What one folder left open the next may have filled: the last word counts.
    for (node, journal, beyond, cursor) in holes(reports) {
        let _ = writeln!(
            text,
            "{node}: {beyond} readings are held beyond some that no folder has (journal {journal}, from place {} \
             on); a sink that runs on {} asks for those again",
            cursor + 1,
            into.display()
        );
    }
    let made = if made { ", which is new" } else { "" };
    let _ = writeln!(text, "all of it is in {}{made}", into.display());
    text
}

/// Journals of which something is missing: node, journal, readings beyond the hole, cursor.
fn holes<'a>(reports: &'a Reports<'_>) -> Vec<(&'a str, JournalId, u64, u64)> {
    let mut last = std::collections::BTreeMap::new();
    for journal in reports.iter().flat_map(|(_, report)| &report.journals) {
        last.insert((journal.node.as_str(), journal.journal), (journal.beyond, journal.cursor.0));
    }
    let open = last.into_iter().filter(|(_, (beyond, _))| *beyond > 0);
    open.map(|((node, journal), (beyond, cursor))| (node, journal, beyond, cursor)).collect()
}

fn to_json(into: &Path, made: bool, reports: &Reports<'_>) -> Json {
    let total = reports.iter().map(|(_, report)| report.counts());
    let (new, duplicates, conflicts) =
        total.fold((0, 0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1, sum.2 + counts.2));
    let from: Vec<Json> = reports.iter().map(|(from, report)| one_json(from, report)).collect();
    json!({
        "into": into.display().to_string(),
        "made": made,
        "new": new,
        "duplicates": duplicates,
        "conflicts": conflicts,
        "from": from,
    })
}

fn one_json(from: &Path, report: &MergeReport) -> Json {
    let (new, duplicates, conflicts) = report.counts();
    let journals = report.journals.iter().map(|journal| {
        json!({
            "node": journal.node.as_str(),
            "journal": journal.journal.to_string(),
            "new": journal.new,
            "duplicates": journal.duplicates,
            "conflicts": journal.conflicts,
            "cursor": journal.cursor.0,
            "beyond_hole": journal.beyond,
        })
    });
    let told = report.conflicts.iter().map(|conflict| {
        let (node, journal) = (conflict.node.as_str(), conflict.journal.to_string());
        json!({ "node": node, "journal": journal, "seq": conflict.seq.0 })
    });
    json!({
        "from": from.display().to_string(),
        "new": new,
        "duplicates": duplicates,
        "conflicts": conflicts,
        "rounds": report.rounds,
        "journals": journals.collect::<Vec<_>>(),
        "first_conflicts": told.collect::<Vec<_>>(),
    })
}
