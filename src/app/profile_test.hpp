// Use case: a profile is tried with a call of few tokens, and its provider asked what it offers. On
// the caller's io thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/model_calls.hpp"

namespace soma::app {

struct profile_test {
  llm::profile target;
  std::optional<failure> failed;  // none: it works
  std::string diagnosis;          // of a failure, for whoever set the profile up
  std::uint64_t latency_ms = 0, first_token_ms = 0;
  std::vector<std::string> models;  // that the provider offers, where it tells
};

// Errors: those of model_registry::resolve and of `start_call`.
boost::asio::awaitable<result<profile_test>> test_profile(services& s, const admitted& in,
                                                          std::string profile, std::string role,
                                                          const call_tie& tie);

}  // namespace soma::app
