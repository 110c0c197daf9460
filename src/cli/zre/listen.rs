//! `pisink listen`: what is said in a group of ZRE, and to this peer.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::{AsPeer, after, name_of, text_of, wait};
use crate::cli::say;
use crate::io;
use crate::proto::{Zre, ZreEvent};

#[derive(Debug, Args)]
pub(in crate::cli) struct ListenArgs {
    /// The group
    group: String,

    /// As JSON, a line for each message
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    peer: AsPeer,
}

pub(in crate::cli) fn run(args: &ListenArgs) -> Result<()> {
    let mut peer = args.peer.begin("listen", &[&args.group])?;
    eprintln!("listening in group {} at {}, until interrupted", args.group, peer.address());
    while !peer.is_stopped() {
        wait(&mut peer, after(Duration::from_secs(60)), |zre, event| {
            tell(zre, event, args.json)?;
            Ok(false)
        })?;
    }
    peer.end();
    Ok(())
}

fn tell(zre: &Zre, event: ZreEvent, as_json: bool) -> Result<()> {
    let (peer, group, content) = match event {
        ZreEvent::Shout { peer, group, content, .. } => (peer, Some(group), content),
        ZreEvent::Whisper { peer, content, .. } => (peer, None, content),
        _ => return Ok(()),
    };
    let (name, time) = (name_of(zre, peer), io::now().wall);
    if as_json {
        let frames: Vec<_> = content.iter().map(|frame| String::from_utf8_lossy(frame)).collect();
        let id = peer.to_string();
        return say(json!({
            "time": time.to_string(), "id": id, "name": name, "group": group, "content": frames
        }));
    }
    let way = if group.is_some() { "" } else { " (whisper)" };
    say(format!("{time} {name}{way}: {}", text_of(&content)))
}
