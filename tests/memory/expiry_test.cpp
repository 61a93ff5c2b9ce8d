// What is over counts as gone at once, and is deleted by its index.
#include "core/codes.hpp"
#include "memory/memory_world.hpp"
#include "memory/upkeep.hpp"

using namespace soma;
using namespace soma::memory;
using namespace soma::memory::testing;

namespace {

struct passing_world : world {
  using world::world;
  item note_until(std::string text, std::int64_t at_ms, const viewer& who = by()) {
    new_note wanted;
    wanted.text = std::move(text);
    wanted.expires_at_ms = at_ms;
    return kept->save(who, wanted).value().what;
  }
  strings listed(const viewer& who = by()) {
    strings out;
    for (const auto& it : kept->list(who, {}, {}, 100).value().items) out.push_back(it.text);
    return out;
  }
  std::size_t documents(std::string_view collection) {
    return log->list_documents(collection, {}, 10'000).value().size();
  }
};

}  // namespace

TEST_CASE_FIXTURE(passing_world, "expiry: from its moment on it is in no answer") {
  const auto end = now + 1'000'000;
  const auto brief = note_until("The code is 1234", end);
  note("The code of the door is known");
  CHECK(brief.expires_at_ms == end);
  settle();
  now = end - 1000;
  CHECK(found("code").size() == 2);
  CHECK(listed().size() == 2);
  now = end;
  CHECK(found("code") == strings{"The code of the door is known"});
  CHECK(listed() == strings{"The code of the door is known"});
  CHECK(kept->find(by(), brief.memory_id).error().code == codes::memory_not_found);
  CHECK(kept->forget(by(), brief.memory_id, {}).error().code == codes::memory_not_found);
  item_change pin;
  pin.pinned = true;
  CHECK(kept->change(by(), brief.memory_id, pin, {}).error().code == codes::memory_not_found);
  CHECK(kept->recall(question("code"))->items.size() == 1);
  CHECK(kept->uses(by(), brief.memory_id, {}, 1).error().code == codes::memory_not_found);
  // It may be noted again, and is another then.
  CHECK(note("the code is 1234").memory_id != brief.memory_id);
}

TEST_CASE_FIXTURE(passing_world, "expiry: a time is set, moved and taken back by a change") {
  const auto end = now + 1'000'000;
  const auto one = note_until("alpha", end), two = note("beta");
  item_change longer, never, sooner;
  longer.expires_at_ms = end + 1'000'000;
  never.expires_at_ms = 0;
  sooner.expires_at_ms = end;
  const auto changed_item = kept->change(by(), one.memory_id, longer, etag_of(one));
  REQUIRE(changed_item);
  CHECK(etag_of(*changed_item) != etag_of(one));
  REQUIRE(kept->change(by(), two.memory_id, sooner, {}));
  settle();
  now = end;
  CHECK(listed() == strings{"alpha"});
  REQUIRE(kept->change(by(), one.memory_id, never, {}));
  settle();
  now = end + 10'000'000;
  CHECK(listed() == strings{"alpha"});
  CHECK(kept->sweep_expired(100).value() == 1);
  settle();
  CHECK(kept->find(by(), one.memory_id));
}

TEST_CASE("expiry: what is over is deleted with all that is of it, and SomaBrain hears of it") {
  auto limits = world::patient();
  limits.replicated = true;
  passing_world w(limits);
  const auto end = w.now + 1'000'000;
  for (int i = 0; i < 25; ++i) w.note_until("brief " + std::to_string(i), end);
  w.note_until("of another tenant", end, world::by("ada", "other"));
  w.note("stays");
  w.settle();
  CHECK(w.kept->sweep_expired(10).value() == 0);
  w.now = end;
  const auto rows = w.log->read_outbox(brain_sink, 0, 1000).value().rows.size();
  std::size_t swept = 0;
  for (;;) {
    const auto some = w.kept->sweep_expired(10).value();
    CHECK(some <= 10);
    swept += some;
    if (some < 10) break;
    w.settle();
  }
  CHECK(swept == 26);
  w.settle();
  CHECK(w.documents(item_collection) == 1);
  CHECK(w.documents(id_collection) == 1);
  CHECK(w.documents(text_collection) == 1);
  CHECK(w.kept->status(tenant_id("t"))->stored == 1);
  const auto told = w.log->read_outbox(brain_sink, 0, 1000).value().rows;
  REQUIRE(told.size() == rows + 26);
  CHECK(read_change(told.back().payload).value().what == change::kind::gone);
  CHECK(w.kept->sweep_expired(10).value() == 0);
}

TEST_CASE_FIXTURE(passing_world,
                  "expiry: what was given longer while the index did not know it stays") {
  const auto end = now + 1'000'000;
  const auto one = note_until("alpha", end);
  settle();
  hold.lock();  // from its next change on the index stands still
  note("what it stands still at");
  item_change never;
  never.expires_at_ms = 0;
  const auto given = kept->change(by(), one.memory_id, never, {});
  now = end;
  const auto swept = kept->sweep_expired(10);
  const auto there = kept->find(by(), one.memory_id);
  hold.unlock();
  CHECK(given);
  CHECK(swept.value() == 1);  // as the index has it
  CHECK(there);
  settle();
  CHECK(listed().size() == 2);
}

TEST_CASE_FIXTURE(passing_world,
                  "expiry: what is said is remembered for so long, where that is set") {
  said_ttl_ms = 1'000'000;
  say("s1", "g1", "said for a while");
  said_ttl_ms = 0;
  say("s1", "g2", "said for ever");
  settle();
  CHECK(listed().size() == 2);
  now += 1'000'001;
  CHECK(listed() == strings{"said for ever"});
}

TEST_CASE_FIXTURE(passing_world, "expiry: an index that is made anew knows what is over") {
  const auto end = now + 1'000'000;
  note_until("alpha", end);
  stop();
  index_file::remove(path);
  start();
  now = end;
  CHECK(kept->sweep_expired(10).value() == 1);
}

TEST_CASE_FIXTURE(passing_world, "upkeep: deletes what is over, and what was being forgotten") {
  knowledge shelf(*log, *kept, {50, false}, [this] { return ++now; });
  const auto end = now + 1'000'000;
  for (int i = 0; i < 30; ++i) note_until("brief " + std::to_string(i), end);
  REQUIRE(log->put_document(gone_document_collection, "t\na1", "3"));
  now = end;
  upkeep_options often;
  often.every = std::chrono::milliseconds(1);
  often.items_at_once = 7;
  {
    upkeep works(*kept, shelf, often);
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while ((documents(item_collection) > 0 || documents(gone_document_collection) > 0) &&
           std::chrono::steady_clock::now() < until)
      std::this_thread::yield();
  }
  CHECK(documents(item_collection) == 0);
  CHECK(documents(gone_document_collection) == 0);
}
