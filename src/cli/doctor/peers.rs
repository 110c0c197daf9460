//! Check `peers`: each peer of the config answers; how far away it is, how far off its clock, and who it is. In a ring,
//! whether this node is in its own list, and whether the others have the same one.

use std::collections::BTreeMap;
use std::time::Duration;

use super::finding::Finding;
use super::limit::within;
use super::ping::{self, Answer, SILENT, Trouble};
use super::scene::Scene;
use super::words;
use crate::cli::run::Own;
use crate::io::RoleSettings;

/// So many peers are asked at once; each is a thread and a socket.
const AT_ONCE: usize = 64;
/// So long a peer may take altogether, its name's look-up with it.
const PEER_LIMIT: Duration = Duration::from_secs(5);
/// Further off than this a peer's clock is worth a word, in microseconds.
const OFFSET_MAX_US: i64 = 1_000_000;
/// A round trip longer than this is no local network's.
const FAR: Duration = Duration::from_millis(250);

/// What came of asking one peer.
type Asked = Result<Answer, Trouble>;

pub(super) fn check(scene: &Scene) -> Vec<Finding> {
    let (peers, is_ring) = match &scene.settings.role {
        RoleSettings::Secondary => return vec![Finding::skipped("a secondary polls nobody")],
        RoleSettings::Primary { peers, .. } if peers.is_empty() => {
            return vec![
                Finding::note("no peers are configured").and_next("peers = [\"pi-2:7001\"] in the config"),
            ];
        }
        RoleSettings::Primary { peers, .. } => (peers, false),
        RoleSettings::Ring { peers, .. } => (peers, true),
    };
    let own = Own { name: scene.settings.name.clone(), listen: scene.settings.listen.clone() };
    let own_place = if is_ring { own.place(peers) } else { None };
    let others: Vec<String> = peers
        .iter()
        .enumerate()
        .filter(|(at, _)| Some(*at) != own_place)
        .map(|(_, peer)| peer.clone())
        .collect();
    let answers: Vec<(String, Asked)> = others.chunks(AT_ONCE).flat_map(ask_all).collect();
    let mut findings: Vec<Finding> =
        answers.iter().map(|(address, answer)| judge(address, answer.as_ref())).collect();
    findings.extend(twins(&answers));
    if is_ring {
        findings.push(in_list(&own, own_place.and_then(|at| peers.get(at))));
        findings.extend(
            answers.iter().filter_map(|(address, answer)| same_list(address, answer.as_ref().ok()?, peers)),
        );
    }
    findings
}

/// Whether a node of a ring is in its own list.
fn in_list(own: &Own, found: Option<&String>) -> Finding {
    match found {
        Some(address) => Finding::good(format!("{address} is this node")),
        None => Finding::failure(
            format!(
                "it does not show which of the peers is this node, which is called {} and listens on {}",
                own.name, own.listen
            ),
            "put its own address into the list, the same list on every node; or name it with --name as the list does",
        ),
    }
}

/// What is wrong with another one of the ring: it is in none, or goes by another list.
fn same_list(address: &str, answer: &Answer, peers: &[String]) -> Option<Finding> {
    match answer.role.as_deref() {
        Some("ring") if answer.list == peers => None,
        Some("ring") => Some(Finding::failure(
            format!("{address} has another list of peers ({})", answer.list.join(", ")),
            "give every node of the ring the same list in the same order",
        )),
        Some(role) => Some(Finding::failure(
            format!("{address} is a {role}, and in no ring"),
            "start it with role = \"ring\", or take it out of the list on every node",
        )),
        None => None,
    }
}

/// Asks these peers all at once; their answers in the order of the peers.
fn ask_all(peers: &[String]) -> Vec<(String, Asked)> {
    let (to, from) = std::sync::mpsc::channel();
    for (at, peer) in peers.iter().enumerate() {
        let (to, peer) = (to.clone(), peer.clone());
        let ask = move || {
            let address = peer.clone();
            let answer = within(PEER_LIMIT, move || ping::ask(&address)).unwrap_or_else(|| {
                Err(Trouble::new(format!("no answer within {} s", PEER_LIMIT.as_secs()), SILENT))
            });
            // An error means that nobody waits any more.
            let _ = to.send((at, (peer, answer)));
        };
        // A thread that cannot be made takes the sender with it: the peer is told of as not asked.
        let _ = std::thread::Builder::new().name("peer".to_owned()).spawn(ask);
    }
    drop(to);
    let mut answers: BTreeMap<usize, _> = from.iter().collect();
    let not_asked = |peer: &String| {
        (peer.clone(), Err(Trouble::new("it could not be asked: no more threads", "end other programs")))
    };
    peers
        .iter()
        .enumerate()
        .map(|(at, peer)| answers.remove(&at).unwrap_or_else(|| not_asked(peer)))
        .collect()
}

fn judge(address: &str, answer: Result<&Answer, &Trouble>) -> Finding {
    let answer = match answer {
        Ok(answer) => answer,
        Err(trouble) => return Finding::failure(format!("{address}: {}", trouble.why), trouble.next),
    };
    let node = answer.node.as_deref().unwrap_or("?");
    let mut what = format!("{address}: {node} answers in {}", words::span(answer.round_trip));
    let version = answer.version.as_deref().unwrap_or("?");
    if version != env!("CARGO_PKG_VERSION") {
        what.push_str(&format!(", pisink {version}"));
    }
    let Some(clock) = answer.clock else {
        return far(answer, Finding::good(format!("{what}; it does not tell its clock")));
    };
    let (offset_us, error_us) = (clock.offset_us, clock.error_us);
    let direction = if offset_us < 0 { "behind" } else { "ahead" };
    let offset = words::span(Duration::from_micros(offset_us.unsigned_abs()));
    let error = words::span(Duration::from_micros(error_us.unsigned_abs()));
    let synced = if clock.synced { ", kept by network time" } else { "" };
    what.push_str(&format!("; its clock is {offset} {direction} (± {error}){synced}"));
    if offset_us.saturating_abs() > OFFSET_MAX_US.saturating_add(error_us) {
        return Finding::note(format!("{what}: the sink dates its readings right all the same"))
            .and_next("network time on both, or a clock chip, would keep them together: see `clock` there");
    }
    far(answer, Finding::good(what))
}

/// A peer that answers late delays nothing but itself, until it misses deadlines.
fn far(answer: &Answer, finding: Finding) -> Finding {
    if answer.round_trip <= FAR {
        return finding;
    }
    Finding::warning(
        format!("{}, which is slow", finding.what),
        "Wi-Fi power save or a weak signal? `pisink doctor --only wifi` on both; or a longer deadline in the config",
    )
}

/// Peers with one journal: a copied card, or one node under two addresses.
fn twins(answers: &[(String, Asked)]) -> Vec<Finding> {
    let mut by_journal: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (address, answer) in answers {
        if let Ok(Answer { journal: Some(journal), .. }) = answer {
            by_journal.entry(journal).or_default().push(address);
        }
    }
    let twins = by_journal.into_values().filter(|addresses| addresses.len() > 1);
    let finding = |addresses: Vec<&str>| {
        Finding::warning(
            format!("{} have one journal: a copied card, or one node twice", addresses.join(" and ")),
            "give the copy an empty data folder, or take one of the addresses out of the config",
        )
    };
    twins.map(finding).collect()
}

#[cfg(test)]
#[path = "peers_tests.rs"]
mod tests;
