//! Beacons of ZRE, in turns with all else.

use super::EventLoop;
use crate::io::clock;
use crate::node::Input;

/// Beacons taken before others have their turn.
const BEACONS_PER_TURN_MAX: usize = 256;

impl EventLoop {
    /// Tells the node of the beacons that came. A flood of them has to wait.
    pub(super) fn take_beacons(&mut self) {
        let now = clock::now();
        self.has_beacons = false;
        for _ in 0..BEACONS_PER_TURN_MAX {
            let Some((from, beacon)) = self.parts.beacons.as_mut().and_then(|beacons| beacons.receive())
            else {
                return;
            };
            self.parts.node.handle_input(now, Input::Beacon { from, beacon });
            self.drain(now);
        }
        self.has_beacons = true;
    }
}
