// The index's file: taken away, cut off, written over, of a newer version; and questions of any
// bytes.
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "core/codes.hpp"
#include "memory/memory_world.hpp"
#include "support/seed.hpp"

using namespace soma;
using namespace soma::memory;
using namespace soma::memory::testing;

namespace {

void write_over(const std::string& path, std::size_t from, std::size_t bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(from));
  file << std::string(bytes, '\x5a');
}

void run_sql(const std::string& path, const char* sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  REQUIRE(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
}

void fill(world& w) {
  for (int i = 0; i < 300; ++i)
    w.say("s" + std::to_string(i % 7), "g" + std::to_string(i),
          "message number" + std::to_string(i) + " about the daughter");
  w.settle();
}

void expect_all(world& w) {
  w.settle();
  CHECK(w.kept->status(tenant_id("t"))->stored == 300);
  CHECK(w.found("number123").size() == 1);
  CHECK(w.found("daughter").size() == 20);
}

}  // namespace

TEST_CASE("index: goes on where it was, and rows taken are deleted") {
  world w;
  fill(w);
  w.stop();
  CHECK(w.log->read_outbox("memory", 0, 10)->rows.empty());
  w.say("s1", "later", "what was said without an index");
  w.start();
  CHECK(w.found("without an index").size() == 1);
  CHECK(w.notices.empty());
}

TEST_CASE("index: deleted, cut off, damaged or of another version it is built anew") {
  world w;
  fill(w);
  w.stop();
  const auto size = std::filesystem::file_size(w.path);
  SUBCASE("deleted") {
    std::filesystem::remove(w.path);
  }
  SUBCASE("cut off") {
    std::filesystem::resize_file(w.path, size / 2);
  }
  SUBCASE("cut off within its head") {
    std::filesystem::resize_file(w.path, 20);
  }
  SUBCASE("empty") {
    std::filesystem::resize_file(w.path, 0);
  }
  SUBCASE("no database") {
    write_over(w.path, 0, 4096);
  }
  SUBCASE("of a newer version") {
    run_sql(w.path, "PRAGMA user_version=77");
  }
  SUBCASE("of another program") {
    std::filesystem::remove(w.path);
    run_sql(w.path, "CREATE TABLE marks(x); INSERT INTO marks VALUES(1)");
  }
  SUBCASE("of another store") {
    run_sql(w.path, "INSERT OR REPLACE INTO marks VALUES('position', '9000000000000000000')");
  }
  w.start();
  expect_all(w);
}

TEST_CASE("index: damage that is found while reading is healed, and an answer says it is not all") {
  world w;
  fill(w);
  w.stop();
  // All but the head and the first pages.
  write_over(w.path, 8192, std::filesystem::file_size(w.path) - 8192);
  w.start();
  search_question asked;
  asked.query = "daughter number123";
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < until) {
    const auto found = w.kept->search(w.by(), asked);
    REQUIRE(found);
    if (!found->degraded && found->items.size() == 20) break;
  }
  expect_all(w);
}

// SQLite would take the new file's log for the old one's.
TEST_CASE("index: one that is damaged stays until nobody reads it, and nobody begins meanwhile") {
  world w;
  fill(w);
  {
    const auto held = w.index->read();
    REQUIRE(held);
    REQUIRE((*held)->begin(std::chrono::steady_clock::now() + std::chrono::seconds(60)));
    w.index->found_damaged();
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (w.index->read() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    const auto refused = w.index->read();
    REQUIRE(!refused);
    CHECK(refused.error().code == codes::storage_unavailable);
    CHECK((*held)->count(tenant_id("t")).value() == 300);
    CHECK(std::filesystem::exists(w.path));
    CHECK(std::filesystem::exists(w.path + "-shm"));
  }
  expect_all(w);
}

TEST_CASE("index: while it is built an answer says so") {
  world w;
  fill(w);
  w.stop();
  auto file = index_file::open(w.folder / "other.sqlite");
  REQUIRE(file);
  CHECK((*file)->building().has_value());
  auto reader = index_reader::open(w.folder / "other.sqlite");
  REQUIRE(reader);
  REQUIRE((*reader)->begin(std::chrono::steady_clock::now() + std::chrono::seconds(5)));
  CHECK((*reader)->building());
}

TEST_CASE(
    "index: where it cannot be written rows do not grow without end, and all is found later") {
  world w;
  w.stop();
  // A folder stands where the file should be.
  index_file::remove(w.path);
  std::filesystem::create_directories(w.path + "/x");
  for (int i = 0; i < 50; ++i) w.say("s", "g" + std::to_string(i), "said " + std::to_string(i));
  indexer_options options;
  options.path = w.path;
  options.backlog_max = 20;
  {
    indexer blocked(*w.log, options);
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!w.log->read_outbox("memory", 0, 100)->rows.empty() &&
           std::chrono::steady_clock::now() < until)
      std::this_thread::yield();
    CHECK(w.log->read_outbox("memory", 0, 100)->rows.empty());
    CHECK(blocked.degraded() != "");
  }
  std::filesystem::remove_all(w.path);
  w.start();
  CHECK(w.found("said 42").size() == 20);
  CHECK(w.kept->status(tenant_id("t"))->stored == 50);
}

TEST_CASE("index: a question of any bytes is answered, and never read as syntax") {
  world w;
  fill(w);
  std::mt19937_64 random(soma::testing::seed_of("index"));
  const std::string pieces[] = {"\"",
                                "'",
                                "*",
                                "NEAR(",
                                ")",
                                "AND",
                                " OR ",
                                "NOT ",
                                ":",
                                "text:",
                                "^",
                                "{",
                                "}",
                                "+",
                                "-",
                                "\\",
                                ";",
                                "--",
                                "%",
                                "_",
                                "\n",
                                "女",
                                "ü",
                                "a",
                                "daughter",
                                std::string("\0", 1),
                                "\xff",
                                "\xe5\xa5",
                                "\xf0\x9f\x98\x80"};
  for (int n = 0; n < 2000; ++n) {
    std::string query;
    for (auto count = random() % 12; count > 0; --count) {
      if (random() % 3 == 0)
        query += static_cast<char>(random());
      else
        query += pieces[random() % std::size(pieces)];
    }
    search_question asked;
    asked.query = query;
    asked.filter.tag = query;
    const auto found = w.kept->search(w.by(), asked);
    REQUIRE(found);
    INFO(found->why);
    REQUIRE_FALSE(found->degraded);
  }
  // A text of any bytes, too.
  for (int n = 0; n < 200; ++n) {
    std::string text = "marker ";
    for (auto count = random() % 40; count > 0; --count) text += static_cast<char>(random());
    const auto saved = w.note(text);
    REQUIRE(w.kept->forget(w.by(), saved.memory_id, {}));
  }
  w.settle();
  CHECK(w.found("marker").empty());
  CHECK(w.kept->status(tenant_id("t"))->stored == 300);
}
