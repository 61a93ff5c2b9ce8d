#include <doctest/doctest.h>

#include <chrono>
#include <random>
#include <string>
#include <thread>

#include "security/memory_documents.hpp"
#include "security/pii/egress_guard.hpp"
#include "security/pii/json_strings.hpp"
#include "security/pii/screen.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::security;
using namespace soma::security::pii;

namespace {

const tenant_id ours{"ours"}, theirs{"theirs"};

std::string redacted_json(std::string json) {
  screen s(true);
  s.json(json);
  return json;
}

}  // namespace

TEST_CASE("json strings: are seen without their escapes, and all else stays to the byte") {
  std::string seen;
  std::string json = R"({ "a" : ["x\n\"y\u00e9\ud83d\ude00", 1.50, true],"b\\":"" } "c")";
  const auto before = json;
  REQUIRE(change_strings(json, [&](std::string_view text) -> std::optional<std::string> {
    seen.append(text).push_back('|');
    return std::nullopt;
  }));
  CHECK(seen == "a|x\n\"yé😀|b\\||c|");
  CHECK(json == before);
  REQUIRE(change_strings(json, [](std::string_view text) {
    return text == "a" ? std::optional<std::string>("n\"\n") : std::nullopt;
  }));
  CHECK(json == R"({ "n\"\n" : ["x\n\"y\u00e9\ud83d\ude00", 1.50, true],"b\\":"" } "c")");
  for (const std::string wrong : {R"({"a)", R"(["a\)"}) {
    auto kept = wrong;
    CHECK_FALSE(change_strings(kept, [](std::string_view) { return std::string("z"); }));
    CHECK(kept == wrong);
  }
}

TEST_CASE("json strings: an escape that is none hides nothing beside it") {
  std::string seen;
  const auto look = [&](std::string_view text) -> std::optional<std::string> {
    seen.append(text).push_back('|');
    return std::nullopt;
  };
  std::string json =
      R"(["a\x1","\ud83d","\udc00b","\ud83d\n","\u12","\ud83d\u0041", "\u00e9\ud83d\ude00"])";
  REQUIRE(change_strings(json, look));
  CHECK(seen == "a\ufffd1|\ufffd|\ufffdb|\ufffd\n|\ufffd12|\ufffdA|é😀|");
  CHECK(redacted_json(R"({"a":"\ud83d","b":"x\n4111111111111111","c":"ann\u0040example.org"})") ==
        R"({"a":"\ud83d","b":"x\n[[card-1]]","c":"[[mail-1]]"})");
  CHECK(redacted_json(R"(["\q4111111111111111\ud83d"])") == "[\"\ufffd[[card-1]]\ufffd\"]");
  // A text that was cut has no strings, and is looked through as it is.
  CHECK(redacted_json(R"({"a":"x\n4111111111111111)") == R"({"a":"x\n[[card-1]])");
}

TEST_CASE("screen: what is behind an escape is found, and ids and bytes are left alone") {
  // As text the n of the escape would be a part of the address.
  CHECK(redacted_json(R"({"t":"a\nann@example.org"})") == R"({"t":"a\n[[mail-1]]"})");
  CHECK(redacted_json(R"({"ann@example.org":1})") == R"({"[[mail-1]]":1})");
  CHECK(redacted_json("no JSON: \"ann@example.org") == "no JSON: \"[[mail-1]]");
  CHECK(redacted_json("ann@example.org") == "[[mail-1]]");
  CHECK(redacted_json(R"({"a":4111111111111111,"b":[12,1.5e3],"c":"x"} )") ==
        R"({"a":"[[card-1]]","b":[12,1.5e3],"c":"x"} )");
  CHECK(redacted_json("[1,4111111111111111,12]") == R"([1,"[[card-1]]",12])");
  const std::string id = R"(["4111111111111111","41111111-1111-4111-8111-111111111111"])";
  CHECK(redacted_json(id) == R"(["[[card-1]]","41111111-1111-4111-8111-111111111111"])");
  CHECK(redacted_json("[4111 1111 1111 1111]") == R"(["[[card-1]]"])");
  std::string bytes(600, 'A');
  bytes.replace(100, 11, "=12345678Z=");
  CHECK(redacted_json('"' + bytes + '"') == '"' + bytes + '"');
  CHECK(redacted_json("\"data:image/png;base64," + bytes + '"') ==
        "\"data:image/png;base64," + bytes + '"');
  CHECK(redacted_json("\" " + bytes + '"') != "\" " + bytes + '"');
}

TEST_CASE("screen: numbers that are joined to one long word are not taken for bytes") {
  for (const std::string one : {"4111111111111111-"}) {
    std::string all;
    while (all.size() < 2 * screen::base64_bytes_min) all += one;
    all.pop_back();
    CAPTURE(one);
    CHECK(screen::finds('"' + all + '"'));
    CHECK(screen::finds("\"data:text/plain;base64," + all + '"'));
  }
  // Bytes are, by one in so many thousand at most; and then only a number that is one is changed.
  std::mt19937_64 random(7);
  constexpr std::string_view letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (int n = 0; n < 50; ++n) {
    std::string bytes = "\"";
    while (bytes.size() < 100'000) bytes.push_back(letters[random() % letters.size()]);
    bytes.push_back('"');
    REQUIRE(redacted_json(bytes) == bytes);
  }
}

TEST_CASE("screen: numbers of a schema are counted and stay, its words go") {
  screen s(true);
  std::string schema =
      R"({"type":"integer","maximum":4111111111111111,"description":"as ann@example.org"})";
  s.schema(schema);
  CHECK(schema == R"({"type":"integer","maximum":4111111111111111,"description":"as [[mail-1]]"})");
  CHECK(counts_json(s.found()) == R"({"mail":1,"card":1})");
}

TEST_CASE("screen: the same texts in the same order have the same placeholders") {
  const auto all = [] {
    screen s(true);
    std::string first = "I am ann@example.org, +49 30 901820.", second = "bob@example.org, too",
                third = R"({"to":"ann@example.org"})";
    s.text(first), s.text(second), s.json(third);
    return first + '\n' + second + '\n' + third;
  };
  CHECK(all() ==
        "I am [[mail-1]], [[phone-1]].\n[[mail-2]], too\n"
        R"({"to":"[[mail-1]]"})");
  CHECK(all() == all());
}

TEST_CASE("screen: what looks like a placeholder comes back as what it is") {
  screen s(true);
  std::string text = "Say [[mail-1]], [[mail-x]] or [[phone-2]] to ann@example.org [[mail-1";
  const auto before = text;
  s.text(text);
  CHECK(text == "Say [[mail-1]], [[mail-x]] or [[phone-1]] to [[mail-2]] [[mail-1");
  CHECK(s.words()->restore(text) == before);
  CHECK(s.found()[0] == 1);
  CHECK(s.found()[1] == 0);
}

TEST_CASE("screen: counts alone change nothing") {
  screen s(false);
  std::string text = "ann@example.org [[mail-1]]", json = R"(["bob@example.org"])";
  s.text(text), s.json(json);
  s.json(json, false);
  CHECK(text == "ann@example.org [[mail-1]]");
  CHECK(json == R"(["bob@example.org"])");
  CHECK(counts_json(s.found()) == R"({"mail":2})");
  CHECK(s.words()->size() == 0);
}

TEST_CASE("screen: a URL is read as its server reads it") {
  const auto go = [](std::string url, std::string wanted, bool stuck) {
    CAPTURE(url);
    screen s(true);
    s.url(url);
    CHECK(any(s.found()));
    CHECK(url == wanted);
    CHECK(s.is_stuck() == stuck);
  };
  go("https://x.test/?m=ann@example.org&n=1", "https://x.test/?m=%5B%5Bmail-1%5D%5D&n=1", false);
  go("https://x.test/?m=ann%40example.org", "https://x.test/?m=ann%40example.org", true);
  go("https://x.test/?c=4111+1111+1111+1111", "https://x.test/?c=4111+1111+1111+1111", true);
  screen s(true);
  std::string plain = "https://x.test/a%20b?n=12";
  s.url(plain);
  CHECK_FALSE(any(s.found()));
}

TEST_CASE("screen: words come back in each string, escaped as it has to be") {
  placeholders words;
  const std::string word = "a\"b";
  words.redact(word, {{kind::mail, 0, word.size(), {}}});
  CHECK(restore_json(words, R"({"a":["x [[mail-1]]","[[mail-2]]"]})") ==
        R"({"a":["x a\"b","[[mail-2]]"]})");
  CHECK(restore_json(words, R"({"a":"[[mail-1]])") == "{\"a\":\"a\"b");
}

TEST_CASE("screen: brackets of a stranger cost no more than other text") {
  constexpr std::size_t size = 1 << 20;
  placeholders words;
  const std::string word = "ann@example.org";
  words.redact(word, {{kind::mail, 0, word.size(), {}}});
  std::string open(size, '['), pairs;
  while (pairs.size() < size) pairs += "[[a]";
  for (const auto& text : {open, pairs}) {
    restorer back(words);
    auto got = back.feed(text);
    got += back.end();
    const bool same = got == text;  // not told: it is long
    CHECK(same);
    CHECK(back.looked_at() <= text.size() * (placeholders::bytes_max + 1));
  }
  std::string literals;
  std::size_t count = 0;
  for (; literals.size() < size; ++count) literals += "[[mail-1]] ann@example.org ";
  screen s(true);
  s.text(literals);
  CHECK(s.found()[0] == count);
  CHECK(s.merged() <= 2 * count);
}

TEST_CASE("screen: with a mark nobody is given words but for what was sent") {
  screen s(true, "kfabmcdlpoae");
  std::string text = "Ann is ann@example.org, not [[mail-2]]";
  const auto before = text;
  s.text(text);
  CHECK(text == "Ann is [[mail-1-kfabmcdlpoae]], not [[mail-2-kfabmcdlpoae]]");
  CHECK(s.words()->restore(text) == before);
  for (const std::string guess : {"[[mail-1]]", "[[mail-1-]]", "[[mail-1-kfabmcdlpoaf]]"})
    CHECK(s.words()->restore(guess) == guess);
  placeholders last("abcdefghijkl");
  const std::string ids = "123-45-6789";
  CHECK(last.redact(ids, find(ids)) == "[[national_id-1-abcdefghijkl]]");
  static_assert(std::string_view("[[national_id-10000-abcdefghijkl]]").size() <=
                placeholders::bytes_max);
}

TEST_CASE("screen: what it costs to look through 64 KiB is said") {
  const std::string line =
      "On 2026-03-01 at 10:45 we met (room 4.12, floor 3) and spoke of offer 20260301-77, worth "
      "12,500.00; see https://example.org/a?b=1 and write to ann@example.org or call +49 30 "
      "901820. ";
  std::string text;
  while (text.size() < 64 * 1024) text += line;
  const auto begun = std::chrono::steady_clock::now();
  constexpr int rounds = 20;
  for (int i = 0; i < rounds; ++i) {
    screen s(true);
    auto one = text;
    s.text(one);
    REQUIRE(s.found()[0] > 100);
  }
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begun;
  MESSAGE("64 KiB: " << took.count() / rounds << " ms");
}

TEST_CASE("guard: a tenant's mode wins over the node's, and is kept") {
  memory_documents rows;
  metrics_registry metrics;
  {
    egress_guard guard(mode::report, rows, metrics);
    REQUIRE(guard.load());
    CHECK(guard.mode_of(ours) == mode::report);
    REQUIRE(guard.set(ours, mode::redact));
    REQUIRE(guard.set(theirs, mode::deny));
    REQUIRE(guard.set(theirs, std::nullopt));
  }
  egress_guard guard(mode::off, rows, metrics);
  REQUIRE(guard.load());
  CHECK(guard.mode_of(ours) == mode::redact);
  CHECK(guard.mode_of(theirs) == mode::off);
  CHECK_FALSE(guard.own_mode(theirs));
  REQUIRE(rows.put("egress", "x", "sometimes"));
  egress_guard other(mode::off, rows, metrics);
  CHECK(other.load().has_error());
}

TEST_CASE("guard: who denies counts, and where nobody can be asked nothing leaves") {
  memory_documents rows;
  metrics_registry metrics;
  egress_guard guard(mode::off, rows, metrics);
  leaving what;
  what.tenant = "ours";
  what.to = {"llm:openai", "llm:other"};
  what.found[0] = 2;
  std::vector<decision> said;
  const auto judge = [&](mode m) {
    said.clear();
    guard.judge(m, what, [&](std::vector<decision> all) { said = std::move(all); });
  };
  judge(mode::report);
  REQUIRE(said.size() == 2);
  CHECK(said[1].unavailable);
  int asked = 0;
  guard.ask_by([&](const leaving& one, const egress_guard::told& then) {
    ++asked;
    then({{true, "r", "", false}, {one.found[0] > 1 ? false : true, "no", "too many", false}});
  });
  judge(mode::redact);
  CHECK(said[0].allow);
  CHECK(said[1].rule == "no");
  judge(mode::deny);
  CHECK(asked == 1);
  CHECK(said[0].rule == "egress.pii");
  CHECK(said[0].reason == "it holds personal data (mail: 2), which may not leave");
  CHECK_FALSE(guard.judge_waiting(mode::deny, what).allow);
  CHECK(guard.judge_waiting(mode::report, what).allow);
  guard.ask_by({});
  judge(mode::report);
  CHECK(said[0].unavailable);
  const auto page = metrics.render();
  CHECK(page.find(R"(soma_pii_egress_total{outcome="denied",to="llm"} 2)") != page.npos);
  CHECK(page.find(R"(soma_pii_found_total{kind="mail",to="llm"} 12)") != page.npos);
}

TEST_CASE("guard: who is asked may ask again, while another takes his place") {
  memory_documents rows;
  metrics_registry metrics;
  egress_guard guard(mode::off, rows, metrics);
  leaving what;
  what.to = {"llm:openai"};
  what.found[0] = 1;
  std::thread other;
  bool inner_refused = false, is_inner = false;
  guard.ask_by([&](const leaving&, const egress_guard::told& then) {
    if (is_inner) return then({{true, "", "", false}});
    is_inner = true;
    other = std::thread([&] { guard.ask_by({}); });  // waits for this call
    const auto nobody_is_there = [&] {
      bool refused = false;
      guard.judge(mode::report, what,
                  [&](const std::vector<decision>& said) { refused = said.front().unavailable; });
      return refused;
    };
    for (int n = 0; n < 2000 && !inner_refused; ++n) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      inner_refused = nobody_is_there();
    }
    then({{true, "", "", false}});
  });
  bool allowed = false;
  guard.judge(mode::report, what,
              [&](const std::vector<decision>& said) { allowed = said.front().allow; });
  other.join();
  CHECK(allowed);
  CHECK(inner_refused);
}

TEST_CASE("guard: who waits is let go where the one who was asked ends without an answer") {
  memory_documents rows;
  metrics_registry metrics;
  egress_guard guard(mode::off, rows, metrics);
  leaving what;
  what.to = {"memory:somabrain"};
  what.found[0] = 1;
  std::vector<egress_guard::told> dropped;
  guard.ask_by([&](const leaving&, const egress_guard::told& then) { dropped.push_back(then); });
  decision said;
  std::thread waits([&] { said = guard.judge_waiting(mode::report, what); });
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  guard.ask_by({});
  waits.join();
  CHECK_FALSE(said.allow);
  CHECK(said.unavailable);
}
