#include "storage/head_rules.hpp"

#include <doctest/doctest.h>

#include "support/result_text.hpp"

using namespace soma;
using namespace soma::storage;

namespace {

constexpr std::uint32_t epoch = 9;
constexpr std::size_t bytes_max = 100;

append_op op_of(std::uint64_t expected_seq, int events) {
  append_op op;
  op.expected_seq = expected_seq;
  for (int n = 1; n <= events; ++n)
    op.events.push_back(
        {expected_seq + static_cast<std::uint64_t>(n), event_type::app_event, "{}"});
  return op;
}

session_head head_at(std::uint64_t seq, std::vector<epoch_start> epochs) {
  session_head head;
  head.seq = seq;
  head.epochs = std::move(epochs);
  return head;
}

std::string_view code_of(const result<session_head>& r) {
  return r ? std::string_view() : r.error().code;
}

}  // namespace

TEST_CASE("head: events of a new epoch are noted once, at the first of them") {
  auto head = next_head(nullptr, {}, op_of(0, 2), epoch, bytes_max).value();
  CHECK(head.seq == 2);
  REQUIRE(head.epochs.size() == 1);
  CHECK(head.epochs[0].epoch == epoch);
  CHECK(head.epochs[0].first_seq == 1);
  head = next_head(&head, {}, op_of(2, 1), epoch, bytes_max).value();
  CHECK(head.epochs.size() == 1);
  head = next_head(&head, {}, op_of(3, 0), epoch + 1, bytes_max).value();
  CHECK(head.epochs.size() == 1);  // an append without events writes nothing of its epoch
  head = next_head(&head, {}, op_of(3, 2), epoch + 1, bytes_max).value();
  REQUIRE(head.epochs.size() == 2);
  CHECK(head.epochs[1].first_seq == 4);
  CHECK(head.epoch_of(0) == 0);
  CHECK(head.epoch_of(1) == epoch);
  CHECK(head.epoch_of(3) == epoch);
  CHECK(head.epoch_of(4) == epoch + 1);
  CHECK(head.epoch_of(5) == epoch + 1);
  CHECK(head.epoch_of(6) == 0);
  CHECK(head.last_id() == event_id{epoch + 1, 5});
}

TEST_CASE("head: what is refused says why") {
  const auto head = head_at(5, {{epoch, 1}});
  CHECK(code_of(next_head(&head, {}, op_of(4, 1), epoch, bytes_max)) ==
        codes::session_head_mismatch);
  CHECK(code_of(next_head(nullptr, {}, op_of(1, 1), epoch, bytes_max)) ==
        codes::session_head_mismatch);
  CHECK(code_of(next_head(nullptr, {}, op_of(0, 0), epoch, bytes_max)) == codes::session_not_found);
  auto large = op_of(5, 2);
  large.events[1].json.assign(bytes_max + 1, ' ');
  CHECK(code_of(next_head(&head, {}, large, epoch, bytes_max)) == codes::event_too_large);
}

TEST_CASE("head: a staged copy becomes the log only by the append that publishes it") {
  auto publish = op_of(4, 1);
  publish.publish_staged = true;
  CHECK(code_of(next_head(nullptr, 4, op_of(4, 1), epoch, bytes_max)) == codes::session_busy);
  CHECK(code_of(next_head(nullptr, {}, publish, epoch, bytes_max)) == codes::session_not_found);
  CHECK(code_of(next_head(nullptr, 3, publish, epoch, bytes_max)) == codes::session_head_mismatch);
  const auto existing = head_at(4, {{epoch, 1}});
  CHECK(code_of(next_head(&existing, 4, publish, epoch, bytes_max)) == codes::session_busy);
  const auto head = next_head(nullptr, 4, publish, epoch, bytes_max).value();
  CHECK(head.seq == 5);
  REQUIRE(head.epochs.size() == 1);
  CHECK(head.epochs[0].first_seq == 1);
}

TEST_CASE("head: a compact read hides fleeting events below the mark only") {
  session_head head;
  head.compact_seq = 10;
  read_options all, compact{.compact = true};
  CHECK(shows(all, head, event_type::llm_delta, 9));
  CHECK_FALSE(shows(compact, head, event_type::llm_delta, 9));
  CHECK_FALSE(shows(compact, head, event_type::tool_progress, 9));
  CHECK(shows(compact, head, event_type::llm_delta, 10));
  CHECK(shows(compact, head, event_type::message_assistant, 9));
  const read_options deltas{.types = 1u << static_cast<unsigned>(event_type::llm_delta)};
  CHECK(shows(deltas, head, event_type::llm_delta, 9));
  CHECK_FALSE(shows(deltas, head, event_type::tool_progress, 9));
}

TEST_CASE("head: a list cursor comes back, whatever the session is called") {
  session_row row;
  row.head.info.updated_at_ms = 1'700'000'000'123;
  for (const char* name : {"a", "with-dash", "-", "12", ""}) {
    row.session = session_id(name);
    const auto place = parse_list_cursor(list_cursor(row));
    REQUIRE(place);
    CHECK(place->updated_at_ms == 1'700'000'000'123);
    CHECK(place->session.value == name);
  }
}

TEST_CASE("head: every title holds the empty part, the empty title no other") {
  CHECK(title_contains("", ""));
  CHECK(title_contains("abc", ""));
  CHECK_FALSE(title_contains("", "a"));
  CHECK(title_contains("abc", "C"));
  CHECK(title_contains("abc", "aB"));
  CHECK_FALSE(title_contains("abc", "abcd"));
  CHECK_FALSE(title_contains("B\xC3\xA4r", "b\xC3\x84r"));  // bytes that are no letters of ASCII
}
