//! A node's part in a ring: what flags and file come to. The same file serves every node: it names the sink, the
//! standbys and the maker of the token by their addresses, and each node finds its own among the peers.

use std::str::FromStr;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::own_place::{Own, is_elsewhere};
use super::{RoleName, RunArgs, duration, pick_list, role};
use crate::cli::Usage;
use crate::cli::config::FileConfig;
use crate::io::{RoleSettings, Settings};

/// From one rotation with little to carry to the next, unless told otherwise.
const TOKEN_HOLD: Duration = Duration::from_millis(250);
/// From one round to the next, unless told otherwise.
const ROUND_INTERVAL: Duration = Duration::from_secs(1);
/// How long a standby waits for the sink, unless told otherwise.
const STANDBY_AFTER: Duration = Duration::from_secs(5);

/// Which node is meant: this one or not, or the one at a listed address.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged, expecting = "write true, false, or an address of the list of peers, as in \"pi-1:7001\"")]
pub(in crate::cli) enum Which {
    /// This node, or not this node.
    Here(bool),
    /// The node at this address.
    At(String),
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(here) => Ok(Self::Here(here)),
            Err(_) if role::check_peer(text).is_ok() => Ok(Self::At(text.to_owned())),
            Err(_) => {
                Err("write true, false, or an address of the list of peers, as in pi-1:7001".to_owned())
            }
        }
    }
}

/// What flags and file come to for the node that is `own`. Who does not find itself in the list collects nothing
/// unless a flag says so: [`check_own_place`] tells the user.
pub(super) fn settings(
    args: &RunArgs,
    file: &FileConfig,
    peers: Vec<String>,
    own: &Own,
) -> Result<RoleSettings> {
    if peers.is_empty() {
        return Err(Usage(
            "a ring needs the list of its nodes: give --peer HOST:PORT for each, this one among them, the same list \
             in the same order on all"
                .to_owned(),
        )
        .into());
    }
    let list = List { own: own.place(&peers), peers: &peers };
    let time = |flag: &str, given: &Option<String>, in_file: &Option<String>, default: Duration| {
        duration(flag, given.clone(), in_file.clone()).map(|time| time.unwrap_or(default))
    };
    Ok(RoleSettings::Ring {
        sink_rank: sink_rank(args, file, &list)?,
        makes_token: list.is_here("token", args.token.as_ref().or(file.token.as_ref()))?,
        token_hold: time("token-hold", &args.token_hold, &file.token_hold, TOKEN_HOLD)?,
        round_interval: time("round-interval", &args.round_interval, &file.round_interval, ROUND_INTERVAL)?,
        standby_after: standby_after(args, file)?,
        peers,
    })
}

/// How long a standby waits for the sink.
pub(super) fn standby_after(args: &RunArgs, file: &FileConfig) -> Result<Duration> {
    let given = duration("standby-after", args.standby_after.clone(), file.standby_after.clone())?;
    Ok(given.unwrap_or(STANDBY_AFTER))
}

/// The listed addresses, and which one is this node's.
struct List<'a> {
    peers: &'a [String],
    own: Option<usize>,
}

impl List<'_> {
    fn is_own(&self, flag: &str, address: &str) -> Result<bool, Usage> {
        match self.peers.iter().position(|peer| peer == address) {
            Some(at) => Ok(self.own == Some(at)),
            None => Err(Usage(format!(
                "--{flag} {address}: it is not in the list of peers ({}); write it as it stands there",
                self.peers.join(", ")
            ))),
        }
    }

    fn is_here(&self, flag: &str, place: Option<&Which>) -> Result<bool, Usage> {
        match place {
            None => Ok(false),
            Some(Which::Here(is_here)) => Ok(*is_here),
            Some(Which::At(address)) => self.is_own(flag, address),
        }
    }

    /// This node's turn among the standbys.
    fn turn(&self, standby: &[String]) -> Result<Option<u8>, Usage> {
        if let [turn] = standby
            && !turn.contains(':')
        {
            return match turn.parse() {
                Ok(0) => Err(Usage("--standby 0: that is the sink; say --sink".to_owned())),
                Ok(turn) => Ok(Some(turn)),
                Err(_) => Err(Usage(format!(
                    "--standby {turn}: write this node's turn (1 to 255), or addresses of the list of peers"
                ))),
            };
        }
        for (turn, address) in (1..=u8::MAX).zip(standby) {
            if self.is_own("standby", address)? {
                return Ok(Some(turn));
            }
        }
        Ok(None)
    }
}

/// This node's place among those that collect. What its flags say of itself goes before what the file says of all.
fn sink_rank(args: &RunArgs, file: &FileConfig, list: &List<'_>) -> Result<Option<u8>, Usage> {
    let rank = |sink: Option<&Which>, standby: &[String]| {
        Ok(if list.is_here("sink", sink)? { Some(0) } else { list.turn(standby)? })
    };
    if let Some(by_flags) = rank(args.sink.as_ref(), &args.standby)? {
        return Ok(Some(by_flags));
    }
    rank(args.sink.as_ref().or(file.sink.as_ref()), pick_list(&args.standby, &file.standby))
}

/// Where the sink or the standbys of a ring are named by address, a node that does not know which address is its own
/// cannot know whether it is one of them: better it does not start than that a site has no sink and nobody sees it.
pub(super) fn check_own_place(args: &RunArgs, file: &FileConfig) -> Result<()> {
    if role::role_name(args, file)? != Some(RoleName::Ring) {
        return Ok(());
    }
    let peers = pick_list(&args.peers, &file.peers);
    let own = super::own(args, file)?;
    let sink = args.sink.as_ref().or(file.sink.as_ref());
    let standby = pick_list(&args.standby, &file.standby);
    let is_told_here = matches!(args.sink, Some(Which::Here(true))) || !args.standby.is_empty();
    let is_by_address =
        matches!(sink, Some(Which::At(_))) || standby.iter().any(|address| address.contains(':'));
    if is_told_here || !is_by_address || own.place(peers).is_some() {
        return Ok(());
    }
    let port = own.listen.rsplit_once(':').map(|(_, port)| port).unwrap_or_default();
    Err(anyhow::anyhow!(
        "it does not show which of the peers ({}) is this node, and with it whether this is the sink: the node is \
         called {} and listens on {}. Put {}:{port} into the list, the same on every node; or give it a name of the \
         list with --name; or say --sink, --standby or --sink=false on this node",
        peers.join(", "),
        own.name,
        own.listen,
        own.name,
    ))
}

/// What a role does not have is refused, where it was typed. A file may have it: roles change.
pub(super) fn refuse_flags(role: RoleName, args: &RunArgs) -> Result<(), Usage> {
    let is_secondary = role == RoleName::Secondary;
    let given = [
        ("sink", is_secondary && args.sink.is_some(), "a secondary collects nothing"),
        ("standby", is_secondary && !args.standby.is_empty(), "a secondary collects nothing"),
        ("token", role != RoleName::Ring && args.token.is_some(), "only a ring has a token"),
    ];
    match given.into_iter().find(|(_, is_given, _)| *is_given) {
        Some((flag, _, why)) => Err(Usage(format!("--{flag}: {why}; say another --role, or leave it out"))),
        None => Ok(()),
    }
}

/// A node that only its own machine can reach is in no ring with others.
pub(super) fn warn_of_loopback(settings: &Settings) {
    let RoleSettings::Ring { peers, .. } = &settings.role else { return };
    let Some(elsewhere) = peers.iter().find(|peer| is_elsewhere(peer)) else { return };
    if !is_elsewhere(&settings.listen) {
        let port = settings.listen.rsplit_once(':').map(|(_, port)| port).unwrap_or_default();
        log::warn!(
            "--listen {}: only this machine can reach this node there, and the ring has nodes elsewhere \
             ({elsewhere}): it will stay alone. Say --listen 0.0.0.0:{port}",
            settings.listen
        );
    }
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
