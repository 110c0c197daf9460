//! Readings out of the value of DATA and CONTINUOUS: a number under a key is a reading of that quantity, `ERR` is one
//! that failed, an array is one for each of its elements. An array that cannot be read is ERR `parse`.

use serde_json::{Map, Value as Json};

use super::array;
use crate::model::ErrReason;
use crate::proto::foreign::{self, FOREIGN_READINGS_MAX, ForeignValue};

/// What stands beside the numbers and is none.
const ABOUT: [&str; 6] = ["pilot", "subject", "timestamp", "continuous", "seq", "journal"];

/// What one value gave.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    pub(super) values: Vec<ForeignValue>,
    /// Arrays that could not be read: which, and why.
    pub(super) unread: Vec<String>,
    /// Numbers beyond the bound of one message.
    pub(super) passed_over: usize,
}

/// Adds the readings of one value to `found`, at most [`FOREIGN_READINGS_MAX`] of them.
pub(super) fn read(value: &Json, blosc: bool, found: &mut Found) {
    let most = found.values.len() + FOREIGN_READINGS_MAX;
    match value {
        Json::Object(fields) if fields.contains_key("NUMPY_ARRAY") => {
            array_values("value", fields, blosc, most, found);
        }
        Json::Object(fields) => {
            for (key, value) in fields.iter().filter(|(key, _)| !ABOUT.contains(&key.as_str())) {
                field(key, value, blosc, most, found);
            }
        }
        other => field("value", other, blosc, most, found),
    }
}

fn field(key: &str, value: &Json, blosc: bool, most: usize, found: &mut Found) {
    match value {
        Json::Object(fields) => array_values(key, fields, blosc, most, found),
        Json::Array(list) => {
            for (at, number) in list.iter().enumerate() {
                if let Some(number) = number.as_f64() {
                    add(foreign::named(&format!("{key}_{at}"), Ok(number)), most, found);
                }
            }
        }
        other => {
            if let Some(value) = foreign::field(key, other) {
                add(value, most, found);
            }
        }
    }
}

fn array_values(key: &str, fields: &Map<String, Json>, blosc: bool, most: usize, found: &mut Found) {
    match array::decode(fields, blosc) {
        None => {}
        Some(Err(why)) => {
            found.unread.push(format!("{key}: {why}"));
            add(foreign::named(key, Err(ErrReason::Parse)), most, found);
        }
        Some(Ok(array)) => {
            let room = most.saturating_sub(found.values.len());
            found.passed_over += array.numbers.len().saturating_sub(room);
            for (at, number) in array.numbers.iter().take(room).enumerate() {
                found.values.push(foreign::named(&element(key, at, &array.shape), finite(*number)));
            }
        }
    }
}

/// A number of an array may be none: that is ERR.
fn finite(number: f64) -> Result<f64, ErrReason> {
    if number.is_finite() { Ok(number) } else { Err(ErrReason::Parse) }
}

fn add(value: ForeignValue, most: usize, found: &mut Found) {
    if found.values.len() < most {
        found.values.push(value);
    } else {
        found.passed_over += 1;
    }
}

/// `key`, `key_4`, `key_1_0`: an element by its indices; a single number needs none.
fn element(key: &str, at: usize, shape: &[usize]) -> String {
    if shape.iter().all(|size| *size == 1) {
        return key.to_owned();
    }
    let (mut rest, mut indices) = (at, Vec::with_capacity(shape.len()));
    for size in shape.iter().rev() {
        indices.push(format!("_{}", rest % size.max(&1)));
        rest /= size.max(&1);
    }
    indices.reverse();
    format!("{key}{}", indices.concat())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(json: Json) -> Found {
        let mut found = Found::default();
        read(&json, false, &mut found);
        found
    }

    fn pairs(json: Json) -> Vec<(String, Result<f64, ErrReason>)> {
        found(json).values.into_iter().map(|value| (value.quantity, value.value)).collect()
    }

    #[test]
    fn numbers_by_key_and_what_is_about_them() {
        let data = json!({"pilot": "p1", "subject": "s", "timestamp": "2026", "continuous": true,
            "temperature": 21.5, "lick": 0, "note": "hello", "flow": "ERR", "fine": null});
        assert_eq!(
            pairs(data),
            [
                ("flow".into(), Err(ErrReason::Parse)),
                ("lick".into(), Ok(0.0)),
                ("temperature".into(), Ok(21.5))
            ]
        );
        assert_eq!(pairs(json!(7)), [("value".into(), Ok(7.0))]);
        assert_eq!(pairs(json!({"xy": [1, 2.5, "x"]})), [("xy_0".into(), Ok(1.0)), ("xy_1".into(), Ok(2.5))]);
    }

    #[test]
    fn arrays_by_index_and_one_that_is_a_pickle() {
        let raw = json!({"NUMPY_ARRAY": "AAH//gADAAQ=", "DTYPE": ">i2", "SHAPE": [2, 2]});
        let names: Vec<String> = pairs(json!({"frame": raw})).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["frame_0_0", "frame_0_1", "frame_1_0", "frame_1_1"]);
        let mut with_pickle = Found::default();
        read(&json!({"frame": raw, "x": 3}), true, &mut with_pickle);
        let values: Vec<_> = with_pickle.values.iter().map(|v| (v.quantity.as_str(), v.value)).collect();
        assert_eq!(values, [("frame", Err(ErrReason::Parse)), ("x", Ok(3.0))], "the others are used");
        assert!(with_pickle.unread[0].starts_with("frame: ") && with_pickle.unread[0].contains("pickle"));
        let one = json!({"NUMPY_ARRAY": "AAE=", "DTYPE": ">i2", "SHAPE": []});
        assert_eq!(pairs(json!({"v": one})), [("v".into(), Ok(1.0))]);
        let not_a_number = json!({"NUMPY_ARRAY": "AADAfw==", "DTYPE": "float32", "SHAPE": [1]});
        assert_eq!(pairs(json!({"v": not_a_number})), [("v".into(), Err(ErrReason::Parse))]);
    }

    #[test]
    fn one_message_gives_so_many_and_no_more() {
        let list: Vec<u32> = (0..1_000).collect();
        let found = found(json!({"a": list, "b": 1}));
        assert_eq!(
            (found.values.len(), found.passed_over),
            (FOREIGN_READINGS_MAX, 1_001 - FOREIGN_READINGS_MAX)
        );
    }
}
