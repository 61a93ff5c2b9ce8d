#include <doctest/doctest.h>

#include "llm/model_profile.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::llm;

TEST_CASE("model profile: what is written is read again the same") {
  const auto full = parse_profile(R"({"name":"main","role":"summarize","provider":"mine",
    "kind":"anthropic","model":"m-1","base_url":"HTTPS://Models.Example:443/api//v1/",
    "parameters":{"temperature":0,"top_p":1,"max_tokens":7,"stop":["a","b"],
      "reasoning_effort":"high","extra":{"seed":1,"nested":{"a":[null]}}},
    "resume":"prefill","context_window":1000,"prices":{"input":1.5,"cached_input":0,"output":3},
    "fallbacks":["one","two"],"enabled":false,"source":"tenant","updated_at":"x"})",
                                  "");
  REQUIRE(full);
  CHECK(full->base_url == "https://models.example/api/v1");
  CHECK(full->kind == wire_kind::anthropic);
  CHECK(full->temperature == 0.0);
  CHECK(full->prices == token_prices{1.5, 0, 3});
  CHECK(!full->enabled);
  const auto again = parse_profile(to_json(*full), "");
  REQUIRE(again);
  CHECK(*again == *full);
  const auto target = to_target(*full);
  CHECK(target.prefill);
  CHECK(target.extra_json == R"({"seed":1,"nested":{"a":[null]}})");
}

TEST_CASE("model profile: the least that is needed, and what follows from it") {
  const auto p = parse_profile(R"({"model":"m","base_url":"https://api.anthropic.com"})", "x");
  REQUIRE(p);
  CHECK(p->name == "x");
  CHECK(p->role == "dialogue");
  CHECK(p->provider == "anthropic");
  CHECK(p->kind == wire_kind::anthropic);
  CHECK(p->base_url == "https://api.anthropic.com/v1");
  CHECK(p->enabled);
  CHECK(!p->prices);
  CHECK(*parse_profile(to_json(*p), "") == *p);
  // The cached price is the input's where none is told.
  const auto priced =
      parse_profile(R"({"model":"m","base_url":"http://h","prices":{"input":2}})", "x");
  CHECK(priced->prices == token_prices{2, 2, 0});
  const auto named = parse_profile(R"({"name":"body","model":"m","base_url":"http://h"})", "path");
  CHECK(named->name == "path");
}

TEST_CASE("model profile: an error begins with the field that is wrong") {
  struct row {
    const char *members, *field;
  };
  const row rows[] = {
      {R"("name":"A")", "name: "},
      {R"("name":"-a")", "name: "},
      {R"("name":5)", "name: "},
      {R"("role":"no role")", "role: "},
      {R"("provider":"Ü")", "provider: "},
      {R"("kind":"telnet")", "kind: "},
      {R"("kind":"openai_responses","resume":"prefill")", "resume: "},
      {R"("kind":1)", "kind: "},
      {R"("model":"")", "model: "},
      {R"("model":"a\nb")", "model: "},
      {R"("base_url":"ftp://h")", "base_url: "},
      {R"("base_url":"http://u:p@h")", "base_url: "},
      {R"("base_url":null)", "base_url: "},
      {R"("resume":"sometimes")", "resume: "},
      {R"("context_window":1)", "context_window: "},
      {R"("context_window":1000.5)", "context_window: "},
      {R"("fallbacks":"one")", "fallbacks: "},
      {R"("fallbacks":["1","2","3","4","5","6","7","8","9"])", "fallbacks: "},
      {R"("fallbacks":[""])", "fallbacks: "},
      {R"("enabled":"yes")", "enabled: "},
      {R"("images":"yes")", "images: "},
      {R"("parameters":[])", "parameters: "},
      {R"("parameters":{"temperature":2.5})", "parameters.temperature: "},
      {R"("parameters":{"temperature":"hot"})", "parameters.temperature: "},
      {R"("parameters":{"top_p":-1})", "parameters.top_p: "},
      {R"("parameters":{"max_tokens":0})", "parameters.max_tokens: "},
      {R"("parameters":{"max_tokens":1e30})", "parameters.max_tokens: "},
      {R"("parameters":{"stop":[1]})", "parameters.stop: "},
      {R"("parameters":{"reasoning_effort":1})", "parameters.reasoning_effort: "},
      {R"("parameters":{"extra":1})", "parameters.extra: "},
      {R"("parameters":{"colour":1})", "parameters.colour: "},
      {R"("prices":7)", "prices: "},
      {R"("prices":{"input":-1})", "prices.input: "},
      {R"("prices":{"cached_input":"x"})", "prices.cached_input: "},
      {R"("prices":{"output":1e9})", "prices.output: "},
      {R"("prices":{"total":1})", "prices.total: "},
      {R"("api_key":"sk-secret")", "api_key: "},
  };
  for (const auto& r : rows) {
    CAPTURE(r.members);
    std::string text = "{" + std::string(r.members);
    for (const auto& [name, member] :
         {std::pair("\"name\"", R"("name":"n")"), std::pair("\"model\"", R"("model":"m")"),
          std::pair("\"base_url\"", R"("base_url":"http://h")")})
      if (text.find(name) == text.npos) text += std::string(",") + member;
    const auto p = parse_profile(text + "}", "");
    REQUIRE(!p);
    CHECK(p.error().code == "profile.invalid");
    CHECK(p.error().detail.starts_with(r.field));
    CHECK(p.error().detail.find("sk-secret") == std::string::npos);
  }
  for (const char* bad : {"", "[]", "{", "1"}) CHECK(!parse_profile(bad, "x"));
}

TEST_CASE("model profile: providers are told by their host, machines near by their address") {
  const std::pair<const char*, const char*> rows[] = {
      {"https://api.openai.com/v1", "openai"},
      {"https://eu.api.openai.com/v1", "openai"},
      {"https://notapi.openai.com.evil.example/v1", "openai_compatible"},
      {"https://evilapi.openai.com/v1", "openai_compatible"},
      {"https://me.openai.azure.com/v1", "azure"},
      {"http://localhost:11434/v1", "local"},
      {"http://127.9.9.9/v1", "local"},
      {"http://[::1]:8000/v1", "local"},
      {"http://10.0.0.7/v1", "local"},
      {"http://[fd00::7]/v1", "local"},
      {"http://169.254.169.254/v1", "local"},
      {"http://8.8.8.8/v1", "openai_compatible"},
      {"https://models.example/v1", "openai_compatible"},
  };
  for (const auto& [url, provider] : rows) {
    CAPTURE(url);
    CHECK(detect_provider(url) == provider);
  }
}
