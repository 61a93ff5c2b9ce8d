// Use cases of model profiles: a tenant's own, over those of the configuration. Each runs on its
// caller's io thread.
//
// Errors of what changes one: profile.invalid with the member first, profile.exists,
// profile.changed, profile.not_found, quota.exceeded, server.busy, those of the store and of the
// idempotency gate.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "app/once.hpp"
#include "app/pipeline.hpp"
#include "llm/model_profile.hpp"

namespace soma::app {

class services;

struct shown_profile {
  llm::model_profile profile;  // with the context window that calls reckon with
  bool from_configuration = false;
  std::string etag;  // quoted; empty in a replay
};

// These two do not block.
std::vector<shown_profile> list_model_profiles(services& s, const caller& who);
result<shown_profile> find_model_profile(services& s, const caller& who, std::string_view name);

boost::asio::awaitable<result<answered<shown_profile>>> create_model_profile(
    services& s, admitted& in, once_key once, llm::model_profile profile);
// `if_match`: the etag that the caller saw; empty: any.
boost::asio::awaitable<result<shown_profile>> put_model_profile(services& s, admitted& in,
                                                                llm::model_profile profile,
                                                                std::string if_match);
boost::asio::awaitable<result<void>> delete_model_profile(services& s, admitted& in,
                                                          std::string name, std::string if_match);

// As it is published and kept.
std::string profile_json(const shown_profile& shown);

}  // namespace soma::app
