use clap::Parser;

use super::*;
use crate::cli::config;
use crate::cli::run::settle;

const LIST: &str = "peers = [\"pi-1:7001\", \"pi-2:7001\", \"pi-3:7001\"]\nlisten = \"0.0.0.0:7001\"\n";

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: RunArgs,
}

fn typed(flags: &str) -> RunArgs {
    Cli::try_parse_from(std::iter::once("run").chain(flags.split_whitespace())).unwrap().args
}

fn read(text: &str) -> FileConfig {
    config::parse(&format!("role = \"ring\"\n{LIST}{text}")).unwrap()
}

/// Rank and whether it makes the token, with this file and these flags.
fn part(flags: &str, text: &str) -> Result<(Option<u8>, bool), String> {
    let settings = settle(typed(flags), read(text)).map_err(|error| error.to_string())?;
    match settings.role {
        RoleSettings::Ring { sink_rank, makes_token, .. } => Ok((sink_rank, makes_token)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_file_tells_every_node_its_part() {
    let file = "sink = \"pi-1:7001\"\nstandby = [\"pi-2:7001\"]\ntoken = \"pi-3:7001\"\n";
    for (name, expected) in [
        ("pi-1", (Some(0), false)),
        ("pi-2", (Some(1), false)),
        ("pi-3", (None, true)),
        ("pi-4", (None, false)),
    ] {
        assert_eq!(part(&format!("--name {name}"), file), Ok(expected), "{name}");
    }
    let two = "standby = [\"pi-3:7001\", \"pi-1:7001\"]\n";
    assert_eq!(part("--name pi-1", two), Ok((Some(2), false)));
}

#[test]
fn what_a_node_is_told_of_itself_goes_before_the_file() {
    let file = "sink = \"pi-1:7001\"\nstandby = [\"pi-2:7001\"]\ntoken = \"pi-1:7001\"\n";
    for (flags, expected) in [
        ("--name pi-3 --sink", (Some(0), false)),
        ("--name pi-3 --sink pi-3:7001 --token", (Some(0), true)),
        ("--name pi-1 --standby 3", (Some(3), true)),
        ("--name pi-1 --standby", (Some(1), true)),
        ("--name pi-1 --sink=false --token=false", (None, false)),
        ("--name pi-2 --sink=false", (Some(1), false)),
        ("--name pi-2 --standby pi-3:7001,pi-2:7001", (Some(2), false)),
        ("--name pi-2 --standby pi-3:7001", (None, false)),
    ] {
        assert_eq!(part(flags, file), Ok(expected), "{flags}");
    }
    assert_eq!(part("--name pi-3", "sink = true\ntoken = true\n"), Ok((Some(0), true)));
    assert_eq!(part("--name pi-3", "sink = false\nstandby = [\"2\"]\n"), Ok((Some(2), false)));
}

#[test]
fn what_makes_no_sense_is_told_with_what_would() {
    for (flags, text, words) in [
        ("", "sink = \"pi-9:7001\"", "not in the list of peers (pi-1:7001, pi-2:7001"),
        ("", "standby = [\"pi-1\"]", "write this node's turn"),
        ("", "standby = [\"0\"]", "say --sink"),
        ("", "standby = [\"1\", \"2\"]", "not in the list"),
        ("--peer pi-\u{e9}:7001", "", "HOST:PORT"),
        ("--token pi-9:1", "", "--token pi-9:1"),
        ("--standby 256", "", "1 to 255"),
        ("--token-hold fast", "", "--token-hold"),
        ("--role secondary --sink", "", "--sink: a secondary collects nothing"),
        ("--role secondary --standby", "", "--standby: a secondary collects nothing"),
        ("--role primary --token", "", "--token: only a ring"),
    ] {
        let why = part(flags, text).unwrap_err();
        assert!(why.contains(words), "{flags} {text}: {why}");
    }
    let alone = settle(typed("--role ring"), FileConfig::default()).unwrap_err();
    assert!(alone.to_string().contains("give --peer HOST:PORT for each"), "{alone}");
    for text in ["sink = 3", "token = [true]"] {
        let (line, why) = config::parse(&format!("role = \"ring\"\n{text}\n")).unwrap_err();
        assert!(line == 2 && why.contains("write true, false, or an address"), "{line}: {why}");
    }
    for flags in ["--sink maybe", "--token pi-1"] {
        let error = Cli::try_parse_from(["run"].into_iter().chain(flags.split(' '))).err().unwrap();
        assert!(error.to_string().contains("an address of the list of peers"), "{error}");
    }
}

#[test]
fn a_file_of_a_ring_is_good_for_any_role() {
    let file = "sink = \"pi-1:7001\"\nstandby = [\"pi-2:7001\"]\ntoken_hold = \"1s\"\n";
    let settings = settle(typed("--role primary"), read(file)).unwrap();
    assert!(matches!(settings.role, RoleSettings::Primary { .. }));
}

#[test]
fn who_does_not_find_itself_does_not_start_where_it_might_be_the_sink() {
    let check =
        |flags: &str, text: &str| check_own_place(&typed(flags), &read(text)).map_err(|e| e.to_string());
    let by_address = "sink = \"pi-1:7001\"\n";
    let why = check("--name roof", by_address).unwrap_err();
    for words in ["called roof", "listens on 0.0.0.0:7001", "roof:7001", "--name", "--sink=false"] {
        assert!(why.contains(words), "no word of {words}: {why}");
    }
    assert!(check("--name roof", "standby = [\"pi-1:7001\"]\n").is_err());
    for flags in ["--name pi-3", "--name roof --sink", "--name roof --standby 2", "--name roof --sink=false"]
    {
        assert_eq!(check(flags, by_address), Ok(()), "{flags}");
    }
    assert_eq!(check("--name roof", ""), Ok(()), "nobody is named");
    assert_eq!(check("--name roof --role primary", by_address), Ok(()), "no ring");
}
