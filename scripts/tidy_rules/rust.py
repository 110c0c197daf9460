"""As much of Rust's grammar as the rules need: what is comment, string, test, module, function, path.

No parser: the text is masked (comments become blanks, strings become quotation marks; every character keeps its place),
and regular expressions look at what is left.
"""

import bisect
import re

# In this order: a comment's begin, a raw string's begin, a string, a character (a lifetime has no closing quote).
SPECIAL = re.compile(
    r"""(?P<line>//[^\n]*) | (?P<block>/\*) | (?P<raw>\b(?:b|c)?r(?P<hashes>\#*)") | (?P<text>"(?:[^"\\]|\\.)*"?) """
    r"""| (?P<char>'(?:[^'\\\n]|\\(?:x..|u\{[^}]*\}|.))')""",
    re.VERBOSE | re.DOTALL,
)
BLOCK_EDGE = re.compile(r"/\*|\*/")
TEST_ATTRIBUTE = re.compile(r"#\[cfg\((?:all\(\s*)?test\b[^\]]*\]")
ATTRIBUTE = re.compile(r"\s*#\[[^\]]*\]")
ITEM_END = re.compile(r"[;{]")
MODULE = re.compile(r"\bmod\s+(\w+)\s*([;{])")
FUNCTION = re.compile(r"\bfn\s+(\w+)")
USE = re.compile(r"\buse\s+([^;]+);")
PATH = re.compile(r"\b[A-Za-z_]\w*(?:\s*::\s*[A-Za-z_]\w*)+")


class Rust:
    """One Rust file: its text, its code without comments and strings, and its parts."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.split("\n")
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)
        self.code = mask(text)
        name = path.rpartition("/")[2]
        self.is_test_file = name == "tests.rs" or name.endswith("_tests.rs") or "#![cfg(test)]" in self.code
        self.test_spans, self.test_module_files = self.find_tests()
        self.module_spans = [
            (match.group(1), match.start(), self.brace_end(match.end() - 1))
            for match in MODULE.finditer(self.code)
            if match.group(2) == "{"
        ]

    def line_of(self, at):
        """The number, from 1, of the line with the character `at`."""
        return bisect.bisect_right(self.starts, at)

    def in_test(self, at):
        """Whether the character `at` is in test code."""
        return self.is_test_file or any(start <= at < end for start, end in self.test_spans)

    def header(self):
        """The text of the `//!` comment with which the file begins."""
        taken = []
        for line in self.lines:
            if not line.startswith("//!"):
                break
            taken.append(line[3:].strip())
        return " ".join(taken).strip()

    def code_lines(self):
        """The lines that are neither blank nor comment nor test, as numbers from 1."""
        counted = []
        for number, line in enumerate(self.code.split("\n"), start=1):
            at = self.starts[number - 1] + len(line) - len(line.lstrip())
            if line.strip() and not any(start <= at < end for start, end in self.test_spans):
                counted.append(number)
        return counted

    def functions(self):
        """Name, first character and end of each function that has a body."""
        for match in FUNCTION.finditer(self.code):
            end = ITEM_END.search(self.code, self.signature_end(match.end()))
            if end and end.group() == "{":
                yield match.group(1), match.start(), self.brace_end(end.start())

    def paths(self):
        """Each path of two or more words, as a list of words, with its place; a `use` tree gives all its branches."""
        code = self.code
        for match in USE.finditer(code):
            yield from ((match.start(1) + at, path) for at, path in use_tree(match.group(1)))
        rest = USE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), code)
        for match in PATH.finditer(rest):
            yield match.start(), re.split(r"\s*::\s*", match.group())

    def find_tests(self):
        """The spans of items under `#[cfg(test)]`, and the names of such modules that are files of their own."""
        spans, files = [], []
        for match in TEST_ATTRIBUTE.finditer(self.code):
            at = match.end()
            while attribute := ATTRIBUTE.match(self.code, at):
                at = attribute.end()
            end = ITEM_END.search(self.code, self.signature_end(at))
            if end is None:
                continue
            module = MODULE.search(self.code, at, end.end())
            if module and end.group() == ";":
                files.append(module.group(1))
            spans.append((match.start(), end.end() if end.group() == ";" else self.brace_end(end.start())))
        return spans, files

    def signature_end(self, at):
        """The first place from `at` that is in no round or square bracket and is a `;` or a `{`."""
        depth = 0
        for place in range(at, len(self.code)):
            char = self.code[place]
            if char in "([":
                depth += 1
            elif char in ")]":
                depth -= 1
            elif depth == 0 and char in ";{":
                return place
        return len(self.code)

    def brace_end(self, at):
        """The place after the brace that closes the one at `at`."""
        depth = 0
        for match in re.compile(r"[{}]").finditer(self.code, at):
            depth += 1 if match.group() == "{" else -1
            if depth == 0:
                return match.end()
        return len(self.code)


def mask(text):
    """`text` with comments as blanks and strings as quotation marks; line ends and places stay."""
    parts, at = [], 0
    while match := SPECIAL.search(text, at):
        end = match.end()
        if match.lastgroup == "block":
            end = block_end(text, match.start())
        elif match.group("raw"):
            closing = text.find('"' + match.group("hashes"), end)
            end = len(text) if closing < 0 else closing + 1 + len(match.group("hashes"))
        fill = " " if match.lastgroup in ("line", "block") else '"'
        parts += [text[at : match.start()], re.sub(r"[^\n]", fill, text[match.start() : end])]
        at = end
    return "".join(parts) + text[at:]


def block_end(text, at):
    """The place after the block comment that begins at `at`; block comments nest."""
    depth = 0
    for match in BLOCK_EDGE.finditer(text, at):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    return len(text)


def use_tree(text):
    """Each branch of the inside of a `use`, with its place: `a::{b, c as d}` gives `a::b` and `a::c`."""
    stack, words, place = [], [], 0
    for match in re.finditer(r"::|[{},]|\bas\s+\w+|\*|[A-Za-z_]\w*", text):
        token = match.group()
        if token == "{":
            stack.append(list(words))
        elif token in ",}":
            if words != (stack[-1] if stack else []):
                yield place, words
            if token == "}" and stack:
                stack.pop()
            words = list(stack[-1]) if stack else []
        elif token != "::" and not token.startswith("as "):
            words, place = [*words, token], match.start()
    if words and not stack:
        yield place, words
