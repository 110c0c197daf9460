//! The checksum of Sensirion's and ASAIR's chips: CRC-8, polynomial 0x31, initial value 0xFF, neither reflected nor
//! inverted (SHT3x datasheet section 4.12, AHT20 datasheet section 5.4.4).

/// The checksum of `bytes`.
pub(crate) fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0xFF, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc: u8, _| if crc & 0x80 == 0 { crc << 1 } else { (crc << 1) ^ 0x31 })
    })
}

/// A word with its checksum behind it, as the chips send it.
pub(crate) fn with_crc(word: u16) -> [u8; 3] {
    let [high, low] = word.to_be_bytes();
    [high, low, crc8(&[high, low])]
}

/// The words in `bytes`, each of which came with its checksum; none if the length or a checksum does not fit.
pub(crate) fn words<const N: usize>(bytes: &[u8]) -> Option<[u16; N]> {
    let mut words = [0; N];
    let mut triples = bytes.chunks_exact(3);
    for word in &mut words {
        let &[high, low, crc] = triples.next()? else { return None };
        if crc8(&[high, low]) != crc {
            return None;
        }
        *word = u16::from_be_bytes([high, low]);
    }
    (triples.next().is_none() && triples.remainder().is_empty()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datasheet_vectors() {
        assert_eq!(crc8(&[0xBE, 0xEF]), 0x92);
        assert_eq!(crc8(&[0x00, 0x00]), 0x81);
        assert_eq!(crc8(&[0xFF, 0xFF]), 0xAC);
    }

    #[test]
    fn words_need_their_checksums_and_their_length() {
        assert_eq!(words(&[0xBE, 0xEF, 0x92, 0x00, 0x00, 0x81]), Some([0xBEEF, 0]));
        assert_eq!(words::<2>(&[0xBE, 0xEF, 0x92, 0x00, 0x00, 0x80]), None);
        assert_eq!(words::<1>(&[0xBE, 0xEF, 0x92, 0x00]), None);
        assert_eq!(words::<1>(&[0xBE, 0xEF]), None);
        assert_eq!(words(&with_crc(0x1234)), Some([0x1234]));
    }
}
