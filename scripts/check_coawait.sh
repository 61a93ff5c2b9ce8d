#!/usr/bin/env bash
# Refuses what g++ 12 translates wrongly around a co_await, naming file:line:
#
#   - a braced temporary, `{}` included, anywhere in an expression with a co_await: an aggregate made
#     there is destroyed twice. Whether a type is one does not show at the call, so all are refused.
#   - ?: in such an expression: a result of class type is destroyed twice, on whichever side it is.
#   - a lambda with captures in such an expression: made into a std::function there, what it captured
#     is freed twice.
#   - `while (co_await …)`: as the first statement of a coroutine it reads `this` from elsewhere.
#
# Name the value before, use `if`, write parentheses. Bodies of lambdas are expressions of their own.
set -u
cd "${1:-$(dirname "$0")/..}" || exit 2
command -v python3 > /dev/null || { echo 'check_coawait: python3 is not installed'; exit 1; }
exec python3 - src << 'PYTHON'
import pathlib
import re
import sys

BLANKED = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^\s()\\]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.S)
TOKEN = re.compile(r"\w+|::|->|\S")
OPEN, CLOSE = "([{", ")]}"
CONTROL = {"if", "for", "while", "switch", "constexpr"}
# What may stand before the brace of a block.
BLOCK_WORDS = {"else", "do", "try", "const", "noexcept", "mutable", "override", "final"}


def blank(match):
    """Comments become blanks, a text one token, and lines stay lines."""
    text = match.group()
    return ("" if text[0] == "/" else '""') + "\n" * text.count("\n")


class source:
    def __init__(self, text):
        text = BLANKED.sub(blank, text)
        found = list(TOKEN.finditer(text))
        self.words = [m.group() for m in found]
        self.lines = [text.count("\n", 0, m.start()) + 1 for m in found]
        self.partner, stack = {}, []
        for i, word in enumerate(self.words):
            if word in OPEN:
                stack.append(i)
            elif word in CLOSE and stack:
                j = stack.pop()
                self.partner[i], self.partner[j] = j, i

    def before(self, i):
        return self.words[i - 1] if i else ";"

    def opens_lambda(self, i):
        """Whether the brace at i begins the body of a lambda: [..](..) words -> type {"""
        j = i - 1
        while j >= 0 and re.match(r"\w|::|->|[<>&*]$", self.words[j]):
            j -= 1
        if j >= 0 and self.words[j] == ")" and j in self.partner:
            j = self.partner[j] - 1
        return j >= 0 and self.words[j] == "]"

    def captures(self, i):
        """Whether the lambda whose body begins at i holds anything but references."""
        j = i - 1
        while self.words[j] != "]":
            j = self.partner[j] - 1 if self.words[j] == ")" else j - 1
        held = self.words[self.partner[j] + 1:j]
        return bool(held) and held[0] != "&"

    def opens_block(self, i):
        return self.before(i) in ("{", "}", ")", ";", ">", ":") or self.before(i) in BLOCK_WORDS \
            or self.opens_lambda(i)

    def is_control(self, i):
        return self.words[i] == "(" and self.before(i) in CONTROL

    def expression_around(self, at):
        """First and last token of the full expression, and the bracket of a control statement."""
        first = at
        while first > 0:
            i = first - 1
            word = self.words[i]
            if word == ";" or word == "{" and self.opens_block(i):
                break
            if self.is_control(i):
                return first, self.partner.get(i, len(self.words)) - 1, i
            if word in CLOSE and i in self.partner:
                start = self.partner[i]
                if self.is_control(start) or word == "}" and self.opens_block(start):
                    break
                first = start
            else:
                first = i
        last = at
        while last + 1 < len(self.words) and self.words[last + 1] != ";":
            last += 1
            if self.words[last] in OPEN:
                last = self.partner.get(last, last)
        return first, last, None

    def offences(self):
        for at, word in enumerate(self.words):
            if word != "co_await":
                continue
            i, last, control = self.expression_around(at)
            if control is not None and self.before(control) == "while":
                yield self.lines[control], "a co_await as the condition of a while"
            while i <= last:
                if self.words[i] == "{":
                    if self.opens_lambda(i) and not i < at < self.partner.get(i, i):
                        if self.captures(i):
                            yield self.lines[i], "a lambda with captures beside a co_await"
                        i = self.partner.get(i, i)
                    elif not self.opens_block(i):
                        yield self.lines[i], "a braced temporary beside a co_await"
                elif self.words[i] == "?":
                    yield self.lines[i], "?: beside a co_await"
                i += 1


bad = False
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.[ch]pp")):
    text = path.read_text()
    lines = text.splitlines()
    for line, why in sorted(set(source(text).offences())):
        bad = True
        print(f"{path}:{line}: {lines[line - 1].strip()}  <- {why}")
sys.exit(bad)
PYTHON
