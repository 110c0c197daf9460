//! From the operations of an [`I2c::transaction`](embedded_hal::i2c::I2c::transaction) to the transfers that go over
//! the wire: adjacent operations of one direction are one transfer (so says embedded-hal), and a write followed by a
//! read is one transfer with a repeated START, for many chips forget the register at a STOP.

use embedded_hal::i2c::Operation;

/// What happens between a START and its STOP.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Transfer {
    /// These bytes go to the chip.
    Write(Vec<u8>),
    /// So many bytes come from the chip.
    Read(usize),
    /// These bytes go to the chip and, after a repeated START, so many come back.
    WriteRead(Vec<u8>, usize),
}

/// The transfers that `operations` come to, in their order.
pub(crate) fn plan(operations: &[Operation<'_>]) -> Vec<Transfer> {
    let mut transfers: Vec<Transfer> = Vec::new();
    for operation in operations {
        match (operation, transfers.last_mut()) {
            (Operation::Write(bytes), Some(Transfer::Write(written))) => written.extend_from_slice(bytes),
            (Operation::Write(bytes), _) => transfers.push(Transfer::Write(bytes.to_vec())),
            (Operation::Read(buffer), Some(Transfer::Read(count) | Transfer::WriteRead(_, count))) => {
                *count += buffer.len();
            }
            (Operation::Read(buffer), Some(last @ Transfer::Write(_))) => {
                if let Transfer::Write(written) = last {
                    *last = Transfer::WriteRead(std::mem::take(written), buffer.len());
                }
            }
            (Operation::Read(buffer), None) => transfers.push(Transfer::Read(buffer.len())),
        }
    }
    transfers
}

/// Runs `operations` through `exchange`, which gets each transfer with a buffer for what it reads (empty for a write),
/// and stops at the first error. What was read goes into the operations' own buffers.
pub(crate) fn run<E>(
    operations: &mut [Operation<'_>],
    mut exchange: impl FnMut(&Transfer, &mut [u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut received = Vec::new();
    for transfer in plan(operations) {
        let count = match transfer {
            Transfer::Write(_) => 0,
            Transfer::Read(count) | Transfer::WriteRead(_, count) => count,
        };
        let mut buffer = vec![0; count];
        exchange(&transfer, &mut buffer)?;
        received.append(&mut buffer);
    }
    let mut bytes = received.into_iter();
    for operation in operations {
        if let Operation::Read(buffer) = operation {
            buffer.iter_mut().zip(&mut bytes).for_each(|(slot, byte)| *slot = byte);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_and_a_read_share_one_transfer() {
        let operations = [Operation::Write(&[0xD0]), Operation::Read(&mut [0; 1])];
        assert_eq!(plan(&operations), [Transfer::WriteRead(vec![0xD0], 1)]);
    }

    #[test]
    fn neighbours_of_one_direction_merge() {
        let (mut a, mut b, mut c) = ([0; 2], [0; 3], [0; 1]);
        let operations = [
            Operation::Read(&mut c),
            Operation::Write(&[1]),
            Operation::Write(&[2, 3]),
            Operation::Read(&mut a),
            Operation::Read(&mut b),
            Operation::Write(&[4]),
        ];
        assert_eq!(
            plan(&operations),
            [Transfer::Read(1), Transfer::WriteRead(vec![1, 2, 3], 5), Transfer::Write(vec![4]),]
        );
    }

    #[test]
    fn nothing_and_empty_operations_stay_what_they_are() {
        assert_eq!(plan(&[]), []);
        assert_eq!(plan(&[Operation::Write(&[])]), [Transfer::Write(vec![])]);
    }

    #[test]
    fn what_is_read_lands_in_its_own_buffer() {
        let (mut a, mut b, mut c) = ([0; 2], [0; 1], [0; 2]);
        let mut operations = [
            Operation::Read(&mut a),
            Operation::Read(&mut b),
            Operation::Write(&[9]),
            Operation::Read(&mut c),
        ];
        let mut next = 0;
        let result: Result<(), ()> = run(&mut operations, |_, buffer| {
            for slot in buffer {
                next += 1;
                *slot = next;
            }
            Ok(())
        });
        assert_eq!(result, Ok(()));
        assert_eq!((a, b, c), ([1, 2], [3], [4, 5]));
    }

    #[test]
    fn the_first_error_ends_the_transaction() {
        let mut count = 0;
        let mut operations = [Operation::Write(&[1]), Operation::Read(&mut [0; 1]), Operation::Write(&[2])];
        let result = run(&mut operations, |_, _| {
            count += 1;
            Err("nack")
        });
        assert_eq!((result, count), (Err("nack"), 1));
    }
}
