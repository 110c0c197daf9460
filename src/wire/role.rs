//! The messages by which a running node's role is asked for and changed, as JSON. A role that is to outlive a restart
//! is written to a file in the same words.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{
    Body, Collects, RING_MEMBERS_MAX, ROLE_PEERS_MAX, RoleAnswer, RoleName, RoleOrder, RoleOrigin,
    RoleRequest,
};

/// The word for the role that the settings name, where a role's name can stand.
const CONFIGURED: &str = "configured";
/// Longest address, in bytes: a host name has at most 253, and a port 5.
const ADDRESS_MAX_BYTES: usize = 260;
/// Longest time between two rounds, in milliseconds: 366 days.
const INTERVAL_MAX_MS: u64 = 366 * 24 * 3_600 * 1_000;
/// Longest note in an answer that is passed on, in characters.
const NOTE_MAX_CHARS: usize = 500;

/// The value of a `ROLE` message that wants a role.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, expecting = "an object with a role")]
struct RawRequest {
    role: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    peers: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sink: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    standby: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    poll_interval_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deadline_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    token: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    keep: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(expecting = "an object with a role and its origin")]
struct RawAnswer {
    re: String,
    role: String,
    origin: String,
    #[serde(default)]
    peers: Vec<String>,
    next_start: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// Reads the value of `ROLE`.
pub(super) fn decode_order(text: &str) -> Result<RoleOrder, String> {
    if text == "null" {
        return Ok(RoleOrder::Tell);
    }
    // A list would be taken for the fields in their order.
    if !text.starts_with('{') {
        return Err("write it as an object, as in {\"role\":\"primary\"}".to_owned());
    }
    let raw: RawRequest = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if raw.role != CONFIGURED {
        return raw.check().map(RoleOrder::Become);
    }
    if raw.has_more_than_a_role() {
        return Err(format!(
            "role: {CONFIGURED:?} takes everything from the node's settings: say nothing more"
        ));
    }
    Ok(RoleOrder::Configured)
}

/// The value of `ROLE`; `null` asks which role it is.
fn encode_order(order: &RoleOrder) -> Result<Vec<u8>, serde_json::Error> {
    match order {
        RoleOrder::Tell => Ok(b"null".to_vec()),
        RoleOrder::Configured => serde_json::to_vec(&RawRequest::named(CONFIGURED)),
        RoleOrder::Become(request) => serde_json::to_vec(&RawRequest::of(request)),
    }
}

/// Reads the value of `ROLE_ANSWER`.
pub(super) fn decode_answer(text: &str) -> Result<RoleAnswer, String> {
    let raw: RawAnswer = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let origin = RoleOrigin::ALL.into_iter().find(|origin| origin.as_str() == raw.origin);
    let note = raw.note.map(|note| note.chars().take(NOTE_MAX_CHARS).collect());
    Ok(RoleAnswer {
        re: raw.re,
        role: role_name("role", &raw.role)?,
        origin: origin.ok_or("origin: settings, command or kept")?,
        peers: raw.peers,
        next_start: role_name("next_start", &raw.next_start)?,
        note,
    })
}

/// The value of `ROLE_ANSWER`.
fn encode_answer(answer: &RoleAnswer) -> Result<Vec<u8>, serde_json::Error> {
    let RoleAnswer { re, role, origin, peers, next_start, note } = answer;
    serde_json::to_vec(&RawAnswer {
        re: re.clone(),
        role: role.to_string(),
        origin: origin.as_str().to_owned(),
        peers: peers.clone(),
        next_start: next_start.to_string(),
        note: note.clone(),
    })
}

/// The value of a body that is about a role; of any other, `null`.
pub(super) fn encode_value(body: &Body) -> Vec<u8> {
    let value = match body {
        Body::Role(order) => encode_order(order),
        Body::RoleAnswer(answer) => encode_answer(answer),
        _ => Ok(Vec::new()),
    };
    // Texts, numbers and lists always are JSON.
    value.ok().filter(|value| !value.is_empty()).unwrap_or_else(|| b"null".to_vec())
}

/// A kept role as text, for a file.
pub fn encode_role(request: &RoleRequest) -> String {
    // Texts, numbers and lists always are JSON; should they ever not be, an empty file says so at the next start.
    let json = serde_json::to_string_pretty(&RawRequest::of(request)).unwrap_or_default();
    json + "\n"
}

/// The role that a file names.
///
/// # Errors
/// What is wrong with the text.
pub fn decode_role(text: &str) -> Result<RoleRequest, String> {
    match decode_order(text.trim())? {
        RoleOrder::Become(request) => Ok(request),
        RoleOrder::Tell | RoleOrder::Configured => Err("it names no role".to_owned()),
    }
}

impl RawRequest {
    fn named(role: &str) -> Self {
        Self {
            role: role.to_owned(),
            peers: None,
            sink: None,
            standby: None,
            poll_interval_ms: None,
            deadline_ms: None,
            token: false,
            keep: false,
        }
    }

    fn has_more_than_a_role(&self) -> bool {
        let is_plain = self.peers.is_none() && self.sink.is_none() && self.standby.is_none();
        let is_timed = self.poll_interval_ms.is_some() || self.deadline_ms.is_some();
        !is_plain || is_timed || self.token || self.keep
    }

    fn of(request: &RoleRequest) -> Self {
        let (sink, standby) = match request.collects {
            None => (None, None),
            Some(Collects::Never) => (Some(false), None),
            Some(Collects::Rank(0)) => (Some(true), None),
            Some(Collects::Rank(rank)) => (None, Some(rank)),
        };
        Self {
            peers: request.peers.clone(),
            sink,
            standby,
            poll_interval_ms: request.poll_interval.map(millis),
            deadline_ms: request.deadline.map(millis),
            token: request.makes_token,
            keep: request.keep,
            ..Self::named(request.role.as_str())
        }
    }

    fn check(self) -> Result<RoleRequest, String> {
        let role = role_name("role", &self.role)?;
        let peers_max = if role == RoleName::Ring { RING_MEMBERS_MAX } else { ROLE_PEERS_MAX };
        let listed = self.peers.as_ref().map_or(0, Vec::len);
        if listed > peers_max {
            return Err(format!("peers: {listed} are too many; at most {peers_max}, and more in a config"));
        }
        for peer in self.peers.iter().flatten() {
            check_address(peer)?;
        }
        let collects = match (self.sink, self.standby) {
            (Some(true), None | Some(0)) => Some(Collects::Rank(0)),
            (Some(true), Some(_)) => return Err("sink and standby: a node is one or the other".to_owned()),
            (None | Some(false), Some(rank)) if rank > 0 && usize::from(rank) < RING_MEMBERS_MAX => {
                Some(Collects::Rank(rank))
            }
            (None | Some(false), Some(rank)) => {
                return Err(format!("standby: {rank} is no place; 1 takes over first, then 2, and so on"));
            }
            (Some(false), None) => Some(Collects::Never),
            (None, None) => None,
        };
        Ok(RoleRequest {
            role,
            peers: self.peers,
            collects,
            poll_interval: interval("poll_interval_ms", self.poll_interval_ms)?,
            deadline: interval("deadline_ms", self.deadline_ms)?,
            makes_token: self.token,
            keep: self.keep,
        })
    }
}

fn role_name(field: &str, text: &str) -> Result<RoleName, String> {
    text.parse().map_err(|error| format!("{field}: {error}"))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}

fn interval(field: &str, millis: Option<u64>) -> Result<Option<Duration>, String> {
    match millis {
        None => Ok(None),
        Some(millis @ 1..=INTERVAL_MAX_MS) => Ok(Some(Duration::from_millis(millis))),
        Some(millis) => Err(format!("{field}: {millis} is not between 1 and {INTERVAL_MAX_MS}")),
    }
}

/// Whether there is such a host shows when it is looked up.
fn check_address(address: &str) -> Result<(), String> {
    const SHOWN_MAX_CHARS: usize = 60;
    let is_written =
        |host: &str| !host.is_empty() && !host.chars().any(|c| c.is_whitespace() || c.is_control());
    let port =
        address.rsplit_once(':').filter(|(host, _)| is_written(host)).map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(1..)) if address.len() <= ADDRESS_MAX_BYTES => Ok(()),
        _ => {
            let shown: String = address.chars().take(SHOWN_MAX_CHARS).collect();
            Err(format!("peers: {shown:?}: write it as HOST:PORT, as in pi-2:7001"))
        }
    }
}

#[cfg(test)]
#[path = "role_tests.rs"]
mod tests;
