//! The text of a config file: every setting of `pisink run`, each under the help of its flag, those that are not set
//! as comments. Help and defaults are read out of the flags' own definitions: nothing is told here a second time.

use clap::{Arg, ArgAction, Args, Command};
use toml::Value;

use crate::cli::config::FileConfig;
use crate::cli::run::RunArgs;

/// The widest line of a comment, in characters.
const WIDTH_CHARS: usize = 96;

/// What flags say where their default is a fixed value.
const DEFAULT: &str = "[default: ";

/// What to show for a setting whose default is no fixed value, as TOML.
const EXAMPLES: &[(&str, &str)] = &[
    ("zre", "\"eth0\""),
    ("zre_groups", "[\"greenhouse\"]"),
    ("description", "\"south wall, below the roof\""),
    ("role", "\"secondary\""),
    ("name", "\"greenhouse-1\""),
    ("allow", "[\"START\", \"STOP\"]"),
    ("peers", "[\"pi-2:7001\", \"pi-3:7001\"]"),
    ("chips", "[\"sht3x@0x44\", \"ads1015@0x48,ain0=anemometer,interval=10s\"]"),
    ("faults", "[\"sht3x@0x44=nack@10s..20s\"]"),
    ("host", "true"),
    ("deadline", "\"500ms\""),
    ("sink", "\"pi-1:7001\""),
    ("standby", "[\"pi-2:7001\"]"),
    ("token", "\"pi-1:7001\""),
    ("keep_for", "\"365d\""),
    ("plots", "\"plots\""),
    ("lab_peers", "[\"bench=192.168.1.2:1024\"]"),
    ("lab_answer_port", "1024"),
    ("lab_next", "\"192.168.1.3:1024\""),
    ("lab_token", "true"),
    ("station", "\"pilot1\""),
    ("terminal", "\"terminal:5560\""),
    ("stream", "\"CONTINUOUS\""),
    ("files", "\"files\""),
];

/// One line in the list of chips.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ChipLine {
    /// A chip that will be measured, and why it is here.
    On {
        /// As `--chip` takes it.
        chip: String,
        /// Why.
        note: String,
    },
    /// One that may be there.
    Off {
        /// As `--chip` takes it.
        chip: String,
    },
    /// Something to know about an address.
    Note(String),
}

/// The config file of `config`. Its chips are those of `chips`, with all that is to be said about them.
///
/// # Errors
/// A path that is no text, which TOML cannot have.
pub(super) fn config_text(config: &FileConfig, chips: &[ChipLine]) -> Result<String, toml::ser::Error> {
    let values = toml::Table::try_from(config)?;
    let mut text = header();
    for arg in flags().get_arguments().filter(|arg| is_setting(arg)) {
        let key = arg.get_id().as_str();
        text.push('\n');
        text.push_str(&comment(arg));
        let value = values.get(key).filter(|value| value.as_array().is_none_or(|list| !list.is_empty()));
        text.push_str(&match value {
            _ if key == "chips" && !chips.is_empty() => chip_list(chips),
            Some(value) => format!("{key} = {value}\n"),
            None => format!("#{key} = {}\n", shown(arg)),
        });
    }
    Ok(text)
}

/// The flags of `pisink run`, which are the settings.
fn flags() -> Command {
    RunArgs::augment_args(Command::new("run"))
}

/// The name of the config file itself is not in it.
fn is_setting(arg: &Arg) -> bool {
    arg.get_id() != "config"
}

fn header() -> String {
    let sentences = [
        "The settings of a pisink node, for `pisink run --config THIS_FILE`; begun by `pisink init`.",
        "Every setting is here. A line that begins with # and a name is off, and shows the default, or an example \
         where there is no fixed one: take the # away to set it. After a change, start the node again.",
        "A flag wins over the environment (--interval 2s over PISINK_INTERVAL=2s), and that over this file.",
        "DURATION: 500ms, 1s, 10m, 1h 30m, 30d. SIZE: 500M, 4G (powers of 1000). A relative DIR begins where the \
         node is started.",
    ];
    sentences.iter().map(|sentence| wrapped(sentence)).collect()
}

/// What a flag's help says, without its default, and the default if there is one.
fn help(arg: &Arg) -> (String, Option<String>) {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    match help.split_once(DEFAULT) {
        Some((what, default)) => {
            (what.trim_end().to_owned(), Some(default.trim_end().trim_end_matches(']').to_owned()))
        }
        None => (help, None),
    }
}

/// What a setting does, the values that it can have, its flag and its default.
fn comment(arg: &Arg) -> String {
    let (what, default) = help(arg);
    let mut text = wrapped(&what);
    for value in arg.get_possible_values() {
        if let Some(help) = value.get_help() {
            text.push_str(&wrapped(&format!("- {}: {help}", value.get_name())));
        }
    }
    let default = default.map(|default| format!("; default: {default}")).unwrap_or_default();
    text.push_str(&wrapped(&format!("{}{default}", usage(arg))));
    text
}

/// The flag as one types it, as in `--peer HOST:PORT`.
fn usage(arg: &Arg) -> String {
    let id = arg.get_id().as_str();
    let value =
        arg.get_value_names().and_then(<[_]>::first).map_or_else(|| id.to_uppercase(), ToString::to_string);
    let sign = if arg.is_require_equals_set() { '=' } else { ' ' };
    format!("--{}{sign}{value}", arg.get_long().unwrap_or(id))
}

/// What a setting that is off shows.
fn shown(arg: &Arg) -> String {
    let id = arg.get_id().as_str();
    fixed_default(arg)
        .or_else(|| EXAMPLES.iter().find(|(key, _)| *key == id).map(|(_, example)| (*example).to_owned()))
        .unwrap_or_else(|| if is_list(arg) { "[]".to_owned() } else { "\"\"".to_owned() })
}

/// The default as TOML, where it is one value and no rule: a rule has several words.
fn fixed_default(arg: &Arg) -> Option<String> {
    let default = help(arg).1.filter(|default| !default.contains(' '))?;
    let is_bare = default.parse::<bool>().is_ok() || default.parse::<f64>().is_ok();
    Some(if is_bare { default } else { Value::String(default).to_string() })
}

fn is_list(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

fn chip_list(lines: &[ChipLine]) -> String {
    let mut text = "chips = [\n".to_owned();
    for line in lines {
        text.push_str(&match line {
            ChipLine::On { chip, note } => {
                format!("    {},  # {note}\n", Value::String(chip.clone()))
            }
            ChipLine::Off { chip } => format!("    #{},\n", Value::String(chip.clone())),
            ChipLine::Note(note) => format!("    # {note}\n"),
        });
    }
    text.push_str("]\n");
    text
}

/// `sentence` as lines of a comment.
fn wrapped(sentence: &str) -> String {
    let mut text = String::new();
    let mut line = "#".to_owned();
    for word in sentence.split_whitespace() {
        if line.len() > 1 && line.chars().count() + 1 + word.chars().count() > WIDTH_CHARS {
            text.push_str(&line);
            text.push('\n');
            "#".clone_into(&mut line);
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
