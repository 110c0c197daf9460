//! The role that a node keeps over its next start: a file in its data folder, in the words of the `ROLE` message. It is
//! written aside, forced to disk and renamed, so that a power cut leaves the old one or the new one.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::model::RoleRequest;
use crate::wire;

/// The file's name in the data folder.
const FILE_NAME: &str = "role.json";
/// Longest file that is read: what a message with as much has in it.
const FILE_MAX_BYTES: u64 = 1 << 20;

/// What is to become of the file.
#[derive(Clone, Debug)]
pub(crate) struct Keep {
    data: PathBuf,
    /// `None` takes it away.
    role: Option<RoleRequest>,
}

impl Keep {
    /// This role is kept in the data folder `data`; with `None`, none is.
    pub(crate) fn new(data: &Path, role: Option<RoleRequest>) -> Self {
        Self { data: data.to_owned(), role }
    }

    /// Writes it or takes it away; when this is done, it is so after a power cut too. May wait for a slow disk.
    pub(crate) fn carry_out(&self) -> Result<(), String> {
        let path = self.data.join(FILE_NAME);
        let done = match &self.role {
            Some(role) => write(&self.data, &path, &wire::encode_role(role)),
            None => take_away(&self.data, &path),
        };
        done.map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// The role that is kept in the data folder `data`, if one is.
///
/// # Errors
/// The file cannot be read or makes no sense; the text names it.
pub(crate) fn read(data: &Path) -> Result<Option<RoleRequest>, String> {
    let path = data.join(FILE_NAME);
    let text = || -> std::io::Result<String> {
        let mut text = String::new();
        File::open(&path)?.take(FILE_MAX_BYTES).read_to_string(&mut text)?;
        Ok(text)
    };
    match text() {
        // A data folder that cannot be is for the store to tell.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display())),
        Ok(text) => wire::decode_role(&text).map(Some).map_err(|why| format!("{}: {why}", path.display())),
    }
}

fn write(data: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    let aside = path.with_extension("json.part");
    let mut file = File::create(&aside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&aside, path)?;
    File::open(data)?.sync_all()
}

fn take_away(data: &Path, path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => File::open(data)?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RoleName;

    #[test]
    fn a_role_is_kept_until_it_is_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        let role = RoleRequest {
            peers: Some(vec!["pi-2:7001".to_owned()]),
            keep: true,
            ..RoleRequest::plain(RoleName::Primary)
        };
        assert_eq!(read(dir.path()), Ok(None));
        Keep::new(dir.path(), None).carry_out().unwrap();
        Keep::new(dir.path(), Some(role.clone())).carry_out().unwrap();
        assert_eq!(read(dir.path()), Ok(Some(role)));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
        Keep::new(dir.path(), None).carry_out().unwrap();
        assert_eq!(read(dir.path()), Ok(None));
    }

    #[test]
    fn what_cannot_be_kept_or_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        for text in ["", "{", "{\"role\":\"emperor\"}", "null"] {
            std::fs::write(&path, text).unwrap();
            let why = read(dir.path()).unwrap_err();
            assert!(why.contains("role.json: "), "{why}");
        }
        let nowhere = Keep::new(&dir.path().join("none"), Some(RoleRequest::plain(RoleName::Ring)));
        assert!(nowhere.carry_out().unwrap_err().contains("role.json: "));
    }
}
