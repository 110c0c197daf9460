use clap::Parser;
use proptest::prelude::*;

use super::*;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: InitArgs,
}

fn typed(args: &str) -> InitArgs {
    Cli::try_parse_from(std::iter::once("init").chain(args.split_whitespace())).unwrap().args
}

/// The config that comes of these flags and answers, on a simulated bus with a chip of each sort, and what was asked.
fn asked(args: &str, answers: &str) -> Result<(FileConfig, String)> {
    let args = typed(args);
    let survey = buses::scan_one(BusSpec::Sim(1), &mut |spec| buses::open(spec, &args.chips)).unwrap();
    let mut chips = Chips::new(&survey, &args.chips);
    let mut config = given(&args, &Place::Output);
    config.bus = chips.main_bus().map(|bus| bus.to_string());
    let mut said = Vec::new();
    // A name of its own, so that what the machine under test is called makes no difference.
    let host = crate::model::NodeName::new("bench-1").ok();
    let mut input = answers.as_bytes();
    let mut dialogue = Dialogue::new(&mut input, &mut said);
    questions::about_node(&mut config, host.as_ref(), &mut dialogue)?;
    questions::about_chips(&mut chips, &mut dialogue)?;
    config.name.get_or_insert("bench-1".to_owned());
    let config = verified(&text::config_text(&config, &chips.lines())?)?;
    Ok((config, String::from_utf8(said)?))
}

#[test]
fn only_what_is_open_is_asked() {
    let (config, said) = asked("", "\n\n\n").unwrap();
    assert_eq!(config.role.as_deref(), Some("secondary"));
    assert_eq!((config.listen.as_deref(), config.bus.as_deref()), (Some("0.0.0.0:7001"), Some("sim")));
    assert_eq!(config.chips, ["seesaw@0x36", "sht3x@0x44"], "what is in doubt is left out");
    assert_eq!(said.matches("] > ").count(), 3, "{said}");

    let (config, said) = asked("--role secondary --listen 127.0.0.1:0 --chip lm75@0x48", "").unwrap();
    assert_eq!(said, "");
    assert_eq!(config.chips, ["lm75@0x48"]);
    let (config, said) = asked("--peer pi-2:7001 --listen 127.0.0.1:0 --chip lm75@0x48", "").unwrap();
    assert_eq!((said.as_str(), config.role.as_deref()), ("", Some("primary")), "who polls is a primary");
}

#[test]
fn answers_come_into_the_config() {
    let (config, said) = asked("", "p\npi-2:7001, pi-3:7001\n0.0.0.0:7002\nLM75\n").unwrap();
    assert_eq!((config.role.as_deref(), config.listen.as_deref()), (Some("primary"), Some("0.0.0.0:7002")));
    assert_eq!(config.peers, ["pi-2:7001", "pi-3:7001"]);
    assert_eq!(config.chips, ["seesaw@0x36", "sht3x@0x44", "lm75@0x48"]);
    for question in said.split("\n\n") {
        let (text, rest) = question.trim_start().split_once('\n').unwrap();
        assert!(text.len() > 40 && text.len() <= 130, "one line that teaches: {text:?}");
        assert!(rest.starts_with('['), "the default is shown: {rest:?}");
    }
    let (config, said) = asked("", "r\npi-1:7001 bench-1:7001\npi-9:1\nbench-1:7001\n\nlm75\n").unwrap();
    assert_eq!(config.role.as_deref(), Some("ring"));
    assert_eq!(config.peers, ["pi-1:7001", "bench-1:7001"]);
    assert_eq!(config.sink, Some(Which::At("bench-1:7001".to_owned())));
    assert_eq!(config.listen.as_deref(), Some("0.0.0.0:7001"));
    assert!(said.contains("type one of pi-1:7001, bench-1:7001, or none"), "{said}");
    let (config, _) = asked("--role ring --peer a:1 --sink a:1 --listen 0.0.0.0:1", "lm75\n").unwrap();
    assert_eq!(config.sink, Some(Which::At("a:1".to_owned())), "nothing of the ring is asked");
    let (config, _) = asked("", "primary\n\n\n\n").unwrap();
    assert_eq!((config.peers.len(), config.listen.as_deref()), (0, Some("127.0.0.1:7001")));
}

#[test]
fn bad_answers_are_asked_again() {
    let answers = "boss\nprimary\npi-2\npi-2:7001\nnowhere\n0.0.0.0:7001\nbme280\ntmp105\n";
    let (config, said) = asked("", answers).unwrap();
    assert_eq!((config.peers, config.chips.len()), (vec!["pi-2:7001".to_owned()], 3));
    for words in ["\"boss\" is no role", "HOST:PORT", "ADDRESS:PORT", "\"bme280\" is none of them"] {
        assert!(said.contains(words), "no word of {words:?}: {said}");
    }
}

#[test]
fn the_end_of_the_input_names_the_flag() {
    for (answers, flag) in [
        ("", "--role"),
        ("primary\n", "--peer"),
        ("primary\n\n", "--listen"),
        ("primary\n\n\n", "--chip DRIVER@0x48"),
        ("secondary\nx\nx\nx\nx\nx\n", "--listen"),
    ] {
        let error = asked("", answers).unwrap_err();
        assert!(error.is::<Usage>() && error.to_string().contains(flag), "{answers:?}: {error}");
        assert!(error.to_string().contains("nothing was written"), "{error}");
    }
}

#[test]
fn a_name_is_asked_for_where_the_hosts_own_is_no_name() {
    for (host, asks) in [(Some("raspberrypi"), true), (None, true), (Some("bench-1"), false)] {
        let host = host.and_then(|host| crate::model::NodeName::new(host).ok());
        let mut config = given(&typed("--role secondary --listen 127.0.0.1:0"), &Place::Output);
        let (mut input, mut said) = (&b"two words\nroof\n"[..], Vec::new());
        questions::about_node(&mut config, host.as_ref(), &mut Dialogue::new(&mut input, &mut said)).unwrap();
        assert_eq!(config.name.as_deref(), asks.then_some("roof"), "{host:?}");
    }
}

#[test]
fn a_config_of_the_service_has_the_services_folder() {
    let data = |args: &str, path: &str| {
        let place = Place::File { path: path.into(), is_there: false };
        given(&typed(args), &place).data.map(|data| data.display().to_string())
    };
    assert_eq!(data("", "/etc/pisink/pisink.toml").as_deref(), Some("/var/lib/pisink"));
    assert_eq!(data("--data x", "/etc/pisink/pisink.toml").as_deref(), Some("x"));
    assert_eq!(data("", "/home/pi/pisink.toml"), None);
}

#[test]
fn wrong_flags_are_told_before_anything_is_done() {
    for (args, words) in [
        ("--role secondary --peer a:1 --yes", "secondary polls nobody"),
        ("--role primary --peer a --yes", "HOST:PORT"),
        ("--role primary --listen a --yes", "ADDRESS:PORT"),
        ("--role primary --name a/b --yes", "--name"),
        ("--yes", "--role primary"),
        ("--role ring --yes", "this one among them"),
        ("--role primary --sink a:1 --yes", "--sink is for --role ring"),
    ] {
        let error = check(&typed(args)).unwrap_err();
        assert!(error.is::<Usage>() && error.to_string().contains(words), "{args}: {error}");
    }
    assert!("usb".parse::<BusChoice>().unwrap_err().contains("auto"));
}

proptest! {
    #[test]
    fn every_combination_of_flags_makes_a_config_that_says_the_same(
        is_primary in any::<bool>(),
        name in proptest::option::of("[a-z][a-z0-9._-]{0,20}"),
        port in proptest::option::of(any::<u16>()),
        peers in proptest::collection::vec(("[a-z][a-z0-9-]{0,9}", 1..=u16::MAX), 0..4),
        data in proptest::option::of("[ -~\u{e9}\t\"'\\\\]{1,30}"),
    ) {
        let peers: Vec<String> = peers.iter().map(|(host, port)| format!("{host}:{port}")).collect();
        let mut args = typed(if is_primary { "--role primary --yes" } else { "--role secondary --yes" });
        (args.name, args.data) = (name, data.map(PathBuf::from));
        args.listen = port.map(|port| format!("0.0.0.0:{port}"));
        args.peers = if is_primary { peers } else { Vec::new() };
        prop_assert!(check(&args).is_ok());
        let wanted = given(&args, &Place::Output);
        let text = text::config_text(&wanted, &[]).unwrap();
        let config = config::parse(&text).unwrap();
        prop_assert_eq!(&config, &wanted);
        if config.name.is_some() {
            prop_assert!(verified(&text).is_ok());
        }
    }
}
