use proptest::prelude::*;

use super::*;
use crate::cli::config::{self, KEYS};
use crate::cli::run::{self, Which};

fn text(config: &FileConfig) -> String {
    config_text(config, &[]).unwrap()
}

fn read(text: &str) -> FileConfig {
    config::parse(text).unwrap_or_else(|why| panic!("{why:?} in\n{text}"))
}

/// What `pisink run` makes of `text`.
fn settings(text: &str) -> String {
    format!("{:?}", run::settle(RunArgs::default(), read(text)).unwrap())
}

/// The key of a line that sets something, and whether it is on.
fn key_of(line: &str) -> Option<(&str, bool)> {
    let bare = line.strip_prefix('#').unwrap_or(line);
    let (key, _) = bare.split_once(" = ")?;
    (!key.contains(' ')).then_some((key, bare == line))
}

/// `text` with the settings on that `is_meant`.
fn switched_on(text: &str, is_meant: impl Fn(&str) -> bool) -> String {
    let mut changed = String::new();
    for line in text.lines() {
        let is_meant = key_of(line).is_some_and(|(key, is_on)| !is_on && is_meant(key));
        changed.push_str(if is_meant { line.trim_start_matches('#') } else { line });
        changed.push('\n');
    }
    changed
}

fn args() -> Vec<Arg> {
    flags().get_arguments().filter(|arg| is_setting(arg)).cloned().collect()
}

#[test]
fn every_setting_is_a_flag_a_key_and_a_line_of_the_file() {
    let ids: Vec<String> = args().iter().map(|arg| arg.get_id().to_string()).collect();
    assert_eq!(ids, KEYS, "a flag of `pisink run` and a key of its file are the same thing");
    let text = text(&FileConfig::default());
    let keys: Vec<&str> = text.lines().filter_map(key_of).map(|(key, _)| key).collect();
    assert_eq!(keys, KEYS);
    assert_eq!(read(&text), FileConfig::default(), "nothing is on");
}

#[test]
fn every_setting_shows_its_default_or_an_example() {
    for arg in args() {
        let id = arg.get_id().as_str();
        let examples = EXAMPLES.iter().filter(|(key, _)| *key == id).count();
        let wanted = usize::from(fixed_default(&arg).is_none());
        assert_eq!(examples, wanted, "{id}: EXAMPLES has what has no fixed default, once, and nothing else");
    }
    assert!(EXAMPLES.iter().all(|(key, _)| KEYS.contains(key)));
}

#[test]
fn the_defaults_that_it_shows_are_those_that_count() {
    let primary = FileConfig {
        role: Some("primary".to_owned()),
        chips: vec!["sht3x@0x44".to_owned()],
        plots: Some("plots".into()),
        ..FileConfig::default()
    };
    let text = text(&primary);
    let fixed: Vec<String> = args()
        .iter()
        .filter(|arg| fixed_default(arg).is_some())
        .map(|arg| arg.get_id().to_string())
        .collect();
    assert!(fixed.len() >= 7, "{fixed:?}");
    for key in &fixed {
        let with_it = switched_on(&text, |other| other == key);
        assert_ne!(with_it, text, "{key}");
        assert_eq!(settings(&with_it), settings(&text), "{key}");
    }
}

#[test]
fn all_that_it_shows_makes_sense_at_once() {
    let simulated = FileConfig { bus: Some("sim".to_owned()), ..FileConfig::default() };
    let all = switched_on(&text(&simulated), |_| true).replace("\"secondary\"", "\"primary\"");
    let config = read(&all);
    assert!(config.role.is_some() && !config.faults.is_empty() && config.host == Some(true));
    settings(&all);
}

#[test]
fn comments_are_the_help_of_the_flags() {
    let text = text(&FileConfig::default());
    let words = text.replace("\n# ", " ");
    for arg in args() {
        let (what, default) = help(&arg);
        assert!(!what.is_empty() && words.contains(&what), "{what}");
        assert!(default.is_none_or(|default| words.contains(&format!("default: {default}"))), "{what}");
        assert!(words.contains(&usage(&arg)), "{}", usage(&arg));
    }
    let wide = text.lines().find(|line| line.chars().count() > WIDTH_CHARS);
    assert_eq!(wide, None);
}

#[test]
fn chips_come_with_what_is_known_of_them() {
    let lines = [
        ChipLine::On { chip: "sht3x@0x44".to_owned(), note: "by status CRC".to_owned() },
        ChipLine::Note("0x48: choose".to_owned()),
        ChipLine::Off { chip: "lm75@0x48".to_owned() },
        ChipLine::On { chip: "pi:3/lm75@0x49".to_owned(), note: "probably".to_owned() },
    ];
    let text = config_text(&FileConfig::default(), &lines).unwrap();
    let list = "chips = [\n    \"sht3x@0x44\",  # by status CRC\n    # 0x48: choose\n    #\"lm75@0x48\",\n";
    assert!(text.contains(list), "{text}");
    assert_eq!(read(&text).chips, ["sht3x@0x44", "pi:3/lm75@0x49"]);
    let only_doubts = config_text(&FileConfig::default(), lines.get(1..3).unwrap()).unwrap();
    assert_eq!(read(&only_doubts), FileConfig::default());
}

#[test]
fn a_path_that_is_no_text_is_an_error() {
    use std::os::unix::ffi::OsStringExt;
    let path = std::ffi::OsString::from_vec(vec![b'a', 0xff]).into();
    assert!(config_text(&FileConfig { data: Some(path), ..FileConfig::default() }, &[]).is_err());
}

fn word() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(any::<String>())
}

fn words() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(any::<String>(), 0..4)
}

fn place() -> impl Strategy<Value = Option<Which>> {
    proptest::option::of(prop_oneof![
        any::<bool>().prop_map(Which::Here),
        any::<String>().prop_map(Which::At)
    ])
}

fn configs() -> impl Strategy<Value = FileConfig> {
    let names = (word(), word(), word(), word(), word(), proptest::option::of(any::<bool>()));
    let lists = (words(), words(), words(), words());
    let times = (word(), word(), word(), word(), word());
    let rest = (word(), word(), word(), word(), word());
    let zre = (word(), words(), word(), proptest::option::of(any::<bool>()));
    let ring = (place(), words(), place(), word(), word(), word());
    let lab_ring = (word(), proptest::option::of(any::<u32>()), proptest::option::of(any::<bool>()), word());
    let lab = (words(), word(), proptest::option::of(any::<u16>()), lab_ring);
    let autopilot = (word(), word(), word(), word(), word(), word());
    let more = (autopilot, zre, lab);
    (names, lists, times, rest, ring, more).prop_map(
        |(names, lists, times, rest, ring, (autopilot, zre, lab))| FileConfig {
            lab_peers: lab.0,
            lab_interval: lab.1,
            lab_answer_port: lab.2,
            lab_next: lab.3.0,
            lab_hosts: lab.3.1,
            lab_token: lab.3.2,
            lab_hold: lab.3.3,
            zre: zre.0,
            zre_groups: zre.1,
            description: zre.2,
            discover: zre.3,
            role: names.0,
            name: names.1,
            listen: names.2,
            data: names.3.map(Into::into),
            bus: names.4,
            host: names.5,
            peers: lists.0,
            chips: lists.1,
            faults: lists.2,
            allow: lists.3,
            interval: times.0,
            poll_interval: times.1,
            deadline: times.2,
            flush_interval: times.3,
            keep_for: times.4,
            keep_size: rest.0,
            plots: rest.1.map(Into::into),
            plot_interval: rest.2,
            plot_last: rest.3,
            poll_order: rest.4,
            sink: ring.0,
            standby: ring.1,
            token: ring.2,
            token_hold: ring.3,
            round_interval: ring.4,
            standby_after: ring.5,
            station: autopilot.0,
            terminal: autopilot.1,
            terminal_id: autopilot.2,
            stream: autopilot.3,
            stream_wait: autopilot.4,
            files: autopilot.5.map(Into::into),
        },
    )
}

proptest! {
    #[test]
    fn every_combination_reads_back_as_it_was(config in configs()) {
        let text = text(&config);
        prop_assert_eq!(read(&text), config);
    }

    #[test]
    fn every_list_of_chips_reads_back(chips in words()) {
        let on = |chip: &String| ChipLine::On { chip: chip.clone(), note: "found".to_owned() };
        let lines: Vec<ChipLine> = chips.iter().map(on).collect();
        let text = config_text(&FileConfig::default(), &lines).unwrap();
        prop_assert_eq!(read(&text).chips, chips);
    }
}
