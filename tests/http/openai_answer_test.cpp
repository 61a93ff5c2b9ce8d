// The answers of OpenAI's face where they are made: chunks and events in their order and shape.
#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "http/net/problem.hpp"
#include "http/openai/chat_answer.hpp"
#include "http/openai/responses_answer.hpp"

using namespace soma;
using namespace soma::http;

namespace {

namespace json = boost::json;

struct event {
  std::string name;
  json::value data;
};

std::vector<event> events_of(std::string_view text) {
  std::vector<event> all;
  while (!text.empty()) {
    const auto end = text.find("\n\n");
    auto frame = text.substr(0, end);
    text.remove_prefix(end + 2);
    event one;
    if (frame.starts_with("event: ")) {
      one.name = frame.substr(7, frame.find('\n') - 7);
      frame.remove_prefix(frame.find('\n') + 1);
    }
    REQUIRE(frame.starts_with("data: "));
    frame.remove_prefix(6);
    if (frame != "[DONE]") one.data = json::parse({frame.data(), frame.size()});
    all.push_back(std::move(one));
  }
  return all;
}

// Braces: each is made before the next.
std::vector<event> events_of(std::initializer_list<std::string> frames) {
  std::string all;
  for (const auto& frame : frames) all += frame;
  return events_of(all);
}

llm::stream_end good_end(std::string reason = "stop") {
  llm::stream_end how;
  how.finish_reason = std::move(reason);
  how.usage.prompt_tokens = 10;
  how.usage.completion_tokens = 5;
  return how;
}

std::vector<std::string> names_of(const std::vector<event>& all) {
  std::vector<std::string> names;
  for (const auto& one : all) {
    names.push_back(one.name);
    CHECK(one.data.at("type") == json::string_view(one.name));
    CHECK(one.data.at("sequence_number") == names.size() - 1);
  }
  return names;
}

responses_answer answer_to(std::string_view body) {
  return {"resp_1", "m", 7, json::parse({body.data(), body.size()}).as_object()};
}

}  // namespace

TEST_CASE("chat answer: a stream begins with its role and ends with its reason, usage and DONE") {
  chat_answer made({"chatcmpl-1", "m", 7, true, false});
  auto how = good_end("tool_calls");
  how.tool_calls = {{{}, "c1", "f", "{}"}};
  const auto all = events_of({made.piece("hm", true), made.piece("Hi", false), made.end(how)});
  REQUIRE(all.size() == 7);
  CHECK(all[0].data.at("choices").at(0).at("delta").at("role") == "assistant");
  CHECK(all[1].data.at("choices").at(0).at("delta").at("reasoning_content") == "hm");
  CHECK(all[2].data.at("choices").at(0).at("delta").at("content") == "Hi");
  CHECK(all[2].data.at("usage").is_null());
  CHECK(all[3].data.at("choices").at(0).at("delta").at("tool_calls").at(0).at("index") == 0);
  CHECK(all[4].data.at("choices").at(0).at("finish_reason") == "tool_calls");
  CHECK(all[5].data.at("choices").as_array().empty());
  CHECK(all[5].data.at("usage").at("total_tokens") == 15);
  CHECK(all[6].data.is_null());
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(all[i].data.at("id") == "chatcmpl-1");
    CHECK(all[i].data.at("object") == "chat.completion.chunk");
    CHECK(all[i].data.at("created") == 7);
    CHECK(all[i].data.at("system_fingerprint").is_null());
  }
  chat_answer silent({"chatcmpl-2", "m", 7, false, false});
  const auto few = events_of(silent.end(how));
  CHECK(few[0].data.at("choices").at(0).at("delta").at("role") == "assistant");
  CHECK_FALSE(few[0].data.as_object().contains("usage"));
}

TEST_CASE("chat answer: completions have text in place of messages, and no thoughts") {
  chat_answer made({"cmpl-1", "m", 7, false, true});
  const auto all =
      events_of({made.piece("hm", true), made.piece("Hi", false), made.end(good_end())});
  REQUIRE(all.size() == 3);
  CHECK(all[0].data.at("object") == "text_completion");
  CHECK(all[0].data.at("choices").at(0).at("text") == "Hi");
  CHECK(all[1].data.at("choices").at(0).at("finish_reason") == "stop");
  const auto whole = json::parse(made.whole("Hi", "hm", good_end()));
  CHECK(whole.at("choices").at(0).at("text") == "Hi");
  CHECK(whole.at("usage").at("total_tokens") == 15);
}

TEST_CASE("responses answer: the events of thoughts, a text and a call are OpenAI's, in order") {
  auto made = answer_to(R"({"instructions":"brief","metadata":{"a":"b"}})");
  auto how = good_end("tool_calls");
  how.tool_calls = {{{}, "c1", "f", R"({"a":1})"}};
  how.provider_state_json = R"([{"type":"thinking"}])";
  const auto all = events_of({made.begin(), made.piece("hm", true), made.piece("Hel", false),
                              made.piece("lo", false), made.end(how)});
  CHECK(names_of(all) == std::vector<std::string>{"response.created",
                                                  "response.in_progress",
                                                  "response.output_item.added",
                                                  "response.reasoning_summary_part.added",
                                                  "response.reasoning_summary_text.delta",
                                                  "response.reasoning_summary_text.done",
                                                  "response.reasoning_summary_part.done",
                                                  "response.output_item.done",
                                                  "response.output_item.added",
                                                  "response.content_part.added",
                                                  "response.output_text.delta",
                                                  "response.output_text.delta",
                                                  "response.output_text.done",
                                                  "response.content_part.done",
                                                  "response.output_item.done",
                                                  "response.output_item.added",
                                                  "response.output_item.done",
                                                  "response.output_item.added",
                                                  "response.function_call_arguments.delta",
                                                  "response.function_call_arguments.done",
                                                  "response.output_item.done",
                                                  "response.completed"});
  CHECK(all[10].data.at("output_index") == 1);
  CHECK(all[10].data.at("item_id") == all[8].data.at("item").at("id"));
  CHECK(all[12].data.at("text") == "Hello");
  CHECK(all[16].data.at("item").at("encrypted_content") == R"([{"type":"thinking"}])");
  CHECK(all[18].data.at("delta") == R"({"a":1})");
  CHECK(all[20].data.at("item").at("call_id") == "c1");
  const auto& end = all.back().data.at("response");
  CHECK(end.at("status") == "completed");
  CHECK(end.at("output").as_array().size() == 4);
  CHECK(end.at("usage").at("total_tokens") == 15);
  CHECK(end.at("instructions") == "brief");
  CHECK(end.at("metadata").at("a") == "b");
  CHECK(end.at("store") == false);
  CHECK(all[0].data.at("response").at("status") == "in_progress");
}

TEST_CASE("responses answer: one that is cut is incomplete, one that breaks off has failed") {
  auto cut = answer_to("{}");
  const auto all = events_of({cut.begin(), cut.piece("Hel", false), cut.end(good_end("length"))});
  CHECK(names_of(all).back() == "response.incomplete");
  CHECK(all.back().data.at("response").at("incomplete_details").at("reason") ==
        "max_output_tokens");
  CHECK(all.back().data.at("response").at("output").at(0).at("status") == "incomplete");
  auto broken = answer_to("{}");
  llm::stream_end how;
  how.error = failure{"llm.context_exceeded", "too long", false};
  const auto failed = events_of({broken.begin(), broken.piece("Hel", false), broken.end(how)});
  const auto names = names_of(failed);
  CHECK(names[names.size() - 2] == "error");
  CHECK(names.back() == "response.failed");
  CHECK(failed.back().data.at("response").at("error").at("code") == "context_length_exceeded");
}

TEST_CASE("responses answer: as a whole it is what its stream ends with") {
  auto made = answer_to(R"({"tools":[{"type":"function","name":"f"}]})");
  const auto whole = json::parse(made.whole("Hello", "hm", good_end()));
  CHECK(whole.at("object") == "response");
  CHECK(whole.at("output").at(1).at("content").at(0).at("text") == "Hello");
  CHECK(whole.at("tools").at(0).at("name") == "f");
  auto silent = answer_to("{}");
  CHECK(json::parse(silent.whole("", "", good_end())).at("output").as_array().size() == 1);
}

TEST_CASE("openai errors: statuses and codes are those that its clients know") {
  struct row {
    const char* code;
    int status;
    const char* said;
  };
  for (const auto& r :
       {row{"llm.context_exceeded", 400, "context_length_exceeded"},
        row{"llm.bad_request", 400, "llm.bad_request"},
        row{"request.invalid", 400, "invalid_value"},
        row{"request.unsupported", 400, "unsupported_parameter"},
        row{"profile.not_found", 404, "model_not_found"},
        row{"profile.disabled", 404, "model_not_found"},
        row{"llm.not_configured", 404, "model_not_found"},
        row{"auth.invalid", 401, "invalid_api_key"}, row{"llm.auth", 403, "llm.auth"},
        row{"secret.key_wrong", 403, "secret.key_wrong"},
        row{"llm.rate_limited", 429, "rate_limit_exceeded"},
        row{"request.too_large", 413, "request.too_large"},
        row{"llm.circuit_open", 503, "llm.circuit_open"},
        row{"no.such.code", 500, "server.internal"}}) {
    CAPTURE(r.code);
    CHECK(openai_status_of(r.code) == r.status);
    CHECK(openai_code_of(r.code) == r.said);
  }
  const auto shown =
      json::parse(openai_error_json(error("request.invalid", "stop: no").about("stop")));
  CHECK(shown.at("error").at("param") == "stop");
  CHECK(shown.at("error").at("type") == "invalid_request_error");
  CHECK(json::parse(openai_error_json(error("no.such", "a secret"))).at("error").at("message") !=
        "a secret");
}

TEST_CASE("openai errors: every path below OpenAI's API has them, and no other") {
  for (const char* path : {"/v1/chat/completions", "/v1/chat", "/v1/responses/resp_1", "/v1/models",
                           "/v1/models/x", "/v1/files", "/v1/images/generations"})
    CHECK_MESSAGE(is_openai_path(path), path);
  for (const char* path : {"/v1/model-profiles", "/v1/chats", "/v1/sessions", "/v1/uploads", "/v1"})
    CHECK_MESSAGE(!is_openai_path(path), path);
}
