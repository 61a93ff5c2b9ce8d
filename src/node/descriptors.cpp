#include "node/descriptors.hpp"

#include <sys/resource.h>

#include <algorithm>

#include "core/codes.hpp"
#include "core/limits.hpp"

namespace soma {
namespace {

// Logs, locks, pipes of programs, the write-ahead logs and what a compaction writes, and the index
// of memories with its readers.
constexpr std::uint64_t own_files = 120;
// Of an io thread: what it waits with (epoll, its wake-up, its clock).
constexpr std::uint64_t loop_files = 3;
constexpr std::uint64_t refused_part = 32;
constexpr std::uint64_t connections_min = 16;
// Beside clients: providers, MCP servers, files that are sent or taken.
constexpr std::uint64_t others_part = 8, others_max = 1024;
constexpr std::uint64_t tables_part = 8, tables_min = 32, tables_max = 512;
constexpr std::uint64_t limit_min = 256;

}  // namespace

std::uint64_t raise_descriptor_limit() {
  rlimit now{};
  if (::getrlimit(RLIMIT_NOFILE, &now) != 0) return limit_min;
  rlimit wanted{now.rlim_max, now.rlim_max};
  return ::setrlimit(RLIMIT_NOFILE, &wanted) == 0 ? now.rlim_max : now.rlim_cur;
}

result<descriptor_plan> plan_descriptors(std::uint64_t limit, std::size_t connections_wanted,
                                         std::size_t io_threads) {
  if (limit < limit_min)
    return error(codes::config_invalid, "the process may have " + std::to_string(limit) +
                                            " open files and needs at least " +
                                            std::to_string(limit_min) + ": raise ulimit -n");
  const auto tables = std::clamp(limit / tables_part, tables_min, tables_max);
  const auto others = std::min(limit / others_part, others_max);
  descriptor_plan plan;
  plan.refused_lingering_max = std::min<std::uint64_t>(limits::http_refused_lingering_max,
                                                       limit / refused_part / io_threads);
  const auto taken =
      own_files + tables + others + io_threads * (loop_files + plan.refused_lingering_max);
  if (taken + connections_min > limit)
    return error(codes::config_invalid, "of " + std::to_string(limit) +
                                            " open files too few are left for clients: raise "
                                            "ulimit -n, or lower server.io_threads, which is " +
                                            std::to_string(io_threads));
  const auto room = limit - taken;
  plan.limit = limit;
  plan.store_files_max = static_cast<int>(tables);
  plan.provider_idle_max = others / 2;
  plan.connections_max = std::min<std::uint64_t>(connections_wanted, room);
  if (plan.connections_max < connections_wanted)
    plan.said = "http.connections_max is " + std::to_string(connections_wanted) + ", but of " +
                std::to_string(limit) + " open files (ulimit -n) there is room for " +
                std::to_string(plan.connections_max) + " connections";
  return plan;
}

}  // namespace soma
