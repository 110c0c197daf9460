//! `pisink role`: asks a running node for its role, or gives it another.

use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::ask::ask;
use super::parse;
use super::run::check_peer;
use super::{Usage, say};
use crate::model::{Body, Collects, RoleAnswer, RoleName, RoleOrder, RoleOrigin, RoleRequest};

const EXAMPLES: &str = "\
A node that runs takes up another role within a moment: no reading is lost, no sensor is started anew. What is not
given here is as its settings say. The role lasts until the next start, with --keep over it.

  pisink role pi-2:7001                                        which role it has, and why
  pisink role pi-2:7001 primary --peer pi-1:7001 --peer pi-3:7001
  pisink role pi-1:7001 secondary --keep
  pisink role pi-2:7001 configured                             back to its settings, and nothing is kept

To move the sink of a site, make the new primary first, then the old one a secondary.";

/// A role, or the one that the settings name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Wanted {
    /// The sink: polls the others, stores and plots everything
    Primary,
    /// Senses and answers polls
    Secondary,
    /// One of those among whom a token goes round
    Ring,
    /// The role that its settings name; one that was kept is forgotten
    Configured,
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RoleArgs {
    /// The node
    #[arg(value_name = "HOST:PORT")]
    address: String,

    /// The role that it is to have [default: only say which it has]
    #[arg(value_name = "ROLE")]
    role: Option<Wanted>,

    /// A node to poll (primary), or one of the ring (ring); give one for each [default: as its settings say]
    #[arg(long = "peer", value_name = "HOST:PORT", value_delimiter = ',')]
    peers: Vec<String>,

    /// It is the sink (primary, ring), or with --sink=false it is not (ring) [default: as its settings say]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    sink: Option<bool>,

    /// It takes the sink's place when that is gone, as the N-th (primary, ring)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..64), conflicts_with = "sink")]
    standby: Option<u8>,

    /// It makes the token at once (ring): at one node of a new ring, or at none, then one is elected
    #[arg(long)]
    token: bool,

    /// From one round to the next [default: as its settings say]
    #[arg(long, value_name = "DURATION", value_parser = parse::duration)]
    poll_interval: Option<Duration>,

    /// Who has not answered by then is ERR node_down in that round (primary) [default: as its settings say]
    #[arg(long, value_name = "DURATION", value_parser = parse::duration)]
    deadline: Option<Duration>,

    /// Keep the role over the next start
    #[arg(long)]
    keep: bool,

    /// As JSON, for programs
    #[arg(long)]
    json: bool,

    /// How long to wait for the answer: a disk that is busy may take its time
    #[arg(long, default_value = "30s", value_parser = parse::duration, value_name = "DURATION")]
    timeout: Duration,
}

pub(super) fn run(args: RoleArgs) -> Result<()> {
    let order = order(&args)?;
    let is_question = order == RoleOrder::Tell;
    let answer = ask(&args.address, args.timeout, Body::Role(order), |answer| match answer {
        Body::RoleAnswer(answer) => Some(answer),
        _ => None,
    })?;
    if !args.json {
        return say(for_people(&args.address, is_question, &answer));
    }
    let mut out = std::io::stdout().lock();
    let json = json!({
        "role": answer.role.as_str(),
        "origin": answer.origin.as_str(),
        "peers": answer.peers,
        "next_start": answer.next_start.as_str(),
        "note": answer.note,
    });
    serde_json::to_writer_pretty(&mut out, &json)?;
    Ok(writeln!(out)?)
}

/// What the arguments ask of the node.
fn order(args: &RoleArgs) -> Result<RoleOrder, Usage> {
    let has_more = !args.peers.is_empty()
        || args.sink.is_some()
        || args.standby.is_some()
        || args.token
        || args.keep
        || args.poll_interval.is_some()
        || args.deadline.is_some();
    let role = match args.role {
        None if has_more => return Err(Usage("say which role: primary, secondary or ring".to_owned())),
        None => return Ok(RoleOrder::Tell),
        Some(Wanted::Configured) if has_more => {
            return Err(Usage(
                "configured: everything is as its settings say; leave the flags out".to_owned(),
            ));
        }
        Some(Wanted::Configured) => return Ok(RoleOrder::Configured),
        Some(Wanted::Primary) => RoleName::Primary,
        Some(Wanted::Secondary) => RoleName::Secondary,
        Some(Wanted::Ring) => RoleName::Ring,
    };
    args.peers.iter().try_for_each(|peer| check_peer(peer))?;
    let collects = match (args.sink, args.standby) {
        (Some(true), _) => Some(Collects::Rank(0)),
        (Some(false), _) => Some(Collects::Never),
        (None, standby) => standby.map(Collects::Rank),
    };
    Ok(RoleOrder::Become(RoleRequest {
        role,
        peers: Some(args.peers.clone()).filter(|peers| !peers.is_empty()),
        collects,
        poll_interval: args.poll_interval,
        deadline: args.deadline,
        makes_token: args.token,
        keep: args.keep,
    }))
}

fn for_people(address: &str, is_question: bool, answer: &RoleAnswer) -> String {
    let RoleAnswer { role, origin, peers, next_start, note, .. } = answer;
    let why = match origin {
        RoleOrigin::Settings => "as its settings say".to_owned(),
        RoleOrigin::Command => format!("until its next start; then {next_start}"),
        RoleOrigin::Kept => "kept over its next start".to_owned(),
    };
    let verb = if is_question { "is" } else { "is now" };
    let mut text = format!("{address} {verb} {role} ({why})");
    if !peers.is_empty() {
        text.push_str(&format!("; {} peers: {}", peers.len(), peers.join(", ")));
    }
    if let Some(note) = note {
        text.push_str(&format!("\nNote: {note}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: RoleArgs,
    }

    fn order_of(words: &str) -> Result<RoleOrder, String> {
        let words = std::iter::once("role").chain(words.split_whitespace());
        let args = Cli::try_parse_from(words).map_err(|error| error.to_string())?.args;
        order(&args).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_typed_is_what_is_asked() {
        assert_eq!(order_of("a:1"), Ok(RoleOrder::Tell));
        assert_eq!(order_of("a:1 configured"), Ok(RoleOrder::Configured));
        let plain = RoleRequest::plain(RoleName::Ring);
        let request = RoleRequest {
            peers: Some(vec!["a:1".to_owned(), "b:2".to_owned()]),
            collects: Some(Collects::Rank(0)),
            poll_interval: Some(Duration::from_secs(2)),
            makes_token: true,
            keep: true,
            ..plain.clone()
        };
        let words = "a:1 ring --peer a:1,b:2 --sink --poll-interval 2s --token --keep";
        assert_eq!(order_of(words), Ok(RoleOrder::Become(request)));
        let standby = RoleRequest { collects: Some(Collects::Rank(2)), ..plain.clone() };
        assert_eq!(order_of("a:1 ring --standby 2"), Ok(RoleOrder::Become(standby)));
        let never = RoleRequest { collects: Some(Collects::Never), ..plain };
        assert_eq!(order_of("a:1 ring --sink=false"), Ok(RoleOrder::Become(never)));
    }

    #[test]
    fn what_makes_no_sense_is_told_before_a_node_is_asked() {
        assert!(order_of("a:1 --keep").unwrap_err().contains("say which role"));
        assert!(order_of("a:1 configured --keep").unwrap_err().contains("leave the flags out"));
        assert!(order_of("a:1 primary --peer nowhere").unwrap_err().contains("HOST:PORT"));
        assert!(order_of("a:1 emperor").is_err() && order_of("a:1 ring --standby 0").is_err());
        assert!(order_of("a:1 ring --sink --standby 1").is_err() && order_of("").is_err());
    }

    #[test]
    fn an_answer_says_how_long_it_holds() {
        let answer = |origin| RoleAnswer {
            re: String::new(),
            role: RoleName::Primary,
            origin,
            peers: vec!["b:2".to_owned()],
            next_start: RoleName::Secondary,
            note: None,
        };
        let told = for_people("a:1", false, &answer(RoleOrigin::Command));
        assert_eq!(told, "a:1 is now primary (until its next start; then secondary); 1 peers: b:2");
        assert!(
            for_people("a:1", true, &answer(RoleOrigin::Settings))
                .contains("is primary (as its settings say)")
        );
    }
}
