"""The parts of scripts/deploy: what fits a Pi (files), how to talk to it (ssh), one Pi's turn (host), what is told of it."""
