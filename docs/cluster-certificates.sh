#!/bin/sh
# sh docs/cluster-certificates.sh FOLDER NODE…: an authority that signs nodes of one cluster and nothing else, a
# certificate a node in FOLDER/NODE, and the cluster's one server key. What is there is kept, so a node can be
# added later. FOLDER/ca.key signs: keep it apart from the nodes.
set -eu
umask 077
folder=$1
shift
mkdir -p "$folder"
[ -f "$folder/ca.pem" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
  -subj "/CN=nodes of a cluster" -keyout "$folder/ca.key" -out "$folder/ca.pem" 2>/dev/null
[ -f "$folder/server.key" ] || openssl rand -out "$folder/server.key" 32
for node in "$@"; do
  to=$folder/$node
  mkdir -p "$to"
  cp "$folder/ca.pem" "$folder/server.key" "$to/"
  [ -f "$to/node.pem" ] && continue
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$node" \
    -keyout "$to/node.key" -out "$to/node.csr" 2>/dev/null
  openssl x509 -req -in "$to/node.csr" -CA "$folder/ca.pem" -CAkey "$folder/ca.key" -CAcreateserial -days 825 \
    -out "$to/node.pem" 2>/dev/null
  rm "$to/node.csr"
done
