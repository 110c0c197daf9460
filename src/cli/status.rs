//! `pisink status`: asks a running node how it is, for people or as JSON.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value as Json;

use crate::model::{Body, Message, WallTime};
use crate::wire::{self, LineDecoder};

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
    let next_step = "is a node running there? `pisink run` says at its start where it listens";
    let resolved = address
        .to_socket_addrs()
        .with_context(|| format!("{address}: write it as HOST:PORT"))?
        .next()
        .with_context(|| format!("{address}: the name has no address"))?;
    let mut stream = TcpStream::connect_timeout(&resolved, timeout)
        .with_context(|| format!("{address} does not answer; {next_step}"))?;
    stream.set_read_timeout(Some(timeout))?;
    let question =
        Message { id: "1".to_owned(), to: None, sender: None, timestamp: None, body: Body::StatusRequest };
    let mut bytes = Vec::new();
    wire::encode(&question, WallTime::default(), &mut bytes);
    stream.write_all(&bytes)?;
    let mut decoder = LineDecoder::default();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count =
            stream.read(&mut buffer).with_context(|| format!("{address}: no answer within {timeout:?}"))?;
        if count == 0 {
            bail!("{address} closed the connection without an answer: is it a pisink node?");
        }
        let mut input = buffer.get(..count).unwrap_or_default();
        while let Some(message) = decoder.next(&mut input) {
            match message.with_context(|| format!("{address} does not speak pisink's language"))?.body {
                Body::Status(status) => return Ok(status),
                Body::Error { text, .. } => bail!("{address}: {text}"),
                _ => {}
            }
        }
    }
}

fn for_people(status: &Json) -> String {
    let text = |key: &str| status.get(key).and_then(Json::as_str).unwrap_or("?").to_owned();
    let number = |key: &str| status.get(key).and_then(Json::as_u64).unwrap_or(0);
    let mut lines = vec![format!(
        "{} ({}, pisink {}), up {} s, {} links",
        text("node"),
        text("role"),
        text("version"),
        number("up_s"),
        number("links")
    )];
    lines.push(format!("journal  {}, {} readings", text("journal"), number("last")));
    lines.push(store_line(status));
    lines.extend(channel_lines(status));
    if let Some(polling) = status.get("polling") {
        lines.push(format!("round    {}", polling.get("round").unwrap_or(&Json::Null)));
        let peers = polling.get("peers").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        lines.extend(peers.iter().map(peer_line));
        let findings =
            polling.get("findings").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        lines.extend(findings.iter().filter_map(Json::as_str).map(|finding| format!("LOOK     {finding}")));
    }
    lines.push(String::new());
    lines.join("\n")
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
        "peer     {:<22} {:<16} {:<10} {} readings taken, {behind} to come",
        text("address"),
        text("node"),
        text("state"),
        number("taken")
    )
}
