//! The role: what a node does besides sensing and answering, and with whom.

use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;

use super::own_place::Own;
use super::{RoleName, RunArgs, duration, pick_list, ring};
use crate::cli::Usage;
use crate::cli::config::FileConfig;
use crate::io::RoleSettings;

/// What flags and file come to.
pub(super) fn role(args: &RunArgs, file: &FileConfig, own: &Own) -> Result<RoleSettings> {
    let Some(role) = role_name(args, file)? else {
        return Err(Usage(
            "no role: say --role primary on the sink and --role secondary on the others, or --role ring on all"
                .to_owned(),
        )
        .into());
    };
    let peers: Vec<String> = pick_list(&args.peers, &file.peers).to_vec();
    for peer in &peers {
        check_peer(peer)?;
    }
    if role != RoleName::Ring {
        ring::refuse_flags(args)?;
    }
    match role {
        // In a file they are for the day on which the role changes, and for the other nodes that have the same file.
        RoleName::Secondary => match args.peers.first() {
            Some(peer) => Err(Usage(format!(
                "--peer {peer}: a secondary polls nobody; say --role primary, or leave the peer out"
            ))
            .into()),
            None => Ok(RoleSettings::Secondary),
        },
        RoleName::Primary => primary(args, file, peers),
        RoleName::Ring => ring::settings(args, file, peers, own),
    }
}

/// The role that is given, if one is.
pub(super) fn role_name(args: &RunArgs, file: &FileConfig) -> Result<Option<RoleName>, Usage> {
    let from_file = || {
        let text = file.role.as_ref()?;
        Some(RoleName::from_str(text, true).map_err(|_| {
            Usage(format!("role: {text:?} is not a role; the roles are primary, secondary and ring"))
        }))
    };
    args.role.map(Ok).or_else(from_file).transpose()
}

fn primary(args: &RunArgs, file: &FileConfig, peers: Vec<String>) -> Result<RoleSettings> {
    let poll_interval = duration("poll-interval", args.poll_interval.clone(), file.poll_interval.clone())?
        .unwrap_or(Duration::from_secs(1));
    let deadline =
        duration("deadline", args.deadline.clone(), file.deadline.clone())?.unwrap_or(poll_interval / 2);
    if deadline > poll_interval {
        return Err(Usage(format!(
            "--deadline {deadline:?} is longer than --poll-interval {poll_interval:?}: a round ends before the next"
        ))
        .into());
    }
    Ok(RoleSettings::Primary { peers, poll_interval, deadline })
}

/// Whether there is such a host shows when it is looked up.
pub(in crate::cli) fn check_peer(peer: &str) -> Result<(), Usage> {
    let port =
        peer.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(1..)) => Ok(()),
        _ => Err(Usage(format!("--peer {peer:?}: write it as HOST:PORT, as in pi-2:7001"))),
    }
}
