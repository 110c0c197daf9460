//! `pisink shout` and `pisink whisper`: something for all in a group, or for one peer.

use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;

use super::{AsPeer, LOOK_AROUND, after, find, name_of, text_of, wait, wait_for_receipts};
use crate::cli::say;
use crate::io::ZrePeerLoop;
use crate::model::ZreId;
use crate::proto::ZreEvent;

#[derive(Debug, Args)]
pub(in crate::cli) struct ShoutArgs {
    /// The group
    group: String,

    /// What to say: text, or JSON such as '{"key":"LATEST"}'
    text: String,

    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct WhisperArgs {
    /// The peer, by its name or the beginning of its id
    #[arg(value_name = "PEER")]
    to: String,

    /// What to say: text, or JSON such as '{"key":"LATEST"}'
    text: String,

    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
struct How {
    /// How long to look for somebody
    #[arg(long, default_value = "5s", value_parser = crate::cli::parse::duration, value_name = "DURATION")]
    timeout: Duration,

    /// Print what comes back by WHISPER within this time
    #[arg(long, value_parser = crate::cli::parse::duration, value_name = "DURATION")]
    answers: Option<Duration>,

    #[command(flatten)]
    peer: AsPeer,
}

pub(in crate::cli) fn shout(args: &ShoutArgs) -> Result<()> {
    let mut peer = args.how.peer.begin("shout", &[&args.group])?;
    // One is there soon, and the others with it.
    let until = after(args.how.timeout);
    let soonest = after(LOOK_AROUND);
    wait(&mut peer, soonest, |_, _| Ok(false))?;
    wait_for(&mut peer, until, |peer| Ok(members(peer, &args.group).first().copied()))?;
    let to = members(&peer, &args.group);
    if to.is_empty() {
        peer.end();
        bail!("nobody is in group {} here; `pisink peers` tells who is where", args.group);
    }
    peer.tell(|zre| zre.shout(&args.group, &[args.text.clone().into_bytes()]));
    finish(peer, &to, &args.how)
}

pub(in crate::cli) fn whisper(args: &WhisperArgs) -> Result<()> {
    let mut peer = args.how.peer.begin("whisper", &[])?;
    let until = after(args.how.timeout);
    let found = wait_for(&mut peer, until, |peer| find(peer.peers(), &args.to))?;
    let Some(to) = found else {
        let known: Vec<String> = peer.peers().peers().map(|known| known.name().to_owned()).collect();
        peer.end();
        let known =
            if known.is_empty() { "nobody is".to_owned() } else { format!("{} are", known.join(", ")) };
        bail!("no peer is named {}, or has an id that begins so; {known} there", args.to);
    };
    peer.tell(|zre| zre.whisper(to, vec![args.text.clone().into_bytes()]));
    finish(peer, &[to], &args.how)
}

fn members(peer: &ZrePeerLoop, group: &str) -> Vec<ZreId> {
    peer.peers().peers().filter(|known| known.is_in(group)).map(|known| known.id()).collect()
}

/// Looks again whenever something has happened.
fn wait_for(
    peer: &mut ZrePeerLoop,
    until: crate::model::Instant,
    look: impl Fn(&ZrePeerLoop) -> Result<Option<ZreId>>,
) -> Result<Option<ZreId>> {
    loop {
        let found = look(peer)?;
        if found.is_some() || peer.is_stopped() || !wait(peer, until, |_, _| Ok(true))? {
            return Ok(found);
        }
    }
}

/// Waits until they have it, and prints what they answer.
fn finish(mut peer: ZrePeerLoop, to: &[ZreId], how: &How) -> Result<()> {
    let names = |peer: &ZrePeerLoop, ids: &[ZreId]| {
        ids.iter().map(|id| name_of(peer.peers(), *id)).collect::<Vec<_>>().join(", ")
    };
    let Some(time) = how.answers else {
        let all = names(&peer, to);
        let missing = wait_for_receipts(&mut peer, to)?;
        let missing = names(&peer, &missing);
        peer.end();
        if !missing.is_empty() {
            bail!("no sign that {missing} took it");
        }
        return say(format!("taken by {all}"));
    };
    let mut answered = Vec::new();
    wait(&mut peer, after(time), |zre, event| {
        if let ZreEvent::Whisper { peer, content, .. } = event {
            answered.push(peer);
            say(format!("{}: {}", name_of(zre, peer), text_of(&content)))?;
        }
        Ok(to.iter().all(|id| answered.contains(id)))
    })?;
    let silent: Vec<ZreId> = to.iter().copied().filter(|id| !answered.contains(id)).collect();
    let silent = names(&peer, &silent);
    peer.end();
    if !silent.is_empty() {
        bail!("no answer of {silent} within {time:?}");
    }
    Ok(())
}
