//! The datagrams by which peers of ZRE find each other: sent to everybody on one interface's network, and received from
//! there.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use anyhow::{Context, Result, bail};
use if_addrs::{IfAddr, Interface};
use mio::net::UdpSocket;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::model::Beacon;
use crate::wire::zre::{BEACON_BYTES, decode_beacon, encode_beacon};

/// Where all peers of ZRE listen for beacons.
const BEACON_PORT: u16 = 5_670;

/// The socket of one peer.
pub(crate) struct Beacons {
    pub(crate) socket: UdpSocket,
    /// This machine's address on that network, and that of everybody there.
    address: Ipv4Addr,
    everybody: SocketAddr,
    sent: Option<Beacon>,
    /// Whether the last could not be sent: told once until one can.
    is_failing: bool,
}

impl Beacons {
    /// For the interface of this name, or the one that has this address.
    ///
    /// # Errors
    /// There is none such, with those that there are; or the socket cannot be had.
    pub(crate) fn open(interface: &str) -> Result<Self> {
        Self::at(find(interface)?)
    }

    /// For the first interface that leads somewhere.
    pub(crate) fn open_first() -> Result<Self> {
        let all = if_addrs::get_if_addrs().context("listing the network interfaces")?;
        let is_it = |known: &&Interface| !known.is_loopback() && !known.is_link_local();
        let first = all.iter().filter(is_it).find_map(ipv4);
        Self::at(first.context("no interface has an address of a network: name one with --zre")?)
    }

    fn at((address, broadcast): (Ipv4Addr, Ipv4Addr)) -> Result<Self> {
        let everybody = SocketAddr::V4(SocketAddrV4::new(broadcast, BEACON_PORT));
        let socket = socket(everybody).with_context(|| {
            format!("listening for beacons of ZRE: does a program keep UDP port {BEACON_PORT} to itself?")
        })?;
        Ok(Self { socket, address, everybody, sent: None, is_failing: false })
    }

    /// This machine's address on that network.
    pub(crate) fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Sends a beacon.
    pub(crate) fn send(&mut self, beacon: Beacon) {
        self.sent = Some(beacon);
        let sent = self.socket.send_to(&encode_beacon(&beacon), self.everybody);
        if let Err(error) = &sent
            && !self.is_failing
        {
            log::warn!("no beacon of ZRE can be sent to {}: {error}; tried each second", self.everybody);
        }
        self.is_failing = sent.is_err();
    }

    /// The next beacon that came, and from where. `None` when there is no more.
    pub(crate) fn receive(&mut self) -> Option<(IpAddr, Beacon)> {
        // One byte more, to tell a longer datagram from a beacon.
        let mut datagram = [0; BEACON_BYTES + 1];
        loop {
            match self.socket.recv_from(&mut datagram) {
                Ok((count, from)) => {
                    if let Some(beacon) = datagram.get(..count).and_then(decode_beacon) {
                        return Some((from.ip(), beacon));
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                // Such as that somebody's port cannot be reached; what comes next is another datagram.
                Err(_) => {}
            }
        }
    }

    /// Says goodbye.
    pub(crate) fn goodbye(&mut self) {
        if let Some(beacon) = self.sent.take() {
            self.send(Beacon { port: None, ..beacon });
        }
    }
}

/// An interface's IPv4 address, and the broadcast address of its network.
fn ipv4(known: &Interface) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let IfAddr::V4(addr) = &known.addr else { return None };
    // What the system tells is the address itself where nobody has said what the broadcast address is.
    Some((addr.ip, Ipv4Addr::from(u32::from(addr.ip) | !u32::from(addr.netmask))))
}

/// The same of the interface that is meant.
fn find(interface: &str) -> Result<(Ipv4Addr, Ipv4Addr)> {
    let all = if_addrs::get_if_addrs().context("listing the network interfaces")?;
    let is_meant = |known: &&Interface| known.name == interface || known.ip().to_string() == interface;
    let mut meant: Vec<_> = all.iter().filter(is_meant).filter_map(ipv4).collect();
    // An interface may have an address of this machine alone beside one of a network.
    meant.sort_by_key(|(address, _)| address.is_loopback());
    if let Some(found) = meant.first() {
        return Ok(*found);
    }
    let known = all.iter().filter_map(|known| ipv4(known).map(|(ip, _)| format!("{} ({ip})", known.name)));
    bail!(
        "--zre {interface}: no interface has this name or IPv4 address; there are {}",
        known.collect::<Vec<_>>().join(", ")
    )
}

/// A socket that shares the port with other peers on this machine, and hears only what is meant for that network.
fn socket(everybody: SocketAddr) -> Result<UdpSocket> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    sockopt::set_socket_broadcast(&socket, true)?;
    rustix::net::bind(&socket, &everybody)?;
    Ok(UdpSocket::from_std(std::net::UdpSocket::from(socket)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_found_by_name_and_by_address_or_told_with_the_others() {
        assert_eq!(find("127.0.0.1").unwrap().0, Ipv4Addr::LOCALHOST);
        assert!(find("127.0.0.1").unwrap().1.is_loopback());
        let error = find("nowhere7").unwrap_err().to_string();
        assert!(error.contains("nowhere7") && error.contains("127.0.0.1"), "{error}");
    }
}
