//! What a node knows about itself without any chip: the temperature of its processor, its load, its free memory and
//! disk, its Wi-Fi signal, and on a Pi whether the supply is too weak.
//!
//! All of it is in files of the kernel. What a machine does not have is no quantity of it; what it had at the start and
//! has no more is ERR `absent`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::chip::{Fault, Quantity, Sample};

/// The name in channels, where chips have theirs.
pub const NAME: &str = "host";

/// Where things are, below the root.
const SOC_TEMPERATURE: &str = "sys/class/thermal/thermal_zone0/temp";
const LOAD: &str = "proc/loadavg";
const MEMORY: &str = "proc/meminfo";
const WIRELESS: &str = "proc/net/wireless";
const THROTTLED: &str = "sys/devices/platform/soc/soc:firmware/get_throttled";
const HWMON: &str = "sys/class/hwmon";
/// The name of the Pi's own supply monitor among others in `HWMON`.
const PI_VOLTAGE: &str = "rpi_volt";

/// No file of these is longer, in bytes; a longer one is cut, and then says nothing.
const MAX_FILE: u64 = 64 * 1024;

/// One machine.
pub struct Host {
    quantities: Vec<Quantity>,
    sources: Vec<Source>,
}

/// Where the value of one quantity comes from.
enum Source {
    /// A file and what its text means.
    File(PathBuf, fn(&str) -> Option<f64>),
    /// The free bytes of the file system that has this path.
    FreeDisk(PathBuf),
}

impl Host {
    /// The machine whose kernel's files are below `root` (`/`, except in tests), with the free space where `disk` is.
    pub fn open(root: &Path, disk: &Path) -> Self {
        let file = |path: &str, meaning| Source::File(root.join(path), meaning);
        let mut candidates = vec![
            ("soc_temperature", "Cel", file(SOC_TEMPERATURE, millicelsius)),
            ("load", "", file(LOAD, first_number)),
            ("memory_free", "B", file(MEMORY, available_bytes)),
            ("disk_free", "B", Source::FreeDisk(disk.to_path_buf())),
            ("wifi_signal", "dBm", file(WIRELESS, signal_dbm)),
        ];
        if root.join(THROTTLED).exists() {
            candidates.push(("under_voltage", "", file(THROTTLED, throttled_bit::<0>)));
            candidates.push(("throttled", "", file(THROTTLED, throttled_bit::<2>)));
            candidates.push(("under_voltage_seen", "", file(THROTTLED, throttled_bit::<16>)));
        } else if let Some(alarm) = voltage_alarm(root) {
            candidates.push(("under_voltage", "", Source::File(alarm, first_number)));
        }
        // The file system is always there, and when it is not, that is an ERR worth having.
        let there = |source: &Source| matches!(source, Source::FreeDisk(_)) || source.value().is_ok();
        let there = candidates.into_iter().filter(|(_, _, source)| there(source));
        let (quantities, sources) =
            there.map(|(name, unit, source)| (Quantity::new(name, unit), source)).unzip();
        Self { quantities, sources }
    }

    /// What it measures, in an order that never changes.
    pub fn quantities(&self) -> &[Quantity] {
        &self.quantities
    }

    /// Everything, now: one sample for each quantity, in their order.
    pub fn measure(&self) -> Vec<Sample> {
        let sample = |(quantity, source): (usize, &Source)| Sample { quantity, value: source.value() };
        self.sources.iter().enumerate().map(sample).collect()
    }
}

impl Source {
    fn value(&self) -> Result<f64, Fault> {
        match self {
            Self::File(path, meaning) => {
                let text = read(path).ok_or(Fault::Absent)?;
                meaning(&text).filter(|value| value.is_finite()).ok_or(Fault::Range)
            }
            Self::FreeDisk(path) => {
                let state = rustix::fs::statvfs(path).map_err(|_| Fault::Absent)?;
                Ok(bytes(state.f_bavail.saturating_mul(state.f_frsize)))
            }
        }
    }
}

fn read(path: &Path) -> Option<String> {
    use std::io::Read;
    let mut text = String::new();
    fs::File::open(path).ok()?.take(MAX_FILE).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The alarm of the Pi's own supply monitor.
fn voltage_alarm(root: &Path) -> Option<PathBuf> {
    let mut monitors: Vec<PathBuf> =
        fs::read_dir(root.join(HWMON)).ok()?.flatten().map(|entry| entry.path()).collect();
    monitors.sort();
    let is_pi = |monitor: &PathBuf| read(&monitor.join("name")).is_some_and(|name| name.trim() == PI_VOLTAGE);
    monitors.into_iter().find(is_pi).map(|monitor| monitor.join("in0_lcrit_alarm"))
}

/// A float has 53 bits, which are enough for 8 PiB.
#[expect(clippy::cast_precision_loss, reason = "nobody wants the last byte of more than 8 PiB")]
fn bytes(count: u64) -> f64 {
    count as f64
}

fn first_number(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok()
}

fn millicelsius(text: &str) -> Option<f64> {
    first_number(text).map(|thousandths| thousandths / 1_000.0)
}

/// What programs can have without swapping, which is more than what is unused (proc(5), MemAvailable).
fn available_bytes(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    first_number(line).map(|kibibytes| kibibytes * 1_024.0)
}

/// The level of the first interface: after its name come status, link and level, the last two with a full stop behind.
fn signal_dbm(text: &str) -> Option<f64> {
    let (_, fields) = text.lines().skip(2).find_map(|line| line.split_once(':'))?;
    fields.split_whitespace().nth(2)?.trim_end_matches('.').parse().ok()
}

/// One bit of the firmware's word, which is hexadecimal: 0 under-voltage now, 2 throttled now, 16 under-voltage has
/// been (`vcgencmd get_throttled`).
fn throttled_bit<const BIT: u32>(text: &str) -> Option<f64> {
    let text = text.trim();
    let word = u32::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok()?;
    Some(f64::from(word >> BIT & 1))
}

#[cfg(test)]
mod tests;
