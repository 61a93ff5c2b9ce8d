// Use cases of a tenant's users: whoever has a key, a sign-in or a session, or was here before.
// Each runs on its caller's io thread.
//
// Errors: those of the store, server.busy, and what stands at each.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/pipeline.hpp"

namespace soma::app {

class services;

struct shown_user {
  user_id user;
  // The most that he may do: as was said of him, else what the most of his keys and sign-ins says.
  app::role role = app::role::user;
  bool disabled = false;
  std::uint64_t sessions = 0;        // that are his
  std::uint64_t keys = 0;            // that hold
  std::int64_t last_seen_at_ms = 0;  // 0: not since this is kept; coarse
};

struct users_page {
  std::vector<shown_user> users;  // by their ids
  std::string next_cursor;        // empty: no more
};
boost::asio::awaitable<result<users_page>> list_users(services& s, const caller& who,
                                                      std::string cursor, std::size_t limit);

struct user_wish {  // what is not given stays
  std::optional<bool> disabled{};
  std::optional<app::role> role{};
};
// What he may not do any more ends at once: his streams are cut, and whoever comes with a key or a
// cookie of his is judged anew. Errors: user.not_found; request.invalid where an admin would lock
// himself out.
boost::asio::awaitable<result<shown_user>> change_user(services& s, admitted& in, user_id user,
                                                       user_wish wanted);

}  // namespace soma::app
