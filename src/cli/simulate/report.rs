//! What a run came to, in words and as JSON.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::cli::words::{bytes, span};
use crate::proto::PollOrder;
use crate::sim::{FaultOutcome, Latencies, Outcome, Scenario, Short, SimRole};
use crate::view::grouped;

/// A run and what it came to.
pub(super) struct Report<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) outcome: &'a Outcome,
    /// How long it took on this machine.
    pub(super) took: Duration,
}

impl Report<'_> {
    /// What was run, in a line.
    pub(super) fn title(&self) -> String {
        let Scenario { nodes, role, seed, sinks, .. } = self.scenario;
        let way = match (role, self.scenario.polling.order) {
            (SimRole::Ring, _) if *sinks > 1 => format!("in a ring ({} standing by)", sinks - 1),
            (SimRole::Ring, _) => "in a ring".to_owned(),
            (SimRole::Primary, PollOrder::AtOnce) => "polled all at once".to_owned(),
            (SimRole::Primary, PollOrder::InTurn) => "polled one after the other".to_owned(),
        };
        let loss = match self.scenario.network.loss {
            0.0 => String::new(),
            loss => format!(", {}% of packets lost", loss * 100.0),
        };
        format!("{nodes} nodes {way} for {}{loss} (seed {seed})", Short(self.scenario.duration))
    }

    /// What came of the readings and the averages, in a sentence.
    pub(super) fn sentence(&self) -> String {
        let (readings, known) = (&self.outcome.readings, &self.outcome.average_latency);
        format!(
            "{} readings taken, {} lost. The average of an interval is known {} after its last reading (median), {} in \
             99 of 100 cases, {} at the longest.",
            grouped(readings.taken),
            grouped(readings.lost),
            quantile(known, 0.5),
            quantile(known, 0.99),
            quantile(known, 1.0),
        )
    }

    /// For people.
    pub(super) fn text(&self, colour: bool) -> String {
        let outcome = self.outcome;
        let mut lines = vec![
            self.title(),
            format!(
                "{} of virtual time in {}: {} times as fast as real time, {} events",
                Short(whole_seconds(outcome.virtual_time)),
                span(self.took),
                grouped(times(outcome.virtual_time, self.took)),
                grouped(outcome.events)
            ),
            String::new(),
        ];
        lines.extend(self.figures().into_iter().map(|(name, text)| format!("  {name:<10} {text}")));
        if !outcome.faults.is_empty() {
            lines.push(String::new());
            lines.push(format!("  {:<44} {}", "what went wrong", "together again"));
            lines.extend(outcome.faults.iter().map(|fault| self.fault_line(fault)));
        }
        lines.push(String::new());
        lines.push(self.verdict(colour));
        lines.join("\n")
    }

    fn figures(&self) -> Vec<(&'static str, String)> {
        let outcome = self.outcome;
        let (readings, known, sent) = (&outcome.readings, &outcome.average_latency, outcome.sent());
        let per_reading = |count: u64| count as f64 / (readings.taken.max(1)) as f64;
        let most = outcome.links.iter().map(|(most, _)| *most).max().unwrap_or(0);
        let mean =
            outcome.links.iter().map(|(_, mean)| mean).sum::<f64>() / outcome.links.len().max(1) as f64;
        let (sink, others) = self.storage();
        let formed = match outcome.formed_after {
            Some(time) => format!("{} after the start", span(time)),
            None => "never".to_owned(),
        };
        vec![
            (
                "readings",
                format!(
                    "{} taken, {} at the sink, {} waiting in journals, {} lost",
                    grouped(readings.taken),
                    grouped(readings.at_sink),
                    grouped(readings.waiting),
                    grouped(readings.lost)
                ),
            ),
            (
                "average",
                format!(
                    "known {} after the last reading of an interval (median), {} (99 %), {} (longest)",
                    quantile(known, 0.5),
                    quantile(known, 0.99),
                    quantile(known, 1.0)
                ),
            ),
            (
                "reading",
                format!(
                    "on the sink's disk {} after it was taken (median), {} (99 %)",
                    quantile(&outcome.reading_latency, 0.5),
                    quantile(&outcome.reading_latency, 0.99)
                ),
            ),
            ("rounds", grouped(outcome.rounds)),
            (
                "messages",
                format!(
                    "{:.2} and {:.0} bytes for each reading ({} messages, {})",
                    per_reading(sent.messages),
                    per_reading(sent.bytes),
                    grouped(sent.messages),
                    bytes(sent.bytes as f64)
                ),
            ),
            ("sockets", format!("{mean:.1} open on each node on average, {most} at most on one")),
            ("storage", format!("{} on the sink, {} on each other node at most", bytes(sink), bytes(others))),
            ("together", formed),
        ]
    }

    /// Bytes on the sink, and most on another node.
    fn storage(&self) -> (f64, f64) {
        let (sink, others) = self.outcome.store_bytes.split_first().unwrap_or((&0, &[]));
        (*sink as f64, others.iter().max().copied().unwrap_or(0) as f64)
    }

    fn fault_line(&self, fault: &FaultOutcome) -> String {
        let during =
            fault.healed_after_begin.map(|time| format!("those that were left, after {}", span(time)));
        let after = fault.healed_after_end.map(|time| format!("all, {} after its end", span(time)));
        let mut healed: Vec<String> = during.into_iter().chain(after).collect();
        if healed.is_empty() {
            healed.push("not before the next fault, or the end".to_owned());
        }
        let text = fault.fault.to_string();
        let mut line = String::new();
        // A text that does not fit has a line of its own. Writing to a String cannot fail.
        let _ = match text.chars().count() {
            0..=44 => write!(line, "  {text:<44} {}", healed.join("; ")),
            _ => write!(line, "  {text}\n  {:<44} {}", "", healed.join("; ")),
        };
        line
    }

    fn verdict(&self, colour: bool) -> String {
        let lost = self.outcome.readings.lost;
        let text = match lost {
            0 => "No acknowledged reading is lost, none is there twice, and every rule held at every step."
                .to_owned(),
            _ => format!(
                "{} readings are lost to faults that destroy them (a new card, a journal that overflows); none is \
                 there twice, and every rule held at every step.",
                grouped(lost)
            ),
        };
        match (colour, lost) {
            (true, 0) => format!("\u{1b}[1;32m{text}\u{1b}[0m"),
            (true, _) => format!("\u{1b}[1;33m{text}\u{1b}[0m"),
            (false, _) => text,
        }
    }

    /// For programs. Times are in seconds.
    pub(super) fn to_json(&self) -> Json {
        let outcome = self.outcome;
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        let latencies = |of: &Latencies| {
            json!({
                "count": of.count(), "p50_s": seconds(of.quantile(0.5)), "p99_s": seconds(of.quantile(0.99)),
                "longest_s": seconds(of.longest()),
            })
        };
        let fault = |fault: &FaultOutcome| {
            json!({
                "fault": fault.fault.to_string(),
                "healed_after_begin_s": seconds(fault.healed_after_begin),
                "healed_after_end_s": seconds(fault.healed_after_end),
            })
        };
        let by_key: serde_json::Map<String, Json> = outcome
            .traffic
            .iter()
            .map(|(key, sent)| ((*key).to_owned(), json!({"messages": sent.messages, "bytes": sent.bytes})))
            .collect();
        let sent = outcome.sent();
        let readings = &outcome.readings;
        json!({
            "run": self.title(),
            "seed": self.scenario.seed,
            "nodes": self.scenario.nodes,
            "virtual_s": outcome.virtual_time.as_secs_f64(),
            "real_s": self.took.as_secs_f64(),
            "events": outcome.events,
            "rounds": outcome.rounds,
            "readings": {
                "taken": readings.taken, "at_sink": readings.at_sink, "waiting": readings.waiting,
                "lost": readings.lost, "unsynced": readings.unsynced,
            },
            "average_latency": latencies(&outcome.average_latency),
            "reading_latency": latencies(&outcome.reading_latency),
            "messages": sent.messages,
            "bytes": sent.bytes,
            "sent": by_key,
            "links": outcome.links.iter().map(|(most, mean)| json!({"most": most, "mean": mean})).collect::<Vec<_>>(),
            "store_bytes": outcome.store_bytes,
            "formed_after_s": seconds(outcome.formed_after),
            "faults": outcome.faults.iter().map(fault).collect::<Vec<_>>(),
        })
    }
}

fn quantile(of: &Latencies, share: f64) -> String {
    of.quantile(share).map_or("never".to_owned(), span)
}

fn whole_seconds(time: Duration) -> Duration {
    Duration::from_secs((time + Duration::from_millis(500)).as_secs().max(1))
}

/// How many times as long one time is as the other.
fn times(one: Duration, other: Duration) -> u64 {
    u64::try_from(one.as_micros() / other.as_micros().max(1)).unwrap_or(u64::MAX)
}
