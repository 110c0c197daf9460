#!/usr/bin/env python3
"""Writes the notices of the crates that the binary is built from, as their licences ask for.

    cross/package-files/third_party.py TARGET > THIRD-PARTY

TARGET is a Rust target triple. Each text stands there once, under the names of all crates that bear it. Needs cargo,
and the crates' sources, which are there after a build.
"""

import json
import pathlib
import subprocess
import sys

# What crates call the files; their cases differ.
NOTICES = ("license", "licence", "copying", "notice", "unlicense", "copyright")
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
INTRODUCTION = """\
The pisink binary is built from these crates, each under the licence that stands beside its name, by the authors that
its notice names. Bundled in libsqlite3-sys is SQLite, which is in the public domain.
"""


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__.strip(), file=sys.stderr)
        return 0 if sys.argv[1:] == ["--help"] else 2
    crates = linked(sys.argv[1])
    texts = {}
    for crate in crates:
        for text in notices(crate):
            texts.setdefault(text, []).append(f"{crate['name']} {crate['version']}")
    print(INTRODUCTION)
    for crate in crates:
        print(f"{crate['name']} {crate['version']}: {crate['license'] or 'see its notice'}; {crate['repository'] or ''}")
    for text, names in texts.items():
        print(f"\n{'-' * 100}\n{', '.join(names)}\n{'-' * 100}\n\n{text}")
    return 0


def linked(target):
    """The crates from elsewhere that the binary for `target` is built from, by name."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", target]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    needs = {
        node["id"]: [need["pkg"] for need in node["deps"] if any(kind["kind"] is None for kind in need["dep_kinds"])]
        for node in metadata["resolve"]["nodes"]
    }
    seen, waiting = set(), [metadata["resolve"]["root"]]
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting += needs[one]
    crates = (packages[one] for one in seen if packages[one]["source"])
    return sorted(crates, key=lambda crate: (crate["name"], crate["version"]))


def notices(crate):
    """The texts of a crate's notices, in the order of their files' names."""
    folder = pathlib.Path(crate["manifest_path"]).parent
    for file in sorted(folder.iterdir()):
        if file.is_file() and file.name.lower().startswith(NOTICES):
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            yield "\n".join(line.rstrip() for line in lines).strip()


if __name__ == "__main__":
    sys.exit(main())
