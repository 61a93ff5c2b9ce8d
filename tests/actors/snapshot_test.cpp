// Sessions that come back by a snapshot, and what keeps one from being taken or believed.
#include "actor_world.hpp"
#include "core/session_snapshot.hpp"
#include "support/held_log.hpp"

using namespace soma;
using namespace soma::testing;

namespace {

// Says from where a fold read a log, and refuses appends with a snapshot when told so.
class watched_log final : public storage::held_log {
 public:
  explicit watched_log(storage::event_log& inner) : held_log(inner), inner_(inner) {}

  result<storage::event_page> read(const session_key& key,
                                   const storage::read_options& o) const override {
    if (o.types == folded_types()) folded_from = o.after_seq;
    return inner_.read(key, o);
  }
  std::vector<result<std::uint64_t>> commit(std::span<const storage::append_op> ops) override {
    for (const auto& op : ops)
      if (op.snapshot && refuse_snapshots) {
        ++refused;
        return std::vector<result<std::uint64_t>>(
            ops.size(), result<std::uint64_t>(error(codes::storage_full, "full")));
      }
    return inner_.commit(ops);
  }

  mutable std::atomic<std::uint64_t> folded_from{0};
  std::atomic<bool> refuse_snapshots{false};
  std::atomic<int> refused{0};

 private:
  storage::event_log& inner_;
};

struct store {
  std::unique_ptr<storage::event_log> inner = storage::make_memory_event_log();
  std::shared_ptr<watched_log> log = std::make_shared<watched_log>(*inner);

  // A session whose first turn is over, and so many events behind it.
  void fill(const std::string& session, std::uint64_t events,
            std::optional<std::string> snapshot = {}) {
    storage::append_op op;
    op.key = actor_world::key(session);
    op.info = storage::session_info{};
    const auto add = [&](event_body b) {
      event e;
      e.meta.id = {inner->epoch(), op.events.size() + 1};
      e.meta.key = op.key;
      e.body = std::move(b);
      apply(state, e);
      op.events.push_back({e.meta.id.seq, e.type(), encode(e)});
    };
    state = session_state{};
    state.key = op.key;
    state.turns_bytes_max = kept_turns_bytes_max;
    state.epoch = inner->epoch();
    add(body::session_open{});
    add(body::message_user{"first", "first", "the first question", {}});
    body::llm_request asked;
    asked.turn_id = "first";
    asked.message_id = "the-answer";
    asked.invocation_id = "call";
    add(asked);
    add(body::message_assistant{"the-answer", "first", "the first answer", {}, {}, true});
    body::llm_complete complete;
    complete.invocation_id = "call";
    add(complete);
    while (op.events.size() < events) add(body::app_event{"x", "{}"});
    op.compact_seq = state.compact_seq;
    op.snapshot = std::move(snapshot);
    REQUIRE(inner->commit({&op, 1}).front());
  }
  bool has_snapshot(const std::string& session) const {
    return inner->snapshot(actor_world::key(session)).value().has_value();
  }

  session_state state;  // of what was filled last
};

// What the model is told of what was said before.
std::string told(const model_call& call) {
  std::string all;
  for (const auto& message : call.asked.messages) all += message.text + "\n";
  return all;
}

constexpr const char* all_of_it = "the first question\nthe first answer\nhello\n";

world_options at_once() {
  world_options options;
  options.limits.session_idle_s = 0;
  return options;
}

void speak(actor_world& world, const std::string& session) {
  REQUIRE(world.say(session, "hello"));
  const auto call = world.models.next();
  CHECK(told(*call).find(all_of_it) != std::string::npos);
  finish(*call, "good day");
}

}  // namespace

TEST_CASE("snapshot: a long session that leaves memory comes back by one, and says the same") {
  store s;
  s.fill("a", 600);
  actor_world world(s.log, at_once());
  speak(world, "a");
  REQUIRE(actor_world::becomes([&] { return world.probe.ended == 1; }));
  CHECK(s.log->folded_from == 0);
  REQUIRE(s.has_snapshot("a"));
  const auto head = s.inner->head(actor_world::key("a"))->seq;
  REQUIRE(world.say("a", "and now?"));
  const auto call = world.models.next();
  CHECK(s.log->folded_from == head);
  CHECK(told(*call).find(std::string(all_of_it) + "good day\nand now?") != std::string::npos);
  finish(*call, "fine");
}

TEST_CASE("snapshot: a session that stays has one taken while no model speaks, and goes on by it") {
  store s;
  s.fill("a", 1100);
  {
    actor_world world(s.log);
    REQUIRE(world.say("a", "hello"));
    const auto call = world.models.next();
    world.wait_for_type("a", event_type::llm_request, 2);
    // One whose queue is never empty is between calls only where the next has been asked already.
    const auto bytes = s.inner->snapshot(actor_world::key("a")).value();
    REQUIRE(bytes);
    const auto state = decode_snapshot(*bytes, kept_turns_bytes_max).value();
    CHECK(state.seq == s.inner->head(actor_world::key("a"))->seq);
    REQUIRE(state.call);
    CHECK(state.call->text.empty());
  }
  const auto head = s.inner->head(actor_world::key("a"))->seq;
  actor_world world(s.log);
  world.recover();
  const auto call = world.models.next();  // the same turn, asked again
  CHECK(s.log->folded_from == head);
  CHECK(told(*call).find(all_of_it) != std::string::npos);
  finish(*call, "good day");
  world.wait_for_type("a", event_type::message_assistant, 2);
  REQUIRE(world.command("a", input::reset{}));
  CHECK_FALSE(s.has_snapshot("a"));
}

TEST_CASE("snapshot: a short session has none, whatever it does") {
  store s;
  actor_world world(s.log, at_once());
  for (std::size_t n = 1; n <= 5; ++n) {
    REQUIRE(world.say("a", "hello"));
    finish(*world.models.next(), "good day");
    REQUIRE(actor_world::becomes([&] { return world.probe.ended == n; }));
  }
  CHECK_FALSE(s.has_snapshot("a"));
}

TEST_CASE("snapshot: one that cannot be kept keeps no session from leaving") {
  store s;
  s.fill("a", 600);
  s.log->refuse_snapshots = true;
  actor_world world(s.log, at_once());
  speak(world, "a");
  REQUIRE(actor_world::becomes([&] { return world.probe.ended == 1; }));
  CHECK(s.log->refused == 1);
  CHECK_FALSE(s.has_snapshot("a"));
  REQUIRE(world.say("a", "and now?"));
  finish(*world.models.next(), "fine");
  world.wait_for_type("a", event_type::llm_complete, 3);
}

TEST_CASE("snapshot: one that is damaged, or not of this log, costs nothing but time") {
  store s;
  s.fill("a", 20);
  auto bytes = encode_snapshot(s.state);
  SUBCASE("good") {}
  SUBCASE("damaged") {
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
  }
  SUBCASE("of no version that is known") {
    bytes[0] = '\xff';
  }
  SUBCASE("empty") {
    bytes.clear();
  }
  SUBCASE("ahead of the log") {
    auto ahead = s.state;
    ahead.seq = 21;
    ahead.turns.clear();
    bytes = encode_snapshot(ahead);
  }
  SUBCASE("of a log that went on otherwise") {
    auto other = s.state;
    other.epoch = 0;
    other.turns.clear();
    bytes = encode_snapshot(other);
  }
  const bool good = bytes == encode_snapshot(s.state);
  s.fill("b", 20, bytes);
  actor_world world(s.log);
  s.log->folded_from = 99;
  speak(world, "b");
  CHECK(s.log->folded_from == (good ? 20 : 0));
}
