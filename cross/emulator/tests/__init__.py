"""Tests of what is pure in the emulator: run by `python3 -m unittest discover -s cross -t cross`."""
