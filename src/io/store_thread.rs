//! The store's own thread: takes commands, commits in groups, and says what is durable. Nobody else writes.
//!
//! A disk that is full or fails costs nothing that was acknowledged: own readings wait in bounded memory and are tried
//! again, readings of other nodes are refused (they are safe in their journals), and the health says so.

use std::collections::{BTreeSet, VecDeque};
use std::sync::mpsc::{RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

mod handle;
mod latest;
mod marks;
mod rounds;
mod settle;

use serde_json::Value as Json;

use super::clock;
use super::kept_role::Keep;
use super::queue::QueueReceiver;
use crate::model::{ClockLink, ClockMark, Instant, JournalId, NodeName, Pack, Readings, RoundRecord, Seq};
use crate::node::Asker;
use crate::store::{Committed, Cursor, Retention, Store, StoreError};
pub(crate) use handle::StoreHandle;
use rounds::Rounds;
pub(crate) use settle::RoleFacts;

/// A group is committed at the latest when it has so many readings, whatever the flush interval: about 1 MiB, which an
/// SD card takes well. Half of what one peer may have on its way, so that the next group comes in meanwhile.
const GROUP_MAX_READINGS: usize = 16_384;
/// Own readings that wait in memory while the disk takes none: at 5 a second, nearly three hours, in about 4 MiB.
const WAITING_MAX_READINGS: usize = 50_000;
/// The store works again when it has not failed for so long: on a disk that is nearly full, small groups find room and
/// large ones do not, by turns.
const RELIEF_AFTER: Duration = Duration::from_secs(5);
/// Different troubles that are told until it works again.
const TOLD_MAX: usize = 8;
/// After a failed commit, this long until the next try.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// From one look at the retention limits to the next.
const RETENTION_EVERY: Duration = Duration::from_secs(60);

/// What the store thread is asked.
pub(crate) enum StoreCommand {
    Append(Pack),
    Take(Vec<Readings>),
    Read {
        asker: Asker,
        after: Seq,
        max: u32,
    },
    ReadLatest {
        asker: Asker,
        id: String,
    },
    AddRound(RoundRecord),
    NoteConsumer(NodeName, Seq),
    NotePeer(String, NodeName),
    NoteMark(ClockMark),
    NoteLink {
        node: NodeName,
        journal: JournalId,
        link: ClockLink,
    },
    /// Settle all that came before, keep a role if one is to be kept, and say what a role needs to begin.
    Settle {
        keep: Option<Keep>,
    },
    /// Work by these settings from now on.
    Adjust(StoreSettings),
    Stop,
}

/// What it answers.
#[derive(Debug)]
pub(crate) enum StoreReply {
    /// The own journal is durable through here.
    Appended(Seq),
    Taken {
        journal: JournalId,
        cursor: Seq,
    },
    Refused {
        journal: JournalId,
    },
    Piece {
        asker: Asker,
        piece: Result<Readings, String>,
    },
    Latest {
        asker: Asker,
        id: String,
        latest: Result<Json, String>,
    },
    /// What a role needs to begin; or why it must not.
    Settled(Result<RoleFacts, String>),
    /// The file turned out damaged while running: begin the session anew, which moves it aside.
    Damaged(String),
}

/// How the thread ended: everything is on disk, or what is not, and why.
pub(crate) type Ended = Result<(), String>;

/// How the thread works.
pub(crate) struct StoreSettings {
    pub(crate) flush_interval: Duration,
    pub(crate) retention: Retention,
}

/// Starts the thread. Replies go to `replies`, each followed by a `wake`.
pub(crate) fn start(
    store: Store,
    settings: StoreSettings,
    replies: Sender<StoreReply>,
    wake: impl Fn() + Send + 'static,
) -> std::io::Result<(StoreHandle, JoinHandle<Ended>)> {
    let (handle, inbox) = StoreHandle::new();
    let now = clock::now().mono;
    let worker = Worker {
        store,
        settings,
        replies,
        handle: handle.clone(),
        waiting: VecDeque::new(),
        waiting_readings: 0,
        marks: VecDeque::new(),
        rounds: Rounds::default(),
        applied: 0,
        takes: BTreeSet::new(),
        group_readings: 0,
        is_dirty: false,
        next_commit_at: now,
        next_retention_at: now + RETENTION_EVERY,
        trouble: None,
        told: BTreeSet::new(),
        failed_at: now,
        commits: 0,
        has_replied: false,
        is_damaged: false,
    };
    let thread =
        std::thread::Builder::new().name("store".to_owned()).spawn(move || worker.run(&inbox, wake))?;
    Ok((handle, thread))
}

struct Worker {
    store: Store,
    settings: StoreSettings,
    replies: Sender<StoreReply>,
    handle: StoreHandle,
    /// Own packs that are not durable yet, oldest first.
    waiting: VecDeque<Pack>,
    waiting_readings: usize,
    /// What the wall clock showed, and is not durable yet.
    marks: VecDeque<ClockMark>,
    rounds: Rounds,
    /// How many of `waiting` are in the open group.
    applied: usize,
    /// Journals of others with readings in the open group.
    takes: BTreeSet<JournalId>,
    group_readings: usize,
    is_dirty: bool,
    next_commit_at: Instant,
    next_retention_at: Instant,
    trouble: Option<String>,
    /// The troubles that people have been told of, since it last worked.
    told: BTreeSet<String>,
    failed_at: Instant,
    commits: u64,
    has_replied: bool,
    is_damaged: bool,
}

impl Worker {
    fn run(mut self, inbox: &QueueReceiver<StoreCommand>, wake: impl Fn()) -> Ended {
        loop {
            let command = match self.patience() {
                Some(wait) => inbox.recv_timeout(wait),
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let now = clock::now().mono;
            self.handle.promise().back_by(now);
            match command {
                Ok(StoreCommand::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(command) => self.carry_out(command),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.is_dirty |= self.rounds.due().is_some_and(|due| now >= due);
            if self.is_dirty && (now >= self.next_commit_at || self.group_readings >= GROUP_MAX_READINGS) {
                self.commit(now);
            }
            if now >= self.next_retention_at {
                self.retain(now);
            }
            if std::mem::take(&mut self.has_replied) {
                wake();
            }
            if self.is_damaged {
                return self.unsaved();
            }
        }
        if self.has_more() {
            self.commit(clock::now().mono);
        }
        let unsaved = self.unsaved();
        if let Err(error) = self.store.close() {
            log::error!("store: {error}");
        }
        unsaved
    }

    /// Whether there is anything that is not on disk.
    fn has_more(&self) -> bool {
        self.is_dirty || !self.marks.is_empty() || !self.rounds.is_empty()
    }

    /// Own readings that are not on disk, and now never will be.
    fn unsaved(&self) -> Ended {
        match (self.waiting_readings, &self.trouble) {
            (0, _) | (_, None) => Ok(()),
            (count, Some(trouble)) => Err(format!("{count} readings are lost: {trouble}")),
        }
    }

    /// How long to wait for a command; for ever when nothing is due.
    fn patience(&self) -> Option<Duration> {
        let now = clock::now().mono;
        let commit = self.is_dirty.then_some(self.next_commit_at);
        let due =
            [commit, self.rounds.due()].into_iter().flatten().fold(self.next_retention_at, Instant::min);
        self.handle.promise().back_by(due.max(now));
        Some(due.saturating_since(now))
    }

    fn carry_out(&mut self, command: StoreCommand) {
        match command {
            StoreCommand::Append(pack) => self.append(pack),
            StoreCommand::Take(pieces) => pieces.iter().for_each(|readings| self.take(readings)),
            StoreCommand::Read { asker, after, max } => {
                let piece = self.store.read_own(after, max);
                if let Err(error) = &piece
                    && error.is_damage()
                {
                    self.fail(error);
                }
                self.reply(StoreReply::Piece { asker, piece: piece.map_err(|error| error.to_string()) });
            }
            StoreCommand::ReadLatest { asker, id } => self.tell_latest(asker, id),
            StoreCommand::AddRound(round) => self.add_round(clock::now().mono, round),
            StoreCommand::NoteConsumer(name, seq) => {
                let now = clock::now().wall;
                self.note(|store| store.note_consumer(name.as_str(), seq, now));
            }
            StoreCommand::NoteMark(mark) => self.note_mark(mark),
            StoreCommand::NoteLink { node, journal, link } => {
                self.note(|store| store.note_link(&node, journal, &link));
            }
            StoreCommand::NotePeer(address, node) => self.note(|store| store.note_peer(&address, &node)),
            StoreCommand::Settle { keep } => self.settle(keep),
            StoreCommand::Adjust(settings) => self.adjust(settings),
            StoreCommand::Stop => {}
        }
    }

    fn append(&mut self, pack: Pack) {
        self.waiting_readings += pack.len();
        self.waiting.push_back(pack);
        self.is_dirty = true;
        while self.waiting_readings > WAITING_MAX_READINGS && self.applied == 0 {
            let dropped = self.waiting.pop_front().map_or(0, |pack| pack.len());
            self.waiting_readings -= dropped;
            self.handle.waits_no_more(dropped);
            self.handle.count_dropped(dropped);
        }
        if self.trouble.is_none() {
            self.apply_waiting();
        }
    }

    /// Puts the own packs that are not yet in the open group into it.
    fn apply_waiting(&mut self) {
        while let Some(pack) = self.waiting.get(self.applied) {
            if let Err(error) = self.store.append(pack) {
                return self.fail(&error);
            }
            self.applied += 1;
            self.group_readings += pack.len();
        }
    }

    fn take(&mut self, readings: &Readings) {
        if self.trouble.is_some() {
            return self.reply(StoreReply::Refused { journal: readings.journal });
        }
        match self.store.take(readings, clock::now().wall) {
            Ok(taken) if taken.early => self.reply(StoreReply::Refused { journal: readings.journal }),
            Ok(taken) => {
                if let Some(hole) = taken.hole {
                    let node = &readings.node;
                    log::warn!(
                        "{node}: readings {} to {} are no longer to be had there",
                        hole.first,
                        hole.last
                    );
                }
                self.group_readings += readings.pack.len();
                self.takes.insert(readings.journal);
                self.is_dirty = true;
            }
            Err(error) => {
                self.reply(StoreReply::Refused { journal: readings.journal });
                if !error.is_refusal() {
                    self.fail(&error);
                } else {
                    log::debug!("{}: {error}", readings.node);
                }
            }
        }
    }

    /// A record beside the readings: lost with its group when that fails, for it is made anew or not worth keeping.
    fn note(&mut self, change: impl FnOnce(&mut Store) -> Result<(), StoreError>) {
        if self.trouble.is_some() {
            return;
        }
        match change(&mut self.store) {
            Ok(()) => self.is_dirty = true,
            Err(error) if error.is_refusal() => log::debug!("{error}"),
            Err(error) => self.fail(&error),
        }
    }

    fn commit(&mut self, now: Instant) {
        self.next_commit_at = now + self.settings.flush_interval;
        if self.trouble.is_some() {
            self.trouble = None;
            self.apply_waiting();
        }
        if self.trouble.is_none() {
            self.apply_marks();
            self.apply_rounds();
        }
        if self.trouble.is_some() {
            return;
        }
        match self.store.commit() {
            Ok(committed) => self.committed(committed),
            Err(error) => self.fail(&error),
        }
    }

    fn committed(&mut self, committed: Committed) {
        let appended: usize = self.waiting.drain(..self.applied).map(|pack| pack.len()).sum();
        self.waiting_readings -= appended;
        self.handle.waits_no_more(appended);
        (self.applied, self.group_readings, self.is_dirty) = (0, 0, false);
        self.takes.clear();
        self.marks.clear();
        if appended > 0 {
            self.reply(StoreReply::Appended(committed.own));
        }
        for Cursor { journal, seq, .. } in committed.cursors {
            self.reply(StoreReply::Taken { journal, cursor: seq });
        }
        self.commits += 1;
        if !self.told.is_empty() && clock::now().mono >= self.failed_at + RELIEF_AFTER {
            self.told.clear();
            log::warn!("store: it works again; everything that waited is on disk");
        }
        self.publish();
    }

    fn publish(&self) {
        let bytes = self.store.bytes().unwrap_or(0);
        self.handle.update_health(|health| {
            health.trouble.clone_from(&self.trouble);
            health.waiting_readings = self.waiting_readings;
            health.commits = self.commits;
            health.bytes = bytes;
        });
    }

    /// The group is lost (the store has rolled it back): own readings stay and are tried again, others' are refused.
    fn fail(&mut self, error: &StoreError) {
        self.store.roll_back();
        for journal in std::mem::take(&mut self.takes) {
            self.reply(StoreReply::Refused { journal });
        }
        (self.applied, self.group_readings, self.is_dirty) = (0, 0, true);
        self.failed_at = clock::now().mono;
        self.next_commit_at = self.failed_at + RETRY_AFTER;
        let text = error.to_string();
        self.trouble = Some(text.clone());
        if !error.is_damage() && self.told.len() < TOLD_MAX && self.told.insert(text.clone()) {
            log::error!(
                "store: {text}; sensing goes on, readings wait in memory (at most {WAITING_MAX_READINGS})"
            );
        }
        self.publish();
        if error.is_damage() {
            self.is_damaged = true;
            self.reply(StoreReply::Damaged(text));
        }
    }

    fn retain(&mut self, now: Instant) {
        self.next_retention_at = now + RETENTION_EVERY;
        if self.has_more() {
            self.commit(now);
        }
        match self.store.retain(&self.settings.retention, clock::now().wall) {
            Ok(report) => {
                self.is_dirty |= report.readings > 0 || report.rounds > 0;
                if let Some(lost) = report.untaken {
                    log::error!(
                        "the store is at its bound: own readings {} to {}, which a sink has not taken yet, are \
                         dropped; poll this node more often, or give it more room with --keep-size",
                        lost.first,
                        lost.last
                    );
                }
                if report.more {
                    self.next_retention_at = now;
                }
            }
            Err(error) => self.fail(&error),
        }
    }

    fn reply(&mut self, reply: StoreReply) {
        self.has_replied = true;
        // An error means that the loop has ended: nobody wants to know any more.
        let _ = self.replies.send(reply);
    }
}
