#!/usr/bin/env bash
# Refuses braces inside a co_await expression, naming file:line. g++ 12 destroys an aggregate twice
# when a braced temporary of it lives in such an expression, `{}` included, also where it is an
# argument of a nested call. Whether a type is an aggregate does not show at the call, so any braced
# temporary is refused: name it before, or write parentheses. Bodies of lambdas are left alone.
# The expression is taken from the co_await to its end, and back to the bracket that it stands in.
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
# What may stand before the brace of a block.
BLOCK_WORDS = {"else", "do", "try", "const", "noexcept", "mutable", "override", "final"}


def blank(match):
    """Comments and texts become blanks; a text stays one token, lines stay lines."""
    text = match.group()
    lines = "\n" * text.count("\n")
    return lines if text[0] == "/" else '""' + lines


def tokens_of(text):
    text = BLANKED.sub(blank, text)
    return [(m.group(), text.count("\n", 0, m.start()) + 1) for m in TOKEN.finditer(text)]


def pair_up(tokens):
    partner, stack = {}, []
    for i, (t, _) in enumerate(tokens):
        if t in OPEN:
            stack.append(i)
        elif t in CLOSE and stack:
            partner[i] = stack.pop()
            partner[partner[i]] = i
    return partner


def opens_lambda(tokens, partner, i):
    """Whether the brace at i begins the body of a lambda: [..](..) words -> type {"""
    j = i - 1
    while j >= 0 and (re.match(r"\w|::|->|[<>&*]$", tokens[j][0])):
        j -= 1
    if j >= 0 and tokens[j][0] == ")" and j in partner:
        j = partner[j] - 1
    return j >= 0 and tokens[j][0] == "]"


def opens_block(tokens, i):
    before = tokens[i - 1][0] if i else ";"
    return before in "){};" or before in BLOCK_WORDS or before == ">"


def offences(tokens, partner):
    for at, (word, _) in enumerate(tokens):
        if word != "co_await":
            continue
        i = at + 1
        while i < len(tokens) and tokens[i][0] not in (";", ")", "]", "}"):
            end = partner.get(i, i) if tokens[i][0] in OPEN else i
            if tokens[i][0] == "{" and i > at + 1 and opens_block(tokens, i) \
                    and not opens_lambda(tokens, partner, i):
                break  # the body of `for (… : co_await f()) {`
            for k in range(i, end + 1) if end > i else ():
                if tokens[k][0] == "{" and not opens_lambda(tokens, partner, k) \
                        and not inside_lambda(tokens, partner, i, k):
                    yield tokens[k][1]
            i = end + 1
        i = at - 1  # earlier arguments of the call that the co_await is itself an argument of
        while i >= 0 and tokens[i][0] not in (";", "(", "[", "{"):
            if tokens[i][0] in CLOSE and i in partner:
                if tokens[i][0] == "}":
                    if opens_block(tokens, partner[i]):
                        break
                    if not opens_lambda(tokens, partner, partner[i]):
                        yield tokens[partner[i]][1]
                i = partner[i]
            i -= 1
        if i >= 0 and tokens[i][0] == "{" and not opens_block(tokens, i) \
                and not opens_lambda(tokens, partner, i):
            yield tokens[i][1]


def inside_lambda(tokens, partner, first, k):
    return any(tokens[j][0] == "{" and partner.get(j, -1) > k and opens_lambda(tokens, partner, j)
               for j in range(first, k))


bad = False
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.[ch]pp")):
    text = path.read_text()
    lines = text.splitlines()
    tokens = tokens_of(text)
    for line in sorted(set(offences(tokens, pair_up(tokens)))):
        bad = True
        print(f"{path}:{line}: {lines[line - 1].strip()}  <- a braced temporary in a co_await")
sys.exit(bad)
PYTHON
