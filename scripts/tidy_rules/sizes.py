"""A file is a room, a function fits on a screen, a line fits beside another; each module says what it is for."""

import re

RULES = {"file-length", "function-length", "line-length", "header"}

FILE_LINES_GOOD = 250  # lines of code; more is only remarked
FILE_LINES_MAX = 400  # lines of code; more needs a reason
FUNCTION_LINES_MAX = 60  # a screen, all lines counted
LINE_CHARS_MAX = 120
TEST_MODULE_LINES_MAX = 150  # all lines counted; more is only remarked

SENTENCE = re.compile(r"\w.*[.!?:](?:\s|$)")


def check(tree):
    """Looks at every Rust file, and at the openings of the product's modules."""
    long_files, long_tests = [], []
    for source in tree.rust.values():
        check_lines(tree, source)
        if source.is_test_file:
            continue
        count = check_file(tree, source)
        if count > FILE_LINES_GOOD:
            long_files.append(f"{source.path} ({count})")
        if not source.path.startswith("tests/"):
            check_functions(tree, source)
        for start, end in source.test_spans:
            lines = source.line_of(end) - source.line_of(start) + 1
            if lines > TEST_MODULE_LINES_MAX:
                long_tests.append(f"{source.path} ({lines})")
    for source in tree.product():
        # Tests in a file beside need none: what they are for is the module they are named after.
        if not source.is_test_file and not SENTENCE.search(source.header()):
            what = "the file does not begin with a `//!` sentence; say what the module is for and what it never does"
            tree.find(source.path, 1, "header", what)
    if long_files:
        tree.remarks.append(f"over {FILE_LINES_GOOD} lines of code, think of a second room: {', '.join(long_files)}")
    if long_tests:
        what = f"tests over {TEST_MODULE_LINES_MAX} lines, move them to a file beside"
        tree.remarks.append(f"{what}: {', '.join(long_tests)}")


def check_file(tree, source):
    """The file's lines of code, tests left out; over the bound it needs `Length:` and a reason in its header."""
    counted = source.code_lines()
    if len(counted) > FILE_LINES_MAX and "Length:" not in source.header():
        what = (
            f"{len(counted)} lines of code, over {FILE_LINES_MAX}; split the file,"
            " or give the reason in its first comment after the word `Length:`"
        )
        tree.find(source.path, counted[FILE_LINES_MAX], "file-length", what)
    return len(counted)


def check_functions(tree, source):
    """No function outside of tests is longer than a screen."""
    for name, start, end in source.functions():
        first, last = source.line_of(start), source.line_of(end - 1)
        if last - first + 1 > FUNCTION_LINES_MAX and not source.in_test(start):
            what = f"`{name}` has {last - first + 1} lines, over {FUNCTION_LINES_MAX}; give its steps names"
            tree.find(source.path, first, "function-length", what)


def check_lines(tree, source):
    """No line is wider than the bound; the formatter leaves strings and comments alone."""
    for number, line in enumerate(source.lines, start=1):
        if len(line) > LINE_CHARS_MAX:
            what = f"{len(line)} characters, over {LINE_CHARS_MAX}; break the line"
            tree.find(source.path, number, "line-length", what)
