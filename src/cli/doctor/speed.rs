//! Check `speed`: the clock of each bus, and chips that stretch it.
//!
//! A chip that needs time holds the clock line low. The I2C controller of the Pi 0 to 4 (BCM2835 and its kin) looks at
//! that only at one moment of a clock cycle: a stretch that ends just then gives it a clock pulse that is too short for
//! the chip, and bits are lost. A slow clock makes the pulse long enough.

use pisink_sensors::bus::BusSpec;

use super::finding::Finding;
use super::scene::Scene;
use crate::io::BusSettings;

/// What a bus runs at when nobody says otherwise, in hertz (UM10204, standard mode).
const STANDARD_HZ: u32 = 100_000;
/// Fast mode (UM10204): the fastest that all the drivers' chips take, in hertz.
const FAST_HZ: u32 = 400_000;
/// Chips that stretch the clock do well up to this on a BCM2835, in hertz.
const SLOW_HZ: u32 = 50_000;
/// Drivers whose chips stretch the clock: the seesaw is a program on a microcontroller, which answers when it can.
const STRETCHING: [&str; 1] = ["seesaw"];

pub(super) fn check(scene: &Scene) -> Vec<Finding> {
    let of = |settings: &BusSettings| match settings.bus {
        BusSpec::Pi(number) => Some(of_bus(scene, number, settings)),
        _ => None,
    };
    let findings: Vec<Finding> = scene.buses.iter().filter_map(of).collect();
    if findings.is_empty() { vec![Finding::skipped("no I2C bus of the machine is used")] } else { findings }
}

/// What is known of a bus's controller.
struct Controller {
    hz: Option<u32>,
    /// Whether it is of the kind that cuts stretched clocks short.
    cuts: bool,
}

fn controller(scene: &Scene, number: u8) -> Controller {
    let node = format!("sys/bus/i2c/devices/i2c-{number}/of_node");
    let compatible = scene.host.bytes(&format!("{node}/compatible")).unwrap_or_default();
    let is_bcm = |text: &[u8]| text.starts_with(b"brcm,bcm2835-i2c") || text.starts_with(b"brcm,bcm2711-i2c");
    Controller {
        hz: scene.host.cell(&format!("{node}/clock-frequency")),
        cuts: compatible.split(|byte| *byte == 0).any(is_bcm),
    }
}

fn of_bus(scene: &Scene, number: u8, settings: &BusSettings) -> Finding {
    let controller = controller(scene, number);
    let stretching: Vec<String> = settings
        .chips
        .iter()
        .filter(|chip| STRETCHING.contains(&chip.driver()))
        .map(ToString::to_string)
        .collect();
    let hz = controller.hz.unwrap_or(STANDARD_HZ);
    let speed = match controller.hz {
        Some(hz) => format!("pi:{number} runs at {} kHz", hz / 1_000),
        None => format!("pi:{number} does not tell its speed (usually 100 kHz)"),
    };
    if controller.cuts && hz > SLOW_HZ && !stretching.is_empty() {
        return Finding::warning(
            format!(
                "{speed}, {} stretches the clock, and this Pi's controller loses bits then",
                stretching.join(", ")
            ),
            "dtparam=i2c_arm_baudrate=10000 in config.txt (10 to 50 kHz), or the chip on a bus of its own by \
             dtoverlay=i2c-gpio,bus=3 (pins 16 and 18); then reboot",
        );
    }
    if hz > FAST_HZ {
        return Finding::warning(
            format!("{speed}, more than the {} kHz that chips are made for", FAST_HZ / 1_000),
            "dtparam=i2c_arm_baudrate=100000 in config.txt, then reboot",
        );
    }
    if controller.hz.is_none() {
        return Finding::skipped(speed);
    }
    let stretch = match (stretching.is_empty(), controller.cuts) {
        (true, _) => "none of its chips stretches the clock".to_owned(),
        (false, true) => format!("slow enough for {}, which stretches the clock", stretching.join(", ")),
        (false, false) => {
            format!("its controller waits for {}, which stretches the clock", stretching.join(", "))
        }
    };
    Finding::good(format!("{speed}; {stretch}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Severity::{Good, Skipped, Warning};
    use crate::cli::doctor::testkit::{Machine, assert_one};

    /// A bus of a Pi 3 or 5 at this speed.
    fn machine(hz: u32, compatible: &[u8]) -> Machine {
        let machine = Machine::new();
        let node = "sys/bus/i2c/devices/i2c-1/of_node";
        machine.put(&format!("{node}/clock-frequency"), hz.to_be_bytes());
        machine.put(&format!("{node}/compatible"), compatible);
        machine
    }

    const PI_4: &[u8] = b"brcm,bcm2711-i2c\0brcm,bcm2835-i2c\0";
    const PI_5: &[u8] = b"snps,designware-i2c\0";

    #[test]
    fn a_stretching_chip_wants_a_slow_bus_on_old_controllers_only() {
        let found = |hz, kind, chips: &[&str]| check(&machine(hz, kind).scene(chips));
        assert_one(&found(100_000, PI_4, &["sht3x@0x44"]), Good, &["100 kHz", "none"]);
        let seesaw = &["sht3x@0x44", "seesaw@0x36"][..];
        let advice = &["seesaw@0x36", "i2c_arm_baudrate=10000", "i2c-gpio"];
        assert_one(&found(100_000, PI_4, seesaw), Warning, advice);
        assert_one(&found(50_000, PI_4, seesaw), Good, &["50 kHz", "slow enough"]);
        assert_one(&found(100_000, PI_5, seesaw), Good, &["waits for seesaw@0x36"]);
        assert_one(&found(1_000_000, PI_5, &[]), Warning, &["1000 kHz", "i2c_arm_baudrate=100000"]);
    }

    #[test]
    fn a_bus_that_does_not_tell_is_taken_for_a_usual_one() {
        let machine = Machine::new();
        assert_one(&check(&machine.scene(&["seesaw@0x36"])), Skipped, &["does not tell"]);
        machine.put("sys/bus/i2c/devices/i2c-1/of_node/compatible", PI_4);
        assert_one(&check(&machine.scene(&["seesaw@0x36"])), Warning, &["usually 100 kHz"]);
        machine.put("sys/bus/i2c/devices/i2c-1/of_node/clock-frequency", b"\0\x01");
        assert_one(&check(&machine.scene(&[])), Skipped, &["does not tell"]);
    }
}
