#include "actor_world.hpp"
#include "memory/item.hpp"

using namespace soma;
using namespace soma::testing;

namespace {

// Every input of session "bad" fails while armed.
struct fault {
  std::atomic<bool> armed{true};
  std::atomic<int> thrown{0};
  world_options installed() {
    world_options options;
    options.before_step = [this](const session_key& key, const session_input& in) {
      if (key.session.value != "bad" || !armed) return;
      if (!std::holds_alternative<input::commanded>(in)) return;
      ++thrown;
      throw std::runtime_error("made to fail");
    };
    return options;
  }
};

}  // namespace

TEST_CASE("supervision: a session that keeps failing is quarantined and its neighbours stream on") {
  fault f;
  actor_world world({}, f.installed());
  f.armed = false;
  REQUIRE(world.say("bad", "first"));
  finish(*world.models.next(), "fine");
  world.wait_for_type("bad", event_type::llm_complete);
  REQUIRE(world.say("good", "stream"));
  const auto neighbour = world.models.next();
  neighbour->sink.on_piece("a ", false);

  f.armed = true;
  while (f.thrown < 3) CHECK(!world.command("bad", input::nudge{}));
  // Whoever asks before its tenant has heard of its end is told to come again.
  auto refused = world.command("bad", input::nudge{});
  while (!refused && refused.error().code == codes::server_busy)
    refused = world.command("bad", input::nudge{});
  REQUIRE(!refused);
  CHECK(refused.error().code == codes::session_quarantined);
  const auto all = world.wait_for_type("bad", event_type::error);
  CHECK(last_of<body::error>(all).what.code == codes::session_quarantined);

  finish(*neighbour, "b");
  const auto good = world.wait_for_type("good", event_type::llm_complete);
  CHECK(last_of<body::message_assistant>(good).text == "a b");

  f.armed = false;
  actors::restart_request restart;
  restart.key = world.key("bad");
  CHECK(world.ask<actors::command_outcome>(restart).reply);
  REQUIRE(world.say("bad", "and now"));
  finish(*world.models.next(), "well again");
  world.wait_for_type("bad", event_type::message_assistant, 2);
}

TEST_CASE("supervision: a failed session goes on with its unfinished turn") {
  fault f;
  f.armed = false;
  actor_world world({}, f.installed());
  REQUIRE(world.say("bad", "tell"));
  const auto cut = world.models.next();
  cut->sink.on_piece("one", false);
  world.wait_for_type("bad", event_type::llm_delta);
  f.armed = true;
  CHECK(!world.command("bad", input::nudge{}));
  f.armed = false;
  const auto again = world.models.next();
  CHECK(again->asked.prefix == "one");
  finish(*again, " two");
  const auto all = world.wait_for_type("bad", event_type::message_assistant);
  CHECK(last_of<body::message_assistant>(all).text == "one two");
  CHECK(is_cancelled(*cut));
}

TEST_CASE("supervision: restart ends what runs and folds the session anew") {
  actor_world world;
  REQUIRE(world.say("a", "tell"));
  const auto call = world.models.next();
  actors::restart_request restart;
  restart.key = world.key("a");
  REQUIRE(world.ask<actors::command_outcome>(restart).reply);
  CHECK(last_of<body::llm_complete>(world.events("a")).finish_reason == "cancelled");
  CHECK(is_cancelled(*call));
  REQUIRE(world.say("a", "more"));
  finish(*world.models.next(), "ok");
  world.wait_for_type("a", event_type::message_assistant, 2);
}

namespace {

// Puts an event into the session's log that an older version took and could not read again.
void plant(storage::event_log& log, const std::string& session, const std::string& data_json) {
  const auto key = actor_world::key(session);
  const auto head = log.head(key).value();
  event e;
  e.meta.id = {log.epoch(), head.seq + 1};
  e.meta.key = key;
  e.body = body::app_event{"order", data_json};
  storage::append_op op;
  op.key = key;
  op.expected_seq = head.seq;
  op.events.push_back({e.meta.id.seq, e.type(), encode(e)});
  REQUIRE(log.commit({&op, 1}).front());
}

// Breaks an event that the fold needs.
void damage(storage::event_log& log, const std::string& session) {
  const auto key = actor_world::key(session);
  const auto head = log.head(key).value();
  storage::append_op op;
  op.key = key;
  op.expected_seq = head.seq;
  op.events.push_back({head.seq + 1, event_type::message_user, "{\"meta\":"});
  REQUIRE(log.commit({&op, 1}).front());
}

std::shared_ptr<storage::event_log> log_with_session(const std::string& session) {
  actor_world world;
  REQUIRE(world.say(session, "first"));
  finish(*world.models.next(), "fine");
  world.wait_for_type(session, event_type::llm_complete);
  return world.log();
}

}  // namespace

TEST_CASE("supervision: a log that holds numbers past every machine word is taken up again") {
  const auto log = log_with_session("a");
  for (const auto* data : {"{\"wei\":100000000000000000000}", "[1e400]", "{\"n\":Infinity}"})
    plant(*log, "a", data);
  actor_world world(log);
  REQUIRE(world.say("a", "again"));
  finish(*world.models.next(), "yes");
  const auto all = world.wait_for_type("a", event_type::message_assistant, 2);
  std::vector<std::string> kept;
  for (const auto& e : all)
    if (const auto* said = std::get_if<body::app_event>(&e.body)) kept.push_back(said->data_json);
  CHECK(kept ==
        std::vector<std::string>{"{\"wei\":100000000000000000000}", "[1e400]", "{\"n\":1e99999}"});
}

TEST_CASE("supervision: what cannot be read back is refused before it is appended") {
  actor_world world;
  REQUIRE(world.command("a", input::open{}));
  for (const std::string bad : {"{", "[Infinity]", "", "\"\\ud800\""}) {
    CHECK(world.command("a", input::app_event{"x", bad}).error().code == codes::request_invalid);
    CHECK(world.command("a", input::tool_request{"t", bad}).error().code ==
          codes::tool_invalid_inputs);
  }
  CHECK(world.events("a").size() == 1);
  CHECK(world.command("a", input::app_event{"x", "1e400"}));
}

TEST_CASE("supervision: a session whose log cannot be read is quarantined, and can be deleted") {
  const auto log = log_with_session("a");
  damage(*log, "a");
  actor_world world(log);
  const auto refused = world.say("a", "again");
  REQUIRE(!refused);
  // Deleted straight away or after the quarantine: neither needs what the log says.
  const auto gone = world.command("a", input::remove{});
  REQUIRE(gone);
  CHECK(gone->status == "deleted");
  CHECK(log->head(world.key("a")).error().code == codes::session_not_found);
  CHECK(log->list_documents("attachments", "gone", 10)->size() == 1);
  CHECK(world.command("a", input::remove{}).error().code == codes::session_not_found);
}

TEST_CASE("supervision: deleting an unreadable session is the first that anyone asks of it") {
  const auto log = log_with_session("a");
  damage(*log, "a");
  actor_world world(log);
  CHECK(world.command("a", input::remove{}));
  CHECK(log->head(world.key("a")).error().code == codes::session_not_found);
}

TEST_CASE("supervision: an unreadable session's memories go with it, unless they are kept") {
  for (const bool keep : {false, true}) {
    const auto log = log_with_session("a");
    damage(*log, "a");
    actor_world world(log);
    const auto key = memory::item_key(world.key("a").tenant, "a", "m");
    REQUIRE(log->put_document("memory", key, "{}"));
    CHECK(world.command("a", input::remove{keep}));
    CHECK(log->get_document("memory", key).value().has_value() == keep);
    const auto rows = log->read_outbox("memory", 0, 10)->rows;
    REQUIRE(rows.size() == 1);
    CHECK(memory::read_change(rows[0].payload)->what ==
          (keep ? memory::change::kind::unused : memory::change::kind::session));
  }
}

TEST_CASE("supervision: a reset makes an unreadable session usable again") {
  const auto log = log_with_session("a");
  damage(*log, "a");
  actor_world world(log);
  actors::session_command reset;
  reset.key = world.key("a");
  reset.what.what = input::reset{};
  reset.idempotency_key = "scope\nkey";
  reset.request_hash = "hash";
  const auto done = world.ask<actors::command_outcome>(reset).reply;
  REQUIRE(done);
  CHECK(done->status == "reset");
  REQUIRE(log->find_idempotency("scope\nkey").value());
  const auto all = world.events("a");
  REQUIRE(all.size() == 1);
  CHECK(all.front().type() == event_type::session_open);
  CHECK(std::get<body::session_open>(all.front().body).title == "first");
  REQUIRE(world.say("a", "again"));
  finish(*world.models.next(), "yes");
  world.wait_for_type("a", event_type::message_assistant);
}

TEST_CASE("supervision: a quarantined session can be deleted") {
  fault f;
  f.armed = false;
  actor_world world({}, f.installed());
  REQUIRE(world.say("bad", "first"));
  finish(*world.models.next(), "fine");
  world.wait_for_type("bad", event_type::llm_complete);
  f.armed = true;
  while (f.thrown < 3) CHECK(!world.command("bad", input::nudge{}));
  CHECK(world.command("bad", input::remove{}));
  CHECK(world.events("bad").empty());
}

TEST_CASE("supervision: many sessions with unfinished work are all taken up at start") {
  constexpr int sessions = 60;
  std::shared_ptr<storage::event_log> log;
  {
    actor_world world;
    log = world.log();
    for (int i = 0; i < sessions; ++i) REQUIRE(world.say("s" + std::to_string(i), "go"));
    for (int i = 0; i < sessions; ++i) world.models.next();
  }
  actor_world world(log);
  world.recover();
  for (int i = 0; i < sessions; ++i) finish(*world.models.next(), "done");
  for (int i = 0; i < sessions; ++i)
    world.wait_for_type("s" + std::to_string(i), event_type::message_assistant);
}

TEST_CASE("supervision: a session whose log is damaged says so by its name, its neighbours go on") {
  const std::shared_ptr<storage::event_log> log = storage::make_memory_event_log();
  storage::append_op op;
  op.key = actor_world::key("bad");
  op.events.push_back({1, event_type::message_user, "no envelope"});
  REQUIRE(log->commit(std::span(&op, 1))[0]);
  actor_world world(log);
  // The first too, which waits while the log is read.
  const auto told = [&] {
    const auto refused = world.say("bad", "hello");
    REQUIRE(refused.has_error());
    return refused.error();
  };
  CHECK(told().code == codes::storage_corrupt);
  CHECK(told().detail.find("session bad") != std::string::npos);
  actors::restart_request restart;
  restart.key = world.key("bad");
  (void)world.ask<actors::command_outcome>(restart);
  CHECK(told().code == codes::storage_corrupt);
  REQUIRE(world.say("good", "hello"));
  finish(*world.models.next(), "fine");
  world.wait_for_type("good", event_type::llm_complete);
}

namespace {

// A log whose disk is full, or that fails in another way, when the test says so.
class troubled_log final : public storage::event_log {
 public:
  std::uint32_t epoch() const override { return real_->epoch(); }
  std::vector<result<std::uint64_t>> commit(std::span<const storage::append_op> ops) override {
    if (throws) throw std::bad_alloc();
    if (full)
      return std::vector<result<std::uint64_t>>(
          ops.size(), result<std::uint64_t>(error(codes::storage_full, "full")));
    return real_->commit(ops);
  }
  result<storage::session_head> head(const session_key& k) const override { return real_->head(k); }
  result<storage::event_page> read(const session_key& k,
                                   const storage::read_options& o) const override {
    return real_->read(k, o);
  }
  result<std::optional<std::string>> snapshot(const session_key& k) const override {
    return real_->snapshot(k);
  }
  result<storage::session_list_page> list(const tenant_id& t,
                                          const storage::session_list_options& o) const override {
    return real_->list(t, o);
  }
  result<std::vector<session_key>> busy_sessions() const override { return real_->busy_sessions(); }
  std::uint64_t stored_bytes(const tenant_id& t) const override { return real_->stored_bytes(t); }
  result<std::vector<tenant_id>> tenants() const override { return real_->tenants(); }
  result<std::optional<storage::idempotency_record>> find_idempotency(
      std::string_view key) const override {
    return real_->find_idempotency(key);
  }
  result<std::size_t> expire_idempotency(std::int64_t before, std::size_t rows) override {
    return real_->expire_idempotency(before, rows);
  }
  result<void> put_idempotency(const storage::idempotency_record& r,
                               std::span<const storage::document_row> made) override {
    return real_->put_idempotency(r, made);
  }
  result<void> stage(const session_key& k,
                     std::span<const storage::encoded_event> events) override {
    return real_->stage(k, events);
  }
  result<void> discard_staged(const session_key& k) override { return real_->discard_staged(k); }
  result<std::optional<std::string>> get_document(std::string_view c,
                                                  std::string_view k) const override {
    return real_->get_document(c, k);
  }
  result<void> put_document(std::string_view c, std::string_view k, std::string_view v) override {
    return real_->put_document(c, k, v);
  }
  result<void> put_documents(std::string_view c,
                             std::span<const std::pair<std::string, std::string>> all) override {
    return real_->put_documents(c, all);
  }
  result<void> delete_document(std::string_view c, std::string_view k) override {
    return real_->delete_document(c, k);
  }
  result<void> change_documents(std::string_view c,
                                std::span<const storage::document_change> all) override {
    return real_->change_documents(c, all);
  }
  result<std::vector<std::pair<std::string, std::string>>> list_documents(
      std::string_view c, std::string_view prefix, std::size_t limit,
      std::string_view after) const override {
    return real_->list_documents(c, prefix, limit, after);
  }
  result<storage::outbox_page> read_outbox(std::string_view s, std::uint64_t after,
                                           std::size_t rows_max) const override {
    return real_->read_outbox(s, after, rows_max);
  }
  result<void> delete_outbox(std::string_view s, const std::vector<std::uint64_t>& all) override {
    return real_->delete_outbox(s, all);
  }
  result<bool> write_rows(const storage::row_batch& rows) override {
    return real_->write_rows(rows);
  }
  void on_outbox(std::function<void(std::uint64_t)> told) override {
    real_->on_outbox(std::move(told));
  }
  result<void> checkpoint(const std::string& folder) const override {
    return real_->checkpoint(folder);
  }
  counters stats() const override { return real_->stats(); }

  std::atomic<bool> full{false}, throws{false};

 private:
  std::unique_ptr<storage::event_log> real_ = storage::make_memory_event_log();
};

}  // namespace

TEST_CASE(
    "supervision: on a full disk every command is answered at once, and so once there is room") {
  const auto log = std::make_shared<troubled_log>();
  world_options options;
  options.limits.back_off_ms_max = 3'600'000;  // whoever waits for it waits in vain
  actor_world world(log, options);
  REQUIRE(world.say("a", "first"));
  finish(*world.models.next(), "fine");
  world.wait_for_type("a", event_type::llm_complete);
  const auto counted = world.probe.events_committed.load();
  log->full = true;
  // Either it is told so, or it was on its way to an incarnation that ended meanwhile.
  for (int i = 0; i < 20; ++i) {
    const auto refused = world.say("a", "more");
    REQUIRE(!refused);
    CHECK((refused.error().code == codes::storage_full ||
           refused.error().code == codes::server_busy));
  }
  CHECK(world.probe.events_committed == counted);  // what was refused is not counted
  log->full = false;
  CHECK(actor_world::becomes([&] { return bool(world.say("a", "again")); }));
  CHECK(world.node().queued_bytes == 0);
}

TEST_CASE("supervision: the end of an actor that all others stand on is the end of the server") {
  const auto log = std::make_shared<troubled_log>();
  std::mutex mutex;
  std::vector<std::string> died;
  world_options options;
  options.on_root_died = [&](std::string_view name) {
    std::lock_guard lock(mutex);
    died.emplace_back(name);
  };
  actor_world world(log, options);
  REQUIRE(world.say("a", "first"));
  CHECK(world.node().root_alive);
  std::string who;
  SUBCASE("when a commit throws, which is told to whoever waits") {
    log->throws = true;
    who = "event_writer";
    const auto refused = world.say("a", "second");
    REQUIRE(!refused);
    CHECK(refused.error().code == codes::storage_unavailable);
  }
  SUBCASE("when the reader ends by an error") {
    who = "log_reader";
    caf::anon_send_exit(world.node().reader, caf::exit_reason::kill);
  }
  SUBCASE("when the writer ends by an error") {
    who = "event_writer";
    caf::anon_send_exit(world.node().writer, caf::exit_reason::kill);
  }
  CHECK(actor_world::becomes([&] {
    std::lock_guard lock(mutex);
    return !died.empty();
  }));
  CHECK_FALSE(world.node().root_alive);
  world.broken = true;
  std::lock_guard lock(mutex);
  CHECK(died.front() == who);
}

TEST_CASE("supervision: a job that throws on the writer's thread fails alone") {
  actor_world world;
  std::atomic<bool> ran{false};
  actors::storage_job job;
  job.run = [&](storage::event_log&) -> result<void> {
    ran = true;
    throw std::runtime_error("made to fail");
  };
  caf::anon_send(world.node().writer, std::move(job));
  CHECK(actor_world::becomes([&] { return ran.load(); }));
  CHECK(world.say("a", "hello"));
  CHECK(world.node().root_alive);
}

TEST_CASE("supervision: a restart asked for while the server stops begins nothing") {
  actor_world world;
  REQUIRE(world.say("a", "hello"));
  const auto call = world.models.next();
  caf::scoped_actor self(world.runtime().system());
  actors::tenant_actor tenant;
  self->request(world.runtime().tenants(), caf::infinite,
                actors::tenant_request{world.key("a").tenant})
      .receive([&](const actors::tenant_found& found) { tenant = found.tenant; },
               [](const caf::error& e) { FAIL(caf::to_string(e)); });
  self->request(tenant, caf::infinite, actors::shut_down{})
      .receive([](const actors::all_ended&) {}, [](const caf::error&) {});
  actors::restart_request restart;
  restart.key = world.key("b");
  self->request(tenant, caf::infinite, std::move(restart))
      .receive(
          [](const actors::command_outcome& outcome) {
            CHECK(outcome.reply.error().code == codes::server_shutting_down);
          },
          [](const caf::error& e) { FAIL(caf::to_string(e)); });
  CHECK(world.probe.started == 1);
}
