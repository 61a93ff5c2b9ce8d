// UUIDv4 text. `new_uuid` draws from the system's generator and is thread-safe; `uuid_source` makes
// a repeatable sequence from a seed, so that the pure core needs no randomness of its own.
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

}  // namespace soma
