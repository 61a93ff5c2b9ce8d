// A store whose tables are small, so that flushes and compactions are under way all the time.
#pragma once

#include <algorithm>
#include <mutex>
#include <random>

#include "damaged_store.hpp"
#include "event_log_contract.hpp"

namespace soma::storage::testing {

// Text that does not compress, so that tables are as large as what is in them.
inline std::string noise(std::size_t bytes, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string text(bytes, ' ');
  for (auto& c : text) c = static_cast<char>(random() % 256);
  return text;
}

// The event of that number, of every session another.
inline std::string text_of(const session_key& key, std::uint64_t seq, std::size_t bytes) {
  std::uint64_t seed = seq;
  for (const char c : key.session.value) seed = seed * 131 + static_cast<unsigned char>(c);
  return noise(bytes, seed);
}

struct table_store {
  soma::testing::temp_folder folder{soma::testing::temp_folder::place::memory};
  std::mutex told_mutex;
  std::vector<std::string> fatal, told;
  std::set<session_key> told_sessions;
  store_options options = [this] {
    store_options o;
    o.data_dir = folder / "data";
    o.min_free_bytes = 0;
    o.unsafe_no_fsync = true;
    o.on_fatal = [this](const error& why) { fatal.push_back(why.detail); };
    o.on_damage = [this](const error& why, const session_key* session) {
      const std::lock_guard lock(told_mutex);
      told.push_back(why.detail);
      if (session) told_sessions.insert(*session);
    };
    return o;
  }();
  std::chrono::milliseconds reclaim_after{3'600'000};
  std::unique_ptr<event_log> log;

  void open() {
    log.reset();
    store_seams seams;
    seams.env = rocksdb::Env::Default();
    seams.wal_bytes = 256 << 10;  // tables and compactions all the time
    seams.reclaim_after = reclaim_after;
    seams.reclaim_rest = 0;
    auto opened = open_rocksdb_event_log_on(options, seams);
    REQUIRE_MESSAGE(opened.has_value(), opened.error().detail);
    log = std::move(*opened);
  }
  result<std::uint64_t> append(const session_key& key, std::size_t bytes) {
    const auto head = log->head(key);
    append_op op;
    op.key = key;
    op.expected_seq = head ? head->seq : 0;
    op.events.push_back(
        {op.expected_seq + 1, event_type::app_event, text_of(key, op.expected_seq + 1, bytes)});
    return commit_one(*log, op);
  }
  std::filesystem::path largest_table() const {
    std::filesystem::path largest;
    for (const auto& entry : std::filesystem::directory_iterator(store_folder(options.data_dir)))
      if (entry.path().extension() == ".sst" &&
          (largest.empty() || entry.file_size() > std::filesystem::file_size(largest)))
        largest = entry.path();
    return largest;
  }
  bool was_told(const std::string& part) {
    const std::lock_guard lock(told_mutex);
    return std::any_of(told.begin(), told.end(),
                       [&](const std::string& one) { return one.find(part) != std::string::npos; });
  }
};

}  // namespace soma::storage::testing
