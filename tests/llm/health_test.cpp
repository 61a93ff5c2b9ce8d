#include <doctest/doctest.h>

#include <string>

#include "llm/provider_health.hpp"

using soma::llm::health_rules;
using soma::llm::provider_health;

namespace {

constexpr std::string_view key = "p u m";

health_rules rules_of(std::uint32_t failures, std::int64_t open_ms) {
  health_rules rules;
  rules.failures_to_open = failures;
  rules.open_ms = open_ms;
  return rules;
}

}  // namespace

TEST_CASE("provider health: a breaker opens after failures in a row, and only for its own key") {
  provider_health health(rules_of(3, 100));
  for (int i = 0; i < 2; ++i) health.failed(key, 0);
  CHECK(health.admit(key, 0));
  health.succeeded(key);  // the row is broken
  for (int i = 0; i < 2; ++i) health.failed(key, 0);
  CHECK(health.admit(key, 0));
  health.failed(key, 10);
  CHECK(!health.admit(key, 10));
  CHECK(health.admit("another", 10));
  CHECK(health.open_breakers(10) == std::vector<std::string>{std::string(key)});
}

TEST_CASE("provider health: after its time one call may try; how it ends decides") {
  provider_health health(rules_of(1, 100));
  health.failed(key, 0);
  CHECK(!health.admit(key, 99));
  CHECK(health.admit(key, 100));
  CHECK(!health.admit(key, 100));  // one at a time
  health.failed(key, 150);
  CHECK(!health.admit(key, 249));
  CHECK(health.admit(key, 250));
  health.undecided(key);
  CHECK(health.admit(key, 250));  // another may try
  health.succeeded(key);
  CHECK(health.admit(key, 250));
  CHECK(health.admit(key, 250));
  CHECK(health.open_breakers(250).empty());
}

TEST_CASE("provider health: retries are a part of the calls, saved up to a bound") {
  health_rules rules;
  rules.retries_a_call = 0.5;
  rules.retries_saved_max = 2;
  provider_health health(rules);
  CHECK(health.take_retry());
  CHECK(health.take_retry());
  CHECK(!health.take_retry());
  CHECK(health.admit(key, 0));
  CHECK(!health.take_retry());
  CHECK(health.admit(key, 0));
  CHECK(health.take_retry());
  for (int i = 0; i < 100; ++i) CHECK(health.admit(key, 0));
  CHECK(health.take_retry());
  CHECK(health.take_retry());
  CHECK(!health.take_retry());
}

TEST_CASE("provider health: what is kept of failing providers is bounded") {
  provider_health health(rules_of(1, 100));
  for (std::size_t i = 0; i <= provider_health::breakers_max; ++i)
    health.failed("k" + std::to_string(i), 0);
  CHECK(health.open_breakers(0).size() <= provider_health::breakers_max);
  CHECK(!health.admit("k" + std::to_string(provider_health::breakers_max), 0));
}
