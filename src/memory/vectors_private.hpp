// What the two halves of vectors have in common: making them, and searching by them. Private.
#pragma once

#include <string>
#include <string_view>

#include "core/codes.hpp"
#include "core/utf8.hpp"
#include "memory/vectors.hpp"

namespace soma::memory {

inline constexpr std::size_t waiting_counted_max = 10'000;
inline constexpr std::chrono::milliseconds vectors_read_for(2'000);

inline std::string vector_key(const tenant_id& tenant, std::string_view id) {
  return tenant.value + '\n' + std::string(id);
}

inline std::string embedded_text(std::string_view text) {
  return std::string(text.substr(0, utf8_complete_prefix(text.substr(0, embedded_bytes_max))));
}

inline error not_yet(std::string why) {
  return {codes::storage_unavailable, std::move(why), 1};
}

}  // namespace soma::memory
