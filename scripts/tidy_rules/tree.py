"""The files under check, and the findings about them."""

import os
import pathlib
import subprocess
from typing import NamedTuple

from .rust import Rust


class TreeError(Exception):
    """The tree cannot be read; the text says why and what to do."""


class Finding(NamedTuple):
    """One broken rule at one place."""

    path: str
    line: int
    rule: str
    what: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.what}"


class Tree:
    """The files that git tracks or would track, the text of those that are text, and what is found in them."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.all_paths = set()
        self.texts = {}
        self.findings = []
        self.remarks = []
        for path in list_files(self.root):
            file = self.root / path
            if file.is_symlink() or not file.is_file():
                continue
            self.all_paths.add(path)
            data = file.read_bytes()
            if b"\0" in data:
                continue
            # A byte that is no UTF-8 must not stop the check: it becomes U+FFFD.
            self.texts[path] = data.decode("utf-8", errors="replace")
        self.rust = {path: Rust(path, code) for path, code in self.texts.items() if path.endswith(".rs")}
        self.mark_test_files()

    def mark_test_files(self):
        """A file that a `#[cfg(test)] mod name;` declares is test code, and so is all under it."""
        for path, source in self.rust.items():
            folder = module_folder(path)
            for name in source.test_module_files:
                for other, declared in self.rust.items():
                    if other == f"{folder}{name}.rs" or other.startswith(f"{folder}{name}/"):
                        declared.is_test_file = True

    def product(self):
        """The Rust files of the binary, the library and the sensors crate."""
        return [source for path, source in self.rust.items() if path.startswith(("src/", "sensors/src/"))]

    def is_executable(self, path):
        """Whether the file at `path` has an executable bit."""
        return os.access(self.root / path, os.X_OK)

    def find(self, path, line, rule, what):
        """Notes a finding."""
        self.findings.append(Finding(path, line, rule, what))


def module_folder(path):
    """Where the files of the modules lie that the file at `path` declares."""
    folder, _, name = path.rpartition("/")
    folder = f"{folder}/" if folder else ""
    return folder if name in ("mod.rs", "lib.rs", "main.rs") else f"{folder}{name.removesuffix('.rs')}/"


def git_environment():
    """The environment without what a git hook sets: GIT_DIR and its like would lead away from the tree."""
    return {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}


def list_files(root):
    """Tracked files and new files that .gitignore does not name, in order."""
    # The tree of a CI job often belongs to another user; listing its files is harmless.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=root, env=git_environment(), capture_output=True, check=False)
    except OSError as error:
        raise TreeError(f"cannot run git in {root}: {error}; install git, and give --root an existing tree") from error
    if done.returncode != 0:
        raise TreeError(f"git cannot list the files of {root}: {done.stderr.decode(errors='replace').strip()}")
    return sorted({os.fsdecode(name) for name in done.stdout.split(b"\0") if name})
