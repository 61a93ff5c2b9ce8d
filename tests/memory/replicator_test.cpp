#include "memory/replicator.hpp"

#include "core/codes.hpp"
#include "memory/memory_wal.hpp"
#include "memory/memory_world.hpp"

using namespace soma;
using namespace soma::memory;
using namespace soma::memory::testing;

namespace {

const tenant_id ours("t");

struct replica_world : world {
  replica_world() { begin(); }
  void begin() {
    copy = std::make_unique<replicator>(*log, *kept, [this] { return clock; });
    REQUIRE(copy->open());
  }
  static item item_of(std::string id, std::string text, std::int64_t at, std::string session = {}) {
    item it;
    it.memory_id = std::move(id);
    it.kind = "note";
    it.text = std::move(text);
    it.owner = "ada";  // who looks
    it.session_id = std::move(session);
    it.created_at_ms = 1000;
    it.updated_at_ms = at;
    it.state = "replicated";  // there
    return it;
  }
  // Lines as the log has them: a put, a stone, a head.
  std::string put(const item& it) {
    wal_entry one;
    one.position = next();
    one.put = it;
    return line(one);
  }
  std::string gone(std::string id, std::string session = {}) {
    wal_entry one;
    one.position = next();
    one.id = std::move(id);
    one.session = std::move(session);
    return line(one);
  }
  std::string head() {
    std::string out;
    write_head(out, "p." + std::to_string(number), 1);
    return out;
  }
  std::string next() { return "p." + std::to_string(++number); }
  static std::string line(const wal_entry& one) {
    std::string out;
    write_line(out, one);
    return out;
  }
  result<replica_outcome> apply(const strings& lines, bool anew = false) {
    replica_batch batch;
    batch.log = followed;
    batch.after = batch.position = anew ? "" : copy->figures(ours).position;
    batch.anew = anew;
    for (const auto& one : lines)
      if (auto ok = add_line(batch, one, clock); !ok) return ok.error();
    last = batch;
    return copy->apply(ours, batch);
  }
  std::string text_of(std::string id) {
    settle();
    const auto it = kept->find(by(), id);
    return it ? it->text : std::string("none");
  }

  std::int64_t clock = 1'800'000'000'000;
  std::uint64_t number = 0;
  std::string followed = "L";
  replica_batch last;
  std::unique_ptr<replicator> copy;
};

}  // namespace

TEST_CASE_FIXTURE(replica_world, "replicator: another node may have gone on meanwhile") {
  replicator other(*log, *kept, [this] { return clock; });
  REQUIRE(other.open());
  REQUIRE(apply({put(item_of("m1", "one", 2000))}, true));
  const auto here = copy->figures(ours);
  replica_batch batch;
  batch.log = followed;
  batch.after = here.position;
  REQUIRE(add_line(batch, put(item_of("m2", "two", 2001)), clock));
  const auto went_on = other.apply(ours, batch);
  REQUIRE_MESSAGE(went_on, (went_on ? std::string() : went_on.error().detail));
  // And back: what this one knew is not what is kept.
  CHECK(copy->apply(ours, batch).error().code == codes::memory_changed);
  CHECK(copy->figures(ours).position == went_on->position);
}

TEST_CASE_FIXTURE(replica_world, "replica: what is there is found here, and what goes there goes") {
  const auto done = apply({put(item_of("a", "The axolotl is called Axel", 2000)),
                           put(item_of("b", "to go", 2000, "s")), head()})
                        .value();
  CHECK(done.applied == 2);
  CHECK(done.position == "p.2");
  settle();
  CHECK(found("axolotl") == strings{"The axolotl is called Axel"});
  CHECK(kept->find(by(), "a")->state == "stored");
  CHECK(kept->find(by(), "b")->session_id == "s");
  REQUIRE(apply({put(item_of("a", "The axolotl is called Alex", 3000)), gone("b", "s"), head()}));
  CHECK(text_of("a") == "The axolotl is called Alex");
  CHECK(text_of("b") == "none");
  CHECK(found("go").empty());
  // Whatever comes late.
  REQUIRE(apply({put(item_of("a", "older", 2500)), put(item_of("b", "back again", 9000, "s"))}));
  CHECK(text_of("a") == "The axolotl is called Alex");
  CHECK(text_of("b") == "none");
  // In one batch, too.
  REQUIRE(apply({put(item_of("c", "one", 1)), put(item_of("c", "two", 2)), gone("c"),
                 put(item_of("c", "three", 3)), gone("never-seen")}));
  CHECK(text_of("c") == "none");
  REQUIRE(apply({put(item_of("never-seen", "after its stone", 5000))}));
  CHECK(text_of("never-seen") == "none");
}

TEST_CASE_FIXTURE(replica_world,
                  "replica: a batch counts once, where it belongs, of its log alone") {
  REQUIRE(apply({put(item_of("a", "one", 2000))}));
  const auto again = copy->apply(ours, last);
  REQUIRE_FALSE(again);
  CHECK(again.error().code == codes::memory_changed);
  REQUIRE(apply({put(item_of("a", "two", 3000))}));
  begin();  // after a restart as well
  CHECK(copy->figures(ours).position == "p.2");
  CHECK(copy->apply(ours, last).error().code == codes::memory_changed);
  followed = "another";
  const auto other = apply({gone("a")});
  REQUIRE_FALSE(other);
  CHECK(other.error().code == codes::request_invalid);
  CHECK(text_of("a") == "two");
  CHECK(copy->end(ours, "another").error().code == codes::request_invalid);
  REQUIRE(copy->end(ours, "L"));
  CHECK_FALSE(copy->figures(ours).following);
  CHECK(text_of("a") == "two");
}

TEST_CASE_FIXTURE(replica_world, "replica: of a batch with rubbish in it nothing is applied") {
  auto bad = item_of("b", "bad", 2000);
  const auto refused = [&](const std::string& line) {
    const auto before = copy->figures(ours).position;
    const auto came = apply({put(item_of("a", "good", 2000)), line});
    REQUIRE_FALSE(came);
    CHECK(came.error().code == codes::request_invalid);
    CHECK(text_of("a") == "none");
    CHECK(copy->figures(ours).position == before);
  };
  for (const auto* rubbish :
       {"", "[]", "{", "\xff", "{}", R"({"type":"put","position":"p.9"})",
        R"({"type":"put","position":"p.9","item":{}})", R"({"type":"gone","position":"p.9"})",
        R"({"type":"gone","memory_id":"x"})", R"({"type":"begin","log":"L","position":"p.9"})",
        R"({"type":"alive"})", R"({"type":"gone","position":"p.9","memory_id":"a\nb"})",
        R"({"type":"gone","position":"p.9","memory_id":"x","session_id":"-"})",
        R"({"type":"head","position":"p 9"})"})
    refused(rubbish);
  const auto with = [&](auto change) {
    auto it = bad;
    change(it);
    refused(put(it));
  };
  with([](item& it) { it.memory_id = "a\nb"; });
  with([](item& it) { it.session_id = "s\nt"; });
  with([](item& it) { it.kind = "spell"; });
  with([](item& it) { it.text = " "; });
  with([](item& it) { it.text = std::string(65 * 1024, 'x'); });
  with([](item& it) { it.role = "system"; });
  with([](item& it) { it.tags = {""}; });
  with([](item& it) { it.tags = strings(65, "t"); });
  with([](item& it) { it.importance = 2; });
  with([](item& it) { it.owner = "a\nb"; });
  with([](item& it) { it.updated_at_ms = 0; });
  with([this](item& it) { it.updated_at_ms = clock + 2 * replicator::ahead_ms_max; });
  // One that would move a memory into another session.
  REQUIRE(apply({put(item_of("m", "of s", 2000, "s"))}));
  refused(put(item_of("m", "of t", 3000, "t")));
  CHECK(text_of("m") == "of s");
}

TEST_CASE_FIXTURE(replica_world, "replica: what went here stays gone, what is newer here stays") {
  REQUIRE(apply({put(item_of("a", "forgotten here", 2000)),
                 put(item_of("b", "goes with its session", 2000, "s")),
                 put(item_of("c", "changed here", 2000))}));
  say("s", "own", "said here");  // in a session of the same name
  settle();
  REQUIRE(kept->forget(by(), "a", {}));
  delete_session("s");
  item_change what;
  what.text = "newer";
  REQUIRE(kept->change(by(), "c", what, {}));
  settle();
  REQUIRE(apply({put(item_of("a", "pinned there", 3000)),
                 put(item_of("b", "there, too", 3000, "s")), put(item_of("c", "older", 3000))}));
  CHECK(text_of("a") == "none");
  CHECK(text_of("b") == "none");
  CHECK(text_of("c") == "newer");
}

TEST_CASE_FIXTURE(replica_world, "replica: followed anew, what is there no more goes at the end") {
  const auto mine = note("written here");
  REQUIRE(apply({put(item_of("a", "stays", 2000)), put(item_of("b", "is lost there", 2000)),
                 put(item_of("c", "is changed there", 2000)), head()}));
  followed = "another";
  number = 0;
  REQUIRE(apply({put(item_of("a", "stays", 2000))}, true));
  begin();  // a restart in its midst
  CHECK(text_of("b") == "is lost there");
  const auto end = apply({put(item_of("c", "changed", 3000)), head()}).value();
  CHECK(end.gone == 1);
  CHECK(text_of("a") == "stays");
  CHECK(text_of("b") == "none");
  CHECK(text_of("c") == "changed");
  CHECK(text_of(mine.memory_id) == "written here");
  CHECK(apply({head()}).value().gone == 0);
}

TEST_CASE_FIXTURE(replica_world, "replica: its lag is the time since all was here") {
  CHECK(copy->figures(ours).lag_s == 0);
  REQUIRE(apply({put(item_of("a", "one", 2000))}));
  clock += 5000;
  CHECK(copy->figures(ours).lag_s == doctest::Approx(5));
  CHECK_FALSE(copy->figures(ours).caught_up);
  REQUIRE(apply({head()}));
  CHECK(copy->figures(ours).lag_s == 0);
  CHECK(copy->figures(ours).caught_up);
  clock += replicator::fresh_ms + 5000;
  CHECK(copy->figures(ours).lag_s == doctest::Approx(20));
  CHECK(copy->lag_s_max() == doctest::Approx(20));
  REQUIRE(apply({head()}));
  CHECK(copy->lag_s_max() == 0);
}
