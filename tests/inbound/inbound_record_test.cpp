#include "inbound/inbound_record.hpp"

#include <doctest/doctest.h>

#include "core/codes.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::inbound;

namespace {

const std::string session = "0f9d4c54-2f8e-4e3e-9a2b-0c4f0f3e2a11";

record_rules rules() {
  record_rules out;
  out.topic = "c.conversation.inbound";
  out.tenants = {"default", "acme"};
  out.record_bytes_max = 4096;
  return out;
}

inbound_record record(std::string value) {
  inbound_record out;
  out.partition = 3;
  out.offset = 42;
  out.value = std::move(value);
  return out;
}

std::string envelope(const std::string& meta, const std::string& payload) {
  return R"({"version":"v1","type":"message.user","meta":{"tenant_id":"acme","user_id":"ann")" +
         meta + R"(},"payload":{)" + payload + "}}";
}

std::string_view code_of(const inbound_record& one) {
  const auto read = read_message(one, rules());
  return read ? std::string_view("none") : read.error().code;
}
std::string_view code_of(const std::string& value) {
  return code_of(record(value));
}

std::string header_of(const std::vector<std::pair<std::string, std::optional<std::string>>>& all,
                      std::string_view name) {
  for (const auto& [n, value] : all)
    if (n == name) return value.value_or("(null)");
  return "(none)";
}

}  // namespace

TEST_CASE("inbound record: is read as the contract's envelope with its headers") {
  auto one = record(
      envelope(",\"session_id\":\"" + session + "\",\"created_at\":\"x\"",
               R"("text":"hello","persona_id":"p.1","attachments":[{"id":")" + session + "\"}]"));
  one.headers = {{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
                 {"request_id", "r-1"},
                 {"idempotency_key", "k 1"},
                 {"epoch", "7"},
                 {"mine", std::nullopt}};
  const auto read = read_message(one, rules());
  REQUIRE(read);
  CHECK(read->tenant == "acme");
  CHECK(read->user == "ann");
  CHECK(read->session == session);
  CHECK(read->text == "hello");
  CHECK(read->persona_id == "p.1");
  CHECK(read->attachments == std::vector<std::string>{session});
  CHECK(read->idempotency_key == "k 1");
  CHECK(read->request_id == "r-1");
  CHECK(read->trace_id == "4bf92f3577b34da6a3ce929d0e0e4736");
  CHECK(read->parent_span_id == "00f067aa0ba902b7");
}

TEST_CASE("inbound record: one without a key is known by its place") {
  const auto read = read_message(record(envelope("", R"("text":"x")")), rules());
  REQUIRE(read);
  CHECK(read->idempotency_key == "c.conversation.inbound/3/42");
  CHECK(read->request_id == "c.conversation.inbound-3-42");
  CHECK(read->trace_id.empty());
  CHECK(read->session.empty());
}

TEST_CASE("inbound record: the envelope says what no header does") {
  const auto value = envelope(
      R"(,"idempotency_key":"k","request_id":"q","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736")",
      R"("text":"x")");
  auto one = record(value);
  const auto read = read_message(one, rules());
  REQUIRE(read);
  CHECK(read->idempotency_key == "k");
  CHECK(read->request_id == "q");
  CHECK(read->trace_id == "4bf92f3577b34da6a3ce929d0e0e4736");
  // Two keys that differ: nobody knows which is meant.
  one.headers = {{"idempotency_key", "other"}};
  CHECK(code_of(one) == codes::request_invalid);
  one.headers = {{"idempotency_key", "k"}};
  CHECK(code_of(one) == "none");
}

TEST_CASE("inbound record: what is none is refused by a code") {
  CHECK(code_of("") == codes::request_malformed_json);
  CHECK(code_of("{") == codes::request_malformed_json);
  CHECK(code_of("\"\xff\"") == codes::request_malformed_json);
  CHECK(code_of(std::string(40, '[') + std::string(40, ']')) == codes::request_malformed_json);
  CHECK(code_of(R"({"version":"v1","version":"v1"})") == codes::request_malformed_json);
  CHECK(code_of("[]") == codes::request_invalid);
  CHECK(code_of("{}") == codes::request_invalid);
  CHECK(code_of(R"({"version":"v2","type":"message.user","meta":{},"payload":{}})") ==
        codes::request_invalid);
  CHECK(code_of(R"({"version":"v1","type":"app.event","meta":{},"payload":{}})") ==
        codes::request_invalid);
  CHECK(code_of(R"({"version":"v1","type":"message.user","meta":{},"payload":{},"more":1})") ==
        codes::request_unknown_field);
  CHECK(code_of(envelope(",\"role\":\"admin\"", R"("text":"x")")) == codes::request_unknown_field);
  CHECK(code_of(envelope("", R"("text":"x","message_id":"m")")) == codes::request_unknown_field);
  CHECK(code_of(envelope("", R"("text":"")")) == codes::request_invalid);
  CHECK(code_of(envelope("", R"("text":7)")) == codes::request_invalid);
  CHECK(code_of(envelope("", R"("text":"x","persona_id":"../x")")) == codes::request_invalid);
  CHECK(code_of(envelope("", R"("text":"x","attachments":[{"id":"x"}])")) ==
        codes::request_invalid);
  CHECK(code_of(envelope("", R"("text":"x","attachments":{})")) == codes::request_invalid);
  CHECK(code_of(envelope(",\"session_id\":\"x\"", R"("text":"x")")) == codes::request_invalid);
  CHECK(code_of(envelope(",\"idempotency_key\":\"\\n\"", R"("text":"x")")) ==
        codes::request_invalid);
  for (const auto* user : {"", "-a", "a b", "a\\nb"})
    CHECK(
        code_of(
            std::string(
                R"({"version":"v1","type":"message.user","meta":{"tenant_id":"acme","user_id":")") +
            user + R"("},"payload":{"text":"x"}})") == codes::request_invalid);
  CHECK(code_of(R"({"version":"v1","type":"message.user","payload":{"text":"x"},)"
                R"("meta":{"tenant_id":"other","user_id":"ann"}})") == codes::auth_forbidden);
  CHECK(code_of(envelope("", R"("text":")" + std::string(5000, 'x') + "\"")) ==
        codes::request_too_large);
  auto one = record(envelope("", R"("text":"x")"));
  one.headers = {{"idempotency_key", "a"}, {"idempotency_key", "b"}};
  CHECK(code_of(one) == codes::request_invalid_parameter);
  one.headers.assign(65, {"x", ""});
  CHECK(code_of(one) == codes::request_header_too_large);
  one.headers.clear();
  one.value.reset();
  CHECK(code_of(one) == codes::request_malformed_json);
}

TEST_CASE("inbound record: one that is refused goes on with why") {
  auto one = record("{");
  one.headers = {{"idempotency_key", "k"}, {"error_code", "of.before"}, {"none", std::nullopt}};
  error why(codes::policy_denied, "not here");
  const auto out = refused_headers(one, rules(), std::move(why).by_rule("night"), 0);
  CHECK(header_of(out, "idempotency_key") == "k");
  CHECK(header_of(out, "none") == "(null)");
  CHECK(header_of(out, "error_code") == "policy.denied");
  CHECK(header_of(out, "error_detail") == "not here");
  CHECK(header_of(out, "error_rule") == "night");
  CHECK(header_of(out, "origin_topic") == "c.conversation.inbound");
  CHECK(header_of(out, "origin_partition") == "3");
  CHECK(header_of(out, "origin_offset") == "42");
  CHECK(header_of(out, "failed_at") == "1970-01-01T00:00:00.000Z");
  one.headers.assign(65, {"x", ""});
  CHECK(refused_headers(one, rules(), error(codes::request_header_too_large, "x"), 0).size() == 6);
}

TEST_CASE("inbound record: what passes by itself is tried again, what is this node's for ever") {
  CHECK(verdict_of(codes::policy_denied) == verdict::refused);
  CHECK(verdict_of(codes::session_not_found) == verdict::refused);
  CHECK(verdict_of(codes::idempotency_mismatch) == verdict::refused);
  CHECK(verdict_of(codes::session_queue_full) == verdict::may_pass);
  CHECK(verdict_of(codes::internal) == verdict::may_pass);
  CHECK(verdict_of(codes::dependency_unavailable) == verdict::will_pass);
  CHECK(verdict_of(codes::cluster_timeout) == verdict::will_pass);
  CHECK(verdict_of(codes::storage_full) == verdict::will_pass);
}
