//! What a ring of sixteen costs while nobody has anything to say, and how many links its nodes hold.

use std::time::{Duration, Instant};

use crate::kit::{Row, wait_until};
use crate::ring_site::RingSite;

const MEMBERS: usize = 16;
const SETTLED: Duration = Duration::from_secs(3);
const IDLE: Duration = Duration::from_secs(15);
const TARGET_PERCENT: f64 = 0.1;
const TARGET_LINKS: f64 = 2.0;

pub(crate) fn run() {
    let mut site = RingSite::new(MEMBERS, &["--host=false", "--interval", "60s"]);
    (0..MEMBERS).for_each(|at| site.start(at));
    let all = site.running();
    site.wait_for_ring(&all, MEMBERS);
    std::thread::sleep(SETTLED);
    // The link that asks is one of them.
    let links =
        |at: usize| site.nodes[at].as_ref().map(|node| node.status()["links"].as_u64().unwrap_or(0) - 1);
    wait_until("links that nobody needs any more go", || all.iter().all(|at| links(*at) <= Some(2)));
    let most_links = all.iter().filter_map(|at| links(*at)).max().expect("sixteen");
    let seq = site.ring(0)["seq"].as_u64().expect("a number");
    let cpu = |at: &usize| site.nodes[*at].as_ref().expect("it runs").cpu();
    let (begin, before): (_, Vec<Duration>) = (Instant::now(), all.iter().map(cpu).collect());
    std::thread::sleep(IDLE);
    let (took, after): (_, Vec<Duration>) = (begin.elapsed().as_secs_f64(), all.iter().map(cpu).collect());
    let hops = site.ring(0)["seq"].as_u64().expect("a number") - seq;
    let percents =
        before.iter().zip(&after).map(|(before, after)| (*after - *before).as_secs_f64() / took * 100.0);
    let percents: Vec<f64> = percents.collect();
    // The sink besides has a round each second.
    let others = &percents[1..];
    let mean = others.iter().sum::<f64>() / others.len() as f64;
    let most = others.iter().copied().fold(0.0, f64::max);
    Row {
        what: format!("a member of an idle ring of {MEMBERS}, of one core"),
        ours: mean,
        unit: "%",
        target: "0.1 %".into(),
        is_met: Some(most < TARGET_PERCENT),
        note: format!(
            "the busiest {most:.3} %; {:.1} rotations a second",
            hops as f64 / MEMBERS as f64 / took
        ),
        ..Row::default()
    }
    .print("ring");
    Row {
        what: format!("the sink of an idle ring of {MEMBERS}, of one core"),
        ours: percents[0],
        unit: "%",
        target: "0.1 %".into(),
        is_met: Some(percents[0] < TARGET_PERCENT),
        note: "a round each second".into(),
        ..Row::default()
    }
    .print("ring");
    Row {
        what: format!("links of a member of a ring of {MEMBERS}, in the steady state, at most"),
        ours: most_links as f64,
        unit: "links",
        target: "2 links".into(),
        is_met: Some(most_links as f64 <= TARGET_LINKS),
        ..Row::default()
    }
    .print("ring");
}
