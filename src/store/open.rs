//! Opening a data directory: taking it for this process, setting SQLite up, checking the file, bringing its schema
//! up to date.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::channels::Channels;
use super::damage::{beside, check_file, move_aside};
use super::error::{Doing, StoreError};
use super::latest::Latest;
use super::refresh::Stale;
use super::rounds::Rounds;
use super::schema::{Kind, Step, kind, migrate, newest};
use super::source_rows::{Own, own, own_name};
use super::sources::Sources;
use super::{FILE_NAME, LOCK_NAME, OwnJournal, Store};
use crate::model::{BootId, JournalId, NodeName, WallTime};

/// How long a call waits for another program (somebody's `sqlite3`) that holds a write lock.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The page cache, KiB. A secondary has 8 MiB for its whole process; a bigger cache made appending no faster.
const CACHE_KIB: i64 = 1024;

/// Pages of 4 KiB in the write-ahead log before they are copied into the file. Between two such checkpoints, a page
/// that many commits touch is written into the file once.
const CHECKPOINT_PAGES: i64 = 1000;

/// What is left of the log's file after a checkpoint, bytes; a burst may have made it larger.
const LOG_BYTES_KEPT: i64 = 8 << 20;

/// Prepared statements kept for the next call; more than the module has.
pub(super) const STATEMENTS_KEPT: usize = 64;

/// What [`Store::open`](super::Store::open) needs to know.
#[derive(Clone, Debug)]
pub struct OpenParams {
    /// The node's name now.
    pub node: NodeName,
    /// Becomes the journal's id if a journal has to be made. From a good source of randomness.
    pub new_journal: JournalId,
    /// The machine's boot, which monotonic stamps count from.
    pub boot: BootId,
    /// The wall clock.
    pub now: WallTime,
    /// How thoroughly to look at the file.
    pub check: Check,
}

/// How thoroughly to look at a file when it is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Check {
    /// As its last end demands: nothing after a clean end, within a bound otherwise.
    #[default]
    Auto,
    /// All of it, however large: after [`StoreError::Damaged`], or by command.
    Full,
}

/// What was looked at when a file was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checked {
    /// Its header, its length and what opening needs: it is large, and was closed cleanly.
    #[default]
    Header,
    /// The newest readings of every journal and all small tables: it is too large for more.
    Newest,
    /// Every page.
    All,
}

/// A damaged file, out of the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where it is now, with its `-wal` beside it if it had one.
    pub moved_to: PathBuf,
    /// What was found.
    pub why: String,
}

/// What was met when a store was opened. Everything here but `own` and `checked` is worth a line in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenReport {
    /// This node's own journal.
    pub own: OwnJournal,
    /// Whether the journal was made now: nothing is in it.
    pub made: bool,
    /// A damaged file was moved aside. To be said loudly: what it held is not in the store any more.
    pub damage: Option<Damage>,
    /// The node had this name when the directory was last opened. Its journal goes on under the new one.
    pub renamed_from: Option<NodeName>,
    /// The schema had this version before.
    pub migrated_from: Option<i64>,
    /// What was looked at.
    pub checked: Checked,
}

/// [`Store::open`](super::Store::open), with the list of migrations as a parameter.
pub(super) fn open(
    dir: &Path,
    params: &OpenParams,
    migrations: &[Step],
) -> Result<(Store, OpenReport), StoreError> {
    make_dir(dir)?;
    let lock = take_lock(dir)?;
    let path = dir.join(FILE_NAME);
    let mut damage = None;
    let loaded = match load(&path, Name::Now(&params.node), params, migrations) {
        Err(error) if error.is_damage() => {
            let moved_to = move_aside(&path, params.now)?;
            let why = match &error {
                StoreError::Damaged { doing, detail } => format!("{detail}, seen while {doing}"),
                other => other.to_string(),
            };
            damage = Some(Damage { moved_to, why });
            load(&path, Name::Now(&params.node), params, migrations)?
        }
        other => other?,
    };
    Ok(finish(path, lock, params, loaded, damage))
}

/// [`Store::open_to_merge`](super::Store::open_to_merge), with the list of migrations as a parameter.
pub(super) fn open_to_merge(
    dir: &Path,
    params: &OpenParams,
    migrations: &[Step],
) -> Result<(Store, OpenReport), StoreError> {
    make_dir(dir)?;
    let lock = take_lock(dir)?;
    let path = dir.join(FILE_NAME);
    let loaded = load(&path, Name::IfNew(&params.node), params, migrations)?;
    Ok(finish(path, lock, params, loaded, None))
}

/// What a node's name is for.
#[derive(Clone, Copy)]
enum Name<'a> {
    /// The node has it now.
    Now(&'a NodeName),
    /// Only a new store gets it.
    IfNew(&'a NodeName),
}

fn finish(
    path: PathBuf,
    lock: DirLock,
    params: &OpenParams,
    loaded: Loaded,
    damage: Option<Damage>,
) -> (Store, OpenReport) {
    let Loaded { db, sources, rounds, stale, migrated_from, renamed_from, made, checked } = loaded;
    let (channels, latest, boot) = (Channels::default(), Latest::default(), params.boot);
    let store = Store { db, path, boot, sources, channels, rounds, stale, latest, _lock: lock };
    let own = store.own();
    (store, OpenReport { own, made, damage, renamed_from, migrated_from, checked })
}

struct Loaded {
    db: Connection,
    sources: Sources,
    rounds: Rounds,
    stale: Stale,
    migrated_from: Option<i64>,
    renamed_from: Option<NodeName>,
    made: bool,
    checked: Checked,
}

fn load(path: &Path, name: Name<'_>, params: &OpenParams, migrations: &[Step]) -> Result<Loaded, StoreError> {
    // A clean end empties and removes the log; one that is left tells of a kill or a power failure.
    let unclean = fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if unclean && fs::metadata(path).map_or(0, |file| file.len()) == 0 {
        let detail = "its log is there, but the file itself is empty".to_string();
        return Err(StoreError::Damaged { doing: "opening the store", detail });
    }
    let db = Connection::open_with_flags(path, flags).doing("opening the store")?;
    // Until the file has proved sound and ours, closing it must not copy the log into it.
    let keep_log =
        |on| db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, on).doing("opening the store");
    keep_log(true)?;
    db.busy_timeout(BUSY_TIMEOUT).doing("opening the store")?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    match kind(&db)? {
        Kind::Foreign => return Err(StoreError::NotAStore { path: path.into() }),
        Kind::Store(found) if found > newest(migrations) => {
            return Err(StoreError::NewerSchema { path: path.into(), found, known: newest(migrations) });
        }
        Kind::Empty | Kind::Store(_) => set_up(&db)?,
    }
    let checked = check_file(&db, path, params.check, unclean)?;
    let migrated_from = migrate(&db, path, migrations)?;
    let known = match name {
        Name::IfNew(_) => own_name(&db)?,
        Name::Now(_) => None,
    };
    let (Name::Now(name) | Name::IfNew(name)) = name;
    let Own { source, made, renamed_from } = own(&db, known.as_ref().unwrap_or(name), params.new_journal)?;
    let rounds = Rounds::load(&db, source.id)?;
    let stale = Stale::load(&db)?;
    keep_log(false)?;
    Ok(Loaded {
        sources: Sources::new(source),
        rounds,
        stale,
        migrated_from,
        renamed_from,
        made,
        checked,
        db,
    })
}

/// The settings that `docs/store.md` justifies.
fn set_up(db: &Connection) -> Result<(), StoreError> {
    let doing = "setting the store up";
    let set = |pragma, value: &dyn rusqlite::ToSql| db.pragma_update(None, pragma, value).doing(doing);
    set("page_size", &4096)?; // takes effect in a new file only
    let mode: String =
        db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)).doing(doing)?;
    if !mode.eq_ignore_ascii_case("wal") {
        let detail = format!("the file system gives journal_mode {mode} instead of WAL; use a local disk");
        return Err(StoreError::Denied { doing, detail });
    }
    set("synchronous", &"FULL")?;
    set("wal_autocheckpoint", &CHECKPOINT_PAGES)?;
    set("journal_size_limit", &LOG_BYTES_KEPT)?;
    set("cache_size", &-CACHE_KIB)?;
    set("mmap_size", &0)?;
    set("temp_store", &"MEMORY")?;
    set("foreign_keys", &false)
}

/// Makes the directory, so that it survives a power failure.
fn make_dir(dir: &Path) -> Result<(), StoreError> {
    if dir.is_dir() {
        return Ok(());
    }
    let error = |doing| move |why| StoreError::File { path: dir.into(), doing, why };
    fs::create_dir_all(dir).map_err(error("make this directory"))?;
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|parent| parent.sync_all()).map_err(error("make this directory"))
}

/// A directory that is this process's, for as long as this lives; the lock goes with the process, however that ends.
#[derive(Debug)]
pub(super) struct DirLock(#[expect(dead_code, reason = "held, not used")] File);

/// Takes the directory for this process. The lock goes with the process, however that ends.
fn take_lock(dir: &Path) -> Result<DirLock, StoreError> {
    let path = dir.join(LOCK_NAME);
    let error = |why| StoreError::File { path: path.clone(), doing: "lock this file", why };
    let lock =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(error)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut by = String::new();
            let _ = (&lock).take(64).read_to_string(&mut by);
            return Err(StoreError::InUse { dir: dir.into(), by: by.trim().into() });
        }
        Err(TryLockError::Error(source)) => return Err(error(source)),
    }
    // Only a help for people: that it cannot be written (a full disk) is no reason not to start.
    let _ = lock.set_len(0).and_then(|()| writeln!(&lock, "process {}", std::process::id()));
    Ok(DirLock(lock))
}
