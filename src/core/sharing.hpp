// With whom a session's owner shares it. A value; pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace soma {

struct sharing {
  bool visible_to_tenant = false;  // `visibility`: tenant, else private
  std::vector<std::string> users;  // `shared_with`: user_ids, sorted, each once

  // As every session begins: its owner's alone.
  bool is_private() const { return !visible_to_tenant && users.empty(); }
  bool operator==(const sharing&) const = default;
};

// What is to be changed of it; what is not given stays.
struct sharing_change {
  std::optional<bool> visible_to_tenant{};
  std::optional<std::vector<std::string>> users{};

  bool empty() const { return !visible_to_tenant && !users; }
};

inline constexpr std::size_t shared_with_max = 100;  // users of one session

inline std::string_view visibility_name(const sharing& s) {
  return s.visible_to_tenant ? "tenant" : "private";
}

// Sorted, each once.
std::vector<std::string> sorted_users(std::vector<std::string> users);

// A user's id is one line of text without control characters. Errors: request.invalid.
std::optional<error> bad_user_id(std::string_view id);
std::optional<error> bad_users(const std::vector<std::string>& users);

}  // namespace soma
