use std::fs::File;
use std::time::SystemTime;

use super::*;
use crate::model::Instant;

const ASKED: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

/// A server's answer: leap indicator, stratum, whom it follows, and its root delay and dispersion in 2^-16 s.
fn packet(leap: u8, stratum: u8, follows: [u8; 4], delay: u32, dispersion: u32) -> [u8; PACKET_BYTES] {
    let mut packet = [0; PACKET_BYTES];
    packet[0] = leap << 6 | 0b100_100;
    packet[1] = stratum;
    packet[4..8].copy_from_slice(&delay.to_be_bytes());
    packet[8..12].copy_from_slice(&dispersion.to_be_bytes());
    packet[12..16].copy_from_slice(&follows);
    packet[24..32].copy_from_slice(&ASKED);
    packet
}

#[test]
fn a_server_says_how_far_it_is_from_the_truth() {
    // Root delay 1/64 s, dispersion 1/128 s: 15.625 ms in all, and a millisecond for the rest.
    let good = packet(0, 2, [192, 0, 2, 1], 1 << 10, 1 << 9);
    assert_eq!(answer(&good, ASKED), Some(Duration::from_micros(16_625)));
    let leap_second_today = packet(1, 1, *b"GPS\0", 0, 0);
    assert_eq!(answer(&leap_second_today, ASKED), Some(SERVER_ERROR_MIN));
}

#[test]
fn a_server_that_does_not_know_the_time_is_no_witness() {
    let nobody = [0; 4];
    for (what, packet) in [
        ("not synchronised", packet(3, 2, nobody, 0, 0)),
        ("stratum 0: a kiss of death", packet(0, 0, *b"RATE", 0, 0)),
        ("stratum 16", packet(0, 16, nobody, 0, 0)),
        ("its own clock alone", packet(0, 10, [127, 127, 1, 1], 0, 0)),
        ("far too vague", packet(0, 3, nobody, 0, 3 << 16)),
        ("beyond all numbers", packet(0, 3, nobody, u32::MAX, u32::MAX)),
    ] {
        assert_eq!(answer(&packet, ASKED), None, "{what}");
    }
    assert_eq!(answer(&packet(0, 2, nobody, 0, 0), [9; 8]), None, "the answer to another question");
    let mut other_mode = packet(0, 2, nobody, 0, 0);
    other_mode[0] = 0b100_011;
    assert_eq!(answer(&other_mode, ASKED), None, "another client");
}

fn at(wall: SystemTime) -> Now {
    let micros = wall.duration_since(UNIX_EPOCH).unwrap().as_micros();
    Now { mono: Instant::from_micros(77), wall: WallTime::from_unix_micros(i64::try_from(micros).unwrap()) }
}

/// An address that nobody listens at.
fn nowhere() -> SocketAddr {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

#[test]
fn the_file_of_timesyncd_counts_while_it_is_fresh() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("synchronized");
    let mut synced = Synced::new(&path, nowhere());
    let touched = SystemTime::now();
    assert_eq!(synced.look(at(touched)), None, "there is no such file");
    File::create(&path).unwrap().set_modified(touched).unwrap();
    assert_eq!(synced.look(at(touched)), Some(TIMESYNCD_ERROR));
    let (longest, second) = (TIMESYNCD_SILENT_MAX, Duration::from_secs(1));
    assert_eq!(synced.look(at(touched + longest - second)), Some(TIMESYNCD_ERROR));
    assert_eq!(synced.look(at(touched + longest + second)), None);
    assert_eq!(synced.look(at(touched - second)), None, "the clock was set back");
    assert_eq!(synced.look(Now::default()), None, "to 1970");
}

#[test]
fn the_machines_own_server_is_asked_and_heard_at_the_next_look() {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    server.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut synced = Synced::new(&dir.path().join("none"), server.local_addr().unwrap());
    let now = at(SystemTime::now());
    assert_eq!(synced.look(now), None, "it has only been asked");
    let mut question = [0; 100];
    let (count, client) = server.recv_from(&mut question).unwrap();
    assert_eq!((count, question[0]), (PACKET_BYTES, 0b100_011));
    let mut reply = packet(0, 1, *b"PPS\0", 0, 0);
    reply[24..32].copy_from_slice(&question[40..48]);
    server.send_to(b"short", client).unwrap();
    server.send_to(&reply, client).unwrap();
    // What is sent on the loopback interface is there when the call returns.
    assert_eq!(synced.look(now), Some(SERVER_ERROR_MIN));
    assert_eq!(synced.look(now), None, "it has not answered the second question");
}
