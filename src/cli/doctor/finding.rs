//! What a check found: how bad it is, in one line, and what to do next.

use std::fmt;

/// How bad a finding is, from nothing to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// It could not be looked at here, or does not apply.
    Skipped,
    /// As it should be.
    Good,
    /// Worth knowing; nothing has to be done.
    Note,
    /// The node works, but worse than it could, or not for ever.
    Warning,
    /// Something that the node needs does not work.
    Failure,
}

impl Severity {
    /// All of them, from the worst.
    pub(super) const WORST_FIRST: [Severity; 5] =
        [Self::Failure, Self::Warning, Self::Note, Self::Good, Self::Skipped];

    /// Its name for programs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Good => "good",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One line about one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// How bad it is.
    pub(super) severity: Severity,
    /// What is so, in one line.
    pub(super) what: String,
    /// What to do about it, where something can be done.
    pub(super) next_step: Option<String>,
}

impl Finding {
    /// As it should be.
    pub(super) fn good(what: impl Into<String>) -> Self {
        Self { severity: Severity::Good, what: what.into(), next_step: None }
    }

    /// Could not be looked at, or does not apply.
    pub(super) fn skipped(what: impl Into<String>) -> Self {
        Self { severity: Severity::Skipped, what: what.into(), next_step: None }
    }

    /// Worth knowing.
    pub(super) fn note(what: impl Into<String>) -> Self {
        Self { severity: Severity::Note, what: what.into(), next_step: None }
    }

    /// Worse than it could be, and how to better it.
    pub(super) fn warning(what: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, what: what.into(), next_step: Some(next_step.into()) }
    }

    /// Does not work, and how to mend it.
    pub(super) fn failure(what: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self { severity: Severity::Failure, what: what.into(), next_step: Some(next_step.into()) }
    }

    /// A warning instead of a failure, where nothing depends on it yet.
    pub(super) fn milder_if(mut self, is_so: bool) -> Self {
        if is_so {
            self.severity = self.severity.min(Severity::Warning);
        }
        self
    }

    /// The same with something to do.
    pub(super) fn and_next(mut self, next_step: impl Into<String>) -> Self {
        self.next_step = Some(next_step.into());
        self
    }
}
