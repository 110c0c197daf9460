//! What only people know about a node, each question in one line that says what depends on it.

use anyhow::Result;
use clap::ValueEnum;

use super::chips::Chips;
use super::dialogue::{Dialogue, Question};
use crate::cli::config::FileConfig;
use crate::cli::run::{self, RoleName, Which};
use crate::model::NodeName;

/// Names that images come with: on a site with several Pis, several have them.
pub(super) const IMAGE_NAMES: &[&str] = &["raspberrypi", "localhost"];

/// Asks for what `config` does not have: role, peers, listening address, and the name where `host`, the machine's own,
/// will not do.
pub(super) fn about_node(
    config: &mut FileConfig,
    host: Option<&NodeName>,
    dialogue: &mut Dialogue<'_>,
) -> Result<()> {
    if config.role.is_none() {
        config.role = Some(word(role(dialogue)?));
    }
    let has = |role| config.role == Some(word(role));
    let (is_primary, is_ring) = (has(RoleName::Primary), has(RoleName::Ring));
    if is_primary && config.peers.is_empty() {
        config.peers = peers(dialogue)?;
    }
    if is_ring {
        if config.peers.is_empty() {
            config.peers = ring(dialogue)?;
        }
        if config.sink.is_none() {
            config.sink = sink(&config.peers, dialogue)?;
        }
    }
    if config.listen.is_none() {
        config.listen = Some(listen(is_primary, dialogue)?);
    }
    if config.name.is_none() && host.is_none_or(|host| IMAGE_NAMES.contains(&host.as_str())) {
        config.name = Some(name(host, dialogue)?);
    }
    Ok(())
}

/// The role as a config has it.
pub(super) fn word(role: RoleName) -> String {
    role.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn role(dialogue: &mut Dialogue<'_>) -> Result<RoleName> {
    let question = Question {
        text: "primary, secondary or ring? The primary asks the secondaries, stores and plots all; in a ring a token \
               does.",
        default: &word(RoleName::Secondary),
        flag: "--role",
    };
    dialogue.ask(&question, |text| {
        let meant = |role: &&RoleName| word(**role).starts_with(&text.to_ascii_lowercase());
        RoleName::value_variants()
            .iter()
            .find(meant)
            .copied()
            .ok_or_else(|| format!("{text:?} is no role: type primary, secondary or ring"))
    })
}

fn peers(dialogue: &mut Dialogue<'_>) -> Result<Vec<String>> {
    /// What stands for an empty list.
    const NONE: &str = "none";
    let question = Question {
        text: "Which nodes does it ask? HOST:PORT of each, as in pi-2:7001 pi-3:7001; more can be added later.",
        default: NONE,
        flag: "--peer HOST:PORT",
    };
    dialogue.ask(&question, |text| if text == NONE { Ok(Vec::new()) } else { addresses(text) })
}

fn ring(dialogue: &mut Dialogue<'_>) -> Result<Vec<String>> {
    let question = Question {
        text: "Which nodes is the ring of? HOST:PORT of all, this one among them; the same list in this order on each.",
        default: "pi-1:7001 pi-2:7001 pi-3:7001",
        flag: "--peer HOST:PORT",
    };
    dialogue.ask(&question, addresses)
}

fn sink(peers: &[String], dialogue: &mut Dialogue<'_>) -> Result<Option<Which>> {
    /// What stands for nobody.
    const NONE: &str = "none";
    let question = Question {
        text: "Which of them is the sink, that stores and plots all? With none, readings wait where they are.",
        default: peers.first().map_or(NONE, String::as_str),
        flag: "--sink HOST:PORT",
    };
    dialogue.ask(&question, |text| match peers.iter().find(|peer| *peer == text) {
        Some(peer) => Ok(Some(Which::At(peer.clone()))),
        None if text == NONE => Ok(None),
        None => Err(format!("{text:?} is not in the list: type one of {}, or none", peers.join(", "))),
    })
}

/// The addresses of a line.
fn addresses(text: &str) -> Result<Vec<String>, String> {
    let peers: Vec<String> =
        text.split([' ', ',', '\t']).filter(|peer| !peer.is_empty()).map(str::to_owned).collect();
    match peers.iter().find(|peer| run::check_peer(peer).is_err()) {
        Some(peer) => Err(format!("{peer:?}: write it as HOST:PORT, as in pi-2:7001")),
        None => Ok(peers),
    }
}

/// A secondary that only its own machine can reach is of use to nobody else, so it proposes to listen to all.
fn listen(is_primary: bool, dialogue: &mut Dialogue<'_>) -> Result<String> {
    let question = Question {
        text: "Who may reach it? 0.0.0.0:7001: every host on its networks, without a password; 127.0.0.1:7001: \
               this machine only.",
        default: if is_primary { "127.0.0.1:7001" } else { "0.0.0.0:7001" },
        flag: "--listen ADDRESS:PORT",
    };
    dialogue.ask(&question, |text| {
        run::listen(Some(text.to_owned()))
            .map_err(|_| format!("{text:?}: write it as ADDRESS:PORT, as in 0.0.0.0:7001"))
    })
}

fn name(host: Option<&NodeName>, dialogue: &mut Dialogue<'_>) -> Result<String> {
    let question = Question {
        text: "What is it called? The name stands in every reading and plot; no two nodes of a site should share one.",
        default: host.map_or("pi-1", NodeName::as_str),
        flag: "--name",
    };
    dialogue.ask(&question, |text| {
        NodeName::new(text).map(|name| name.to_string()).map_err(|why| format!("{text:?}: {why}"))
    })
}

/// Asks which driver it is, wherever the bus cannot tell. None leaves the chip out.
pub(super) fn about_chips(chips: &mut Chips<'_>, dialogue: &mut Dialogue<'_>) -> Result<()> {
    /// What stands for leaving it out.
    const NONE: &str = "none";
    for doubt in chips.doubts() {
        let (bus, address) = doubt.at;
        let choices = doubt.drivers.join(", ");
        let question = Question {
            text: &format!(
                "What is at {address:#04x} of {bus}? The bus cannot tell, its print can: {choices}, or none."
            ),
            default: NONE,
            flag: &format!("--chip DRIVER@{address:#04x}"),
        };
        let driver = dialogue.ask(&question, |text| {
            let typed = text.to_ascii_lowercase();
            match doubt.drivers.iter().find(|driver| **driver == typed) {
                Some(driver) => Ok(Some(*driver)),
                None if typed == NONE => Ok(None),
                None => Err(format!("{text:?} is none of them: type one of {choices}, or none")),
            }
        })?;
        if let Some(driver) = driver {
            chips.choose(doubt.at, driver);
        }
    }
    Ok(())
}
