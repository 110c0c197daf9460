//! Who a node is among peers of ZRE.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Result, bail};

use super::beacons::Beacons;
use super::clock;
use super::settings::{Settings, ZreSettings};
use crate::model::ZreId;
use crate::node::Node;
use crate::proto::{NODES_GROUP, PORT_HEADER, VERSION_HEADER, ZreConfig};

/// Makes `node` a peer, if it is to be one.
pub(super) fn join(node: &mut Node, settings: &Settings, listens: &str) -> Result<Option<Beacons>> {
    let Some(zre) = &settings.zre else { return Ok(None) };
    let (beacons, config) = begin(settings, zre, listens)?;
    let groups: Vec<&str> = config.groups.iter().map(String::as_str).collect();
    log::info!("a peer by ZRE at {}, in {}", config.address, groups.join(", "));
    node.join_zre(config, zre.discover, clock::now());
    Ok(Some(beacons))
}

/// Opens the socket for beacons, and makes what others are told. `listens` is the node's own port.
///
/// # Errors
/// There is no such interface, or others could not reach the node there.
fn begin(settings: &Settings, zre: &ZreSettings, listens: &str) -> Result<(Beacons, ZreConfig)> {
    let beacons = Beacons::open(&zre.interface)?;
    let address = IpAddr::V4(beacons.address());
    let listens: SocketAddr = listens.parse()?;
    if !listens.ip().is_unspecified() && listens.ip() != address {
        bail!(
            "--zre {}: peers would look for this node at {address}, and it listens at {listens}: add --listen \
             0.0.0.0:{}",
            zre.interface,
            listens.port()
        );
    }
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let headers = [
        ("hostname", ascii(&host)),
        ("description", ascii(&zre.description)),
        (VERSION_HEADER, env!("CARGO_PKG_VERSION").to_owned()),
        (PORT_HEADER, listens.port().to_string()),
    ];
    let config = ZreConfig {
        id: random_id(),
        name: settings.name.to_string(),
        address: SocketAddr::new(address, listens.port()),
        groups: zre.groups.iter().cloned().chain([NODES_GROUP.to_owned()]).collect(),
        headers: headers.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
    };
    Ok((beacons, config))
}

/// A new peer's id.
pub(super) fn random_id() -> ZreId {
    ZreId::from_random(u128::from(clock::random_u64()) << 64 | u128::from(clock::random_u64()))
}

/// pyre counts characters where the protocol has bytes: it would cut anything else.
fn ascii(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
}
