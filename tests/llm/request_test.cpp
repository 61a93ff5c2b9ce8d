#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <fstream>

#include "llm/picture.hpp"
#include "llm/provider_error.hpp"
#include "llm/response_reader.hpp"
#include "llm/wire.hpp"
#include "support/temp_folder.hpp"

using namespace soma;
using namespace soma::llm;

namespace {

call sample() {
  call c;
  c.target.model = "m";
  c.target.api_key = secret_string("sk-very-secret-key");
  c.messages = {{"system", "be brief", {}, {}},
                {"user", "please add one and one", {}, {}},
                {"assistant", "", {{"t1", "p1", "calculator", R"({"expression":"1+1"})"}}, {}},
                {"tool", "2", {}, "p1"}};
  return c;
}

stream_end refused_with(unsigned status, std::string body, const call& c) {
  return refused({status, std::move(body), {}, {}, 0}, c);
}

}  // namespace

TEST_CASE("request: the body is what the API describes") {
  auto c = sample();
  c.tools = {{"calculator", "adds", R"({"type":"object"})"}, {"clock", "", ""}};
  c.target.temperature = 0.25;
  c.target.max_tokens = 100;
  const auto expected = boost::json::parse(R"({"model":"m","messages":[
    {"role":"system","content":"be brief"},{"role":"user","content":"please add one and one"},
    {"role":"assistant","content":null,"tool_calls":[{"id":"p1","type":"function",
      "function":{"name":"calculator","arguments":"{\"expression\":\"1+1\"}"}}]},
    {"role":"tool","content":"2","tool_call_id":"p1"}],
    "tools":[{"type":"function","function":{"name":"calculator","description":"adds",
      "parameters":{"type":"object"}}},{"type":"function","function":{"name":"clock",
      "description":"","parameters":{"type":"object","properties":{}}}}],
    "stream":true,"stream_options":{"include_usage":true},"temperature":0.25,"max_tokens":100})");
  CHECK(boost::json::parse(chat_body(c)) == expected);
}

TEST_CASE("request: a prefix is a last assistant message to be continued") {
  auto c = sample();
  c.prefix = "The sum";
  const auto body = boost::json::parse(chat_body(c)).as_object();
  const auto& last = body.at("messages").as_array().back().as_object();
  CHECK(last.at("role") == "assistant");
  CHECK(last.at("content") == "The sum");
  CHECK(body.at("continue_final_message") == true);
  CHECK(body.at("add_generation_prompt") == false);
  CHECK(chat_body(c).find("sk-very") == std::string::npos);
}

TEST_CASE("request: pictures go to a target that takes them, each in its provider's own form") {
  testing::temp_folder folder;
  const auto path = folder / "p.png";
  std::ofstream(path) << "png!";
  std::ofstream(folder / "empty");
  CHECK_FALSE(read_picture("image/png", path + ".gone"));
  CHECK_FALSE(read_picture("image/png", folder / "empty"));
  auto c = sample();
  c.messages[1].pictures = {*read_picture("image/png", path)};
  const auto chat = [&] { return boost::json::parse(chat_body(c)).at("messages").at(1); };
  const auto responses = [&] { return boost::json::parse(responses_body(c)).at("input").at(0); };
  const auto anthropic = [&] { return boost::json::parse(anthropic_body(c)).at("messages").at(0); };
  CHECK(chat().at("content") == "please add one and one");
  CHECK(responses().at("content") == "please add one and one");
  CHECK(anthropic().at("content").as_array().size() == 1);
  c.target.pictures = true;
  CHECK(chat() == boost::json::parse(R"({"role":"user","content":[
    {"type":"text","text":"please add one and one"},
    {"type":"image_url","image_url":{"url":"data:image/png;base64,cG5nIQ=="}}]})"));
  CHECK(responses() == boost::json::parse(R"({"type":"message","role":"user","content":[
    {"type":"input_text","text":"please add one and one"},
    {"type":"input_image","image_url":"data:image/png;base64,cG5nIQ=="}]})"));
  CHECK(anthropic() == boost::json::parse(R"({"role":"user","content":[
    {"type":"image","source":{"type":"base64","media_type":"image/png","data":"cG5nIQ=="}},
    {"type":"text","text":"please add one and one"}]})"));
}

TEST_CASE("provider error: every status has its code") {
  struct row {
    unsigned status;
    const char *body, *code;
    bool retryable, prefix_refused;
  };
  const row rows[] = {
      {400, R"({"error":{"message":"bad field"}})", "llm.bad_request", false, true},
      {400, R"({"error":{"message":"This model's maximum context length is 8"}})",
       "llm.context_exceeded", false, false},
      {400, R"({"error":{"message":"x","code":"context_length_exceeded"}})", "llm.context_exceeded",
       false, false},
      {401, "", "llm.auth", false, false},
      {403, "", "llm.auth", false, false},
      {404, R"({"error":{"message":"no such model"}})", "llm.bad_request", false, false},
      {413, R"({"message":"too many tokens"})", "llm.context_exceeded", false, false},
      {422, "rubbish", "llm.bad_request", false, true},
      {429, "", "llm.rate_limited", true, false},
      {500, "", "llm.provider_error", true, false},
      {503, "<html>", "llm.provider_error", true, false},
      {302, "", "llm.bad_request", false, true},
  };
  auto c = sample();
  c.prefix = "so far";
  for (const auto& r : rows) {
    CAPTURE(r.status);
    CAPTURE(r.body);
    const auto end = refused_with(r.status, r.body, c);
    REQUIRE(end.error);
    CHECK(end.error->code == r.code);
    CHECK(end.error->retryable == r.retryable);
    CHECK(end.prefix_refused == (r.prefix_refused && r.status >= 400));
    CHECK(end.error->detail.find(std::to_string(r.status)) != std::string::npos);
  }
}

TEST_CASE("provider error: what is shown holds neither key nor message text and is short") {
  const auto c = sample();
  CHECK(presentable("unknown field 'foo'", c) == "unknown field 'foo'");
  CHECK(presentable("Incorrect API key: sk-very-secret-key", c).empty());
  CHECK(presentable("Incorrect API key: sk-very-****", c).empty());
  CHECK(presentable("cannot parse: please add one and", c).empty());
  CHECK(presentable("line\none\x01", c) == "line one ");
  CHECK(presentable(std::string(500, 'x'), c).size() == 200);
  CHECK(presentable(std::string(199, 'x') + "é", c).size() == 199);
}

TEST_CASE("provider error: Retry-After is seconds or a date") {
  constexpr std::int64_t now = 784111777000;  // Sun, 06 Nov 1994 08:49:37 GMT
  CHECK(parse_retry_after_ms("3", now) == 3000);
  CHECK(parse_retry_after_ms("Sun, 06 Nov 1994 08:49:47 GMT", now) == 10000);
  CHECK(parse_retry_after_ms("Sun, 06 Nov 1994 08:00:00 GMT", now) == 0);
  CHECK(parse_retry_after_ms("-4", now) == 0);
  CHECK(parse_retry_after_ms("soon", now) == 0);
  CHECK(parse_retry_after_ms("", now) == 0);
  CHECK(parse_retry_after_ms("99999999999", now) == 24u * 3600 * 1000);
  CHECK(refused({429, "", "7", "1500", now}, sample()).retry_after_ms == 1500);
}

TEST_CASE("response reader: cut at every byte it reads the same, interim responses passed over") {
  const std::string wire =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nRetry-After: b\r\n"
      "Transfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n1;ext=1\r\n \r\n5\r\nworld\r\n0\r\nTrailer: x\r\n\r\n";
  for (std::size_t n = 0; n <= wire.size(); ++n) {
    CAPTURE(n);
    std::string body;
    response_reader reader([&](std::string_view bytes) { body += bytes; });
    CHECK(reader.feed(std::string_view(wire).substr(0, n)));
    CHECK(reader.feed(std::string_view(wire).substr(n)));
    CHECK(reader.done());
    CHECK(reader.keep_alive());
    CHECK(reader.status() == 200);
    CHECK(reader.header("retry-after") == "b");
    CHECK(reader.header("content-encoding").empty());
    CHECK(body == "hello world");
  }
}

TEST_CASE("response reader: what is not HTTP is refused, an open end is told from a cut") {
  response_reader rubbish([](std::string_view) {});
  CHECK(!rubbish.feed("SSH-2.0-OpenSSH\r\n\r\n"));
  response_reader open_end([](std::string_view) {});
  CHECK(open_end.feed("HTTP/1.1 200 OK\r\n\r\nabc"));
  CHECK(!open_end.done());
  CHECK(open_end.end_of_connection());
  response_reader cut([](std::string_view) {});
  CHECK(cut.feed("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"));
  CHECK(!cut.end_of_connection());
}
