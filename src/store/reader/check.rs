//! Looking for damage beside the writer, who goes on meanwhile.

use std::path::Path;

use super::{Reader, has_log};
use crate::store::damage::check_file;
use crate::store::error::StoreError;
use crate::store::{Check, Checked, FILE_NAME};

impl Reader {
    /// Looks at the file in `dir`, from which this reader was opened, as a start after an unclean end would: every page
    /// of a small one, what can have suffered of a large one. [`StoreError::Damaged`] says what is wrong.
    pub fn check(&self, dir: &Path) -> Result<Checked, StoreError> {
        let path = dir.join(FILE_NAME);
        // A log that is there may have what the file lacks: its writer is at work, or did not end well.
        match check_file(&self.db, &path, Check::Auto, has_log(&path))? {
            Checked::Header => check_file(&self.db, &path, Check::Auto, true),
            checked => Ok(checked),
        }
    }
}
