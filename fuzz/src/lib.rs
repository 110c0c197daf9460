//! What the fuzz targets share: bytes that come whole have to mean what the same bytes mean that come in pieces.

use std::mem::discriminant;

use pisink::wire::{Framing, WireError};

/// A decoder, as far as a driver sees it.
pub trait Decoder {
    /// What it gives.
    type Item: PartialEq + std::fmt::Debug;
    /// Takes up to one item from the front of `input`.
    fn next(&mut self, input: &mut &[u8]) -> Option<Result<Self::Item, WireError>>;
    /// What the end of the bytes makes of an item that has begun.
    fn finish(&mut self) -> Option<Result<Self::Item, WireError>> {
        None
    }
    /// Bytes of memory that it holds.
    fn held_bytes(&self) -> usize;
}

impl Decoder for Framing {
    type Item = pisink::model::Message;
    fn next(&mut self, input: &mut &[u8]) -> Option<Result<Self::Item, WireError>> {
        Framing::next(self, input)
    }
    fn finish(&mut self) -> Option<Result<Self::Item, WireError>> {
        Framing::finish(self)
    }
    fn held_bytes(&self) -> usize {
        Framing::held_bytes(self)
    }
}

/// All that comes of `bytes`, in pieces of this size, up to the first error after which a link is closed.
///
/// # Panics
/// The decoder leaves bytes untaken, or holds more than it was given and `held_max` bytes besides.
pub fn decode<D: Decoder>(
    mut decoder: D,
    bytes: &[u8],
    piece: usize,
    held_max: usize,
) -> Vec<Result<D::Item, WireError>> {
    let mut items = Vec::new();
    for mut input in bytes.chunks(piece.max(1)) {
        while let Some(item) = decoder.next(&mut input) {
            let is_fatal = matches!(&item, Err(error) if error.is_fatal());
            items.push(item);
            if is_fatal {
                return items;
            }
        }
        assert!(input.is_empty(), "{} bytes are left untaken", input.len());
        // A vector takes up to twice what is in it.
        let held = decoder.held_bytes();
        assert!(held <= 2 * bytes.len() + held_max, "{held} bytes are held of {}", bytes.len());
    }
    items.extend(decoder.finish());
    items
}

/// The first byte says how large the pieces are, from `least_piece` on; the rest comes in such pieces, and whole, and
/// gives the same: the same items, and errors of the same kind in the same places.
///
/// # Panics
/// It does not.
pub fn whole_and_in_pieces<D: Decoder>(
    data: &[u8],
    least_piece: usize,
    held_max: usize,
    decoder: impl Fn() -> D,
) -> Vec<Result<D::Item, WireError>> {
    let Some((piece, bytes)) = data.split_first() else { return Vec::new() };
    let whole = decode(decoder(), bytes, bytes.len(), held_max);
    let piece = usize::from(*piece).max(least_piece);
    let pieces = decode(decoder(), bytes, piece, held_max);
    let is_same = |(whole, piece): (&Result<_, WireError>, &Result<_, WireError>)| match (whole, piece) {
        (Ok(whole), Ok(piece)) => whole == piece,
        // What it says may count the white space before a message, which was not kept.
        (Err(whole), Err(piece)) => discriminant(whole) == discriminant(piece),
        _ => false,
    };
    let is_same = whole.len() == pieces.len() && whole.iter().zip(&pieces).all(is_same);
    assert!(is_same, "in pieces of {piece}: {pieces:?}, whole: {whole:?}");
    whole
}
