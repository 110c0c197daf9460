//! One question to a running node, and its answer.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::model::{Body, Message, WallTime};
use crate::wire::{self, LineDecoder};

/// Asks the node at `address`, and waits for what `pick` takes for the answer. An ERROR of the node is one here.
pub(super) fn ask<T>(
    address: &str,
    timeout: Duration,
    question: Body,
    pick: impl Fn(Body) -> Option<T>,
) -> Result<T> {
    let next_step = "is a node running there? `pisink run` says at its start where it listens";
    let resolved = address
        .to_socket_addrs()
        .with_context(|| format!("{address}: write it as HOST:PORT"))?
        .next()
        .with_context(|| format!("{address}: the name has no address"))?;
    let mut stream = TcpStream::connect_timeout(&resolved, timeout)
        .with_context(|| format!("{address} does not answer; {next_step}"))?;
    stream.set_read_timeout(Some(timeout))?;
    let question = Message { id: "1".to_owned(), to: None, sender: None, timestamp: None, body: question };
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
                Body::Error { text, .. } => bail!("{address}: {text}"),
                body => {
                    if let Some(answer) = pick(body) {
                        return Ok(answer);
                    }
                }
            }
        }
    }
}
