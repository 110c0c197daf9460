//! The order of the sinks of a polled site: the same `sink` and `standby` that a ring has. Each of those that are named
//! finds its own place by its address; who comes before it is whom it stands by for.

use anyhow::Result;

use super::own_place::Own;
use super::ring::standby_after;
use super::{RoleName, RunArgs, Which, pick_list, role};
use crate::cli::Usage;
use crate::cli::config::FileConfig;
use crate::io::StandbySettings;

/// Most that one standby may come after: each asks all before it.
const BEFORE_MAX: usize = 16;

/// For whom a node that polls stands by, and with what patience; nothing for one that is the sink, or that is not
/// among those that are named.
pub(super) fn settings(args: &RunArgs, file: &FileConfig, own: &Own) -> Result<Option<StandbySettings>> {
    let before = before(args, file, own)?;
    if before.is_empty() {
        return Ok(None);
    }
    if before.len() > BEFORE_MAX {
        return Err(Usage(format!("--standby: a standby can come after {BEFORE_MAX} others at most")).into());
    }
    Ok(Some(StandbySettings { before, after: standby_after(args, file)? }))
}

fn before(args: &RunArgs, file: &FileConfig, own: &Own) -> Result<Vec<String>, Usage> {
    let (by_turn, by_address): (Vec<&String>, Vec<&String>) =
        args.standby.iter().partition(|standby| !standby.contains(':'));
    let order = order(args, file, &by_address);
    if let Some(turn) = by_turn.first() {
        return of_turn(turn, &order);
    }
    if matches!(args.sink, Some(Which::Here(true))) || order.len() < 2 {
        return match (&args.sink, own.place(&order)) {
            (Some(Which::At(sink)), None) => Err(Usage(format!(
                "--sink {sink}: this node polls, too; if it is to stand by for that one, say --standby"
            ))),
            _ if by_address.is_empty() || args.sink.is_some() || file.sink.is_some() => Ok(Vec::new()),
            _ => Err(no_sink()),
        };
    }
    let place = own.place(&order).unwrap_or(0);
    Ok(order.into_iter().take(place).collect())
}

/// The addresses of the sink and of its standbys, in the order of their turns.
fn order(args: &RunArgs, file: &FileConfig, by_address: &[&String]) -> Vec<String> {
    let sink = match args.sink.as_ref().or(file.sink.as_ref()) {
        Some(Which::At(address)) => Some(address.clone()),
        Some(Which::Here(_)) | None => None,
    };
    let typed: Vec<String> = by_address.iter().map(|&address| address.clone()).collect();
    let standby = pick_list(&typed, &file.standby).iter().filter(|standby| standby.contains(':'));
    // Without a sink that is named there is nobody to stand by for.
    sink.map_or_else(Vec::new, |sink| std::iter::once(sink).chain(standby.cloned()).collect())
}

/// Who comes before the node whose turn was typed.
fn of_turn(turn: &str, order: &[String]) -> Result<Vec<String>, Usage> {
    match turn.parse::<usize>() {
        Ok(0) => Err(Usage("--standby 0: that is the sink; leave it out".to_owned())),
        Ok(_) if order.is_empty() => Err(no_sink()),
        Ok(turn) => order.get(..turn).map(<[String]>::to_vec).ok_or_else(|| {
            Usage(format!(
                "--standby {turn}: only {} is known to come before this node; name the other standbys, in the order of \
                 their turns, as standby = [\"pi-2:7001\", ...] in the file",
                order.join(", ")
            ))
        }),
        Err(_) => {
            Err(Usage(format!("--standby {turn}: write this node's turn (1, 2, ...), or addresses of standbys")))
        }
    }
}

fn no_sink() -> Usage {
    Usage("--standby: for whom? Name the sink with --sink HOST:PORT".to_owned())
}

/// What all sinks of a site are told alike names this node among the peers as well; it does not poll itself.
pub(super) fn without_own(peers: Vec<String>, own: &Own) -> Vec<String> {
    let place = own.place(&peers);
    peers.into_iter().enumerate().filter(|(at, _)| Some(*at) != place).map(|(_, peer)| peer).collect()
}

/// A node that polls beside a sink and standbys of other addresses may be one of them under a name that it does not
/// know: it collects all the time, which does no harm, and may not be what was meant.
pub(super) fn warn_of_no_place(args: &RunArgs, file: &FileConfig) -> Result<()> {
    let by_address: Vec<&String> = args.standby.iter().filter(|standby| standby.contains(':')).collect();
    let is_told = matches!(args.sink, Some(Which::Here(_))) || by_address.len() < args.standby.len();
    let order = order(args, file, &by_address);
    if is_told || order.len() < 2 || role::role_name(args, file)? != Some(RoleName::Primary) {
        return Ok(());
    }
    let own = super::own(args, file)?;
    if own.place(&order).is_none() {
        log::warn!(
            "none of the sinks ({}) is this node ({}, which listens on {}): it collects as a primary of its own. If it \
             is one of them, give it that --name, or say --sink, or --standby with its turn",
            order.join(", "),
            own.name,
            own.listen
        );
    }
    Ok(())
}

#[cfg(test)]
#[path = "standby_tests.rs"]
mod tests;
