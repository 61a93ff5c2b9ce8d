// Ids of tenants and users as people give them: a line feed would let one tenant's rows be
// another's. Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace soma {

inline constexpr std::size_t plain_id_bytes_max = 128;
inline constexpr std::string_view plain_id_rule =
    "an id of a tenant or user is 1 to 128 letters, digits, '_', '.' or '-', and begins with a "
    "letter or digit";

inline bool is_plain_id(std::string_view id) {
  constexpr std::string_view first =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  return !id.empty() && id.size() <= plain_id_bytes_max &&
         first.find(id.front()) != std::string_view::npos &&
         std::all_of(id.begin(), id.end(), [&](char c) {
           return first.find(c) != std::string_view::npos || c == '_' || c == '.' || c == '-';
         });
}

}  // namespace soma
