//! A node's role as people, files and messages name it, and what is said when it is to change while the node runs.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Most addresses that one change of role brings. A site that is larger has them in its config.
pub const ROLE_PEERS_MAX: usize = 1_024;

/// What a node does besides sensing and answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoleName {
    /// The sink: polls the others, stores and plots everything.
    Primary,
    /// Others collect from it.
    Secondary,
    /// One of those among whom a token goes round.
    Ring,
}

impl RoleName {
    /// All of them.
    pub const ALL: [RoleName; 3] = [RoleName::Primary, RoleName::Secondary, RoleName::Ring];

    /// The name, as flags, config and status have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            RoleName::Primary => "primary",
            RoleName::Secondary => "secondary",
            RoleName::Ring => "ring",
        }
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a role; the roles are primary, secondary and ring")]
pub struct RoleNameError(String);

impl FromStr for RoleName {
    type Err = RoleNameError;
    fn from_str(text: &str) -> Result<Self, RoleNameError> {
        const SHOWN_MAX_CHARS: usize = 40;
        let known = RoleName::ALL.into_iter().find(|role| role.as_str() == text);
        known.ok_or_else(|| RoleNameError(text.chars().take(SHOWN_MAX_CHARS).collect()))
    }
}

/// What a `ROLE` message wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleOrder {
    /// To hear which role the node has.
    Tell,
    /// The role that the node's settings name; one that was kept is forgotten.
    Configured,
    /// Another role.
    Become(RoleRequest),
}

/// A role, with what is to be otherwise than the node's settings say; `None` means as they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRequest {
    /// The role.
    pub role: RoleName,
    /// `host:port` of each peer: at most [`ROLE_PEERS_MAX`].
    pub peers: Option<Vec<String>>,
    /// Whether the node collects.
    pub collects: Option<Collects>,
    /// From one round to the next.
    pub poll_interval: Option<Duration>,
    /// A round is over after this at the latest.
    pub deadline: Option<Duration>,
    /// A ring member that makes the token at once instead of waiting for one.
    pub makes_token: bool,
    /// Also after the next start.
    pub keep: bool,
}

impl RoleRequest {
    /// A role with everything as the settings say, until the next start.
    pub fn plain(role: RoleName) -> Self {
        Self {
            role,
            peers: None,
            collects: None,
            poll_interval: None,
            deadline: None,
            makes_token: false,
            keep: false,
        }
    }
}

/// Whether a node collects, and in which order those take over who do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collects {
    /// It does not.
    Never,
    /// 0 is the sink, then come the standbys.
    Rank(u8),
}

/// Why a node has the role that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleOrigin {
    /// Flags, environment and config say so.
    Settings,
    /// It was told so while running; the next start forgets it.
    Command,
    /// It was told so while running, and keeps it.
    Kept,
}

impl RoleOrigin {
    /// All of them.
    pub const ALL: [RoleOrigin; 3] = [RoleOrigin::Settings, RoleOrigin::Command, RoleOrigin::Kept];

    /// The word for it in messages and in the status.
    pub const fn as_str(self) -> &'static str {
        match self {
            RoleOrigin::Settings => "settings",
            RoleOrigin::Command => "command",
            RoleOrigin::Kept => "kept",
        }
    }
}

/// The answer to a `ROLE` message: the role that the node has now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleAnswer {
    /// The id of the message that it answers.
    pub re: String,
    /// The role.
    pub role: RoleName,
    /// Why it has it.
    pub origin: RoleOrigin,
    /// `host:port` of each peer.
    pub peers: Vec<String>,
    /// The role that it will have after the next start.
    pub next_start: RoleName,
    /// What the one who asked should know besides.
    pub note: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_have_one_name_each() {
        for role in RoleName::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        let error = "x".repeat(1_000).parse::<RoleName>().unwrap_err().to_string();
        assert!(error.contains("primary, secondary and ring") && error.len() < 120, "{error}");
    }
}
