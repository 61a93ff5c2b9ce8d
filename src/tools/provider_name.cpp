#include "tools/provider_name.hpp"
#include "core/fingerprint.hpp"

#include <cstdint>
#include <cstdio>

namespace soma::tools {
namespace {

constexpr std::size_t hash_digits = 12;
constexpr std::string_view plain =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";

// As a cut name ends: no id may take the name of another by being written so.
bool looks_hashed(std::string_view id) {
  if (id.size() <= hash_digits || id[id.size() - hash_digits - 1] != '-') return false;
  return id.substr(id.size() - hash_digits).find_first_not_of("0123456789abcdef") == id.npos;
}

// Whether the id can be read back from its name: no dot next to an underscore, none twice.
bool reads_back(std::string_view id) {
  const auto is_joint = [](char c) { return c == '.' || c == '_'; };
  for (std::size_t i = 1; i < id.size(); ++i)
    if (is_joint(id[i - 1]) && is_joint(id[i])) return false;
  return id.find_first_not_of(plain) == id.npos && !looks_hashed(id);
}

}  // namespace

std::string provider_name(std::string_view tool_id) {
  std::string name;
  for (const char c : tool_id) {
    if (c == '.')
      name += "__";
    else
      name += plain.find(c) == plain.npos ? '_' : c;
  }
  if (name.size() <= provider_name_bytes_max && reads_back(tool_id)) return name;
  const auto digits = fingerprint_text(fingerprint(tool_id));
  if (name.size() > provider_name_bytes_max - hash_digits - 1)
    name.resize(provider_name_bytes_max - hash_digits - 1);
  return name + "-" + digits.substr(0, hash_digits);
}

}  // namespace soma::tools
