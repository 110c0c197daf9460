"""One Pi, its bus opened by rppal: what is there is found and named, and read as it was set from outside."""

import json

from ..errors import check
from ..pi import MAIN_BUS, tmp105
from ..registers import BMP280_SAYS, SHT3X_SAYS, bmp280_registers, sht3x_registers

NAME = "bus"
ABOUT = "scan finds and names the chips; read gives what was set from outside, negative and changing values too"
IN_GATE = True

# A TMP105 tells sixteenths of a degree.
CELSIUS = (21.5, 0.0625, -0.0625, -12.25, -55.0, 99.9375)
CHIP = "tmp105@0x48"


def run(bench):
    """See ABOUT."""
    chips = [tmp105("air", 0x48)]
    for name, address, size, registers in (("sht", 0x44, 2, sht3x_registers()), ("bmp", 0x76, 1, bmp280_registers())):
        chips.append(register_file(bench, name, address, size, registers))
    pi = bench.pi("bench", chips)
    with bench.verdict("boots, and has /dev/i2c-1") as verdict:
        bench.boot(pi)
        verdict.seen = pi.sh("ls /dev/i2c-1 && uname -r").replace("\n", " ").strip()
    with bench.verdict("sensors scan finds and names them") as verdict:
        verdict.seen = scan(pi)
    with bench.verdict("sensors read follows the temperature set from outside") as verdict:
        for celsius in CELSIUS:
            pi.set_celsius("air", celsius)
            seen = value(pi, CHIP, "temperature")
            check(seen == celsius, f"{celsius} Cel was set and {seen!r} was read")
        verdict.seen = ", ".join(f"{celsius:g}" for celsius in CELSIUS) + " Cel"
    for chip, says in (("sht3x@0x44", SHT3X_SAYS), ("bmp280@0x76", BMP280_SAYS)):
        with bench.verdict(f"{chip} is read through its register sequence and checksum") as verdict:
            seen = {quantity: value(pi, chip, quantity) for quantity in says}
            for quantity, (expected, tolerance) in says.items():
                good = seen[quantity] is not None and abs(seen[quantity] - expected) <= tolerance
                check(good, f"{quantity} is {seen[quantity]!r}, not {expected}")
            verdict.seen = ", ".join(f"{quantity} {got:.2f}" for quantity, got in seen.items())
    with bench.verdict("a chip that is not there is ERR nack") as verdict:
        _, text = pi.console.run("pisink sensors read --chip tmp105@0x4a")
        check("nack" in text, f"`sensors read` of a chip that is not there says {text.strip()!r}")
        verdict.seen = " ".join(text.split())


def register_file(bench, name, address, address_size, registers):
    """A chip that is nothing but registers, filled beforehand: an EEPROM takes its place."""
    image = bench.run_folder / f"{name}.registers"
    image.write_bytes(registers)
    drive = f"if=none,id={name}-image,format=raw,file={image}"
    device = f"at24c-eeprom,id={name},bus={MAIN_BUS},address={address:#x},address-size={address_size}"
    return f"{device},rom-size={len(registers)},drive={name}-image", drive


def scan(pi):
    """Scans, and checks what was found; returns it as a line."""
    text = pi.sh("pisink sensors scan", limit_s=120)
    found = dict(line.split(None, 1) for line in text.splitlines() if line.startswith("0x"))
    for address, word in (("0x44", "sht3x (by"), ("0x48", "probably"), ("0x76", "bmp280 (by")):
        check(found.get(address, "").startswith(word), f"at {address}: {found.get(address)!r}, not {word!r}; {found}")
    check("tmp105" in found["0x48"], f"a TMP105 is not among {found['0x48']!r}")
    check(len(found) == 3, f"three chips are there, {found} were found")
    return "; ".join(f"{address} {what}" for address, what in found.items())


def value(pi, chip, quantity):
    """What `sensors read` gives for one quantity."""
    lines = pi.sh(f"pisink sensors read --json --chip {chip}").splitlines()
    answer = [json.loads(line) for line in lines if line.startswith("{")]
    return next((entry.get("value") for entry in answer if entry["quantity"] == quantity), None)
