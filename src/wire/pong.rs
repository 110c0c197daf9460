//! The value of a `PONG`: how the node's clocks stand, and its place in the order of sinks if it has one. Older nodes
//! and scripts say less, or something else.

use serde::{Deserialize, Serialize};

use super::clock::RawClock;
use crate::model::{ClockSample, SinkPlace};

#[derive(Deserialize, Serialize)]
struct RawPong {
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
pub(super) fn decode(text: &str) -> Result<(Option<ClockSample>, Option<SinkPlace>), String> {
    let Ok(RawPong { clock, sink }) = serde_json::from_str(text) else { return Ok((None, None)) };
    Ok((clock.map(|clock| clock.check()).transpose()?, sink.map(|sink| sink.check()).transpose()?))
}

/// The value of a `PONG`, if there is anything to say.
pub(super) fn value(clock: Option<&ClockSample>, sink: Option<SinkPlace>) -> Option<impl Serialize> {
    let sink = sink.map(|SinkPlace { rank, part }| RawSink { rank, part: part.to_string() });
    (clock.is_some() || sink.is_some()).then(|| RawPong { clock: clock.map(RawClock::from), sink })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SinkPart;

    #[test]
    fn what_is_no_place_is_refused_or_nothing_and_never_another_place() {
        let place = |rank, part| Ok((None, Some(SinkPlace { rank, part })));
        assert_eq!(decode(r#"{"sink":{"rank":2,"part":"hears"},"more":1}"#), place(2, SinkPart::Hears));
        assert_eq!(decode(r#"{"sink":{"rank":0,"part":"acts"}}"#), place(0, SinkPart::Acts));
        assert!(decode(r#"{"sink":{"rank":0,"part":"sings"}}"#).unwrap_err().contains("sings"));
        for text in
            ["null", "7", "{}", r#"{"sink":null}"#, r#"{"sink":{"rank":256,"part":"acts"}}"#, r#"{"sink":7}"#]
        {
            assert_eq!(decode(text), Ok((None, None)), "{text}");
        }
    }
}
