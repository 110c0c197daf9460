//! What is open to whom on a listening port: which framings are taken, and which commands over those that are not the
//! native one.

use std::fmt;
use std::str::FromStr;

/// A framing, by the name that a listen line has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FramingName {
    /// One JSON text a line: the native one.
    Line,
    /// jsocket, in each of its dialects.
    Jsocket,
    /// ZRE over ZMTP: pyre and zyre.
    Zre,
    /// Autopilot over ZMTP.
    Autopilot,
    /// The lab's text packets.
    Lab,
}

impl FramingName {
    /// All of them.
    pub const ALL: [FramingName; 5] =
        [FramingName::Line, FramingName::Jsocket, FramingName::Zre, FramingName::Autopilot, FramingName::Lab];

    /// Its name in a listen line.
    pub fn as_str(self) -> &'static str {
        match self {
            FramingName::Line => "line",
            FramingName::Jsocket => "jsocket",
            FramingName::Zre => "zre",
            FramingName::Autopilot => "autopilot",
            FramingName::Lab => "lab",
        }
    }
}

/// A command that changes the node which obeys it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Command {
    /// Begin a task.
    Start,
    /// End a task.
    Stop,
    /// Change how it measures.
    Param,
    /// End the process.
    Kill,
    /// Take a file, or give one.
    File,
    /// Take another role.
    Role,
}

impl Command {
    /// All of them.
    pub const ALL: [Command; 6] =
        [Command::Start, Command::Stop, Command::Param, Command::Kill, Command::File, Command::Role];

    /// Its key in a message, and its name where it is allowed.
    pub fn as_str(self) -> &'static str {
        match self {
            Command::Start => "START",
            Command::Stop => "STOP",
            Command::Param => "PARAM",
            Command::Kill => "KILL",
            Command::File => "FILE",
            Command::Role => "ROLE",
        }
    }
}

/// A set of framings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Framings(u8);

impl Framings {
    /// None of them.
    pub const NONE: Framings = Framings(0);
    /// Every one.
    pub const ALL: Framings = Framings(0b1_1111);
    /// The native one alone.
    pub const LINE: Framings = Framings(1);

    /// These and that one.
    #[must_use]
    pub fn with(self, name: FramingName) -> Self {
        Self(self.0 | (1 << name as u8))
    }

    /// These and those.
    #[must_use]
    pub fn and(self, others: Framings) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether that one is among them.
    pub fn has(self, name: FramingName) -> bool {
        self.0 & (1 << name as u8) != 0
    }

    /// Those that are in it, in their order.
    pub fn iter(self) -> impl Iterator<Item = FramingName> {
        FramingName::ALL.into_iter().filter(move |name| self.has(*name))
    }
}

/// A set of commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Commands(u8);

impl Commands {
    /// None of them.
    pub const NONE: Commands = Commands(0);

    /// These and that one.
    #[must_use]
    pub fn with(self, command: Command) -> Self {
        Self(self.0 | (1 << command as u8))
    }

    /// Whether that one is among them.
    pub fn has(self, command: Command) -> bool {
        self.0 & (1 << command as u8) != 0
    }

    /// Those that are in it, in their order.
    pub fn iter(self) -> impl Iterator<Item = Command> {
        Command::ALL.into_iter().filter(move |command| self.has(*command))
    }
}

/// What an accepted link may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The framings that it may speak.
    pub open: Framings,
    /// The commands that are obeyed over another framing than line JSON.
    pub allow: Commands,
}

/// No such framing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no framing; the framings are line, jsocket, zre, autopilot, zmtp (the two before it) and lab"
)]
pub struct FramingError(String);

/// Framings parted by commas; `zmtp` stands for the two that go over it.
impl FromStr for Framings {
    type Err = FramingError;

    fn from_str(text: &str) -> Result<Self, FramingError> {
        text.split(',').map(str::trim).try_fold(Framings::NONE, |all, name| {
            if name == "zmtp" {
                return Ok(all.with(FramingName::Zre).with(FramingName::Autopilot));
            }
            let named = FramingName::ALL.into_iter().find(|framing| framing.as_str() == name);
            named.map(|framing| all.with(framing)).ok_or_else(|| FramingError(name.to_owned()))
        })
    }
}

/// No such command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no command that can be allowed; these can: START, STOP, PARAM, KILL, FILE, ROLE")]
pub struct CommandError(String);

/// Commands parted by commas.
impl FromStr for Commands {
    type Err = CommandError;

    fn from_str(text: &str) -> Result<Self, CommandError> {
        text.split(',').map(str::trim).filter(|name| !name.is_empty()).try_fold(
            Commands::NONE,
            |all, name| {
                let named =
                    Command::ALL.into_iter().find(|command| command.as_str().eq_ignore_ascii_case(name));
                named.map(|command| all.with(command)).ok_or_else(|| CommandError(name.to_owned()))
            },
        )
    }
}

impl fmt::Display for Framings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, self.iter().map(FramingName::as_str))
    }
}

impl fmt::Display for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, self.iter().map(Command::as_str))
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, names: impl Iterator<Item = &'static str>) -> fmt::Result {
    f.write_str(&names.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_as_they_are_written() {
        assert_eq!(Framings::ALL.to_string(), "line,jsocket,zre,autopilot,lab");
        assert_eq!("line,jsocket,zmtp,lab".parse(), Ok(Framings::ALL));
        let some: Framings = "jsocket, zre".parse().unwrap();
        assert_eq!(some.to_string().parse(), Ok(some));
        assert!(some.has(FramingName::Zre) && !some.has(FramingName::Autopilot));
        assert!("json".parse::<Framings>().unwrap_err().to_string().contains("jsocket"));
        assert!("".parse::<Framings>().is_err());
        let all = Command::ALL.into_iter().fold(Commands::NONE, Commands::with);
        assert_eq!(all.to_string().parse(), Ok(all));
        assert_eq!("start,kill".parse(), Ok(Commands::NONE.with(Command::Start).with(Command::Kill)));
        assert!("REBOOT".parse::<Commands>().unwrap_err().to_string().contains("KILL"));
    }
}
