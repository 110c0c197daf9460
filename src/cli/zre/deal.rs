//! `pisink deal`: requests spread over the members of a group, each answered by one of them.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value as Json, json};

use super::{AsPeer, LOOK_AROUND, after, name_of, text_of};
use crate::cli::{Usage, say};
use crate::io::{self, ZrePeerLoop};
use crate::model::{Instant, ZreId};
use crate::proto::{Deal, DealOutput, TRIES_MAX, ZreEvent};

/// Largest file of requests, in bytes: they are held in memory.
const FILE_MAX_BYTES: u64 = 64 << 20;

const EXAMPLES: &str = "\
Each line of FILE is one request in JSON, whispered to one member of the group. An answer that names the request's
\"id\" is that request's; one that names none is that of the oldest which its sender has not answered. A request
without an id gets its line's number for one.

  echo '{\"key\":\"LATEST\"}' | pisink deal pisink -
  pisink deal workers requests.jsonl --timeout 2s --least-loaded";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct DealArgs {
    /// The group
    group: String,

    /// Requests, one JSON text a line; - for standard input
    file: PathBuf,

    /// An answer that has not come by then will not: the request is dealt to another
    #[arg(long, default_value = "5s", value_parser = crate::cli::parse::duration, value_name = "DURATION")]
    timeout: Duration,

    /// To the member with the fewest requests that are not answered, instead of in turn
    #[arg(long)]
    least_loaded: bool,

    #[command(flatten)]
    peer: AsPeer,
}

/// One request as it is sent, and the id by which its answer is known.
struct Request {
    id: String,
    text: String,
}

pub(in crate::cli) fn run(args: &DealArgs) -> Result<()> {
    let requests = read(args)?;
    let mut peer = args.peer.begin("deal", &[&args.group])?;
    let mut dealer = Dealer {
        deal: Deal::new(requests.len(), args.timeout, args.least_loaded),
        requests,
        group: &args.group,
        given_up: 0,
        has_met: false,
    };
    let nobody_by = after(args.timeout.max(Duration::from_secs(3)));
    let done = dealer.work(&mut peer, nobody_by);
    peer.end();
    done
}

fn read(args: &DealArgs) -> Result<Vec<Request>> {
    let name = args.file.display();
    let mut text = String::new();
    let source: Box<dyn Read> = match args.file.as_os_str() == "-" {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(std::fs::File::open(&args.file).with_context(|| format!("reading {name}"))?),
    };
    source.take(FILE_MAX_BYTES + 1).read_to_string(&mut text).with_context(|| format!("reading {name}"))?;
    if text.len() as u64 > FILE_MAX_BYTES {
        bail!("{name} has more than {} MiB: deal it in parts", FILE_MAX_BYTES >> 20);
    }
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| {
            request(at + 1, line).map_err(|why| Usage(format!("{name}:{}: {why}", at + 1)).into())
        })
        .collect()
}

fn request(line: usize, text: &str) -> Result<Request, String> {
    let mut json: Json = serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
    let mut id = line.to_string();
    if let Some(fields) = json.as_object_mut() {
        id = text_of_id(fields.entry("id").or_insert_with(|| json!(id))).unwrap_or(id);
    }
    Ok(Request { id, text: json.to_string() })
}

fn text_of_id(id: &Json) -> Option<String> {
    match id {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

struct Dealer<'a> {
    deal: Deal,
    requests: Vec<Request>,
    group: &'a str,
    given_up: usize,
    has_met: bool,
}

impl Dealer<'_> {
    fn work(&mut self, peer: &mut ZrePeerLoop, nobody_by: Instant) -> Result<()> {
        let begin_at = after(LOOK_AROUND);
        while !self.deal.is_over() && !peer.is_stopped() {
            let now = io::now().mono;
            if now >= begin_at {
                self.deal.begin(now);
            }
            if !self.has_met && now >= nobody_by {
                bail!("nobody is in group {} here; `pisink peers` tells who is where", self.group);
            }
            let until = self.deal.poll_timeout().unwrap_or(now + Duration::from_secs(1));
            self.carry_out(peer)?;
            for event in peer.turn(until.min(now + Duration::from_millis(500)))? {
                self.happens(peer, event)?;
            }
            self.deal.handle_timeout(io::now().mono);
            self.carry_out(peer)?;
        }
        match (self.deal.left(), self.given_up) {
            (0, 0) => Ok(()),
            (0, given_up) => bail!("{given_up} requests were answered by nobody, asked {TRIES_MAX} times"),
            (left, _) => bail!("stopped; {left} requests are not answered"),
        }
    }

    fn happens(&mut self, peer: &ZrePeerLoop, event: ZreEvent) -> Result<()> {
        let now = io::now().mono;
        let is_in = |id: ZreId| peer.peers().peer(id).is_some_and(|known| known.is_in(self.group));
        match event {
            ZreEvent::Enter { peer: id } if is_in(id) => {
                self.has_met = true;
                self.deal.enter(now, id);
            }
            ZreEvent::Joined { peer: id, group } if group == self.group => {
                self.has_met = true;
                self.deal.enter(now, id);
            }
            ZreEvent::Exit { peer: id, .. } => self.deal.leave(now, id),
            ZreEvent::Left { peer: id, group } if group == self.group => self.deal.leave(now, id),
            ZreEvent::Whisper { peer: id, content, .. } => self.answered(peer, now, id, &content)?,
            _ => {}
        }
        Ok(())
    }

    fn answered(&mut self, peer: &ZrePeerLoop, now: Instant, from: ZreId, content: &[Vec<u8>]) -> Result<()> {
        let json: Json =
            content.last().and_then(|text| serde_json::from_slice(text).ok()).unwrap_or_default();
        let named = [json.get("id"), json.pointer("/value/re")];
        let place = |id: &Json| {
            let id = text_of_id(id)?;
            self.requests.iter().position(|request| request.id == id)
        };
        let named = named.into_iter().flatten().find_map(place);
        if let Some(request) = self.deal.answer(now, from, named) {
            let id = self.requests.get(request).map_or("", |request| request.id.as_str());
            say(format!("{id} {}: {}", name_of(peer.peers(), from), text_of(content)))?;
        }
        Ok(())
    }

    fn carry_out(&mut self, peer: &mut ZrePeerLoop) -> Result<()> {
        while let Some(output) = self.deal.poll_output() {
            match output {
                DealOutput::Give { request, to } => {
                    let text = self.requests.get(request).map(|request| request.text.clone().into_bytes());
                    // One that cannot be told does not answer in time.
                    peer.tell(|zre| zre.whisper(to, vec![text.unwrap_or_default()]));
                }
                DealOutput::GivenUp { request } => {
                    self.given_up += 1;
                    let id = self.requests.get(request).map_or("", |request| request.id.as_str());
                    say(format!("{id} nobody: no answer in time, {TRIES_MAX} times"))?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_an_id_or_gets_its_lines() {
        let of = |text| request(7, text).map(|request| (request.id, request.text));
        assert_eq!(of(r#"{"key":"PING"}"#), Ok(("7".into(), r#"{"id":"7","key":"PING"}"#.into())));
        assert_eq!(of(r#"{"id":3}"#), Ok(("3".into(), r#"{"id":3}"#.into())));
        assert_eq!(of("[1]"), Ok(("7".into(), "[1]".into())));
        assert!(of("{").is_err());
    }
}
