#include "memory/item.hpp"

#include <doctest/doctest.h>

#include "core/limits.hpp"
#include "support/result_text.hpp"

using namespace soma;
using memory::change;

namespace {

const session_key mine{tenant_id("t"), session_id("s1")};

event made(event_body body) {
  event e;
  e.meta.created_at_ms = 1'700'000'000'123;
  e.body = std::move(body);
  return e;
}

memory::item only_item(const storage::append_op& op) {
  REQUIRE(op.documents.size() == 2);
  auto read = memory::decode_item(op.documents[0].value);
  REQUIRE(read);
  return *read;
}

}  // namespace

TEST_CASE("memory item: reads back what it wrote, whatever its text is") {
  memory::item it;
  it.memory_id = "m1";
  it.kind = "note";
  it.text = "a \"quote\",\nein Umlaut ä, 日本語 and \x01";
  it.cut = true;
  it.role = "user";
  it.tags = {"x", "y z"};
  it.importance = 0.25;
  it.pinned = true;
  it.session_id = "s";
  it.message_id = "g";
  it.tool_call_id = "c";
  it.attachment_id = "a";
  it.place_json = R"({"page":3})";
  it.owner = "ada";
  it.created_at_ms = 5;
  it.updated_at_ms = 6;
  it.state = "replicated";
  const auto read = memory::decode_item(memory::encode(it));
  REQUIRE(read);
  CHECK(*read == it);
}

TEST_CASE("memory item: what is none is refused") {
  for (const char* bad : {"", "x", "[]", "{}", R"({"memory_id":"m"})", R"({"kind":"note"})"})
    CHECK_FALSE(memory::decode_item(bad));
}

TEST_CASE("memory item: a message is remembered with its memory.write") {
  storage::append_op op;
  const std::vector<event> said = {made(body::message_user{"g1", "u1", "My daughter is Ada", {}}),
                                   made(body::memory_write{"m1", "g1", {}, "u1", "stored"})};
  memory::add_remembered(op, mine, "ben", said);
  const auto it = only_item(op);
  CHECK(it.memory_id == "m1");
  CHECK(it.kind == "message");
  CHECK(it.role == "user");
  CHECK(it.text == "My daughter is Ada");
  CHECK(it.session_id == "s1");
  CHECK(it.message_id == "g1");
  CHECK(it.owner == "ben");
  CHECK(it.created_at_ms == 1'700'000'000'123);
  CHECK(op.documents[0].key == "t\ns1\nm1");
  CHECK(op.documents[1].key == "t\nm1");
  CHECK(op.documents[1].value == "s1");
  REQUIRE(op.outbox.size() == 1);
  CHECK(op.outbox[0].sink == "memory");
  CHECK(memory::read_change(op.outbox[0].payload).value() ==
        change{change::kind::item, mine, "m1"});
}

TEST_CASE("memory item: only a final answer is remembered, and only what the append has") {
  storage::append_op op;
  body::message_assistant step{"g1", "u1", "let me see", {}, {}, false};
  memory::add_remembered(
      op, mine, "ben",
      std::vector{made(step), made(body::memory_write{"m1", "g1", {}, "u1", "stored"}),
                  made(body::memory_write{"m2", "g2", {}, "u1", "stored"}),
                  made(body::memory_write{"m3", {}, "c1", "u1", "stored"})});
  CHECK(op.documents.empty());
  CHECK(op.outbox.empty());
  step.final = true;
  memory::add_remembered(
      op, mine, "ben",
      std::vector{made(step), made(body::memory_write{"m1", "g1", {}, "u1", "stored"})});
  CHECK(only_item(op).role == "assistant");
}

TEST_CASE("memory item: a long text is cut between characters, and says so") {
  storage::append_op op;
  std::string text(limits::memory_text_bytes_max - 1, 'x');
  text += "ä and more";
  memory::add_remembered(op, mine, "ben",
                         std::vector{made(body::message_user{"g1", "u1", text, {}}),
                                     made(body::memory_write{"m1", "g1", {}, "u1", "stored"})});
  const auto it = only_item(op);
  CHECK(it.cut);
  CHECK(it.text == std::string(limits::memory_text_bytes_max - 1, 'x'));
}

TEST_CASE("memory item: a session is forgotten by its prefix, and by no other's") {
  storage::append_op op;
  memory::add_forgotten(op, mine, true);
  REQUIRE(op.gone.size() == 2);
  CHECK(op.gone[0].collection == "memory.uses");
  CHECK(op.gone[1].collection == "memory");
  CHECK(op.gone[1].prefix == "t\ns1\n");
  REQUIRE(op.outbox.size() == 1);
  CHECK(memory::read_change(op.outbox[0].payload).value() ==
        change{change::kind::session, mine, {}});
}

TEST_CASE("memory item: a change that is none is refused") {
  for (const char* bad : {"", "item", "item\nt\ns", "session\nt\ns\nm", "other\nt\ns", "used\nt\ns",
                          "unused\nt\ns\n1"})
    CHECK_FALSE(memory::read_change(bad));
}

TEST_CASE("memory item: a turn that was told of some is named, and not what it was told") {
  storage::append_op op;
  auto told =
      made(body::memory_recall{"u1", "q", R"([{"memory_id":"m","text":"secret"}])", false, {}, 0});
  told.meta.id = {1, 42};
  memory::add_uses(op, mine,
                   std::vector{told, made(body::memory_recall{"u2", "q", "[]", true, "late", 0})});
  REQUIRE(op.documents.size() == 1);
  CHECK(op.documents[0].key == "t\ns1\n00000000000000000042");
  CHECK(op.documents[0].value.empty());
  REQUIRE(op.outbox.size() == 1);
  CHECK(memory::read_change(op.outbox[0].payload).value() ==
        change{change::kind::used, mine, "00000000000000000042"});
  memory::add_forgotten(op, mine, false);
  CHECK(op.gone.at(0).prefix == "t\ns1\n");
  CHECK(memory::read_change(op.outbox[1].payload).value() ==
        change{change::kind::unused, mine, {}});
}

TEST_CASE("memory item: a message without words is not worth remembering") {
  CHECK_FALSE(memory::remembers(""));
  CHECK_FALSE(memory::remembers(" \n\t"));
  CHECK(memory::remembers(" a"));
}
