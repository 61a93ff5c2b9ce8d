#include "storage/key_codec.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "support/result_text.hpp"

using namespace soma;
using namespace soma::storage;

namespace {

session_key key_of(std::string tenant, std::string session) {
  return {tenant_id(std::move(tenant)), session_id(std::move(session))};
}

std::string bytes_of(std::uint64_t value, int bytes) {
  std::string out;
  put_number(out, value, bytes);
  return out;
}

session_head full_head() {
  session_head head;
  head.seq = 300;
  head.first_seq = 7;
  head.compact_seq = 299;
  head.epochs = {{1, 1}, {5, 200}, {0xFFFFFFFF, 300}};
  head.info = {
      "a title with \xF0\x9F\xA6\x8A", "persona", "user", 1, 1'700'000'000'123, 42, true, true};
  return head;
}

// Every shorter text must be refused: a value that was cut must never be read as another.
template <class Decode>
void refuses_all_cuts(const std::string& whole, Decode decode) {
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(decode(whole.substr(0, size)));
  }
}

}  // namespace

TEST_CASE("key codec: numbers are big-endian and sort as bytes") {
  CHECK(bytes_of(0x0102030405060708, 8) == "\x01\x02\x03\x04\x05\x06\x07\x08");
  CHECK(bytes_of(0xFFFE, 4) == std::string("\0\0\xFF\xFE", 4));
  std::string before;
  for (const std::uint64_t n :
       {0ull, 1ull, 255ull, 256ull, 65535ull, 1ull << 31, 1ull << 32, ~0ull >> 1, ~0ull}) {
    const auto bytes = bytes_of(n, 8);
    CHECK(get_number(bytes) == n);
    CHECK(before < bytes);
    before = bytes;
  }
}

TEST_CASE("key codec: a session's events are one range in the order of their seqs") {
  // As a map of bytes would sort them; ids that are prefixes of each other must not mix.
  std::vector<std::string> keys;
  for (const char* tenant : {"t", "t1", "t\xff"})
    for (const char* session : {"s", "s1", "s\xff"})
      for (const std::uint64_t seq : {1ull, 2ull, 255ull, 256ull, 1ull << 40})
        keys.push_back(event_key(key_of(tenant, session), seq));
  CHECK(std::is_sorted(keys.begin(), keys.end()));
  for (const char* tenant : {"t", "t1", "t\xff"})
    for (const char* session : {"s", "s1", "s\xff"}) {
      const auto from = session_prefix(key_of(tenant, session)), to = after_prefix(from);
      const auto inside = std::count_if(keys.begin(), keys.end(),
                                        [&](const auto& k) { return from <= k && k < to; });
      CHECK(inside == 5);
    }
  CHECK(seq_of(event_key(key_of("t", "s"), 1234567890123)) == 1234567890123);
  CHECK(event_key(key_of("t", "s"), 5) == std::string("t\0s\0\0\0\0\0\0\0\0\x05", 12));
}

TEST_CASE("key codec: recency keys sort newest first inside a tenant, then by session") {
  const auto key = [](std::int64_t at, const char* session, const char* tenant = "t") {
    return recency_key(key_of(tenant, session), at);
  };
  const std::vector<std::string> newest_first = {key(std::numeric_limits<std::int64_t>::max(), "a"),
                                                 key(1'700'000'000'000, "a"),
                                                 key(1'700'000'000'000, "b"),
                                                 key(1'699'999'999'999, "a"),
                                                 key(1, "z"),
                                                 key(0, "a"),
                                                 key(9, "a", "t1")};
  CHECK(std::is_sorted(newest_first.begin(), newest_first.end()));
  CHECK(newest_first[0] < newest_first[1]);
}

TEST_CASE("key codec: a session's prefix gives its key back, other bytes give none") {
  const auto key = key_of("tenant", "session");
  CHECK(parse_session_prefix(session_prefix(key)) == key);
  using namespace std::string_literals;
  for (const auto& bad : {""s, "a"s, "a\0b"s, "\0"s, "a\0b\0c\0"s, "a\0b\0c"s})
    CHECK_FALSE(parse_session_prefix(bad));
}

TEST_CASE("key codec: an event's value is its line behind six bytes") {
  const auto bytes = event_value(event_type::llm_delta, 0x01020304, "{}");
  CHECK(bytes == std::string("\x01\x05\x01\x02\x03\x04{}", 8));
  const auto value = parse_event_value(bytes);
  REQUIRE(value);
  CHECK(value->type == event_type::llm_delta);
  CHECK(value->epoch == 0x01020304);
  CHECK(value->json == "{}");
  CHECK(parse_event_value(bytes.substr(0, 6))->json.empty());
  refuses_all_cuts(bytes.substr(0, 6), [](auto text) { return parse_event_value(text); });
}

TEST_CASE("key codec: an event's value of another version or type is refused") {
  auto bytes = event_value(event_type::app_event, 1, "{}");
  bytes[0] = 2;
  CHECK_FALSE(parse_event_value(bytes));
  bytes[0] = 1;
  for (const int type : {0, event_type_max + 1, 255}) {
    bytes[1] = static_cast<char>(type);
    CHECK_FALSE(parse_event_value(bytes));
  }
  bytes[1] = static_cast<char>(event_type_max);
  CHECK(parse_event_value(bytes));
}

TEST_CASE("key codec: a head of a session that is shared says with whom") {
  auto head = full_head();
  head.info.sharing.visible_to_tenant = true;
  const auto visible = encode_head(head);
  REQUIRE(decode_head(visible));
  CHECK(decode_head(visible)->info == head.info);
  head.info.sharing = {false, {"ann", "bob"}};
  const auto shared = encode_head(head);
  REQUIRE(decode_head(shared));
  CHECK(decode_head(shared)->info == head.info);
  refuses_all_cuts(shared, [](auto text) { return decode_head(text); });
  // Programs of before read no head of such a version.
  CHECK(shared[0] == 2);
}

TEST_CASE("key codec: a head as the version before wrote it is its owner's alone") {
  // version, seq, first, compact, one epoch, then title, persona and user, times, messages, flags.
  std::string bytes(1, 1);
  const auto number = [&](std::uint64_t value, int size) { put_number(bytes, value, size); };
  number(3, 8), number(1, 8), number(0, 8), number(1, 4), number(7, 4), number(1, 8);
  for (const std::string text : {"Title", "", "ann"}) number(text.size(), 4), bytes += text;
  number(5, 8), number(6, 8), number(1, 8), number(0, 1);
  const auto head = decode_head(bytes);
  REQUIRE(head);
  CHECK(head->info.user_id == "ann");
  CHECK(head->info.sharing.is_private());
  CHECK(encode_head(*head) == bytes);  // and is written so as long as it is
}

TEST_CASE("key codec: a head comes back as it was, cut short it is refused") {
  const auto head = full_head();
  const auto bytes = encode_head(head);
  const auto back = decode_head(bytes);
  REQUIRE(back);
  CHECK(back->seq == head.seq);
  CHECK(back->first_seq == head.first_seq);
  CHECK(back->compact_seq == head.compact_seq);
  CHECK(back->info == head.info);
  REQUIRE(back->epochs.size() == 3);
  CHECK(back->epochs[2].epoch == 0xFFFFFFFF);
  CHECK(back->epochs[2].first_seq == 300);
  refuses_all_cuts(bytes, [](auto text) { return decode_head(text); });
  CHECK_FALSE(decode_head("\x02" + bytes.substr(1)));
}

TEST_CASE("key codec: a count that no value could hold is refused, not allocated") {
  auto bytes = encode_head(full_head());
  for (int at = 25; at < 29; ++at) bytes[static_cast<std::size_t>(at)] = '\xFF';  // the epochs
  CHECK_FALSE(decode_head(bytes));
  bytes = encode_head(full_head());
  for (int at = 65; at < 69; ++at) bytes[static_cast<std::size_t>(at)] = '\xFF';  // the title
  CHECK_FALSE(decode_head(bytes));
}

TEST_CASE("key codec: an idempotency record comes back as it was, cut short it is refused") {
  const idempotency_record record{"the key", "the hash", 202, "{\"a\":1}", 1'700'000'000'123};
  const auto bytes = encode_record(record);
  const auto back = decode_record("the key", bytes);
  REQUIRE(back);
  CHECK(back->key == record.key);
  CHECK(back->request_hash == record.request_hash);
  CHECK(back->status == record.status);
  CHECK(back->response_json == record.response_json);
  CHECK(back->created_at_ms == record.created_at_ms);
  refuses_all_cuts(bytes, [](auto text) { return decode_record("the key", text); });
  CHECK_FALSE(decode_record("the key", "\x02" + bytes.substr(1)));
}

TEST_CASE("key codec: bytes behind a value are refused: they are of something else") {
  CHECK_FALSE(decode_head(encode_head(full_head()) + "x"));
  CHECK_FALSE(decode_record("k", encode_record({"k", "h", 200, "{}", 1}) + "x"));
}

TEST_CASE("key codec: an event's key is told from what begins a deletion of events") {
  // Ids of all lengths, one of seven characters above all: eight bytes end its prefix as a number
  // ends an event's key.
  for (std::size_t length = 1; length <= 40; ++length) {
    const session_key key{tenant_id("t"), session_id(std::string(length, 's'))};
    const auto prefix = session_prefix(key);
    for (const std::uint64_t seq : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}})
      CHECK(prefix_of_event(event_key(key, seq)) == prefix);
    CHECK(prefix_of_event(prefix).empty());
    CHECK(prefix_of_event(after_prefix(prefix)).empty());
    CHECK(prefix_of_event(tenant_prefix(key.tenant)).empty());
  }
  CHECK(prefix_of_event("").empty());
}
