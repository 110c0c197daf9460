//! Check `node`: what the node that runs here says of itself, where that is trouble.

use std::time::Duration;

use serde_json::Value as Json;

use super::finding::Finding;
use super::scene::Scene;
use super::words;

/// Of channels in trouble so many are named.
const NAMED_MAX: usize = 5;
/// So many of a sink's own findings are told.
const ODD_MAX: usize = 20;

pub(super) fn check(scene: &Scene) -> Vec<Finding> {
    let Some(status) = scene.status() else {
        return vec![match scene.node_process() {
            Some(process) => Finding::failure(
                format!("{process} works on this data, and does not answer at {}", scene.own_address()),
                "is its --listen another one? else look at journalctl -u pisink -n 50",
            ),
            None => Finding::skipped("no node runs here"),
        }];
    };
    let mut findings = store(status);
    findings.extend(channels(status));
    findings.extend(odd(status));
    if findings.is_empty() {
        let text = |key: &str| status.get(key).and_then(Json::as_str).unwrap_or("?");
        let up = Duration::from_secs(status.get("up_s").and_then(Json::as_u64).unwrap_or(0));
        findings.push(Finding::good(format!(
            "{} has been up for {}, without complaints",
            text("node"),
            words::span(up)
        )));
    }
    findings
}

fn store(status: &Json) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(store) = status.get("store") else { return findings };
    if let Some(trouble) = store.get("trouble").and_then(Json::as_str) {
        findings.push(Finding::failure(
            format!("its store takes nothing: {trouble}"),
            "see `space` and `card`; what is measured waits in memory meanwhile",
        ));
    }
    let dropped = store.get("dropped_readings").and_then(Json::as_u64).unwrap_or(0);
    if dropped > 0 {
        findings.push(Finding::warning(
            format!("{dropped} readings were dropped since it runs, for the disk took none for too long"),
            "see `space` and `card`",
        ));
    }
    findings
}

fn channels(status: &Json) -> Option<Finding> {
    let channels = status.get("channels").and_then(Json::as_array)?;
    let err = |channel: &Json| {
        let name = channel.get("channel").and_then(Json::as_str)?;
        Some(format!("{name} ({})", channel.get("err").and_then(Json::as_str)?))
    };
    let bad: Vec<String> = channels.iter().filter_map(err).collect();
    let named = bad.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    (!bad.is_empty()).then(|| {
        Finding::warning(
            format!("{} of {} channels are ERR now: {named}", bad.len(), channels.len()),
            "nack and timeout: wires or supply; crc: wires too long; absent: see `i2c`; range: open wire; see `chips`",
        )
    })
}

/// What a sink finds odd about its peers.
fn odd(status: &Json) -> Vec<Finding> {
    let told = status.get("polling").and_then(|polling| polling.get("findings")).and_then(Json::as_array);
    let texts = told.map(Vec::as_slice).unwrap_or_default().iter().filter_map(Json::as_str);
    texts
        .take(ODD_MAX)
        .map(|text| Finding::warning(text, "`pisink status` shows each peer; see `peers`"))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::doctor::finding::Severity::{Failure, Good, Skipped, Warning};
    use crate::cli::doctor::testkit::{Machine, assert_one, assert_some, node};

    /// What is found where a node says this of itself.
    fn found(status: &Json) -> Vec<Finding> {
        let mut scene = Machine::new().scene(&[]);
        scene.settings.listen = node(status);
        check(&scene)
    }

    #[test]
    fn a_node_without_complaints_is_good() {
        let status = json!({"node": "bench", "up_s": 90, "channels": [{"channel": "a/b/c", "value": 1.0, "err": null}],
            "store": {"trouble": null, "dropped_readings": 0}, "polling": {"findings": []}});
        assert_one(&found(&status), Good, &["bench has been up for 90.0 s"]);
    }

    #[test]
    fn what_it_complains_of_is_told() {
        let channel = |at: usize| json!({"channel": format!("a/sht3x-4{at}/t"), "err": "nack"});
        let status = json!({"store": {"trouble": "no space left", "dropped_readings": 7},
            "channels": (0..7).map(channel).collect::<Vec<_>>(), "polling": {"findings": ["two nodes are named pi"]}});
        let found = found(&status);
        assert_eq!(found.len(), 4);
        assert_some(&found, Failure, &["no space left", "`space`"]);
        assert_some(&found, Warning, &["7 readings were dropped"]);
        assert_some(&found, Warning, &["7 of 7 channels", "a/sht3x-40/t (nack)", "a/sht3x-44/t"]);
        assert_some(&found, Warning, &["two nodes are named pi"]);
        assert!(
            !found.iter().any(|finding| finding.what.contains("sht3x-45")),
            "no more than a few are named"
        );
    }

    #[test]
    fn silence_is_told_where_somebody_should_answer() {
        let machine = Machine::new();
        assert_one(&check(&machine.scene(&[])), Skipped, &["no node"]);
        machine.put("data/lock", "process 812\n").put("proc/812/comm", "pisink\n");
        assert_one(&check(&machine.scene(&[])), Failure, &["process 812", "does not answer at 127.0.0.1:1"]);
    }
}
