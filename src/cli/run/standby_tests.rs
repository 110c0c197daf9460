use std::time::Duration;

use clap::Parser;

use super::*;
use crate::cli::config;
use crate::cli::run::settle;
use crate::io::RoleSettings;

const FILE: &str = "role = \"primary\"\npeers = [\"pi-1:7001\", \"pi-2:7001\", \"pi-3:7001\", \"pi-4:7001\"]\n\
                    listen = \"0.0.0.0:7001\"\nsink = \"pi-1:7001\"\nstandby = [\"pi-2:7001\", \"pi-3:7001\"]\n";
const ALONE: &str = "role = \"primary\"\npeers = [\"pi-4:7001\"]\nlisten = \"0.0.0.0:7001\"\n";

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: RunArgs,
}

/// Whom it polls, and whom it stands by for.
fn told(flags: &str, text: &str) -> Result<(Vec<String>, Option<StandbySettings>), String> {
    let args = Cli::try_parse_from(std::iter::once("run").chain(flags.split_whitespace())).unwrap().args;
    let settings = settle(args, config::parse(text).unwrap()).map_err(|error| error.to_string())?;
    match settings.role {
        RoleSettings::Primary { peers, standby, .. } => Ok((peers, standby)),
        other => panic!("{other:?}"),
    }
}

fn before(flags: &str, text: &str) -> Result<Vec<String>, String> {
    told(flags, text).map(|(_, standby)| standby.map(|standby| standby.before).unwrap_or_default())
}

#[test]
fn one_file_tells_every_sink_its_place() {
    for (name, expected) in
        [("pi-1", &[][..]), ("pi-2", &["pi-1:7001"]), ("pi-3", &["pi-1:7001", "pi-2:7001"]), ("pi-4", &[])]
    {
        assert_eq!(before(&format!("--name {name}"), FILE).unwrap(), expected, "{name}");
    }
    let (peers, standby) = told("--name pi-2 --standby-after 9s", FILE).unwrap();
    assert_eq!(peers, ["pi-1:7001", "pi-3:7001", "pi-4:7001"], "it does not poll itself");
    assert_eq!(standby.unwrap().after, Duration::from_secs(9));
    assert_eq!(told("--name pi-2", FILE).unwrap().1.unwrap().after, Duration::from_secs(5));
}

#[test]
fn what_a_node_is_told_of_itself_goes_before_the_file() {
    for (flags, expected) in [
        ("--name x --standby", &["pi-1:7001"][..]),
        ("--name x --standby 2", &["pi-1:7001", "pi-2:7001"]),
        ("--name x --standby 3", &["pi-1:7001", "pi-2:7001", "pi-3:7001"]),
        ("--name pi-2 --sink", &[]),
        ("--name pi-4 --standby pi-3:7001,pi-4:7001", &["pi-1:7001", "pi-3:7001"]),
    ] {
        assert_eq!(before(flags, FILE).unwrap(), expected, "{flags}");
    }
    assert_eq!(before("--name x --sink pi-1:7001 --standby", ALONE).unwrap(), ["pi-1:7001"]);
    assert_eq!(before("--name pi-2 --sink pi-1:7001 --standby pi-2:7001", ALONE).unwrap(), ["pi-1:7001"]);
    assert_eq!(before("--name x", ALONE).unwrap(), [""; 0]);
    assert_eq!(before("--name x --sink", ALONE).unwrap(), [""; 0], "it is");
}

#[test]
fn what_makes_no_sense_is_told_with_what_would() {
    for (flags, text, words) in [
        ("--standby", ALONE, "--sink HOST:PORT"),
        ("--standby pi-2:7001", ALONE, "--sink HOST:PORT"),
        ("--standby 4", FILE, "name the other standbys"),
        ("--standby 0", FILE, "that is the sink"),
        ("--standby first", FILE, "this node's turn"),
        ("--name x --sink pi-1:7001", ALONE, "say --standby"),
        ("--token", ALONE, "--token: only a ring"),
    ] {
        let why = told(flags, text).unwrap_err();
        assert!(why.contains(words), "{flags}: {why}");
    }
}
