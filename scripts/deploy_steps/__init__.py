"""The parts of scripts/deploy: which file (files), by what connection (ssh), one Pi's turn (host), and what is told."""
