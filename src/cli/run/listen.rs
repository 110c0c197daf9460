//! Listen lines: where a node listens, and which framings anybody may speak there.
//!
//! `0.0.0.0:7001` is open to everybody for line JSON, and to this machine for everything. `jsocket,zre=0.0.0.0:7001`
//! opens these two to everybody. Several lines are parted by blanks, and those with one address are one port.

use anyhow::Result;

use super::{RunArgs, Usage};
use crate::cli::config::FileConfig;
use crate::io::{AccessSettings, PORTS_MAX, PortSettings};
use crate::model::{Commands, Framings};

/// Where a node listens that is told nothing.
const DEFAULT: &str = "127.0.0.1:7001";

/// What flags, environment or file say, as one text.
pub(super) fn given(args: &RunArgs, file: &FileConfig) -> Option<String> {
    if args.listen.is_empty() { file.listen.clone() } else { Some(args.listen.join(" ")) }
}

/// The node's own address: where peers know it to be. The first that is open for line JSON, or else the first.
///
/// Whether there is such an address shows when it is listened on.
pub(in crate::cli) fn listen(given: Option<String>) -> Result<String> {
    ports(given.as_deref()).map(|(own, _)| own.address)
}

/// The same with what is open at it, and the other ports.
fn ports(given: Option<&str>) -> Result<(PortSettings, Vec<PortSettings>)> {
    let mut ports: Vec<PortSettings> = Vec::new();
    for line in given.unwrap_or(DEFAULT).split_whitespace() {
        let port = port(line)?;
        match ports.iter_mut().find(|known| known.address == port.address) {
            Some(known) => known.open = known.open.and(port.open),
            None => ports.push(port),
        }
    }
    if ports.len() > PORTS_MAX {
        return Err(
            Usage(format!("--listen: {} ports are too many; {PORTS_MAX} is the most", ports.len())).into()
        );
    }
    if ports.is_empty() {
        return Err(Usage("--listen: write it as ADDRESS:PORT, as in 0.0.0.0:7001".to_owned()).into());
    }
    let own = ports.iter().position(|port| port.open.has(crate::model::FramingName::Line)).unwrap_or(0);
    let own = ports.remove(own);
    Ok((own, ports))
}

fn port(line: &str) -> Result<PortSettings> {
    let (open, address) = match line.split_once('=') {
        Some((names, address)) => {
            (names.parse().map_err(|why| Usage(format!("--listen {line}: {why}")))?, address)
        }
        None => (Framings::LINE, line),
    };
    match address.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>()) {
        Some(Ok(_)) => Ok(PortSettings { address: address.to_owned(), open }),
        _ => {
            let how = "write it as ADDRESS:PORT, as in 0.0.0.0:7001, or FRAMING,FRAMING=ADDRESS:PORT";
            Err(Usage(format!("--listen {line}: {how}")).into())
        }
    }
}

/// What is open to whom.
pub(super) fn access(args: &RunArgs, file: &FileConfig) -> Result<AccessSettings> {
    let (own, more) = ports(given(args, file).as_deref())?;
    let names = if args.allow.is_empty() { file.allow.join(",") } else { args.allow.join(",") };
    let allow: Commands = names.parse().map_err(|why| Usage(format!("--allow {names}: {why}")))?;
    Ok(AccessSettings { open: own.open, more, allow })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (PortSettings, Vec<PortSettings>) {
        ports(Some(text)).unwrap()
    }

    fn at(address: &str, open: &str) -> PortSettings {
        PortSettings { address: address.to_owned(), open: open.parse().unwrap() }
    }

    #[test]
    fn a_line_opens_what_it_names() {
        assert_eq!(ports(None).unwrap(), (at(DEFAULT, "line"), vec![]));
        assert_eq!(read("0.0.0.0:1"), (at("0.0.0.0:1", "line"), vec![]));
        let lines = "lab=0.0.0.0:1024 0.0.0.0:7001 jsocket,zmtp=0.0.0.0:7001";
        let own = at("0.0.0.0:7001", "line,jsocket,zre,autopilot");
        assert_eq!(read(lines), (own, vec![at("0.0.0.0:1024", "lab")]));
        assert_eq!(read("jsocket=[::1]:1"), (at("[::1]:1", "jsocket"), vec![]));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, word) in
            [("nowhere", "ADDRESS:PORT"), ("json=0.0.0.0:1", "jsocket"), (":1", "ADDRESS"), ("", "7001")]
        {
            let error = ports(Some(text)).unwrap_err().to_string();
            assert!(error.contains(word) && error.contains("--listen"), "{text}: {error}");
        }
        let many: Vec<String> = (1..=PORTS_MAX + 1).map(|port| format!("0.0.0.0:{port}")).collect();
        assert!(ports(Some(&many.join(" "))).unwrap_err().to_string().contains("too many"));
    }
}
