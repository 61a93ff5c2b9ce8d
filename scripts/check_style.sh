#!/usr/bin/env bash
# Checks the style that a machine can check, naming file:line: format (clang-format 14), length of
# files, leftover marks, addresses written into code, names of tests.
set -u
cd "${1:-$(dirname "$0")/..}" || exit 2
bad=0
complain() {
  [ -z "$1" ] && return
  echo "$1" | sed "s|\$|  <- $2|"
  bad=1
}

mapfile -t sources < <(find src tests bench \( -name '*.hpp' -o -name '*.cpp' \) -type f | sort)

format=${CLANG_FORMAT:-clang-format-14}
if command -v "$format" > /dev/null; then
  "$format" --dry-run --Werror "${sources[@]}" || bad=1
else
  echo "check_style: $format is not installed"
  bad=1
fi

complain "$(wc -l "${sources[@]}" | awk '$1 > 500 && $2 != "total" {print $2 ":" $1}')" \
  'more than 500 lines'
complain "$(grep -nHE '\b(TODO|FIXME)\b' "${sources[@]}")" 'finish it or record it elsewhere'

# Where an address is the subject itself: loopback checks, what a tool may reach, and the rehearsal server's own flags.
allowed='^src/(core/loopback.hpp|http/net/host_guard|tools/egress/(url_guard|egress_proxy)|rehearsal/)|^(tests|bench)/'
complain "$(grep -nHE '\b21016\b|\blocalhost\b|\b127\.0\.0\.1\b' "${sources[@]}" |
  grep -vE "$allowed")" 'comes from the configuration'

# A sentence: starts with what it is about, and has at least three words.
complain "$(grep -nHE 'TEST_CASE(_FIXTURE)?\(' "${sources[@]}" | grep -E '"[^"]*"' |
  grep -vE '"[^" ]+[^"]* [^" ]+ [^" ]+[^"]*"')" 'a test is named by a sentence'
exit $bad
