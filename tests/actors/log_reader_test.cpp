#include "actors/log_reader.hpp"

#include <doctest/doctest.h>

#include "actor_world.hpp"
#include "core/event.hpp"
#include "support/held_log.hpp"

using namespace soma;
using testing::actor_world;

namespace {

// Of one tenant's logs so many pieces are read as are allowed; who asks for more waits.
class stubborn_log final : public storage::held_log {
 public:
  using held_log::held_log;

  void allow(int reads) {
    const std::lock_guard lock(reads_mutex_);
    allowed_ = reads;
    changed_.notify_all();
  }
  bool in_time() const { return in_time_; }

  result<storage::event_page> read(const session_key& key,
                                   const storage::read_options& o) const override {
    std::unique_lock lock(reads_mutex_);
    if (key.tenant.value == "long") {
      const auto mine = ++reads_;
      const auto deadline = std::chrono::seconds(20);
      if (!changed_.wait_for(lock, deadline, [&] { return mine <= allowed_; })) in_time_ = false;
    }
    lock.unlock();
    return held_log::read(key, o);
  }

 private:
  mutable std::mutex reads_mutex_;
  mutable std::condition_variable changed_;
  mutable int reads_ = 0;
  mutable std::atomic<bool> in_time_{true};
  int allowed_ = 0;
};

// A session of so many messages, each a good part of a page.
void put(storage::event_log& log, const session_key& key, int messages) {
  storage::append_op op;
  op.key = key;
  op.info = storage::session_info{};
  for (int n = 0; n <= messages; ++n) {
    event e;
    e.meta.id = {log.epoch(), static_cast<std::uint64_t>(n) + 1};
    e.meta.key = key;
    const auto id = std::to_string(n);
    if (n == 0)
      e.body = body::session_open{};
    else
      e.body = body::message_user{id, id, std::string(200'000, 'x'), {}};
    op.events.push_back({e.meta.id.seq, e.type(), encode(e)});
  }
  REQUIRE(log.commit({&op, 1}).front());
}

}  // namespace

TEST_CASE("log reader: a long log is read in pieces, and other tenants' sessions in between") {
  const session_key large{tenant_id("long"), session_id("s")};
  const session_key small{tenant_id("short"), session_id("s")};
  auto inner = storage::make_memory_event_log();
  put(*inner, large, 20);
  put(*inner, small, 1);
  const auto log = std::make_shared<stubborn_log>(*inner);
  actor_world world(log);
  caf::scoped_actor self(world.runtime().system());
  const auto load = [&](const session_key& key) {
    return self->request(world.node().reader, std::chrono::seconds(30), actors::load_request{key});
  };
  const auto queue_of = [&](auto& asked) {
    std::size_t messages = 0;
    asked.receive(
        [&](const actors::loaded_session& loaded) {
          REQUIRE(loaded.state);
          messages = loaded.state->queue.size();
        },
        [](const caf::error& e) { FAIL(caf::to_string(e)); });
    return messages;
  };
  auto first = load(large), second = load(large), other = load(small);
  // Now that all three have been asked for. The reader may have begun before it heard of the other
  // tenant, whose turn then comes after a second piece; all of the long log takes more.
  log->allow(2);
  CHECK(queue_of(other) == 1);
  log->allow(1000);
  CHECK(queue_of(first) == 20);
  CHECK(queue_of(second) == 20);
  CHECK(log->in_time());
}
