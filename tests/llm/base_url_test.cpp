#include "llm/base_url.hpp"

#include <doctest/doctest.h>

using namespace soma::llm;

TEST_CASE("base url: every accepted form has one normal form, and that is its own") {
  struct row {
    const char *given, *normal;
  };
  const row rows[] = {
      {"https://api.openai.com/v1", "https://api.openai.com/v1"},
      {"https://api.openai.com/v1/", "https://api.openai.com/v1"},
      {"  HTTPS://API.OpenAI.com:443//v1//  ", "https://api.openai.com/v1"},
      {"https://api.openai.com/v1/chat/completions", "https://api.openai.com/v1"},
      {"https://api.openai.com/v1/chat/completions/", "https://api.openai.com/v1"},
      {"http://localhost:11434", "http://localhost:11434/v1"},
      {"http://localhost:80/", "http://localhost/v1"},
      {"http://localhost:443", "http://localhost:443/v1"},
      {"https://localhost:80", "https://localhost:80/v1"},
      {"http://127.0.0.1:08080/v1", "http://127.0.0.1:8080/v1"},
      {"http://[::1]:8000/v1", "http://[::1]:8000/v1"},
      {"http://[FE80::1]/", "http://[fe80::1]/v1"},
      {"https://api.anthropic.com", "https://api.anthropic.com/v1"},
      {"https://api.anthropic.com/v1/messages", "https://api.anthropic.com/v1"},
      {"https://api.openai.com/v1/responses/", "https://api.openai.com/v1"},
      {"https://host/openai/models", "https://host/openai"},
      {"https://host/a/B/v1beta/openai/", "https://host/a/B/v1beta/openai"},
      {"http://model_server.lan:9/x%20y", "http://model_server.lan:9/x%20y"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.given);
    const auto got = normalize_base_url(r.given);
    REQUIRE(got.has_value());
    CHECK(*got == r.normal);
    CHECK(*normalize_base_url(*got) == *got);
  }
}

TEST_CASE("base url: what is unsafe or no URL is refused without repeating it") {
  const char* rows[] = {"",
                        "localhost:11434",
                        "ftp://host",
                        "http://",
                        "http:///v1",
                        "https://user:pw@host/v1",
                        "https://host/v1?key=secret",
                        "https://host/v1#x",
                        "http://host:0",
                        "http://host:65536",
                        "http://host:",
                        "http://host:8o",
                        "http://ho st",
                        "http://h\\x",
                        "http://[::1",
                        "http://::1/",
                        "http://host/../v1",
                        "http://host/./v1",
                        "http://h\xC3\xB6st",
                        "http://host\r\nX: y"};
  for (const auto* given : rows) {
    CAPTURE(given);
    const auto got = normalize_base_url(given);
    REQUIRE(got.has_error());
    CHECK(got.error().code == "config.invalid");
    CHECK(got.error().detail.find("secret") == std::string::npos);
    CHECK(got.error().detail.find("pw") == std::string::npos);
  }
}

TEST_CASE("base url: the parts are those that a connection needs") {
  const auto v6 = split_base_url("https://[::1]:8443/v1");
  CHECK(v6.tls);
  CHECK(v6.host == "::1");
  CHECK(v6.port == 8443);
  CHECK(v6.host_header == "[::1]:8443");
  CHECK(v6.path == "/v1");
  const auto plain = split_base_url("http://h");
  CHECK(!plain.tls);
  CHECK(plain.port == 80);
  CHECK(plain.path.empty());
  CHECK(split_base_url("https://h").port == 443);
  CHECK(split_base_url("").host.empty());
}
