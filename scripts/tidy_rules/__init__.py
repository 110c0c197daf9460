"""The rules of scripts/tidy: one module for each kind, each with RULES (its rules' names) and check(tree)."""

import sys

from . import calls, docs, layers, sizes, text
from .tree import Tree, TreeError

KINDS = (layers, calls, sizes, text, docs)
RULES = frozenset().union(*(kind.RULES for kind in KINDS))


def check(root):
    """All findings in the tree at `root`, in order, and the remarks that fail nothing."""
    tree = Tree(root)
    for kind in KINDS:
        kind.check(tree)
    return sorted(tree.findings), tree.remarks


def run(root):
    """Prints the findings; the exit code: 0 none, 1 some, 2 the tree could not be read."""
    try:
        findings, remarks = check(root)
    except TreeError as error:
        print(f"scripts/tidy: {error}", file=sys.stderr)
        return 2
    for finding in findings:
        print(finding)
    for remark in remarks:
        print(f"scripts/tidy: note: {remark}")
    print(f"scripts/tidy: {len(findings)} finding{'' if len(findings) == 1 else 's'}")
    return 1 if findings else 0
