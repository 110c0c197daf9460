//! What can go wrong in the store, sorted by what the caller can do about it.

use std::path::PathBuf;

use rusqlite::ErrorCode;

/// `SQLITE_IOERR_SHMSIZE`: the shared-memory file could not grow, which is what a full disk looks like there.
const IOERR_SHMSIZE: i32 = 10 | (19 << 8);

/// Why the store could not do what it was asked. Unless [`StoreError::is_refusal`] says otherwise, everything since
/// the last commit is undone.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No space left. Nothing is damaged: free space, then try again.
    #[error("no space left while {doing} ({detail}); free some space: the same step then works again")]
    Full {
        /// What was being done.
        doing: &'static str,
        /// SQLite's words.
        detail: String,
    },
    /// The device or file system failed.
    #[error("the disk failed while {doing} ({detail}); look at `dmesg` and replace the card if it names it")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// SQLite's words.
        detail: String,
    },
    /// The file is no sound database any more. Opening again with [`Check::Full`](super::Check) moves it aside.
    #[error("the store is damaged, seen while {doing} ({detail}); opening it again moves it aside")]
    Damaged {
        /// What was being done.
        doing: &'static str,
        /// SQLite's words, or what the check found.
        detail: String,
    },
    /// Another program holds a lock in the file for longer than [`BUSY_TIMEOUT`](super::BUSY_TIMEOUT).
    #[error("another program locks the store while {doing} ({detail}); end its transaction, then try again")]
    Busy {
        /// What was being done.
        doing: &'static str,
        /// SQLite's words.
        detail: String,
    },
    /// The file is there but may not be opened or written.
    #[error(
        "not allowed while {doing} ({detail}); check the owner and the mode of the file and its directory"
    )]
    Denied {
        /// What was being done.
        doing: &'static str,
        /// SQLite's words.
        detail: String,
    },
    /// Anything else that SQLite reports.
    #[error("the store failed while {doing} ({detail}); this is a fault of the program, please report it")]
    Sql {
        /// What was being done.
        doing: &'static str,
        /// SQLite's words.
        detail: String,
    },
    /// A directory or file beside the database could not be made, locked, or moved.
    #[error("{path}: cannot {doing} ({why}); check that the directory exists and may be written")]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// The operating system's words.
        why: std::io::Error,
    },
    /// Another process works in this directory.
    #[error("{dir}: another pisink ({by}) works in this directory; stop it or give this one another --data")]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// The holder, as it wrote itself into the lock file.
        by: String,
    },
    /// The file was written by a newer version of the program. It is left as it is.
    #[error(
        "{path} has schema version {found}, this program knows {known}; use the newer pisink, or another --data"
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Version of the file.
        found: i64,
        /// Newest version known here.
        known: i64,
    },
    /// A file that only a node may bring up to date, met by a reader.
    #[error(
        "{path} has schema version {found}, this program reads {known}; start the node once to bring it up to date"
    )]
    OlderSchema {
        /// The file.
        path: PathBuf,
        /// Version of the file.
        found: i64,
        /// Version that is read here.
        known: i64,
    },
    /// There is no store in the directory, or the file of that name is some other program's database.
    #[error("{path} is not a pisink store; give the directory that the node has as --data")]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// The file is there, and nothing is in it.
    #[error("nothing is in {path} yet: if its node has just been started, ask again in a moment")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// What was given cannot be stored. Nothing was changed, and the open group stays as it was.
    #[error("refused: {0}")]
    Refused(String),
}

impl StoreError {
    /// Whether the call was refused before it changed anything, so that the open group still stands.
    pub fn is_refusal(&self) -> bool {
        matches!(self, StoreError::Refused(_))
    }

    /// Whether the file is at fault, and not the disk, the caller or the rights.
    pub fn is_damage(&self) -> bool {
        matches!(self, StoreError::Damaged { .. })
    }

    fn from_sqlite(error: &rusqlite::Error, doing: &'static str) -> Self {
        let detail = error.to_string();
        let rusqlite::Error::SqliteFailure(failure, _) = error else {
            return match error {
                // A column of another type or range than this program ever writes.
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..) => StoreError::Damaged { doing, detail },
                _ => StoreError::Sql { doing, detail },
            };
        };
        match failure.code {
            ErrorCode::DiskFull => StoreError::Full { doing, detail },
            ErrorCode::SystemIoFailure if failure.extended_code == IOERR_SHMSIZE => {
                StoreError::Full { doing, detail }
            }
            ErrorCode::SystemIoFailure => StoreError::Io { doing, detail },
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Damaged { doing, detail },
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy { doing, detail },
            ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly => {
                StoreError::Denied { doing, detail }
            }
            _ => StoreError::Sql { doing, detail },
        }
    }
}

/// Says of an SQLite error during what it came.
pub(super) trait Doing<T> {
    /// Turns the error into a [`StoreError`] that names `doing`, as in "taking readings".
    fn doing(self, doing: &'static str) -> Result<T, StoreError>;
}

impl<T> Doing<T> for rusqlite::Result<T> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError> {
        self.map_err(|error| StoreError::from_sqlite(&error, doing))
    }
}

/// A damaged store, by what was read from it: a name, an id or a number that no version of the program writes.
pub(super) fn unreadable(doing: &'static str, what: &str) -> StoreError {
    StoreError::Damaged { doing, detail: format!("{what:?} is not what the program writes there") }
}
