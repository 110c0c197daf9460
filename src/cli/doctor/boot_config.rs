//! The Pi's boot configuration: what `config.txt` says of I2C, and in which line.

use super::host::Host;

/// Where it is: since Debian 12 in the first place, before in the second.
const PLACES: [&str; 2] = ["/boot/firmware/config.txt", "/boot/config.txt"];

/// What it says. The last line counts, as it does for the firmware; filters such as `[pi4]` are not looked at, which is
/// why the line is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BootConfig {
    /// The file.
    pub(super) path: &'static str,
    /// Whether the I2C bus on pins 3 and 5 is on, and the number of the line that says so.
    pub(super) i2c: Option<(bool, usize)>,
}

/// Reads it; `None` on a machine that has none, and so is no Pi.
pub(super) fn read(host: &Host) -> Option<BootConfig> {
    let (path, text) = PLACES.into_iter().find_map(|path| Some((path, host.text(path)?)))?;
    let mut config = BootConfig { path, i2c: None };
    for (number, line) in (1..).zip(text.lines()) {
        let Some(params) = line.trim().strip_prefix("dtparam=") else { continue };
        for param in params.split(',') {
            let (name, value) = param.split_once('=').unwrap_or((param, "on"));
            if matches!(name.trim(), "i2c_arm" | "i2c" | "i2c1") {
                config.i2c = Some((matches!(value.trim(), "on" | "yes" | "true" | "1"), number));
            }
        }
    }
    Some(config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::testkit::Machine;

    #[test]
    fn the_last_line_counts_and_is_named() {
        for (text, i2c) in [
            ("", None),
            ("#dtparam=i2c_arm=on\n", None),
            ("arm_64bit=1\ndtparam=i2c_arm=on\n", Some((true, 2))),
            ("dtparam=i2c_arm=on,i2c_arm_baudrate=10000\n", Some((true, 1))),
            ("dtparam=spi=on,i2c=yes\ndtparam=i2c_arm=off\n", Some((false, 2))),
            ("  dtparam=i2c1\n", Some((true, 1))),
        ] {
            let machine = Machine::new();
            machine.put("boot/config.txt", text);
            let config = read(&machine.host()).unwrap();
            assert_eq!((config.path, config.i2c), ("/boot/config.txt", i2c), "{text:?}");
        }
    }

    #[test]
    fn the_new_place_goes_before_the_old_one() {
        let machine = Machine::new();
        assert_eq!(read(&machine.host()), None);
        machine
            .put("boot/config.txt", "dtparam=i2c_arm=off")
            .put("boot/firmware/config.txt", "dtparam=i2c_arm");
        let config = read(&machine.host()).unwrap();
        assert_eq!((config.path, config.i2c), ("/boot/firmware/config.txt", Some((true, 1))));
    }
}
