//! The ports that a node listens on, and what each is open for.

use std::net::{SocketAddr, ToSocketAddrs};

use anyhow::{Context, Result};
use mio::net::TcpListener;
use serde_json::{Value as Json, json};

use super::settings::{AccessSettings, Settings};
use crate::model::{Access, Framings};

/// Most ports of a node, its own among them.
pub const PORTS_MAX: usize = 12;

/// Connections that may wait to be accepted; the kernel bounds it further (`net.core.somaxconn`).
const BACKLOG: i32 = 4_096;

/// A port that is listened on.
pub(crate) struct Port {
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
    /// What anybody may speak there.
    open: Framings,
}

impl Port {
    /// What a link from `remote` may do. Other framings than the native one are in the clear and ask for nothing: they
    /// are for this machine alone, unless a listen line names them.
    pub(crate) fn access(&self, remote: SocketAddr, settings: &AccessSettings) -> Access {
        let is_here = remote.ip().to_canonical().is_loopback();
        Access { open: if is_here { Framings::ALL } else { self.open }, allow: settings.allow }
    }
}

/// Begins to listen on all of them; the node's own port comes first.
pub(super) fn listen_on_all(settings: &Settings) -> Result<Vec<Port>> {
    let own = (settings.listen.as_str(), settings.access.open);
    let more = settings.access.more.iter().map(|port| (port.address.as_str(), port.open));
    std::iter::once(own).chain(more).map(|(address, open)| listen(address, open)).collect()
}

/// Listens on `address`.
pub(super) fn listen(address: &str, open: Framings) -> Result<Port> {
    let wrong = || format!("--listen {address}: write it as ADDRESS:PORT, as in 0.0.0.0:7001");
    let resolved = address.to_socket_addrs().with_context(wrong)?.next().with_context(wrong)?;
    let listener = TcpListener::bind(resolved).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "--listen {address}: another program has this port; stop it, or choose another port"
        ),
        std::io::ErrorKind::AddrNotAvailable => anyhow::anyhow!(
            "--listen {address}: this machine has no such address; 0.0.0.0 stands for all that it has"
        ),
        _ => anyhow::anyhow!("--listen {address}: {error}"),
    })?;
    // The default of 128 is soon full when the power comes back on a whole site: who finds no room tries again only
    // after a second.
    rustix::net::listen(&listener, BACKLOG).context("listening")?;
    let address = listener.local_addr().context("asking for the port")?;
    Ok(Port { listener, address, open })
}

/// Where the node's own port really is.
pub(super) fn own_address(ports: &[Port]) -> String {
    ports.first().map_or_else(String::new, |port| port.address.to_string())
}

/// What is open to everybody, for the log.
pub(super) fn describe(ports: &[Port], settings: &AccessSettings) -> String {
    let open: Vec<String> = ports
        .iter()
        .filter(|port| !port.address.ip().is_loopback())
        .map(|port| format!("{} at {}", port.open, port.address))
        .collect();
    let open = if open.is_empty() { "nothing".to_owned() } else { open.join("; ") };
    let allowed = match settings.allow.to_string() {
        none if none.is_empty() => "no commands".to_owned(),
        some => some,
    };
    format!(
        "open to the network: {open}; to this machine: every framing; allowed over framings other than line: {allowed}"
    )
}

/// The same for the status.
pub(super) fn status(ports: &[Port], settings: &AccessSettings) -> Json {
    let port =
        |port: &Port| json!({ "address": port.address.to_string(), "framings": port.open.to_string() });
    json!({
        "open": ports.iter().map(port).collect::<Vec<_>>(),
        "allow": settings.allow.to_string(),
    })
}
