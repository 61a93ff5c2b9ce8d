// FNV-1a, 64 bits: tells versions of a text of our own apart, and nothing more. Whoever wants to
// can make two texts with one fingerprint: what must hold against that takes security/digest.hpp,
// and no table hashes foreign names by it. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace soma {

inline constexpr std::uint64_t fingerprint_of_nothing = 14695981039346656037ull;

// Of `text` behind what `before` is the fingerprint of.
constexpr std::uint64_t fingerprint(std::string_view text,
                                    std::uint64_t before = fingerprint_of_nothing) {
  for (const char c : text) before = (before ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return before;
}

// 16 hexadecimal digits.
std::string fingerprint_text(std::uint64_t of);

}  // namespace soma
