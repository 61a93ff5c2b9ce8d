// How the process's open files are divided: a socket must never take the one that the store needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/error.hpp"

namespace soma {

struct descriptor_plan {
  std::uint64_t limit = 0;            // open files that the process may have
  std::size_t connections_max = 0;    // of clients: http.connections_max, or what there is room for
  int store_files_max = 0;            // tables that the store keeps open
  std::size_t provider_idle_max = 0;  // connections to providers that are kept between calls
  // Connections past connections_max, which are told so and get to read it, an io thread.
  std::size_t refused_lingering_max = 0;
  // What an operator should know; empty: http.connections_max is as configured.
  std::string said;
};

// Raises the soft limit to the hard one; the limit that holds then.
std::uint64_t raise_descriptor_limit();

// Pure. Error: config.invalid, where the limit is too low to run at all.
result<descriptor_plan> plan_descriptors(std::uint64_t limit, std::size_t connections_wanted,
                                         std::size_t io_threads);

}  // namespace soma
