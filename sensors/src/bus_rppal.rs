//! The Pi's I2C buses. The only file that knows rppal, which its author has retired: another backend takes its place
//! here.
//!
//! `with_bus` looks for no model of Pi, so it works on boards newer than rppal. rppal's own embedded-hal transaction is
//! not used: it puts a STOP between a write and the read that belongs to it.

use std::path::Path;

use embedded_hal::i2c::{ErrorType, I2c, Operation};
use rppal::i2c::Error as RppalError;
use rustix::io::Errno;

use crate::bus::{BusError, DynBus, OpenError};
use crate::transfer::{self, Transfer};

/// The longest a transfer may take, in milliseconds, before the kernel gives up: more than any chip here stretches the
/// clock, and less than a sampling interval.
const TIMEOUT_MS: u32 = 100;

/// One bus of the kernel's i2c-dev.
struct RppalBus {
    inner: rppal::i2c::I2c,
}

/// Opens `/dev/i2c-{number}`.
pub(crate) fn open(number: u8) -> Result<Box<DynBus>, OpenError> {
    let opened = rppal::i2c::I2c::with_bus(number).and_then(|inner| {
        inner.set_timeout(TIMEOUT_MS)?;
        Ok(inner)
    });
    match opened {
        Ok(inner) => Ok(Box::new(RppalBus { inner })),
        Err(error) => Err(open_error(number, &error, Path::new("/dev"))),
    }
}

impl ErrorType for RppalBus {
    type Error = BusError;
}

impl I2c for RppalBus {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), BusError> {
        self.inner.set_slave_address(u16::from(address)).map_err(|error| bus_error(&error))?;
        transfer::run(operations, |transfer, buffer| {
            let (done, wanted) = match transfer {
                Transfer::Write(bytes) => (self.inner.write(bytes), bytes.len()),
                Transfer::Read(count) => (self.inner.read(buffer), *count),
                Transfer::WriteRead(bytes, count) => {
                    (self.inner.write_read(bytes, buffer).map(|()| *count), *count)
                }
            };
            match done.map_err(|error| bus_error(&error))? {
                count if count == wanted => Ok(()),
                count => Err(BusError::Io(format!("only {count} of {wanted} bytes were transferred"))),
            }
        })
    }
}

/// What the kernel's I2C drivers mean by their error numbers (Documentation/i2c/fault-codes.rst).
fn bus_error(error: &RppalError) -> BusError {
    match errno(error) {
        // i2c-bcm2835 and i2c-designware say EREMOTEIO for a NACK, the bit-banging i2c-gpio says ENXIO.
        Some(Errno::REMOTEIO | Errno::NXIO) => BusError::Nack,
        Some(Errno::TIMEDOUT) => BusError::Timeout,
        Some(Errno::BUSY) => BusError::Busy,
        Some(Errno::NODEV | Errno::NOENT | Errno::BADF) => BusError::Absent,
        _ => BusError::Io(error.to_string()),
    }
}

fn open_error(number: u8, error: &RppalError, dev: &Path) -> OpenError {
    match errno(error) {
        Some(Errno::NOENT | Errno::NODEV | Errno::NXIO) => OpenError::Missing { number, others: others(dev) },
        Some(Errno::ACCESS | Errno::PERM) => OpenError::Denied { number },
        _ => OpenError::Io { number, why: error.to_string() },
    }
}

fn errno(error: &RppalError) -> Option<Errno> {
    match error {
        RppalError::Io(error) => Errno::from_io_error(error),
        _ => None,
    }
}

/// In words, which buses there are in `dev`.
fn others(dev: &Path) -> String {
    let entries = std::fs::read_dir(dev).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut numbers: Vec<u8> = names.filter_map(|name| name.strip_prefix("i2c-")?.parse().ok()).collect();
    numbers.sort_unstable();
    if numbers.is_empty() {
        return "no I2C bus is enabled".to_owned();
    }
    let named: Vec<String> = numbers.iter().map(|number| format!("pi:{number}")).collect();
    format!("there are {}", named.join(", "))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn system(errno: Errno) -> RppalError {
        RppalError::Io(io::Error::from_raw_os_error(errno.raw_os_error()))
    }

    #[test]
    fn the_kernels_numbers_mean_what_the_kernel_says() {
        for (number, error) in [
            (Errno::REMOTEIO, BusError::Nack),
            (Errno::NXIO, BusError::Nack),
            (Errno::TIMEDOUT, BusError::Timeout),
            (Errno::BUSY, BusError::Busy),
            (Errno::NODEV, BusError::Absent),
            (Errno::NOENT, BusError::Absent),
        ] {
            assert_eq!(bus_error(&system(number)), error);
        }
        assert!(matches!(bus_error(&system(Errno::IO)), BusError::Io(_)));
        assert!(matches!(bus_error(&RppalError::InvalidSlaveAddress(0x99)), BusError::Io(_)));
    }

    #[test]
    fn a_bus_that_does_not_open_says_why_and_what_there_is() {
        let dev = tempfile::tempdir().unwrap();
        let nothing = open_error(1, &system(Errno::NOENT), dev.path()).to_string();
        assert!(nothing.contains("no I2C bus is enabled"), "{nothing}");
        for name in ["i2c-20", "i2c-3", "i2c", "tty1"] {
            std::fs::write(dev.path().join(name), "").unwrap();
        }
        let some = open_error(1, &system(Errno::NOENT), dev.path()).to_string();
        assert!(some.contains("there are pi:3, pi:20"), "{some}");
        let denied = open_error(1, &system(Errno::ACCESS), dev.path()).to_string();
        assert!(denied.contains("usermod -aG i2c"), "{denied}");
    }
}
