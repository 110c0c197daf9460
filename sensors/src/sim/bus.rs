//! A bus with simulated chips on it, to be used wherever a real bus is.

use std::collections::BTreeMap;
use std::time::Duration;

use embedded_hal::i2c::{ErrorType, I2c, Operation};

use super::{FaultKind, Moment, PlannedFault, SimTime, Twin, TwinError, World};
use crate::bus::BusError;
use crate::transfer::{self, Transfer};

/// Tells a simulated bus the time.
pub type SimClock = Box<dyn Fn() -> SimTime + Send>;

/// Makes a chip as it is when power comes on.
pub type TwinMaker = Box<dyn Fn() -> Box<dyn Twin> + Send>;

/// How many different answers a stuck chip keeps; a chip with more registers than that answers the rest truly.
const MAX_STUCK_ANSWERS: usize = 64;

/// Simulated chips at their addresses, in one world.
pub struct SimBus {
    world: World,
    clock: SimClock,
    made: SimTime,
    slots: BTreeMap<u8, Slot>,
}

/// One chip with everything that goes wrong with it.
struct Slot {
    make: TwinMaker,
    twin: Box<dyn Twin>,
    faults: Vec<PlannedFault>,
    /// When the chip last had a transfer, whether it answered or not.
    last: Duration,
    /// What was last written: with the length of a read, it tells which answer is asked for.
    written: Vec<u8>,
    /// The answers that a stuck chip goes on giving.
    stuck: BTreeMap<(Vec<u8>, usize), Vec<u8>>,
}

impl SimBus {
    /// An empty bus in `world`. The times of planned faults count from now.
    pub fn new(world: World, clock: SimClock) -> Self {
        let made = clock();
        Self { world, clock, made, slots: BTreeMap::new() }
    }

    /// Puts a chip at `address`; false, and nothing done, if there is one already.
    pub fn add(&mut self, address: u8, make: TwinMaker) -> bool {
        if self.slots.contains_key(&address) {
            return false;
        }
        let twin = make();
        let (faults, written, stuck) = (Vec::new(), Vec::new(), BTreeMap::new());
        self.slots.insert(address, Slot { make, twin, faults, last: Duration::ZERO, written, stuck });
        true
    }

    /// Plans a fault for the chip at its address; false if there is none.
    pub fn plan(&mut self, fault: PlannedFault) -> bool {
        self.slots.get_mut(&fault.address).map(|slot| slot.faults.push(fault)).is_some()
    }
}

impl ErrorType for SimBus {
    type Error = BusError;
}

impl I2c for SimBus {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), BusError> {
        let now = (self.clock)();
        let moment = Moment { now, world: &self.world };
        let slot = self.slots.get_mut(&address).ok_or(BusError::Nack)?;
        slot.pass_time(now.since(self.made))?;
        transfer::run(operations, |transfer, buffer| match transfer {
            Transfer::Write(bytes) => slot.write(bytes, &moment),
            Transfer::Read(_) => slot.read(buffer, &moment),
            Transfer::WriteRead(bytes, _) => {
                slot.write(bytes, &moment)?;
                slot.read(buffer, &moment)
            }
        })
    }
}

impl Slot {
    /// Does what the planned faults do by `elapsed`, and fails if the chip cannot answer now.
    fn pass_time(&mut self, elapsed: Duration) -> Result<(), BusError> {
        let last = std::mem::replace(&mut self.last, elapsed);
        let lost_power =
            self.faults.iter().any(|fault| fault.kind == FaultKind::Gone && fault.touches(last, elapsed));
        if lost_power {
            self.twin = (self.make)();
            self.written.clear();
        }
        if !self.is(FaultKind::Stuck) {
            self.stuck.clear();
        }
        if self.is(FaultKind::Nack) || self.is(FaultKind::Gone) {
            return Err(BusError::Nack);
        }
        if self.is(FaultKind::Timeout) { Err(BusError::Timeout) } else { Ok(()) }
    }

    fn is(&self, kind: FaultKind) -> bool {
        self.faults.iter().any(|fault| fault.kind == kind && fault.is_active(self.last))
    }

    fn write(&mut self, bytes: &[u8], moment: &Moment<'_>) -> Result<(), BusError> {
        self.written = bytes.to_vec();
        self.twin.write(bytes, moment).map_err(refused)
    }

    fn read(&mut self, buffer: &mut [u8], moment: &Moment<'_>) -> Result<(), BusError> {
        self.twin.read(buffer, moment).map_err(refused)?;
        if self.is(FaultKind::Stuck) {
            let asked = (self.written.clone(), buffer.len());
            if let Some(answer) = self.stuck.get(&asked) {
                buffer.copy_from_slice(answer);
            } else if self.stuck.len() < MAX_STUCK_ANSWERS {
                self.stuck.insert(asked, buffer.to_vec());
            }
        }
        if self.is(FaultKind::BadCrc) {
            buffer.last_mut().into_iter().for_each(|byte| *byte ^= 1);
        }
        Ok(())
    }
}

fn refused(TwinError::Nack: TwinError) -> BusError {
    BusError::Nack
}

#[cfg(test)]
mod tests;
