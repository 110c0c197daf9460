//! What the commands among peers of ZRE share: the peer that each runs for itself, and how peers are named and told.

use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value as Json, json};

use super::Usage;
use super::run::{GROUP_RULE, is_group};
use crate::io::{self, ZrePeerLoop};
use crate::model::{Instant, ZreId};
use crate::proto::{Zre, ZreEvent, ZrePeer};

pub(super) mod deal;
pub(super) mod listen;
pub(super) mod peers;
pub(super) mod say;

/// Beacons come each second, and HELLO follows at once: by then everybody has been heard of.
const LOOK_AROUND: Duration = Duration::from_millis(1_500);
/// How long a peer may take to say that it has what it was sent.
const RECEIPT_WITHIN: Duration = Duration::from_secs(2);

/// On which network, and as who.
#[derive(Debug, Args)]
pub(super) struct AsPeer {
    /// The network's interface, by its name or IPv4 address [default: the first that is no loopback]
    #[arg(long, env = "PISINK_ZRE", value_name = "INTERFACE")]
    zre: Option<String>,

    /// The name to go by [default: pisink-COMMAND at this host]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

impl AsPeer {
    fn begin(&self, command: &str, groups: &[&str]) -> Result<ZrePeerLoop> {
        if let Some(wrong) = groups.iter().find(|group| !is_group(group)) {
            return Err(Usage(format!("{wrong:?}: {GROUP_RULE}")).into());
        }
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let name = self.name.clone().unwrap_or_else(|| format!("pisink-{command}@{host}"));
        if !name.is_ascii() {
            return Err(Usage(format!("--name {name:?}: a peer's name has ASCII characters only")).into());
        }
        ZrePeerLoop::begin(self.zre.as_deref(), &name, groups)
    }
}

fn after(time: Duration) -> Instant {
    io::now().mono + time
}

/// Waits until `until`, and gives what happens to `tell`, which says whether that is enough.
fn wait(
    peer: &mut ZrePeerLoop,
    until: Instant,
    mut tell: impl FnMut(&Zre, ZreEvent) -> Result<bool>,
) -> Result<bool> {
    while io::now().mono < until && !peer.is_stopped() {
        for event in peer.turn(until)? {
            if tell(peer.peers(), event)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Waits until these peers have taken what they were sent, or do not say so in time.
fn wait_for_receipts(peer: &mut ZrePeerLoop, to: &[ZreId]) -> Result<Vec<ZreId>> {
    let mut awaited: Vec<ZreId> = to.iter().copied().filter(|id| peer.tell(|zre| zre.ping(*id))).collect();
    let until = after(RECEIPT_WITHIN);
    wait(peer, until, |_, event| {
        if let ZreEvent::PingOk { peer } = event {
            awaited.retain(|id| *id != peer);
        }
        Ok(awaited.is_empty())
    })?;
    Ok(awaited)
}

/// The one peer of this name, or whose id begins so.
fn find(zre: &Zre, wanted: &str) -> Result<Option<ZreId>> {
    let wanted_id = wanted.to_ascii_lowercase();
    let is_it = |peer: &&ZrePeer| peer.name() == wanted || peer.id().to_string().starts_with(&wanted_id);
    let found: Vec<&ZrePeer> = zre.peers().filter(is_it).collect();
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one.id())),
        more => {
            let ids: Vec<String> = more.iter().map(|peer| peer.id().to_string()).collect();
            bail!("{wanted} may be any of {}: name one by the beginning of its id", ids.join(", "))
        }
    }
}

/// A peer's name, printable; its id where it has none.
fn name_of(zre: &Zre, id: ZreId) -> String {
    match zre.peer(id).map(ZrePeer::name) {
        Some(name) if !name.is_empty() => name.escape_debug().to_string(),
        _ => id.to_string(),
    }
}

/// What frames say, for people.
fn text_of(content: &[Vec<u8>]) -> String {
    let texts: Vec<String> =
        content.iter().map(|frame| String::from_utf8_lossy(frame).into_owned()).collect();
    let printable = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    texts.join(" | ").chars().map(printable).collect()
}

/// A peer, for programs.
fn to_json(peer: &ZrePeer) -> Json {
    json!({
        "id": peer.id().to_string(),
        "name": peer.name(),
        "address": peer.address().to_string(),
        "headers": peer.headers().collect::<std::collections::BTreeMap<_, _>>(),
        "groups": peer.groups().collect::<Vec<_>>(),
        "silent_s": peer.silence(io::now().mono).as_secs_f64(),
    })
}
