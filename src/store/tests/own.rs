//! Reading the own journal back.

use super::*;

#[test]
fn pieces_are_consecutive_and_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    append(&mut store, 50);
    store.commit().unwrap();
    let mut got = Vec::new();
    let mut after = Seq::ZERO;
    loop {
        let piece = store.read_own(after, 12).unwrap();
        assert_eq!((piece.first, piece.last), (after.next(), Seq(50)));
        if piece.pack.is_empty() {
            break;
        }
        after = piece.through();
        got.extend(piece.pack.readings.iter().map(|r| (piece.pack.channel(r).unwrap().clone(), r.value)));
    }
    let whole = pack("sink", 0xa, 1, 50);
    let want: Vec<_> = whole.readings.iter().map(|r| (whole.channel(r).unwrap().clone(), r.value)).collect();
    assert_eq!(got, want);
    assert_eq!(store.read_own(Seq(45), 12).unwrap().pack.readings[0].mono, Instant::from_micros(46_000_000));
    // A cursor from elsewhere, beyond the end: nothing, and where the next one will be.
    let beyond = store.read_own(Seq(u64::MAX), 12).unwrap();
    assert_eq!((beyond.first, beyond.pack.len()), (Seq(51), 0));
}

#[test]
fn a_piece_has_one_boot() {
    let dir = tempfile::tempdir().unwrap();
    for boot in [1, 2, 2, 3] {
        let (mut store, _) =
            Store::open(dir.path(), &OpenParams { boot: BootId(boot), ..params("sink", 0xa) }).unwrap();
        append(&mut store, 10);
        store.close().unwrap();
    }
    let mut store = open(dir.path());
    let mut pieces = Vec::new();
    let mut after = Seq::ZERO;
    while after < Seq(40) {
        let piece = store.read_own(after, 100).unwrap();
        after = piece.through();
        pieces.push((piece.boot.0, piece.first.0, piece.pack.len()));
    }
    assert_eq!(pieces, [(1, 1, 10), (2, 11, 20), (3, 31, 10)]);
    assert_eq!(store.read_own(Seq(15), 3).unwrap().boot, BootId(2));
}
