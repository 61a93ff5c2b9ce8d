// What the contract suite needs: the stores it runs against, and short ways to write appends.
// A suite is a TEST_CASE_TEMPLATE over SOMA_EVENT_LOGS.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/codes.hpp"
#include "sealing/sealed_event_log.hpp"
#include "storage/event_log.hpp"
#include "support/result_text.hpp"
#include "support/temp_folder.hpp"

namespace soma::storage::testing {

inline constexpr std::size_t event_bytes_max = 2000;

// In what stores may differ: whether the id of a removed session may be used again, and whether how
// old a key's record is goes by what records say, or by the log's own time.
struct of_one_node {
  static constexpr bool ids_come_again = true, keys_age_by_records = true;
};

struct memory_store : of_one_node {
  static constexpr std::size_t overhead_bytes = 0;  // that a page counts for each event
  std::unique_ptr<event_log> opened = make_memory_event_log(7, event_bytes_max);
  event_log& log = *opened;
};

struct rocksdb_store : of_one_node {
  static constexpr std::size_t overhead_bytes = 0;
  soma::testing::temp_folder folder{soma::testing::temp_folder::place::memory};
  store_options options = [this] {
    store_options o;
    o.data_dir = folder / "data";
    o.min_free_bytes = 0;
    o.event_bytes_max = event_bytes_max;
    o.on_fatal = [](const error& why) { FAIL("the store failed: ", why.detail); };
    return o;
  }();
  std::unique_ptr<event_log> opened = open_rocksdb_event_log(options).value();
  event_log& log = *opened;
};

#ifdef SOMA_CONTRACT_STORE_HEADER
#define SOMA_EVENT_LOGS kafka_store
#else
// As a node has it with storage.encrypt_events.
struct sealed_store : of_one_node {
  static constexpr std::size_t overhead_bytes = security::seal_overhead_bytes;
  struct wider : rocksdb_store {
    wider() {
      opened.reset();
      options.event_bytes_max = event_bytes_max + security::seal_overhead_bytes;
      opened = open_rocksdb_event_log(options).value();
    }
    event_log& inner() { return *opened; }
  } disk;
  std::unique_ptr<security::tenant_keys> keys =
      security::tenant_keys::open(
          {disk.folder / "keys", {secret_string(std::string(32, 'k'))}, true})
          .value();
  sealing::sealed_event_log sealed{disk.inner(), *keys};
  event_log& log = sealed;
};

#define SOMA_EVENT_LOGS memory_store, rocksdb_store, sealed_store
#endif

inline session_key key_of(std::string session, std::string tenant = "t") {
  return {tenant_id(std::move(tenant)), session_id(std::move(session))};
}

inline encoded_event event_of(std::uint64_t seq, event_type type = event_type::app_event,
                              std::string text = "") {
  return {seq, type, "{\"n\":" + std::to_string(seq) + ",\"text\":\"" + text + "\"}"};
}

// Appends `count` events behind `expected_seq`.
inline append_op append_of(session_key key, std::uint64_t expected_seq, std::uint64_t count = 1) {
  append_op op;
  op.key = std::move(key);
  op.expected_seq = expected_seq;
  for (auto seq = expected_seq + 1; seq <= expected_seq + count; ++seq)
    op.events.push_back(event_of(seq));
  return op;
}

inline session_info info_of(std::string title, std::int64_t updated_at_ms, bool busy = false) {
  session_info info;
  info.title = std::move(title);
  info.updated_at_ms = updated_at_ms;
  info.busy = busy;
  return info;
}

inline result<std::uint64_t> commit_one(event_log& log, const append_op& op) {
  auto results = log.commit(std::span(&op, 1));
  REQUIRE(results.size() == 1);
  return results.front();
}

// The code of a refusal; empty for success.
template <class T>
std::string code_of(const result<T>& r) {
  return r ? std::string() : std::string(r.error().code);
}

inline event_page page_of(const event_log& log, const session_key& key,
                          const read_options& options = {}) {
  auto page = log.read(key, options);
  REQUIRE(page);
  return *page;
}

inline std::vector<std::uint64_t> seqs_of(const event_page& page) {
  std::vector<std::uint64_t> seqs;
  for (const auto& e : page.events) seqs.push_back(e.id.seq);
  return seqs;
}

inline std::vector<std::string> sessions_of(const session_list_page& page) {
  std::vector<std::string> names;
  for (const auto& row : page.sessions) names.push_back(row.session.value);
  return names;
}

using numbers = std::vector<std::uint64_t>;
using names = std::vector<std::string>;

}  // namespace soma::storage::testing

#ifdef SOMA_CONTRACT_STORE_HEADER
#include SOMA_CONTRACT_STORE_HEADER
#endif
