// Where memories were used: from the log, by its index, for those who may see it.
#include "core/codes.hpp"
#include "memory/memory_world.hpp"

using namespace soma;
using namespace soma::memory;
using namespace soma::memory::testing;

namespace {

struct used_world : world {
  using world::world;
  // "session/seq", newest first.
  strings uses(const item& of, std::size_t limit = 100, const viewer& who = by()) {
    strings out;
    std::string cursor;
    do {
      const auto page = kept->uses(who, of.memory_id, cursor, limit).value();
      for (const auto& use : page.uses) out.push_back(use.session + '/' + std::to_string(use.seq));
      CHECK(page.uses.size() <= limit);
      cursor = page.next_cursor;
    } while (!cursor.empty());
    return out;
  }
  void reset(const std::string& session) {
    storage::append_op op;
    op.key = {tenant_id("t"), session_id(session)};
    op.expected_seq = seqs[session];
    op.events.push_back({++seqs[session], event_type::app_event, "{}"});
    op.first_seq = seqs[session];
    add_forgotten(op, op.key, false);
    REQUIRE(log->commit(std::span(&op, 1)).front());
  }
  void build_anew() {
    stop();
    index_file::remove(path);
    start();
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!index->uses_degraded().empty() && std::chrono::steady_clock::now() < until)
      std::this_thread::yield();
    REQUIRE(index->uses_degraded() == "");
  }
};

}  // namespace

TEST_CASE_FIXTURE(used_world, "uses: each turn that was told of a memory is known, newest first") {
  const auto one = note("alpha"), two = note("beta"), three = note("gamma");
  told("s1", {one, two});
  told("s2", {one});
  const auto seq = told("s1", {one});
  const auto at = now.load();
  CHECK(uses(one) == strings{"s1/2", "s2/1", "s1/1"});
  CHECK(uses(one, 1) == uses(one));
  CHECK(uses(two) == strings{"s1/1"});
  CHECK(uses(three).empty());
  const auto newest = kept->uses(by(), one.memory_id, {}, 1)->uses.at(0);
  CHECK(newest.turn_id == "turn-2");
  CHECK(newest.event_id == to_string(event_id{log->epoch(), seq}));
  CHECK(newest.at_ms == at);
  CHECK(kept->uses(by("ada", "other"), one.memory_id, {}, 1).error().code ==
        codes::memory_not_found);
  for (const char* bad : {"x", "1", "1.", "1.2.", ".1.s", "-1.2.s", "1.-2.s"})
    CHECK(kept->uses(by(), one.memory_id, bad, 1).error().code == codes::request_invalid_parameter);
}

TEST_CASE_FIXTURE(used_world, "uses: what was deleted or reset is no use any more") {
  const auto one = note("alpha");
  told("gone", {one});
  told("kept", {one});
  told("reset", {one});
  told("reset", {one});
  CHECK(uses(one).size() == 4);
  delete_session("gone");
  reset("reset");
  CHECK(uses(one) == strings{"kept/1"});
  told("reset", {one});
  CHECK(uses(one) == strings{"reset/4", "kept/1"});
  delete_session("kept", "t", true);
  CHECK(uses(one) == strings{"reset/4"});
  CHECK(log->list_documents(use_collection, {}, 10).value().size() == 1);
  // Nor while the index has not heard of it.
  const std::lock_guard held(hold);
  note("what the index stands still at");
  storage::append_op op;
  op.key = {tenant_id("t"), session_id("reset")};
  op.expected_seq = seqs["reset"];
  op.remove = true;
  add_forgotten(op, op.key, false);
  REQUIRE(log->commit(std::span(&op, 1)).front());
  limits.catch_up_ms = 1;
  const memories hasty(*log, *index, limits, [this] { return ++now; });
  CHECK(hasty.uses(by(), one.memory_id, {}, 10)->uses.empty());
}

TEST_CASE_FIXTURE(used_world, "uses: an index that is made anew knows the same") {
  const auto one = note("alpha"), two = note("beta");
  for (int i = 0; i < 700; ++i) told("s" + std::to_string(i % 9), {one});
  told("gone", {one, two});
  told("s1", {two});
  delete_session("gone");
  settle();
  const auto before = uses(one);
  CHECK(before.size() == uses_max);
  CHECK(uses(two).size() == 1);
  build_anew();
  CHECK(uses(one) == before);
  CHECK(uses(two).size() == 1);
  // A file of the version before has no uses, and is made anew.
  CHECK(notices.empty());
}

TEST_CASE_FIXTURE(used_world, "uses: those of what was forgotten go with it") {
  const auto one = note("alpha"), two = note("beta");
  told("s1", {one, two});
  REQUIRE(kept->forget(by(), one.memory_id, {}));
  CHECK(kept->uses(by(), one.memory_id, {}, 10).error().code == codes::memory_not_found);
  settle();
  auto file = index_reader::open(path);
  REQUIRE(file);
  REQUIRE((*file)->begin(std::chrono::steady_clock::now() + std::chrono::seconds(5)));
  CHECK((*file)->uses(tenant_id("t"), one.memory_id, {}, 10)->empty());
  CHECK((*file)->uses(tenant_id("t"), two.memory_id, {}, 10)->size() == 1);
}

TEST_CASE_FIXTURE(used_world, "uses: a turn that was told of nothing is none") {
  told("s1", {});
  CHECK(log->list_documents(use_collection, {}, 10).value().empty());
  CHECK(log->read_outbox(outbox_sink, 0, 10).value().rows.empty());
}
