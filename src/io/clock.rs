//! The machine's clocks, and which boot its monotonic one counts from.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::model::{BootId, Instant, Now, WallTime};

/// Both clocks are read within this time of one another; a thread that is interrupted in between tries again.
const READ_MAX: Duration = Duration::from_micros(500);
/// It tries so often: on a machine that is busy all the time, the last try has to do.
const READS_MAX: u32 = 5;

/// This moment by both clocks. The monotonic one counts through suspends (`CLOCK_BOOTTIME`).
pub fn now() -> Now {
    let mut mono = monotonic();
    for _ in 1..READS_MAX {
        let wall = wall();
        let after = monotonic();
        if after.saturating_since(mono) <= READ_MAX {
            return Now { mono, wall };
        }
        mono = after;
    }
    Now { mono, wall: wall() }
}

fn monotonic() -> Instant {
    Instant::from_micros(micros(clock_gettime(ClockId::Boottime)))
}

fn wall() -> WallTime {
    let micros = |since: Duration| i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
    WallTime::from_unix_micros(match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => micros(since),
        Err(before) => -micros(before.duration()),
    })
}

fn micros(time: rustix::fs::Timespec) -> i64 {
    time.tv_sec.saturating_mul(1_000_000).saturating_add(time.tv_nsec / 1_000)
}

/// The kernel's id of this boot; a random one where it gives none (then each start counts as a boot).
pub(crate) fn boot_id() -> BootId {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let hex: String = text.trim().chars().filter(|c| *c != '-').collect();
    hex.parse().unwrap_or_else(|_| BootId(u128::from(random_u64()) << 64 | u128::from(random_u64())))
}

/// A number that nobody else draws, from the kernel.
pub(crate) fn random_u64() -> u64 {
    getrandom::u64().unwrap_or_else(|_| {
        let now = now();
        // Without a kernel source (very early boot): the clocks and the process id still tell two nodes apart.
        (now.wall.as_unix_micros().unsigned_abs() << 20)
            ^ now.mono.as_micros().unsigned_abs()
            ^ u64::from(std::process::id())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_go_forward_and_the_boot_stays() {
        let (a, b) = (now(), now());
        assert!(b.mono >= a.mono);
        assert!(a.wall.to_string().starts_with("20"));
        assert_eq!(boot_id(), boot_id());
        assert_ne!(random_u64(), random_u64());
    }
}
