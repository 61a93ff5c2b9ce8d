// A session asks what is remembered, and what it says is remembered.
#include "actor_world.hpp"
#include "memory/item.hpp"

using namespace soma;
using namespace soma::testing;

namespace {

// Answers when the test says so.
class scripted_recaller final : public memory::recaller {
 public:
  struct asked {
    memory::recall_question question;
    std::function<void(result<memory::recall_answer>)> done;
  };
  void recall(memory::recall_question question,
              std::function<void(result<memory::recall_answer>)> done) override {
    std::lock_guard lock(mutex_);
    asked_.push_back({std::move(question), std::move(done)});
    changed_.notify_all();
  }
  asked next() {
    std::unique_lock lock(mutex_);
    REQUIRE(changed_.wait_for(lock, std::chrono::seconds(20), [&] { return !asked_.empty(); }));
    auto one = std::move(asked_.front());
    asked_.pop_front();
    return one;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<asked> asked_;
};

world_options remembering(scripted_recaller& recaller, std::uint32_t recall_ms = 20'000) {
  world_options options;
  options.model.rules.remember = options.model.rules.recall = true;
  options.model.rules.recall_ms = recall_ms;
  options.recaller = &recaller;
  return options;
}

memory::recall_answer ada() {
  memory::recall_answer answer;
  memory::recalled_item item;
  item.memory_id = format_uuid(1, 1);
  item.text = "my daughter's name is Ada";
  item.kind = "message";
  item.session_id = format_uuid(2, 2);
  answer.items.push_back(std::move(item));
  return answer;
}

std::size_t documents(const storage::event_log& log, std::string_view collection) {
  return log.list_documents(collection, "", 100)->size();
}

}  // namespace

TEST_CASE("session: a turn is told what is remembered before its model is asked") {
  scripted_recaller recaller;
  actor_world world({}, remembering(recaller));
  REQUIRE(world.command("a", input::message{"what is she called?", {}, input::open{}},
                        {"lena", "request", {}}));
  auto asked = recaller.next();
  CHECK(asked.question.key == actor_world::key("a"));
  CHECK(asked.question.user == user_id("lena"));
  CHECK(asked.question.query == "what is she called?");
  CHECK(asked.question.items_max > 0);
  CHECK(asked.question.bytes_max > 0);
  CHECK(asked.question.held_message_ids.size() == 1);
  asked.done(ada());
  const auto call = world.models.next();
  REQUIRE(call->asked.messages.size() == 2);
  CHECK(call->asked.messages[0].role == "system");
  CHECK(call->asked.messages[0].text.find("Ada") != std::string::npos);
  CHECK(last_of<body::memory_recall>(world.events("a")).items_json.find(format_uuid(2, 2)) !=
        std::string::npos);
}

TEST_CASE("session: the system's prompt and what is remembered are one message") {
  scripted_recaller recaller;
  auto options = remembering(recaller);
  options.model.rules.system_prompt = "Be brief.";
  actor_world world({}, options);
  REQUIRE(world.say("a", "hello"));
  recaller.next().done(ada());
  const auto call = world.models.next();
  REQUIRE(call->asked.messages.size() == 2);
  CHECK(call->asked.messages[0].text.starts_with("Be brief.\n\nRemembered"));
}

TEST_CASE("session: memory that is late or fails is said in the log, and the turn goes on") {
  scripted_recaller recaller;
  actor_world world({}, remembering(recaller, 1));
  REQUIRE(world.say("late", "hello"));
  const auto late = recaller.next();
  finish(*world.models.next(), "hi");
  const auto all = world.wait_for_type("late", event_type::llm_complete);
  CHECK(last_of<body::memory_recall>(all).degraded);
  CHECK(last_of<body::memory_recall>(all).reason == "memory did not answer in time");
  late.done(ada());
  REQUIRE(world.command("late", input::rename{"still here"}));
  CHECK(world.events("late").size() == all.size() + 1);

  scripted_recaller failing;
  actor_world other({}, remembering(failing));
  REQUIRE(other.say("b", "hello"));
  failing.next().done(error(codes::server_busy, "too many ask"));
  finish(*other.models.next(), "hi");
  CHECK(last_of<body::memory_recall>(other.wait_for_type("b", event_type::llm_complete)).reason ==
        "too many ask");
}

TEST_CASE("session: one that is killed while memory is asked asks again") {
  std::shared_ptr<storage::event_log> log;
  scripted_recaller before;
  {
    actor_world world({}, remembering(before));
    log = world.log();
    REQUIRE(world.say("a", "hello"));
    before.next();
  }
  scripted_recaller recaller;
  actor_world world(log, remembering(recaller));
  world.recover();
  recaller.next().done(ada());
  finish(*world.models.next(), "Ada");
  const auto all = world.wait_for_type("a", event_type::llm_complete);
  CHECK_FALSE(last_of<body::memory_recall>(all).degraded);
}

TEST_CASE("session: where nothing is remembered a turn waits for nothing") {
  world_options options;
  options.model.rules.recall = true;
  actor_world world({}, options);
  REQUIRE(world.say("a", "hello"));
  finish(*world.models.next(), "hi");
  for (const auto& e : world.wait_for_type("a", event_type::llm_complete)) {
    CHECK(e.type() != event_type::memory_recall);
    CHECK(e.type() != event_type::memory_write);
  }
}

TEST_CASE(
    "session: what is said is remembered in the atom of its event, and goes with the session") {
  scripted_recaller recaller;
  actor_world world({}, remembering(recaller));
  REQUIRE(world.say("a", "hello"));
  CHECK(documents(*world.log(), memory::item_collection) == 1);
  recaller.next().done(memory::recall_answer{});
  finish(*world.models.next(), "hi");
  world.wait_for_type("a", event_type::llm_complete);
  CHECK(documents(*world.log(), memory::item_collection) == 2);
  REQUIRE(world.command("a", input::remove{}));
  CHECK(documents(*world.log(), memory::item_collection) == 0);
}
