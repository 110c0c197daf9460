use clap::Parser;

use super::*;
use crate::sim::{Fault, HostIx, Nobody};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: SimulateArgs,
}

fn of(text: &str) -> Result<Scenario> {
    let line = Line::try_parse_from(std::iter::once("simulate").chain(text.split_whitespace()))?;
    scenario(&line.args)
}

#[test]
fn arguments_make_a_scenario() {
    let line = "--nodes 30 --role primary --loss 5% --kill sink@60s --partition 10s..40s --hours 24 --seed 7 \
                --interval 10s --channels 3 --latency 1ms..20ms --poll-order in-turn --pause node-3@5s..6s";
    let scenario = of(line).unwrap();
    assert_eq!((scenario.nodes, scenario.role, scenario.sinks, scenario.seed), (30, SimRole::Primary, 1, 7));
    assert_eq!((scenario.duration, scenario.network.loss), (Duration::from_secs(86_400), 0.05));
    assert_eq!(scenario.sampling.channels, 3);
    assert_eq!(scenario.polling.order, PollOrder::InTurn);
    let faults: Vec<String> = scenario.faults.iter().map(ToString::to_string).collect();
    assert_eq!(faults[0], "pause 3@5s..6s", "by time");
    let Fault::Partition(groups) = &scenario.faults[1].fault else { panic!("{faults:?}") };
    assert_eq!((groups.len(), groups[0].len(), groups[1].len(), groups[0][0]), (2, 15, 15, HostIx(0)));
    assert_eq!(faults[2], "kill sink@1m");
    assert_eq!(of("--nodes 4 --standby 2").unwrap().sinks, 3);
    assert_eq!(
        of("--latency 5ms").unwrap().network.latency,
        Duration::from_millis(5)..=Duration::from_millis(5)
    );
}

#[test]
fn what_makes_no_sense_is_refused_with_its_reason() {
    for (line, words) in [
        ("--kill 9@10s", "hosts are sink and 1 to 4"),
        ("--kill 2@10m", "over by then"),
        ("--kill two@10s", "--kill two@10s"),
        ("--partition 40s..10s", "ends before it begins"),
        ("--loss 500%", "90%"),
        ("--nodes 65", "1 to 64"),
        ("--nodes 0", "1 to 64"),
        ("--hours 0", "more than 0"),
        ("--for 1m --hours 3", "cannot be used with"),
        ("--role primary --standby 1", "--role ring"),
        ("--poll-order in-turn", "--role primary"),
        ("--latency 5ms..1ms", "ends before"),
        ("--fault nonsense@3s", "is not one of"),
    ] {
        let error = format!("{:#}", of(line).unwrap_err());
        assert!(error.contains(words), "{line}: {error}");
    }
}

#[test]
fn a_run_is_told_in_words_and_numbers() {
    let scenario = of("--nodes 3 --for 20s --kill 2@5s..8s --seed 4").unwrap();
    let outcome = sim::run(&scenario, &mut Nobody).unwrap();
    let report = Report { scenario: &scenario, outcome: &outcome, took: Duration::from_millis(10) };
    let text = report.text(false);
    for words in
        ["3 nodes in a ring for 20s", ", 0 lost", "kill 2@5s..8s", "after its end", "No acknowledged reading"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    let json = report.to_json();
    assert_eq!(json.pointer("/readings/lost"), Some(&serde_json::json!(0)));
    assert_eq!(json.pointer("/readings/taken"), json.pointer("/readings/at_sink"));
    assert!(json.pointer("/average_latency/p50_s").and_then(serde_json::Value::as_f64).unwrap() > 0.0);
}
