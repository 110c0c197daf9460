//! Check `clock`: whether this machine knows the time, from where, and what it has when there is no network.

use std::time::UNIX_EPOCH;

use super::finding::Finding;
use super::scene::Scene;
use super::words;
use crate::model::CLOCK_IS_SET_FROM;

/// A clock chip that is further off than this has lost its battery, in seconds.
const RTC_OFF_MAX_S: i64 = 86_400;

/// timesyncd makes it once it has set the clock (systemd-timesyncd.service(8)).
const SYNCHRONISED: &str = "run/systemd/timesync/synchronized";
/// It asks its server every 2,048 s at the longest; one answer may be lost. In microseconds.
const TIMESYNCD_SILENT_MAX_US: i64 = (2 * 2_048 + 60) * 1_000_000;
/// Where chrony runs.
const CHRONY: &str = "run/chrony/chronyd.pid";
/// The end of an address in `/proc/net/udp` where an NTP server listens: port 123.
const NTP_PORT: &str = ":007B";

pub(super) fn check(scene: &Scene) -> Vec<Finding> {
    let mut findings = vec![wall(scene), sync(scene), without_network(scene)];
    findings.extend(source(scene));
    findings
}

fn wall(scene: &Scene) -> Finding {
    let time = scene.wall.to_string().get(..19).unwrap_or_default().replace('T', " ");
    if scene.wall < CLOCK_IS_SET_FROM {
        let next = "bring the Pi to a network with time once, or: sudo date -u -s '2026-06-01 12:00:00'";
        return if scene.settings.role.collects() {
            Finding::failure(
                format!("the clock says {time} UTC: it was never set, and a sink's clock dates all"),
                next,
            )
        } else {
            Finding::warning(
                format!(
                    "the clock says {time} UTC: it was never set; its readings are dated by the sink alone"
                ),
                next,
            )
        };
    }
    Finding::good(format!("the clock says {time} UTC"))
}

/// Whether something keeps the clock right. The kernel's own flag comes by `timedatectl`, whoever sets it.
fn sync(scene: &Scene) -> Finding {
    let properties = ["timedatectl", "show", "-p", "NTP", "-p", "NTPSynchronized"];
    let said = scene.host.tool(&properties).unwrap_or_default();
    let is = |line: &str| said.lines().any(|said| said == line);
    if is("NTPSynchronized=yes") || is_fresh(scene) {
        return kept(scene);
    }
    if said.is_empty() && !scene.host.exists("run/systemd/system") {
        return Finding::skipped("the machine does not tell whether network time keeps its clock");
    }
    let what = if is("NTP=no") { "network time is off" } else { "no network time has set it since the boot" };
    let next = if is("NTP=no") {
        "sudo timedatectl set-ntp true"
    } else {
        "look at `timedatectl timesync-status` (or `chronyc sources`); without any network this is as it must be"
    };
    // The sink's clock dates what the others measure.
    if scene.settings.role.collects() {
        Finding::warning(what, next)
    } else {
        Finding::note(what).and_next(next)
    }
}

/// Whether timesyncd has heard from its server lately; a node goes by the same (`io/synced.rs`).
fn is_fresh(scene: &Scene) -> bool {
    let touched = scene.host.metadata(SYNCHRONISED).and_then(|of| of.modified().ok());
    let touched_us =
        touched.and_then(|time| i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_micros()).ok());
    let silent_us = touched_us.map(|us| scene.wall.as_unix_micros().saturating_sub(us));
    silent_us.is_some_and(|us| (0..=TIMESYNCD_SILENT_MAX_US).contains(&us))
}

/// The clock is kept. A node knows of chrony only if that answers on this machine.
fn kept(scene: &Scene) -> Finding {
    let what = format!("network time keeps it ({}){}", keeper(scene), chrony_offset(scene));
    let listens = ["proc/net/udp", "proc/net/udp6"].iter().any(|table| {
        let text = scene.host.text(table).unwrap_or_default();
        text.lines().filter_map(|line| line.split_whitespace().nth(1)).any(|local| local.ends_with(NTP_PORT))
    });
    if !scene.host.exists(CHRONY) || is_fresh(scene) || listens {
        return Finding::good(what);
    }
    Finding::note(format!(
        "{what}, but does not answer on this machine, so that the node cannot know it is right"
    ))
    .and_next("echo 'allow 127/8' | sudo tee /etc/chrony/conf.d/pisink.conf; sudo systemctl restart chrony")
}

fn keeper(scene: &Scene) -> &'static str {
    let runs = [(CHRONY, "chrony"), ("run/ntpd.pid", "ntpd"), (SYNCHRONISED, "systemd-timesyncd")];
    runs.iter()
        .find(|(path, _)| scene.host.exists(path))
        .map_or("who does it does not show", |(_, name)| name)
}

/// How far off the clock is, which chrony knows: the fifth field of its report (chronyc(1), tracking).
fn chrony_offset(scene: &Scene) -> String {
    if !scene.host.exists(CHRONY) {
        return String::new();
    }
    let report = scene.host.tool(&["chronyc", "-c", "tracking"]).unwrap_or_default();
    let offset_s = report.split(',').nth(4).and_then(|field| field.parse::<f64>().ok());
    offset_s.filter(|s| s.is_finite()).map_or_else(String::new, |s| format!(", {:.3} ms off", s.abs() * 1e3))
}

/// What the clock is set from at a boot without network.
fn without_network(scene: &Scene) -> Finding {
    let rtc = scene.host.text("sys/class/rtc/rtc0/since_epoch").and_then(|text| text.parse::<i64>().ok());
    if let Some(rtc_s) = rtc {
        let name = scene.host.text("sys/class/rtc/rtc0/name").unwrap_or_default();
        let name = name.split_whitespace().next().unwrap_or("rtc0");
        let wall_s = scene.wall.as_unix_micros() / 1_000_000;
        let off_s = wall_s.saturating_sub(rtc_s).saturating_abs();
        if off_s <= RTC_OFF_MAX_S {
            return Finding::good(format!("a clock chip ({name}) keeps the time without network"));
        }
        let off = words::days(off_s as f64 / 86_400.0);
        return Finding::warning(
            format!("the clock chip ({name}) is {off} off: it has no battery, or was never set"),
            "put a battery in, wait for network time, then: sudo hwclock --systohc",
        );
    }
    if scene.host.exists("dev/rtc0") {
        return Finding::good("a clock chip (/dev/rtc0) keeps the time without network");
    }
    let saved = [
        ("etc/fake-hwclock.data", "fake-hwclock"),
        ("etc/fake-hwclock", "fake-hwclock"),
        ("var/lib/systemd/timesync/clock", "systemd-timesyncd"),
    ];
    match saved.iter().find(|(path, _)| scene.host.exists(path)) {
        Some((_, by)) => Finding::note(format!(
            "no clock chip: without network it goes on from where it was ({by}); the sink dates readings right"
        )),
        None => Finding::note(
            "no clock chip: without network each boot is in 1970; the sink dates readings right",
        ),
    }
}

/// What the kernel counts by; a wrong one makes intervals wrong.
fn source(scene: &Scene) -> Option<Finding> {
    let source = scene.host.text("sys/devices/system/clocksource/clocksource0/current_clocksource")?;
    Some(if source == "jiffies" {
        Finding::warning(
            "the kernel counts time by jiffies, which is coarse and drifts",
            "boot the kernel that came with the system; look at `dmesg | grep -i clocksource`",
        )
    } else {
        Finding::good(format!("the kernel counts time by {source}"))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cli::doctor::finding::Severity::{Failure, Good, Note, Skipped, Warning};
    use crate::cli::doctor::testkit::{Machine, NOON, assert_finding};
    use crate::io::RoleSettings;
    use crate::model::WallTime;
    use crate::proto::PollOrder;

    const ASKED: &str = "timedatectl show -p NTP -p NTPSynchronized";

    fn primary(scene: &Scene) -> RoleSettings {
        let interval = scene.settings.interval;
        RoleSettings::Primary {
            peers: Vec::new(),
            poll_interval: interval,
            deadline: interval,
            standby: None,
            order: PollOrder::AtOnce,
        }
    }

    #[test]
    fn a_clock_before_the_first_release_was_never_set() {
        let machine = Machine::new();
        let mut scene = machine.scene(&[]);
        assert_finding(&wall(&scene), Good, &["2026-06-01 12:00:00"]);
        scene.wall = WallTime::from_unix_micros(5_000_000);
        assert_finding(&wall(&scene), Warning, &["1970-01-01 00:00:05", "by the sink", "date -u -s"]);
        scene.settings.role = primary(&scene);
        assert_finding(&wall(&scene), Failure, &["1970-01-01 00:00:05", "dates all"]);
    }

    #[test]
    fn network_time_is_told_with_who_keeps_it() {
        let mut machine = Machine::new();
        assert_finding(&sync(&machine.scene(&[])), Skipped, &["does not tell"]);
        machine.put(SYNCHRONISED, "").touched(SYNCHRONISED, NOON - Duration::from_secs(2_048));
        assert_finding(&sync(&machine.scene(&[])), Good, &["systemd-timesyncd"]);
        machine.touched(SYNCHRONISED, NOON - Duration::from_secs(7_200));
        assert_finding(&sync(&machine.scene(&[])), Skipped, &["does not tell"]);
        machine.put("run/chrony/chronyd.pid", "7");
        machine.tool(ASKED, "NTP=yes\nNTPSynchronized=yes\n");
        machine.tool(
            "chronyc -c tracking",
            "C0248F82,192.36.143.130,2,1768867199.5,-0.000123456,0.0001,0.0002\n",
        );
        assert_finding(&sync(&machine.scene(&[])), Note, &["chrony", "0.123 ms off", "allow 127/8"]);
        machine.put("proc/net/udp", " sl local\n 1: 0100007F:007B 00000000:0000 07\n");
        assert_finding(&sync(&machine.scene(&[])), Good, &["chrony", "0.123 ms off"]);
    }

    #[test]
    fn a_sink_without_network_time_is_worse_than_a_secondary_without() {
        let mut machine = Machine::new();
        machine.tool(ASKED, "NTP=yes\nNTPSynchronized=no\n");
        let mut scene = machine.scene(&[]);
        assert_finding(&sync(&scene), Note, &["since the boot", "timesync-status"]);
        let role = primary(&scene);
        scene.settings.role = role.clone();
        assert_finding(&sync(&scene), Warning, &["since the boot"]);
        machine.tool(ASKED, "NTP=no\nNTPSynchronized=no\n");
        scene = machine.scene(&[]);
        scene.settings.role = role;
        assert_finding(&sync(&scene), Warning, &["is off", "set-ntp true"]);
    }

    #[test]
    fn what_there_is_without_network() {
        let machine = Machine::new();
        assert_finding(&without_network(&machine.scene(&[])), Note, &["1970"]);
        machine.put("etc/fake-hwclock.data", "2026-05-31 10:17:01\n");
        assert_finding(&without_network(&machine.scene(&[])), Note, &["fake-hwclock"]);
        machine.put("dev/rtc0", "");
        assert_finding(&without_network(&machine.scene(&[])), Good, &["/dev/rtc0"]);
        let seconds = NOON.as_unix_micros() / 1_000_000;
        machine.put("sys/class/rtc/rtc0/since_epoch", format!("{}\n", seconds + 2));
        machine.put("sys/class/rtc/rtc0/name", "rtc-ds1307 1-0068\n");
        assert_finding(&without_network(&machine.scene(&[])), Good, &["rtc-ds1307"]);
        machine.put("sys/class/rtc/rtc0/since_epoch", "90\n");
        assert_finding(&without_network(&machine.scene(&[])), Warning, &["56 years off", "battery"]);
    }

    #[test]
    fn the_kernels_clock_is_named() {
        let machine = Machine::new();
        assert_eq!(source(&machine.scene(&[])), None);
        let path = "sys/devices/system/clocksource/clocksource0/current_clocksource";
        machine.put(path, "arch_sys_counter\n");
        assert_finding(&source(&machine.scene(&[])).unwrap(), Good, &["arch_sys_counter"]);
        machine.put(path, "jiffies\n");
        assert_finding(&source(&machine.scene(&[])).unwrap(), Warning, &["jiffies"]);
    }
}
