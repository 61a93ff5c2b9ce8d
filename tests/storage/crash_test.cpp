// A writer that is killed, again and again, at any moment: what it was told is kept is there. The
// test follows it with a log in memory. SOMA_SEED replays one; SOMA_KILLS sets how often.
#include <doctest/doctest.h>

#include <random>

#include "core/codes.hpp"
#include "storm.hpp"
#include "support/child_process.hpp"
#include "support/result_text.hpp"
#include "support/seed.hpp"
#include "support/temp_folder.hpp"

using namespace soma;
using namespace soma::storage;
using namespace soma::storage::testing;
using soma::testing::child_process;
using soma::testing::number_from_environment;
using namespace std::chrono_literals;

namespace {

// What a writer said before its end.
struct life {
  bool opened = false;
  std::uint32_t epoch = 0;
  std::size_t hash = 0;
  std::vector<std::string> done;
  bool one_more_tried = false;

  void hear(const std::string& line) {
    if (line.starts_with("open ")) {
      opened = true;
      epoch = static_cast<std::uint32_t>(std::stoul(line.substr(5)));
      hash = std::stoull(line.substr(line.rfind(' ') + 1));
    } else if (line == "try") {
      one_more_tried = true;
    } else if (line.starts_with("did ")) {
      one_more_tried = false;
      done.push_back(line.substr(4));
    }
  }
};

store_options options_of(const std::string& data_dir) {
  store_options options;
  options.data_dir = data_dir;
  options.min_free_bytes = 0;
  options.event_bytes_max = storm_event_bytes_max;
  return options;
}

std::size_t hash_of(const event_log& log) {
  return std::hash<std::string>{}(dump(log));
}

// The log in memory, at the last step that surely reached the disk; and the one step that may have.
struct follower {
  std::unique_ptr<event_log> log = make_memory_event_log(1, storm_event_bytes_max);
  std::optional<storm_step> uncertain;

  void follow(const life& l, std::uint64_t seed) {
    storm work(seed, 1000);
    for (const auto& done : l.done) REQUIRE(work.apply(work.next(*log), *log) == done);
    if (l.one_more_tried) uncertain = work.next(*log);
  }
  // Whether the store that says this holds what it must. It was opened, so nothing is staged.
  bool agrees(std::size_t hash) {
    bool same = hash_of(*log) == hash;
    if (!same && uncertain) {
      storm(0).apply(*uncertain, *log);
      same = hash_of(*log) == hash;
    }
    uncertain.reset();
    drop_stages(*log);
    return same;
  }
};

}  // namespace

TEST_CASE("crash: a writer killed again and again loses nothing that it was told is kept") {
  const auto seed = soma::testing::seed_of("crash");
  INFO("replay with SOMA_SEED=" << seed);
  const auto kills = number_from_environment("SOMA_KILLS", 200);
  std::mt19937_64 random(seed);
  const soma::testing::temp_folder folder;
  const auto data = folder / "data";
  follower twin;
  std::uint32_t epoch = 0;
  std::size_t kept = 0, while_opening = 0, amid_a_step = 0;
  for (std::uint64_t kill = 0; kill < kills; ++kill) {
    CAPTURE(kill);
    const auto writer_seed = random();
    child_process writer(soma::testing::sibling_program("storage_writer"),
                         {data, std::to_string(writer_seed)});
    life l;
    // Some are killed at a moment after their start, most after so many steps and a moment.
    const bool early = random() % 4 == 0;
    const auto steps = early ? SIZE_MAX : 1 + random() % 40;
    auto deadline =
        child_process::clock::now() + (early ? std::chrono::microseconds(random() % 60'000) : 20s);
    while (l.done.size() < steps) {
      const auto line = writer.line_until(deadline);
      if (!line) break;
      l.hear(*line);
    }
    if (!early) REQUIRE_MESSAGE(l.done.size() == steps, writer.errors());
    deadline = child_process::clock::now() + std::chrono::microseconds(random() % 3000);
    while (const auto line = writer.line_until(deadline)) l.hear(*line);
    const auto status = writer.end(SIGKILL);
    REQUIRE_MESSAGE((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL), writer.errors());
    while (const auto line = writer.line_until(deadline)) l.hear(*line);

    if (!l.opened) {
      ++while_opening;
      continue;
    }
    CHECK(l.epoch > epoch);
    epoch = l.epoch;
    if (!twin.agrees(l.hash)) {
      const auto log = open_rocksdb_event_log(options_of(data)).value();
      FAIL(difference(dump(*twin.log), dump(*log)));
    }
    twin.follow(l, writer_seed);
    kept += l.done.size();
    amid_a_step += l.one_more_tried;
  }
  const auto log = open_rocksdb_event_log(options_of(data)).value();
  if (!twin.agrees(hash_of(*log))) FAIL(difference(dump(*twin.log), dump(*log)));
  CHECK(log->epoch() > epoch);
  MESSAGE(kills << " kills, " << while_opening << " while opening, " << amid_a_step
                << " amid a step; " << kept << " steps kept");
  CHECK(kept > kills);
  CHECK(amid_a_step > 0);
}

TEST_CASE("crash: a failed sync ends the process with 70, a sentence, and nothing lost") {
  const auto seed = soma::testing::seed_of("failing sync", 2003342787);
  INFO("replay with SOMA_SEED=" << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 5; ++round) {
    CAPTURE(round);
    const soma::testing::temp_folder folder;
    const auto data = folder / "data";
    const auto writer_seed = random();
    // The first forty or so are those of opening.
    child_process writer(soma::testing::sibling_program("storage_writer"),
                         {data, std::to_string(writer_seed), std::to_string(60 + random() % 60)});
    life l;
    while (const auto line = writer.line_until(child_process::clock::now() + 20s)) l.hear(*line);
    const auto status = writer.end(0);
    const auto errors = writer.errors();
    REQUIRE_MESSAGE(WIFEXITED(status), errors);
    CHECK(WEXITSTATUS(status) == 70);
    CHECK(errors.find("nothing more is acknowledged") != std::string::npos);
    CHECK(errors.find("told to fail") != std::string::npos);
    CHECK(l.one_more_tried);
    CHECK_FALSE(l.done.empty());
    follower twin;
    twin.follow(l, writer_seed);
    const auto log = open_rocksdb_event_log(options_of(data)).value();
    CHECK(twin.agrees(hash_of(*log)));
  }
}

TEST_CASE("crash: a second process is refused while the first has the folder, and not after") {
  const soma::testing::temp_folder folder;
  const auto data = folder / "data";
  auto log = open_rocksdb_event_log(options_of(data)).value();
  const auto run_second = [&](std::string& errors) {
    child_process second(soma::testing::sibling_program("storage_writer"), {data, "1"});
    const auto line = second.line_until(child_process::clock::now() + 20s);
    const auto status = second.end(line ? SIGKILL : 0);
    errors = second.errors();
    return line ? -1 : WEXITSTATUS(status);
  };
  std::string errors;
  CHECK(run_second(errors) == 1);
  CHECK(errors.find("storage.locked") != std::string::npos);
  CHECK(errors.find(data) != std::string::npos);
  append_op op;
  op.key = {tenant_id("t"), session_id("s")};
  op.events.push_back({1, event_type::app_event, "{}"});
  CHECK(log->commit(std::span(&op, 1))[0].value() == 1);
  log.reset();
  CHECK(run_second(errors) == -1);
}
