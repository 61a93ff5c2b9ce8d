// A disk that fails at any moment: power that is cut, operations that fail, space that runs out.
// SOMA_SEED replays one; SOMA_ROUNDS sets how often.
#include <doctest/doctest.h>

#include "core/codes.hpp"
#include "faulty_fs.hpp"
#include "storage/rocksdb_testing.hpp"
#include "storm_run.hpp"
#include "support/result_text.hpp"
#include "support/seed.hpp"
#include "support/temp_folder.hpp"

using namespace soma;
using namespace soma::storage;
using namespace soma::storage::testing;
using soma::testing::number_from_environment;

namespace {

// The packaged RocksDB has its assertions on, and a fault beside a background flush can meet one.
// So each build draws the same faults; SOMA_SEED looks for others.
constexpr std::uint64_t usual_seed = 2003342787;

// A store whose disk can be made to fail, in a folder of its own.
struct failing_store {
  soma::testing::temp_folder folder{soma::testing::temp_folder::place::memory};
  std::shared_ptr<faulty_fs> disk = std::make_shared<faulty_fs>();
  std::unique_ptr<rocksdb::Env> env = impatient_env(disk);
  std::uint64_t free_bytes = UINT64_MAX;
  int fatal = 0;
  std::string why;
  std::unique_ptr<event_log> log;
  std::size_t wal_bytes = 128 << 10;  // tables and new logs all the time

  result<void> open() {
    store_options options;
    options.data_dir = folder / "data";
    options.min_free_bytes = 0;
    options.event_bytes_max = storm_event_bytes_max;
    options.on_fatal = [this](const error& e) {
      ++fatal;
      why = e.detail;
    };
    store_seams seams;
    seams.env = env.get();
    seams.wal_bytes = wal_bytes;
    seams.free_bytes = [this](const std::string&) { return std::optional(free_bytes); };
    fatal = 0;
    auto opened = open_rocksdb_event_log_on(options, seams);
    if (!opened) return opened.error();
    log = std::move(*opened);
    return {};
  }
};

bool says(const std::string& said, std::string_view code) {
  return said.find(code) != std::string::npos;
}

}  // namespace

TEST_CASE("disk: what was acknowledged is there after the power is cut, whenever it is") {
  const auto seed = soma::testing::seed_of("power", usual_seed);
  INFO("replay with SOMA_SEED=" << seed);
  std::mt19937_64 random(seed);
  failing_store s;
  storm_twin twin;
  int during_open = 0;
  for (std::uint64_t round = 0; round < number_from_environment("SOMA_ROUNDS", 100); ++round) {
    CAPTURE(round);
    s.disk->cut_power_at(1 + random() % 600);
    const auto opened = s.open();
    during_open += s.disk->has_failed();
    REQUIRE((opened || s.disk->has_failed()));
    storm work(random(), 2000);
    for (int n = 0; n < 300 && !s.disk->has_failed(); ++n) {
      auto step = work.next(*s.log);
      twin.tried(step);
      const auto said = work.apply(step, *s.log);
      // An answer that came after the end may say anything.
      if (!s.disk->has_failed()) twin.acknowledged(step.synced(said));
    }
    s.log.reset();
    s.disk->lose_unsynced(random);
    const auto again = s.open();
    REQUIRE_MESSAGE(again.has_value(), again.error().detail);
    REQUIRE(twin.settle(dump(*s.log)) == "");
    twin.reopened();
    s.log.reset();
  }
  CHECK(during_open > 0);
}

TEST_CASE("disk: a failed write or sync ends all acknowledging, once, and loses nothing") {
  const auto seed = soma::testing::seed_of("failing", usual_seed);
  INFO("replay with SOMA_SEED=" << seed);
  std::mt19937_64 random(seed);
  int failures = 0;
  for (std::uint64_t round = 0; round < number_from_environment("SOMA_ROUNDS", 40); ++round) {
    CAPTURE(round);
    failing_store s;
    storm_twin twin;
    // Of the log itself where nothing flushes it, else of the files that flushes and new logs make:
    // a flush that syncs a log which has failed ends in an assertion of RocksDB's, unless the
    // process has ended before, as it does outside of this test.
    const bool of_the_log = round % 3 != 0;
    if (of_the_log) s.wal_bytes = 64 << 20;
    REQUIRE_FALSE(s.open().has_error());
    const auto kinds = !of_the_log      ? faulty_fs::create
                       : round % 3 == 1 ? faulty_fs::append | faulty_fs::sync
                                        : faulty_fs::sync;
    // A single failure is enough: nobody may try again as if nothing had been.
    s.disk->fail_once(1 + random() % (of_the_log ? 150 : 8), faulty_fs::broken(), kinds);
    storm work(random(), 2000);
    bool failed = false;
    for (int n = 0; n < 300; ++n) {
      auto step = work.next(*s.log);
      const auto said = work.apply(step, *s.log);
      if (failed) {
        // What reads only, or changes nothing, may go on.
        CHECK_FALSE(says(said, "document ok"));
        CHECK_FALSE(says(said, "record ok"));
        continue;
      }
      twin.tried(step);
      failed = says(said, codes::storage_unavailable);
      if (!failed) twin.acknowledged(step.synced(said));
    }
    if (!failed) continue;
    ++failures;
    CHECK(s.fatal == 1);
    CHECK(s.why.find("told to fail") != std::string::npos);
    append_op late;
    late.key = storm_sessions()[0];
    late.events.push_back({1, event_type::app_event, "{}"});
    CHECK(s.log->commit(std::span(&late, 1))[0].error().code == codes::storage_unavailable);
    CHECK(s.fatal == 1);
    s.log.reset();
    s.disk->heal();
    REQUIRE_FALSE(s.open().has_error());
    REQUIRE(twin.settle(dump(*s.log)) == "");
  }
  CHECK(failures > 10);
}

TEST_CASE("disk: a full disk is refused, loses nothing, and is left once there is space") {
  const auto seed = soma::testing::seed_of("full", usual_seed);
  INFO("replay with SOMA_SEED=" << seed);
  std::mt19937_64 random(seed);
  int full_rounds = 0;
  for (std::uint64_t round = 0; round < number_from_environment("SOMA_ROUNDS", 18); ++round) {
    CAPTURE(round);
    failing_store s;
    storm_twin twin;
    REQUIRE_FALSE(s.open().has_error());
    storm work(random(), 2000);
    const auto run = [&](int steps) {
      int refused = 0;
      for (int n = 0; n < steps; ++n) {
        auto step = work.next(*s.log);
        twin.tried(step);
        const auto said = work.apply(step, *s.log);
        REQUIRE_MESSAGE(!says(said, codes::storage_unavailable), said << " " << s.why);
        if (says(said, codes::storage_full)) {
          twin.refused();
          ++refused;
        } else {
          twin.acknowledged(true);
        }
      }
      return refused;
    };
    const auto kinds = round % 3 == 0   ? faulty_fs::append
                       : round % 3 == 1 ? faulty_fs::append | faulty_fs::create
                                        : faulty_fs::create;
    // Several times over: a disk that is filled again as soon as there is space.
    int refused = 0;
    for (int times = 0; times < 3; ++times) {
      s.disk->fail_from(1 + random() % (times ? 40 : 80), faulty_fs::full(), kinds);
      // Where space seems to be left the store tries to go on, and must give up again.
      s.free_bytes = random() % 2 ? UINT64_MAX : 0;
      refused += run(25);
      REQUIRE(twin.settle(dump(*s.log)) == "");  // reading goes on meanwhile
      s.disk->heal();
      s.free_bytes = UINT64_MAX;
      REQUIRE(run(5) == 0);  // at once
      REQUIRE(twin.settle(dump(*s.log)) == "");
    }
    full_rounds += refused > 0;
    CHECK(s.fatal == 0);
    s.log.reset();
    REQUIRE_FALSE(s.open().has_error());
    REQUIRE(twin.settle(dump(*s.log)) == "");
  }
  CHECK(full_rounds > 5);
}

TEST_CASE("disk: a flush that finds no space in the background refuses nobody") {
  failing_store s;
  REQUIRE_FALSE(s.open().has_error());
  // The first file is a new write-ahead log, the second the table that the old one is flushed to.
  s.disk->fail_once(2, faulty_fs::full(), faulty_fs::create);
  auto one_more = [&, seq = std::uint64_t{0}]() mutable {
    append_op op;
    op.key = storm_sessions()[0];
    op.expected_seq = seq;
    op.events.push_back({++seq, event_type::app_event, std::string(3000, 'x')});
    return s.log->commit(std::span(&op, 1))[0];
  };
  for (int n = 0; n < 1000 && !s.disk->has_failed(); ++n) REQUIRE(one_more());
  REQUIRE(s.disk->has_failed());
  for (int n = 0; n < 200; ++n) REQUIRE(one_more());
  CHECK(s.fatal == 0);
}
