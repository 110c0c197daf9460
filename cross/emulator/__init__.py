"""Emulated Raspberry Pis for pisink: QEMU, Debian's kernel, a small initramfs, and scenarios with verdicts.

`apt.py` and `parts.py` get what is needed into a folder; `initramfs.py` packs what a Pi boots; `qemu.py`, `console.py`
and `pi.py` run one; `sink.py` runs the node on this machine; `scenarios/` holds what is shown; `cli.py` is the command.
Python's standard library only.
"""
