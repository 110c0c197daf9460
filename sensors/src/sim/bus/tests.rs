use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;

/// A chip with one register and a count of its reads; a write of one byte 0xEE is refused.
#[derive(Default)]
struct Counter {
    register: u8,
    reads: u8,
}

impl Twin for Counter {
    fn write(&mut self, bytes: &[u8], _: &Moment<'_>) -> Result<(), TwinError> {
        match *bytes {
            [0xEE] => Err(TwinError::Nack),
            [value] => {
                self.register = value;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn read(&mut self, buffer: &mut [u8], _: &Moment<'_>) -> Result<(), TwinError> {
        self.reads += 1;
        buffer.fill(self.reads);
        if let Some(first) = buffer.first_mut() {
            *first = self.register;
        }
        Ok(())
    }
}

const AT: u8 = 0x36;

struct Bench {
    bus: SimBus,
    now: Arc<AtomicI64>,
}

impl Bench {
    fn new(faults: &[&str]) -> Self {
        let now = Arc::new(AtomicI64::new(5_000_000));
        let clock = Arc::clone(&now);
        let clock = move || SimTime::from_micros(clock.load(Ordering::Relaxed));
        let mut bus = SimBus::new(World::new(1), Box::new(clock));
        assert!(bus.add(AT, Box::new(|| Box::<Counter>::default())));
        for fault in faults {
            assert!(bus.plan(fault.parse().unwrap()));
        }
        Self { bus, now }
    }

    /// Lets so many seconds go by, then reads register and count.
    fn read_after(&mut self, seconds: i64) -> Result<[u8; 2], BusError> {
        self.now.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
        let mut buffer = [0; 2];
        self.bus.read(AT, &mut buffer).map(|()| buffer)
    }
}

#[test]
fn chips_answer_at_their_address_and_nobody_elsewhere() {
    let mut bench = Bench::new(&[]);
    assert_eq!(bench.bus.write(AT, &[7]), Ok(()));
    assert_eq!(bench.read_after(0), Ok([7, 1]));
    assert_eq!(bench.bus.write(AT + 1, &[7]), Err(BusError::Nack));
    assert_eq!(bench.bus.write(AT, &[0xEE]), Err(BusError::Nack));
    assert!(!bench.bus.add(AT, Box::new(|| Box::<Counter>::default())), "the address is taken");
    assert!(!bench.bus.plan("seesaw@0x37=nack".parse().unwrap()), "nobody is there");
}

#[test]
fn a_loose_wire_keeps_the_state_and_a_loss_of_power_does_not() {
    for (fault, register) in [("a@0x36=nack@4s..9s", 7), ("a@0x36=gone@4s..9s", 0)] {
        let mut bench = Bench::new(&[fault]);
        bench.bus.write(AT, &[7]).unwrap();
        assert_eq!(bench.read_after(3).unwrap()[0], 7);
        assert_eq!(bench.read_after(1), Err(BusError::Nack));
        assert_eq!(bench.read_after(4), Err(BusError::Nack));
        assert_eq!(bench.read_after(1).unwrap()[0], register, "{fault}");
    }
}

#[test]
fn a_loss_of_power_between_two_transfers_is_a_loss_all_the_same() {
    let mut bench = Bench::new(&["a@0x36=gone@4s..9s"]);
    bench.bus.write(AT, &[7]).unwrap();
    assert_eq!(bench.read_after(20), Ok([0, 1]));
    bench.bus.write(AT, &[8]).unwrap();
    assert_eq!(bench.read_after(20), Ok([8, 2]), "it is lost once only");
}

#[test]
fn a_held_clock_times_out() {
    let mut bench = Bench::new(&["a@0x36=timeout@4s.."]);
    assert_eq!(bench.read_after(3), Ok([0, 1]));
    assert_eq!(bench.read_after(1), Err(BusError::Timeout));
}

#[test]
fn a_bad_checksum_is_one_bit_of_the_last_byte() {
    let mut bench = Bench::new(&["a@0x36=bad_crc@4s..9s"]);
    assert_eq!(bench.read_after(3), Ok([0, 1]));
    assert_eq!(bench.read_after(1), Ok([0, 2 ^ 1]));
    assert_eq!(bench.read_after(5), Ok([0, 3]));
}

#[test]
fn a_stuck_chip_repeats_its_first_answer_to_each_question() {
    let mut bench = Bench::new(&["a@0x36=stuck@4s..9s"]);
    bench.bus.write(AT, &[7]).unwrap();
    assert_eq!(bench.read_after(3), Ok([7, 1]));
    assert_eq!(bench.read_after(1), Ok([7, 2]));
    assert_eq!(bench.read_after(1), Ok([7, 2]));
    bench.bus.write(AT, &[8]).unwrap();
    assert_eq!(bench.read_after(1), Ok([8, 4]), "another register is another question");
    assert_eq!(bench.read_after(1), Ok([8, 4]));
    assert_eq!(bench.read_after(5), Ok([8, 6]), "and then it moves again");
}
