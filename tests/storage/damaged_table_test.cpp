// Damage in the table of one session: that session says so, its neighbours and the store go on. In
// the table of a snapshot: nobody needs to hear of it.
#include "storage/store_repair.hpp"
#include "table_store.hpp"

using namespace soma;
using namespace soma::storage;
using namespace soma::storage::testing;
namespace fs = std::filesystem;

TEST_CASE(
    "damage: a bit that flips in one session's table stops neither its neighbours nor the store") {
  table_store s;
  s.open();
  const auto damaged = key_of("m"), before = key_of("a"), behind = key_of("z");
  for (int n = 0; n < 60; ++n) REQUIRE(s.append(damaged, 20'000));
  REQUIRE(s.append(before, 1000));
  REQUIRE(s.append(behind, 1000));
  s.log.reset();
  const auto file = s.largest_table();
  const auto bytes = contents(file);
  overwrite(file, flipped(bytes, {bytes.size() / 2, 3}));
  for (int start = 0; start < 3; ++start) {
    CAPTURE(start);
    s.told.clear();
    s.told_sessions.clear();
    s.open();
    std::uint64_t appended = 0;
    const auto read = s.log->read(damaged, {.events_max = 1000, .bytes_max = 1 << 30});
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().code == codes::storage_corrupt);
    CHECK(read.error().detail.find("session m") != std::string::npos);
    CHECK(read.error().detail.find(file.filename().string()) != std::string::npos);
    CHECK(s.told_sessions == std::set{damaged});
    // Around the damaged table, so that compactions must meet it.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!s.was_told("compaction") && std::chrono::steady_clock::now() < deadline) {
      REQUIRE_MESSAGE(s.append(before, 30'000), (s.fatal.empty() ? "" : s.fatal[0]));
      REQUIRE(s.append(behind, 30'000));
      REQUIRE(s.append(damaged, 1000));  // the store would take more; its actor asks first
      ++appended;
    }
    CHECK(s.was_told("compaction"));
    for (int n = 0; n < 30; ++n) REQUIRE(s.append(before, 30'000));
    CHECK(s.log->head(before)->seq > 30 * (static_cast<std::uint64_t>(start) + 1));
    CHECK(s.log->read(before, {.events_max = 100'000, .bytes_max = 1 << 30})->end);
    CHECK(s.log->read(behind, {.events_max = 100'000, .bytes_max = 1 << 30})->end);
    CHECK(s.fatal.empty());
    s.log.reset();
  }
  // And mended: it says which session, keeps what comes before the damage, and all of the others.
  const auto report = repair_store(s.options.data_dir).value();
  REQUIRE(report.tables.size() == 1);
  CHECK(report.tables[0].find(file.filename().string()) != std::string::npos);
  REQUIRE(report.sessions.size() == 1);
  CHECK(report.sessions[0].key == damaged);
  CHECK(report.sessions[0].last_kept.seq > 10);
  CHECK(fs::exists(fs::path(report.folder) / "store" / file.filename()));
  s.told.clear();
  s.open();
  const auto head = s.log->head(damaged).value();
  CHECK(head.last_id() == report.sessions[0].last_kept);
  CHECK(head.info.busy);
  const auto kept = s.log->read(damaged, {.events_max = 1000, .bytes_max = 1 << 30});
  REQUIRE_MESSAGE(kept.has_value(), kept.error().detail);
  CHECK(kept->events.size() == head.seq);
  for (const auto& e : kept->events) CHECK(e.json == text_of(damaged, e.id.seq, 20'000));
  for (const auto& key : {before, behind}) {
    const auto page = s.log->read(key, {.events_max = 100'000, .bytes_max = 1 << 30});
    REQUIRE(page);
    CHECK(page->events.size() == s.log->head(key)->seq);
  }
  for (int n = 0; n < 60; ++n) REQUIRE(s.append(damaged, 30'000));
  CHECK(s.told.empty());
  CHECK(repair_store(s.options.data_dir).error().code == codes::storage_locked);
  s.log.reset();
  CHECK(repair_store(s.options.data_dir)->tables.empty());
}

TEST_CASE("damage: a bit that flips in a snapshot is that one's alone: its session is whole") {
  table_store s;
  s.open();
  const auto key = key_of("m");
  const auto snapshot = text_of(key, 1, 500'000);
  for (std::uint64_t n = 0; n < 10; ++n) {
    auto op = append_of(key, n);
    if (n == 8) op.snapshot = snapshot;
    REQUIRE(commit_one(*s.log, op));
  }
  s.log.reset();
  s.open();  // to tables
  s.log.reset();
  const auto file = s.largest_table();
  const auto bytes = contents(file);
  REQUIRE(bytes.size() > 100'000);
  overwrite(file, flipped(bytes, {bytes.size() / 2, 3}));
  s.told.clear();
  s.open();
  CHECK(code_of(s.log->snapshot(key)) == codes::storage_corrupt);
  CHECK(seqs_of(page_of(*s.log, key)).size() == 10);
  CHECK(s.told.empty());
  auto next = append_of(key, 10);
  next.snapshot = "another";
  REQUIRE(commit_one(*s.log, next));
  CHECK(s.log->snapshot(key).value() == "another");
  s.log.reset();
  // The store made whole has none, and has lost nothing.
  const auto report = repair_store(s.options.data_dir).value();
  CHECK(report.sessions.empty());
  s.open();
  CHECK(seqs_of(page_of(*s.log, key)).size() == 11);
}
