//! `pisink status`: asks a running node how it is, for people or as JSON.

use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::Value as Json;

use super::ask::ask as ask_node;
use crate::model::Body;

mod ring;
mod standby;

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// The node
    #[arg(value_name = "HOST:PORT", default_value = "127.0.0.1:7001")]
    address: String,

    /// As JSON, for programs
    #[arg(long)]
    json: bool,

    /// How long to wait for the answer
    #[arg(long, default_value = "2s", value_parser = super::parse::duration, value_name = "DURATION")]
    timeout: Duration,
}

pub(super) fn run(args: &StatusArgs) -> Result<()> {
    let status = ask(&args.address, args.timeout)?;
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &status)?;
        writeln!(out)?;
    } else {
        out.write_all(for_people(&status).as_bytes())?;
    }
    Ok(())
}

/// The status of the node at `address`.
pub(super) fn ask(address: &str, timeout: Duration) -> Result<Json> {
    ask_node(address, timeout, Body::StatusRequest, |answer| match answer {
        Body::Status(status) => Some(status),
        _ => None,
    })
}

fn for_people(status: &Json) -> String {
    let text = |key: &str| status.get(key).and_then(Json::as_str).unwrap_or("?").to_owned();
    let number = |key: &str| status.get(key).and_then(Json::as_u64).unwrap_or(0);
    let mut lines = vec![format!(
        "{} ({}, pisink {}), up {} s, {} links",
        text("node"),
        role(status),
        text("version"),
        number("up_s"),
        number("links")
    )];
    lines.push(format!("journal  {}, {} readings", text("journal"), number("last")));
    lines.push(clock_line(status));
    lines.push(store_line(status));
    lines.extend(open_line(status));
    lines.extend(channel_lines(status));
    if let Some(polling) = status.get("polling") {
        lines.push(format!("round    {}", polling.get("round").unwrap_or(&Json::Null)));
        let peers = polling.get("peers").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        lines.extend(peers.iter().map(peer_line));
        let findings =
            polling.get("findings").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        lines.extend(findings.iter().filter_map(Json::as_str).map(|finding| format!("LOOK     {finding}")));
    }
    if let Some(standby) = status.get("standby") {
        lines.extend(standby::lines(standby));
    }
    if let Some(ring) = status.get("ring") {
        lines.extend(ring::lines(ring));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// The role, and how long it lasts where that is not as ever.
fn role(status: &Json) -> String {
    let text = |key: &str| status.get(key).and_then(Json::as_str).unwrap_or("?");
    match text("role_origin") {
        "kept" => format!("{}, kept", text("role")),
        "command" => format!("{} until the next start, then {}", text("role"), text("role_at_next_start")),
        _ => text("role").to_owned(),
    }
}

fn clock_line(status: &Json) -> String {
    let clock = status.get("clock").unwrap_or(&Json::Null);
    let Some(wall) = clock.get("wall").and_then(Json::as_str) else { return "clock    ?".to_owned() };
    // Whole seconds: the answer was some time on its way.
    let wall = wall.split_once('.').map_or(wall.to_owned(), |(whole, _)| format!("{whole}Z"));
    let is_set = clock.get("is_set").and_then(Json::as_bool).unwrap_or(true);
    match clock.get("synced_s").and_then(Json::as_f64) {
        _ if !is_set => format!(
            "CLOCK    {wall}: not set; readings are dated by the sink's clock, or once this one is set: docs/time.md"
        ),
        Some(error_s) => format!("clock    {wall}, synchronised within {}", seconds(error_s)),
        None => format!("clock    {wall}, not synchronised"),
    }
}

fn store_line(status: &Json) -> String {
    let store = status.get("store").unwrap_or(&Json::Null);
    let number = |key: &str| store.get(key).and_then(Json::as_u64).unwrap_or(0);
    let state = match store.get("trouble").and_then(Json::as_str) {
        Some(trouble) => {
            format!("FAILING: {trouble}; {} readings wait in memory", number("waiting_readings"))
        }
        None => "ok".to_owned(),
    };
    let dropped = match number("dropped_readings") {
        0 => String::new(),
        dropped => format!(", {dropped} readings DROPPED"),
    };
    format!(
        "store    {state}, {:.1} MB, {} commits{dropped}",
        number("bytes") as f64 / 1e6,
        number("commits")
    )
}

/// What is open, and to whom. An older node does not say.
fn open_line(status: &Json) -> Option<String> {
    let text = |json: &Json, key: &str| json.get(key).and_then(Json::as_str).unwrap_or("?").to_owned();
    let ports = status.get("open")?.as_array()?;
    let ports: Vec<String> =
        ports.iter().map(|port| format!("{} at {}", text(port, "framings"), text(port, "address"))).collect();
    let allowed = match status.get("allow").and_then(Json::as_str) {
        Some(allowed) if !allowed.is_empty() => format!("; allowed there beside line: {allowed}"),
        _ => String::new(),
    };
    Some(format!("open     {}; every framing to its own machine{allowed}", ports.join(", ")))
}

fn channel_lines(status: &Json) -> Vec<String> {
    let channels = status.get("channels").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let line = |channel: &Json| {
        let text = |key: &str| channel.get(key).and_then(Json::as_str).unwrap_or("").to_owned();
        let value = match channel.get("value").and_then(Json::as_f64) {
            Some(value) => format!("{value:.2} {}", text("unit")),
            None => format!("ERR {}", text("err")),
        };
        let errors = channel.get("errors").and_then(Json::as_u64).unwrap_or(0);
        let errors = if errors > 0 { format!("   ({errors} ERR so far)") } else { String::new() };
        format!("channel  {:<32} {value}{errors}", text("channel"))
    };
    channels.iter().map(line).collect()
}

fn peer_line(peer: &Json) -> String {
    let text = |key: &str| peer.get(key).and_then(Json::as_str).unwrap_or("?").to_owned();
    let number = |key: &str| peer.get(key).and_then(Json::as_u64).unwrap_or(0);
    let behind = number("last").saturating_sub(number("taken"));
    format!(
        "peer     {:<22} {:<16} {:<10} {} readings taken, {behind} to come{}",
        text("address"),
        text("node"),
        text("state"),
        number("taken"),
        peer_clock(peer)
    )
}

/// How a peer's wall clock stands to that of the node that was asked.
fn peer_clock(peer: &Json) -> String {
    let clock = peer.get("clock").unwrap_or(&Json::Null);
    let number = |key: &str| clock.get(key).and_then(Json::as_f64);
    let (Some(offset_s), Some(error_s)) = (number("offset_s"), number("error_s")) else {
        return String::new();
    };
    let state = match (clock.get("is_set").and_then(Json::as_bool), number("synced_s")) {
        (Some(false), _) => ", NOT SET",
        (_, Some(_)) => ", synchronised",
        _ => "",
    };
    let (size, way) = (seconds(offset_s.abs()), if offset_s < 0.0 { "behind" } else { "ahead" });
    let source = clock.get("time_source").and_then(Json::as_str);
    let source = match source {
        Some("sink") => ", times by the sink's clock",
        Some("node") => ", times by its own clock",
        Some(_) => ", times unknown",
        None => "",
    };
    format!(", clock {size} {way} \u{b1}{}{state}{source}", seconds(error_s))
}

/// A length of time in a unit that suits it.
fn seconds(seconds: f64) -> String {
    const DAY_S: f64 = 86_400.0;
    match seconds {
        s if s < 0.01 => format!("{:.2} ms", s * 1e3),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 100.0 => format!("{s:.1} s"),
        s if s < 2.0 * DAY_S => format!("{s:.0} s"),
        s => format!("{:.0} days", s / DAY_S),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn clocks_are_told_so_that_a_wrong_one_is_seen() {
        let line = |wall: &str, is_set: bool, synced_s: Option<f64>| {
            clock_line(&json!({"clock": {"wall": wall, "is_set": is_set, "synced_s": synced_s}}))
        };
        let unset = line("1970-01-01T00:02:11.000417Z", false, None);
        assert!(unset.starts_with("CLOCK    1970-01-01T00:02:11Z: not set;"), "{unset}");
        assert_eq!(
            line("2026-11-20T12:00:00.900000Z", true, Some(0.1)),
            "clock    2026-11-20T12:00:00Z, synchronised within 100 ms"
        );
        assert!(line("2026-11-20T12:00:00.900000Z", true, None).ends_with("Z, not synchronised"));
        assert_eq!(clock_line(&json!({})), "clock    ?", "an older node");
    }

    #[test]
    fn what_is_open_is_told() {
        let lab = json!({"address": "[::]:1", "framings": "lab"});
        let open = json!([{"address": "0.0.0.0:7001", "framings": "line,zre"}, lab]);
        let told = open_line(&json!({"open": open, "allow": "START,STOP"})).unwrap();
        assert_eq!(
            told,
            "open     line,zre at 0.0.0.0:7001, lab at [::]:1; every framing to its own machine; allowed there \
             beside line: START,STOP"
        );
        assert_eq!(open_line(&json!({})), None);
    }

    #[test]
    fn a_peers_clock_is_told_beside_it() {
        let told_source = |source: &str| {
            let clock = json!({"offset_s": 1.0, "error_s": 0.00042, "is_set": true, "time_source": source});
            peer_clock(&json!({ "clock": clock }))
        };
        assert_eq!(told_source("sink"), ", clock 1.0 s ahead \u{b1}0.42 ms, times by the sink's clock");
        assert_eq!(told_source("node"), ", clock 1.0 s ahead \u{b1}0.42 ms, times by its own clock");
        assert_eq!(told_source("unknown"), ", clock 1.0 s ahead \u{b1}0.42 ms, times unknown");
        let told = |offset_s: f64, is_set: bool, synced_s: Option<f64>| {
            let clock =
                json!({"offset_s": offset_s, "error_s": 0.00042, "is_set": is_set, "synced_s": synced_s});
            peer_clock(&json!({ "clock": clock }))
        };
        assert_eq!(told(-1.5e9, false, None), ", clock 17361 days behind \u{b1}0.42 ms, NOT SET");
        assert_eq!(told(0.0123, true, Some(0.1)), ", clock 12 ms ahead \u{b1}0.42 ms, synchronised");
        assert_eq!(told(61.0, true, None), ", clock 61.0 s ahead \u{b1}0.42 ms");
        assert_eq!(peer_clock(&json!({"clock": null})), "");
    }
}
