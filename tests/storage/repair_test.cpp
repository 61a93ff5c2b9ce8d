// Cutting a damaged log: what goes, what stays, and that no byte is destroyed.
#include "storage/store_repair.hpp"

#include <sys/stat.h>

#include "core/codes.hpp"
#include "damaged_store.hpp"
#include "raw_store.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::storage;
using namespace soma::storage::testing;
namespace fs = std::filesystem;

namespace {

// Twenty commits, each of one event in one of two sessions, and what the store held after each.
struct twenty_commits : specimen {
  std::vector<std::string> dumps = std::vector<std::string>(1);
  std::vector<std::size_t> ends;  // of the log after each
  std::uint32_t epoch = 0;

  twenty_commits() {
    auto log = open(original).value();
    epoch = log->epoch();
    dumps[0] = dump(*log);
    ends.push_back(fs::file_size(wal()));
    for (std::uint64_t n = 1; n <= 20; ++n) {
      append_op op;
      op.key = {tenant_id("t"), session_id(n % 2 ? "s" : "s1")};
      op.expected_seq = (n - 1) / 2;
      op.events.push_back({op.expected_seq + 1, event_type::app_event, std::string(50 + n, 'x')});
      REQUIRE(log->commit(std::span(&op, 1))[0]);
      dumps.push_back(dump(*log));
      ends.push_back(fs::file_size(wal()));
    }
  }
  fs::path wal() const { return wal_files(store_folder(original)).back().path; }
  // Flips a bit inside the n-th commit.
  void damage(std::size_t n) { overwrite(wal(), flipped(contents(wal()), {ends[n - 1] + 30, 3})); }
  std::string dump_now() const { return dump(**open(original)); }
};

}  // namespace

TEST_CASE("repair: a damaged log is cut before the damage, and what went is told") {
  twenty_commits s;
  s.damage(12);
  const auto damaged = contents(s.wal());
  const auto name = s.wal().filename().string();
  const auto refused = s.open(s.original);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == codes::storage_corrupt);
  CHECK(refused.error().detail.find(name) != std::string::npos);

  const auto report = repair_store(s.original).value();
  REQUIRE(report.files.size() == 1);
  CHECK(report.files[0].name == name);
  CHECK(report.files[0].bytes == damaged.size());
  CHECK(report.files[0].bytes_kept == s.ends[11]);
  CHECK(contents(fs::path(report.folder) / name) == damaged);
  REQUIRE(report.last_commit.size() == 1);
  CHECK(report.last_commit[0].key.session.value == "s");  // the eleventh
  CHECK(report.last_commit[0].id == event_id{s.epoch, 6});
  // Commits 13 to 20 lie behind the damage in the same block, where nothing can be trusted.
  CHECK(report.commits_lost == 0);
  CHECK(difference(s.dump_now(), s.dumps[11]) == "");
  const auto log = s.open(s.original).value();
  CHECK(log->epoch() > s.epoch);  // so that no id that is gone is given again
  append_op op;
  op.key = {tenant_id("t"), session_id("s1")};
  op.expected_seq = 5;
  op.events.push_back({6, event_type::app_event, "{}"});
  CHECK(log->commit(std::span(&op, 1))[0].value() == 6);
}

TEST_CASE("repair: logs behind the damaged one go, too, and what they held is told") {
  twenty_commits s;
  // As after a flush that did not come to its end: two logs that are both needed.
  const auto first = s.wal();
  const auto number = wal_files(store_folder(s.original)).back().number;
  char name[32];
  std::snprintf(name, sizeof name, "%06llu.log", static_cast<unsigned long long>(number + 1));
  const auto second = first.parent_path() / name;
  const auto bytes = contents(first);
  overwrite(first, bytes.substr(0, s.ends[15]));
  overwrite(second, bytes.substr(s.ends[15]));
  SUBCASE("with both whole there is nothing to do") {
    CHECK(repair_store(s.original)->files.empty());
    CHECK(difference(s.dump_now(), s.dumps[20]) == "");
  }
  SUBCASE("the first is damaged") {
    overwrite(first, flipped(contents(first), {s.ends[9] + 2, 0}));
    const auto report = repair_store(s.original).value();
    REQUIRE(report.files.size() == 2);
    CHECK(report.files[0].bytes_kept == s.ends[9]);
    CHECK(report.files[1].name == name);
    CHECK(report.files[1].bytes_kept == 0);
    CHECK(contents(fs::path(report.folder) / name) == bytes.substr(s.ends[15]));
    CHECK(report.commits_lost == 5);
    REQUIRE(report.sessions.size() == 2);
    CHECK(report.sessions[0].key.session.value == "s");
    CHECK(report.sessions[0].events == 2);
    CHECK(report.sessions[0].last_kept == event_id{s.epoch, 5});
    CHECK(report.sessions[1].events == 3);
    CHECK(report.sessions[1].last_kept == event_id{s.epoch, 4});
    CHECK(difference(s.dump_now(), s.dumps[9]) == "");
  }
  SUBCASE("the second is damaged at its very beginning") {
    overwrite(second, flipped(contents(second), {6, 2}));
    const auto report = repair_store(s.original).value();
    REQUIRE(report.files.size() == 1);
    CHECK(report.files[0].bytes_kept == 0);
    CHECK(difference(s.dump_now(), s.dumps[15]) == "");
  }
}

TEST_CASE("repair: what lies behind the damage in later blocks is told") {
  twenty_commits s;
  {
    auto log = s.open(s.original).value();  // which moves the twenty to tables
    s.epoch = log->epoch();
    append_op op;
    op.key = {tenant_id("t"), session_id("s")};
    for (op.expected_seq = 10; op.expected_seq < 40; ++op.expected_seq) {
      op.events = {{op.expected_seq + 1, event_type::app_event, std::string(3900, 'x')}};
      REQUIRE(log->commit(std::span(&op, 1))[0]);
    }
  }
  const auto at = headers_of(contents(s.wal()))[5];
  overwrite(s.wal(), flipped(contents(s.wal()), {at + 6, 2}));  // its type becomes another
  const auto report = repair_store(s.original).value();
  CHECK(report.files[0].bytes_kept == at);
  CHECK(report.commits_lost > 15);
  REQUIRE(report.sessions.size() == 1);
  CHECK(report.sessions[0].events == report.commits_lost);
  CHECK(report.sessions[0].last_kept.seq > 10);
  CHECK(report.sessions[0].last_kept.seq < 40 - report.commits_lost);
  const auto head = (*s.open(s.original))->head({tenant_id("t"), session_id("s")}).value();
  CHECK(head.last_id() == report.sessions[0].last_kept);
}

TEST_CASE("repair: a log whose rows are all in tables is taken away, and nothing is lost") {
  twenty_commits s;
  const auto bytes = contents(s.wal());
  const auto old = s.wal().filename();
  s.move_to_tables();
  // As when the process ends between a flush and the deletion of the log.
  overwrite(fs::path(store_folder(s.original)) / old, flipped(bytes, {s.ends[5] + 6, 2}));
  CHECK(s.open(s.original).error().code == codes::storage_corrupt);
  const auto report = repair_store(s.original).value();
  REQUIRE(report.files.size() == 1);
  CHECK(report.files[0].bytes_kept == 0);
  CHECK(report.commits_lost == 0);
  CHECK(fs::exists(fs::path(report.folder) / old));
  CHECK(difference(s.dump_now(), s.dumps[20]) == "");
}

TEST_CASE("repair: a log of which a part is in tables is not cut: commits would be torn apart") {
  twenty_commits s;
  {
    raw_store raw(s.original);
    raw.put("events", "x", "y");
    raw.put("sessions", "x", "y");
    raw.flush("events");
    raw.put("sessions", "x2", "y");
  }
  const auto logs = wal_files(store_folder(s.original));
  const auto& needed = logs.front().path;
  overwrite(needed, flipped(contents(needed), {6, 1}));
  const auto before = contents(needed);
  const auto refused = repair_store(s.original);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == codes::storage_corrupt);
  CHECK(refused.error().detail.find("restore a backup") != std::string::npos);
  CHECK(contents(needed) == before);
}

TEST_CASE("repair: a store that is whole, in use, or damaged elsewhere is left alone") {
  twenty_commits s;
  CHECK(repair_store(s.original)->files.empty());
  SUBCASE("a torn tail is no damage") {
    const auto bytes = contents(s.wal());
    overwrite(s.wal(), bytes.substr(0, bytes.size() - 5));
    CHECK(repair_store(s.original)->files.empty());
    CHECK(difference(s.dump_now(), s.dumps[19]) == "");
  }
  SUBCASE("somebody has it open") {
    const auto log = s.open(s.original).value();
    CHECK(repair_store(s.original).error().code == codes::storage_locked);
    CHECK(verify_store(s.original).error().code == codes::storage_locked);
  }
  SUBCASE("the MANIFEST is damaged") {
    const auto bytes = contents(s.manifest());
    overwrite(s.manifest(), flipped(bytes, {bytes.size() / 2, 2}));
    const auto refused = repair_store(s.original);
    CHECK(refused.error().code == codes::storage_corrupt);
    CHECK(refused.error().detail.find("MANIFEST") != std::string::npos);
    CHECK(verify_store(s.original).error().code == codes::storage_corrupt);
  }
  SUBCASE("the MANIFEST is empty, or cut off: nobody is sent to the repair that refuses it") {
    const auto bytes = contents(s.manifest());
    for (const std::size_t kept : {std::size_t{0}, std::size_t{3}, std::size_t{20}}) {
      CAPTURE(kept);
      overwrite(s.manifest(), bytes.substr(0, kept));
      const auto opened = s.open(s.original);
      REQUIRE_FALSE(opened.has_value());
      CHECK(opened.error().code == codes::storage_corrupt);
      CHECK(opened.error().detail.find("restore a backup") != std::string::npos);
      CHECK(opened.error().detail.find("soma repair") == std::string::npos);
      CHECK(repair_store(s.original).error().code == codes::storage_corrupt);
    }
  }
  SUBCASE("a pipe stands in the place of a file, or beside them: nothing waits for its other end") {
    const auto folder = fs::path(store_folder(s.original));
    const auto manifest = s.manifest().filename();
    for (const auto& name : {fs::path("CURRENT"), manifest, s.wal().filename(), fs::path("LOG"),
                             fs::path("LOCK"), fs::path("000999.log"), fs::path("000999.sst")}) {
      CAPTURE(name.string());
      const auto path = folder / name, aside = fs::path(s.folder / "aside");
      const bool was_there = fs::exists(path);
      if (was_there) fs::rename(path, aside);
      REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
      for (const auto& refused : {s.open(s.original).error(), repair_store(s.original).error(),
                                  verify_store(s.original).error()}) {
        CHECK(refused.code == codes::storage_corrupt);
        CHECK(refused.detail.find(path.string() + " is a pipe") != std::string::npos);
      }
      fs::remove(path);
      if (was_there) fs::rename(aside, path);
    }
    CHECK(difference(s.dump_now(), s.dumps[20]) == "");
  }
  SUBCASE("a table is damaged") {
    CHECK(verify_store(s.original));
    s.move_to_tables();
    CHECK(verify_store(s.original));
    const auto table = s.files(".sst")[0];
    const auto bytes = contents(table);
    overwrite(table, flipped(bytes, {20, 2}));
    const auto refused = verify_store(s.original);
    CHECK(refused.error().code == codes::storage_corrupt);
    CHECK(refused.error().detail.find(table.filename().string()) != std::string::npos);
  }
  SUBCASE("there is none") {
    CHECK(repair_store(s.folder / "nothing").error().code == codes::storage_unavailable);
    CHECK_FALSE(fs::exists(s.folder / "nothing"));
  }
}
