#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "core/codes.hpp"
#include "memory/somabrain.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::memory;
using outbox::http_answer;
using outbox::row_outcome;
using kind = outbox::attempt::kind;

namespace {

http_answer said(int status, std::string body, std::int64_t retry_after_ms = -1) {
  http_answer out;
  out.status = status;
  out.body = std::move(body);
  out.retry_after_ms = retry_after_ms;
  return out;
}

std::vector<brain_item> two() {
  item a, b;
  a.memory_id = "a";
  a.text = "said \"so\"";
  a.kind = b.kind = "message";
  b.memory_id = "b";
  return {to_brain(a), to_brain(b)};
}

}  // namespace

TEST_CASE("somabrain: an item counts only where its own result says that it was persisted") {
  const auto items = two();
  auto got = read_batch(said(200, R"({"ok":true,"results":[{"key":"b","persisted_to_ltm":true},
                    {"key":"a","persisted_to_ltm":false},{"key":"c","persisted_to_ltm":true}]})"),
                        items);
  CHECK(got.how == kind::answered);
  CHECK(got.rows == std::vector{row_outcome::refused, row_outcome::done});
  CHECK(!got.why.empty());
  got = read_batch(said(200, R"({"ok":true,"results":[{"key":"a","persisted_to_ltm":"true"}]})"),
                   items);
  CHECK(got.rows == std::vector{row_outcome::refused, row_outcome::open});
  for (const char* rubbish : {"", "{", "[]", "{}", R"({"ok":true})", R"({"results":{}})", "\xff"}) {
    CAPTURE(rubbish);
    CHECK(read_batch(said(200, rubbish), items).how == kind::away);
  }
}

TEST_CASE("somabrain: what is not taken is refused, wanted later, or away") {
  for (const int status : {400, 413, 422}) CHECK(not_taken(said(status, "")).how == kind::refused);
  for (const int status : {401, 403, 404, 500, 502, 503, 301})
    CHECK(not_taken(said(status, "")).how == kind::away);
  const auto slow = not_taken(said(429, "", 7000));
  CHECK(slow.how == kind::busy);
  CHECK(slow.retry_after_ms == 7000);
  http_answer none;
  none.why = "it did not answer in time";
  CHECK(not_taken(none).how == kind::away);
  CHECK(not_taken(none).why == none.why);
}

TEST_CASE("somabrain: a batch has its tenant, its keys, and of what went only that") {
  auto items = two();
  items.push_back(stone("gone"));
  const auto body = boost::json::parse(batch_body(tenant_id("t"), items)).as_object();
  CHECK(body.at("tenant") == "t");
  CHECK(body.at("namespace") == "t");
  const auto& sent = body.at("items").as_array();
  REQUIRE(sent.size() == 3);
  CHECK(sent[0].at("key") == "a");
  CHECK(sent[0].at("value").at("text") == "said \"so\"");
  CHECK(sent[0].at("value").at("memory_id") == "a");
  CHECK(sent[2].at("value") ==
        boost::json::object{{"memory_id", "gone"}, {"deleted", true}, {"text", ""}});
}

TEST_CASE("somabrain: an older one is written to and deleted from at one place a key") {
  const auto items = two();
  const auto a = boost::json::parse(single_body(items[0])),
             b = boost::json::parse(single_body(items[1]));
  const std::string place(a.at("coord").as_string());
  CHECK(place != std::string(b.at("coord").as_string()));
  CHECK(a.at("payload").at("memory_id") == "a");
  CHECK(deletion_body("a") == "{\"coordinate\":[" + place + "]}");
  CHECK_NOTHROW(boost::json::parse(deletion_body("a")));
}

TEST_CASE("somabrain: what is recalled is joined by key and not ranked by its working memory") {
  const auto found = read_recalled(said(200, R"({"results":[
      {"layer":"wm","score":1.0,"content":{"memory_id":"w"}},
      {"layer":"ltm","score":0.8,"content":{"memory_id":"b"}},
      {"layer":"ltm","score":0.7,"content":{"memory_id":"a"}},
      {"layer":"ltm","score":0.6,"content":{"memory_id":"b"}},
      {"layer":"ltm","content":{"text":"of another"}}, 7],"degraded":false})"))
                         .value();
  CHECK(found.ids == std::vector<std::string>{"b", "a"});
  CHECK_FALSE(found.degraded);
  const auto older = read_recalled(said(200, R"({"wm":[{"score":1,"payload":{"memory_id":"w"}}],
      "memory":[{"memory_id":"a"},{"payload":{"memory_id":"b"}}],"results":[]})"))
                         .value();
  CHECK(older.ids == std::vector<std::string>{"a", "b"});
  CHECK(read_recalled(said(200, "<html>")).error().code == codes::dependency_unavailable);
  CHECK(read_recalled(said(503, "{}")).error().code == codes::dependency_unavailable);
}
