#include <atomic>
#include <thread>

#include "core/codes.hpp"
#include "memory/item.hpp"
#include "memory/memory_sync.hpp"
#include "memory/memory_world.hpp"
#include "memory/somabrain_sink.hpp"
#include "support/held_log.hpp"

using namespace soma;
using namespace soma::memory;
using namespace soma::memory::testing;

namespace {

struct replicated_world : world {
  replicated_world() : world(with_brain()) {}
  static memory_limits with_brain() {
    auto limits = patient();
    limits.replicated = true;
    return limits;
  }
  strings rows() {
    strings out;
    for (const auto& row : log->read_outbox(brain_sink, 0, 1000).value().rows)
      out.push_back(row.payload);
    return out;
  }
  void take_rows() {
    std::vector<std::uint64_t> numbers;
    for (const auto& row : log->read_outbox(brain_sink, 0, 1000).value().rows)
      numbers.push_back(row.number);
    REQUIRE(log->delete_outbox(brain_sink, numbers));
  }
  void tell(const item& it, std::string_view state, std::int64_t version_ms) {
    const auto session = it.session_id.empty() ? std::string(no_session) : it.session_id;
    REQUIRE(kept->set_states(tenant_id("t"), {{session, it.memory_id, version_ms}}, state));
    settle();
  }
  // Its own look at the start may be under way.
  static result<sync_outcome> look(memory_sync& sync) {
    for (;;) {
      auto found = sync.look(tenant_id("t"));
      if (found || found.error().code != codes::server_busy) return found;
      std::this_thread::yield();
    }
  }
  item now(const item& it) { return kept->find(by(), it.memory_id).value(); }
};

}  // namespace

TEST_CASE_FIXTURE(world, "replication: where SomaBrain is not set up nothing is written for it") {
  const auto it = note("kept here");
  say("s", "m", "said here");
  REQUIRE(kept->forget(by(), it.memory_id, {}));
  delete_session("s");
  settle();
  CHECK(log->read_outbox(brain_sink, 0, 100).value().rows.empty());
}

TEST_CASE_FIXTURE(replicated_world,
                  "replication: each change is a row, and each that goes is one") {
  const auto it = note("one");
  item_change what;
  what.pinned = true;
  REQUIRE(kept->change(by(), it.memory_id, what, {}));
  REQUIRE(kept->forget(by(), it.memory_id, {}));
  say("s", "m1", "said");
  say("s", "m2", "said, too");
  settle();
  delete_session("s");
  settle();
  const auto id = "t\n-\n" + it.memory_id;
  const auto all = rows();
  REQUIRE(all.size() == 7);
  CHECK(strings(all.begin(), all.begin() + 5) == strings{"item\n" + id, "item\n" + id,
                                                         "gone\n" + id, "item\nt\ns\nm-m1",
                                                         "item\nt\ns\nm-m2"});
  CHECK(strings(all.begin() + 5, all.end()) == strings{"gone\nt\ns\nm-m1", "gone\nt\ns\nm-m2"});
}

TEST_CASE_FIXTURE(replicated_world,
                  "replication: an item is replicated as long as it is what went") {
  const auto it = note("The boat is called Nele");
  const auto before = kept->search(by(), {.query = "boat"}).value();
  tell(it, "replicated", it.updated_at_ms);
  CHECK(now(it).state == "replicated");
  CHECK(etag_of(now(it)) == etag_of(it));
  CHECK(kept->status(tenant_id("t")).value().replicated == 1);
  // What was found as of before still is.
  search_question again;
  again.query = "boat";
  again.at = before.as_of;
  CHECK(kept->search(by(), again).value().items.size() == 1);
  item_change what;
  what.text = "The boat is called Nora";
  const auto changed = kept->change(by(), it.memory_id, what, {}).value();
  CHECK(changed.state == "stored");
  tell(it, "replicated", it.updated_at_ms);  // an answer about what it was
  CHECK(now(it).state == "stored");
  CHECK(kept->status(tenant_id("t")).value().replicated == 0);
  tell(it, "failed", 0);
  CHECK(kept->status(tenant_id("t")).value().failed == 1);
  REQUIRE(kept->forget(by(), it.memory_id, {}));
  tell(it, "replicated", 0);  // too late
  CHECK_FALSE(kept->find(by(), it.memory_id));
  CHECK(kept->status(tenant_id("t")).value().stored == 0);
}

TEST_CASE_FIXTURE(replicated_world, "replication: a sync queues what waits nowhere, and no more") {
  const auto acknowledged = note("acknowledged"), lost = note("lost");
  say("s", "m", "lost, too");
  settle();
  tell(acknowledged, "replicated", acknowledged.updated_at_ms);
  take_rows();
  const auto waits = note("waits");
  memory_sync sync(*log, 3'600'000, {});
  // Its own look at the start may have been quicker.
  const auto found = look(sync).value();
  CHECK(found.looked_at == 4);
  CHECK(found.gone == 0);
  auto all = rows();
  std::sort(all.begin(), all.end());
  auto wanted =
      strings{"item\nt\n-\n" + lost.memory_id, "item\nt\n-\n" + waits.memory_id, "item\nt\ns\nm-m"};
  std::sort(wanted.begin(), wanted.end());
  CHECK(all == wanted);
  CHECK(look(sync).value().queued == 0);
}

TEST_CASE_FIXTURE(replicated_world, "replication: a sync finds ids that lost their item unseen") {
  REQUIRE(log->put_document(id_collection, "t\nlost", "s"));
  memory_sync sync(*log, 3'600'000, {});
  CHECK(look(sync).value().gone == 1);
  CHECK(rows() == strings{"gone\nt\ns\nlost"});
  CHECK(look(sync).value().gone == 0);
  sync.stop();
  CHECK(sync.look(tenant_id("t")).error().code == codes::server_busy);
}

TEST_CASE_FIXTURE(world,
                  "replication: a stop ends a look that is under way, and who asked is told") {
  storage::held_log held(*log);
  note("found by its own look");
  std::atomic<bool> looked{false};
  memory_sync sync(held, 3'600'000, [&](const auto&) { looked = true; });
  while (!looked) std::this_thread::yield();
  constexpr std::size_t sessions = 700;  // of which a page has 500
  for (std::size_t n = 0; n < sessions; ++n) say("s" + std::to_string(n), "m", "said");
  settle();
  held.hold();
  std::optional<result<sync_outcome>> came;
  std::thread asker([&] { came.emplace(sync.look(tenant_id("t"))); });
  held.wait_for_writers(1);
  CHECK(sync.look(tenant_id("t")).error().code == codes::server_busy);
  sync.stop();
  held.let_go();
  asker.join();
  REQUIRE(came);
  REQUIRE_FALSE(*came);
  CHECK(came->error().code == codes::server_busy);
  CHECK(log->read_outbox(brain_sink, 0, 1000).value().rows.size() < sessions);
}
