// What an atom changes as bytes: it comes back as it was, its bytes stay what they are, and nothing
// of it is read past its end.
#include "replication/atom_body.hpp"

#include <doctest/doctest.h>

#include "core/codes.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::replication;

namespace {

const session_key where{tenant_id("t"), session_id("s")};

storage::append_op full_op() {
  storage::append_op op;
  op.key = where;
  op.epoch = 7;
  op.expected_seq = 300;
  op.events = {{301, event_type::app_event, "{\"n\":1}"},
               {302, event_type::llm_delta, std::string("\0\xff", 2)}};
  storage::session_info info;
  info.title = "title";
  info.persona_id = "persona";
  info.user_id = "user";
  info.created_at_ms = 5;
  info.updated_at_ms = -6;
  info.message_count = 7;
  info.paused = true;
  info.sharing.visible_to_tenant = true;
  info.sharing.users = {"ann", "bob"};
  op.info = info;
  op.compact_seq = 299;
  op.first_seq = 302;
  op.remove = true;
  op.idempotency = {{"key", "hash", 202, "{}", 1234}};
  op.outbox = {{"sink", "payload"}};
  op.gone = {{"said", "a\n"}};
  op.documents = {{"notes", "one", "1"}};
  op.publish_staged = true;
  op.snapshot = "state";
  return op;
}

std::string hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const unsigned char c : bytes) {
    out += digits[c >> 4];
    out += digits[c & 15];
  }
  return out;
}

void same(const storage::append_op& a, const storage::append_op& b) {
  CHECK(encode_append(a) == encode_append(b));
  CHECK(a.key == b.key);
  CHECK(a.epoch == b.epoch);
  CHECK(a.info == b.info);
  CHECK(a.snapshot == b.snapshot);
  CHECK(a.remove == b.remove);
  CHECK(a.publish_staged == b.publish_staged);
  REQUIRE(a.events.size() == b.events.size());
  for (std::size_t n = 0; n < a.events.size(); ++n) {
    CHECK(a.events[n].seq == b.events[n].seq);
    CHECK(a.events[n].type == b.events[n].type);
    CHECK(a.events[n].json == b.events[n].json);
  }
}

}  // namespace

TEST_CASE("atom body: an append comes back as it was") {
  storage::append_op plain;
  plain.key = where;
  plain.epoch = 7;
  for (const auto& op : {full_op(), plain}) {
    const auto body = decode_body(encode_append(op), where, 7);
    REQUIRE(body);
    same(std::get<storage::append_op>(*body), op);
  }
}

TEST_CASE("atom body: rows, stages and what is dropped come back as they were") {
  const tenant_rows rows{{{"key", "hash", 201, "{}", -1}}, {{"one", "1"}, {"two", ""}}};
  const auto read = std::get<tenant_rows>(decode_body(encode_rows(rows), {}, 1).value());
  CHECK(encode_rows(read) == encode_rows(rows));
  CHECK(read.idempotency.front().created_at_ms == -1);
  const storage::staged_events staged{where, {{4, event_type::session_close, "{}"}}};
  const auto piece =
      std::get<storage::staged_events>(decode_body(encode_stage(staged), {}, 1).value());
  CHECK(piece.key == where);
  CHECK(piece.events.front().seq == 4);
  CHECK(std::get<discarded_stage>(decode_body(encode_discard(where), {}, 1).value()).key == where);
}

// Logs of clusters have these bytes in them: what they mean never changes.
TEST_CASE("atom body: its bytes stay what they are") {
  CHECK(hex(encode_append(full_op())) ==
        "01013fac0202ad020e077b226e223a317d0502"
        "00ff"
        "057469746c6507706572736f6e6104757365720a0b0705020361"
        "6e6e03626f62ab02ae0201036b65790468617368940302"
        "7b7da413010473696e6b077061796c6f616401047361696402610a01056e6f746573036f6e650131"
        "057374617465");
  CHECK(hex(encode_discard(where)) == "010401740173");
}

TEST_CASE("atom body: what is cut, longer or of a newer program is refused") {
  const auto bytes = encode_append(full_op());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(decode_body(std::string_view(bytes).substr(0, size), where, 7));
  }
  CHECK(decode_body(bytes + "x", where, 7).error().code == codes::storage_corrupt);
  CHECK(decode_body(std::string("\x02\x01", 2), where, 7).error().code == codes::storage_format);
  CHECK(decode_body(std::string("\x01\x09", 2), where, 7).error().code == codes::storage_format);
  auto shifted = full_op();
  shifted.events.front().seq = 300;  // not behind the head that it expects
  CHECK(decode_body(encode_append(shifted), where, 7).error().code == codes::storage_corrupt);
}
