# syntax=docker/dockerfile:1
# The server and its page on Debian 12:
#
#   docker build -t soma .
#   docker run -p 127.0.0.1:21016:21016 -v soma-data:/data -e SOMA_ADMIN_KEY=… \
#     -e SOMA_LLM_BASE_URL=… -e SOMA_LLM_API_KEY=… -e SOMA_LLM_MODEL=… soma
#
# The page asks for an API key: the admin key is one. Where clients use another host name than
# localhost, it must be in server.allowed_hosts: `… soma soma serve --set server.allowed_hosts=NAME`.

FROM debian:12 AS build
WORKDIR /src
# The packages alone first, so that a change of the sources does not install them again.
COPY scripts/packages.txt scripts/packages.txt
RUN apt-get update \
 && awk -v here="[$(dpkg --print-architecture)]" '/^#/ || !NF {next} \
      /^\[/ {on = $0 == "[build]" || $0 == "[page]"; next} on && (NF == 1 || $2 == here) {print $1}' \
      scripts/packages.txt \
    | DEBIAN_FRONTEND=noninteractive xargs apt-get install -y --no-install-recommends \
 && rm -rf /var/lib/apt/lists/*
COPY . .
RUN ./dev build \
 && strip --strip-debug build/release/bin/soma build/release/bin/soma-extract build/release/bin/soma-egress

FROM debian:12-slim
# What `ldd soma` and `ldd soma-extract` name, the certificates that model providers are checked
# against, curl for the health check, and for the tools the sandbox and what runs in it. Docker forbids
# user namespaces by default: such tools are then unavailable, and /v1/health says so.
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      bubblewrap ca-certificates curl libabsl20220623 libarchive13 libcaf-core0.17 libcaf-io0.17 libcurl4 \
      libfmt9 libmagic1 libpoppler-cpp0v5 libprometheus-cpp-core1.0 librdkafka1 librocksdb7.8 libseccomp2 \
      libsimdjson14 libsqlite3-0 libssl3 libstdc++6 libxml2 python3 tzdata zlib1g \
      $(test "$(dpkg --print-architecture)" != amd64 || echo libipsec-mb1) \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --user-group --no-create-home --home-dir /data \
      --shell /usr/sbin/nologin soma \
 && install -d -o soma -g soma -m 0700 /data
COPY --from=build /src/build/release/bin/soma /src/build/release/bin/soma-extract /src/build/release/bin/soma-egress /usr/local/bin/
# Where the binary looks for its page.
COPY --from=build /src/webui/dist /usr/local/share/soma/ui
COPY LICENSE /usr/local/share/soma/LICENSE

USER soma
WORKDIR /data
VOLUME /data
ENV SOMA_DATA_DIR=/data GATEWAY_HOST=0.0.0.0 GATEWAY_PORT=21016
EXPOSE 21016
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD curl -fsS -o /dev/null "http://127.0.0.1:$GATEWAY_PORT/readyz" || exit 1
# Without a key the server would listen on the container's loopback only, where nobody reaches it.
CMD ["/bin/sh", "-c", ": \"${SOMA_ADMIN_KEY:?must be set: docker run -e SOMA_ADMIN_KEY=…}\" && exec soma serve"]
