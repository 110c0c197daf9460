//! An answer on its way back to one who asked, on a link of its own.

use super::{LabOutput, LabReport};
use crate::model::{Instant, LabText};

#[derive(Debug)]
pub(super) struct Errand {
    pub(super) address: String,
    pub(super) text: LabText,
    /// The link has to stand by then.
    pub(super) until: Instant,
}

impl Errand {
    /// What is told of it when there is no link.
    pub(super) fn failed(self, why: &str) -> LabOutput {
        LabOutput::Report(LabReport::NotAnswered { address: self.address, why: why.to_owned() })
    }
}
