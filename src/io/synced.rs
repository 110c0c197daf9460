//! Whether something synchronises this machine's wall clock, and how well. Two witnesses are asked: the file that
//! `systemd-timesyncd` touches, and the NTP server of this very machine. Neither needs a privilege, so that a node can
//! be locked in as tightly as one likes; the kernel's own word (`adjtimex`) is closed to a service with
//! `ProtectClock=`.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use crate::model::{Now, WallTime};

/// `systemd-timesyncd(8)` touches it at each success.
const TIMESYNCD_FILE: &str = "/run/systemd/timesync/synchronized";
/// `chronyd` (with `allow 127/8`), `ntpd` and their like answer here.
const LOCAL_SERVER: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 123);

/// It asks its server every 2,048 s at the longest (`PollIntervalMaxSec=`); one answer may be lost.
const TIMESYNCD_SILENT_MAX: Duration = Duration::from_secs(2 * 2_048 + 60);
/// It does not say how well it does. Over Wi-Fi and the Internet it is within tens of milliseconds.
const TIMESYNCD_ERROR: Duration = Duration::from_millis(100);
/// A server that knows the time no better than this does not know it.
const SERVER_ERROR_MAX: Duration = Duration::from_secs(2);
/// What stamps, interrupts and the kernel's slewing leave open, however good the server.
const SERVER_ERROR_MIN: Duration = Duration::from_millis(1);

/// An NTP packet without extensions (RFC 5905, section 7.3).
const PACKET_BYTES: usize = 48;
/// Packets that are read in one look.
const PACKETS_MAX: usize = 16;

/// Watches the witnesses.
pub(crate) struct Synced {
    file: PathBuf,
    server: SocketAddr,
    socket: Option<UdpSocket>,
    /// What the last question bore as its transmit time; the answer gives it back.
    asked: Option<[u8; 8]>,
}

impl Default for Synced {
    fn default() -> Self {
        Self::new(Path::new(TIMESYNCD_FILE), LOCAL_SERVER.into())
    }
}

impl Synced {
    fn new(file: &Path, server: SocketAddr) -> Self {
        Self { file: file.to_owned(), server, socket: None, asked: None }
    }

    /// How far at most the wall clock is from the true time; `None` when nothing is seen to synchronise it. Does not
    /// wait: what the server says comes with the look after the one that asked it.
    pub(crate) fn look(&mut self, now: Now) -> Option<Duration> {
        let server = self.heard();
        self.ask(now);
        [server, self.timesyncd(now.wall)].into_iter().flatten().min()
    }

    fn timesyncd(&self, now: WallTime) -> Option<Duration> {
        let touched = std::fs::metadata(&self.file).ok()?.modified().ok()?;
        let touched_us = i64::try_from(touched.duration_since(UNIX_EPOCH).ok()?.as_micros()).ok()?;
        let silent_us = now.as_unix_micros().checked_sub(touched_us)?;
        // In the future: the clock was set back since, by somebody else.
        let is_fresh = Duration::from_micros(u64::try_from(silent_us).ok()?) <= TIMESYNCD_SILENT_MAX;
        is_fresh.then_some(TIMESYNCD_ERROR)
    }

    fn ask(&mut self, now: Now) {
        self.asked = None;
        if self.socket.is_none() {
            self.socket = open(self.server).ok();
        }
        let Some(socket) = &self.socket else { return };
        let stamp = now.mono.as_micros().to_be_bytes();
        if socket.send(&question(stamp)).is_ok() {
            self.asked = Some(stamp);
        }
    }

    fn heard(&mut self) -> Option<Duration> {
        let (socket, asked) = (self.socket.as_ref()?, self.asked?);
        let mut packet = [0; PACKET_BYTES];
        let mut heard = None;
        for _ in 0..PACKETS_MAX {
            match socket.recv(&mut packet) {
                Ok(PACKET_BYTES) => heard = answer(&packet, asked).or(heard),
                Ok(_) => {}
                // Nobody there says so by ICMP: the next question goes out all the same.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        heard
    }
}

fn open(server: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(server)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A client's packet of version 4, with `stamp` where its clock's time belongs.
fn question(stamp: [u8; 8]) -> [u8; PACKET_BYTES] {
    let mut packet = [0; PACKET_BYTES];
    let [head, ..] = &mut packet;
    *head = 0b00_100_011;
    if let Some(transmit) = packet.last_chunk_mut() {
        *transmit = stamp;
    }
    packet
}

/// What a server's packet says of its clock, which is this machine's: its distance to the true time (RFC 5905, section
/// 11.1: half the root delay and the root dispersion). `None` when it is not synchronised, only with itself, or badly.
fn answer(packet: &[u8; PACKET_BYTES], asked: [u8; 8]) -> Option<Duration> {
    const SERVER_MODE: u8 = 4;
    const UNSYNCHRONISED: u8 = 3;
    const STRATUM_MAX: u8 = 15;
    /// The reference of a server that follows nothing but its own clock: 127.127.1.x.
    const ITSELF: [u8; 3] = [127, 127, 1];
    let [head, stratum, _, _, d0, d1, d2, d3, e0, e1, e2, e3, r0, r1, r2, _, ..] = *packet;
    let is_good = head & 0b111 == SERVER_MODE
        && head >> 6 != UNSYNCHRONISED
        && (1..=STRATUM_MAX).contains(&stratum)
        && [r0, r1, r2] != ITSELF
        && packet.get(24..32) == Some(&asked[..]);
    // Both in units of 2^-16 s.
    let delay = u64::from(u32::from_be_bytes([d0, d1, d2, d3]));
    let dispersion = u64::from(u32::from_be_bytes([e0, e1, e2, e3]));
    let units = delay / 2 + dispersion;
    let error = Duration::from_micros((units * 1_000_000) >> 16) + SERVER_ERROR_MIN;
    (is_good && error <= SERVER_ERROR_MAX).then_some(error)
}

#[cfg(test)]
mod tests;
