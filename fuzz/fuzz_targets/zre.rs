//! ZRE's messages, whose frames are parted here by the byte 0: what is read is written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pisink::wire::zre;

fuzz_target!(|data: &[u8]| {
    // The first byte is the length of the first frame.
    let Some((first, rest)) = data.split_first() else { return };
    let at = usize::from(*first).min(rest.len());
    let (first, rest) = rest.split_at(at);
    let mut frames = vec![first.to_vec()];
    if !rest.is_empty() {
        frames.extend(rest.split(|byte| *byte == 0).map(<[u8]>::to_vec));
    }
    let _ = zre::is_zre(&frames);
    if let Ok(message) = zre::decode(frames) {
        let mut out = Vec::new();
        zre::encode(&message, &mut out);
        assert!(!out.is_empty(), "{message:?}");
    }
});
