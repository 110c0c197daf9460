//! `pisink export`: readings for other programs.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::plot::Selection;
use crate::store::{Format, Reader, export};

const COLUMNS: &str = "\
CSV and JSON lines have node, chip, quantity, unit, time (RFC 3339, UTC), value, err, time_source,
time_error_s, node_time, boot, mono_us, journal and seq: an ERR has its reason in err and no value.
time is when it was, as far as is known: by the clock of the sink or the node (time_source), or
unknown; node_time is what the node's own clock showed. SenML is RFC 8428.

  pisink export --data DIR --format csv --last 1h | head
  pisink export --data DIR --format jsonl --quantity temperature | jq .value";

#[derive(Debug, Args)]
#[command(after_help = COLUMNS)]
pub(super) struct ExportArgs {
    /// The node's data folder
    #[arg(long, value_name = "DIR", default_value = "pisink-data")]
    data: PathBuf,

    /// csv, jsonl or senml
    #[arg(long, default_value = "csv", value_name = "FORMAT")]
    format: Format,

    /// The file to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    selection: Selection,
}

pub(super) fn run(args: &ExportArgs) -> Result<()> {
    let reader = Reader::open(&args.data)?;
    let filter = args.selection.filter();
    let Some(path) = &args.out else {
        let mut out = BufWriter::new(std::io::stdout().lock());
        export(&reader, &filter, args.format, &mut out)?;
        return Ok(());
    };
    let file = File::create(path).with_context(|| format!("writing {}", path.display()))?;
    let style = ProgressStyle::with_template("{spinner} {bytes} written, {bytes_per_sec}")?;
    let progress = ProgressBar::new_spinner().with_style(style);
    let mut out = BufWriter::new(progress.wrap_write(file));
    let count = export(&reader, &filter, args.format, &mut out)?;
    out.flush().with_context(|| format!("writing {}", path.display()))?;
    progress.finish_and_clear();
    eprintln!("{count} readings in {}", path.display());
    Ok(())
}
