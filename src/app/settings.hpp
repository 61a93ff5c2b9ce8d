// Use cases of settings: the short way to a tenant's model, and what a page has to know of the
// node. Each runs on its caller's io thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/pipeline.hpp"
#include "core/secret.hpp"

namespace soma::app {

class services;

// The profile called default, and the key of its provider.
struct llm_settings {
  std::string base_url, model;
  bool has_key = false;
};
// Of personal data in what leaves.
struct egress_settings {
  std::string_view pii;    // off, report, redact, deny
  bool of_tenant = false;  // else of the configuration
};
struct tenant_settings {
  llm_settings llm;
  egress_settings egress;
};
// Does not block.
tenant_settings read_settings(services& s, const caller& who);

// What is to be another. "" takes what the tenant set away, so that the configuration counts again.
struct settings_change {
  std::optional<std::string> base_url, model;
  std::optional<secret_string> api_key;
  std::optional<std::string> pii;
};
// Errors: request.invalid, quota.exceeded, secret.key_missing, server.busy, those of the store.
boost::asio::awaitable<result<tenant_settings>> change_settings(services& s, admitted& in,
                                                                settings_change change);

struct runtime_config {
  std::uint64_t body_bytes_max = 0, session_queue_max = 0, sse_heartbeat_s = 0;
  std::vector<std::string> profiles;  // that are enabled
  bool rehearsal = false;             // the model is the rehearsal server's
  bool model_configured = false;
  bool admin_key = false;             // without it, who signs out gets in by a fresh link alone
  std::vector<std::string> degraded;  // components, by name
};
// Does not block.
runtime_config read_runtime_config(services& s, const caller& who);

}  // namespace soma::app
