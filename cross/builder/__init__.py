"""Builds and checks pisink for Raspberry Pis on another machine.

`targets.py` says what is wanted of each binary; `machine.py` finds or installs what this machine needs; `cache.py`
keeps what is costly; `toolchain.py` gives cargo for a target, from rustup or, by `sysroot.py`, from Debian alone;
`build.py` builds; `elf.py` looks at the file and `trial.py` starts it, both for `check.py`; `self_test.py` puts these
to the test; `foreign.py` lets this machine start binaries of another kind; `suite.py` runs the project's tests so.
Python's standard library only.
"""
