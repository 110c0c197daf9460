//! Where the config file goes: looked at before anything is asked, and written whole or not at all.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::cli::Usage;

/// Who may read a new file: everybody, for there is no secret in it.
const MODE: u32 = 0o644;

/// Where the text will go.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Standard output.
    Output,
    /// A file.
    File {
        /// Which, with links followed.
        path: PathBuf,
        /// Whether one is there, to be replaced.
        is_there: bool,
    },
}

impl Place {
    /// Looks whether `out` can be written; a file that is there only by `force`.
    ///
    /// # Errors
    /// What is in the way, and how to get past it.
    pub(super) fn find(out: &Path, force: bool) -> Result<Self> {
        if out.as_os_str() == "-" {
            return Ok(Self::Output);
        }
        // A link is followed, so that what it points to is replaced and not the link.
        let path = fs::canonicalize(out).unwrap_or_else(|_| out.to_owned());
        let Some(name) = path.file_name().filter(|_| !out.to_string_lossy().ends_with('/')) else {
            return Err(Usage(format!("--out {}: name a file", out.display())).into());
        };
        let is_there = match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() => true,
            Ok(_) => bail!("{} is no file: name one with --out", out.display()),
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => return Err(refused(out, &error)),
        };
        if is_there && !force {
            bail!(
                "{} is there and stays as it is: give --force to replace it (it is kept as {}), or another --out",
                out.display(),
                with_ending(Path::new(name), "old").display()
            );
        }
        let place = Self::File { path, is_there };
        match accessat(CWD, place.folder(), Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS) {
            Ok(()) => Ok(place),
            Err(error) => Err(refused(out, &error.into())),
        }
    }

    /// The file, where it is one.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Output => None,
            Self::File { path, .. } => Some(path),
        }
    }

    fn folder(&self) -> &Path {
        let folder = self.path().and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
        folder.unwrap_or(Path::new("."))
    }

    /// Puts `text` there. A file that is replaced is kept beside, and its path is the answer.
    ///
    /// # Errors
    /// It cannot be written; then all is as it was.
    pub(super) fn write(&self, text: &str) -> Result<Option<PathBuf>> {
        let Self::File { path, is_there } = self else {
            io::stdout().lock().write_all(text.as_bytes())?;
            return Ok(None);
        };
        let backup = is_there.then(|| with_ending(path, "old"));
        if let Some(backup) = &backup {
            fs::read(path)
                .and_then(|bytes| write_new(backup, &bytes, Some(path)))
                .with_context(|| format!("keeping {} as {}", path.display(), backup.display()))?;
        }
        let new = with_ending(path, "new");
        let written =
            write_new(&new, text.as_bytes(), backup.as_deref()).and_then(|()| fs::rename(&new, path));
        if let Err(error) = written {
            // Half a file would only puzzle; that it cannot be removed changes nothing of the error.
            let _ = fs::remove_file(&new);
            return Err(refused(path, &error));
        }
        // The name is on disk when the folder is; a file system that cannot do this does it by itself.
        let _ = File::open(self.folder()).and_then(|folder| folder.sync_all());
        Ok(backup)
    }
}

/// A file with these bytes in it, on disk, that may be read by whoever may read `like`.
fn write_new(path: &Path, bytes: &[u8], like: Option<&Path>) -> io::Result<()> {
    // What an earlier run left. The file is made anew, so that no link of a stranger is followed.
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)?;
    // Not what is left of it by the mask of whoever runs this: the service's user has to read it too.
    file.set_permissions(match like {
        Some(like) => fs::metadata(like)?.permissions(),
        None => Permissions::from_mode(MODE),
    })?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// `site.toml` with `old` is `site.toml.old`.
fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

/// Why nothing can be written at `out`, and what to do.
fn refused(out: &Path, error: &io::Error) -> anyhow::Error {
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (out, folder) = (out.display(), folder.display());
    match error.kind() {
        ErrorKind::NotFound => anyhow::anyhow!(
            "{out} cannot be written, for the folder {folder} is not there: make it with `sudo mkdir -p {folder}`, \
             or name another place with --out"
        ),
        ErrorKind::PermissionDenied => anyhow::anyhow!(
            "{out} may not be written by this user: run the same with sudo before it, or name another place with --out"
        ),
        _ => anyhow::anyhow!("{out} cannot be written ({error}): name another place with --out"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn why(out: &Path, force: bool) -> String {
        Place::find(out, force).unwrap_err().to_string()
    }

    #[test]
    fn a_new_file_is_written_whole_and_alone() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("site.toml");
        fs::write(dir.path().join("site.toml.new"), "half a fi").unwrap();
        let place = Place::find(&out, false).unwrap();
        assert_eq!(names(dir.path()), ["site.toml.new"], "a look writes nothing");
        assert_eq!(place.write("role = 1\n").unwrap(), None);
        assert_eq!(fs::read_to_string(&out).unwrap(), "role = 1\n");
        assert_eq!(names(dir.path()), ["site.toml"]);
        assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, MODE);
    }

    #[test]
    fn a_file_that_is_there_is_replaced_by_force_alone_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (out, link) = (dir.path().join("site.toml"), dir.path().join("link.toml"));
        fs::write(&out, "mine").unwrap();
        fs::set_permissions(&out, PermissionsExt::from_mode(0o640)).unwrap();
        symlink(&out, &link).unwrap();
        for path in [&out, &link] {
            let why = why(path, false);
            assert!(why.contains("--force") && why.contains("site.toml.old"), "{why}");
        }
        assert_eq!(fs::read_to_string(&out).unwrap(), "mine");

        let kept = Place::find(&link, true).unwrap().write("new").unwrap().unwrap();
        assert_eq!(fs::read_to_string(kept).unwrap(), "mine");
        assert_eq!(fs::read_to_string(&out).unwrap(), "new");
        assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(names(dir.path()), ["link.toml", "site.toml", "site.toml.old"], "a link stays one");
    }

    #[test]
    fn what_is_in_the_way_is_said_before_anything_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let missing = why(&dir.path().join("etc/pisink.toml"), false);
        assert!(missing.contains("sudo mkdir -p") && missing.contains("--out"), "{missing}");
        assert!(why(dir.path(), true).contains("no file"));
        assert!(why(&dir.path().join("new/"), true).contains("name a file"));
        let denied = refused(Path::new("/etc/pisink/pisink.toml"), &ErrorKind::PermissionDenied.into());
        assert!(denied.to_string().contains("sudo"), "{denied}");
        assert_eq!(names(dir.path()), Vec::<String>::new());
    }
}
