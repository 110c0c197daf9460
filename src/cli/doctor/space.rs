//! Check `space`: the free disk, and how long it lasts at the rate of the config.

use std::path::Path;

use pisink_sensors::catalogue;
use pisink_sensors::host::Host as HostChannels;

use super::finding::Finding;
use super::host::disk_bytes;
use super::scene::Scene;
use super::words;
use crate::io::Settings;
use crate::model::CLOCK_IS_SET_FROM;
use crate::store::Stats;

/// What a reading takes in the store (docs/store.md).
const BYTES_PER_READING: f64 = 40.0;
/// Less free than this, and the store soon takes nothing: its log alone wants 16 MB.
const FAILURE_BYTES: u64 = 64_000_000;
/// Less free than this is worth a word, for other programs fill disks too.
const WARNING_BYTES: u64 = 500_000_000;
/// A store is measured once it has readings of so long a time, in microseconds.
const MEASURED_MIN_US: i64 = 3_600_000_000;
const DAY_S: f64 = 86_400.0;

const ADVICE: &str =
    "make room (sudo apt clean; sudo journalctl --vacuum-size=50M), or keep less (keep_size, keep_for)";

/// How fast the store grows.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Growth {
    bytes_per_day: f64,
    /// Whether it was seen, or follows from the config.
    measured: bool,
}

pub(super) fn check(scene: &Scene) -> Vec<Finding> {
    let data = &scene.settings.data;
    let Some((free, whole)) = disk_bytes(data) else {
        return vec![Finding::skipped(format!("the disk of {} cannot be measured", data.display()))];
    };
    let stats = scene.reader().ok().and_then(|reader| reader.stats().ok());
    vec![judge(free, whole, stats.as_ref(), &scene.settings)]
}

fn judge(free: u64, whole: u64, stats: Option<&Stats>, settings: &Settings) -> Finding {
    let used = stats.map_or(0, |stats| stats.bytes);
    let growth = measured(stats).or_else(|| configured(settings));
    let is_bounded = settings.keep_bytes <= used.saturating_add(free.saturating_sub(FAILURE_BYTES));
    let what = format!(
        "{} free of {}{}{}",
        words::bytes(free as f64),
        words::bytes(whole as f64),
        if stats.is_some() {
            format!(", the store has {}", words::bytes(used as f64))
        } else {
            String::new()
        },
        outlook(free, used, growth, settings, is_bounded)
    );
    if free < FAILURE_BYTES {
        return Finding::failure(what, ADVICE);
    }
    if !is_bounded {
        // What other programs may want stays free.
        let fits = used.saturating_add(free.saturating_sub(WARNING_BYTES.min(free / 5)));
        let next = format!(
            "the store may grow to {} (keep_size), which is not there: give keep_size {} or less",
            words::bytes(settings.keep_bytes as f64),
            words::bytes(fits as f64)
        );
        return Finding::warning(what, next);
    }
    if free < WARNING_BYTES { Finding::warning(what, ADVICE) } else { Finding::good(what) }
}

fn outlook(free: u64, used: u64, growth: Option<Growth>, settings: &Settings, is_bounded: bool) -> String {
    let Some(growth) = growth.filter(|growth| growth.bytes_per_day > 0.0) else {
        let is_open = settings.role.collects();
        return if is_open { "; how long it lasts shows once readings have come" } else { "" }.to_owned();
    };
    let rate = growth.bytes_per_day;
    let by = if growth.measured { "so far" } else { "by the config" };
    let per_day = words::bytes(rate);
    if is_bounded {
        let left = settings.keep_bytes.saturating_sub(used) as f64 / rate;
        format!(
            "; at {per_day} a day ({by}) it reaches its keep_size in {}, then the oldest go",
            words::days(left)
        )
    } else {
        format!("; at {per_day} a day ({by}) the disk is full in {}", words::days(free as f64 / rate))
    }
}

/// From what the store holds and in what time that came.
fn measured(stats: Option<&Stats>) -> Option<Growth> {
    let stats = stats?;
    let times = || stats.sources.iter().filter_map(|source| source.times);
    let first =
        times().map(|(first, _)| first).filter(|first| *first >= CLOCK_IS_SET_FROM).min()?.as_unix_micros();
    let last = times().map(|(_, last)| last.as_unix_micros()).max()?;
    let span_us = last.saturating_sub(first);
    let bytes_per_day = stats.bytes as f64 / (span_us as f64 / 1e6 / DAY_S);
    (span_us >= MEASURED_MIN_US).then_some(Growth { bytes_per_day, measured: true })
}

/// From the chips of the config. What a sink takes from others is not known from that.
fn configured(settings: &Settings) -> Option<Growth> {
    if settings.role.collects() {
        return None;
    }
    let chips = settings.buses.iter().flat_map(|bus| &bus.chips);
    let of_chips: f64 = chips
        .map(|chip| {
            let quantities = catalogue::build(chip).map_or(0, |chip| chip.quantities().len());
            quantities as f64 / chip.interval().unwrap_or(settings.interval).as_secs_f64()
        })
        .sum();
    let host = if settings.host {
        HostChannels::open(Path::new("/"), &settings.data).quantities().len() as f64
            / settings.interval.as_secs_f64()
    } else {
        0.0
    };
    Some(Growth { bytes_per_day: (of_chips + host) * BYTES_PER_READING * DAY_S, measured: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Severity::{Failure, Good, Warning};
    use crate::cli::doctor::testkit::{Machine, assert_finding, assert_one};
    use crate::io::RoleSettings;
    use crate::model::{JournalId, NodeName, Seq, WallTime};
    use crate::proto::PollOrder;
    use crate::store::SourceStats;

    const GB: u64 = 1_000_000_000;

    /// A store of `bytes` with readings of `hours`.
    fn stats(bytes: u64, first: WallTime, hours: u64) -> Stats {
        let source = SourceStats {
            node: NodeName::new("bench").unwrap(),
            journal: JournalId(1),
            own: true,
            cursor: Seq(1),
            readings: 1,
            times: Some((first, first + std::time::Duration::from_secs(hours * 3_600))),
            dropped_untaken: 0,
            missing: 0,
        };
        Stats { sources: vec![source], rounds: 0, bytes }
    }

    #[test]
    fn free_space_is_told_in_bytes_and_days() {
        let machine = Machine::new();
        // 3 readings a second of 40 bytes: 10.4 MB a day.
        let scene = machine.scene(&["sht3x@0x44", "tmp102@0x48"]);
        let found = judge(20 * GB, 32 * GB, None, &scene.settings);
        assert_finding(
            &found,
            Good,
            &["20.0 GB free of 32.0 GB", "10.4 MB a day", "by the config", "385 days"],
        );
        let interval = machine.scene(&["sht3x@0x44,interval=10s"]);
        let found = judge(20 * GB, 32 * GB, None, &interval.settings);
        assert_finding(&found, Good, &["691.2 kB a day", "15 years"]);
    }

    #[test]
    fn what_was_seen_goes_before_the_config() {
        let machine = Machine::new();
        let scene = machine.scene(&["sht3x@0x44"]);
        let first = WallTime::from_unix_micros(1_780_000_000_000_000);
        let seen = stats(2 * GB, first, 240);
        let found = judge(20 * GB, 32 * GB, Some(&seen), &scene.settings);
        assert_finding(&found, Good, &["the store has 2.0 GB", "200.0 MB a day (so far)", "10 days"]);
        for short_or_1970 in [stats(2 * GB, first, 0), stats(2 * GB, WallTime::default(), 240)] {
            assert_eq!(measured(Some(&short_or_1970)), None);
        }
    }

    #[test]
    fn a_disk_that_ends_before_keep_size_is_told() {
        let machine = Machine::new();
        let scene = machine.scene(&["sht3x@0x44"]);
        let found = judge(2 * GB, 8 * GB, None, &scene.settings);
        assert_finding(&found, Warning, &["disk is full in", "keep_size 1.6 GB or less"]);
        let found = judge(63_000_000, 8 * GB, None, &scene.settings);
        assert_finding(&found, Failure, &["63.0 MB free", "journalctl --vacuum"]);
        let found = judge(480_000_000, GB, None, &scene.settings);
        assert_finding(&found, Warning, &["keep_size 384.0 MB or less"]);
        let mut small = machine.scene(&[]);
        small.settings.keep_bytes = 100_000_000;
        assert_finding(&judge(400_000_000, 8 * GB, None, &small.settings), Warning, &["400.0 MB free"]);
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_measured_by_the_one_above() {
        let machine = Machine::new();
        let mut scene = machine.scene(&[]);
        scene.settings.keep_bytes = 1;
        let found = check(&scene);
        assert_eq!(found.len(), 1);
        assert!(found[0].what.contains(" free of "), "{found:#?}");
        scene.settings.role = RoleSettings::Primary {
            peers: Vec::new(),
            poll_interval: scene.settings.interval,
            deadline: scene.settings.interval,
            standby: None,
            order: PollOrder::AtOnce,
        };
        let found = judge(20 * GB, 32 * GB, None, &scene.settings);
        assert_one(&[found], Good, &["once readings have come"]);
    }
}
