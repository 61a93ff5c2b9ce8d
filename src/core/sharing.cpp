#include "core/sharing.hpp"

#include <algorithm>

#include "core/codes.hpp"
#include "core/payload_rules.hpp"

namespace soma {

std::vector<std::string> sorted_users(std::vector<std::string> users) {
  std::sort(users.begin(), users.end());
  users.erase(std::unique(users.begin(), users.end()), users.end());
  return users;
}

std::optional<error> bad_user_id(std::string_view id) {
  const auto is_control = [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7F;
  };
  if (id.empty() || id.size() > payload_limits::user_id_bytes_max ||
      std::any_of(id.begin(), id.end(), is_control))
    return error(codes::request_invalid, "a user_id is one line of 1 to " +
                                             std::to_string(payload_limits::user_id_bytes_max) +
                                             " bytes");
  return std::nullopt;
}

std::optional<error> bad_users(const std::vector<std::string>& users) {
  if (users.size() > shared_with_max)
    return error(codes::request_invalid,
                 "a session is shared with at most " + std::to_string(shared_with_max) + " users");
  for (const auto& one : users)
    if (auto bad = bad_user_id(one)) return bad;
  return std::nullopt;
}

}  // namespace soma
