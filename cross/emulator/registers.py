"""Register contents of chips that QEMU does not have. An EEPROM of QEMU's holds them; the chips' drivers cannot tell.

The values are the data sheets' own examples, or follow from their formulas.
"""

import struct

SHT3X_MEASURE, SHT3X_STATUS = 0x2400, 0xF32D
SHT3X_RAW = (0x6666, 0x8000)
# Sensirion SHT3x data sheet, section 4.13: -45 + 175 raw / 65535, and 100 raw / 65535. (expected, tolerance)
SHT3X_SAYS = {
    "temperature": (-45 + 175 * SHT3X_RAW[0] / 65535, 1e-6),
    "humidity": (100 * SHT3X_RAW[1] / 65535, 1e-6),
}

# Bosch BST-BMP280-DS001, section 3.12: dig_T1 to dig_P9, the raw words, and what comes out.
BMP280_CONSTANTS = (27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
BMP280_RAW_TEMPERATURE, BMP280_RAW_PRESSURE = 519888, 415148
BMP280_SAYS = {"temperature": (25.08, 0.01), "pressure": (100653.27, 0.5)}
BMP280_ID = 0x58

# QEMU takes no image that is not a whole number of sectors of 512 bytes. The 256 registers are there twice, then: what
# the stand-in remembers of the last address is the ninth bit of the next.
COPIES = 2


def crc8(data):
    """Sensirion's checksum: polynomial 0x31, begun with 0xFF (section 4.12)."""
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x31) & 0xFF if crc & 0x80 else crc << 1
    return crc


def sensirion_words(words):
    """16-bit words, each followed by its checksum."""
    pairs = (struct.pack(">H", word) for word in words)
    return b"".join(pair + bytes([crc8(pair)]) for pair in pairs)


def sht3x_registers():
    """Its 16-bit commands are addresses here: at each lies what the chip would answer."""
    registers = bytearray(65536)
    for command, words in ((SHT3X_MEASURE, SHT3X_RAW), (SHT3X_STATUS, (0,))):
        answer = sensirion_words(words)
        registers[command : command + len(answer)] = answer
    return bytes(registers)


def bmp280_registers():
    """Constants from 0x88, id at 0xD0, pressure and temperature (20 bits each, left-aligned in three bytes) from 0xF7."""
    registers = bytearray(256)
    registers[0x88 : 0x88 + 24] = struct.pack("<HhhHhhhhhhhh", *BMP280_CONSTANTS)
    registers[0xD0] = BMP280_ID
    for at, raw in ((0xF7, BMP280_RAW_PRESSURE), (0xFA, BMP280_RAW_TEMPERATURE)):
        registers[at : at + 3] = (raw << 4).to_bytes(3, "big")
    return bytes(registers) * COPIES
