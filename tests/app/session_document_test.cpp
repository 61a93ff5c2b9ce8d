#include "app/session_document.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "app/import_spool.hpp"
#include "core/codes.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::app;

namespace {

const std::string session = "11111111-1111-4111-8111-111111111111";

std::string id(int n) {
  auto digits = std::to_string(n);
  return "22222222-2222-4222-8222-" + std::string(12 - digits.size(), '0') + digits;
}

event make(std::uint64_t seq, event_body body) {
  event e;
  e.meta.id = {3, seq};
  e.meta.key = {tenant_id("t"), session_id(session)};
  e.meta.created_at_ms = 1'700'000'000'000;
  e.body = std::move(body);
  return e;
}

// One event of each kind that a live log can hold, every member set.
std::vector<event> one_of_each() {
  body::llm_request asked;
  asked.invocation_id = id(1);
  asked.message_id = id(2);
  asked.turn_id = id(3);
  asked.context_from_turn = id(3);
  asked.supersedes = id(4);
  asked.instruction = "nudge";
  asked.resume_offset = 5;
  body::llm_complete complete;
  complete.invocation_id = id(1);
  complete.message_id = id(2);
  complete.turn_id = id(3);
  complete.finish_reason = "error";
  complete.error = failure{"llm.auth", "no", false};
  body::message_assistant said{id(2), id(3), "größe\n\"x\"", {}, "[1]", true};
  said.tool_calls = {{id(5), "p", "echo", "{}"}};
  return {make(1, body::session_open{"", "a talk", id(9), "1.2"}),
          make(2, body::message_user{id(3), id(3), "hello", {{id(8)}}}),
          make(3, body::memory_recall{id(3), "q", "[]"}),
          make(4, asked),
          make(5, body::llm_delta{id(2), id(3), 0, "hm", true}),
          make(6, body::llm_delta{id(2), id(3), 0, "größe", false}),
          make(7, body::llm_restart{id(2), id(3), 2, "interrupted"}),
          make(8, said),
          make(9, body::tool_call{id(5), id(2), id(3), "p", "echo", "{}", "model"}),
          make(10, complete),
          make(11, body::tool_progress{id(5), id(3), "stdout", "x"}),
          make(12, body::tool_result{id(5), id(3), "success", "{\"a\":[1.5]}", {}, 3}),
          make(13, body::memory_write{id(6), id(2), "", id(3), "stored"}),
          make(14, body::session_state{true, "another"}),
          make(15, body::app_event{"mine", "null"}),
          make(16, body::error{{"llm.auth", "no", false}, "r", id(3)})};
}

// The lines of a document, without their newlines.
std::vector<std::string> document_of(const std::vector<event>& events) {
  app::document_writer w;
  std::vector<std::string> lines = {w.begin("{\"session_id\":\"" + session + "\"}")};
  for (const auto& e : events) lines.push_back(w.add(encode(e)));
  lines.push_back(w.end());
  for (auto& line : lines) line.pop_back();
  return lines;
}

// The code that the document is refused with, "" when it is good; `at` is the line.
std::string refusal_of(const std::vector<std::string>& lines, std::uint64_t& at) {
  app::document_reader reader;
  for (const auto& line : lines) {
    auto taken = reader.take(line);
    at = reader.line();
    if (!taken) return std::string(taken.error().code);
  }
  auto whole = reader.finish();
  return whole ? std::string() : std::string(whole.error().code);
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  const auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

}  // namespace

TEST_CASE("session document: what is written is read again, event by event") {
  const auto events = one_of_each();
  app::document_reader reader;
  std::vector<std::string> read;
  for (const auto& line : document_of(events)) {
    auto taken = reader.take(line);
    INFO(line << (taken ? "" : taken.error().detail));
    REQUIRE(taken);
    if (*taken) read.push_back(encode(**taken));
  }
  CHECK(reader.finish());
  CHECK(reader.events() == events.size());
  CHECK(reader.hash().size() == 64);
  REQUIRE(read.size() == events.size());
  for (std::size_t i = 0; i < read.size(); ++i) CHECK(read[i] == encode(events[i]));
}

TEST_CASE("session document: a document that is cut off anywhere is refused") {
  auto lines = document_of(one_of_each());
  std::uint64_t at = 0;
  while (!lines.empty()) {
    lines.pop_back();
    CHECK(refusal_of(lines, at) == codes::import_invalid);
  }
}

TEST_CASE(
    "session document: a line says each member once; what models and tools said is as it is") {
  std::uint64_t at = 0;
  const auto refused = [&](std::string_view what, std::string_view with) {
    document_writer w;
    std::vector<std::string> lines = {w.begin("{}")};
    for (const auto& e : one_of_each()) {
      auto line = encode(e);
      if (const auto found = line.find(what); found != line.npos)
        line.replace(found, what.size(), with);
      lines.push_back(w.add(line));
    }
    lines.push_back(w.end());
    for (auto& line : lines) line.pop_back();
    return refusal_of(lines, at) == codes::import_invalid;
  };
  CHECK_FALSE(refused("no such text", ""));
  CHECK(refused(R"("title":)", R"("title":"x","title":)"));
  CHECK(refused(R"("meta":)", R"("meta":{},"meta":)"));
  CHECK(refused(R"("message_id":)", R"("message_id":"x","message_id":)"));
  CHECK(refused(R"("data":null)", R"("data":{"a":1,"a":2})"));
  CHECK(refused(R"("output":{"a":[1.5]})", R"("output":1,"output":{"a":[1.5]})"));
  // A model or a tool may have said so before anybody looked.
  CHECK_FALSE(refused(R"({"a":[1.5]})", R"({"a":[1.5],"a":{"b":1,"b":2}})"));
}

TEST_CASE("session document: a changed byte, a lost line and a line too many are noticed") {
  const auto good = document_of(one_of_each());
  std::uint64_t at = 0;
  CHECK(refusal_of(good, at) == "");

  auto changed = good;
  changed[2] = replaced(changed[2], "hello", "hellO");
  CHECK(refusal_of(changed, at) == codes::import_invalid);
  CHECK(at == good.size());

  auto lost = good;
  lost.erase(lost.begin() + 5);
  CHECK(refusal_of(lost, at) == codes::import_invalid);

  auto more = good;
  more.push_back("{}");
  CHECK(refusal_of(more, at) == codes::import_invalid);
  CHECK(at == more.size());
}

TEST_CASE("session document: a line that is no event is refused where it stands") {
  const auto good = document_of(one_of_each());
  const std::vector<std::string> bad = {
      "",
      "not JSON",
      "[]",
      replaced(good[2], "message.user", "message.unknown"),
      replaced(good[2], "\"version\":\"v1\"", "\"version\":\"v2\""),
      replaced(good[2], "\"text\":", "\"txt\":"),
      replaced(good[2], "\"text\":\"hello\"", "\"text\":7"),
      replaced(good[2], id(3), "no-uuid"),
      replaced(good[2], "\"attachments\":[{\"id\"", "\"attachments\":[{\"no\""),
      replaced(good[2], "\"event_id\":\"3.2\"", "\"event_id\":\"3.1\""),
      replaced(good[2], "\"event_id\":\"3.2\"", "\"event_id\":\"-3.2\""),
      replaced(good[2], session, id(7)),
      replaced(good[2], "2023-", "23-"),
      replaced(good[1], "\"event_id\":\"3.1\"", "\"event_id\":\"3.2\""),
      encode(make(2, body::session_close{"deleted"})),
      good[2] + "\xC3",
  };
  for (const auto& line : bad) {
    auto lines = good;
    lines[2] = line;
    std::uint64_t at = 0;
    INFO(line);
    CHECK(refusal_of(lines, at) == codes::import_invalid);
    CHECK(at == 3);
  }
}

TEST_CASE("session document: the first event opens the session, the header comes before it") {
  std::uint64_t at = 0;
  auto headless = document_of(one_of_each());
  headless.erase(headless.begin());
  CHECK(refusal_of(headless, at) == codes::import_invalid);
  CHECK(at == 1);
  CHECK(refusal_of(document_of({make(2, body::session_state{})}), at) == codes::import_invalid);
  CHECK(at == 2);
  CHECK(refusal_of(document_of({}), at) == codes::import_invalid);
}

TEST_CASE("session document: a line larger than any event is refused by its size") {
  std::uint64_t at = 0;
  auto lines = document_of(one_of_each());
  lines[2] = std::string(app::document_line_bytes_max + 1, 'x');
  CHECK(refusal_of(lines, at) == codes::event_too_large);
}

TEST_CASE("session document: its messages name so many attachments, and none beyond") {
  constexpr int at_once = 32;
  document_reader read;
  const auto take = [&read](const event& e) { return read.take(encode(e)); };
  REQUIRE(read.take(document_of({make(1, body::session_open{})}).front()));
  REQUIRE(take(make(1, body::session_open{})));
  std::uint64_t seq = 1;
  int named = 0;
  while (named < static_cast<int>(document_attachments_max)) {
    body::message_user said{id(3), id(3), "look", {}};
    for (int n = 0; n < at_once; ++n) said.attachments.push_back({id(++named)});
    REQUIRE(take(make(++seq, std::move(said))));
  }
  REQUIRE(take(make(++seq, body::message_user{id(3), id(3), "again", {{id(1)}}})));
  const auto beyond =
      take(make(++seq, body::message_user{id(3), id(3), "more", {{id(named + 1)}}}));
  REQUIRE_FALSE(beyond);
  CHECK(beyond.error().code == codes::import_invalid);
}

TEST_CASE("line cutter: lines are the same however the bytes arrive, and a long one is cut") {
  const std::string text = "one\n\nthree is long\nfour";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    app::line_cutter cutter(64);
    std::vector<std::string> lines;
    auto keep = [&](std::string_view line) -> result<void> {
      lines.emplace_back(line);
      return {};
    };
    for (std::size_t i = 0; i < text.size(); i += piece)
      REQUIRE(cutter.feed(std::string_view(text).substr(i, piece), keep));
    REQUIRE(cutter.end(keep));
    CHECK(lines == std::vector<std::string>{"one", "", "three is long", "four"});
  }
  app::line_cutter cutter(8);
  std::size_t longest = 0;
  auto refuse = [&](std::string_view line) -> result<void> {
    longest = std::max(longest, line.size());
    if (line.size() > 8) return error(codes::event_too_large, "too long");
    return {};
  };
  CHECK_FALSE(cutter.feed("short\n" + std::string(100, 'x'), refuse));
  CHECK(longest == 9);
}

TEST_CASE("import spool: gives back what was put in, leaves no file, keeps the disk's last bytes") {
  const auto folder =
      std::filesystem::temp_directory_path() / ("spool-test-" + std::to_string(::getpid()));
  {
    app::import_spool spool;
    REQUIRE(spool.open(folder.string(), 0));
    CHECK(std::filesystem::is_empty(folder));
    std::string text;
    for (int i = 0; i < 100'000; ++i) text += std::to_string(i) + "\n";
    REQUIRE(spool.append(text));
    REQUIRE(spool.rewind());
    std::string back;
    for (;;) {
      auto piece = spool.read_some();
      REQUIRE(piece);
      if (piece->empty()) break;
      back += *piece;
    }
    CHECK(back == text);
    app::import_spool full;
    REQUIRE(full.open(folder.string(), UINT64_MAX / 2));
    const auto refused = full.append("x");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == codes::storage_full);
  }
  std::filesystem::remove_all(folder);
}
