// What is deleted leaves the disk: its text cannot be found in any file of the store, and its space
// is there again, without a restart and without anything else that is written.
#include <thread>

#include "table_store.hpp"

using namespace soma;
using namespace soma::storage;
using namespace soma::storage::testing;

namespace {

std::uint64_t bytes_of(const table_store& s) {
  std::uint64_t bytes = 0;
  std::error_code ec;
  for (const auto& entry :
       std::filesystem::directory_iterator(store_folder(s.options.data_dir), ec)) {
    if (entry.path().filename().string().starts_with("LOG")) continue;  // tells what was done
    const auto size = entry.file_size(ec);
    if (!ec) bytes += size;
  }
  return bytes;
}

// What does not compress lies in tables as it is.
bool is_on_the_disk(const table_store& s, const std::string& text) {
  std::error_code ec;
  for (const auto& entry :
       std::filesystem::directory_iterator(store_folder(s.options.data_dir), ec)) {
    // A log of writes that is of no use any more goes with the next tables, not before.
    if (entry.path().extension() == ".log") continue;
    if (contents(entry.path()).find(text) != std::string::npos) return true;
  }
  return false;
}

bool comes_true(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

append_op op_of(const table_store& s, const session_key& key) {
  append_op op;
  op.key = key;
  op.expected_seq = s.log->head(key)->seq;
  op.events.push_back({op.expected_seq + 1, event_type::app_event, "{}"});
  return op;
}

}  // namespace

TEST_CASE("deleted space: a deleted session's text and space are gone without any further write") {
  table_store s;
  s.reclaim_after = std::chrono::milliseconds(0);
  s.open();
  const auto gone = key_of("m"), kept = key_of("a");
  for (int n = 0; n < 100; ++n) REQUIRE(s.append(gone, 40'000));
  for (int n = 0; n < 10; ++n) REQUIRE(s.append(kept, 40'000));
  REQUIRE(s.append(gone, 100));
  const auto text = text_of(gone, 101, 100);
  const auto before = bytes_of(s);
  REQUIRE(before > 4'000'000);
  SUBCASE("a session that is deleted") {
    auto op = op_of(s, gone);
    op.remove = true;
    REQUIRE(commit_one(*s.log, op));
  }
  SUBCASE("a session that is reset") {
    auto op = op_of(s, gone);
    op.first_seq = op.expected_seq + 1;
    REQUIRE(commit_one(*s.log, op));
  }
  SUBCASE("one that was deleted before the last stop") {
    s.reclaim_after = std::chrono::hours(1);
    s.open();
    auto op = op_of(s, gone);
    op.remove = true;
    REQUIRE(commit_one(*s.log, op));
    s.reclaim_after = std::chrono::milliseconds(0);
    s.open();
  }
  CHECK(comes_true([&] { return bytes_of(s) < before / 4; }));
  CHECK(comes_true([&] { return !is_on_the_disk(s, text); }));
  const auto page = s.log->read(kept, {.events_max = 100, .bytes_max = 1 << 30});
  REQUIRE(page);
  CHECK(page->events.size() == 10);
  CHECK(s.fatal.empty());
  CHECK(s.told.empty());
}

TEST_CASE(
    "deleted space: sessions whose rows stand between others' give theirs back, and no others") {
  table_store s;
  s.reclaim_after = std::chrono::milliseconds(0);
  s.open();
  // Tables of several levels, each with rows of most of them.
  const auto key = [](int n) { return key_of("s" + std::to_string(100 + n)); };
  for (int round = 0; round < 8; ++round)
    for (int n = 0; n < 40; ++n) REQUIRE(s.append(key(n), 5'000));
  const auto before = bytes_of(s);
  REQUIRE(before > 1'400'000);
  std::vector<std::string> gone, kept;
  for (int n = 0; n < 40; ++n)
    (n % 4 == 0 ? kept : gone).push_back(text_of(key(n), 1, 5'000).substr(0, 100));
  // Looked for anew: a compaction may move a row while the files are read one after another.
  for (const auto& text : gone) REQUIRE(comes_true([&] { return is_on_the_disk(s, text); }));
  for (int n = 0; n < 40; ++n) {
    if (n % 4 == 0) continue;
    auto op = op_of(s, key(n));
    op.remove = true;
    REQUIRE(commit_one(*s.log, op));
  }
  CHECK(comes_true([&] { return bytes_of(s) < before / 2; }));
  for (const auto& text : gone) CHECK(comes_true([&] { return !is_on_the_disk(s, text); }));
  for (const auto& text : kept) CHECK(comes_true([&] { return is_on_the_disk(s, text); }));
  for (int n = 0; n < 40; n += 4)
    CHECK(s.log->read(key(n), {.events_max = 100, .bytes_max = 1 << 30})->events.size() == 8);
  CHECK(s.told.empty());
}

TEST_CASE("deleted space: a session that takes a deleted one's name keeps every event") {
  table_store s;
  s.reclaim_after = std::chrono::milliseconds(0);
  s.open();
  const auto key = key_of("m");
  for (int round = 0; round < 8; ++round) {
    CAPTURE(round);
    for (int n = 0; n < 40; ++n) {
      REQUIRE(s.append(key, 20'000));
      const auto page = s.log->read(key, {.events_max = 100, .bytes_max = 1 << 30});
      REQUIRE_MESSAGE(page.has_value(), page.error().detail);
      REQUIRE(page->events.size() == static_cast<std::size_t>(n) + 1);
    }
    auto op = op_of(s, key);
    op.remove = true;
    REQUIRE(commit_one(*s.log, op));
  }
  CHECK(s.told.empty());
}
