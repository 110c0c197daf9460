//! Autopilot's messages: JSON behind frames that are parted here by lines. What is read is written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pisink::wire::{encode_station, station_message};

fuzz_target!(|data: &[u8]| {
    let mut frames: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let text = frames.pop().unwrap_or_default();
    let Ok(json) = serde_json::from_slice(text) else { return };
    let Ok(Ok(mut routed)) = station_message(&frames, json, text) else { return };
    assert_eq!(encode_station(&routed), text);
    // Made here, as one is that this node has changed.
    routed.json.clear();
    let made = encode_station(&routed);
    let json = serde_json::from_slice(&made).expect("what is written is JSON");
    let again = station_message(&frames, json, &made).expect("a station's message").expect("a right one");
    assert_eq!(again.message, routed.message);
});
