// A replicated log over a real broker (SOMA_TEST_KAFKA), for the contract suite and tests beside
// it: a topic of its own and a store in memory.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>

#include "core/uuid.hpp"
#include "replication/replicated_event_log.hpp"
#include "support/result_text.hpp"
#include "support/temp_folder.hpp"

namespace soma::storage::testing {

inline std::string test_brokers() {
  const char* at = std::getenv("SOMA_TEST_KAFKA");
  REQUIRE_MESSAGE(at != nullptr, "run by tests/components/kafka/kafka_broker.py");
  return at;
}

inline replication::host_settings host_of(const std::string& node, const std::string& topic,
                                          std::uint32_t partitions) {
  replication::host_settings how;
  how.client.brokers = test_brokers();
  how.topic = topic;
  how.partitions = partitions;
  how.single_broker = true;
  how.node = node;
  return how;
}

inline store_options replica_options(const std::string& folder, std::size_t event_bytes = 2000) {
  store_options o;
  o.data_dir = folder;
  o.min_free_bytes = 0;
  o.event_bytes_max = event_bytes;
  o.on_fatal = [](const error& why) { FAIL("the store failed: ", why.detail); };
  return o;
}

struct kafka_store {
  static constexpr bool ids_come_again = false, keys_age_by_records = false;
  static constexpr std::size_t overhead_bytes = 0;

  soma::testing::temp_folder folder{soma::testing::temp_folder::place::memory};
  std::unique_ptr<replication::replicated_event_log> opened = [this] {
    auto made = replication::replicated_event_log::open(replica_options(folder / "data"),
                                                        host_of("a", "contract." + new_uuid(), 1),
                                                        std::chrono::seconds(20));
    REQUIRE_MESSAGE(made, (made ? std::string() : made.error().detail));
    return std::move(*made);
  }();
  event_log& log = *opened;
};

}  // namespace soma::storage::testing
