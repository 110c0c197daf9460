//! The settings of a node's part in Autopilot's network.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::duration;
use crate::cli::Usage;
use crate::cli::config::FileConfig;
use crate::io::AutopilotSettings;
use crate::model::{NodeName, STATION_TEXT_MAX_BYTES};
use crate::proto::{AboveConfig, StreamConfig};

/// A pilot says how it is so often, unasked, as Autopilot's do.
const PING_INTERVAL: Duration = Duration::from_secs(5);
/// So many readings are worth a message.
const MIN_SIZE: u32 = 5;

#[derive(Clone, Debug, Default, Args)]
pub(super) struct AutopilotArgs {
    /// What this node is called among Autopilot's stations [default: T; with --terminal the node's name]
    #[arg(long, env = "PISINK_STATION", value_name = "ID")]
    station: Option<String>,

    /// Be a pilot of Autopilot's: where the terminal (or the station above) listens
    #[arg(long, env = "PISINK_TERMINAL", value_name = "HOST:PORT")]
    terminal: Option<String>,

    /// What the station above is called [default: T]
    #[arg(long, env = "PISINK_TERMINAL_ID", value_name = "ID")]
    terminal_id: Option<String>,

    /// Send this node's readings to the station above, as CONTINUOUS or as DATA
    #[arg(long, env = "PISINK_STREAM", value_name = "KEY", num_args = 0..=1, default_missing_value = "CONTINUOUS")]
    stream: Option<String>,

    /// Fewer than five readings wait so long before they are sent there [default: 1s]
    #[arg(long, env = "PISINK_STREAM_WAIT", value_name = "DURATION")]
    stream_wait: Option<String>,

    /// The folder of the files that stations may give and take, with --allow FILE
    #[arg(long, env = "PISINK_FILES", value_name = "DIR")]
    files: Option<PathBuf>,
}

/// What flags and file come to, at a node of this name.
pub(super) fn settings(args: AutopilotArgs, file: &FileConfig, node: &NodeName) -> Result<AutopilotSettings> {
    let given = |flag: Option<String>, key: &Option<String>| flag.or_else(|| key.clone());
    let terminal = given(args.terminal, &file.terminal);
    let own = given(args.station, &file.station);
    let id = match (&own, &terminal) {
        (Some(id), _) => id.clone(),
        (None, Some(_)) => node.to_string(),
        (None, None) => "T".to_owned(),
    };
    let above_id = given(args.terminal_id, &file.terminal_id).unwrap_or_else(|| "T".to_owned());
    let stream = given(args.stream, &file.stream);
    for (flag, name) in [("station", &id), ("terminal-id", &above_id)] {
        if name.is_empty() || name.len() > STATION_TEXT_MAX_BYTES {
            return Err(
                Usage(format!("--{flag} {name:?}: a name has 1 to {STATION_TEXT_MAX_BYTES} bytes")).into()
            );
        }
    }
    if terminal.is_some() && id == above_id {
        return Err(Usage(format!(
            "--station {id}: the station above is called so; give this one another name"
        ))
        .into());
    }
    if let (Some(_), None) = (&stream, &terminal) {
        return Err(Usage("--stream: say where to, with --terminal HOST:PORT".to_owned()).into());
    }
    let max_wait = duration("stream-wait", args.stream_wait, file.stream_wait.clone())?;
    let stream = stream.map(|key| stream_config(&key, node, max_wait)).transpose()?;
    let above =
        terminal.map(|address| AboveConfig { id: above_id, address, ping_interval: PING_INTERVAL, stream });
    Ok(AutopilotSettings { id, above, files: args.files.or_else(|| file.files.clone()) })
}

fn stream_config(key: &str, node: &NodeName, max_wait: Option<Duration>) -> Result<StreamConfig> {
    if !matches!(key, "CONTINUOUS" | "DATA") {
        return Err(Usage(format!("--stream {key}: CONTINUOUS or DATA")).into());
    }
    Ok(StreamConfig {
        inner_key: key.to_owned(),
        subject: node.to_string(),
        min_size: MIN_SIZE,
        max_wait: max_wait.unwrap_or(Duration::from_secs(1)),
    })
}
