//! JSON as Python writes it: `NaN`, `Infinity` and `-Infinity`, which JSON has no numbers for, are read as texts.

use memchr::memmem;
use serde_json::Value as Json;

/// What Python's `json` writes for numbers that are none.
const NO_NUMBERS: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// Reads a JSON text.
///
/// # Errors
/// The parser's words.
pub(super) fn read(text: &[u8]) -> Result<Json, String> {
    let text = str::from_utf8(text).map_err(|error| error.to_string())?;
    serde_json::from_str(text).or_else(|error| match quoted(text) {
        Some(quoted) => serde_json::from_str(&quoted).map_err(|error| error.to_string()),
        None => Err(error.to_string()),
    })
}

/// The text with its numbers that are none in quotes; `None` if it has none. Called only with what was refused, so that
/// it costs the others nothing.
pub(super) fn quoted(text: &str) -> Option<String> {
    let has_any = memmem::find(text.as_bytes(), b"NaN").is_some()
        || memmem::find(text.as_bytes(), b"Infinity").is_some();
    if !has_any {
        return None;
    }
    let (mut out, mut rest, mut count) = (String::with_capacity(text.len() + 16), text, 0);
    while !rest.is_empty() {
        if let Some(word) = NO_NUMBERS.into_iter().find(|word| rest.starts_with(word)) {
            out.extend(["\"", word, "\""]);
            rest = rest.get(word.len()..).unwrap_or_default();
            count += 1;
            continue;
        }
        let length = if rest.starts_with('"') {
            text_bytes(rest)
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
        let (head, tail) = rest.split_at_checked(length).unwrap_or((rest, ""));
        out.push_str(head);
        rest = tail;
    }
    (count > 0).then_some(out)
}

/// How long the text in quotes is that this begins with, quotes and all.
fn text_bytes(quoted: &str) -> usize {
    let mut is_escaped = false;
    let end = quoted.bytes().skip(1).position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    });
    end.map_or(quoted.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_python_writes_is_read() {
        let read = |text: &str| read(text.as_bytes()).unwrap();
        assert_eq!(read("NaN"), json!("NaN"));
        assert_eq!(read("[NaN, 1, -Infinity,Infinity]"), json!(["NaN", 1, "-Infinity", "Infinity"]));
        assert_eq!(
            read(r#"{"msg": {"a": NaN, "NaN": "is NaN, \" Infinity \\", "b": -Infinity}}"#),
            json!({"msg": {"a": "NaN", "NaN": "is NaN, \" Infinity \\", "b": "-Infinity"}})
        );
    }

    #[test]
    fn what_is_wrong_otherwise_is_told_as_ever() {
        for text in ["", "{", "nan", "[NaN", "{\"NaN", "Infinit", "[-NaNN]", "\"\\\"NaN", "{NaN: 1 2}"] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(read(b"[\"\xff\", NaN]").unwrap_err().contains("utf-8"));
        assert_eq!(quoted("[1, \"NaN\"]"), None);
    }

    proptest! {
        #[test]
        fn texts_are_never_changed(text in ".{0,40}", tail in "[NaInfinity\\\\\"{}\\[\\],: -]{0,40}") {
            let with = format!("[{}, NaN]", json!(text));
            prop_assert_eq!(read(with.as_bytes()).unwrap(), json!([text, "NaN"]));
            let _ = read(tail.as_bytes());
        }
    }
}
