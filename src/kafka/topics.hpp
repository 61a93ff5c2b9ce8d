// Topics: made with the settings that their use needs, or, where one is there, looked at and
// refused by the name of what is otherwise. Those of partitions' logs, whose records are judged by
// their order; and those that others write or read.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "kafka/client.hpp"

namespace soma::kafka {

struct log_topic {
  std::string name;
  std::uint32_t partitions = 1;
  std::size_t record_bytes_max = 0;
  // One broker holds it alone: what it loses is lost. For trials only.
  bool single_broker = false;
  // That others write or read: it is made with so many partitions and to keep records for so long,
  // and how it is in both is then its holder's matter; -1: for ever.
  std::optional<std::int64_t> kept_ms{};
};

// Blocks up to `wait`. Errors: config.invalid (there is such a topic, and this of it is otherwise;
// fewer brokers than copies), dependency.unavailable. True: it was made by this call.
result<bool> ensure_topic(const client_settings& settings, const log_topic& wanted,
                          std::chrono::milliseconds wait);

}  // namespace soma::kafka
