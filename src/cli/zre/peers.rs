//! `pisink peers`: who is there by ZRE.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::{Value as Json, json};

use super::{AsPeer, after, name_of, to_json, wait};
use crate::cli::say;
use crate::io;
use crate::proto::{EVASIVE_AFTER, Zre, ZreEvent, ZrePeer};

#[derive(Debug, Args)]
pub(in crate::cli) struct PeersArgs {
    /// Go on, and tell who comes, goes, joins and leaves, until interrupted
    #[arg(long)]
    watch: bool,

    /// As JSON, for programs: one list, or with --watch a line for each event
    #[arg(long)]
    json: bool,

    /// How long to look around: beacons come each second
    #[arg(long, default_value = "2s", value_parser = crate::cli::parse::duration, value_name = "DURATION")]
    wait: Duration,

    #[command(flatten)]
    peer: AsPeer,
}

pub(in crate::cli) fn run(args: &PeersArgs) -> Result<()> {
    let mut peer = args.peer.begin("peers", &[])?;
    if args.watch {
        while !peer.is_stopped() {
            wait(&mut peer, after(Duration::from_secs(60)), |zre, event| {
                tell(zre, &event, args.json)?;
                Ok(false)
            })?;
        }
    } else {
        wait(&mut peer, after(args.wait), |_, _| Ok(false))?;
        print(peer.peers(), args.json, &peer.address().to_string())?;
    }
    peer.end();
    Ok(())
}

fn print(zre: &Zre, as_json: bool, here: &str) -> Result<()> {
    if as_json {
        return say(serde_json::to_string_pretty(&zre.peers().map(to_json).collect::<Vec<_>>())?);
    }
    for peer in zre.peers() {
        say(line(peer))?;
    }
    if zre.peers().next().is_none() {
        say(format!("nobody is there by ZRE, as seen from {here}; another interface: --zre"))?;
    }
    Ok(())
}

fn line(peer: &ZrePeer) -> String {
    let silence = peer.silence(io::now().mono);
    let alive = if silence < EVASIVE_AFTER { "alive" } else { "SILENT" };
    let groups: Vec<&str> = peer.groups().collect();
    let headers: Vec<String> = peer.headers().map(|(key, value)| format!("{key}={value}")).collect();
    let line = format!(
        "{}  {:<20} {:<21} {alive}  groups: {}  {}",
        peer.id(),
        peer.name(),
        peer.address().to_string(),
        groups.join(", "),
        headers.join(", ")
    );
    line.trim_end().chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn tell(zre: &Zre, event: &ZreEvent, as_json: bool) -> Result<()> {
    let (what, id, more) = match event {
        ZreEvent::Enter { peer } => {
            let of_peer = zre.peer(*peer).map(to_json).unwrap_or_default();
            let groups = zre.peer(*peer).map(|known| known.groups().collect::<Vec<_>>().join(", "));
            if as_json {
                return say(json!({"event": "ENTER", "id": peer.to_string(), "peer": of_peer}));
            }
            ("enters", peer, format!("groups: {}", groups.unwrap_or_default()))
        }
        ZreEvent::Exit { peer, name, why } => ("exits", peer, format!("{name}: {why}")),
        ZreEvent::Joined { peer, group } => ("joins", peer, group.clone()),
        ZreEvent::Left { peer, group } => ("leaves", peer, group.clone()),
        ZreEvent::Whisper { .. } | ZreEvent::Shout { .. } | ZreEvent::PingOk { .. } => return Ok(()),
    };
    if as_json {
        let word = match event {
            ZreEvent::Exit { .. } => "EXIT",
            ZreEvent::Joined { .. } => "JOIN",
            _ => "LEAVE",
        };
        let fields: Json =
            json!({"event": word, "id": id.to_string(), "name": name_of(zre, *id), "what": more});
        return say(fields);
    }
    let line = format!("{} {id} {what}  {more}", name_of(zre, *id));
    say(line.chars().map(|c| if c.is_control() { '?' } else { c }).collect::<String>())
}
