//! What can go wrong, when, and the text for it, which is read back as it is written: for the command line, for the
//! log, and for the smallest list of faults that still breaks something.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::text::{self, Short};

/// A network that loses more is no network.
const LOSS_MAX_PERCENT: f64 = 90.0;

/// A host of a scenario, by its number; 0 is the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostIx(pub usize);

/// Which link a fault is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkPick {
    /// Whichever open link the seed picks.
    Any,
    /// One between these two, if there is one.
    Between(HostIx, HostIx),
}

/// One thing that goes wrong, and its words (with a time, those of a [`PlannedFault`]):
///
/// | text | what happens |
/// | --- | --- |
/// | `kill sink@60s..90s` | the process of the sink dies and is started again; its kernel tells the others |
/// | `power 2@60s` | host 2 loses its power for good; nobody is told |
/// | `flash 2@60s..70s` | host 2 gets a new card, and comes back with a new journal |
/// | `pause 3@10s..12s` | the process on host 3 stands still |
/// | `partition 1,2\|3,4@10s..40s` | the groups cannot reach one another; who is not named is with the first |
/// | `cut 1,2@10s..40s` | these two cannot reach one another, all others can |
/// | `oneway 1>2@10s..40s` | what host 1 sends does not come to host 2 |
/// | `loss 5%@10s..40s` | of what is sent, so much is lost and sent again |
/// | `slow 20000@10s..40s` | no link carries more than so many bytes a second |
/// | `break 1,2@10s` | a link between the two breaks, wherever it is in a message; both hear of it |
/// | `vanish any@10s` | a link, whichever the seed picks, breaks, and neither end hears of it |
/// | `stall any@10s..14s` | a link carries nothing, and later everything |
/// | `full sink@10s..40s` | the disk of the sink takes nothing |
/// | `slowdisk 1@10s..40s` | the disk of host 1 takes seconds for what it does |
/// | `unreadable 1@10s..40s` | the journal of host 1 cannot be read |
/// | `step 1 -3600s@10s` | the wall clock of host 1 is set back by an hour |
/// | `retain 1@10s` | host 1 drops the readings that all its consumers have |
/// | `overflow 1@10s` | host 1 drops readings that nobody may have |
/// | `guest 1@10s..12s` | a script connects to host 1 and says this and that |
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The process dies, with all that it had not written; its kernel says so to whoever asks.
    Kill(HostIx),
    /// The host loses its power, and whatever was not synced. Nobody is told.
    Power(HostIx),
    /// As [`Fault::Power`], and the host comes back with another card: a new journal.
    Flash(HostIx),
    /// The process stands still, and goes on later.
    Pause(HostIx),
    /// The groups cannot reach one another. Hosts that are not named are with the first group.
    Partition(Vec<Vec<HostIx>>),
    /// These two cannot reach one another.
    Cut(HostIx, HostIx),
    /// What the first sends does not come to the second.
    OneWay(HostIx, HostIx),
    /// So many percent of what is sent are lost; TCP sends it again, later.
    Loss(f64),
    /// No link carries more bytes a second than this.
    Slow(u64),
    /// A link breaks, in the middle of a message if there is one on its way; both ends hear of it.
    Break(LinkPick),
    /// A link breaks, and neither end hears of it.
    Vanish(LinkPick),
    /// A link carries nothing for a while, and later everything.
    Stall(LinkPick),
    /// The disk takes nothing.
    DiskFull(HostIx),
    /// The disk takes seconds.
    SlowDisk(HostIx),
    /// The journal cannot be read.
    Unreadable(HostIx),
    /// The wall clock is set, by so many microseconds.
    ClockStep(HostIx, i64),
    /// The host drops what all its consumers have.
    Retain(HostIx),
    /// The host drops what nobody may have.
    Overflow(HostIx),
    /// A script connects, says this and that, some of it nonsense, and goes.
    Guest(HostIx),
}

/// A fault and its time.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedFault {
    /// When it begins.
    pub from: Duration,
    /// When it ends. Without an end a killed host stays dead, and whatever else lasts does so until the sampling ends.
    pub to: Option<Duration>,
    /// What.
    pub fault: Fault,
}

/// A text that is no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no fault: {why}; write it like `kill sink@60s..90s` or `partition 1,2|3,4@10s..40s`")]
pub struct FaultError {
    text: String,
    why: String,
}

impl Fault {
    /// Whether it happens at a moment and has no end.
    pub fn is_moment(&self) -> bool {
        use Fault::{Break, ClockStep, Overflow, Retain, Vanish};
        matches!(self, Break(_) | Vanish(_) | ClockStep(..) | Retain(_) | Overflow(_))
    }

    /// Whether the host is down while it lasts, and which.
    pub fn downs(&self) -> Option<HostIx> {
        match self {
            Fault::Kill(host) | Fault::Power(host) | Fault::Flash(host) => Some(*host),
            _ => None,
        }
    }

    /// The hosts that it names.
    pub fn hosts(&self) -> Vec<HostIx> {
        use Fault::{
            Break, ClockStep, Cut, DiskFull, Flash, Guest, Kill, Loss, OneWay, Overflow, Partition, Pause,
            Power, Retain, Slow, SlowDisk, Stall, Unreadable, Vanish,
        };
        match self {
            Kill(host)
            | Power(host)
            | Flash(host)
            | Pause(host)
            | DiskFull(host)
            | SlowDisk(host)
            | Unreadable(host)
            | ClockStep(host, _)
            | Retain(host)
            | Overflow(host)
            | Guest(host) => vec![*host],
            Partition(groups) => groups.concat(),
            Cut(one, other) | OneWay(one, other) => vec![*one, *other],
            Break(LinkPick::Between(one, other))
            | Vanish(LinkPick::Between(one, other))
            | Stall(LinkPick::Between(one, other)) => vec![*one, *other],
            Loss(_) | Slow(_) | Break(LinkPick::Any) | Vanish(LinkPick::Any) | Stall(LinkPick::Any) => {
                Vec::new()
            }
        }
    }
}

impl fmt::Display for HostIx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { f.pad("sink") } else { self.0.fmt(f) }
    }
}

impl FromStr for HostIx {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no host; hosts are `sink`, `1`, `2` and so on");
        let text = text.trim();
        match text.strip_prefix("pi-").unwrap_or(text) {
            "sink" => Ok(HostIx(0)),
            number => number.parse().map(HostIx).map_err(|_| wrong()),
        }
    }
}

impl fmt::Display for LinkPick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkPick::Any => f.pad("any"),
            LinkPick::Between(one, other) => write!(f, "{one},{other}"),
        }
    }
}

impl FromStr for LinkPick {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == "any" {
            return Ok(LinkPick::Any);
        }
        let (one, other) = pair(text, ',')?;
        Ok(LinkPick::Between(one, other))
    }
}

fn list(hosts: &[HostIx]) -> String {
    hosts.iter().map(HostIx::to_string).collect::<Vec<_>>().join(",")
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Kill(host) => write!(f, "kill {host}"),
            Fault::Power(host) => write!(f, "power {host}"),
            Fault::Flash(host) => write!(f, "flash {host}"),
            Fault::Pause(host) => write!(f, "pause {host}"),
            Fault::Partition(groups) => {
                let groups: Vec<String> = groups.iter().map(|group| list(group)).collect();
                write!(f, "partition {}", groups.join("|"))
            }
            Fault::Cut(one, other) => write!(f, "cut {one},{other}"),
            Fault::OneWay(from, to) => write!(f, "oneway {from}>{to}"),
            Fault::Loss(percent) => write!(f, "loss {percent}%"),
            Fault::Slow(bytes_per_s) => write!(f, "slow {bytes_per_s}"),
            Fault::Break(link) => write!(f, "break {link}"),
            Fault::Vanish(link) => write!(f, "vanish {link}"),
            Fault::Stall(link) => write!(f, "stall {link}"),
            Fault::DiskFull(host) => write!(f, "full {host}"),
            Fault::SlowDisk(host) => write!(f, "slowdisk {host}"),
            Fault::Unreadable(host) => write!(f, "unreadable {host}"),
            Fault::ClockStep(host, by_us) => {
                let sign = if *by_us < 0 { "-" } else { "" };
                write!(f, "step {host} {sign}{}", Short(Duration::from_micros(by_us.unsigned_abs())))
            }
            Fault::Retain(host) => write!(f, "retain {host}"),
            Fault::Overflow(host) => write!(f, "overflow {host}"),
            Fault::Guest(host) => write!(f, "guest {host}"),
        }
    }
}

impl FromStr for Fault {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (word, rest) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
        let rest = rest.trim();
        let host = || rest.parse::<HostIx>();
        Ok(match word {
            "kill" => Fault::Kill(host()?),
            "power" => Fault::Power(host()?),
            "flash" => Fault::Flash(host()?),
            "pause" => Fault::Pause(host()?),
            "partition" => Fault::Partition(groups(rest)?),
            "cut" => pair(rest, ',').map(|(one, other)| Fault::Cut(one, other))?,
            "oneway" => pair(rest, '>').map(|(from, to)| Fault::OneWay(from, to))?,
            "loss" => Fault::Loss(percent(rest)?),
            "slow" => Fault::Slow(bytes_per_s(rest)?),
            "break" => Fault::Break(rest.parse()?),
            "vanish" => Fault::Vanish(rest.parse()?),
            "stall" => Fault::Stall(rest.parse()?),
            "full" => Fault::DiskFull(host()?),
            "slowdisk" => Fault::SlowDisk(host()?),
            "unreadable" => Fault::Unreadable(host()?),
            "step" => {
                let (host, by) = rest.split_once(char::is_whitespace).ok_or("a step names host and time")?;
                Fault::ClockStep(host.parse()?, step_us(by.trim())?)
            }
            "retain" => Fault::Retain(host()?),
            "overflow" => Fault::Overflow(host()?),
            "guest" => Fault::Guest(host()?),
            _ => return Err(format!("{word:?} is not one of {}", WORDS.join(", "))),
        })
    }
}

/// The words that faults begin with.
const WORDS: [&str; 19] = [
    "kill",
    "power",
    "flash",
    "pause",
    "partition",
    "cut",
    "oneway",
    "loss",
    "slow",
    "break",
    "vanish",
    "stall",
    "full",
    "slowdisk",
    "unreadable",
    "step",
    "retain",
    "overflow",
    "guest",
];

fn pair(text: &str, between: char) -> Result<(HostIx, HostIx), String> {
    let (one, other) = text.split_once(between).ok_or(format!("two hosts with `{between}` between them"))?;
    let (one, other) = (one.parse::<HostIx>()?, other.parse::<HostIx>()?);
    if one == other { Err(format!("{one} twice")) } else { Ok((one, other)) }
}

fn groups(text: &str) -> Result<Vec<Vec<HostIx>>, String> {
    let group = |text: &str| text.split(',').map(str::parse).collect::<Result<Vec<HostIx>, String>>();
    let groups = text.split('|').map(group).collect::<Result<Vec<_>, _>>()?;
    let mut hosts = groups.concat();
    hosts.sort_unstable();
    let count = hosts.len();
    hosts.dedup();
    match (hosts.len() == count, groups.len()) {
        (false, _) => Err("a host is in two groups".to_owned()),
        (true, 0 | 1) => Err("one group is no partition".to_owned()),
        (true, _) => Ok(groups),
    }
}

/// A number of percent: `5%`.
pub fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim().strip_suffix('%').and_then(|number| number.parse::<f64>().ok());
    let number = number.filter(|number| (0.0..=LOSS_MAX_PERCENT).contains(number));
    number.ok_or(format!("{text:?} is no share; write it like 5%, at most {LOSS_MAX_PERCENT}%"))
}

fn bytes_per_s(text: &str) -> Result<u64, String> {
    let number = text.parse::<u64>().ok().filter(|number| *number > 0);
    number.ok_or(format!("{text:?} is no number of bytes a second"))
}

fn step_us(text: &str) -> Result<i64, String> {
    let size = text::duration(text.strip_prefix('-').unwrap_or(text))?;
    let micros = i64::try_from(size.as_micros()).map_err(|_| format!("{text:?} is too far"))?;
    Ok(if text.starts_with('-') { -micros } else { micros })
}

impl fmt::Display for PlannedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.fault, Short(self.from))?;
        match self.to {
            Some(to) => write!(f, "..{}", Short(to)),
            None => Ok(()),
        }
    }
}

impl FromStr for PlannedFault {
    type Err = FaultError;
    fn from_str(text: &str) -> Result<Self, FaultError> {
        read_planned(text).map_err(|why| FaultError { text: text.chars().take(200).collect(), why })
    }
}

fn read_planned(text: &str) -> Result<PlannedFault, String> {
    let (fault, times) = text.rsplit_once('@').ok_or("it has no time")?;
    let fault: Fault = fault.parse()?;
    let (from, to) = match times.split_once("..") {
        Some((from, to)) => (text::duration(from)?, Some(text::duration(to)?)),
        None => (text::duration(times)?, None),
    };
    match to {
        Some(_) if fault.is_moment() => Err("it happens at a moment and has no end".to_owned()),
        Some(to) if to <= from => Err("it ends before it begins".to_owned()),
        _ => Ok(PlannedFault { from, to, fault }),
    }
}

/// Reads a list of faults with `;` or line ends between them.
pub fn read_faults(text: &str) -> Result<Vec<PlannedFault>, FaultError> {
    let parts = text.split([';', '\n']).map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::parse).collect()
}

/// The text of a list of faults, as [`read_faults`] reads it.
pub fn write_faults(faults: &[PlannedFault]) -> String {
    faults.iter().map(PlannedFault::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
#[path = "fault_tests.rs"]
mod tests;
