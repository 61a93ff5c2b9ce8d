// A sum over bytes that tells damage and difference by accident, and nothing against intent; what
// must hold against that takes security/digest.hpp. It is on disks and in changelogs: it never
// changes. Pure.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace soma {

// One step: can be undone, so that two inputs that differ in one of them never have the same sum.
constexpr std::uint64_t mixed(std::uint64_t sum, std::uint64_t word) {
  sum = (sum ^ word) * 0xFF51AFD7ED558CCDull;
  return sum ^ (sum >> 32);
}

// Eight bytes at a time, since texts are megabytes.
inline std::uint64_t checksum(std::string_view bytes) {
  std::uint64_t sum = bytes.size() ^ 0x9E3779B97F4A7C15ull;
  std::uint64_t word = 0;
  for (; bytes.size() >= sizeof word; bytes.remove_prefix(sizeof word)) {
    std::memcpy(&word, bytes.data(), sizeof word);
    sum = mixed(sum, word);
  }
  word = 0;
  std::memcpy(&word, bytes.data(), bytes.size());
  return mixed(sum, word);
}

}  // namespace soma
