#include <doctest/doctest.h>

#include <algorithm>
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "security/policy/decision_source.hpp"
#include "security/policy/question.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::security;
namespace json = boost::json;

namespace {

const std::vector<std::string> groups{"staff", "night shift"};
const sharing shared{true, {"ann", "bob"}};

policy_input question(std::string_view action, std::string_view resource) {
  policy_input in{"t", "ann", "user", action, resource};
  in.groups = groups;
  in.door = "http";
  in.key_id = "k1";
  in.request_id = "r1";
  return in;
}

json::object object(const std::string& text) {
  return json::parse(text).as_object();
}

// Every cut of a text, and each of its bytes made another.
template <class Judge>
void spoil(const std::string& text, Judge judge) {
  for (std::size_t n = 0; n < text.size(); ++n) judge(text.substr(0, n));
  for (std::size_t n = 0; n < text.size(); ++n) {
    auto other = text;
    other[n] = static_cast<char>(other[n] ^ 0x15);
    judge(other);
  }
}

}  // namespace

TEST_CASE("opa: a question is the contract's policy input") {
  auto in = question("conversation.read", "s1");
  in.owner = "bob";
  in.shared = &shared;
  CHECK(object(input_json(in, 0)) ==
        object(R"({"tenant":"t","user":{"id":"ann","role":"user","groups":["staff","night shift"]},
          "action":"conversation.read","resource":{"type":"session","id":"s1","owner":"bob",
          "session_id":"s1","visibility":"tenant","shared_with":["ann","bob"]},
          "context":{"request_id":"r1","door":"http","key_id":"k1",
          "time":"1970-01-01T00:00:00.000Z","caller_is_stale":false}})"));
  const auto one = make_opa("soma/policy/decision");
  CHECK(one->path(1) == "/v1/data/soma/policy/decision");
  CHECK(object(one->body({&in, 1}, 0)).at("input").as_object() == object(input_json(in, 0)));
  const policy_input two[] = {in, question("tool.execute", "echo")};
  CHECK(one->path(2) == "/v1/data/soma/policy/decisions");
  const auto body = object(one->body(two, 0));
  CHECK(body.at("input").at("questions").as_array().size() == 2);
  CHECK(make_opa("soma/policy/allow")->batch_max() == 1);
}

TEST_CASE("opa: an answer is a boolean or an object that says allow, and all else is none") {
  const auto opa = make_opa("soma/policy/decision");
  const auto in = question("tool.execute", "echo");
  const auto read = [&](const std::string& text) { return opa->read(text, {&in, 1}); };
  CHECK(read(R"({"result":true})").value().front().allow);
  CHECK(read(R"({"result":{"allow":true,"rule":"talk"}})").value().front().rule == "talk");
  const auto no = read(R"({"result":{"allow":false,"rule":"guests","reason":"Not at\nnight"}})");
  CHECK_FALSE(no.value().front().allow);
  CHECK(no.value().front().rule == "guests");
  CHECK(no.value().front().reason == "Not at night");
  // Undefined is a denial: the path is not there, or no rule of it fits.
  const auto undefined = read("{}");
  CHECK_FALSE(undefined.value().front().allow);
  CHECK_FALSE(undefined.value().front().unavailable);
  CHECK(undefined.value().front().reason.find("soma/policy/decision") != std::string::npos);
  for (const auto* text :
       {"", "{", "[]", "true", "<html>", R"({"result":"yes"})", R"({"result":null})",
        R"({"result":1})", R"({"result":{}})", R"({"result":{"allow":"true"}})",
        R"({"result":{"allow":1}})", R"({"result":[true]})"})
    CHECK_MESSAGE(read(text).has_error(), text);
  const auto deep = "{\"result\":" + std::string(5000, '[') + std::string(5000, ']') + "}";
  CHECK(read(deep).has_error());
  const auto large = R"({"result":{"allow":false,"rule":")" + std::string(5000, 'r') +
                     R"(","reason":")" + std::string(5000, 'y') + "\"}}";
  CHECK(read(large).value().front().rule.size() == decision_source::rule_bytes_max);
  CHECK(read(large).value().front().reason.size() == decision_source::reason_bytes_max);
}

TEST_CASE("opa: of several questions each has an answer, or none has") {
  const auto opa = make_opa("soma/policy/decision");
  const policy_input two[] = {question("tool.execute", "a"), question("tool.execute", "b")};
  const auto both = opa->read(R"({"result":[true,{"allow":false,"rule":"r"}]})", two);
  CHECK(both.value()[0].allow);
  CHECK(both.value()[1].rule == "r");
  for (const auto* text : {R"({"result":[true]})", R"({"result":[true,true,true]})",
                           R"({"result":true})", R"({"result":[true,null]})"})
    CHECK_MESSAGE(opa->read(text, two).has_error(), text);
  const auto undefined = opa->read("{}", two);
  REQUIRE(undefined);
  for (const auto& one : *undefined) CHECK_FALSE(one.allow);
}

TEST_CASE("sources: no answer that was damaged on its way allows what was denied") {
  const auto in = question("tool.execute", "echo");
  const auto opa = make_opa("soma/policy/decision");
  spoil(R"({"result":{"allow":false,"rule":"r","reason":"no"}})", [&](const std::string& text) {
    const auto said = opa->read(text, {&in, 1});
    CHECK((!said || !said->front().allow));
  });
  const auto fga = make_openfga({"store", ""});
  spoil(R"({"allowed":false,"resolution":""})", [&](const std::string& text) {
    const auto said = fga->read(text, {&in, 1});
    CHECK((!said || !said->front().allow));
  });
}

TEST_CASE("openfga: a check names a relation, and brings what we know ourselves") {
  auto in = question("conversation.read", "s1");
  in.owner = "ann";
  in.shared = &shared;
  const auto fga = make_openfga({"STORE", "MODEL"});
  CHECK(fga->path(1) == "/stores/STORE/check");
  CHECK(object(fga->body({&in, 1}, 0)) == object(R"({
    "authorization_model_id":"MODEL",
    "tuple_key":{"user":"user:ann","relation":"can_conversation_read","object":"session:s1"},
    "contextual_tuples":{"tuple_keys":[
      {"user":"user:ann","relation":"member","object":"tenant:t"},
      {"user":"user:ann","relation":"member","object":"group:t/staff"},
      {"user":"user:ann","relation":"member","object":"group:t/night%20shift"},
      {"user":"tenant:t","relation":"tenant","object":"session:s1"},
      {"user":"user:ann","relation":"owner","object":"session:s1"},
      {"user":"tenant:t#member","relation":"viewer","object":"session:s1"},
      {"user":"user:ann","relation":"viewer","object":"session:s1"}]}})"));
  auto admin = question("settings.update", "");
  admin.role = "admin";
  admin.groups = {};
  CHECK(object(fga->body({&admin, 1}, 0)).at("tuple_key") ==
        json::parse(R"({"user":"user:ann","relation":"can_settings_update","object":"tenant:t"})"));
  CHECK(object(fga->body({&admin, 1}, 0))
            .at("contextual_tuples")
            .at("tuple_keys")
            .as_array()
            .size() == 2);
  const policy_input two[] = {question("tool.execute", "mcp.a.b"), admin};
  CHECK(fga->path(2) == "/stores/STORE/batch-check");
  const auto checks = object(fga->body(two, 0)).at("checks").as_array();
  CHECK(checks.at(0).at("tuple_key").at("object").as_string() == "tool:mcp.a.b");
  CHECK(checks.at(1).at("correlation_id").as_string() == "1");
}

TEST_CASE("openfga: ids cannot become other names than their own") {
  CHECK(openfga_name("ann@example.com") == "ann@example.com");
  CHECK(openfga_name("*") == "%2A");
  CHECK(openfga_name("a:b#member") == "a%3Ab%23member");
  CHECK(openfga_name("a b/c%20") == "a%20b%2Fc%2520");
  CHECK(openfga_name("Zo\xc3\xab\n") == "Zo%C3%AB%0A");
}

TEST_CASE("openfga: each check has its answer, or none has") {
  const auto fga = make_openfga({"store", ""});
  const auto in = question("tool.execute", "echo");
  CHECK(fga->read(R"({"allowed":true})", {&in, 1}).value().front().allow);
  const auto no = fga->read(R"({"allowed":false,"resolution":""})", {&in, 1});
  CHECK(no.value().front().rule == "openfga");
  CHECK(no.value().front().reason == "user:ann has no relation can_tool_execute to tool:echo");
  // What is not said is not denied, either: nobody could be asked.
  for (const auto* text : {"", "{}", "{\"allowed\":1}", "{\"allowed\":\"true\"}", "[true]"})
    CHECK_MESSAGE(fga->read(text, {&in, 1}).has_error(), text);
  const policy_input two[] = {in, in};
  const auto both = fga->read(R"({"result":{"1":{"allowed":true},"0":{"allowed":false}}})", two);
  CHECK_FALSE(both.value()[0].allow);
  CHECK(both.value()[1].allow);
  CHECK(fga->read(R"({"result":{"0":{"allowed":true}}})", two).has_error());
  CHECK(fga->read(R"({"result":{"0":{"allowed":true},"1":{"error":{"input_error":"x"}}}})", two)
            .has_error());
}

TEST_CASE(
    "question: of personal data has how many of each kind there are, and where they would go") {
  const counted_kind found[] = {{"mail", 2}, {"card", 1}};
  auto in = question("egress.pii", "llm:openai");
  in.session = "s1";
  in.found = found;
  CHECK(object(input_json(in, 0)).at("resource") ==
        object(R"({"type":"egress","id":"llm:openai","session_id":"s1",
                   "found":{"mail":2,"card":1}})"));
}

TEST_CASE("question: its key holds all that an answer hangs on, and nothing else") {
  const auto first = question("tool.execute", "echo");
  const auto key = question_key(first);
  auto other = first;
  other.request_id = "r2";
  CHECK(question_key(other) == key);
  const std::vector<std::string> few{"staff"}, joined{"staffnight shift"};
  const std::vector<std::string> like_found{"mail", "2"};
  const counted_kind two[] = {{"mail", 2}}, three[] = {{"mail", 3}};
  std::vector<policy_input> different(14, first);
  different[0].tenant = "u";
  different[1].user = "bob";
  different[2].role = "admin";
  different[3].resource = "echo2";
  different[4].groups = few;
  different[5].groups = joined;
  different[6].stale = true;
  different[7].owner = "ann";
  different[8].shared = &shared;
  different[9].session = "s";
  different[10].key_id = "k2";
  different[11].found = two;
  different[12].found = three;
  different[13].groups = like_found;
  std::vector<std::string> keys{key};
  for (const auto& one : different) keys.push_back(question_key(one));
  std::sort(keys.begin(), keys.end());
  CHECK(std::adjacent_find(keys.begin(), keys.end()) == keys.end());
}
