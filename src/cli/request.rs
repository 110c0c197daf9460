//! `pisink request`: one JSON message to a server, by line JSON or jsocket, and its answer.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde_json::Value as Json;

use super::Usage;
use crate::io::{Client, Patience};
use crate::wire::{Dialect, JsocketDialect};

const EXAMPLES: &str = "\
  pisink request 127.0.0.1:7001 '{\"key\":\"LATEST\"}'         a node, in its own language
  pisink request --jsocket pi-2:5489 '{\"greeting\":\"hey\"}'  a jsocket 2 server; --jsocket=1, --jsocket=2012
  pisink request --no-answer pi-2:7001 '{\"msg\":21.5}'       says it, and waits for nothing

Exit codes: 0 answered, 1 no answer or an ERROR, 2 wrong usage.";

/// A version of jsocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Version {
    /// 1.4 to 1.9: a big-endian length
    #[value(name = "1")]
    One,
    /// 2.0: magic, length and checksum
    #[value(name = "2")]
    Two,
    /// 1.1 of 2012: a little-endian length
    #[value(name = "2012")]
    Of2012,
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RequestArgs {
    /// Speak jsocket, by its version [default: line JSON; --jsocket alone: 2]
    #[arg(long, value_name = "VERSION", num_args = 0..=1, require_equals = true, default_missing_value = "2")]
    jsocket: Option<Version>,

    /// Print the answer on one line, for programs
    #[arg(long)]
    json: bool,

    /// Send it, and wait for no answer
    #[arg(long)]
    no_answer: bool,

    /// Attempts at a connection
    #[arg(long, default_value_t = 10, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    tries: u32,

    /// From one attempt to the next
    #[arg(long, default_value = "3s", value_parser = super::parse::duration, value_name = "DURATION")]
    pause: Duration,

    /// How long to wait for a connection, and for the answer
    #[arg(long, default_value = "2s", value_parser = super::parse::duration, value_name = "DURATION")]
    timeout: Duration,

    /// The server
    #[arg(value_name = "HOST:PORT")]
    address: String,

    /// The message
    #[arg(value_name = "JSON")]
    message: String,
}

pub(super) fn run(args: &RequestArgs) -> Result<()> {
    let message: Json = serde_json::from_str(&args.message).map_err(|error| {
        Usage(format!("{:?} is no JSON ({error}); quote it, as in '{{\"key\":\"PING\"}}'", args.message))
    })?;
    if !args.address.contains(':') {
        return Err(Usage(format!("{}: write it as HOST:PORT, as in 127.0.0.1:7001", args.address)).into());
    }
    let dialect = match args.jsocket {
        None => Dialect::Line,
        Some(Version::One) => Dialect::Jsocket(JsocketDialect::V1),
        Some(Version::Two) => Dialect::Jsocket(JsocketDialect::V2),
        Some(Version::Of2012) => Dialect::Jsocket(JsocketDialect::V2012),
    };
    let patience = Patience { tries: args.tries, pause: args.pause, timeout: args.timeout };
    let mut client = Client::connect(&args.address, dialect, &patience, |tries, why| {
        let _ = writeln!(
            std::io::stderr(),
            "{} does not answer ({why}); try {tries} of {}, the next in {:?}",
            args.address,
            args.tries,
            args.pause
        );
    })?;
    if args.no_answer {
        return Ok(client.send(&message)?);
    }
    let answer = client.ask(&message)?;
    if answer.get("key").is_some_and(|key| key == "ERROR") {
        bail!(
            "{}: {}",
            args.address,
            answer.pointer("/value/text").and_then(Json::as_str).unwrap_or("an ERROR")
        );
    }
    let mut out = std::io::stdout().lock();
    if args.json || !out.is_terminal() {
        serde_json::to_writer(&mut out, &answer)?;
    } else {
        serde_json::to_writer_pretty(&mut out, &answer)?;
    }
    writeln!(out)?;
    Ok(())
}
