//! Check `journal`: the store is sound, and readings come. It is read beside the node, which goes on.

use std::path::Path;
use std::time::Duration;

use super::finding::Finding;
use super::scene::Scene;
use super::words;
use crate::store::{Checked, FILE_NAME, SourceStats, Stats, StoreError};

/// A running node whose newest reading is older than so many intervals has stopped to read.
const LATE_INTERVALS: u32 = 10;
/// And never earlier than this: a chip may have a longer interval of its own.
const LATE_MIN: Duration = Duration::from_secs(120);

pub(super) fn check(scene: &Scene) -> Vec<Finding> {
    let data = &scene.settings.data;
    let mut findings = aside(data);
    let data_dir = data.display();
    match scene.has_store() {
        Some(true) => {}
        Some(false) => {
            findings
                .push(Finding::note(format!("no store in {data_dir}: the node makes it at its first start")));
            return findings;
        }
        None => {
            let hidden = Finding::skipped(format!("this user may not look into {data_dir}"));
            findings.push(hidden.and_next("sudo pisink doctor --only journal"));
            return findings;
        }
    }
    match scene.reader().and_then(|reader| Ok((reader.check(data)?, reader.stats()?))) {
        Ok((checked, stats)) => {
            findings.push(sound(scene, checked, &stats));
            findings.extend(losses(&stats));
        }
        Err(error) => findings.push(trouble(&error)),
    }
    findings
}

/// Damaged files that an earlier start has moved aside.
fn aside(data: &Path) -> Vec<Finding> {
    let prefix = format!("{FILE_NAME}.damaged-");
    let names = std::fs::read_dir(data).into_iter().flatten().flatten();
    let mut names: Vec<String> = names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with(&prefix) && !name.ends_with("-wal") && !name.ends_with("-shm"))
        .collect();
    names.sort();
    let Some(newest) = names.last() else { return Vec::new() };
    let path = data.join(newest);
    vec![Finding::warning(
        format!("{} damaged store(s) moved aside, the newest as {}", names.len(), path.display()),
        format!(
            "save what can be read: sqlite3 {} .recover | sqlite3 recovered.sqlite; then remove it, and mind the card",
            path.display()
        ),
    )]
}

fn sound(scene: &Scene, checked: Checked, stats: &Stats) -> Finding {
    let looked = match checked {
        Checked::All => "every page is sound",
        Checked::Newest => "its newest part is sound (it is too large to be read whole)",
        Checked::Header => "its header is sound",
    };
    let readings: u64 = stats.sources.iter().map(|source| source.readings).sum();
    let own = stats.sources.iter().find(|source| source.own);
    let last = own.and_then(|source| source.times).map(|(_, last)| last);
    let what = format!("{looked}; {readings} readings of {} journal(s)", stats.sources.len());
    let Some(last) = last else {
        return Finding::good(format!("{what}, none of this node's own"));
    };
    let age_us = scene.wall.as_unix_micros().saturating_sub(last.as_unix_micros());
    let age = Duration::from_micros(u64::try_from(age_us).unwrap_or(0));
    let when = last.to_string().get(..19).unwrap_or_default().replace('T', " ");
    let what = format!("{what}, the last own one of {when} UTC");
    if age_us < -i64::from(u32::try_from(LATE_MIN.as_micros()).unwrap_or(u32::MAX)) {
        return Finding::note(format!("{what}, which is still to come by this clock: see `clock`"));
    }
    let late = (scene.settings.interval * LATE_INTERVALS).max(LATE_MIN);
    if scene.node_process().is_some() && age > late {
        return Finding::warning(
            format!("{what}, {} ago, though a node runs", words::span(age)),
            format!("pisink status {}; journalctl -u pisink -n 50", scene.own_address()),
        );
    }
    Finding::good(what)
}

fn losses(stats: &Stats) -> Option<Finding> {
    let sum = |count: fn(&SourceStats) -> u64| stats.sources.iter().map(count).sum::<u64>();
    let (dropped, missing) = (sum(|source| source.dropped_untaken), sum(|source| source.missing));
    (dropped + missing > 0).then(|| {
        Finding::warning(
            format!("{dropped} readings were dropped here before a sink had them, {missing} were gone at their source"),
            "give keep_size a larger value, and see that the sink reaches every node",
        )
    })
}

fn trouble(error: &StoreError) -> Finding {
    let next = match error {
        StoreError::Damaged { .. } => {
            "stop the node and copy the data folder away; the next start moves the file aside and begins a new one"
        }
        StoreError::NewerSchema { .. } => "install the newer pisink again, or give this one another --data",
        StoreError::OlderSchema { .. } => "start the node once",
        StoreError::Denied { .. } | StoreError::File { .. } => "look again with `sudo pisink doctor`",
        StoreError::NotAStore { .. } => "give --data another folder",
        StoreError::Empty { .. } => "look again in a moment; if it stays so, start the node",
        StoreError::Busy { .. } => "end the other program's transaction, then look again",
        _ => "look at `dmesg | grep -i -e mmc -e ext4`; if the card fails, copy it to a new one",
    };
    // SQLite's findings come one a line.
    let what = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    match error {
        StoreError::OlderSchema { .. } => Finding::note(what).and_next(next),
        StoreError::Denied { .. } | StoreError::Busy { .. } => Finding::warning(what, next),
        _ => Finding::failure(what, next),
    }
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
