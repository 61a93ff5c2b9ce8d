#include "models/model_registry.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

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
