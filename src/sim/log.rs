//! Lines of the log: what a node hears and what it wants, short enough to be read.

use std::fmt::Debug;

use crate::model::{Body, Message, Readings};
use crate::node::{Input, Output};

/// Most characters of what has no words of its own.
const CHARS_MAX: usize = 160;

/// What a message is counted as, and called in the log.
pub(super) fn key(body: &Body) -> &'static str {
    match body {
        Body::Poll(_) => "POLL",
        Body::Readings(_) => "READINGS",
        Body::StatusRequest | Body::Status(_) => "STATUS",
        Body::LatestRequest | Body::Latest(_) => "LATEST",
        Body::Ping => "PING",
        Body::Pong(..) => "PONG",
        Body::Token(_) => "TOKEN",
        Body::TokenAck(_) => "TOKEN_ACK",
        Body::Claim(_) => "CLAIM",
        Body::ClaimAnswer(_) => "CLAIM_ANSWER",
        Body::RingQuery(_) => "RING",
        Body::RingAnswer(_) => "RING_ANSWER",
        Body::Role(_) => "ROLE",
        Body::RoleAnswer(_) => "ROLE_ANSWER",
        Body::Error { .. } => "ERROR",
        Body::Unknown { .. } => "UNKNOWN",
        Body::Introduced { .. } => "INTRODUCED",
        Body::Zre(message) => message.body.name(),
        Body::Station(_) => "STATION",
        Body::Foreign(_) => "FOREIGN",
        Body::Lab(_) => "LAB",
    }
}

/// What a node hears.
pub(super) fn short_input(input: &Input) -> String {
    match input {
        Input::Message { link, message } => format!("link {} {}", link.0, short_message(message)),
        Input::Piece { piece: Ok(piece), .. } => format!("piece {}", short_readings(piece)),
        Input::Appended(last) => format!("durable through {last}"),
        Input::Taken { journal, cursor } => format!("journal {journal} is taken through {cursor}"),
        Input::Refused { journal } => format!("journal {journal} is refused"),
        other => cut(other),
    }
}

/// What a node wants.
pub(super) fn short_output(output: &Output) -> String {
    match output {
        Output::Send(link, message) | Output::SendStatus(link, message) => {
            format!("link {} {}", link.0, short_message(message))
        }
        Output::Take(readings) => format!("take {}", short_readings(readings)),
        Output::Append(pack) => format!("append {} readings", pack.len()),
        Output::Report(report) => report.to_string(),
        Output::Read { after, max, .. } => format!("read {max} after {after}"),
        Output::AddRound(round) => format!("round {}: {} of {}", round.number, round.answered, round.nodes),
        other => cut(other),
    }
}

fn short_readings(readings: &Readings) -> String {
    let (from, through) = (readings.first, readings.through());
    format!("journal {} after {}: {from}..={through} of {}", readings.journal, readings.after, readings.last)
}

fn short_message(message: &Message) -> String {
    let key = key(&message.body);
    match &message.body {
        Body::Poll(poll) => format!("{key} after {} taken {} max {}", poll.after, poll.taken, poll.max),
        Body::Readings(readings) => format!("{key} {}", short_readings(readings)),
        Body::Token(token) => {
            let (members, pieces) = (token.members.len(), token.pieces.len());
            let way = if token.pass_on { ", to be passed on" } else { "" };
            format!("{key} {}.{} of {members} with {pieces} pieces{way}", token.ring.epoch, token.seq)
        }
        Body::TokenAck(ack) => format!("{key} {}.{} {:?}", ack.ring.epoch, ack.seq, ack.outcome),
        Body::Claim(claim) => {
            format!("{key} {} after {}.{}", claim.ring.epoch, claim.latest.0.epoch, claim.latest.1)
        }
        Body::ClaimAnswer(answer) => {
            let (promised, alive) = (answer.is_promised, answer.is_alive);
            format!("{key} {} promised {promised} alive {alive}", answer.ring.epoch)
        }
        Body::RingQuery(state) | Body::RingAnswer(state) => {
            format!("{key} {} of {}", state.ring.epoch, state.members)
        }
        other => format!("{key} {}", cut(other)),
    }
}

fn cut(thing: &impl Debug) -> String {
    format!("{thing:?}").chars().take(CHARS_MAX).collect()
}
