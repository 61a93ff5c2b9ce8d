#include "kafka/record_headers.hpp"

#include <doctest/doctest.h>

#include <random>

#include "core/codes.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::kafka;

namespace {

const std::string trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

result<record_headers> read(std::vector<header_view> all) {
  return read_headers(all);
}

}  // namespace

TEST_CASE("kafka headers: are read as they were written") {
  const record_headers whole{trace, "req-1.A_b", "key of mine ~", 4'294'967'295u};
  const auto out = written(whole);
  REQUIRE(out.size() == 4);
  CHECK(out[3] == std::pair<std::string, std::string>("epoch", "4294967295"));
  std::vector<header_view> views;
  for (const auto& [name, value] : out) views.push_back({name, value});
  const auto again = read_headers(views);
  REQUIRE(again);
  CHECK(*again == whole);
  CHECK(written({}).empty());
  CHECK(*read({}) == record_headers{});
}

TEST_CASE("kafka headers: others are left out, and names are compared as they are") {
  const auto got = read({{"x", "y"}, {"Epoch", "no"}, {"x", std::nullopt}, {"epoch", "0"}});
  REQUIRE(got);
  CHECK(*got == record_headers{"", "", "", 0u});
}

TEST_CASE("kafka headers: a trace or request id that is none is left out") {
  const std::vector<std::string> none = {"",
                                         trace + "0",
                                         "01" + trace.substr(2),
                                         "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                                         "00-" + std::string(32, '0') + trace.substr(35),
                                         trace.substr(0, 36) + std::string(16, '0') + "-01"};
  for (const auto& wrong : none) CHECK(read({{"traceparent", wrong}})->traceparent == "");
  CHECK(read({{"traceparent", trace}})->traceparent == trace);
  CHECK(read({{"traceparent", std::nullopt}})->traceparent == "");
  CHECK(read({{"request_id", "a b"}})->request_id == "");
  CHECK(read({{"request_id", std::string(129, 'a')}})->request_id == "");
  CHECK(read({{"request_id", "a-b"}})->request_id == "a-b");
}

TEST_CASE("kafka headers: a key or epoch that is none refuses the record") {
  const auto refused = [](std::string_view name, std::optional<std::string_view> value) {
    const auto got = read({{name, value}});
    return !got && got.error().code == codes::request_invalid_parameter &&
           got.error().parameter == name;
  };
  const std::string long_key(256, 'k');
  CHECK(refused("idempotency_key", ""));
  CHECK(refused("idempotency_key", std::nullopt));
  CHECK(refused("idempotency_key", long_key));
  CHECK(refused("idempotency_key", "a\nb"));
  CHECK(refused("idempotency_key", "\xC3\xA9"));
  for (const auto* wrong : {"", "-1", "+1", "01", "4294967296", "1 ", "1.0", "x"})
    CHECK(refused("epoch", wrong));
}

TEST_CASE("kafka headers: a name that comes twice refuses the record") {
  for (const auto* name : {"traceparent", "request_id", "idempotency_key", "epoch"}) {
    const auto got = read({{name, "1"}, {"between", ""}, {name, "1"}});
    REQUIRE_FALSE(got);
    CHECK(got.error().parameter == name);
  }
}

TEST_CASE("kafka headers: past their bounds none is read") {
  const std::vector<header_view> many(headers_max + 1, header_view{"x", ""});
  CHECK(read_headers(many).error().code == codes::request_header_too_large);
  CHECK(read_headers(std::span(many).first(headers_max)));
  const std::string large(headers_bytes_max, 'x');
  CHECK(read({{"x", large}}).error().code == codes::request_header_too_large);
}

TEST_CASE("kafka headers: any bytes are headers or an error") {
  std::mt19937_64 random(3);
  const std::string_view names[] = {"traceparent", "request_id", "idempotency_key", "epoch", "x"};
  for (int i = 0; i < 20'000; ++i) {
    std::string value = random() % 2 ? trace : std::to_string(random() % 1000);
    for (auto n = random() % 3; n > 0; --n)
      value[random() % value.size()] = static_cast<char>(random());
    const auto got = read({{names[random() % 5], value}});
    if (!got) continue;
    std::vector<header_view> views;
    const auto out = written(*got);
    for (const auto& [name, text] : out) views.push_back({name, text});
    CHECK(*read_headers(views) == *got);
  }
}

TEST_CASE("kafka headers: a record from outside is known again by its key, else by its place") {
  CHECK(key_of({}, "conversation.inbound", 3, 1234567890123) ==
        "conversation.inbound/3/1234567890123");
  CHECK(key_of({"", "", "mine", {}}, "conversation.inbound", 3, 4) == "mine");
}
