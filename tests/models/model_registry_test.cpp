#include "models/model_registry.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "core/codes.hpp"
#include "core/time.hpp"
#include "support/held_log.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::models;

namespace {

const tenant_id ours{"ours"};

llm::model_profile profile_of(std::string model) {
  llm::model_profile p;
  p.name = "default";
  p.model = std::move(model);
  p.base_url = "http://models.test/v1";
  p.provider = "test";
  return p;
}

struct world {
  config settings = load_config({}).value();
  std::unique_ptr<storage::event_log> log = storage::make_memory_event_log();
  storage::held_log disk{*log};
  models::model_registry models{settings, disk};

  world() {
    REQUIRE(models.load());
    REQUIRE(models.put(ours, profile_of("first"), {}));
  }
};

}  // namespace

TEST_CASE_FIXTURE(world, "models: a change that waits for the disk keeps nobody else waiting") {
  disk.hold();
  std::thread put([&] { CHECK(models.put(ours, profile_of("second"), {})); });
  disk.wait_for_writers(1);
  // Each of these would stand behind the disk until it is let go, which is only done below.
  CHECK(models.dialogue(ours)->rules.model == "first");
  CHECK(models.resolve(ours, {})->target.model == "first");
  CHECK(models.get(ours, "default")->profile.model == "first");
  CHECK(models.list(ours).size() == 1);
  CHECK(models.knows(ours, "first"));
  CHECK(models.any());
  disk.let_go();
  put.join();
  CHECK(models.dialogue(ours)->rules.model == "second");

  disk.hold();
  std::thread removed([&] { CHECK(models.remove(ours, "default", {})); });
  disk.wait_for_writers(1);
  CHECK(models.dialogue(ours)->rules.model == "second");
  disk.let_go();
  removed.join();
  CHECK(!models.resolve(ours, {}));
  CHECK(models.dialogue(ours)->profile.base_url.empty());
}

TEST_CASE_FIXTURE(world, "models: of two changes at once under If-Match one finds it changed") {
  const auto seen = models.get(ours, "default")->etag;
  disk.hold();
  std::atomic<int> done{0}, changed{0};
  const auto change = [&](const char* model) {
    const auto put = models.put(ours, profile_of(model), {seen, false});
    ++(put ? done : changed);
    if (!put) CHECK(put.error().code == "profile.changed");
  };
  std::thread one(change, "one"), other(change, "other");
  disk.wait_for_writers(1);
  disk.let_go();
  one.join();
  other.join();
  CHECK(done == 1);
  CHECK(changed == 1);
}

TEST_CASE_FIXTURE(world, "models: who asks during a change never brings the old model back") {
  // Readers build and keep the settings all the while; what was put must be what is seen next.
  std::atomic<bool> over{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i)
    readers.emplace_back([&] {
      while (!over) (void)models.dialogue(ours);
    });
  int stale = 0;
  for (int round = 0; round < 3000; ++round) {
    const auto model = "model-" + std::to_string(round);
    REQUIRE(models.put(ours, profile_of(model), {}));
    std::this_thread::yield();  // a reader that chose before the change gets to keep it
    stale += models.dialogue(ours)->rules.model != model;
  }
  over = true;
  for (auto& r : readers) r.join();
  CHECK(stale == 0);
}

TEST_CASE_FIXTURE(world, "models: a profile and the record of its answer are written in one") {
  const auto named = [](const char* name) {
    auto p = profile_of("other");
    p.name = name;
    p.preferred = true;
    return p;
  };
  const auto keep = [&](const listed_profile& made, std::span<const storage::document_row> rows) {
    return disk.put_idempotency({"key", "hash", 201, made.profile.name, now_ms()}, rows);
  };
  // As when the answer to the first was lost: the key is known, so there is no second profile.
  REQUIRE(models.put(ours, named("once"), {{}, true}, keep));
  CHECK(models.put(ours, named("twice"), {{}, true}, keep).error().code ==
        codes::idempotency_exists);
  CHECK(!models.get(ours, "twice"));
  CHECK(models.get(ours, "once")->profile.preferred);
  // A start finds what was written: the profile with its record, and nothing of the other.
  model_registry again(settings, disk);
  REQUIRE(again.load());
  CHECK(again.list(ours).size() == 2);
  CHECK(again.get(ours, "once")->etag == models.get(ours, "once")->etag);
  CHECK(log->find_idempotency("key").value()->response_json == "once");
  // A commit that fails leaves neither, in the store and in memory.
  const auto fail = [](const listed_profile&, std::span<const storage::document_row>) {
    return result<void>(error(codes::storage_unavailable, "told to fail"));
  };
  CHECK(models.put(ours, named("late"), {}, fail).error().code == codes::storage_unavailable);
  CHECK(!models.get(ours, "late"));
  CHECK(models.get(ours, "once")->profile.preferred);
}

TEST_CASE_FIXTURE(world, "models: what another process wrote is followed, also that it is gone") {
  models::model_registry other{settings, *log};
  REQUIRE(other.load());
  REQUIRE(models.put(ours, profile_of("second"), {}));
  CHECK(other.dialogue(ours)->rules.model == "first");
  REQUIRE(other.load());
  CHECK(other.dialogue(ours)->rules.model == "second");
  REQUIRE(models.remove(ours, "default", {}));
  REQUIRE(other.load());
  CHECK_FALSE(other.get(ours, "default"));
  CHECK(other.dialogue(ours)->profile.base_url.empty());
}
