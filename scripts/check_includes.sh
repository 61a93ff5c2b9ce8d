#!/usr/bin/env bash
# Checks what may include what, naming file:line: third-party headers stay in their folders, and
# arrows between our folders run down only ({cli node}, http/{routes openai}, http/stream, {http/net inbound}, app,
# models, {actors backup peers replication outbound}, {files memory cluster}, {outbox sealing}, {storage security llm tools kafka}, observability, core).
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
third 'caf/'            'src/actors/|src/peers/|src/app/actor_bridge\.'
third 'caf/io/'         'src/peers/'
third 'rocksdb/'        'src/storage/'
third 'librdkafka/'     'src/kafka/'
third 'boost/(asio|beast)' 'src/http/|src/app/|src/inbound/|src/node/web_server\.|src/node/(kafka_doors|record_relay)\.|src/peers/tls_tunnel\.|src/models/model_stream\.|src/llm/|src/rehearsal/|src/tools/(egress/egress_proxy|worker_pool)\.'
third 'prometheus/' 'src/observability/'
third 'openssl/'        'src/security/|src/llm/|src/http/net/(client_socket|tls_context)\.'
third 'intel-ipsec-mb'   'src/security/secrets/aes_gcm\.'
third 'toml\+\+/'       'src/core/config\.cpp|src/security/policy/rules_policy\.cpp|src/tools/mcp/server_settings\.cpp'
third 'valijson/'       'src/http/|src/tools/input_schema\.cpp'
third 'libxml/|poppler-' 'src/extract/'
third 'curl/'           'src/tools/(builtin/http_fetch|egress/(socket_address|url_guard|web_request))\.|src/tools/mcp/|src/outbox/(curl_call|http_calls)\.|src/cli/|src/node/|src/main\.cpp'
third 'absl/'           'src/tools/builtin/clock\.'
third 'seccomp\.h'      'src/tools/sandbox/'
third 'magic\.h'        'src/files/|src/extract/'
third 'sqlite3\.h'       'src/memory/sqlite\.'
third 'hnswlib/'        'src/memory/vector_graph\.'
third 'archive(_entry)?\.h' 'src/files/|src/extract/'

# Doors see use cases alone: not what these stand on, and nothing through which it can be changed.
third 'app/services\.hpp' 'src/app/|src/node/'
third 'app/on_lane\.hpp'  'src/app/|src/http/net/file_answer\.cpp'
third '(storage|actors)/'  'src/([^hi]|h[^t])'
third 'app/(file_services|tool_gateway|actor_bridge)\.hpp' 'src/app/|src/node/'
# Nor by a name that comes along with a header.
named=$(grep -rnE --include='*.hpp' --include='*.cpp' '(^|[^[:alnum:]_])(storage|actors|caf)::' src/http src/inbound)
if [ -n "$named" ]; then
  echo "$named" | sed 's/$/  <- a door names what use cases stand on/'
  bad=1
fi

# The rule of a partition and what is around it are pure: they see core alone.
third '(observability|storage|security|llm|tools|kafka|outbox)/' 'src/([^c]|c[^l]|cl[^u])'

level() {
  case $1 in
    core) echo 0 ;;
    observability) echo 1 ;;
    storage|security|llm|tools|kafka) echo 2 ;;
    outbox|sealing) echo 3 ;;
    files|memory|cluster) echo 4 ;;
    actors|backup|peers|replication|outbound) echo 5 ;;
    models) echo 6 ;;
    app) echo 7 ;;
    http/net|inbound) echo 8 ;;
    http/stream) echo 9 ;;
    http/routes|http/openai) echo 10 ;;
    cli|node) echo 11 ;;
    rehearsal|extract) echo 1 ;;
    *) echo 12 ;;
  esac
}
# The rooms of http are looked at one by one.
room() {
  case $1 in http/*/*) echo "${1%/*}" ;; */*) echo "${1%%/*}" ;; esac
}
while IFS=: read -r file line text; do
  from=$(room "${file#src/}")
  to=${text#*\"}
  to=$(room "${to%%\"*}")
  [ -z "$from" ] || [ -z "$to" ] || [ ! -d "src/$to" ] || [ "$from" = "$to" ] && continue
  # Rooms of one floor that know each other.
  case "$from $to" in
    'http/openai http/routes' | 'http/routes http/openai' | 'node cli' | 'cli node') continue ;;
    'http/net app') continue ;;
  esac
  if [ "$(level "$to")" -ge "$(level "$from")" ]; then
    echo "$file:$line: $from must not include $to"
    bad=1
  fi
done < <(grep -rnE --include='*.hpp' --include='*.cpp' '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' src)
exit $bad
