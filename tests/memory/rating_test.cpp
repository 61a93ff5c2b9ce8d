#include "memory/rating.hpp"

#include <doctest/doctest.h>

#include "memory/somabrain_feedback.hpp"
#include "memory/somabrain_watch.hpp"
#include "storage/feedback_rows.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::memory;

namespace {

const session_key of_session{tenant_id("t"), session_id("s")};

event event_of(std::uint64_t seq, event_body what) {
  event e;
  e.meta.id = {1, seq};
  e.meta.key = of_session;
  e.meta.user_id = "ada";
  e.body = std::move(what);
  return e;
}

// A session of three turns, each rated.
std::unique_ptr<storage::event_log> rated_session() {
  auto log = storage::make_memory_event_log();
  storage::append_op op;
  op.key = of_session;
  std::uint64_t seq = 0;
  for (const std::string n : {"1", "2", "3"}) {
    const event all[] = {
        event_of(++seq, body::message_user{"q" + n, "u", "question " + n, {}}),
        event_of(++seq, body::message_assistant{"a" + n, "q" + n, "answer " + n, {}, {}, true}),
        event_of(++seq,
                 body::app_event{
                     std::string(feedback_event),
                     encode(feedback{"a" + n, n == "2" ? "not_helpful" : "helpful", {"t"}, "c"})})};
    for (const auto& e : all) {
      op.events.push_back({e.meta.id.seq, e.type(), encode(e)});
      memory::add_feedback(op, e, true);
    }
  }
  REQUIRE(log->commit(std::span(&op, 1)).front());
  return log;
}

outbox::http_answer answered(int status, std::string body) {
  outbox::http_answer got;
  got.status = status;
  got.body = std::move(body);
  return got;
}

}  // namespace

TEST_CASE("rating: its row names it, and leads to what was asked and what was answered") {
  const auto log = rated_session();
  const auto rows = log->read_outbox("somabrain", 0, 10).value().rows;
  REQUIRE(rows.size() == 3);
  const auto of = read_rating(rows[1].payload);
  REQUIRE(of);
  CHECK(*of == rating{of_session, "a2", "ada"});
  const auto turn = read_rated(*log, *of).value();
  REQUIRE(turn);
  CHECK(turn->query == "question 2");
  CHECK(turn->response == "answer 2");
  CHECK(
      rating_body(*of, *turn) ==
      R"({"session_id":"s","query":"question 2","prompt":"question 2","response_text":"answer 2",)"
      R"("utility":0,"metadata":{"message_id":"a2","user":"ada","rating":"not_helpful",)"
      R"("tags":["t"],"comment":"c"},"tenant_id":"t"})");
  for (const auto* none : {"item\nt\ns\nm", "feedback\nt\ns\nm", "feedback\nt\ns\nm\nu\nx", ""})
    CHECK_FALSE(read_rating(none));
}

TEST_CASE("rating: of what is there no more there is nothing to say") {
  const auto log = rated_session();
  CHECK_FALSE(*read_rated(*log, {of_session, "a9", "ada"}));
  CHECK_FALSE(*read_rated(*log, {of_session, "a1", "bo"}));
  CHECK_FALSE(*read_rated(*log, {{tenant_id("t"), session_id("none")}, "a1", "ada"}));
}

TEST_CASE("rating: strings have 1,024 characters, the rest of it 8 KiB") {
  rated_turn turn;
  for (int i = 0; i < 3000; ++i) turn.query += "ä";
  turn.response = std::string(5000, 'x');
  feedback said{"m", "helpful", {}, std::string(4000, 'c')};
  turn.data_json = encode(said);
  const rating of{of_session, "m", "ada"};
  auto body = rating_body(of, turn);
  CHECK(body.find(std::string(1024, 'x') + '"') != std::string::npos);
  CHECK(body.find(std::string(1025, 'x')) == std::string::npos);
  CHECK(body.size() < 2 * 2048 + 1024 + 1024 + 400);
  CHECK(body.find("\"utility\":1,") != std::string::npos);
  for (int i = 0; i < 16; ++i) said.tags.push_back(std::string(64, '\x01'));
  said.comment = std::string(4000, '\x02');
  turn.data_json = encode(said);
  body = rating_body(of, turn);
  CHECK(body.find("tags") == std::string::npos);
  CHECK(body.find("\"rating\":\"helpful\"") != std::string::npos);
}

TEST_CASE("SomaBrain's health: its body says it, whatever the status") {
  CHECK(read_health(answered(200, R"({"ok":true,"ready":true,"status":"ok","components":{}})")).ok);
  CHECK(read_health(answered(200, R"({"ok":true,"status":"healthy"})")).ok);
  const auto ill = read_health(answered(
      200,
      R"({"ok":false,"ready":true,"status":"ok","components":{"kv":{"healthy":false},"redis":true,)"
      R"("milvus":"down","<b>":false,"graph":{"status":"ok"}}})"));
  CHECK_FALSE(ill.ok);
  CHECK(ill.why == "it says that it is not ready: kv, milvus");
  for (const auto* no :
       {R"({"ok":true,"ready":false})", R"({"status":"degraded"})", "[]", "", "\xff"})
    CHECK_FALSE(read_health(answered(200, no)).ok);
  CHECK_FALSE(read_health(answered(503, R"({"ok":true})")).ok);
  const auto none = read_health(answered(0, ""));
  CHECK(none.known);
  CHECK_FALSE(none.ok);
}
