"""Breaks each rule on purpose, in a copy of a small made-up tree, and looks that just that is found."""

import pathlib
import subprocess
import sys
import tempfile

from . import RULES, check
from .self_test_cases import BROKEN, CLEAN, EXECUTABLE, SOUND
from .tree import git_environment


def run():
    """Prints what the check failed to see or saw without cause; the exit code."""
    faults = []
    with tempfile.TemporaryDirectory(prefix="tidy-self-test-") as folder:
        root = pathlib.Path(folder)
        subprocess.run(["git", "init", "-q", folder], env=git_environment(), check=True)
        write(root, CLEAN)
        faults += [f"the clean tree: {finding}" for finding in check(root)[0]]
        for name, changes in SOUND:
            faults += [f"{name}: found without cause: {finding}" for finding in with_changes(root, changes)]
        for expected, changes in BROKEN:
            found = [str(finding) for finding in with_changes(root, changes)]
            if len(found) != 1 or not found[0].startswith(f"{expected}: "):
                faults.append(f"expected {expected}, found {found or 'nothing'}")
        faults += exit_codes(root)
    untried = RULES - {expected.split(": ")[1] for expected, _changes in BROKEN}
    faults += [f"rule {rule} is never broken; give it a case in self_test_cases.py" for rule in sorted(untried)]
    for fault in faults:
        print(f"scripts/tidy --self-test: {fault}")
    tried = f"{len(BROKEN)} broken and {len(SOUND)} sound trees"
    print(f"scripts/tidy --self-test: {tried}, {len(faults)} fault{'' if len(faults) == 1 else 's'}")
    return 1 if faults else 0


def with_changes(root, changes):
    """The findings in the clean tree with some files put in their stead, or taken away (None)."""
    write(root, changes)
    try:
        return check(root)[0]
    finally:
        write(root, {path: CLEAN.get(path) for path in changes})


def write(root, files):
    """Writes files; None takes one away."""
    for path, text in files.items():
        file = root / path
        if text is None:
            file.unlink(missing_ok=True)
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        file.chmod(0o755 if path in EXECUTABLE else 0o644)


def exit_codes(root):
    """The program itself says 0 of the clean tree, 1 of a broken one, 2 of none."""
    tidy = pathlib.Path(__file__).resolve().parent.parent / "tidy"

    def code_of(folder):
        return subprocess.run([sys.executable, tidy, "--root", folder], capture_output=True, check=False).returncode

    faults = []
    if code_of(root) != 0:
        faults.append("the exit code for a clean tree is not 0")
    write(root, {"src/lib.rs": "pub mod model;\n"})
    if code_of(root) != 1:
        faults.append("the exit code for a broken tree is not 1")
    write(root, {"src/lib.rs": CLEAN["src/lib.rs"]})
    if code_of(root / "absent") != 2:
        faults.append("the exit code for no tree is not 2")
    return faults
