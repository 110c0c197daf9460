//! The flags for the lab's programs: whom to ask, where to answer, and the way of their token.

use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::FileConfig;
use crate::cli::Usage;
use crate::model::NodeName;
use crate::proto::{LabConfig, LabRing};

/// Hosts on the way of the lab's token, unless told otherwise.
const HOSTS: u32 = 3;
/// From one question to the next, unless told otherwise.
const INTERVAL: Duration = Duration::from_secs(10);
/// How long the lab's programs keep the token.
const HOLD: Duration = Duration::from_secs(2);

#[derive(Clone, Debug, Default, Args)]
pub(in crate::cli) struct LabArgs {
    /// One of the lab's programs to ask for its readings (docs/lab.md), under a name of its own or its host's; give one
    /// for each
    #[arg(
        long = "lab-peer",
        env = "PISINK_LAB_PEER",
        value_name = "[NAME=]HOST:PORT",
        value_delimiter = ','
    )]
    lab_peers: Vec<String>,

    /// From one question to each of the lab's programs to the next [default: 10s]
    #[arg(long, env = "PISINK_LAB_INTERVAL", value_name = "DURATION")]
    lab_interval: Option<String>,

    /// Bring the answer to one of the lab's programs to this port of its host too, as they expect it: theirs is 1024
    #[arg(long, env = "PISINK_LAB_ANSWER_PORT", value_name = "PORT")]
    lab_answer_port: Option<u16>,

    /// Pass the lab's token on to this host; without it, what a token brings is taken and the token ends here
    #[arg(long, env = "PISINK_LAB_NEXT", value_name = "HOST:PORT")]
    lab_next: Option<String>,

    /// How many hosts the lab's token passes: where it has been at all the others, its readings are taken [default: 3]
    #[arg(long, env = "PISINK_LAB_HOSTS", value_name = "NUMBER")]
    lab_hosts: Option<u32>,

    /// Make the lab's token, at the start and when it is lost: one host of them does
    #[arg(long, env = "PISINK_LAB_TOKEN", value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true")]
    lab_token: Option<bool>,

    /// How long the lab's token stays here [default: 2s]
    #[arg(long, env = "PISINK_LAB_HOLD", value_name = "DURATION")]
    lab_hold: Option<String>,
}

/// What flags, environment and file come to.
pub(super) fn lab(args: &LabArgs, file: &FileConfig) -> Result<LabConfig> {
    let peers = super::pick_list(&args.lab_peers, &file.lab_peers);
    let hold = super::duration("lab-hold", args.lab_hold.clone(), file.lab_hold.clone())?.unwrap_or(HOLD);
    let hosts = args.lab_hosts.or(file.lab_hosts).unwrap_or(HOSTS);
    let makes_token = args.lab_token.or(file.lab_token).unwrap_or(false);
    let next = args
        .lab_next
        .as_ref()
        .or(file.lab_next.as_ref())
        .map(|next| address("lab-next", next))
        .transpose()?;
    if next.is_none() && makes_token {
        let what = "--lab-token: say with --lab-next HOST:PORT to whom the token goes";
        return Err(Usage(what.to_owned()).into());
    }
    let ring = |next| LabRing { next, hosts, makes_token, token_hold: hold };
    Ok(LabConfig {
        peers: peers.iter().map(|text| peer(text)).collect::<Result<_>>()?,
        poll_interval: super::duration("lab-interval", args.lab_interval.clone(), file.lab_interval.clone())?
            .unwrap_or(INTERVAL),
        answer_port: args.lab_answer_port.or(file.lab_answer_port),
        ring: next.map(ring),
    })
}

/// `bench=192.168.1.2:1024`, or without a name: then it is called as its host.
fn peer(text: &str) -> Result<(NodeName, String)> {
    let (name, at) = text.split_once('=').map_or((None, text), |(name, at)| (Some(name), at));
    let at = address("lab-peer", at)?;
    let host =
        at.rsplit_once(':').map_or(at.as_str(), |(host, _)| host).replace(['[', ']'], "").replace(':', "-");
    let name = name.unwrap_or(&host);
    let name = NodeName::new(name).map_err(|why| Usage(format!("--lab-peer {text}: {why}")))?;
    Ok((name, at))
}

fn address(flag: &str, text: &str) -> Result<String> {
    match text
        .trim()
        .rsplit_once(':')
        .filter(|(host, _)| !host.is_empty())
        .map(|(_, port)| port.parse::<u16>())
    {
        Some(Ok(port)) if port > 0 => Ok(text.trim().to_owned()),
        _ => Err(Usage(format!("--{flag} {text}: write it as HOST:PORT, as in 192.168.1.2:1024")).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: LabArgs, file: &str) -> Result<LabConfig, String> {
        lab(&args, &crate::cli::config::parse(file).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_win_over_the_file() {
        let ring = "lab_next = \"b:1024\"\nlab_hosts = 4\nlab_hold = \"1s\"";
        let file = format!("lab_peers = [\"a:1\"]\nlab_answer_port = 1024\n{ring}");
        let args = LabArgs {
            lab_peers: vec!["bench=10.0.0.2:1024".into(), "[fe80::1]:1024".into()],
            ..LabArgs::default()
        };
        let read = read(args, &file).unwrap();
        let name = |text: &str| NodeName::new(text).unwrap();
        assert_eq!(
            read.peers,
            [(name("bench"), "10.0.0.2:1024".to_owned()), (name("fe80--1"), "[fe80::1]:1024".to_owned()),]
        );
        assert_eq!((read.answer_port, read.poll_interval), (Some(1024), INTERVAL));
        let ring = LabRing {
            next: "b:1024".into(),
            hosts: 4,
            makes_token: false,
            token_hold: Duration::from_secs(1),
        };
        assert_eq!(read.ring, Some(ring));
    }

    #[test]
    fn what_cannot_be_is_said_with_its_flag() {
        for (file, words) in [
            ("lab_peers = [\"a\"]", "--lab-peer a: write it as HOST:PORT"),
            ("lab_peers = [\"x y/z=a:1\"]", "--lab-peer x y/z=a:1"),
            ("lab_next = \"a:0\"", "--lab-next a:0"),
            ("lab_token = true", "--lab-next HOST:PORT"),
            ("lab_interval = \"soon\"", "--lab-interval"),
        ] {
            let error = read(LabArgs::default(), file).unwrap_err();
            assert!(error.contains(words), "{file}: {error}");
        }
    }
}
