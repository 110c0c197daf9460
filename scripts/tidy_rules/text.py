"""Clean text files, safe shell scripts, and nothing that is true of one machine only."""

import fnmatch
import re

RULES = {"whitespace", "final-newline", "shell", "machine-path", "registry"}

# Files that are kept byte for byte as they came, and why their white space is their own.
VERBATIM = (
    ("LICENSE-*", "licence texts as published"),
    ("assets/*", "fonts' licence texts as published"),
    ("tests/data/*", "recorded bytes"),
    ("fuzz/corpus/*", "recorded bytes"),
)

SHELL = re.compile(r"#!.*\b(?:ba|da)?sh\b")
SHELL_STRICT = re.compile(r"^set -(?=\w*e)(?=\w*u)\w+(?: pipefail)?$", re.MULTILINE)

# Absolute paths of the machine on which somebody worked; a URL's path has a letter before its slash.
MACHINE_PATH = re.compile(r"(?<![\w.~}-])/(?:work|root)/")
# Where packages are downloaded from is the user's setting; only crates.io's public index stands in Cargo.lock.
REGISTRY = re.compile(
    r"\bsparse\+https?:|\bregistry\+(?!https://github\.com/rust-lang/crates\.io-index)|--(?:extra-)?index-url"
    r"|\b(?:index|static)\.crates\.io\b|\bpypi\.org/simple|\bfiles\.pythonhosted\.org|\bregistry\.npmjs\.org"
    r"|\bproxy\.golang\.org|\breplace-with\s*="
)


def check(tree):
    """Looks at every text file."""
    for path, text in tree.texts.items():
        lines = text.split("\n")
        if not any(fnmatch.fnmatchcase(path, pattern) for pattern, _reason in VERBATIM):
            check_white_space(tree, path, text, lines)
        if path.endswith(".sh") or SHELL.match(lines[0]):
            check_shell(tree, path, text)
        for number, line in enumerate(lines, start=1):
            if MACHINE_PATH.search(line):
                what = "a path of one machine; make it relative to the repository, or take it from an argument"
                tree.find(path, number, "machine-path", what)
            if REGISTRY.search(line):
                what = "a package registry's host or setting; leave that to the user's own configuration"
                tree.find(path, number, "registry", what)


def check_white_space(tree, path, text, lines):
    """No blanks at a line's end, one line end at the file's end."""
    for number, line in enumerate(lines, start=1):
        if line != line.rstrip(" \t"):
            tree.find(path, number, "whitespace", "blanks at the end of the line; take them away")
    if text and (not text.endswith("\n") or text.endswith("\n\n")):
        tree.find(path, len(lines), "final-newline", "the file's last line does not end with one newline; give it one")


def check_shell(tree, path, text):
    """A script stops at its first error, and can be run as it is."""
    if not SHELL_STRICT.search(text):
        tree.find(path, 1, "shell", "no `set -euo pipefail` (`set -eu` in sh); put it under the first comment")
    if not tree.is_executable(path):
        tree.find(path, 1, "shell", f"not executable; run: chmod +x {path}")
