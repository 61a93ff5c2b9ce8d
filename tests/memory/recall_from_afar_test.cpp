#include "memory/memory_world.hpp"
#include "memory/remote_recall.hpp"

using namespace soma;
using namespace soma::memory;
using namespace soma::memory::testing;

namespace {

struct scripted final : remote_recall {
  remote_answer answer;
  int asked = 0;
  std::string tenant;
  remote_answer ask(const tenant_id& of, std::string_view, std::size_t, std::int64_t) override {
    ++asked;
    tenant = of.value;
    return answer;
  }
};

struct afar_world : world {
  afar_world() { kept->ask_also(other); }
  found_items ask(std::string query, std::int64_t at = 0) {
    search_question asked;
    asked.query = std::move(query);
    asked.from_afar = true;
    asked.at = at;
    return kept->search(by(), asked).value();
  }
  std::shared_ptr<scripted> other = std::make_shared<scripted>();
};

}  // namespace

TEST_CASE_FIXTURE(afar_world, "recall from afar: what it alone names is told, and said to be its") {
  const auto here = note("The axolotl is called Axel"), there = note("He eats worms on Sundays");
  other->answer.ids = {there.memory_id, here.memory_id};
  const auto found = ask("axolotl");
  REQUIRE(found.items.size() == 2);
  CHECK(found.items[0].what.memory_id == here.memory_id);  // both found it
  CHECK_FALSE(found.items[0].from_afar);
  CHECK(found.items[1].what.text == there.text);
  CHECK(found.items[1].from_afar);
  CHECK_FALSE(found.degraded);
  CHECK(other->tenant == "t");
  CHECK(kept->recall(question("axolotl")).value().items.size() == 2);
}

TEST_CASE_FIXTURE(afar_world,
                  "recall from afar: nothing is told that is not known here or filtered") {
  const auto gone = note("forgotten"), theirs = note("of others", by("ada", "other"));
  const auto tagged = note("no tag");
  REQUIRE(kept->forget(by(), gone.memory_id, {}));
  other->answer.ids = {gone.memory_id, theirs.memory_id, "never was", "t\nx", tagged.memory_id};
  auto found = ask("anything");
  REQUIRE(found.items.size() == 1);
  CHECK(found.items[0].what.memory_id == tagged.memory_id);
  search_question asked;
  asked.query = "anything";
  asked.from_afar = true;
  asked.filter.tag = "some";
  CHECK(kept->search(by(), asked).value().items.empty());
  say("s", "m", "held already");
  settle();
  other->answer.ids = {"m-m"};
  asked.filter.tag.clear();
  asked.held_message_ids = strings{"m"};
  CHECK(kept->search(by(), asked).value().items.empty());
}

TEST_CASE_FIXTURE(afar_world,
                  "recall from afar: one that is away degrades, and as of is asked of none") {
  const auto here = note("The axolotl is called Axel");
  other->answer.why = "SomaBrain is away";
  const auto found = ask("axolotl");
  CHECK(found.items.size() == 1);
  CHECK(found.degraded);
  CHECK(found.why == "SomaBrain is away");
  CHECK_FALSE(ask("axolotl", found.as_of).degraded);
  CHECK(other->asked == 1);
  search_question plain;
  plain.query = "axolotl";
  CHECK_FALSE(kept->search(by(), plain).value().degraded);
  kept->ask_also({});
  CHECK_FALSE(ask("axolotl").degraded);
  CHECK(other->asked == 1);
}
