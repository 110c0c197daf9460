//! SenML packs (RFC 8428) of readings: `n`, `u`, `v`, `t` as the standard says, and three labels of our own.
//!
//! - An ERR is `"vs":"ERR"` with its reason in `"err"`.
//! - `"mono"` is the reading's monotonic stamp, in microseconds since the node's boot.
//! - `t` is always the node's own wall clock since 1970: a Pi without a clock may believe it *is* 1970, so a small
//!   value is not "relative to now" as RFC 8428 section 4.5.3 would have it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};

use crate::model::{Channel, ChannelIx, ErrReason, Instant, NodeName, Pack, Reading, Value, WallTime};

/// Most readings in one pack that is taken from a peer; a line's own bound comes first for honest ones.
const PACK_MAX_READINGS: usize = 1 << 16;

/// Reads a SenML JSON array. Every record becomes one reading, for its place in the journal counts: one that names
/// no value is an ERR `parse`; one that names no channel makes the whole pack wrong.
pub fn decode_pack(json: &str) -> Result<Pack, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let pack = PackSeed.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(pack)
}

/// [`decode_pack`] as part of a larger text.
pub(super) fn deserialize_pack<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Pack, D::Error> {
    PackSeed.deserialize(deserializer)
}

/// Appends `pack` as a SenML JSON array: names relative to the first channel's node, times to the first reading's.
pub fn encode_pack(pack: &Pack, out: &mut Vec<u8>) {
    let names: Vec<(String, String)> = pack.channels.iter().map(|c| channel_json(c)).collect();
    let base_micros = pack.readings.first().map_or(0, |r| r.time.as_unix_micros());
    out.push(b'[');
    for (at, reading) in pack.readings.iter().enumerate() {
        let Some((name, unit)) = names.get(reading.channel.0 as usize) else { continue };
        out.extend_from_slice(if at == 0 { b"{" } else { b",{" });
        if at == 0 {
            out.extend_from_slice(b"\"bt\":");
            append_seconds(base_micros, out);
            out.push(b',');
        }
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(unit.as_bytes());
        out.extend_from_slice(b",\"t\":");
        append_seconds(reading.time.as_unix_micros().saturating_sub(base_micros), out);
        out.extend_from_slice(b",\"mono\":");
        append_number(reading.mono.as_micros(), out);
        match reading.value {
            Ok(value) => {
                out.extend_from_slice(b",\"v\":");
                append_number(value, out);
            }
            Err(reason) => {
                out.extend_from_slice(b",\"vs\":\"ERR\",\"err\":\"");
                out.extend_from_slice(reason.as_str().as_bytes());
                out.push(b'"');
            }
        }
        out.push(b'}');
    }
    out.push(b']');
}

fn channel_json(channel: &Channel) -> (String, String) {
    let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
    let unit =
        if channel.unit.is_empty() { String::new() } else { format!(",\"u\":{}", quoted(&channel.unit)) };
    (format!("\"n\":{}", quoted(&channel.to_string())), unit)
}

/// Writing a finite number to a `Vec` cannot fail.
fn append_number(number: impl serde::Serialize, out: &mut Vec<u8>) {
    let written = serde_json::to_writer(out, &number);
    debug_assert!(written.is_ok());
}

/// Microseconds as decimal seconds, exactly, without needless zeros.
fn append_seconds(micros: i64, out: &mut Vec<u8>) {
    if micros < 0 {
        out.push(b'-');
    }
    let micros = micros.unsigned_abs();
    append_number(micros / 1_000_000, out);
    let mut rest = micros % 1_000_000;
    if rest > 0 {
        out.push(b'.');
        let mut scale = 100_000;
        while rest > 0 {
            out.push(b'0' + u8::try_from(rest / scale).unwrap_or(0));
            rest %= scale;
            scale /= 10;
        }
    }
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow, default)]
    bn: Option<Text<'a>>,
    #[serde(default)]
    bt: Option<f64>,
    #[serde(borrow, default)]
    bu: Option<Text<'a>>,
    #[serde(borrow, default)]
    n: Option<Text<'a>>,
    #[serde(borrow, default)]
    u: Option<Text<'a>>,
    #[serde(default)]
    v: Option<f64>,
    #[serde(borrow, default)]
    err: Option<Text<'a>>,
    #[serde(default)]
    t: Option<f64>,
    #[serde(default)]
    mono: Option<i64>,
}

/// A string, borrowed from the line where it has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);

impl Text<'_> {
    fn as_str(&self) -> &str {
        &self.0
    }
}

struct PackSeed;

impl<'de> DeserializeSeed<'de> for PackSeed {
    type Value = Pack;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Pack, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for PackSeed {
    type Value = Pack;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a SenML pack (an array of records)")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut records: A) -> Result<Pack, A::Error> {
        let mut builder = Builder::default();
        while let Some(record) = records.next_element::<Record<'de>>()? {
            if builder.pack.len() >= PACK_MAX_READINGS {
                return Err(serde::de::Error::custom(format_args!("more than {PACK_MAX_READINGS} records")));
            }
            builder.add(&record).map_err(serde::de::Error::custom)?;
        }
        Ok(builder.pack)
    }
}

/// Channels of a pack that are searched one by one. Most packs have no more; of the others there is a map.
const SEARCHED_MAX: usize = 16;

/// Resolves base values, and each name to a channel. Packs repeat their channels in turn, so the one after the last
/// is tried first.
#[derive(Default)]
struct Builder {
    pack: Pack,
    base_name: String,
    base_unit: String,
    /// In microseconds: sums of seconds as floats would lose one now and then.
    base_time_us: i64,
    /// Per channel: the full name and the unit as sent.
    names: Vec<(String, String)>,
    /// The channels from [`SEARCHED_MAX`] on.
    by_name: HashMap<(String, String), usize>,
    guess: usize,
}

impl Builder {
    fn add(&mut self, record: &Record<'_>) -> Result<(), String> {
        if let Some(base) = &record.bn {
            self.base_name = base.as_str().to_owned();
        }
        if let Some(base) = &record.bu {
            self.base_unit = base.as_str().to_owned();
        }
        self.base_time_us = record.bt.map_or(self.base_time_us, micros);
        let name = record.n.as_ref().map_or("", Text::as_str);
        let at = self.channel(name, record.u.as_ref().map(Text::as_str))?;
        self.guess = at + 1;
        let channel = ChannelIx(u32::try_from(at).map_err(|e| e.to_string())?);
        self.pack.readings.push(Reading {
            channel,
            time: WallTime::from_unix_micros(
                self.base_time_us.saturating_add(micros(record.t.unwrap_or(0.0))),
            ),
            mono: Instant::from_micros(record.mono.unwrap_or(0)),
            value: value(record),
        });
        Ok(())
    }

    fn channel(&mut self, name: &str, unit: Option<&str>) -> Result<usize, String> {
        let unit = unit.unwrap_or(&self.base_unit);
        let guess = if self.guess < self.names.len() { self.guess } else { 0 };
        let is_it = |(full, known_unit): &(String, String)| {
            known_unit == unit
                && full.len() == self.base_name.len() + name.len()
                && full.ends_with(name)
                && (self.base_name.is_empty() || full.starts_with(&self.base_name))
        };
        if self.names.get(guess).is_some_and(is_it) {
            return Ok(guess);
        }
        if let Some(at) = self.names.iter().take(SEARCHED_MAX).position(is_it) {
            return Ok(at);
        }
        let (key, at) = ((format!("{}{name}", self.base_name), unit.to_owned()), self.names.len());
        if let Some(&at) = self.by_name.get(&key) {
            return Ok(at);
        }
        self.pack.channels.push(Arc::new(parse_channel(&key.0, unit)?));
        if at >= SEARCHED_MAX {
            self.by_name.insert(key.clone(), at);
        }
        self.names.push(key);
        Ok(at)
    }
}

/// `node/chip/quantity`; a quantity has no slash, a chip may.
fn parse_channel(name: &str, unit: &str) -> Result<Channel, String> {
    let parts = name.split_once('/').and_then(|(node, rest)| Some((node, rest.rsplit_once('/')?)));
    let Some((node, (chip, quantity))) = parts else {
        return Err(format!("n: {name:?} is not node/chip/quantity"));
    };
    let node = NodeName::new(node).map_err(|e| format!("n: {name:?}: {e}"))?;
    Ok(Channel { node, chip: chip.to_owned(), quantity: quantity.to_owned(), unit: unit.to_owned() })
}

fn value(record: &Record<'_>) -> Value {
    match (&record.err, record.v) {
        (None, Some(v)) if v.is_finite() => Ok(v),
        (Some(reason), _) => Err(reason.as_str().parse().unwrap_or(ErrReason::Parse)),
        _ => Err(ErrReason::Parse),
    }
}

/// A float cast saturates, and so does a clock that is this wrong.
#[expect(clippy::cast_possible_truncation, reason = "saturates")]
fn micros(seconds: f64) -> i64 {
    (seconds * 1e6).round() as i64
}
