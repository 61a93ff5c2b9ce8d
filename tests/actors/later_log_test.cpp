// Sessions over a log that answers later, as over Kafka: one whose answers do not come keeps nobody
// else waiting; what another claim left is no fault of a session's; at the end everybody is told.
#include <caf/send.hpp>

#include "actor_world.hpp"
#include "actors/event_writer.hpp"
#include "storage/event_log_contract.hpp"
#include "support/forwarding_log.hpp"

using namespace soma;
using namespace soma::testing;

namespace {

// True at once, but for one session, whose appends wait until they are let go.
class later_log final : public forwarding_log<storage::event_log> {
 public:
  explicit later_log(std::shared_ptr<storage::event_log> inner)
      : forwarding_log(*inner), held_(std::move(inner)) {}

  bool answers_later() const override { return true; }
  void on_applied(storage::session_log::applied told) override {
    const std::lock_guard lock(mutex_);
    told_ = std::move(told);
  }
  void submit(std::vector<storage::append_op> ops, storage::session_log::committed done) override {
    bool waits = false;
    {
      const std::lock_guard lock(mutex_);
      ++batches_;
      for (const auto& op : ops) waits = waits || op.key.session.value == stuck_;
      if (waits) left_.emplace_back(std::move(ops), std::move(done));
    }
    if (!waits) write(ops, done);
  }
  void hold(const std::string& session) {
    const std::lock_guard lock(mutex_);
    stuck_ = session;
  }
  std::size_t waiting() const {
    const std::lock_guard lock(mutex_);
    return left_.size();
  }
  void let_go() {
    std::vector<batch> all;
    {
      const std::lock_guard lock(mutex_);
      stuck_.clear();
      all.swap(left_);
    }
    for (auto& [ops, done] : all) write(ops, done);
  }
  std::uint32_t epoch_of(const session_key& key) const override {
    if (nobodys) return 0;
    if (const auto other = other_epochs.load(); other > 0) {
      other_epochs = other - 1;
      return 1'000'000 + other;
    }
    return inner_.epoch_of(key);
  }

  mutable std::atomic<std::uint32_t> other_epochs = 0;  // so many questions are answered otherwise
  std::atomic<bool> nobodys = false;
  std::atomic<int> moved_on = 0;  // so many appends find another head

 private:
  using batch = std::pair<std::vector<storage::append_op>, storage::session_log::committed>;

  void write(const std::vector<storage::append_op>& ops,
             const storage::session_log::committed& done) {
    if (moved_on > 0) {
      --moved_on;
      return done(std::vector<result<std::uint64_t>>(
          ops.size(), result<std::uint64_t>(error(codes::session_head_mismatch, "moved on"))));
    }
    auto results = inner_.commit(ops);
    {
      const std::lock_guard lock(mutex_);
      for (std::size_t n = 0; n < ops.size(); ++n)
        if (results[n] && told_)
          told_(ops[n], {inner_.epoch(), ops[n].expected_seq + ops[n].events.size()});
    }
    done(std::move(results));
  }

  const std::shared_ptr<storage::event_log> held_;
  mutable std::mutex mutex_;
  storage::session_log::applied told_;
  std::string stuck_;
  std::vector<batch> left_;
  std::size_t batches_ = 0;
};

std::shared_ptr<later_log> some_log() {
  return std::make_shared<later_log>(std::shared_ptr(storage::make_memory_event_log()));
}

actors::append_request append(actor_world& world, const std::string& session, std::uint64_t seq) {
  return actors::append_of(world.node(),
                           storage::testing::append_of(actor_world::key(session), seq - 1));
}

}  // namespace

TEST_CASE("later log: a session whose appends are not answered holds no other back") {
  const auto log = some_log();
  actor_world world(log);
  log->hold("stuck");
  caf::scoped_actor self(world.runtime().system());
  const auto& writer = world.node().writer;
  auto first = self->request(writer, caf::infinite, append(world, "stuck", 1));
  CHECK(actor_world::becomes([&] { return log->waiting() > 0; }));
  // More than may be on their way of one session.
  for (std::uint64_t n = 1; n <= 2000; ++n) caf::anon_send(writer, append(world, "stuck", n + 1));
  for (std::uint64_t n = 1; n <= 3; ++n) {
    std::uint64_t head = 0;
    self->request(writer, std::chrono::seconds(10), append(world, "other", n))
        .receive([&](actors::append_outcome& done) { head = done.head.value(); },
                 [](const caf::error& e) { FAIL(caf::to_string(e)); });
    CHECK(head == n);
  }
  CHECK(log->waiting() <= 4);
  REQUIRE(world.say("third", "hello"));
  finish(*world.models.next(), "yes");
  world.wait_for_type("third", event_type::llm_complete);
  log->let_go();
  std::uint64_t head = 0;
  first.receive([&](actors::append_outcome& done) { head = done.head.value(); },
                [](const caf::error& e) { FAIL(caf::to_string(e)); });
  CHECK(head == 1);
  CHECK(actor_world::becomes([&] { return log->head(actor_world::key("stuck"))->seq == 2001; }));
}

TEST_CASE("later log: a job waits for what its session asked for before, and for no other") {
  const auto log = some_log();
  actor_world world(log);
  log->hold("stuck");
  const auto& writer = world.node().writer;
  caf::anon_send(writer, append(world, "stuck", 1));
  CHECK(actor_world::becomes([&] { return log->waiting() > 0; }));
  std::atomic<std::uint64_t> seen = 0;
  std::atomic<bool> other = false;
  actors::storage_job behind, beside;
  behind.of = actor_world::key("stuck");
  behind.run = [&](storage::event_log& of) -> result<void> {
    seen = of.head(actor_world::key("stuck"))->seq;
    return {};
  };
  beside.of = actor_world::key("other");
  beside.run = [&](storage::event_log&) -> result<void> {
    other = true;
    return {};
  };
  caf::anon_send(writer, std::move(behind));
  caf::anon_send(writer, std::move(beside));
  CHECK(actor_world::becomes([&] { return other.load(); }));
  CHECK(seen == 0);
  log->let_go();
  CHECK(actor_world::becomes([&] { return seen == 1; }));
}

TEST_CASE("later log: whoever still waits at the end is told that nobody answers") {
  const auto log = some_log();
  std::optional<actors::append_outcome> told;
  {
    actor_world world(log);
    caf::scoped_actor self(world.runtime().system());
    log->hold("stuck");
    auto waits =
        self->request(world.node().writer, std::chrono::seconds(20), append(world, "stuck", 1));
    CHECK(actor_world::becomes([&] { return log->waiting() > 0; }));
    world.broken = true;  // not in time
    CHECK_FALSE(world.runtime().stop(std::chrono::milliseconds(100)));
    waits.receive([&](actors::append_outcome& done) { told = std::move(done); },
                  [](const caf::error& e) { FAIL(caf::to_string(e)); });
  }
  REQUIRE(told);
  CHECK(told->head.error().code == codes::storage_unavailable);
  log->let_go();
}

TEST_CASE("later log: a claim in the middle of a start begins it again, blaming nobody") {
  const auto log = some_log();
  actor_world world(log);
  REQUIRE(world.say("a", "hello"));
  finish(*world.models.next(), "yes");
  world.wait_for_type("a", event_type::llm_complete);
  world.stop();
  actor_world again(log);
  log->other_epochs = 2;  // the tenant's question, and the session's first
  (void)again.say("a", "again");
  CHECK(actor_world::becomes([&] { return again.probe.started >= 2; }));
  // Twenty failures would have it quarantined many times over.
  for (int n = 0; n < 20; ++n) {
    log->other_epochs = 2;
    (void)again.say("a", "again");
  }
  log->other_epochs = 0;
  CHECK(actor_world::becomes([&] { return bool(again.say("a", "at last")); }));
  for (const auto& e : again.events("a")) CHECK(e.type() != event_type::error);
  again.broken = true;
}

TEST_CASE("later log: a head that another moved on is not the session's fault") {
  const auto log = some_log();
  actor_world world(log);
  REQUIRE(world.say("a", "hello"));
  finish(*world.models.next(), "yes");
  world.wait_for_type("a", event_type::llm_complete);
  log->moved_on = 12;
  for (int n = 0; n < 12; ++n) {
    const auto said = world.say("a", "again");
    if (!said) CHECK(said.error().code != codes::session_quarantined);
  }
  log->moved_on = 0;
  CHECK(actor_world::becomes([&] { return bool(world.say("a", "at last")); }));
}

TEST_CASE("effects: a session rests once its incarnation and its calls are gone") {
  const auto log = some_log();
  actor_world world(log);
  const auto all = [](const session_key&) { return true; };
  const auto of = [](const std::string& name) {
    return [name](const session_key& key) { return key.session.value == name; };
  };
  CHECK(world.runtime().at_rest(all));
  REQUIRE(world.say("a", "hello"));
  const auto call = world.models.next();
  CHECK_FALSE(world.runtime().at_rest(of("a")));
  CHECK(world.runtime().at_rest(of("b")));
  log->nobodys = true;
  world.runtime().ownership_changed();
  CHECK(is_cancelled(*call));
  // The provider's thread still holds what it was given.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK_FALSE(world.runtime().at_rest(of("a")));
  call->sink = {};
  CHECK(actor_world::becomes([&] { return world.runtime().at_rest(all); }));
}
