//! What every driver's tests are made of.
//!
//! - [`Bench`]: a bus with one twin on it, whose time the test moves and whose transfers the test spoils.
//!   [`Bench::measure`] runs a driver through one measurement and gives one result for each quantity.
//! - [`ScriptedBus`]: a bus that wants exact bytes and gives exact bytes, for the vectors of a datasheet.
//!   [`ScriptedBus::measure`] does the same there, and at its end nothing of the script may be left.
//! - [`survives_everything`]: no answer and time-out at every transaction, and loss of power, each with recovery.
//! - [`begins_anew_after_every_loss`]: for chips that are set up once and then only measure.
//! - [`sees_every_flipped_bit`]: for chips with a checksum.
//! - [`does_not_read_too_early`]: a caller that does not wait gets an error or the right value, never a wrong one.

use std::collections::VecDeque;
use std::time::Duration;

use embedded_hal::i2c::{ErrorType, I2c, Operation};

use crate::bus::BusError;
use crate::chip::{Chip, Fault, Sample, Step};
use crate::sim::{Moment, SimTime, Twin, World};

/// The time at which a [`Bench`] begins: 10:00 UTC on a day in May 2026.
pub(crate) const START: SimTime = SimTime::from_micros(1_779_962_400_000_000);

/// More steps than any measurement takes.
const MAX_STEPS: usize = 100;

/// What the test does to one transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trouble {
    /// Nobody acknowledges.
    Nack,
    /// The clock is held.
    Timeout,
    /// This bit of this byte arrives wrong (of all the bytes that the transaction reads).
    Flip { byte: usize, bit: u8 },
}

/// A bus with one twin, which answers at every address.
pub(crate) struct Bench {
    twin: Box<dyn Twin>,
    world: World,
    now: SimTime,
    transactions: usize,
    /// For each transaction, how many bytes it read.
    reads: Vec<usize>,
    trouble: Option<(usize, Trouble)>,
}

impl Bench {
    /// A bench with a twin fresh from power-on.
    pub(crate) fn new(twin: Box<dyn Twin>) -> Self {
        Self { twin, world: World::new(1), now: START, transactions: 0, reads: Vec::new(), trouble: None }
    }

    /// The world in which the twin stands.
    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    /// The time.
    pub(crate) fn now(&self) -> SimTime {
        self.now
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now.plus(time);
    }

    /// Spoils the transaction after the next `ahead` ones.
    pub(crate) fn spoil(&mut self, ahead: usize, trouble: Trouble) {
        self.trouble = Some((self.transactions + ahead, trouble));
    }

    /// Replaces the twin: power was lost, and is back.
    pub(crate) fn replace(&mut self, twin: Box<dyn Twin>) {
        self.twin = twin;
    }

    /// How many transactions there were.
    pub(crate) fn transactions(&self) -> usize {
        self.transactions
    }

    /// One measurement, with every wait exactly as long as the driver says. Each quantity is given once.
    pub(crate) fn measure<C: Chip<Self>>(&mut self, chip: &mut C) -> Vec<Result<f64, Fault>> {
        measure(self, chip, |bench, _, time| bench.pass(time))
    }
}

impl ErrorType for Bench {
    type Error = BusError;
}

impl I2c for Bench {
    fn transaction(&mut self, _: u8, operations: &mut [Operation<'_>]) -> Result<(), BusError> {
        let number = self.transactions;
        self.transactions += 1;
        self.reads.push(0);
        let trouble = self.trouble.filter(|(at, _)| *at == number).map(|(_, trouble)| trouble);
        match trouble {
            Some(Trouble::Nack) => return Err(BusError::Nack),
            Some(Trouble::Timeout) => return Err(BusError::Timeout),
            Some(Trouble::Flip { .. }) | None => {}
        }
        let moment = Moment { now: self.now, world: &self.world };
        let mut count = 0;
        for operation in operations {
            match operation {
                Operation::Write(bytes) => self.twin.write(bytes, &moment).map_err(|_| BusError::Nack)?,
                Operation::Read(buffer) => {
                    self.twin.read(buffer, &moment).map_err(|_| BusError::Nack)?;
                    if let Some(Trouble::Flip { byte, bit }) = trouble
                        && let Some(byte) = byte.checked_sub(count).and_then(|byte| buffer.get_mut(byte))
                    {
                        *byte ^= 1 << bit;
                    }
                    count += buffer.len();
                }
            }
        }
        self.reads[number] = count;
        Ok(())
    }
}

/// A bus that wants what its script says, in order.
pub(crate) struct ScriptedBus {
    address: u8,
    script: VecDeque<Line>,
}

/// One line of a script.
#[derive(Debug)]
enum Line {
    Write(Vec<u8>),
    Read(Vec<u8>),
}

impl ScriptedBus {
    /// A bus whose one chip is at `address`.
    pub(crate) fn new(address: u8) -> Self {
        Self { address, script: VecDeque::new() }
    }

    /// Next the driver writes `bytes`.
    pub(crate) fn write(mut self, bytes: &[u8]) -> Self {
        self.script.push_back(Line::Write(bytes.to_vec()));
        self
    }

    /// Next the driver reads as many bytes as these, and gets them.
    pub(crate) fn read(mut self, bytes: &[u8]) -> Self {
        self.script.push_back(Line::Read(bytes.to_vec()));
        self
    }

    /// One measurement, at whose end the script must be used up.
    pub(crate) fn measure<C: Chip<Self>>(mut self, chip: &mut C) -> Vec<Result<f64, Fault>> {
        let results = measure(&mut self, chip, |_, _, _| {});
        assert!(self.script.is_empty(), "the driver left this: {:02x?}", self.script);
        results
    }
}

impl ErrorType for ScriptedBus {
    type Error = BusError;
}

impl I2c for ScriptedBus {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), BusError> {
        assert_eq!(address, self.address);
        for operation in operations {
            match (operation, self.script.pop_front()) {
                (Operation::Write(bytes), Some(Line::Write(wanted))) => assert_eq!(bytes, &wanted, "written"),
                (Operation::Read(buffer), Some(Line::Read(given))) => buffer.copy_from_slice(&given),
                (operation, line) => {
                    panic!("the driver does {operation:02x?} where the script has {line:02x?}")
                }
            }
        }
        Ok(())
    }
}

/// One measurement: `wait` gets the number of the wait and its time. Gives one result for each quantity.
fn measure<B: I2c, C: Chip<B>>(
    bus: &mut B,
    chip: &mut C,
    mut wait: impl FnMut(&mut B, usize, Duration),
) -> Vec<Result<f64, Fault>> {
    let mut samples = Vec::new();
    let outcome = run(bus, chip, &mut wait, &mut samples);
    let mut results: Vec<Option<Result<f64, Fault>>> = vec![None; chip.quantities().len()];
    for Sample { quantity, value } in samples {
        assert!(results[quantity].replace(value).is_none(), "quantity {quantity} was given twice");
    }
    match outcome {
        Ok(()) => results.into_iter().map(|result| result.expect("every quantity is given")).collect(),
        Err(fault) => results.into_iter().map(|result| result.unwrap_or(Err(fault))).collect(),
    }
}

fn run<B: I2c, C: Chip<B>>(
    bus: &mut B,
    chip: &mut C,
    wait: &mut impl FnMut(&mut B, usize, Duration),
    samples: &mut Vec<Sample>,
) -> Result<(), Fault> {
    let mut time = chip.start(bus).map_err(|error| error.fault)?;
    for number in 0..MAX_STEPS {
        wait(bus, number, time);
        match chip.read(bus, samples).map_err(|error| error.fault)? {
            Step::Done => return Ok(()),
            Step::Wait(next) => time = next,
        }
    }
    panic!("the measurement has no end");
}

fn all_good(results: &[Result<f64, Fault>]) -> bool {
    results.iter().all(|result| result.is_ok_and(f64::is_finite))
}

/// Spoils every transaction of the first two measurements in turn, takes the power away, and wants the right error
/// and, with the next measurement after a second, good values again.
pub(crate) fn survives_everything<C: Chip<Bench>>(make: impl Fn() -> C, twin: impl Fn() -> Box<dyn Twin>) {
    for (trouble, fault) in [(Trouble::Nack, Fault::Nack), (Trouble::Timeout, Fault::Timeout)] {
        let mut at = 0;
        loop {
            let (mut chip, mut bench) = (make(), Bench::new(twin()));
            bench.spoil(at, trouble);
            let first = bench.measure(&mut chip);
            bench.pass(Duration::from_secs(1));
            let second = bench.measure(&mut chip);
            if bench.transactions() <= at {
                assert!(all_good(&first) && all_good(&second), "unspoilt: {first:?}, then {second:?}");
                break;
            }
            let mut faults = first.iter().chain(&second).filter_map(|result| result.err()).peekable();
            assert!(faults.peek().is_some(), "nobody saw {trouble:?} at transaction {at}");
            assert!(faults.all(|seen| seen == fault), "{trouble:?} at {at} gives {first:?}, then {second:?}");
            assert!(
                first.iter().all(Result::is_ok) || all_good(&second),
                "no recovery after {trouble:?} at {at}"
            );
            bench.pass(Duration::from_secs(1));
            let third = bench.measure(&mut chip);
            assert!(all_good(&third), "no recovery after {trouble:?} at {at}: {third:?}");
            at += 1;
        }
    }
    survives_loss_of_power(make, twin);
}

fn survives_loss_of_power<C: Chip<Bench>>(make: impl Fn() -> C, twin: impl Fn() -> Box<dyn Twin>) {
    let (mut chip, mut bench) = (make(), Bench::new(twin()));
    let before = bench.measure(&mut chip);
    bench.replace(twin());
    bench.pass(Duration::from_secs(1));
    let after = bench.measure(&mut chip);
    assert!(no_wrong_value(&after, &before), "after a loss of power: {after:?} after {before:?}");
    bench.pass(Duration::from_secs(1));
    let recovered = bench.measure(&mut chip);
    assert!(all_good(&recovered), "no recovery after a loss of power: {recovered:?}");
}

/// Loses every transaction of an ordinary measurement in turn: the next one takes as many transactions as the first
/// did, set-up and all, for the chip may have lost power.
pub(crate) fn begins_anew_after_every_loss<C: Chip<Bench>>(
    make: impl Fn() -> C,
    twin: impl Fn() -> Box<dyn Twin>,
) {
    let (mut chip, mut bench) = (make(), Bench::new(twin()));
    let transactions = |bench: &mut Bench, chip: &mut C| {
        let before = bench.transactions();
        assert!(all_good(&bench.measure(chip)));
        bench.transactions() - before
    };
    let first = transactions(&mut bench, &mut chip);
    let ordinary = transactions(&mut bench, &mut chip);
    assert!(ordinary < first, "nothing is set up: {first} transactions, then {ordinary}");
    for at in 0..ordinary {
        bench.spoil(at, Trouble::Nack);
        assert!(bench.measure(&mut chip).contains(&Err(Fault::Nack)), "transaction {at}");
        assert_eq!(transactions(&mut bench, &mut chip), first, "after transaction {at} was lost");
        assert_eq!(transactions(&mut bench, &mut chip), ordinary);
    }
}

/// Flips every bit of every byte that two measurements read, one at a time: the values are right or ERR, and ERR `Crc`
/// is among them.
pub(crate) fn sees_every_flipped_bit<C: Chip<Bench>>(make: impl Fn() -> C, twin: impl Fn() -> Box<dyn Twin>) {
    let (mut chip, mut bench) = (make(), Bench::new(twin()));
    let good = bench.measure(&mut chip);
    let reads = bench.reads.clone();
    let mut checksums = 0;
    for (at, count) in reads.into_iter().enumerate() {
        for (byte, bit) in (0..count).flat_map(|byte| (0..8).map(move |bit| (byte, bit))) {
            let (mut chip, mut bench) = (make(), Bench::new(twin()));
            bench.spoil(at, Trouble::Flip { byte, bit });
            let spoilt = bench.measure(&mut chip);
            assert!(
                no_wrong_value(&spoilt, &good),
                "bit {bit} of byte {byte} at {at}: {spoilt:?} for {good:?}"
            );
            checksums += spoilt.iter().filter(|result| **result == Err(Fault::Crc)).count();
            bench.pass(Duration::from_secs(1));
            assert!(all_good(&bench.measure(&mut chip)), "no recovery from bit {bit} of byte {byte} at {at}");
        }
    }
    assert!(checksums > 0, "no checksum was ever seen to fail");
}

/// Cuts each wait of two measurements to a quarter in turn: the values are right or ERR.
pub(crate) fn does_not_read_too_early<C: Chip<Bench>>(
    make: impl Fn() -> C,
    twin: impl Fn() -> Box<dyn Twin>,
) {
    let (mut chip, mut bench) = (make(), Bench::new(twin()));
    let good = bench.measure(&mut chip);
    for cut in 0..MAX_STEPS {
        let (mut chip, mut bench) = (make(), Bench::new(twin()));
        let mut waits = 0;
        let hasty = measure(&mut bench, &mut chip, |bench, number, time| {
            waits += 1;
            bench.pass(if number == cut { time / 4 } else { time });
        });
        assert!(no_wrong_value(&hasty, &good), "wait {cut} cut short: {hasty:?} for {good:?}");
        bench.pass(Duration::from_secs(1));
        assert!(all_good(&bench.measure(&mut chip)), "no recovery after wait {cut} was cut short");
        if cut >= waits {
            break;
        }
    }
}

/// Whether every value is ERR or near the good one (the world moves a little meanwhile).
fn no_wrong_value(results: &[Result<f64, Fault>], good: &[Result<f64, Fault>]) -> bool {
    let near = |(result, good): (&Result<f64, Fault>, &Result<f64, Fault>)| match (result, good) {
        (Err(_), _) => true,
        (Ok(value), Ok(good)) => (value - good).abs() <= 0.02 * good.abs() + 0.2,
        (Ok(_), Err(_)) => false,
    };
    results.len() == good.len() && results.iter().zip(good).all(near)
}
