//! What an ERR stands for on a picture. The record keeps every ERR for ever; here, and nowhere else, one may be
//! counted and drawn as zero.

use std::fmt;
use std::str::FromStr;

use crate::model::Value;

/// What a view makes of an ERR.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ErrAs {
    /// Drawn at zero, marked with a hollow ×, and counted as zero in `avg`.
    #[default]
    Zero,
    /// Left out: a gap in the line, and nothing in an average.
    Gap,
}

impl ErrAs {
    /// The number that a view uses for `value`; `None` where it leaves a gap. The one place where zero stands for ERR.
    pub fn value(self, value: Value) -> Option<f64> {
        match (value, self) {
            (Ok(good), _) => Some(good),
            (Err(_), ErrAs::Zero) => Some(0.0),
            (Err(_), ErrAs::Gap) => None,
        }
    }
}

impl fmt::Display for ErrAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            ErrAs::Zero => "zero",
            ErrAs::Gap => "gap",
        })
    }
}

impl FromStr for ErrAs {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "zero" => Ok(ErrAs::Zero),
            "gap" => Ok(ErrAs::Gap),
            _ => Err(format!("an ERR is drawn as `zero` or `gap`, not {text:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ErrReason;

    #[test]
    fn only_an_err_is_replaced() {
        assert_eq!(ErrAs::Zero.value(Ok(21.5)), Some(21.5));
        assert_eq!(ErrAs::Gap.value(Ok(0.0)), Some(0.0));
        for reason in ErrReason::ALL {
            assert_eq!(ErrAs::Zero.value(Err(reason)), Some(0.0));
            assert_eq!(ErrAs::Gap.value(Err(reason)), None);
        }
    }

    #[test]
    fn words_round_trip() {
        for way in [ErrAs::Zero, ErrAs::Gap] {
            assert_eq!(way.to_string().parse(), Ok(way));
        }
        assert!("nan".parse::<ErrAs>().is_err());
    }
}
