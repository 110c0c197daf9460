//! `pisink send-file`: a file to a node's folder, in parts, checked, and from where it broke off.

use std::fs::File;
use std::io::{IsTerminal, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value as Json, json};

use super::station::{self, Client};
use super::{Usage, parse, say};
use crate::io::{FILE_MAX_BYTES, PART_MAX_BYTES, file_digest};

/// Progress shows for what takes longer.
const PROGRESS_AFTER: Duration = Duration::from_secs(2);

/// Arguments of `pisink send-file`.
#[derive(Debug, Args)]
pub(super) struct SendFileArgs {
    /// Where the node listens; it has to be started with --files DIR --allow FILE
    #[arg(value_name = "HOST:PORT")]
    address: String,

    /// The file, of 64 MiB at most
    file: PathBuf,

    /// What it is called there: a path in the node's folder [default: the file's own name]
    #[arg(long = "name", value_name = "PATH")]
    name: Option<String>,

    /// For whom it is [default: the station that listens there]
    #[arg(long, value_name = "ID")]
    to: Option<String>,

    /// How long to wait for each answer
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    timeout: String,
}

/// Runs it.
pub(super) fn run(args: &SendFileArgs) -> Result<()> {
    let timeout = parse::duration(&args.timeout).map_err(|why| Usage(format!("--timeout: {why}")))?;
    let mut file = File::open(&args.file).with_context(|| format!("opening {}", args.file.display()))?;
    let size = file.metadata()?.len();
    if size > FILE_MAX_BYTES {
        bail!("{}: it has {size} bytes; {FILE_MAX_BYTES} is the most", args.file.display());
    }
    let own_name = args.file.file_name().map(|name| name.to_string_lossy().into_owned());
    let path = args.name.clone().or(own_name).context("the file has no name: give one with --name")?;
    let digest = file_digest(&mut file, size).with_context(|| format!("reading {}", args.file.display()))?;
    let mut client = Client::connect(&args.address, &station::own_name(), timeout)?;
    let to = args.to.clone().unwrap_or_else(|| client.station().to_owned());
    let begun = Instant::now();
    let mut bar: Option<ProgressBar> = None;
    let offer = json!({ "path": path, "size": size, "sha256": digest });
    let mut answer = ask(&mut client, &to, &path, offer)?;
    let mut before = None;
    while !answer.is_done {
        if before == Some(answer.have) {
            bail!("{to} takes no more of {path} after {} bytes", answer.have);
        }
        before = Some(answer.have);
        if begun.elapsed() > PROGRESS_AFTER && std::io::stderr().is_terminal() {
            bar.get_or_insert_with(|| progress(size)).set_position(answer.have);
        }
        let mut part = Vec::new();
        file.seek(SeekFrom::Start(answer.have))?;
        file.by_ref().take(PART_MAX_BYTES as u64).read_to_end(&mut part)?;
        let part = json!({ "path": path, "offset": answer.have, "size": size, "sha256": digest,
            "file": STANDARD.encode(part) });
        answer = ask(&mut client, &to, &path, part)?;
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    say(format!("{to} has {path}: {size} bytes, sha256 {digest}"))
}

/// How far the other end is.
struct Progress {
    have: u64,
    is_done: bool,
}

fn ask(client: &mut Client, to: &str, path: &str, value: Json) -> Result<Progress> {
    client.send(to, "FILE", value)?;
    let deadline = Instant::now() + client.timeout();
    while let Some(message) = client.next(deadline)? {
        let value = &message.value;
        match message.key.as_str() {
            "FILE" if value.get("path").and_then(Json::as_str) == Some(path) => {
                let have = value.get("have").and_then(Json::as_u64).unwrap_or(0);
                return Ok(Progress { have, is_done: value.get("done") == Some(&Json::Bool(true)) });
            }
            "ERROR" => bail!("{to}: {}", value.get("text").and_then(Json::as_str).unwrap_or("it cannot")),
            _ => {}
        }
    }
    bail!("{to} has not answered within {:?}; what it has is kept: send the file again", client.timeout())
}

fn progress(size: u64) -> ProgressBar {
    let bar = ProgressBar::new(size);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {eta} left") {
        bar.set_style(style);
    }
    bar
}
