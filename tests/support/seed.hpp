// The seed of a test that draws at random: SOMA_SEED replays one, and each run prints its own.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>

namespace soma::testing {

inline std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* given = std::getenv(name);
  return given ? std::strtoull(given, nullptr, 10) : otherwise;
}

inline std::uint64_t seed_of(const char* test, std::uint64_t otherwise = std::random_device{}()) {
  const auto seed = number_from_environment("SOMA_SEED", otherwise);
  std::cout << test << ": SOMA_SEED=" << seed << std::endl;
  return seed;
}

}  // namespace soma::testing
