//! The config file: the flags of `pisink run` in TOML. Flags and environment win over it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Deserializer, Serialize};

use super::Usage;
use super::parse::nearest;
use super::run::Which;

/// The file's keys. Each means what the flag of that name means; lists are in the plural.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FileConfig {
    pub(super) role: Option<String>,
    pub(super) name: Option<String>,
    #[serde(deserialize_with = "one_or_list")]
    pub(super) listen: Option<String>,
    pub(super) allow: Vec<String>,
    pub(super) data: Option<PathBuf>,
    pub(super) peers: Vec<String>,
    pub(super) bus: Option<String>,
    pub(super) chips: Vec<String>,
    pub(super) faults: Vec<String>,
    pub(super) host: Option<bool>,
    pub(super) interval: Option<String>,
    pub(super) poll_interval: Option<String>,
    pub(super) deadline: Option<String>,
    pub(super) poll_order: Option<String>,
    pub(super) sink: Option<Which>,
    pub(super) standby: Vec<String>,
    pub(super) token: Option<Which>,
    pub(super) token_hold: Option<String>,
    pub(super) round_interval: Option<String>,
    pub(super) standby_after: Option<String>,
    pub(super) flush_interval: Option<String>,
    pub(super) keep_for: Option<String>,
    pub(super) keep_size: Option<String>,
    pub(super) plots: Option<PathBuf>,
    pub(super) plot_interval: Option<String>,
    pub(super) plot_last: Option<String>,
    pub(super) lab_peers: Vec<String>,
    pub(super) lab_interval: Option<String>,
    pub(super) lab_answer_port: Option<u16>,
    pub(super) lab_next: Option<String>,
    pub(super) lab_hosts: Option<u32>,
    pub(super) lab_token: Option<bool>,
    pub(super) lab_hold: Option<String>,
    pub(super) zre: Option<String>,
    pub(super) zre_groups: Vec<String>,
    pub(super) description: Option<String>,
    pub(super) discover: Option<bool>,
    pub(super) station: Option<String>,
    pub(super) terminal: Option<String>,
    pub(super) terminal_id: Option<String>,
    pub(super) stream: Option<String>,
    pub(super) stream_wait: Option<String>,
    pub(super) files: Option<PathBuf>,
}

/// All of them, as the file has them.
pub(super) const KEYS: &[&str] = &[
    "role",
    "name",
    "listen",
    "allow",
    "data",
    "peers",
    "bus",
    "chips",
    "faults",
    "host",
    "interval",
    "poll_interval",
    "deadline",
    "poll_order",
    "sink",
    "standby",
    "token",
    "token_hold",
    "round_interval",
    "standby_after",
    "flush_interval",
    "keep_for",
    "keep_size",
    "plots",
    "plot_interval",
    "plot_last",
    "zre",
    "zre_groups",
    "description",
    "discover",
    "station",
    "terminal",
    "terminal_id",
    "stream",
    "stream_wait",
    "files",
    "lab_peers",
    "lab_interval",
    "lab_answer_port",
    "lab_next",
    "lab_hosts",
    "lab_token",
    "lab_hold",
];

/// One text, or a list of texts: the same parted by blanks.
fn one_or_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a text or a list of texts")]
    enum OneOrList {
        One(String),
        List(Vec<String>),
    }
    Ok(Some(match OneOrList::deserialize(deserializer)? {
        OneOrList::One(text) => text,
        OneOrList::List(list) => list.join(" "),
    }))
}

/// Reads the config file at `path`.
pub(super) fn read(path: &Path) -> Result<FileConfig> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading the config {}", path.display()))?;
    parse(&text).map_err(|(line, why)| Usage(format!("{}:{line}: {why}", path.display())).into())
}

/// Reads the text of a config file; an error has the number of its line.
pub(super) fn parse(text: &str) -> Result<FileConfig, (usize, String)> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        (line, explain(error.message()))
    })
}

fn explain(message: &str) -> String {
    let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
    match unknown {
        Some(key) => match nearest(key, KEYS.iter().copied()) {
            Some(known) => format!("unknown key {key:?}; did you mean {known:?}?"),
            None => format!("unknown key {key:?}; the keys are {}", KEYS.join(", ")),
        },
        None => message.replace('\n', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read_and_named() {
        let lists = ["zre_groups", "peers", "chips", "faults", "standby", "listen", "allow", "lab_peers"];
        let numbers = ["lab_answer_port", "lab_hosts"];
        let text: String = KEYS
            .iter()
            .map(|key| match *key {
                "host" | "lab_token" | "discover" => format!("{key} = true\n"),
                key if numbers.contains(&key) => format!("{key} = 3\n"),
                key if lists.contains(&key) => format!("{key} = [\"x\"]\n"),
                key => format!("{key} = \"x\"\n"),
            })
            .collect();
        let config = parse(&text).unwrap();
        assert_eq!((config.host, config.plot_last.as_deref()), (Some(true), Some("x")));
        assert_eq!(format!("{config:?}").matches("\"x\"").count(), KEYS.len() - 5);
    }

    #[test]
    fn a_wrong_key_is_named_with_its_line_and_the_nearest_right_one() {
        let error = parse("role = \"primary\"\n\nintervall = \"1s\"\n").unwrap_err();
        assert_eq!(error.0, 3);
        assert!(error.1.contains("\"intervall\"") && error.1.contains("\"interval\""), "{}", error.1);
    }

    #[test]
    fn wrong_types_and_syntax_name_the_line() {
        assert_eq!(parse("name = \"a\"\nhost = 3\n").unwrap_err().0, 2);
        assert_eq!(parse("name = \"a\"\nrole primary\n").unwrap_err().0, 2);
    }
}
