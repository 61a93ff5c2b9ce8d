#include "core/uuid.hpp"

#include <sys/random.h>

#include <cstdlib>
#include <cstring>

namespace soma {
namespace {

std::uint64_t splitmix(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9E3779B97F4A7C15ull);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

void fill(void* out, std::size_t size) {
  // Requests up to 256 bytes are never cut short by getrandom(2); a failure here has no remedy.
  if (getrandom(out, size, 0) != static_cast<ssize_t>(size)) std::abort();
}

std::string text_of(std::uint64_t version, std::uint64_t high, std::uint64_t low) {
  high = (high & ~0xF000ull) | version << 12;
  low = (low & ~(3ull << 62)) | (2ull << 62);
  constexpr char hex[] = "0123456789abcdef";
  std::string text(36, '-');
  std::size_t at = 0;
  for (int nibble = 0; nibble < 32; ++nibble) {
    if (nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20) ++at;
    const std::uint64_t word = nibble < 16 ? high : low;
    text[at++] = hex[(word >> (60 - 4 * (nibble % 16))) & 15];
  }
  return text;
}

}  // namespace

std::string format_uuid(std::uint64_t high, std::uint64_t low) {
  return text_of(4, high, low);
}

std::string new_uuid() {
  std::uint64_t words[2];
  fill(words, sizeof words);
  return format_uuid(words[0], words[1]);
}

std::uint64_t random_u64() {
  std::uint64_t word;
  fill(&word, sizeof word);
  return word;
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < 36; ++i) {
    const char c = text[i];
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? c != '-'
             : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
      return false;
  }
  return true;
}

std::string uuid_source::next() {
  const auto high = splitmix(a_);
  return format_uuid(high, splitmix(b_));
}

std::string ordered_uuids::next(std::uint64_t unix_ms) {
  constexpr std::uint32_t within_max = 0xFFF;
  if (unix_ms > last_ms_) {
    last_ms_ = unix_ms;
    within_ = 0;
  } else if (within_ < within_max) {
    ++within_;
  } else {
    ++last_ms_;
    within_ = 0;
  }
  return text_of(7, last_ms_ << 16 | within_, random_u64());
}

}  // namespace soma
