//! What goes wrong on a simulated bus, by plan: which chip, what, from when to when.
//!
//! As text: `DRIVER@ADDRESS=KIND[@FROM..TO]`, with times since the bus was made, either of which may be left out:
//! `seesaw@0x36=nack@4s..9s`, `sht3x@0x44=bad_crc@1m..`, `tmp102@0x48=gone`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;

use crate::catalogue::parse_address;

/// What can go wrong with a chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// It acknowledges nothing, but keeps its state: a loose wire.
    Nack,
    /// One bit of everything it sends arrives wrong.
    BadCrc,
    /// It sends what it sent first, again and again.
    Stuck,
    /// It holds the clock until the bus gives up.
    Timeout,
    /// It has no power; when it comes back it has forgotten everything.
    Gone,
}

/// All kinds, with their names in a plan.
const KINDS: [(&str, FaultKind); 5] = [
    ("nack", FaultKind::Nack),
    ("bad_crc", FaultKind::BadCrc),
    ("stuck", FaultKind::Stuck),
    ("timeout", FaultKind::Timeout),
    ("gone", FaultKind::Gone),
];

/// One chip's fault for one span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedFault {
    /// The driver of the chip.
    pub driver: String,
    /// The address of the chip.
    pub address: u8,
    /// What goes wrong.
    pub kind: FaultKind,
    /// The time since the bus was made at which it begins.
    pub from: Duration,
    /// The time at which it is over, if ever.
    pub to: Option<Duration>,
}

/// A text that plans no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the fault `{text}` {why}: write it as in seesaw@0x36=nack@4s..9s")]
pub struct PlanError {
    text: String,
    why: String,
}

impl PlannedFault {
    /// Whether it is so at `elapsed`.
    pub fn is_active(&self, elapsed: Duration) -> bool {
        self.from <= elapsed && self.to.is_none_or(|to| elapsed < to)
    }

    /// Whether it has begun by `until`, and was not yet over after `after`.
    pub(crate) fn touches(&self, after: Duration, until: Duration) -> bool {
        self.from <= until && self.to.is_none_or(|to| to > after)
    }
}

impl FromStr for PlannedFault {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        parse(text).map_err(|why| PlanError { text: text.to_owned(), why })
    }
}

impl fmt::Display for PlannedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = KINDS.iter().find(|(_, kind)| *kind == self.kind).map_or("", |(name, _)| name);
        write!(f, "{}@{:#04x}={kind}", self.driver, self.address)?;
        if self.from.is_zero() && self.to.is_none() {
            return Ok(());
        }
        let to = self.to.map(|to| format!("{to:?}")).unwrap_or_default();
        write!(f, "@{:?}..{to}", self.from)
    }
}

fn parse(text: &str) -> Result<PlannedFault, String> {
    let (chip, fault) = text.split_once('=').ok_or("does not say what goes wrong")?;
    let (driver, address) = chip.split_once('@').ok_or("does not say where the chip is")?;
    let address = parse_address(address).ok_or_else(|| format!("has no address in `{address}`"))?;
    let (kind, span) = fault.split_once('@').unwrap_or((fault, ".."));
    let (_, kind) = KINDS.iter().find(|(name, _)| *name == kind).ok_or_else(|| {
        let names = KINDS.map(|(name, _)| name).join(", ");
        format!("has no kind of fault in `{kind}` (there are {names})")
    })?;
    let (from, to) = span.split_once("..").ok_or_else(|| format!("has no span of time in `{span}`"))?;
    let from = parse_time(from)?.unwrap_or_default();
    let to = parse_time(to)?;
    if to.is_some_and(|to| to <= from) {
        return Err("is over before it begins".to_owned());
    }
    Ok(PlannedFault { driver: driver.to_owned(), address, kind: *kind, from, to })
}

/// A time as in `4s` or `1m30s`; none if nothing is written.
fn parse_time(text: &str) -> Result<Option<Duration>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let time = text.parse::<SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok());
    time.map(Some).ok_or_else(|| format!("has no time in `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_plan_is_read_and_printed() {
        let fault: PlannedFault = "seesaw@0x36=nack@4s..9s".parse().unwrap();
        assert_eq!(
            fault,
            PlannedFault {
                driver: "seesaw".into(),
                address: 0x36,
                kind: FaultKind::Nack,
                from: s(4),
                to: Some(s(9)),
            }
        );
        for text in [
            "seesaw@0x36=nack@4s..9s",
            "sht3x@0x44=bad_crc@60s..",
            "tmp102@0x48=gone",
            "a@0x10=stuck@0ns..1.5s",
        ] {
            let fault: PlannedFault = text.parse().unwrap();
            assert_eq!(fault.to_string(), text);
        }
        assert_eq!("a@0x10=timeout@1m30s..".parse::<PlannedFault>().unwrap().from, s(90));
    }

    #[test]
    fn what_is_no_plan_says_where_it_is_wrong() {
        for (text, why) in [
            ("seesaw@0x36", "does not say what"),
            ("seesaw=nack", "does not say where"),
            ("seesaw@zz=nack", "no address in `zz`"),
            ("seesaw@0x36=fried", "bad_crc"),
            ("seesaw@0x36=nack@4s", "no span"),
            ("seesaw@0x36=nack@4..9", "no time in `4`"),
            ("seesaw@0x36=nack@-4s..", "no time in `-4s`"),
            ("seesaw@0x36=nack@9s..9s", "before it begins"),
        ] {
            let error = text.parse::<PlannedFault>().unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_fault_holds_from_its_first_moment_until_its_last() {
        let fault: PlannedFault = "seesaw@0x36=nack@4s..9s".parse().unwrap();
        assert_eq!([3, 4, 8, 9].map(|at| fault.is_active(s(at))), [false, true, true, false]);
        assert!(fault.touches(s(3), s(10)), "a span between two transfers is seen by the second");
        assert!(!fault.touches(s(9), s(10)));
        assert!(!fault.touches(s(1), s(3)));
    }
}
