//! Files that stations give and take (Autopilot's FILE): whole in one message as Autopilot has it, or in parts that are
//! checked by their digest and go on where they broke off. Nothing is read or written outside of one folder.
//!
//! What is received lies beside the others under a name of its own until it is complete and right. It is not forced to
//! the disk: a power failure may take the last seconds, and then the file is sent again.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Component, Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

/// Most bytes of a file in one message.
pub const PART_MAX_BYTES: usize = 256 << 10;
/// Largest file that goes whole, in one message.
const WHOLE_MAX_BYTES: u64 = 2 << 20;
/// Largest file. It is read at one go when a transfer is taken up again.
pub const FILE_MAX_BYTES: u64 = 64 << 20;
/// Files that are being received at once.
const INCOMING_MAX: usize = 16;
/// Longest path, in bytes.
const PATH_MAX_BYTES: usize = 255;
const PATH_MAX_FOLDERS: usize = 8;
/// What is being received has this before its digest for a name.
const PARTIAL: &str = ".pisink-partial-";

/// The folder.
pub(crate) struct Files {
    root: PathBuf,
    incoming: BTreeMap<String, Incoming>,
    /// The digest of the file that was asked for last, so that it is not read anew for each part.
    given: Option<(PathBuf, u64, std::time::SystemTime, String)>,
}

/// A file that is being received.
struct Incoming {
    path: String,
    size: u64,
    have: u64,
    partial: PathBuf,
    file: File,
    digest: Sha256,
}

impl Files {
    /// A folder; made if there is none.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn open(root: &Path) -> std::io::Result<Self> {
        fs::create_dir_all(root)?;
        Ok(Self { root: root.canonicalize()?, incoming: BTreeMap::new(), given: None })
    }

    /// Does what a FILE message says; what to answer, if anything.
    ///
    /// # Errors
    /// What is wrong, for the one who asked.
    pub(crate) fn answer(&mut self, value: &Json) -> Result<Option<Json>, String> {
        if let Some(path) = value.as_str() {
            return self.give_whole(path).map(Some);
        }
        let path = value.get("path").and_then(Json::as_str).ok_or("FILE: path is missing")?;
        let number = |name: &str| value.get(name).and_then(Json::as_u64);
        let digest = value.get("sha256").and_then(Json::as_str);
        match (value.get("file"), number("offset"), number("size"), digest) {
            (Some(file), None, None, None) => self.take_whole(path, &decoded(file)?).map(Some),
            (None, None, Some(size), Some(digest)) => self.take_offer(path, size, digest).map(Some),
            (Some(file), Some(offset), Some(size), Some(digest)) => {
                let part = decoded(file)?;
                self.take_part(path, (offset, &part), size, digest).map(Some)
            }
            (None, Some(offset), _, _) => self.give_part(path, offset).map(Some),
            // What others answer to this node's own files.
            _ if value.get("have").is_some() || value.get("done").is_some() => Ok(None),
            _ => Err("FILE: a path alone asks for a file; path and file bring one; parts have path, offset, size, \
                      sha256 and file"
                .to_owned()),
        }
    }

    fn give_whole(&self, path: &str) -> Result<Json, String> {
        let (mut file, size, _) = self.existing(path)?;
        if size > WHOLE_MAX_BYTES {
            return Err(format!("{path}: its {size} bytes do not fit one message; ask for {{path, offset}}"));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| format!("{path}: {error}"))?;
        Ok(json!({ "path": path, "file": STANDARD.encode(bytes) }))
    }

    fn give_part(&mut self, path: &str, offset: u64) -> Result<Json, String> {
        let (mut file, size, changed) = self.existing(path)?;
        let at = self.root.join(path);
        let failed = |error: std::io::Error| format!("{path}: {error}");
        let known = self.given.as_ref().filter(|(known, known_size, known_changed, _)| {
            *known == at && *known_size == size && *known_changed == changed
        });
        let digest = match known {
            Some((.., digest)) => digest.clone(),
            None => {
                let digest = digest_of(&mut file, size).map_err(failed)?;
                self.given = Some((at, size, changed, digest.clone()));
                digest
            }
        };
        let mut part = Vec::new();
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        file.take(PART_MAX_BYTES as u64).read_to_end(&mut part).map_err(failed)?;
        Ok(
            json!({ "path": path, "offset": offset, "size": size, "sha256": digest, "file": STANDARD.encode(part) }),
        )
    }

    fn existing(&self, path: &str) -> Result<(File, u64, std::time::SystemTime), String> {
        let at = self.inside(path, false)?;
        let file = File::open(&at).map_err(|error| format!("{path}: {error}"))?;
        let meta = file.metadata().map_err(|error| format!("{path}: {error}"))?;
        if !meta.is_file() {
            return Err(format!("{path}: it is no file"));
        }
        if meta.len() > FILE_MAX_BYTES {
            return Err(format!("{path}: it has {} bytes; {FILE_MAX_BYTES} is the most", meta.len()));
        }
        let changed = meta.modified().unwrap_or(std::time::UNIX_EPOCH);
        Ok((file, meta.len(), changed))
    }

    fn take_whole(&mut self, path: &str, bytes: &[u8]) -> Result<Json, String> {
        self.inside(path, false)?;
        let digest = hex(&Sha256::digest(bytes));
        let partial = self.root.join(format!("{PARTIAL}{digest}"));
        fs::write(&partial, bytes).map_err(|error| format!("{path}: {error}"))?;
        self.incoming.remove(&digest);
        self.finish(path, &partial)?;
        Ok(json!({ "path": path, "have": bytes.len(), "done": true }))
    }

    fn take_offer(&mut self, path: &str, size: u64, digest: &str) -> Result<Json, String> {
        self.begin(path, size, digest)?;
        self.progress(path, digest)
    }

    fn take_part(
        &mut self,
        path: &str,
        (offset, part): (u64, &[u8]),
        size: u64,
        digest: &str,
    ) -> Result<Json, String> {
        self.begin(path, size, digest)?;
        let Some(incoming) = self.incoming.get_mut(digest) else { return Err(format!("{path}: lost")) };
        // A part that has come already, or that comes too soon: its sender hears where to go on.
        if offset == incoming.have && !part.is_empty() {
            if incoming.have + part.len() as u64 > incoming.size {
                return Err(format!("{path}: more than the {size} bytes that were announced"));
            }
            incoming.file.write_all(part).map_err(|error| format!("{path}: {error}"))?;
            incoming.digest.update(part);
            incoming.have += part.len() as u64;
        }
        self.progress(path, digest)
    }

    /// How far it is; when all is there, it is checked and gets its name.
    fn progress(&mut self, path: &str, digest: &str) -> Result<Json, String> {
        let Some(incoming) = self.incoming.get(digest) else { return Err(format!("{path}: lost")) };
        let have = incoming.have;
        if have < incoming.size {
            return Ok(json!({ "path": path, "have": have }));
        }
        let Some(Incoming { partial, digest: found, .. }) = self.incoming.remove(digest) else {
            return Err(format!("{path}: lost"));
        };
        let found = hex(&found.finalize());
        if found != digest {
            // What is wrong is of no use to anybody.
            let _ = fs::remove_file(&partial);
            return Err(format!("{path}: its digest is {found}, not {digest}: send it again"));
        }
        self.finish(path, &partial)?;
        Ok(json!({ "path": path, "have": have, "done": true }))
    }

    /// Makes ready to receive; what an earlier transfer left of the same content is kept.
    fn begin(&mut self, path: &str, size: u64, digest: &str) -> Result<(), String> {
        self.inside(path, false)?;
        if digest.len() != 64 || !digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(format!("{path}: sha256 has to be 64 hex digits in small letters"));
        }
        if size > FILE_MAX_BYTES {
            return Err(format!("{path}: {size} bytes are announced; {FILE_MAX_BYTES} is the most"));
        }
        if self.incoming.get(digest).is_some_and(|known| known.path == path && known.size == size) {
            return Ok(());
        }
        if self.incoming.len() >= INCOMING_MAX && !self.incoming.contains_key(digest) {
            // The one that comes first in order makes room; what came of it is kept on the disk.
            self.incoming.pop_first();
        }
        let partial = self.root.join(format!("{PARTIAL}{digest}"));
        let failed = |error: std::io::Error| format!("{path}: {error}");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&partial)
            .map_err(failed)?;
        let mut have = file.metadata().map_err(failed)?.len();
        if have > size {
            file.set_len(0).map_err(failed)?;
            have = 0;
        }
        let digested = digest_state(&mut file).map_err(failed)?;
        let incoming = Incoming { path: path.to_owned(), size, have, partial, file, digest: digested };
        self.incoming.insert(digest.to_owned(), incoming);
        Ok(())
    }

    fn finish(&mut self, path: &str, partial: &Path) -> Result<(), String> {
        let at = self.inside(path, true)?;
        fs::rename(partial, at).map_err(|error| format!("{path}: {error}"))
    }

    /// Where a path leads: always into this folder. Links are not followed; folders are made where `makes` says so.
    fn inside(&self, path: &str, makes: bool) -> Result<PathBuf, String> {
        let outside =
            || format!("{:?} is no path in this folder", path.chars().take(100).collect::<String>());
        if path.is_empty()
            || path.len() > PATH_MAX_BYTES
            || path.contains(['\0', '\\'])
            || path.ends_with('/')
        {
            return Err(outside());
        }
        let mut at = self.root.clone();
        let mut parts = Vec::new();
        // Autopilot's own paths may begin with a slash, and mean this folder by it.
        for part in Path::new(path.trim_start_matches('/')).components() {
            match part {
                Component::Normal(part) if !part.to_string_lossy().starts_with(PARTIAL) => parts.push(part),
                Component::CurDir => {}
                _ => return Err(outside()),
            }
        }
        let Some((name, folders)) = parts.split_last() else { return Err(outside()) };
        if folders.len() > PATH_MAX_FOLDERS {
            return Err(outside());
        }
        for folder in folders {
            at.push(folder);
            match fs::symlink_metadata(&at) {
                Ok(meta) if meta.is_dir() => {}
                Ok(_) => return Err(outside()),
                Err(error) if error.kind() == ErrorKind::NotFound && makes => {
                    fs::create_dir(&at).map_err(|error| format!("{path}: {error}"))?;
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(format!("{path}: {error}")),
            }
        }
        at.push(name);
        match fs::symlink_metadata(&at) {
            Ok(meta) if meta.is_symlink() => Err(outside()),
            _ => Ok(at),
        }
    }
}

fn decoded(file: &Json) -> Result<Vec<u8>, String> {
    let text = file.as_str().ok_or("FILE: file has to be base64")?;
    STANDARD.decode(text).map_err(|error| format!("FILE: file is no base64: {error}"))
}

/// The digest of a whole file of this size, in hex.
///
/// # Errors
/// It cannot be read.
pub fn digest_of(file: &mut File, size: u64) -> std::io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let mut digest = Sha256::new();
    std::io::copy(&mut file.take(size), &mut digest)?;
    Ok(hex(&digest.finalize()))
}

/// The digest of what a file has until now, to go on with; the file stands at its end then.
fn digest_state(file: &mut File) -> std::io::Result<Sha256> {
    file.seek(SeekFrom::Start(0))?;
    let mut digest = Sha256::new();
    std::io::copy(file, &mut digest)?;
    Ok(digest)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Files) {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::open(&dir.path().join("files")).unwrap();
        (dir, files)
    }

    fn part(path: &str, bytes: &[u8], range: std::ops::Range<usize>) -> Json {
        json!({"path": path, "size": bytes.len(), "sha256": hex(&Sha256::digest(bytes)), "offset": range.start,
            "file": STANDARD.encode(&bytes[range])})
    }

    #[test]
    fn whole_files_go_both_ways_as_autopilot_has_them() {
        let (_dir, mut files) = folder();
        let brought = json!({"path": "songs/a.wav", "file": "aGVsbG8="});
        assert_eq!(files.answer(&brought).unwrap().unwrap()["done"], true);
        assert_eq!(files.answer(&json!("songs/a.wav")), Ok(Some(brought.clone())));
        assert_eq!(files.answer(&json!("/songs/a.wav")).unwrap().unwrap()["file"], brought["file"]);
        assert!(files.answer(&json!("songs/b.wav")).unwrap_err().contains("songs/b.wav"));
    }

    #[test]
    fn parts_go_on_where_they_broke_off_and_are_checked() {
        let (dir, mut files) = folder();
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        let digest = hex(&Sha256::digest(&bytes));
        let offer = json!({"path": "x/data.bin", "size": bytes.len(), "sha256": digest});
        assert_eq!(files.answer(&offer), Ok(Some(json!({"path": "x/data.bin", "have": 0}))));
        let have = |answer: Result<Option<Json>, String>| answer.unwrap().unwrap()["have"].as_u64().unwrap();
        assert_eq!(have(files.answer(&part("x/data.bin", &bytes, 0..40_000))), 40_000);
        assert_eq!(have(files.answer(&part("x/data.bin", &bytes, 0..40_000))), 40_000, "it came twice");
        assert_eq!(have(files.answer(&part("x/data.bin", &bytes, 60_000..90_000))), 40_000, "too soon");
        // A new life of the node, and the same file again.
        let mut files = Files::open(&dir.path().join("files")).unwrap();
        assert_eq!(have(files.answer(&offer)), 40_000);
        assert!(!dir.path().join("files/x/data.bin").exists(), "not before it is complete");
        let last = files.answer(&part("x/data.bin", &bytes, 40_000..100_000)).unwrap().unwrap();
        assert_eq!((&last["done"], &last["have"]), (&json!(true), &json!(100_000)));
        assert_eq!(fs::read(dir.path().join("files/x/data.bin")).unwrap(), bytes);
        let asked = files.answer(&json!({"path": "x/data.bin", "offset": 99_998})).unwrap().unwrap();
        assert_eq!(asked["file"], STANDARD.encode(&bytes[99_998..]));
        assert_eq!(asked["sha256"], digest);
    }

    #[test]
    fn what_is_not_what_it_says_is_refused_and_forgotten() {
        let (dir, mut files) = folder();
        let bytes = b"right".to_vec();
        let mut wrong = part("a", &bytes, 0..5);
        wrong["file"] = json!(STANDARD.encode(b"wrong"));
        assert!(files.answer(&wrong).unwrap_err().contains("digest"));
        assert_eq!(fs::read_dir(dir.path().join("files")).unwrap().count(), 0);
        assert_eq!(files.answer(&part("a", &bytes, 0..5)).unwrap().unwrap()["done"], true);
        let mut more = part("b", &bytes, 0..5);
        more["size"] = json!(3);
        assert!(files.answer(&more).unwrap_err().contains("more than"));
        for bad in [
            json!({"path": "c", "size": u64::MAX, "sha256": "0".repeat(64)}),
            json!({"path": "c", "size": 1, "sha256": "../../x"}),
            json!({"path": "c", "file": "!!"}),
            json!({"path": "c", "file": 3}),
            json!({"file": "aGVsbG8="}),
            json!(null),
            json!([1]),
        ] {
            assert!(files.answer(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_path_leads_outside() {
        let (dir, mut files) = folder();
        fs::write(dir.path().join("secret"), "secret").unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("files/link")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), dir.path().join("files/file")).unwrap();
        for path in [
            "../secret",
            "a/../../secret",
            "link/secret",
            "file",
            "..",
            ".",
            "",
            "/",
            "a/",
            "link/x/y",
            "/../secret",
            "a\0b",
            "a\\b",
            ".pisink-partial-x",
            "a/b/c/d/e/f/g/h/i/j",
        ] {
            assert!(files.answer(&json!(path)).is_err(), "{path:?} is read");
            let brought = json!({"path": path, "file": "aGVsbG8="});
            assert!(files.answer(&brought).is_err(), "{path:?} is written");
        }
        assert_eq!(fs::read(dir.path().join("secret")).unwrap(), b"secret");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
