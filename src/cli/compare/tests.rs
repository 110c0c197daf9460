use clap::Parser;

use super::ways::Way;
use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: CompareArgs,
}

fn of(text: &str) -> Result<Plan> {
    plan(&Line::try_parse_from(std::iter::once("compare").chain(text.split_whitespace()))?.args)
}

#[test]
fn arguments_make_a_plan() {
    let plan = of("--nodes 8,2,8 --for 30s --round 100ms --loss 2% --kill").unwrap();
    assert_eq!((plan.nodes, plan.time), (vec![2, 8], Duration::from_secs(30)));
    assert_eq!((plan.round, plan.loss, plan.is_killed), (Duration::from_millis(100), 0.02, true));
    assert_eq!((of("").unwrap().nodes, of("--real").unwrap().nodes), (NODES.to_vec(), NODES_REAL.to_vec()));
}

#[test]
fn one_after_the_other_is_no_quicker_than_all_answers_together() {
    let plan = of("--round 100ms").unwrap();
    assert_eq!(plan.pace(11, Way::InTurn, 20 * MS), 440 * MS);
    assert_eq!(plan.pace(11, Way::AtOnce, 20 * MS), 100 * MS);
    assert_eq!(plan.pace(3, Way::InTurn, MS), 100 * MS);
}

#[test]
fn what_makes_no_sense_is_refused_with_its_reason() {
    for (line, words) in [
        ("--nodes 1", "2 to 64"),
        ("--nodes 2,99", "2 to 64"),
        ("--nodes two", "invalid"),
        ("--for 3s", "6s at least"),
        ("--channels 3", "1..=2"),
        ("--loss 500%", "90%"),
    ] {
        let error = format!("{:#}", of(line).unwrap_err());
        assert!(error.contains(words), "{line}: {error}");
    }
}

const MS: Duration = Duration::from_millis(1);

fn figures(way: Way, median_ms: u32, messages: f64, dead_ms: u32) -> Figures {
    Figures {
        way,
        nodes: 16,
        known: ways::Known {
            count: 60,
            median: Some(median_ms * MS),
            p99: Some(2 * median_ms * MS),
            longest: Some(300 * MS),
        },
        longest_wait: Some(300 * MS),
        longest_wait_with_dead: Some(dead_ms * MS),
        messages_per_reading: messages,
        bytes_per_reading: 300.0,
        sockets: (if way == Way::Ring { 2.1 } else { 15.0 }, 2.0),
        store_bytes: (38_400, 2_400),
    }
}

fn world(medians: [u32; 3]) -> World {
    let [once, turn, ring] = medians;
    let figures = vec![
        figures(Way::AtOnce, once, 2.0, 300),
        figures(Way::InTurn, turn, 2.0, 310),
        figures(Way::Ring, ring, 9.5, 1_800),
    ];
    World { name: "simulated", figures }
}

#[test]
fn the_conclusion_follows_the_figures() {
    let said = report::conclusion(&world([120, 180, 90]), false);
    assert!(said.starts_with("With 16 nodes the ring knows an average soonest: 90.0 ms after its"), "{said}");
    assert!(said.contains("polling all at once 120.0 ms, polling one after the other 180.0 ms"), "{said}");
    assert!(
        said.contains("polling all at once 2.0, polling one after the other 2.0, the ring 9.5"),
        "{said}"
    );
    assert!(said.contains("15 sockets open when it polls, 2 in the ring"), "{said}");
    assert!(
        said.contains("polling all at once nothing, polling one after the other 10.0 ms, the ring 1.5 s"),
        "{said}"
    );
    let alike = report::conclusion(&world([100, 101, 102]), false);
    assert!(alike.contains("all ways know an average equally soon"), "{alike}");
    let other = report::conclusion(&world([30, 180, 90]), true);
    assert!(other.starts_with("With 16 nodes (simulated) polling all at once knows"), "{other}");
    let nothing = World { name: "real", figures: vec![] };
    assert_eq!(report::conclusion(&nothing, false), "");
}

#[test]
fn the_table_has_a_row_for_each_way_and_its_columns_stand_under_their_names() {
    let text = report::text(&of("").unwrap(), &[world([120, 180, 90])]);
    let rows: Vec<&str> = text.lines().filter(|line| line.trim_start().starts_with("16 ")).collect();
    assert_eq!(rows.len(), 3, "{text}");
    let heads = text.lines().find(|line| line.contains("longest")).unwrap();
    let end = heads.find("longest").unwrap() + "longest".len();
    assert!(rows.iter().all(|row| row[..end].ends_with("300.0 ms")), "{text}");
}

#[test]
fn all_ways_are_measured_in_the_simulator() {
    let plan = of("--nodes 3 --for 8s --interval 500ms").unwrap();
    let figures = simulated::measure(&plan, &mut Progress::new(&plan, false)).unwrap();
    assert_eq!(figures.iter().map(|one| one.way).collect::<Vec<_>>(), Way::ALL);
    for one in &figures {
        assert!(one.known.count >= 10 && one.known.median > Some(Duration::ZERO), "{one:?}");
        assert!(
            one.known.median < Some(Duration::from_secs(1)) && one.longest_wait_with_dead.is_some(),
            "{one:?}"
        );
        assert!(one.messages_per_reading > 1.0 && one.store_bytes.0 > one.store_bytes.1, "{one:?}");
    }
    let curves = picture::curves(&plan, &[World { name: "simulated", figures }]);
    assert_eq!((curves.panels.len(), curves.names.len()), (3, 3));
    assert!(curves.panels.iter().all(|panel| panel.curves.iter().all(|curve| curve.points.len() == 1)));
}
