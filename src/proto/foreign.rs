//! Readings out of what scripts send: `{"msg": 21.5}`, `{"msg": {"temperature": 21.5}}`,
//! `{"msg": "rtemp:22.10,winds:ERR"}`.
//!
//! A number is a reading; so is each `key:value` pair whose value is a number or `ERR`. Everything else is a message
//! for the log and no reading.

use serde_json::Value as Json;

use crate::model::{ErrReason, Value};

/// Most readings that one foreign message gives.
pub const FOREIGN_READINGS_MAX: usize = 64;
/// Longest quantity name that is taken from a peer, in characters.
const QUANTITY_MAX_CHARS: usize = 40;

/// One value of a foreign message.
#[derive(Clone, Debug, PartialEq)]
pub struct ForeignValue {
    /// The peer's key in the field's words; `value` for a bare number.
    pub quantity: String,
    /// SenML unit; empty when the key does not tell.
    pub unit: &'static str,
    /// The value, or ERR: `parse` for one that the peer itself calls `ERR`, or that Python has no number for.
    pub value: Value,
}

/// The lab's keys, their quantities and units.
const KNOWN: &[(&str, &str, &str)] = &[
    ("rtemp", "temperature", "Cel"),
    ("rhumd", "humidity", "%RH"),
    ("stemp", "soil_temperature", "Cel"),
    ("smois", "soil_moisture", ""),
    ("winds", "wind_speed", "m/s"),
    ("temperature", "temperature", "Cel"),
    ("humidity", "humidity", "%RH"),
    ("pressure", "pressure", "Pa"),
    ("illuminance", "illuminance", "lx"),
];

/// The readings in a foreign JSON value. The payload is `msg` where there is one, else the value itself.
pub fn values(json: &Json) -> Vec<ForeignValue> {
    let mut found = Vec::new();
    match json.get("msg").unwrap_or(json) {
        Json::Number(number) => found.extend(number.as_f64().map(|v| named("value", Ok(v)))),
        Json::String(text) => text_values(text, &mut found),
        Json::Object(fields) => {
            let payload_is_all = json.get("msg").is_none();
            let fields = fields.iter().filter(|(key, _)| !(payload_is_all && is_about_the_peer(key)));
            for (key, value) in fields {
                if found.len() == FOREIGN_READINGS_MAX {
                    break;
                }
                found.extend(field(key, value));
            }
        }
        _ => {}
    }
    found
}

/// The reading that a field is, if it is one: a number, or a text that is a number or `ERR`.
pub(super) fn field(key: &str, value: &Json) -> Option<ForeignValue> {
    match value {
        Json::Number(number) => number.as_f64().map(|v| named(key, Ok(v))),
        Json::String(text) => pair(key, text),
        _ => None,
    }
}

/// The name that a foreign message gives itself, if any.
pub fn sender(json: &Json) -> Option<&str> {
    ["sender", "name", "node"].iter().find_map(|key| json.get(key)?.as_str())
}

fn is_about_the_peer(key: &str) -> bool {
    matches!(key, "sender" | "name" | "node" | "id" | "time" | "timestamp" | "seq" | "ttl")
}

fn text_values(text: &str, found: &mut Vec<ForeignValue>) {
    if is_no_number(text) {
        return found.push(named("value", Err(ErrReason::Parse)));
    }
    if let Ok(number) = text.trim().parse::<f64>() {
        if number.is_finite() {
            found.push(named("value", Ok(number)));
        }
        return;
    }
    for item in text.split([',', ';']).take(FOREIGN_READINGS_MAX) {
        if let Some((key, value)) = item.split_once([':', '=']) {
            found.extend(pair(key.trim(), value.trim()));
        }
    }
}

/// Whether this is what Python writes for a number that is none: it is read as a text.
fn is_no_number(text: &str) -> bool {
    matches!(text, "NaN" | "Infinity" | "-Infinity")
}

fn pair(key: &str, text: &str) -> Option<ForeignValue> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
    if key.is_empty() || key.chars().count() > QUANTITY_MAX_CHARS || !key.chars().all(is_name) {
        return None;
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Some(named(key, Ok(number))),
        _ if text == "ERR" || is_no_number(text) => Some(named(key, Err(ErrReason::Parse))),
        _ => None,
    }
}

/// A value under a peer's key, which is taken for what the field calls it.
pub fn named(key: &str, value: Value) -> ForeignValue {
    let known = KNOWN.iter().find(|(name, ..)| *name == key);
    let (quantity, unit) = known.map_or((key, ""), |(_, quantity, unit)| (quantity, unit));
    // What separates the parts of a name, or is no sign at all, has no place in one.
    let legal = |c: char| if c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ') { c } else { '_' };
    let quantity = if quantity.is_empty() { "value" } else { quantity };
    let quantity = quantity.chars().take(QUANTITY_MAX_CHARS).map(legal).collect();
    ForeignValue { quantity, unit, value }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(json: Json) -> Vec<(String, &'static str, Value)> {
        values(&json).into_iter().map(|v| (v.quantity, v.unit, v.value)).collect()
    }

    #[test]
    fn numbers_and_pairs_become_readings() {
        assert_eq!(found(json!({"msg": 21.5})), [("value".into(), "", Ok(21.5))]);
        assert_eq!(found(json!({"msg": 0})), [("value".into(), "", Ok(0.0))]);
        assert_eq!(found(json!({"msg": "21.5"})), [("value".into(), "", Ok(21.5))]);
        assert_eq!(found(json!(7)), [("value".into(), "", Ok(7.0))]);
        assert_eq!(
            found(json!({"msg": "rtemp:22.10,winds:ERR,ph=6.5,"})),
            [
                ("temperature".into(), "Cel", Ok(22.1)),
                ("wind_speed".into(), "m/s", Err(ErrReason::Parse)),
                ("ph".into(), "", Ok(6.5))
            ]
        );
        assert_eq!(
            found(json!({"name": "bench", "temperature": 3, "note": "hi", "seq": 4})),
            [("temperature".into(), "Cel", Ok(3.0))]
        );
    }

    #[test]
    fn a_key_becomes_a_name_that_is_one() {
        for (key, quantity) in
            [("a/b", "a_b"), ("a\r\n\"b", "a___b"), ("", "value"), ("température", "température"), ("/", "_")]
        {
            assert_eq!(found(json!({"msg": {key: 1}})), [(quantity.into(), "", Ok(1.0))], "{key:?}");
        }
    }

    #[test]
    fn words_are_no_readings() {
        for json in
            [json!({"msg": "hello"}), json!({"msg": "still alive"}), json!(null), json!({"msg": null})]
        {
            assert_eq!(found(json.clone()), [], "{json}");
        }
        assert_eq!(found(json!({"msg": "time 12:34:56, at http://x"})), []);
        assert_eq!(found(json!({"msg": "nan"})), []);
    }

    #[test]
    fn what_is_no_number_is_err() {
        let err = |name: &str| (name.to_owned(), "", Err(ErrReason::Parse));
        assert_eq!(found(json!({"msg": "NaN"})), [err("value")]);
        assert_eq!(found(json!("-Infinity")), [err("value")]);
        assert_eq!(found(json!({"msg": {"a": "NaN", "b": "Infinity"}})), [err("a"), err("b")]);
    }

    #[test]
    fn a_flood_in_one_message_is_bounded() {
        let text: String = (0..10_000).map(|n| format!("k{n}:1,")).collect();
        assert_eq!(values(&json!({"msg": text})).len(), FOREIGN_READINGS_MAX);
        let fields: Json =
            (0..10_000).map(|n| (format!("k{n}"), json!(n))).collect::<serde_json::Map<_, _>>().into();
        assert_eq!(values(&fields).len(), FOREIGN_READINGS_MAX);
    }

    #[test]
    fn a_peer_may_name_itself() {
        assert_eq!(sender(&json!({"msg": 1, "sender": "bench-3"})), Some("bench-3"));
        assert_eq!(sender(&json!(1)), None);
    }
}
