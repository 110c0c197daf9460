//! The role: what a node does besides sensing and answering, and with whom.

use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;

use super::own_place::Own;
use super::{RoleName, RunArgs, duration, pick_list, ring, standby};
use crate::cli::Usage;
use crate::cli::config::FileConfig;
use crate::io::RoleSettings;
use crate::proto::PollOrder;

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
    ring::refuse_flags(role, args)?;
    match role {
        // In a file they are for the day on which the role changes, and for the other nodes that have the same file.
        RoleName::Secondary => match args.peers.first() {
            Some(peer) => Err(Usage(format!(
                "--peer {peer}: a secondary polls nobody; say --role primary, or leave the peer out"
            ))
            .into()),
            None => Ok(RoleSettings::Secondary),
        },
        RoleName::Primary => primary(args, file, peers, own),
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

fn primary(args: &RunArgs, file: &FileConfig, peers: Vec<String>, own: &Own) -> Result<RoleSettings> {
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
    let standby = standby::settings(args, file, own)?;
    let peers = if standby.is_some() { standby::without_own(peers, own) } else { peers };
    Ok(RoleSettings::Primary { peers, poll_interval, deadline, order: order(args, file)?, standby })
}

/// In what order a round asks the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum OrderName {
    /// All at once
    AtOnce,
    /// The next one when the last has answered
    InTurn,
}

impl From<OrderName> for PollOrder {
    fn from(name: OrderName) -> Self {
        match name {
            OrderName::AtOnce => PollOrder::AtOnce,
            OrderName::InTurn => PollOrder::InTurn,
        }
    }
}

fn order(args: &RunArgs, file: &FileConfig) -> Result<PollOrder> {
    let from_file = || {
        let text = file.poll_order.as_ref()?;
        let wrong = || Usage(format!("poll_order: {text:?} is no order; the orders are at-once and in-turn"));
        Some(OrderName::from_str(text, true).map_err(|_| wrong()))
    };
    let name = args.poll_order.map(Ok).or_else(from_file).transpose()?;
    Ok(name.map_or(PollOrder::default(), PollOrder::from))
}

/// The longest address: a DNS name, a colon and a port. A ring's token has it as a word.
const PEER_MAX_BYTES: usize = 260;

/// Whether there is such a host shows when it is looked up.
pub(in crate::cli) fn check_peer(peer: &str) -> Result<(), Usage> {
    let is_host = |host: &str| {
        let is_letter = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        !host.is_empty() && peer.len() <= PEER_MAX_BYTES && host.bytes().all(is_letter)
    };
    let port = peer.rsplit_once(':').filter(|(host, _)| is_host(host)).map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(1..)) => Ok(()),
        _ => Err(Usage(format!("--peer {peer:?}: write it as HOST:PORT, as in pi-2:7001"))),
    }
}
