//! Check `power`: what the Pi's firmware says of its supply and its temperature, bit by bit.

use super::finding::Finding;
use super::scene::Scene;

/// The firmware's word (`vcgencmd get_throttled`): what is so now is in these bits, what was so since the boot in
/// those sixteen higher.
const BITS: [(u32, &str, Cause); 4] = [
    (0, "under-voltage", Cause::Supply),
    (1, "the processor's clock is capped", Cause::Heat),
    (2, "the processor is throttled", Cause::Both),
    (3, "the soft temperature limit is reached", Cause::Heat),
];
const SINCE_BOOT: u32 = 16;

/// What a bit comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Supply,
    Heat,
    Both,
}

const SUPPLY_ADVICE: &str = "use the Pi's own supply (5.1 V), a short thick cable, and fewer USB devices";
const HEAT_ADVICE: &str = "give it air or a heat sink";

pub(super) fn check(scene: &Scene) -> Vec<Finding> {
    if let Some(word) = firmware_word(scene) {
        return of_word(word);
    }
    match alarm(scene) {
        Some(true) => vec![Finding::failure("under-voltage, by the supply monitor", SUPPLY_ADVICE)],
        Some(false) => vec![Finding::good("the supply monitor sees no under-voltage")],
        None => vec![Finding::skipped(
            "this machine does not tell of its supply: no Pi, or its firmware driver is off",
        )],
    }
}

/// The file is below the SoC's node, whose name has its address on newer Pis.
fn firmware_word(scene: &Scene) -> Option<u32> {
    let platform = "sys/devices/platform";
    let socs = scene.host.names(platform).into_iter().filter(|name| name.starts_with("soc"));
    let text = socs.into_iter().find_map(|soc| {
        let soc = format!("{platform}/{soc}");
        let below = scene.host.names(&soc).into_iter().filter(|name| name.ends_with("firmware"));
        below.into_iter().find_map(|firmware| scene.host.text(&format!("{soc}/{firmware}/get_throttled")))
    })?;
    let text = text.trim();
    u32::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok()
}

/// The alarm of the Pi's own supply monitor among the others.
fn alarm(scene: &Scene) -> Option<bool> {
    let hwmon = "sys/class/hwmon";
    let is_pi =
        |name: &String| scene.host.text(&format!("{hwmon}/{name}/name")).as_deref() == Some("rpi_volt");
    let monitor = scene.host.names(hwmon).into_iter().find(is_pi)?;
    let text = scene.host.text(&format!("{hwmon}/{monitor}/in0_lcrit_alarm"))?;
    Some(text.trim() != "0")
}

fn of_word(word: u32) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (bit, name, cause) in BITS {
        let (now, before) = (word >> bit & 1 == 1, word >> (bit + SINCE_BOOT) & 1 == 1);
        if now {
            let what = format!("now: {name} (bit {bit})");
            findings.push(match cause {
                Cause::Supply => Finding::failure(what, advice(cause)),
                Cause::Heat | Cause::Both => Finding::warning(what, advice(cause)),
            });
        } else if before {
            let what = format!("since the boot: {name} (bit {})", bit + SINCE_BOOT);
            findings.push(Finding::warning(what, advice(cause)));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::good("no under-voltage and no throttling since the boot"));
    }
    findings
}

fn advice(cause: Cause) -> String {
    match cause {
        Cause::Supply => format!("{SUPPLY_ADVICE}; `dmesg | grep -i voltage` shows when it was"),
        Cause::Heat => HEAT_ADVICE.to_owned(),
        Cause::Both => format!("{SUPPLY_ADVICE}; {HEAT_ADVICE}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Severity::{Failure, Good, Skipped, Warning};
    use crate::cli::doctor::testkit::{Machine, assert_one, assert_some};

    fn at(path: &str, text: &str) -> Vec<Finding> {
        let machine = Machine::new();
        machine.put(path, text);
        check(&machine.scene(&[]))
    }

    const PI_3: &str = "sys/devices/platform/soc/soc:firmware/get_throttled";
    const PI_5: &str = "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled";

    #[test]
    fn each_bit_is_told_as_now_or_since_the_boot() {
        for path in [PI_3, PI_5] {
            assert_one(&at(path, "0\n"), Good, &["no under-voltage"]);
            let found = at(path, "50005\n");
            assert_eq!(found.len(), 2, "{found:#?}");
            assert_some(&found, Failure, &["now: under-voltage", "5.1 V"]);
            assert_some(&found, Warning, &["now: the processor is throttled"]);
            assert_one(&at(path, "0x10000\n"), Warning, &["since the boot: under-voltage", "bit 16"]);
            let found = at(path, "a000a");
            assert_some(&found, Warning, &["capped", "heat sink"]);
            assert_some(&found, Warning, &["now: the soft temperature limit"]);
            assert_eq!(at(path, "e0000").len(), 3);
        }
    }

    #[test]
    fn without_the_word_the_monitor_tells() {
        let machine = Machine::new();
        assert_one(&check(&machine.scene(&[])), Skipped, &["no Pi"]);
        machine
            .put("sys/class/hwmon/hwmon0/name", "cpu_thermal\n")
            .put("sys/class/hwmon/hwmon1/name", "rpi_volt\n");
        machine.put("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "0\n");
        assert_one(&check(&machine.scene(&[])), Good, &["no under-voltage"]);
        machine.put("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n").put(PI_3, "no number");
        assert_one(&check(&machine.scene(&[])), Failure, &["under-voltage"]);
    }
}
