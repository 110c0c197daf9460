//! ZRE's beacons: what is read is written as it came.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pisink::wire::zre;

fuzz_target!(|data: &[u8]| {
    if let Some(beacon) = zre::decode_beacon(data) {
        assert_eq!(zre::encode_beacon(&beacon), data);
    }
    if let Some(id) = zre::peer_of(data) {
        assert_eq!(zre::identity(id), data);
    }
});
