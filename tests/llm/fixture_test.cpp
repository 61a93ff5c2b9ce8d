// What providers send, as their documentation shows it: tests/llm/fixtures/WIRE/NAME.sse or .json,
// and NAME.expected.json, what it means. Each is read whole and cut in two at every byte.
#include <doctest/doctest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/sse_parser.hpp"
#include "core/utf8.hpp"
#include "llm/wire.hpp"

using namespace soma;
using namespace soma::llm;

namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

json::object outcome_of(std::string_view text, std::string_view thinking, const stream_end& end) {
  json::object out{{"text", text}};
  if (!thinking.empty()) out["thinking"] = thinking;
  if (end.error) {
    out["error"] = {{"code", end.error->code}, {"retryable", end.error->retryable}};
    if (end.cut) out["cut"] = true;
    return out;
  }
  out["finish_reason"] = end.finish_reason;
  json::array calls;
  for (const auto& call : end.tool_calls)
    calls.push_back({{"id", call.provider_call_id},
                     {"name", call.tool_id},
                     {"inputs", json::parse(call.inputs_json)}});
  if (!calls.empty()) out["tool_calls"] = std::move(calls);
  const auto& u = end.usage;
  if (u.prompt_tokens + u.completion_tokens > 0)
    out["usage"] = {{"prompt", u.prompt_tokens},
                    {"completion", u.completion_tokens},
                    {"cached", u.cached_tokens},
                    {"reasoning", u.reasoning_tokens}};
  if (!end.provider_state_json.empty())
    out["provider_state"] = json::parse(end.provider_state_json);
  return out;
}

// Reads it in two parts; `document`: it comes without frames.
json::object read(wire_kind wire, std::string_view bytes, std::size_t cut, bool document) {
  std::string text, thinking;
  call c;
  c.target.wire = wire;
  const auto parser = make_parser(
      c,
      [&](std::string piece, bool is_thinking) {
        CHECK(!piece.empty());
        CHECK(utf8_valid(piece));
        (is_thinking ? thinking : text) += piece;
      },
      [](std::string_view message) { return std::string(message); });
  const auto take = [&](std::string_view data) { parser->on_data(data); };
  if (document) {
    take(bytes);
  } else {
    sse_parser events(1 << 20);
    CHECK(events.feed(bytes.substr(0, cut), take));
    CHECK(events.feed(bytes.substr(cut), take));
    events.finish(take);
  }
  const auto end = parser->finish();
  return outcome_of(text, thinking, end);
}

std::vector<fs::path> fixtures_of(wire_kind wire) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(fs::path(FIXTURES) / to_string(wire)))
    if (!entry.path().string().ends_with(".expected.json")) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

void judge(wire_kind wire, const fs::path& path) {
  CAPTURE(path.string());
  const auto bytes = text_of(path);
  auto expected_path = path;
  expected_path.replace_extension(".expected.json");
  const auto expected = json::parse(text_of(expected_path));
  const bool document = path.extension() == ".json";
  const auto whole = read(wire, bytes, bytes.size(), document);
  CHECK(json::value(whole) == expected);
  if (json::value(whole) != expected) MESSAGE("got " << json::serialize(whole));
  for (std::size_t cut = 0; cut < bytes.size() && !document; ++cut) {
    if (read(wire, bytes, cut, document) == whole) continue;
    CAPTURE(cut);
    FAIL_CHECK("cut there it reads otherwise");
    return;
  }
}

}  // namespace

TEST_CASE("fixtures: each reads as expected, whole and cut at every byte") {
  for (const auto wire :
       {wire_kind::openai_chat, wire_kind::openai_responses, wire_kind::anthropic}) {
    const auto found = fixtures_of(wire);
    CHECK(found.size() >= 12);
    for (const auto& path : found) judge(wire, path);
  }
}

TEST_CASE("fixtures: broken off at any byte no stream is an answer unless its reason was given") {
  for (const auto wire :
       {wire_kind::openai_chat, wire_kind::openai_responses, wire_kind::anthropic}) {
    const auto bytes = text_of(fs::path(FIXTURES) / to_string(wire) / "parallel_calls.sse");
    // The call itself may be known before; that there is no other one is not.
    const auto reason =
        bytes.rfind(wire == wire_kind::openai_chat        ? "\"tool_calls\""
                    : wire == wire_kind::openai_responses ? "event: response.completed"
                                                          : "event: message_delta");
    REQUIRE(reason != bytes.npos);
    for (std::size_t n = 0; n < reason; ++n) {
      const auto got = read(wire, std::string_view(bytes).substr(0, n), 0, false);
      if (got.contains("error")) continue;
      CAPTURE(n);
      FAIL_CHECK("taken for an answer");
      break;
    }
  }
}
