// UUID text (RFC 9562). `new_uuid` is a version 4 from the system's generator and thread-safe;
// `uuid_source` makes a repeatable sequence from a seed, so that the pure core needs no randomness
// of its own; `ordered_uuids` makes version 7, for what is listed by time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace soma {

std::string new_uuid();

// UUIDv4-shaped text of 16 bytes (version and variant bits are set here).
std::string format_uuid(std::uint64_t high, std::uint64_t low);

bool is_uuid(std::string_view text);

std::uint64_t random_u64();

class uuid_source {
 public:
  uuid_source() = default;
  uuid_source(std::uint64_t a, std::uint64_t b) : a_(a), b_(b) {}
  std::string next();

 private:
  std::uint64_t a_ = 0, b_ = 0;
};

// Each is greater as text than the one before, also within a millisecond and when the clock goes
// back: rows with the same time stay in the order in which they were made. One thread at a time.
class ordered_uuids {
 public:
  std::string next(std::uint64_t unix_ms);

 private:
  std::uint64_t last_ms_ = 0;
  std::uint32_t within_ = 0;  // of `last_ms_`, 12 bits
};

}  // namespace soma
