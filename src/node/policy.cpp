#include "node/policy.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/codes.hpp"
#include "core/time.hpp"
#include "node/policy_file.hpp"
#include "observability/log.hpp"
#include "outbox/http_calls.hpp"
#include "security/policy/joined_policy.hpp"

namespace soma {
namespace {

constexpr std::size_t idle_connections_max = 64;

class http_wire final : public security::policy_wire {
 public:
  http_wire(const std::string& base, const secret_string& token, std::size_t calls_max)
      : calls_(base, token, {1u << 20, calls_max, idle_connections_max}) {}

  void post(std::string path, std::string json, std::int64_t deadline_ms,
            std::function<void(security::wire_answer)> done) override {
    auto told = [done = std::move(done)](outbox::http_answer got) {
      done({got.status, std::move(got.body), std::move(got.why)});
    };
    calls_.post(std::move(path), std::move(json), deadline_ms, std::move(told));
  }
  void stop() override { calls_.stop(); }

 private:
  outbox::http_calls calls_;
};

error wrong(const char* key, std::string_view why) {
  return {codes::config_invalid, std::string(key) + ": " + std::string(why)};
}

// Without its final slash. A name and a password in it would stand in logs.
result<std::string> address(const config& settings, const char* key) {
  auto url = settings.text(key);
  while (url.ends_with('/')) url.pop_back();
  if (url.empty()) return url;
  const bool http = url.starts_with("http://") || url.starts_with("https://");
  if (!http || url.find_first_of(" \t\r\n@?#") != std::string::npos)
    return wrong(key, "must be http:// or https:// with a host, and no more");
  return url;
}

// A part of a path of ours.
bool is_plain(std::string_view text, std::string_view also) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [also](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || also.find(c) != also.npos;
  });
}

struct addresses {
  std::string opa, openfga;
};

result<addresses> addresses_of(const config& settings) {
  auto opa = address(settings, "policy.opa_url");
  if (!opa) return opa.error();
  auto openfga = address(settings, "policy.openfga_url");
  if (!openfga) return openfga.error();
  const auto& path = settings.text("policy.opa_decision_path");
  if (!is_plain(path, "/.") || path.starts_with('/') || path.ends_with('/') ||
      path.find("..") != path.npos || path.find("//") != path.npos)
    return wrong("policy.opa_decision_path", "must be names with / between them");
  const auto& model = settings.text("policy.openfga_model_id");
  if (!openfga->empty() && !is_plain(settings.text("policy.openfga_store_id"), ""))
    return wrong("policy.openfga_store_id", "must name a store where policy.openfga_url is set");
  if (!model.empty() && !is_plain(model, ""))
    return wrong("policy.openfga_model_id", "must be the id of a model");
  return addresses{std::move(*opa), std::move(*openfga)};
}

void say_trouble(std::string_view source, std::string_view state, std::string_view why) {
  log(why.empty() ? log_level::info : log_level::warn, "policy.source",
      {{"source", source}, {"breaker", state}, {"why", why}});
}

}  // namespace

result<void> check_policy(const config& settings) {
  if (auto rules = policy_of(settings); !rules) return rules.error();
  if (auto there = addresses_of(settings); !there) return there.error();
  return {};
}

result<std::unique_ptr<security::policy>> make_policy(const config& settings) {
  auto rules = policy_of(settings);
  if (!rules) return rules.error();
  auto there = addresses_of(settings);
  if (!there) return there.error();
  security::joined_limits limits;
  limits.timeout_ms = settings.number("policy.timeout_ms");
  limits.cache_ms = settings.number("policy.cache_ms");
  limits.cache_entries_max = static_cast<std::size_t>(settings.number("policy.cache_entries_max"));
  limits.in_flight_max = static_cast<std::size_t>(settings.number("policy.in_flight_max"));
  limits.breaker_ms = settings.number("policy.breaker_ms");
  std::vector<security::outside_source> sources;
  const auto add = [&](const std::string& base, const char* token,
                       std::unique_ptr<security::decision_source> what) {
    auto wire = std::make_unique<http_wire>(base, settings.secret(token), limits.in_flight_max);
    sources.push_back({std::move(what), std::move(wire)});
  };
  if (!there->opa.empty())
    add(there->opa, "policy.opa_token",
        security::make_opa(settings.text("policy.opa_decision_path")));
  if (!there->openfga.empty())
    add(there->openfga, "policy.openfga_token",
        security::make_openfga(
            {settings.text("policy.openfga_store_id"), settings.text("policy.openfga_model_id")}));
  if (sources.empty()) return rules;
  return std::unique_ptr<security::policy>(std::make_unique<security::joined_policy>(
      std::move(*rules), std::move(sources), limits, now_ms, say_trouble));
}

}  // namespace soma
