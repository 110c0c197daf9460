//! The value of a `PONG`: the node's role, how its clocks stand, and its place in the order of sinks if it has one.
//! Older nodes and scripts say less, or something else.

use serde::{Deserialize, Serialize};

use super::clock::RawClock;
use crate::model::{Pong, SinkPlace};

#[derive(Deserialize, Serialize)]
struct RawPong {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clock: Option<RawClock>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sink: Option<RawSink>,
}

#[derive(Deserialize, Serialize)]
struct RawSink {
    rank: u8,
    part: String,
}

impl RawSink {
    fn check(&self) -> Result<SinkPlace, String> {
        let part = self.part.parse().map_err(|()| format!("sink: part: {:?} is no part", self.part))?;
        Ok(SinkPlace { rank: self.rank, part })
    }
}

/// Reads the value of a `PONG`; nothing of one that has none of it.
pub(super) fn decode(text: &str) -> Result<Pong, String> {
    let Ok(RawPong { role, clock, sink }) = serde_json::from_str(text) else { return Ok(Pong::default()) };
    Ok(Pong {
        // A role of a later version is none that is known.
        role: role.and_then(|role| role.parse().ok()),
        clock: clock.map(|clock| clock.check()).transpose()?,
        sink: sink.map(|sink| sink.check()).transpose()?,
    })
}

/// The value of a `PONG`, if there is anything to say.
pub(super) fn value(pong: &Pong) -> Option<impl Serialize> {
    let sink = pong.sink.map(|SinkPlace { rank, part }| RawSink { rank, part: part.to_string() });
    let role = pong.role.map(|role| role.as_str().to_owned());
    let clock = pong.clock.as_ref().map(RawClock::from);
    (*pong != Pong::default()).then_some(RawPong { role, clock, sink })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RoleName, SinkPart};

    #[test]
    fn a_role_that_is_not_known_is_none() {
        let role = |text: &str| decode(text).unwrap().role;
        assert_eq!(role(r#"{"role":"ring"}"#), Some(RoleName::Ring));
        assert_eq!(role(r#"{"role":"conductor"}"#), None);
    }

    #[test]
    fn what_is_no_place_is_refused_or_nothing_and_never_another_place() {
        let place = |rank, part| Ok(Pong { sink: Some(SinkPlace { rank, part }), ..Pong::default() });
        assert_eq!(decode(r#"{"sink":{"rank":2,"part":"hears"},"more":1}"#), place(2, SinkPart::Hears));
        assert_eq!(decode(r#"{"sink":{"rank":0,"part":"acts"}}"#), place(0, SinkPart::Acts));
        assert!(decode(r#"{"sink":{"rank":0,"part":"sings"}}"#).unwrap_err().contains("sings"));
        for text in
            ["null", "7", "{}", r#"{"sink":null}"#, r#"{"sink":{"rank":256,"part":"acts"}}"#, r#"{"sink":7}"#]
        {
            assert_eq!(decode(text), Ok(Pong::default()), "{text}");
        }
    }
}
