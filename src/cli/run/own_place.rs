//! Which of the listed addresses is this node's own, so that one config serves every node of a ring. Asks no network:
//! the answer is the same at a boot without one.

use std::net::{IpAddr, Ipv4Addr, TcpListener};

use crate::model::NodeName;

/// Who this node is, and where.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Own {
    /// Its name.
    pub(in crate::cli) name: NodeName,
    /// Where it listens, as `ADDRESS:PORT`.
    pub(in crate::cli) listen: String,
}

impl Own {
    /// The one address of `peers` that is this node's: where it listens, word for word; or its port with its name, its
    /// machine's name, or an IP address of its machine. Nothing where none is, or where several seem to be.
    pub(in crate::cli) fn place(&self, peers: &[String]) -> Option<usize> {
        let host_name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let names = [self.name.as_str(), &host_name];
        let (listen_host, listen_port) = parts(&self.listen);
        let hosts = || {
            let here = peers.iter().enumerate().filter(|(_, peer)| parts(peer).1 == listen_port);
            here.map(|(at, peer)| (at, parts(peer).0))
        };
        let is_named = |host: &str| names.iter().any(|name| host.eq_ignore_ascii_case(name));
        // pi-1.local is pi-1, unless the list has a pi-1 of another domain too.
        let is_short = |host: &str| {
            let first = host.split_once('.').map(|(first, _)| first);
            ip(host).is_none() && first.is_some_and(is_named)
        };
        let is_here = |host: &str| ip(host).is_some_and(|ip| is_listened_on(ip, listen_host));
        only(hosts().filter(|(_, host)| host.eq_ignore_ascii_case(listen_host)))
            .or_else(|| only(hosts().filter(|(_, host)| is_named(host))))
            .or_else(|| only(hosts().filter(|(_, host)| is_short(host))))
            .or_else(|| only(hosts().filter(|(_, host)| is_here(host))))
    }
}

/// Whether others cannot be meant by this address: only this machine can reach it.
pub(in crate::cli) fn is_elsewhere(peer: &str) -> bool {
    !ip(parts(peer).0).is_some_and(|ip| ip.is_loopback())
}

fn only<'a>(mut found: impl Iterator<Item = (usize, &'a str)>) -> Option<usize> {
    found.next().map(|(at, _)| at).filter(|_| found.next().is_none())
}

/// Host and port; of `[::1]:7001` the host is `::1`.
fn parts(address: &str) -> (&str, &str) {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    (host.trim_start_matches('[').trim_end_matches(']'), port)
}

/// An address in figures. `localhost` is one on every machine.
fn ip(host: &str) -> Option<IpAddr> {
    if host.eq_ignore_ascii_case("localhost") { Some(Ipv4Addr::LOCALHOST.into()) } else { host.parse().ok() }
}

/// Whether who connects to `ip` comes to a listener at `listen_host` of this machine. That the machine has an address
/// shows by binding a free port of it for a moment.
fn is_listened_on(ip: IpAddr, listen_host: &str) -> bool {
    match self::ip(listen_host) {
        Some(listen) if !listen.is_unspecified() => listen == ip,
        _ => TcpListener::bind((ip, 0)).is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str, listen: &str, peers: &[&str]) -> Option<usize> {
        let own = Own { name: NodeName::new(name).unwrap(), listen: listen.to_owned() };
        own.place(&peers.iter().map(|&peer| peer.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_name_and_its_port_are_this_node() {
        let list = ["pi-1:7001", "pi-2.local:7001", "Pi-3:7001"];
        for (name, at) in [("pi-1", Some(0)), ("pi-2", Some(1)), ("pi-3", Some(2)), ("pi-4", None)] {
            assert_eq!(place(name, "0.0.0.0:7001", &list), at, "{name}");
        }
        assert_eq!(place("pi-1", "0.0.0.0:7002", &list), None, "another port is another node");
        assert_eq!(place("x", "pi-2.local:7001", &list), Some(1), "word for word what it listens on");
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        assert_eq!(place("x", "0.0.0.0:7001", &["pi-1:7001", &format!("{host}:7001")]), Some(1));
    }

    #[test]
    fn what_may_be_two_is_none() {
        assert_eq!(place("pi", "0.0.0.0:7001", &["pi.a.org:7001", "pi.b.org:7001"]), None);
        assert_eq!(
            place("pi", "0.0.0.0:7001", &["pi.a.org:7001", "pi:7001"]),
            Some(1),
            "the whole name is better"
        );
    }

    #[test]
    fn an_ip_address_is_this_node_where_it_listens() {
        // TEST-NET-1 (RFC 5737) is nobody's.
        let list = ["192.0.2.1:7001", "127.0.0.1:7001", "127.0.0.1:7002", "127.0.0.2:7001"];
        assert_eq!(place("x", "127.0.0.1:7002", &list), Some(2));
        assert_eq!(place("x", "127.0.0.2:7001", &list), Some(3));
        assert_eq!(place("x", "0.0.0.0:7001", &list[..3]), Some(1), "an address of this machine");
        assert_eq!(place("x", "0.0.0.0:7001", &list), None, "two of this machine");
        assert_eq!(place("x", "localhost:7001", &list), Some(1));
        assert_eq!(place("x", "[::1]:7001", &["[::1]:7001", "pi-2:7001"]), Some(0));
        assert_eq!(place("127", "0.0.0.0:7001", &["127.0.0.9:7002", "192.0.2.1:7001"]), None);
    }

    #[test]
    fn only_loopback_is_not_elsewhere() {
        for (peer, is) in
            [("127.0.0.9:1", false), ("localhost:1", false), ("[::1]:1", false), ("pi-2:1", true)]
        {
            assert_eq!(is_elsewhere(peer), is, "{peer}");
        }
        assert!(is_elsewhere("192.0.2.1:1"));
    }
}
