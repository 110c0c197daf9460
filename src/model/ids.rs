//! Names and numbers that identify things: each its own type, so that none stands in for another.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Longest [`NodeName`], in bytes; a DNS label has 63.
const NODE_NAME_MAX_BYTES: usize = 63;

/// The name of a node or of a foreign peer: letters, digits, `.`, `_`, `-`; begins with a letter or digit.
///
/// The characters are those that SenML names (RFC 8428 section 4.5.1) and file names both allow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Arc<str>);

/// Why a text is no [`NodeName`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Empty, or longer than the bound.
    #[error("a name has 1 to {NODE_NAME_MAX_BYTES} characters, not {0}")]
    Length(usize),
    /// A character that names do not have.
    #[error(
        "a name has letters, digits, '.', '_' and '-' and begins with a letter or digit: {0:?} is not allowed"
    )]
    Character(char),
}

impl NodeName {
    /// Checks `text` and makes it a name.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if text.is_empty() || text.len() > NODE_NAME_MAX_BYTES {
            return Err(NameError::Length(text.len()));
        }
        let bad = |(at, c): &(usize, char)| {
            !(c.is_ascii_alphanumeric() || (*at > 0 && matches!(c, '.' | '_' | '-')))
        };
        match text.char_indices().find(bad) {
            Some((_, c)) => Err(NameError::Character(c)),
            None => Ok(Self(text.into())),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A reading's place in its journal. The first is 1; a journal has no holes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

impl Seq {
    /// Before the first reading.
    pub const ZERO: Seq = Seq(0);

    /// The place after this one.
    pub const fn next(self) -> Seq {
        Seq(self.0.saturating_add(1))
    }

    /// `count` places further on.
    pub const fn plus(self, count: u64) -> Seq {
        Seq(self.0.saturating_add(count))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Made at random with a journal's file; tells a re-flashed node from its former self. 16 hex digits as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JournalId(pub u64);

/// Drawn at random when a process starts; tells a node's run from its former ones. 16 hex digits as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LifeId(pub u64);

/// Which boot of a machine a monotonic stamp counts from. 32 hex digits as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootId(pub u128);

/// A text that is no hexadecimal id of the right length.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {digits} hex digits")]
pub struct HexError {
    text: String,
    digits: usize,
}

/// The two digits of a byte.
fn hex_byte(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [byte >> 4, byte & 0xf].map(|digit| DIGITS.get(usize::from(digit)).copied().unwrap_or_default())
}

macro_rules! hex_id {
    ($name:ident, $int:ty, $digits:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // A token has a hundred of them: several times faster than the formatter's way.
                let mut text = [0; $digits];
                for (digit, byte) in text.as_chunks_mut().0.iter_mut().zip(self.0.to_be_bytes()) {
                    *digit = hex_byte(byte);
                }
                f.pad(str::from_utf8(&text).unwrap_or_default())
            }
        }

        impl FromStr for $name {
            type Err = HexError;
            fn from_str(text: &str) -> Result<Self, HexError> {
                let error = || HexError { text: text.chars().take(40).collect(), digits: $digits };
                if text.len() != $digits {
                    return Err(error());
                }
                let digit = |byte: u8| char::from(byte).to_digit(16).map(<$int>::from);
                let id = text.bytes().try_fold(0, |id, byte| Some(id << 4 | digit(byte)?));
                id.map(Self).ok_or_else(error)
            }
        }
    };
}
hex_id!(JournalId, u64, 16);
hex_id!(LifeId, u64, 16);
hex_id!(BootId, u128, 32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["sink", "greenhouse-1", "10.0.0.7_2", "a"] {
            assert_eq!(NodeName::new(good).unwrap().as_str(), good);
        }
        assert_eq!(NodeName::new(""), Err(NameError::Length(0)));
        assert_eq!(NodeName::new(&"x".repeat(64)), Err(NameError::Length(64)));
        assert_eq!(NodeName::new("-x"), Err(NameError::Character('-')));
        assert_eq!(NodeName::new("a/b"), Err(NameError::Character('/')));
        assert_eq!(NodeName::new("gärten"), Err(NameError::Character('ä')));
    }

    #[test]
    fn hex_ids_round_trip_and_refuse() {
        let id = JournalId(0xab);
        assert_eq!(id.to_string(), "00000000000000ab");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("+0000000000000ab".parse::<JournalId>().is_err());
        assert!("ab".parse::<JournalId>().is_err());
        let boot = BootId(u128::MAX);
        assert_eq!(boot.to_string().parse(), Ok(boot));
    }
}
