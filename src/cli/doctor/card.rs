//! Check `card`: the data folder is on a disk that keeps what it is given, and takes it in good time. A small file is
//! written, synced and removed: the only thing that `doctor` ever writes.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::finding::Finding;
use super::host::nearest_there;
use super::scene::Scene;
use super::words;

/// Always the same, so that one which was left goes with the next.
const PROBE_NAME: &str = ".doctor-probe";
/// What is written: a page of the store, in bytes.
const PROBE_BYTES: usize = 4_096;
/// A good card takes a page in some milliseconds; over this, commits begin to wait for it.
const SLOW: Duration = Duration::from_millis(500);

/// What to do about a disk that fails.
const DISK_ADVICE: &str = "look at `dmesg | grep -i -e mmc -e ext4`; if the card fails, copy it to a new one";

/// One line of `/proc/mounts`.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    device: String,
    dir: PathBuf,
    kind: String,
    read_only: bool,
}

pub(super) fn check(scene: &Scene) -> Vec<Finding> {
    let data = &scene.settings.data;
    let Some(mount) = nearest_there(data).and_then(|dir| mount_of(&scene.host.text("proc/mounts")?, &dir))
    else {
        return [vec![Finding::skipped("the machine does not tell of its disks")], vec![probe(data)]]
            .concat();
    };
    let mut findings: Vec<Finding> = judge(&mount).into_iter().collect();
    if !mount.read_only {
        findings.push(probe(data));
    }
    findings
}

/// The mount that `dir` lies on: the longest that is above it, and of several the last.
fn mount_of(mounts: &str, dir: &Path) -> Option<Mount> {
    let mount = |line: &str| {
        let mut fields = line.split_whitespace().map(unescape);
        let (device, dir, kind, options) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let read_only = options.split(',').any(|option| option == "ro");
        Some(Mount { device, dir: dir.into(), kind, read_only })
    };
    let above = mounts.lines().filter_map(mount).filter(|mount| dir.starts_with(&mount.dir));
    above.max_by_key(|mount| mount.dir.components().count())
}

/// `/proc/mounts` writes blanks as octal numbers (proc(5)).
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (code, c)| text.replace(code, c))
}

fn judge(mount: &Mount) -> Option<Finding> {
    let Mount { device, dir, kind, read_only } = mount;
    let place = format!("{device} on {}", dir.display());
    if *read_only {
        return Some(Finding::failure(
            format!("{place} is mounted read-only: after an error, or on purpose"),
            format!("{DISK_ADVICE}; else: sudo mount -o remount,rw {}", dir.display()),
        ));
    }
    match kind.as_str() {
        "tmpfs" | "ramfs" | "overlay" => Some(Finding::warning(
            format!(
                "the data folder is on {kind} ({}): what is in memory is gone with the power",
                dir.display()
            ),
            "turn the overlay file system off (sudo raspi-config, Performance), or give --data a folder on a real disk",
        )),
        "nfs" | "nfs4" | "cifs" | "smb3" | "9p" | "fuse.sshfs" => Some(Finding::failure(
            format!("the data folder is on the network ({place}, {kind}), where SQLite's log does not work"),
            "give --data a folder on a local disk",
        )),
        "vfat" | "exfat" => Some(Finding::warning(
            format!("the data folder is on {kind} ({place}), which a power cut can damage"),
            "give --data a folder on ext4",
        )),
        _ => None,
    }
}

/// The probe file, which goes with this, however the check ends.
struct Probe(PathBuf);

impl Drop for Probe {
    fn drop(&mut self) {
        // It fails only where it was never made.
        let _ = fs::remove_file(&self.0);
    }
}

fn probe(data: &Path) -> Finding {
    if data.try_exists().is_ok_and(|is_there| !is_there) {
        return Finding::skipped(format!(
            "{} is not there yet: the node makes it at its first start",
            data.display()
        ));
    }
    let probe = Probe(data.join(PROBE_NAME));
    // One that a killed check has left; where there is none, this fails, as it should.
    let _ = fs::remove_file(&probe.0);
    match write(&probe.0) {
        Ok(took) if took > SLOW => Finding::warning(
            format!("{} took {} to write and sync {PROBE_BYTES} bytes", data.display(), words::span(took)),
            "commits wait so long: give a longer flush_interval, or a better card (A1 or A2) or an SSD",
        ),
        Ok(took) => Finding::good(format!(
            "{} takes writes: {PROBE_BYTES} bytes written and synced in {}",
            data.display(),
            words::span(took)
        )),
        Err(error) => refused(data, &error),
    }
}

fn write(path: &Path) -> std::io::Result<Duration> {
    let begun = Instant::now();
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(&[0; PROBE_BYTES])?;
    file.sync_all()?;
    Ok(begun.elapsed())
}

fn refused(data: &Path, error: &std::io::Error) -> Finding {
    let data = data.display();
    match error.kind() {
        ErrorKind::PermissionDenied => Finding::skipped(format!("this user may not write in {data}"))
            .and_next("sudo pisink doctor --only card"),
        ErrorKind::StorageFull => {
            Finding::failure(format!("{data} takes no writes: the disk is full"), "see `space`")
        }
        ErrorKind::ReadOnlyFilesystem => {
            Finding::failure(format!("{data} takes no writes: the disk is read-only"), DISK_ADVICE)
        }
        _ => Finding::failure(format!("{data} takes no writes: {error}"), DISK_ADVICE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Severity::{Failure, Good, Skipped, Warning};
    use crate::cli::doctor::testkit::{Machine, assert_finding, assert_one, assert_some};

    /// A machine whose data folder lies on a mount like this.
    fn on(kind: &str, options: &str) -> Vec<Finding> {
        let machine = Machine::new();
        let dir = machine.dir("data").path("").canonicalize().unwrap();
        let mounts =
            format!("/dev/root / ext4 rw 0 0\n/dev/mmcblk0p2 {} {kind} {options} 0 0\n", dir.display());
        machine.put("proc/mounts", mounts);
        check(&machine.scene(&[]))
    }

    #[test]
    fn a_good_card_is_written_to_and_left_clean() {
        let machine = Machine::new();
        machine.dir("data").put("proc/mounts", "/dev/root / ext4 rw,relatime 0 0\n");
        let found = check(&machine.scene(&[]));
        // However slow this machine's disk is.
        assert!(matches!(found[..], [Finding { severity: Good | Warning, .. }]), "{found:#?}");
        assert!(found[0].what.contains("4096 bytes"), "{found:#?}");
        machine.put("data/.doctor-probe", "left by a killed check");
        assert!(
            check(&machine.scene(&[]))[0].what.contains("4096 bytes"),
            "one that was left is no hindrance"
        );
        assert_eq!(machine.path("data").read_dir().unwrap().count(), 0, "the probe is gone");
    }

    #[test]
    fn a_read_only_card_is_not_written_to() {
        assert_one(&on("ext4", "ro,relatime"), Failure, &["/dev/mmcblk0p2", "read-only", "dmesg"]);
    }

    #[test]
    fn memory_network_and_fat_are_no_places_for_a_journal() {
        assert_some(&on("overlay", "rw"), Warning, &["gone with the power", "raspi-config"]);
        assert_some(&on("nfs4", "rw"), Failure, &["network", "--data"]);
        assert_some(&on("vfat", "rw"), Warning, &["vfat", "ext4"]);
        assert!(on("ext4", "rw").iter().all(|finding| !finding.what.contains("ext4")));
    }

    #[test]
    fn the_nearest_mount_counts_and_blanks_are_read() {
        let mounts = "/dev/a / ext4 ro 0 0\n/dev/b /mnt/my\\040card ext4 rw,errors=remount-ro 0 0\n\
                      /dev/c /mnt/my ext4 ro 0 0\n";
        let mount = mount_of(mounts, Path::new("/mnt/my card/data")).unwrap();
        assert_eq!((mount.device.as_str(), mount.read_only), ("/dev/b", false));
        assert!(mount_of(mounts, Path::new("/mnt/mycard")).unwrap().read_only);
        assert_eq!(mount_of("nonsense\n", Path::new("/")), None);
    }

    #[test]
    fn what_refuses_the_probe_is_told() {
        let machine = Machine::new();
        assert_finding(&probe(&machine.path("data")), Skipped, &["not there yet"]);
        let data = Path::new("/srv/data");
        assert_finding(&refused(data, &ErrorKind::PermissionDenied.into()), Skipped, &["sudo pisink doctor"]);
        assert_finding(&refused(data, &ErrorKind::StorageFull.into()), Failure, &["full", "space"]);
        assert_finding(&refused(data, &ErrorKind::ReadOnlyFilesystem.into()), Failure, &["read-only"]);
        assert_finding(&refused(data, &ErrorKind::Other.into()), Failure, &["takes no writes"]);
    }
}
