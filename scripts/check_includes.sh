#!/usr/bin/env bash
# Checks what may include what, naming file:line: third-party headers stay in their folders, and
# arrows between our folders run down only (main, http, {actors files}, {storage security llm tools kafka},
# observability, core).
set -u
cd "${1:-$(dirname "$0")/..}" || exit 2
bad=0

# third <pattern of the header> <allowed paths, as one extended regex>
third() {
  local hits
  hits=$(grep -rnE --include='*.hpp' --include='*.cpp' "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($1)" src |
    grep -vE "^($2)")
  [ -z "$hits" ] && return
  echo "$hits" | sed 's/$/  <- this header is confined to other folders/'
  bad=1
}
third 'caf/'            'src/actors/|src/http/actor_bridge\.'
third 'rocksdb/'        'src/storage/'
third 'librdkafka/'     'src/kafka/'
third 'boost/(asio|beast)' 'src/http/|src/llm/|src/rehearsal/|src/tools/egress/egress_proxy\.cpp'
third 'prometheus/' 'src/observability/'
third 'openssl/'        'src/security/|src/llm/'
third 'toml\+\+/'       'src/core/config\.cpp|src/security/rules_policy\.cpp|src/tools/mcp/server_settings\.cpp'
third 'valijson/'       'src/http/|src/tools/input_schema\.cpp'
third 'libxml/|poppler-' 'src/extract/'
third 'curl/'           'src/tools/(builtin/http_fetch|egress/(socket_address|url_guard|web_request))\.|src/tools/mcp/|src/[a-z_]*\.[ch]pp'
third 'absl/'           'src/tools/builtin/clock\.'
third 'seccomp\.h'      'src/tools/sandbox/'
third 'magic\.h'        'src/files/|src/extract/'
third 'archive(_entry)?\.h' 'src/tools/|src/extract/'

level() {
  case $1 in
    core) echo 0 ;;
    observability) echo 1 ;;
    storage|security|llm|tools|kafka) echo 2 ;;
    files|actors) echo 3 ;;
    http) echo 4 ;;
    rehearsal|extract) echo 1 ;;
    *) echo 9 ;;
  esac
}
while IFS=: read -r file line text; do
  from=${file#src/}
  case $from in */*) from=${from%%/*} ;; *) continue ;; esac
  to=${text#*\"}
  case $to in */*) to=${to%%/*} ;; *) continue ;; esac
  [ -d "src/$to" ] || continue
  [ "$from" = "$to" ] && continue
  if [ "$(level "$to")" -ge "$(level "$from")" ]; then
    echo "$file:$line: $from must not include $to"
    bad=1
  fi
done < <(grep -rnE --include='*.hpp' --include='*.cpp' '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' src)
exit $bad
