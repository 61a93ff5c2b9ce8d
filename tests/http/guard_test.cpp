// What stands before every handler: Host and Origin, the request's id, its trace, its identity, and
// its body's schema.
#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "core/codes.hpp"
#include "core/limits.hpp"
#include "core/uuid.hpp"
#include "http/net_world.hpp"

using namespace soma;
using namespace soma::http;

namespace {

std::string get(const std::string& path, const std::string& fields,
                const std::string& method = "GET") {
  return method + " " + path + " HTTP/1.1\r\n" + fields + "\r\n";
}

server_options guarded() {
  server_options options;
  options.guard = host_guard({"soma.example", "proxy.example:8443"});
  return options;
}

void expect_problem(std::uint16_t port, const std::string& request, int status,
                    std::string_view code) {
  CAPTURE(request);
  const auto answer = talk(port, request);
  CHECK(status_of_text(answer) == status);
  CHECK(code_of(answer) == code);
  CHECK(count_responses(answer) == 1);
}

class one_key final : public authenticator {
 public:
  asio::awaitable<result<app::caller>> authenticate(const request_context& ctx,
                                                    app::access) override {
    if (!ctx.has_header("Authorization")) co_return error(codes::auth_required, "who are you?");
    if (ctx.header("Authorization") != "Bearer good") co_return error(codes::auth_invalid, "no");
    app::caller who;
    who.role = app::role::user;
    co_return who;
  }
};

}  // namespace

TEST_CASE("guard: a Host that is not this server's is refused (DNS rebinding)") {
  const auto server = start_test_server(guarded());
  for (const std::string host :
       {"evil.example", "evil.example:21016", "localhost.evil.example", "127.0.0.1.evil.example",
        "127.0.0.2", "[::2]", "localhost:", "proxy.example", "proxy.example:80", "soma.example.",
        "", "0.0.0.0", "localhost:123456"})
    expect_problem(server->port(), get("/ping", "Host: " + host + "\r\n"), 421,
                   codes::host_refused);
  for (const std::string host :
       {"localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:65535", "[::1]", "[::1]:80",
        "soma.example", "Soma.Example:443", "proxy.example:8443"}) {
    CAPTURE(host);
    const auto answer = ask(server->port(), get("/ping", "Host: " + host + "\r\n"));
    CHECK(status_of_text(answer) == 200);
  }
}

TEST_CASE("guard: a foreign Origin is refused for every method") {
  const auto server = start_test_server(guarded());
  for (const std::string origin :
       {"http://evil.example", "null", "http://localhost:1", "http://127.0.0.1:21016", "localhost",
        "http://localhost:21016.evil.example", "http://", "://localhost:21016", "file://"})
    for (const char* method : {"GET", "POST", "OPTIONS", "HEAD"}) {
      CAPTURE(origin);
      const auto answer =
          talk(server->port(),
               get("/ping", "Host: localhost:21016\r\nOrigin: " + origin + "\r\n", method));
      CHECK(status_of_text(answer) == 403);
    }
  for (const std::string origin : {"http://localhost:21016", "https://LOCALHOST:21016",
                                   "https://soma.example", "https://proxy.example:8443"}) {
    CAPTURE(origin);
    const auto answer =
        ask(server->port(),
            get("/ping", "Host: localhost:21016\r\nOrigin: " + std::string(origin) + "\r\n"));
    CHECK(status_of_text(answer) == 200);
  }
  // The last of two is looked at, too.
  expect_problem(
      server->port(),
      get("/ping", "Host: localhost\r\nOrigin: http://localhost\r\nOrigin: http://evil\r\n"), 403,
      codes::origin_refused);
}

TEST_CASE("guard: HTTP/1.0 without Host does not lead around the Origin check") {
  const auto server = start_test_server();
  const auto answer = talk(server->port(), "GET /ping HTTP/1.0\r\nOrigin: http://evil\r\n\r\n");
  CHECK(status_of_text(answer) == 403);
}

TEST_CASE("guard: another site's request with a cookie may change nothing") {
  const auto server = start_test_server();
  const std::string from_elsewhere =
      "Host: localhost\r\nSec-Fetch-Site: cross-site\r\nContent-Length: 0\r\n";
  const auto cookie = from_elsewhere + "Cookie: soma_session=x\r\n";
  expect_problem(server->port(), get("/echo", cookie, "POST"), 403, codes::origin_refused);
  CHECK(status_of_text(ask(server->port(), get("/echo", from_elsewhere, "POST"))) == 200);
  CHECK(status_of_text(ask(server->port(), get("/ping", cookie))) == 200);  // a link leads here
  for (const char* site : {"same-origin", "none"}) {
    const auto own =
        "Host: localhost\r\nCookie: soma_session=x\r\nContent-Length: 0\r\n"
        "Sec-Fetch-Site: " +
        std::string(site) + "\r\n";
    CHECK(status_of_text(ask(server->port(), get("/echo", own, "POST"))) == 200);
  }
}

TEST_CASE("request id: one that is given and harmless comes back, else a new one") {
  const auto server = start_test_server();
  const auto id_for = [&](const std::string& field) {
    return header_of(ask(server->port(), get("/ping", "Host: localhost\r\n" + field)),
                     "X-Request-ID");
  };
  CHECK(id_for("X-Request-ID: abc-DEF_1.2\r\n") == "abc-DEF_1.2");
  CHECK(id_for("x-request-id: " + std::string(128, 'a') + "\r\n") == std::string(128, 'a'));
  CHECK(is_uuid(id_for("")));
  CHECK(id_for("") != id_for(""));
  for (const auto& given :
       {std::string(129, 'a'), std::string("a b"), std::string("a\tb"), std::string("<script>"),
        std::string("\"quoted\""), std::string("a;b"), std::string("\xc3\xa4"), std::string("")}) {
    CAPTURE(given);
    CHECK(is_uuid(id_for("X-Request-ID: " + given + "\r\n")));
  }
  // Also in every error, and the same in its body.
  const auto problem =
      ask(server->port(), get("/nowhere", "Host: localhost\r\nX-Request-ID: me\r\n"));
  CHECK(header_of(problem, "X-Request-ID") == "me");
  CHECK(body_of(problem).find("\"request_id\":\"me\"") != std::string::npos);
}

TEST_CASE("trace: a well-formed traceparent goes on, else a new trace begins") {
  const auto server = start_test_server();
  const auto trace_for = [&](const std::string& parent) {
    return body_of(
        ask(server->port(), get("/trace", "Host: localhost\r\ntraceparent: " + parent + "\r\n")));
  };
  const std::string id = "4bf92f3577b34da6a3ce929d0e0e4736";
  CHECK(trace_for("00-" + id + "-00f067aa0ba902b7-01") == id);
  for (const auto& bad : {"00-" + std::string(32, '0') + "-00f067aa0ba902b7-01",
                          "00-" + id + "-00f067aa0ba902b7", "00-" + id + "-0000000000000000-01",
                          "ff-" + id + "-00f067aa0ba902b7-01", "00-" + id + "-00F067AA0BA902B7-01",
                          std::string("x"), "00-" + id.substr(1) + "g-00f067aa0ba902b7-01"}) {
    CAPTURE(bad);
    const auto made = trace_for(bad);
    CHECK(made != id);
    CHECK(made.size() == 32);
    CHECK(made.find_first_not_of("0123456789abcdef") == std::string::npos);
  }
}

TEST_CASE("identity: a route that wants one answers 401 before it reads a body") {
  one_key keys;
  server_options options;
  options.authenticator = &keys;
  const auto server = start_test_server(std::move(options));
  expect_problem(server->port(), get("/secret", "Host: localhost\r\nConnection: close\r\n"), 401,
                 codes::auth_required);
  expect_problem(server->port(),
                 get("/secret",
                     "Host: localhost\r\nConnection: close\r\n"
                     "Authorization: Bearer bad\r\n"),
                 401, codes::auth_invalid);
  const auto large = "Host: localhost\r\nContent-Length: 99\r\nExpect: 100-continue\r\n";
  CHECK(status_of_text(ask(server->port(), get("/secret", large))) == 401);
  const auto good = get("/secret", "Host: localhost\r\nAuthorization: Bearer good\r\n");
  CHECK(body_of(ask(server->port(), good)) == "told");
  const auto none = start_test_server();  // fail closed
  CHECK(status_of_text(ask(none->port(), good)) == 401);
}

TEST_CASE("query: parameters that are unknown, repeated or cannot be decoded are refused") {
  const auto server = start_test_server();
  const auto answer_to = [&](const std::string& query) {
    return ask(server->port(), get("/query" + query, "Host: localhost\r\n"));
  };
  CHECK(body_of(answer_to("")) == "none");
  CHECK(body_of(answer_to("?after=a%20b+c%2Bd")) == "a b c+d");
  CHECK(body_of(answer_to("?&after=1&")) == "1");
  CHECK(body_of(answer_to("?after")) == "");
  std::string many = "?";
  for (int i = 0; i < 40; ++i) many += "after=1&";
  for (const auto& query :
       {std::string("?x=1"), std::string("?after=1&after=2"), std::string("?after=%"),
        std::string("?after=%00"), std::string("?after=%ff"), many}) {
    CAPTURE(query);
    const auto answer = answer_to(query);
    CHECK(status_of_text(answer) == 400);
    CHECK(code_of(answer) == codes::request_invalid_parameter);
  }
  CHECK(answer_to("?x%22=1").find("\"parameter\":\"x\\\"\"") != std::string::npos);
}

// ---- bodies against their schemas ----

namespace {

constexpr std::string_view schema =
    R"({"type":"object","additionalProperties":false,"required":["name"],"properties":{
        "name":{"type":"string","minLength":1},"data":{},
        "inner":{"type":"object","additionalProperties":false,"properties":{"x":{}}},
        "list":{"type":"array","items":{"type":"object","additionalProperties":false,
                "properties":{"id":{"type":"string"}}}}}})";

std::optional<body_schemas::refusal> judge(std::string_view body,
                                           std::string_view type = "application/json") {
  static const auto schemas = body_schemas::compile({{"thing", schema}});
  REQUIRE(schemas.has_value());
  boost::json::value out;
  return schemas->check("thing", type, body, out);
}

std::string nested(std::size_t depth) {
  return R"({"name":"n","data":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
}

}  // namespace

TEST_CASE("body: only JSON in UTF-8, each member once, not too deep") {
  CHECK_FALSE(judge(R"({"name":"n"})").has_value());
  for (const char* type : {"application/json; charset=utf-8", "Application/JSON",
                           "application/json;charset=\"utf-8\""})
    CHECK_FALSE(judge(R"({"name":"n"})", type).has_value());
  for (const char* type : {"", "text/plain", "application/x-www-form-urlencoded",
                           "application/json; charset=latin1", "application/jsonx"}) {
    CAPTURE(type);
    const auto why = judge(R"({"name":"n"})", type);
    REQUIRE(why.has_value());
    CHECK(why->why.code == codes::request_unsupported_media_type);
  }
  using namespace std::string_literals;
  for (const auto& body :
       {""s, " "s, "{"s, "{\"name\":\"n\"}x"s, "{\"name\":\"\xff\"}"s, "{'name':'n'}"s,
        "{\"name\":\"n\",}"s, "{\"name\":\"n\",\"name\":\"m\"}"s,
        "{\"name\":\"n\",\"\\u006eame\":\"m\"}"s, "{\"name\":\"n\",\"data\":{\"a\":1,\"a\":2}}"s,
        "{\"name\":\"n\",\"data\":NaN}"s, "{\"name\":\"\0\"}"s, "\xef\xbb\xbf{\"name\":\"n\"}"s,
        nested(limits::http_json_depth_max)}) {
    CAPTURE(body);
    const auto why = judge(body);
    REQUIRE(why.has_value());
    CHECK(why->why.code == codes::request_malformed_json);
  }
  CHECK_FALSE(judge(nested(limits::http_json_depth_max - 1)).has_value());
}

TEST_CASE("body: an object may have many members, not any number") {
  const auto wide = [](std::size_t members) {
    std::string body = R"({"name":"n","data":{)";
    for (std::size_t i = 0; i < members; ++i)
      body += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":{}";
    return body + "}}";
  };
  CHECK_FALSE(judge(wide(limits::json_object_members_max)).has_value());
  const auto why = judge(wide(limits::json_object_members_max + 1));
  REQUIRE(why.has_value());
  CHECK(why->why.code == codes::request_invalid);
}

TEST_CASE("body: the bound of a schema is that of its longest value") {
  const auto bound = [](std::string_view schema) {
    return body_schemas::compile({{"s", schema}})->bytes_max("s");
  };
  const auto any = std::numeric_limits<std::uint64_t>::max();
  const auto room = bound(R"({"type":"boolean"})") - 5;  // of white space
  CHECK(bound(R"({"type":"string","maxLength":10})") == room + 122);
  CHECK(bound(R"({"type":["string","null"],"maxLength":10})") == room + 122);
  CHECK(bound(R"({"type":"array","maxItems":2,"items":{"type":"boolean"}})") == room + 14);
  CHECK(
      bound(
          R"({"type":"object","additionalProperties":false,"properties":{"a":{"type":"null"}}})") ==
      room + 2 + 5 + 10);
  for (const char* open :
       {R"({})", R"({"type":"string"})", R"({"type":"array","items":{"type":"null"}})",
        R"({"type":"array","maxItems":2})", R"({"type":"object"})",
        R"({"type":"object","additionalProperties":false,"properties":{"a":{}}})"})
    CHECK(bound(open) == any);
}

TEST_CASE("body: an unknown member is named as a JSON pointer") {
  const auto field_of = [](std::string_view body) {
    const auto why = judge(body);
    REQUIRE(why.has_value());
    CHECK(why->why.code == codes::request_unknown_field);
    REQUIRE(why->members.size() == 1);
    CHECK(why->members[0].name == "field");
    return why->members[0].json;
  };
  CHECK(field_of(R"({"name":"n","titel":1})") == R"("/titel")");
  CHECK(field_of(R"({"name":"n","inner":{"y":1}})") == R"("/inner/y")");
  CHECK(field_of(R"({"name":"n","list":[{"id":"1"},{"no":1}]})") == R"("/list/1/no")");
  CHECK(field_of(R"({"name":"n","a/b~c":1})") == R"("/a~1b~0c")");
  CHECK(field_of(R"({"name":"n","it's":1})") == R"("/it's")");
}

TEST_CASE("body: what does not fit its schema is told with its place") {
  const auto why = judge(R"({"name":""})");
  REQUIRE(why.has_value());
  CHECK(why->why.code == codes::request_invalid);
  REQUIRE(why->members.size() == 1);
  CHECK(why->members[0].json.find(R"("pointer":"/name")") != std::string::npos);
  for (const char* body : {"[]", "null", "1", "{}", R"({"name":1})", R"({"name":"n","list":{}})"})
    CHECK(judge(body)->why.code == codes::request_invalid);
}
