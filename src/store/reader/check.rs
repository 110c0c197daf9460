//! Looking for damage beside the writer, who goes on meanwhile.

use std::path::Path;

use super::Reader;
use crate::store::damage::check_file;
use crate::store::error::StoreError;
use crate::store::{Check, Checked, FILE_NAME};

impl Reader {
    /// Looks at the file in `dir`, from which this reader was opened, as a start after an unclean end would: every page
    /// of a small one, what can have suffered of a large one. [`StoreError::Damaged`] says what is wrong.
    pub fn check(&self, dir: &Path) -> Result<Checked, StoreError> {
        let unclean = true; // its writer may be at work, with the newest pages in the log
        check_file(&self.db, &dir.join(FILE_NAME), Check::Auto, unclean)
    }
}
