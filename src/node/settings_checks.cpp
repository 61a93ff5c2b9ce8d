#include "node/settings_checks.hpp"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>

#include "core/codes.hpp"
#include "core/session_feed.hpp"
#include "kafka/client.hpp"
#include "llm/base_url.hpp"
#include "node/cluster.hpp"
#include "node/kafka_doors.hpp"
#include "node/mcp_servers.hpp"
#include "node/oidc.hpp"
#include "node/outgoing.hpp"
#include "node/policy.hpp"
#include "node/secrets.hpp"
#include "node/web_server.hpp"

namespace soma {
namespace {

constexpr std::size_t roles_count = 5;

}  // namespace

result<void> check_settings(const config& settings) {
  const auto wrong = [](const char* key, const std::string& why) {
    return error(codes::config_invalid, std::string(key) + ": " + why);
  };
  if (settings.list("node.roles").size() != roles_count)
    return wrong("node.roles", "a node runs all roles; they cannot be divided yet");
  in6_addr room;
  const auto& host = settings.text("server.host");
  if (inet_pton(AF_INET, host.c_str(), &room) != 1 && inet_pton(AF_INET6, host.c_str(), &room) != 1)
    return wrong("server.host", "must be an address, not a name");
  for (const auto* key : {"llm.ca_file", "oidc.ca_file"}) {
    const auto& certificates = settings.text(key);
    if (!certificates.empty() && ::access(certificates.c_str(), R_OK) != 0)
      return wrong(key, certificates + " cannot be read");
  }
  if (auto proxies = trusted_proxies_of(settings); !proxies)
    return wrong("server.trusted_proxies", proxies.error().detail);
  for (const auto* largest : {"http.body_bytes_max", "llm.request_bytes_max"})
    if (settings.number("http.bodies_bytes_max") < 2 * settings.number(largest))
      return wrong("http.bodies_bytes_max", "must be at least twice " + std::string(largest) +
                                                ": one tenant gets half of it");
  if (auto cluster = check_cluster(settings); !cluster) return cluster.error();
  if (settings.text("kafka.brokers").empty() != settings.text("cluster.node").empty())
    return wrong("cluster.node", "a node of a cluster needs its name and kafka.brokers");
  if (!settings.text("kafka.brokers").empty() && settings.flag("storage.encrypt_events"))
    return wrong("storage.encrypt_events", "a log over Kafka is not sealed yet");
  if (settings.number("cluster.commit_timeout_ms") < settings.number("cluster.lease_ms"))
    return wrong("cluster.commit_timeout_ms", "must not be shorter than cluster.lease_ms");
  if (auto options = kafka::parse_options(settings.list("kafka.options")); !options)
    return options.error();
  if (auto doors = check_doors(settings); !doors) return doors.error();
  if (auto policy = check_policy(settings); !policy) return policy.error();
  if (auto servers = mcp_servers_of(settings); !servers) return servers.error();
  if (auto keys = encryption_keys(settings); !keys) return keys.error();
  if (const auto& url = settings.text("llm.base_url"); !url.empty())
    if (auto normal = llm::normalize_base_url(url); !normal)
      return wrong("llm.base_url", normal.error().detail);
  if (auto url = somabrain_url(settings); !url)
    return wrong("somabrain.base_url", url.error().detail);
  if (auto provider = oidc_options_of(settings); !provider) return provider.error();
  return {};
}

bool speaks_tls(const config& settings) {
  return !settings.text("server.tls_cert_file").empty() ||
         !settings.text("server.tls_key_file").empty();
}

std::size_t connections_wanted(const config& settings) {
  return static_cast<std::size_t>(settings.number("http.connections_max"));
}

std::size_t io_threads_of(const config& settings) {
  const auto wanted = static_cast<std::size_t>(settings.number("server.io_threads"));
  const auto cores = std::max(1u, std::thread::hardware_concurrency());
  return std::min<std::size_t>(wanted > 0 ? wanted : cores, feed_threads_max);
}

}  // namespace soma
