//! `pisink call`: one message to a station of Autopilot's network, its receipt, and what is answered.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value as Json, json};

use super::station::{self, Client};
use super::{Usage, parse, say};
use crate::model::StationMessage;

const AFTER: &str = "\
A station confirms each message that has come. Those that ask for something are answered by a message
besides: PING by STATE, LATEST by LATEST; what cannot be done, by ERROR. VALUE is JSON, or a text.

Examples:
  pisink call pi-2:7001 PING
  pisink call pi-2:7001 LATEST --json
  pisink call pi-2:7001 PARAM '{\"interval\": \"5s\"}'      a node obeys where it is started with --allow PARAM
  pisink call terminal:5560 STOP --to pilot1

Exit codes: 0 confirmed (and answered), 1 not, 2 wrong usage.";

/// An answer comes this long after the receipt at the latest, or is none.
const ANSWER_WAIT: Duration = Duration::from_millis(500);

/// Arguments of `pisink call`.
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct CallArgs {
    /// Where the station listens
    #[arg(value_name = "HOST:PORT")]
    address: String,

    /// What kind of message: PING, LATEST, START, STOP, PARAM, DATA, ...
    key: String,

    /// What it says: JSON, or else a text
    value: Option<String>,

    /// For whom it is [default: the station that listens there]
    #[arg(long, value_name = "ID")]
    to: Option<String>,

    /// What this end calls itself [default: the host's name and a number]
    #[arg(long = "as", value_name = "ID")]
    own: Option<String>,

    /// Print receipt and answer as one JSON object
    #[arg(long)]
    json: bool,

    /// How long to wait for the receipt, and for an answer that has to come
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    timeout: String,
}

/// Runs it.
pub(super) fn run(args: &CallArgs) -> Result<()> {
    let timeout = parse::duration(&args.timeout).map_err(|why| Usage(format!("--timeout: {why}")))?;
    let value = args
        .value
        .as_ref()
        .map_or(Json::Null, |text| serde_json::from_str(text).unwrap_or_else(|_| Json::from(text.as_str())));
    let own = args.own.clone().unwrap_or_else(station::own_name);
    let mut client = Client::connect(&args.address, &own, timeout)?;
    let to = args.to.clone().unwrap_or_else(|| client.station().to_owned());
    let id = client.send(&to, &args.key, value)?;
    let heard = wait(&mut client, &args.key, &id)?;
    if args.json {
        let answer = heard.answer.as_ref().map(|answer| json!({ "key": answer.key, "value": answer.value }));
        say(json!({ "id": id, "to": to, "confirmed": heard.is_confirmed, "answer": answer }))?;
    } else if let Some(answer) = &heard.answer {
        match (answer.key.as_str(), &answer.value) {
            ("ERROR", _) => {}
            ("STATE", Json::String(state)) => say(state)?,
            (_, value) => say(value)?,
        }
    } else if heard.is_confirmed {
        say(format!("{to} has it"))?;
    }
    match heard.answer {
        Some(answer) if answer.key == "ERROR" => {
            let text = answer.value.get("text").and_then(Json::as_str).unwrap_or("it cannot");
            bail!("{to}: {text}")
        }
        None if !heard.is_confirmed => {
            bail!("{to} has not confirmed {} within {:?}: is it there?", args.key, client.timeout())
        }
        _ => Ok(()),
    }
}

/// What came back.
struct Heard {
    is_confirmed: bool,
    answer: Option<StationMessage>,
}

fn wait(client: &mut Client, key: &str, id: &str) -> Result<Heard> {
    // Only to these there has to be an answer.
    let is_answered = matches!(key, "PING" | "LATEST");
    let mut deadline = Instant::now() + client.timeout();
    let mut heard = Heard { is_confirmed: false, answer: None };
    while let Some(message) = client.next(deadline)? {
        match message.key.as_str() {
            "CONFIRM" if message.value.as_str() == Some(id) => {
                heard.is_confirmed = true;
                if !is_answered {
                    deadline = deadline.min(Instant::now() + ANSWER_WAIT);
                }
            }
            "CONFIRM" => {}
            _ => heard.answer = Some(message),
        }
        if heard.is_confirmed && heard.answer.is_some() {
            break;
        }
    }
    if is_answered && heard.is_confirmed && heard.answer.is_none() {
        bail!("{key} came, and is not answered within {:?}", client.timeout());
    }
    Ok(heard)
}
