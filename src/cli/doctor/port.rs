//! Check `port`: whether a node can listen where the config says, and who listens there now.

use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};

use serde_json::Value as Json;

use super::finding::Finding;
use super::scene::Scene;
use crate::cli::run::is_elsewhere;
use crate::io::RoleSettings;
use crate::model::Framings;

/// A socket that listens, in `/proc/net/tcp`.
const LISTENS: &str = "0A";

pub(super) fn check(scene: &Scene) -> Vec<Finding> {
    let listen = &scene.settings.listen;
    let Some(address) = listen.to_socket_addrs().ok().and_then(|mut found| found.next()) else {
        return vec![Finding::failure(
            format!("{listen}: the name has no address"),
            "write an address of this machine, or 0.0.0.0 for all that it has",
        )];
    };
    let mut findings = vec![who(scene, address)];
    findings.extend(loopback(scene, address));
    findings.extend(in_the_clear(scene));
    findings
}

fn who(scene: &Scene, address: SocketAddr) -> Finding {
    if let Some(status) = scene.status() {
        let text = |key: &str| status.get(key).and_then(Json::as_str).unwrap_or("?");
        return Finding::good(format!(
            "{address}: node {} ({}, pisink {}) answers there",
            text("node"),
            text("role"),
            text("version")
        ));
    }
    let listeners = listeners(scene, address.port());
    if let Some(inode) = listeners.first() {
        let socket = format!("socket:[{inode}]");
        let holder = scene.host.holders(|target| target == socket).into_iter().next();
        return match holder {
            Some(process) if process.name.starts_with("pisink") => Finding::failure(
                format!("{address}: {process} listens there and does not answer"),
                "look at its log: journalctl -u pisink -n 50; then: sudo systemctl restart pisink",
            ),
            Some(process) => Finding::failure(
                format!("{address}: the port belongs to {process}"),
                format!("stop that program, or choose another port with --listen {}:PORT", address.ip()),
            ),
            None => Finding::failure(
                format!("{address}: another program has the port, which one shows to root only"),
                "sudo pisink doctor --only port",
            ),
        };
    }
    if !is_own(address.ip()) {
        return Finding::failure(
            format!("{address}: this machine has no such address"),
            "look at `ip address`, or listen on 0.0.0.0, which stands for all that it has",
        );
    }
    Finding::good(format!("{address} is free; no node runs there"))
}

/// Whether the machine has this address: binding a free port of it for a moment tells.
fn is_own(ip: IpAddr) -> bool {
    TcpListener::bind((ip, 0)).is_ok()
}

/// The sockets that listen on a port, by inode. In each line: number, local address, remote address, state, and the
/// inode in the tenth place (proc(5)).
fn listeners(scene: &Scene, port: u16) -> Vec<String> {
    let wanted = format!(":{port:04X}");
    let mut inodes = Vec::new();
    for table in ["proc/net/tcp", "proc/net/tcp6"] {
        let text = scene.host.text(table).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if let [_, local, _, LISTENS, _, _, _, _, _, inode, ..] = fields[..]
                && local.ends_with(&wanted)
            {
                inodes.push(inode.to_owned());
            }
        }
    }
    inodes
}

/// A secondary that only this machine can reach is polled by nobody else, and a ring's node is in no ring with others.
fn loopback(scene: &Scene, address: SocketAddr) -> Option<Finding> {
    if !address.ip().is_loopback() {
        return None;
    }
    let only = format!("{} is for this machine only", address.ip());
    let open = format!("listen = \"0.0.0.0:{}\"", address.port());
    match &scene.settings.role {
        RoleSettings::Primary { .. } => None,
        RoleSettings::Secondary => Some(
            Finding::note(format!("{only}: no other node can poll this one"))
                .and_next(format!("for a sink elsewhere: {open}")),
        ),
        RoleSettings::Ring { peers, .. } => peers.iter().any(|peer| is_elsewhere(peer)).then(|| {
            Finding::failure(format!("{only}: the others of the ring cannot reach this node"), open)
        }),
    }
}

/// Framings that are open to everybody although they ask for nothing; and ports that cannot be listened on.
fn in_the_clear(scene: &Scene) -> Vec<Finding> {
    let access = &scene.settings.access;
    let own = (scene.settings.listen.as_str(), access.open);
    let ports =
        || std::iter::once(own).chain(access.more.iter().map(|port| (port.address.as_str(), port.open)));
    let mut findings: Vec<Finding> = ports()
        .skip(1)
        .filter(|(address, _)| address.to_socket_addrs().is_ok_and(|mut found| found.next().is_some()))
        .filter(|(address, _)| scene.status().is_none() && TcpListener::bind(address).is_err())
        .map(|(address, _)| {
            Finding::failure(
                format!("{address}: nobody can listen there: it belongs to another program, or is no address of here"),
                "choose another port in the config's listen",
            )
        })
        .collect();
    let others: Vec<String> = ports()
        .filter(|(address, open)| *open != Framings::LINE && is_elsewhere(address))
        .map(|(address, open)| format!("{open} at {address}"))
        .collect();
    if !others.is_empty() {
        let allowed = match access.allow.to_string() {
            none if none.is_empty() => "they change nothing here".to_owned(),
            some => format!("they may command {some}"),
        };
        findings.push(Finding::note(format!("open to the whole network: {}; {allowed}", others.join(", "))));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Severity::{Failure, Good, Note};
    use crate::cli::doctor::testkit::{Machine, assert_some};
    use crate::io::PortSettings;

    /// A table with one socket in this state at port 1 (which no test listens on).
    fn table(state: &str) -> String {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
        format!("{head}   0: 00000000:0001 00000000:0000 {state} 0:0 00:0 0     0        0 4711 1 0\n")
    }

    #[test]
    fn a_free_port_is_good_and_loopback_is_told_to_a_secondary() {
        let machine = Machine::new();
        machine.put("proc/net/tcp", table("01"));
        let found = check(&machine.scene(&[]));
        assert_some(&found, Good, &["127.0.0.1:1 is free"]);
        assert_some(&found, Note, &["this machine only", "0.0.0.0:1"]);
    }

    #[test]
    fn who_has_the_port_is_named() {
        let machine = Machine::new();
        machine.put("proc/net/tcp6", table("0A"));
        assert_some(&check(&machine.scene(&[])), Failure, &["root only", "sudo pisink doctor --only port"]);
        machine.put("proc/812/comm", "python3\n").link("proc/812/fd/3", "socket:[4711]");
        assert_some(&check(&machine.scene(&[])), Failure, &["python3 (process 812)", "--listen"]);
        machine.put("proc/812/comm", "pisink\n");
        assert_some(&check(&machine.scene(&[])), Failure, &["does not answer", "restart pisink"]);
    }

    #[test]
    fn what_is_open_to_everybody_is_told() {
        let machine = Machine::new();
        let mut scene = machine.scene(&[]);
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let open = "lab".parse().unwrap();
        scene.settings.access.more = vec![
            PortSettings { address: address.clone(), open },
            PortSettings { address: "0.0.0.0:0".to_owned(), open },
        ];
        scene.settings.access.allow = "START".parse().unwrap();
        let found = check(&scene);
        assert_some(&found, Failure, &[&address, "another program"]);
        assert_some(&found, Note, &["lab at 0.0.0.0:0", "START"]);
    }

    #[test]
    fn addresses_of_others_and_names_of_nobody_are_told() {
        let machine = Machine::new();
        let mut scene = machine.scene(&[]);
        // TEST-NET-1 (RFC 5737) is nobody's.
        scene.settings.listen = "192.0.2.1:7001".to_owned();
        // Asking there would take its time; nobody has to answer for this.
        assert!(!is_own("192.0.2.1".parse().unwrap()) && is_own("127.0.0.1".parse().unwrap()));
        scene.settings.listen = "nowhere.invalid:7001".to_owned();
        assert_some(&check(&scene), Failure, &["no address", "0.0.0.0"]);
    }
}
