#include "memory/memories.hpp"

#include <atomic>
#include <map>
#include <set>

#include "core/codes.hpp"
#include "memory/memory_world.hpp"
#include "support/held_log.hpp"

using namespace soma;
using namespace soma::memory;
using namespace soma::memory::testing;

TEST_CASE_FIXTURE(world, "memories: a note is found by its words at once, by its tenant alone") {
  const auto saved = note("The office is in Zürich, near the lake");
  note("The key is under the mat");
  note("The office key of another tenant", by("ada", "other"));
  CHECK(found("ZURICH office") == strings{saved.text});
  CHECK(found("Where is the key?") == strings{"The key is under the mat", saved.text});
  CHECK(found("nothing of that").empty());
  CHECK(found("office", by("eve", "nobody")).empty());
  CHECK(kept->find(by(), saved.memory_id).value() == saved);
  CHECK(kept->find(by("ada", "other"), saved.memory_id).error().code == codes::memory_not_found);
}

TEST_CASE_FIXTURE(world, "memories: a message is found in another script, and by parts of words") {
  say("s1", "g1", "我的女儿叫艾达。");
  say("s1", "g2", "ลูกสาวของฉันชื่อเอดา");
  say("s1", "g3", "Mein Hausschlüssel liegt beim Nachbarn");
  settle();
  CHECK(found("女儿叫什么名字") == strings{"我的女儿叫艾达。"});
  CHECK(found("ลูกสาวชื่ออะไร") == strings{"ลูกสาวของฉันชื่อเอดา"});
  CHECK(found("Schlüssel") == strings{"Mein Hausschlüssel liegt beim Nachbarn"});
}

TEST_CASE_FIXTURE(world, "memories: what an owner has noted already is kept once") {
  const auto first = note("My daughter is Ada.");
  new_note again;
  again.text = "my  daughter is ADA";
  const auto same = kept->save(by(), again);
  REQUIRE(same);
  CHECK(same->again);
  CHECK(same->what.memory_id == first.memory_id);
  CHECK(note("my daughter is ada", by("eve")).memory_id != first.memory_id);
  // Changed or forgotten, it may be noted anew.
  item_change other;
  other.text = "My daughter is Eva.";
  REQUIRE(kept->change(by(), first.memory_id, other, {}));
  const auto anew = note("My daughter is Ada.");
  CHECK(anew.memory_id != first.memory_id);
  REQUIRE(kept->forget(by(), anew.memory_id, {}));
  CHECK(note("My daughter is Ada.").memory_id != anew.memory_id);
}

TEST_CASE_FIXTURE(world, "memories: what two notes say is still known of one when the other goes") {
  const auto one = note("alpha"), two = note("beta"), three = note("gamma");
  const auto hers = note("alpha", by("eve"));
  item_change same, other;
  same.text = "Alpha!";
  other.text = "delta";
  REQUIRE(kept->change(by(), two.memory_id, same, {}));
  REQUIRE(kept->change(by(), three.memory_id, same, {}));
  REQUIRE(kept->change(by(), two.memory_id, other, {}));
  CHECK(note("alpha").memory_id == one.memory_id);
  REQUIRE(kept->forget(by(), three.memory_id, {}));
  CHECK(note("alpha").memory_id == one.memory_id);
  CHECK(note("delta").memory_id == two.memory_id);
  // Whoever changes it, it is its owner's.
  auto admin = by("eve");
  admin.sees_all = true;
  REQUIRE(kept->change(admin, one.memory_id, other, {}));
  CHECK(note("alpha", by("eve")).memory_id == hers.memory_id);
  CHECK(note("alpha").memory_id != one.memory_id);
}

TEST_CASE_FIXTURE(world, "memories: a change is seen at once, and only from what it was made of") {
  const auto saved = note("The code is 1234");
  item_change what;
  what.text = "The code is 9876";
  what.pinned = true;
  what.tags = strings{"door"};
  const auto changed_item = kept->change(by(), saved.memory_id, what, etag_of(saved));
  REQUIRE(changed_item);
  CHECK(changed_item->pinned);
  CHECK(changed_item->updated_at_ms > saved.updated_at_ms);
  CHECK(kept->change(by(), saved.memory_id, what, etag_of(saved)).error().code ==
        codes::memory_changed);
  CHECK(kept->forget(by(), saved.memory_id, etag_of(saved)).error().code == codes::memory_changed);
  CHECK(found("1234").empty());
  CHECK(found("9876").size() == 1);
  REQUIRE(kept->forget(by(), saved.memory_id, etag_of(*changed_item)));
  CHECK(found("9876").empty());
  CHECK(kept->find(by(), saved.memory_id).error().code == codes::memory_not_found);
  CHECK(kept->forget(by(), saved.memory_id, {}).error().code == codes::memory_not_found);
}

TEST_CASE_FIXTURE(world, "memories: what another node changes meanwhile is not undone") {
  const auto saved = note("The code is 1234");
  storage::held_log between(*log);
  memories mine(between, *index, limits, [this] { return ++now; });
  const auto theirs = [&](std::optional<std::string> text, bool pinned = false) {
    item_change what;
    what.text = std::move(text);
    if (pinned) what.pinned = true;
    return [this, id = saved.memory_id, what] { REQUIRE(kept->change(by(), id, what, {})); };
  };
  // Both stand, whoever was first.
  item_change tags;
  tags.tags = strings{"door"};
  between.before_rows(theirs("The code is 9876", true));
  const auto both = mine.change(by(), saved.memory_id, tags, {});
  REQUIRE(both);
  CHECK(both->text == "The code is 9876");
  CHECK(both->pinned);
  CHECK(both->tags == strings{"door"});
  CHECK(kept->find(by(), saved.memory_id).value() == *both);
  // Who said what he made his of is refused.
  tags.tags = strings{"gate"};
  between.before_rows(theirs("The code is 5555"));
  CHECK(mine.change(by(), saved.memory_id, tags, etag_of(*both)).error().code ==
        codes::memory_changed);
  const auto last = kept->find(by(), saved.memory_id).value();
  CHECK(last.text == "The code is 5555");
  between.before_rows(theirs("The code is 6666"));
  CHECK(mine.forget(by(), saved.memory_id, etag_of(last)).error().code == codes::memory_changed);
  CHECK(kept->find(by(), saved.memory_id).value().text == "The code is 6666");
  // One that was forgotten meanwhile does not come back.
  between.before_rows([&] { REQUIRE(kept->forget(by(), saved.memory_id, {})); });
  CHECK(mine.change(by(), saved.memory_id, tags, {}).error().code == codes::memory_not_found);
  CHECK(kept->find(by(), saved.memory_id).error().code == codes::memory_not_found);
  // Nor is a state that was set of what was before.
  const auto other = note("A second");
  between.before_rows([&] {
    item_change what;
    what.text = "A second one";
    REQUIRE(kept->change(by(), other.memory_id, what, {}));
  });
  const std::vector<memories::new_state> told{{std::string(no_session), other.memory_id, 0}};
  REQUIRE(mine.set_states(by().tenant, told, "replicated"));
  CHECK(kept->find(by(), other.memory_id).value().text == "A second one");
}

TEST_CASE("memories: a tenant keeps so many notes and no more, but all that is said") {
  auto few = world::patient();
  few.items_max = 2;
  world w(few);
  w.note("one");
  w.note("two");
  new_note third;
  third.text = "three";
  CHECK(w.kept->save(w.by(), third).error().code == codes::quota_exceeded);
  CHECK(w.kept->save(w.by("ada", "other"), third));
  w.say("s1", "g1", "said all the same");
  w.settle();
  CHECK(w.found("said").size() == 1);
  third.text = "TWO";
  CHECK(w.kept->save(w.by(), third)->again);
}

TEST_CASE("memories: a tenant keeps so many bytes of notes and no more, but all that is said") {
  auto few = world::patient();
  few.bytes_max = 10;
  world w(few);
  const auto one = w.note("one two");
  new_note more;
  more.text = "four";
  const auto refused = w.kept->save(w.by(), more);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == codes::quota_exceeded);
  CHECK(refused.error().detail.find("memory.bytes_max") != std::string::npos);
  CHECK(w.kept->save(w.by("ada", "other"), more));
  w.say("s1", "g1", "said all the same");
  w.settle();
  auto told = w.kept->status(tenant_id("t")).value();
  CHECK(told.bytes == 7 + 17);
  CHECK(told.bytes_max == 10);
  CHECK(told.items_max == few.items_max);
  // Nor does a note grow past it; what it does beside that is let.
  item_change longer, other;
  longer.text = "one two three";
  other.text = "one";
  other.pinned = true;
  CHECK(w.kept->change(w.by(), one.memory_id, longer, {}).error().code == codes::quota_exceeded);
  CHECK(w.kept->change(w.by(), one.memory_id, other, {}));
  w.delete_session("s1");
  w.settle();
  CHECK(w.kept->save(w.by(), more));
  w.settle();
  CHECK(w.kept->status(tenant_id("t"))->bytes == 7);
  REQUIRE(w.kept->forget(w.by(), one.memory_id, {}));
  w.settle();
  CHECK(w.kept->status(tenant_id("t"))->bytes == 4);
}

TEST_CASE_FIXTURE(world, "memories: notes of one millisecond are listed newest first") {
  constexpr int count = 200;
  kept = std::make_unique<memories>(
      *log, *index, limits, [] { return std::int64_t{1'700'000'000'000}; }, nullptr);
  strings made;
  for (int i = 0; i < count; ++i) made.insert(made.begin(), note("n" + std::to_string(i)).text);
  settle();
  strings listed;
  std::string cursor;
  do {
    const auto page = kept->list(by(), {}, cursor, 7).value();
    for (const auto& it : page.items) listed.push_back(it.text);
    cursor = page.next_cursor;
  } while (!cursor.empty());
  CHECK(listed == made);
}

TEST_CASE_FIXTURE(world, "memories: the answer for a key is kept with the note, once") {
  new_note wanted;
  wanted.text = "The key is under the mat";
  const auto as = [&](std::string key) {
    return [key, this](const saved_note& saved) {
      return storage::idempotency_record{
          key, "hash", saved.again ? 200 : 201, saved.what.memory_id, now, 1'000'000};
    };
  };
  const auto made = kept->save(by(), wanted, as("first"));
  REQUIRE(made);
  CHECK(log->find_idempotency("first").value()->response_json == made->what.memory_id);
  const auto again = kept->save(by(), wanted, as("second"));
  REQUIRE(again);
  CHECK(again->again);
  CHECK(log->find_idempotency("second").value()->status == 200);
  wanted.text = "Another";
  CHECK(kept->save(by(), wanted, as("first")).error().code == codes::idempotency_exists);
  settle();
  CHECK(found("Another").empty());
}

TEST_CASE("memories: a note waits for the index only where it may be one too many") {
  auto few = world::patient();
  few.items_max = 4;
  few.catch_up_ms = 3'600'000;  // whoever waits for the index here, waits for ever
  world w(few);
  w.note("one");
  w.settle();
  w.hold.lock();  // from its next change on the index stands still
  w.note("two");
  w.note("three");
  CHECK(w.kept->find(w.by(), w.note("ONE").memory_id));
  w.hold.unlock();
  w.note("four");
  new_note more;
  more.text = "five";
  CHECK(w.kept->save(w.by(), more).error().code == codes::quota_exceeded);
}

TEST_CASE_FIXTURE(world, "memories: the list is by time, filtered, a page at a time") {
  for (int i = 0; i < 5; ++i) note("note " + std::to_string(i));
  say("s1", "g1", "a message");
  settle();
  item_filter all;
  strings texts;
  std::string cursor;
  do {
    const auto page = kept->list(by(), all, cursor, 2);
    REQUIRE(page);
    for (const auto& it : page->items) texts.push_back(it.text);
    cursor = page->next_cursor;
  } while (!cursor.empty());
  CHECK(texts == strings{"a message", "note 4", "note 3", "note 2", "note 1", "note 0"});
  item_filter messages;
  messages.kinds = {"message"};
  CHECK(kept->list(by(), messages, {}, 10)->items.size() == 1);
  item_filter of_session;
  of_session.session_id = "s1";
  CHECK(kept->list(by(), of_session, {}, 10)->items.size() == 1);
  CHECK(kept->list(by("ada", "other"), all, {}, 10)->items.empty());
  for (const char* bad : {"x", ".", "5.", "99999999999999999.x", "-1.x"})
    CHECK(kept->list(by(), all, bad, 10).error().parameter == "cursor");
}

TEST_CASE_FIXTURE(world, "recall: leaves out what is held, repeats nothing, lets others speak") {
  say("s1", "g1", "My daughter is called Ada");
  for (int i = 2; i < 12; ++i)
    say("s1", "g" + std::to_string(i), "daughter number " + std::to_string(i));
  say("s2", "h1", "my DAUGHTER is called ada!");
  say("s3", "k1", "The daughter of my neighbour plays chess every single Tuesday");
  say("s4", "q1", "what is my daughter called?");
  settle();
  auto q = question("what is my daughter called?");
  q.held_message_ids = {"q1"};
  q.items_max = 5;
  const auto answer = kept->recall(q);
  REQUIRE(answer);
  CHECK_FALSE(answer->degraded);
  CHECK(answer->as_of > 0);
  REQUIRE(answer->items.size() == 5);
  std::size_t of_s1 = 0, of_s3 = 0;
  for (const auto& one : answer->items) {
    CHECK(one.message_id != "q1");
    of_s1 += one.session_id == "s1";
    of_s3 += one.session_id == "s3";
  }
  CHECK(of_s1 <= 4);
  CHECK(of_s3 == 1);
  CHECK(answer->items[0].text.find("called") != std::string::npos);
  CHECK((answer->items[0].text.find("ada") != std::string::npos ||
         answer->items[0].text.find("Ada") != std::string::npos));
}

TEST_CASE_FIXTURE(world, "recall: cut to bytes, and a long text leaves room for others") {
  say("s1", "g1", std::string(20'000, 'x') + " daughter " + std::string(20'000, 'y'));
  say("s2", "g2", "the daughter is Ada");
  settle();
  auto q = question("daughter");
  q.bytes_max = 1000;
  const auto answer = kept->recall(q);
  REQUIRE(answer);
  CHECK(answer->items.size() == 2);
  std::size_t bytes = 0;
  for (const auto& one : answer->items) bytes += one.text.size();
  CHECK(bytes <= 1000);
}

TEST_CASE_FIXTURE(world, "search: as of a change it stays what it was, whatever comes later") {
  for (int i = 0; i < 20; ++i)
    say("s" + std::to_string(i), "g" + std::to_string(i),
        "the daughter " + std::string(static_cast<std::size_t>(i % 7), 'x') + " plays");
  settle();
  search_question asked;
  asked.query = "daughter plays xxx";
  const auto before = kept->search(by(), asked);
  REQUIRE(before);
  asked.at = before->as_of;
  for (int i = 0; i < 50; ++i)
    say("t" + std::to_string(i), "h" + std::to_string(i), "daughter xxx plays xxx");
  settle();
  const auto after = kept->search(by(), asked);
  REQUIRE(after);
  CHECK(after->as_of == before->as_of);
  REQUIRE(after->items.size() == before->items.size());
  for (std::size_t i = 0; i < after->items.size(); ++i) {
    CHECK(after->items[i].what == before->items[i].what);
    CHECK(after->items[i].score == before->items[i].score);
  }
  // What is deleted is in no answer, as of whenever.
  REQUIRE(kept->forget(by(), after->items[0].what.memory_id, {}));
  CHECK(kept->search(by(), asked)->items[0].what != after->items[0].what);
}

TEST_CASE_FIXTURE(world, "memories: a session's go with it, and no other's") {
  say("s1", "g1", "of the first session");
  say("s11", "g2", "of the other session");
  const auto noted = note("noted in the first session", by(), "s1");
  settle();
  delete_session("s1");
  settle();
  CHECK(found("session") == strings{"of the other session"});
  CHECK(kept->find(by(), noted.memory_id).error().code == codes::memory_not_found);
  CHECK(kept->find(by(), "m-g1").error().code == codes::memory_not_found);
  CHECK_FALSE(log->get_document("memory.ids", "t\nm-g1").value());
  CHECK(kept->status(tenant_id("t"))->stored == 1);
}

TEST_CASE_FIXTURE(world, "memories: a memory that went with its session does not come back") {
  const auto noted = note("noted in the session", by(), "s1");
  storage::append_op op;
  op.key = {tenant_id("t"), session_id("s1")};
  op.events.push_back({1, event_type::app_event, "{}"});
  REQUIRE(log->commit(std::span(&op, 1)).front());
  seqs["s1"] = 1;
  delete_session("s1");
  item_change pin;
  pin.pinned = true;
  CHECK(kept->change(by(), noted.memory_id, pin, {}).error().code == codes::memory_not_found);
}

TEST_CASE("memories: notes of the version before are items") {
  world w;
  w.stop();
  REQUIRE(w.log->put_document("memory", "t\n0001", "The office is in Zurich"));
  REQUIRE(w.log->put_document("memory", "other\n0002", "Elsewhere"));
  CHECK(take_over_notes(*w.log, 5).value() == 2);
  CHECK(take_over_notes(*w.log, 6).value() == 0);
  CHECK_FALSE(w.log->get_document("memory", "t\n0001").value());
  w.start();
  // Nobody wrote down whose they are.
  CHECK(w.found("office").empty());
  auto admin = w.by("root");
  admin.sees_all = true;
  CHECK(w.found("office", admin) == strings{"The office is in Zurich"});
  CHECK(w.kept->find(admin, "0001")->kind == "note");
}

namespace {

// Who sees which session; of what is not named there is none.
class made_sight final : public session_sight {
 public:
  std::optional<bool> sees(const tenant_id& tenant, std::string_view user,
                           std::string_view session) const override {
    ++asked;
    if (tenant.value != "t") return std::nullopt;
    const auto at = open_to.find(std::string(session));
    if (at == open_to.end()) return std::nullopt;
    return at->second.count(std::string(user)) > 0;
  }
  std::map<std::string, std::set<std::string>> open_to;
  mutable std::atomic<int> asked = 0;
};

struct shared_world : world {
  shared_world() {
    stop();
    auto made = std::make_unique<made_sight>();
    sight = made.get();
    sessions = std::move(made);
    start();
    sight->open_to = {{"mine", {"ada"}}, {"ours", {"ada", "eve"}}};
    say("mine", "m1", "a secret harbour");
    say("ours", "m2", "a common harbour");
    say("gone", "m3", "a harbour of before");
    note("a noted harbour");
    settle();
  }
  std::set<std::string> seen_by(const viewer& who) {
    std::set<std::string> out;
    for (auto& text : found("harbour", who)) out.insert(std::move(text));
    std::set<std::string> listed;
    for (auto& it : kept->list(who, {}, {}, 100).value().items) listed.insert(it.text);
    CHECK(listed == out);
    return out;
  }
  made_sight* sight = nullptr;
};

}  // namespace

TEST_CASE_FIXTURE(shared_world, "memories: what is of a session is for those who see it") {
  const std::set<std::string> all{"a secret harbour", "a common harbour", "a harbour of before",
                                  "a noted harbour"};
  CHECK(seen_by(by("ada")) == all);
  CHECK(seen_by(by("eve")) == std::set<std::string>{"a common harbour"});
  CHECK(seen_by(by("bob")).empty());
  CHECK(seen_by(by("")).empty());
  auto admin = by("root");
  admin.sees_all = true;
  CHECK(seen_by(admin) == all);
  // By its id, too, and to change or forget it.
  CHECK(kept->find(by("eve"), "m-m2"));
  CHECK(kept->find(by("eve"), "m-m1").error().code == codes::memory_not_found);
  CHECK(kept->forget(by("eve"), "m-m1", {}).error().code == codes::memory_not_found);
  CHECK(kept->change(by("eve"), "m-m3", {}, {}).error().code == codes::memory_not_found);
  // What she sees and is another's she only reads.
  CHECK(kept->forget(by("eve"), "m-m2", {}).error().code == codes::policy_denied);
  CHECK(kept->change(by("eve"), "m-m2", {}, {}).error().code == codes::policy_denied);
  CHECK(kept->change(by("ada"), "m-m2", {}, {}));
  auto recalled = question("harbour");
  recalled.user = user_id("eve");
  const auto told = kept->recall(recalled).value();
  REQUIRE(told.items.size() == 1);
  CHECK(told.items[0].text == "a common harbour");
  // No more from the moment on in which it is not shared.
  sight->open_to["ours"] = {"ada"};
  CHECK(seen_by(by("eve")).empty());
}

TEST_CASE_FIXTURE(shared_world,
                  "memories: few that may be seen are found among many that may not") {
  for (int n = 0; n < 300; ++n) say("mine", "x" + std::to_string(n), "harbour harbour harbour");
  settle();
  sight->asked = 0;
  CHECK(found("harbour", by("eve")) == strings{"a common harbour"});
  CHECK(sight->asked < 20);  // once a session and question, not once an item
}
