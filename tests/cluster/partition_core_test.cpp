// The rule, case by case.
#include "cluster/partition_core.hpp"

#include <doctest/doctest.h>

#include "support/result_text.hpp"

#include "cluster/fact_table.hpp"
#include "core/codes.hpp"

using namespace soma;
using namespace soma::cluster;

namespace {

// A log under the hand: appends records that are right in all that a test does not say.
struct partition {
  partition_state state;
  fact_table facts;
  log_offset end = 100;

  judgement put(const record& one) {
    const auto bytes = encode(one);
    const auto offset = end++;
    auto judged = apply(state, facts, offset, bytes);
    const auto* under = std::get_if<owned>(&one.what);
    const auto* what = under ? std::get_if<atom>(&under->what) : nullptr;
    if (what && judged.what == verdict::counted) facts.carry_out(state, offset, *what, judged);
    if (what && what->source && passes_source(judged)) facts.pass(*what->source);
    return judged;
  }
  judgement be_born() { return put({1, born{"log", 3, 64, 20, 1}}); }
  claim right_claim(std::string owner) const {
    return {"log", state.claim, state.epoch + 1, owner, "of " + owner, state.claim_digest};
  }
  judgement put_claim(std::string owner) { return put({1, right_claim(std::move(owner))}); }
  template <class What>
  owned right(What what, std::int64_t time_ms = 0) const {
    return {state.claim, state.n + 1, time_ms, state.digest, std::move(what)};
  }
  template <class What>
  judgement put_owned(What what, std::int64_t time_ms = 0) {
    return put({1, right(std::move(what), time_ms)});
  }
  atom message(std::string session = "s", std::optional<std::uint64_t> expected = {}) const {
    atom one;
    one.session = {tenant_id("t"), session_id(std::move(session))};
    one.epoch = state.epoch;
    one.events = 2;
    one.expected = expected;
    return one;
  }
};

partition with_owner(const char* owner = "a") {
  partition p;
  p.be_born();
  p.put_claim(owner);
  return p;
}

struct unreadable_facts final : partition_facts {
  const error damaged{codes::storage_corrupt, "a table is damaged"};
  result<known_head> head(const session_key&) const override { return damaged; }
  result<std::optional<kept_key>> key(std::string_view) const override { return damaged; }
  result<std::optional<log_offset>> version(std::string_view, std::string_view) const override {
    return damaged;
  }
  result<std::optional<source_tag>> last_of(std::uint32_t) const override { return damaged; }
};

}  // namespace

TEST_CASE("partition: nothing counts before it is born, and it is born once") {
  partition p;
  CHECK(p.put({1, claim{"log", nowhere, 1, "a", "i", 0}}).why == reason::not_born);
  CHECK(p.put({1, owned{nowhere, 1, 0, 0, alive{}}}).why == reason::not_born);
  CHECK(p.be_born().what == verdict::counted);
  CHECK(p.put({1, born{"other", 3, 64, 1, 1}}).why == reason::born_before);
  CHECK(p.state.changelog == "log");
  CHECK(p.put_owned(alive{}).why == reason::of_older_claim);  // nobody has claimed
  CHECK(p.put_claim("a").what == verdict::counted);
  CHECK(p.state.epoch == 21);
}

TEST_CASE("partition: of two claims that replace the same one the first counts") {
  partition p = with_owner("a");
  const auto b = p.right_claim("b"), c = p.right_claim("c");
  CHECK(p.put({1, b}).what == verdict::counted);
  CHECK(p.put({1, c}).why == reason::replaces_older);
  CHECK(p.put({1, b}).why == reason::replaces_older);  // a copy of it
  CHECK(p.state.owner == "b");
  CHECK(p.state.epoch == 22);
}

TEST_CASE("partition: nothing of a zombie counts, though its epoch were the newest") {
  partition p = with_owner("a");
  const auto late = p.right(p.message());
  p.put_claim("b");
  CHECK(p.put({1, late}).why == reason::of_older_claim);
  CHECK(p.put_owned(p.message()).what == verdict::counted);
}

TEST_CASE("partition: a gap makes void what follows it, until the next claim") {
  partition p = with_owner();
  auto second = p.right(alive{});
  second.n = 2;
  CHECK(p.put({1, second}).why == reason::gap_or_copy);
  const auto first = p.right(p.message());
  CHECK(p.put({1, first}).what == verdict::counted);
  CHECK(p.put({1, first}).why == reason::gap_or_copy);
  CHECK(p.state.n == 1);
  p.put_claim("a");
  CHECK(p.put_owned(alive{}).what == verdict::counted);
}

TEST_CASE("partition: a refused atom takes its number and changes nothing") {
  partition p = with_owner();
  CHECK(p.put_owned(p.message("s", 0)).seq == 2);
  const auto refused = p.put_owned(p.message("s", 0));
  CHECK(refused.why == reason::head_differs);
  CHECK(refused.seq == 2);
  CHECK(p.state.n == 2);
  CHECK(p.put_owned(p.message("s", 2)).seq == 4);
}

TEST_CASE("partition: a key is put if it is absent, and expires by the log's own time") {
  partition p = with_owner();
  auto one = p.message();
  one.keys = {{"k", 1000}};
  const auto first = p.end;
  CHECK(p.put_owned(one, 5000).what == verdict::counted);
  const auto twin = p.put_owned(one, 5999);
  CHECK(twin.why == reason::key_exists);
  CHECK(twin.kept == kept_key{one.session, 2, 5000, first});
  // A clock behind the log's is no later for it.
  CHECK(p.put_owned(one, 10).why == reason::key_exists);
  CHECK(p.state.time_ms == 5999);
  CHECK(p.put_owned(one, 6000).what == verdict::counted);
  CHECK(p.put_owned(one, 6001).why == reason::key_exists);
}

TEST_CASE("partition: a key is looked at before the head, so that a copy is told what is kept") {
  partition p = with_owner();
  auto one = p.message("s", 0);
  one.keys = {{"k", 1000}};
  p.put_owned(one);
  CHECK(p.put_owned(one).why == reason::key_exists);
}

TEST_CASE("partition: two admins write one document, and one of them wins") {
  partition p = with_owner();
  const auto write = [&](std::optional<log_offset> expected, std::optional<std::string> value) {
    atom one;
    one.documents = {{"profiles", "main", expected, std::move(value)},
                     {"profiles", "beside", std::nullopt, "x"}};
    return p.put_owned(std::move(one)).why;
  };
  const auto first = p.end;
  CHECK(write(nowhere, "1") == reason::none);
  CHECK(write(nowhere, "2") == reason::version_differs);
  CHECK(*p.facts.version("profiles", "beside") == first);  // all of an atom or none
  const auto second = p.end;
  CHECK(write(first, "3") == reason::none);
  CHECK(write(first, "4") == reason::version_differs);
  CHECK(write(second, std::nullopt) == reason::none);
  CHECK(write(second, "5") == reason::version_differs);
  CHECK(write(std::nullopt, "6") == reason::none);
  CHECK(write(nowhere, "7") == reason::version_differs);
}

TEST_CASE("partition: a version is not given twice, whatever is deleted in between") {
  partition p = with_owner();
  atom one;
  one.documents = {{"c", "k", nowhere, "1"}};
  const auto first = p.end;
  p.put_owned(one);
  one.documents = {{"c", "k", first, std::nullopt}};
  p.put_owned(one);
  one.documents = {{"c", "k", nowhere, "1"}};
  p.put_owned(one);
  one.documents = {{"c", "k", first, "2"}};
  CHECK(p.put_owned(one).why == reason::version_differs);
}

TEST_CASE("partition: what is derived is taken once, in its source's order and without a hole") {
  partition p = with_owner();
  const auto from = [&](std::uint32_t source, log_offset offset, log_offset after) {
    atom one;
    one.source = source_tag{source, offset, after};
    return p.put_owned(std::move(one)).why;
  };
  CHECK(from(1, 10, 7) == reason::source_hole);
  CHECK(from(1, 10, nowhere) == reason::none);
  CHECK(from(1, 10, nowhere) == reason::source_seen);
  CHECK(from(1, 9, nowhere) == reason::source_seen);
  CHECK(from(2, 9, nowhere) == reason::none);
  CHECK(from(1, 12, 11) == reason::source_hole);
  CHECK(from(1, 12, 10) == reason::none);
}

TEST_CASE("partition: what is derived and refused for anything else has had its turn") {
  partition p = with_owner();
  atom one;
  one.source = source_tag{1, 10, nowhere};
  one.documents = {{"c", "k", 3, "v"}};
  const auto refused = p.put_owned(one);
  CHECK(refused.why == reason::version_differs);
  CHECK(passes_source(refused));
  one.source = source_tag{1, 12, 10};
  one.documents.clear();
  CHECK(p.put_owned(one).why == reason::none);
  one.source = source_tag{1, 10, nowhere};
  const auto again = p.put_owned(one);
  CHECK(again.why == reason::source_seen);
  CHECK_FALSE(passes_source(again));
}

TEST_CASE("partition: a document that is only looked at is judged, and stays") {
  partition p = with_owner();
  atom one;
  one.documents = {{"c", "k", nowhere, "1"}};
  const auto first = p.end;
  CHECK(p.put_owned(one).what == verdict::counted);
  one.documents = {{"c", "k", first, std::nullopt, true}, {"c", "other", {}, "2"}};
  CHECK(p.put_owned(one).what == verdict::counted);
  CHECK(p.facts.version("c", "k").value() == first);
  one.documents.front().expected = nowhere;
  CHECK(p.put_owned(one).why == reason::version_differs);
}

TEST_CASE("partition: a removed session does not begin again") {
  partition p = with_owner();
  auto last = p.message("s");
  last.removes = true;
  CHECK(p.put_owned(last).what == verdict::counted);
  CHECK(p.put_owned(p.message("s", 0)).why == reason::session_gone);
  CHECK(p.put_owned(p.message("s")).why == reason::session_gone);
}

TEST_CASE("partition: events that were made under another claim are refused") {
  partition p = with_owner();
  auto one = p.message();
  --one.epoch;
  CHECK(p.put_owned(one).why == reason::epoch_differs);
}

TEST_CASE("partition: nothing of an owner counts behind its release") {
  partition p = with_owner("a");
  CHECK(p.put_owned(release{"b"}).what == verdict::counted);
  CHECK(p.state.released_to == "b");
  CHECK(p.put_owned(alive{}).why == reason::was_released);
  CHECK(p.put_claim("c").what == verdict::counted);  // whoever is first
  CHECK_FALSE(p.state.released);
  CHECK(p.put_owned(alive{}).what == verdict::counted);
}

TEST_CASE("partition: a format is written after it was opened, and one not known stops") {
  partition p = with_owner();
  const auto before = p.state;
  const auto judged = p.put_owned(format_opened{2});
  CHECK(judged.what == verdict::stopped);
  CHECK(judged.why == reason::format_unknown);
  CHECK(p.state == before);  // a newer program begins with this record
  CHECK(p.put_owned(format_opened{1}).what == verdict::counted);
  partition newer;
  CHECK(newer.put({1, born{"log", 3, 64, 20, 2}}).why == reason::format_unknown);
}

TEST_CASE("partition: a record that cannot be read stops it, and is not stepped over") {
  partition p = with_owner();
  const auto before = p.state;
  auto bytes = encode(record{1, p.right(alive{})});
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  const auto judged = apply(p.state, p.facts, p.end, bytes);
  CHECK(judged.what == verdict::stopped);
  CHECK(judged.why == reason::unreadable);
  CHECK_FALSE(judged.detail.empty());
  CHECK(p.state == before);
}

TEST_CASE("partition: a reader that cannot read its own rows does not judge") {
  partition p = with_owner();
  const unreadable_facts facts;
  const auto judge = [&](atom one) {
    return apply(p.state, facts, p.end, encode(record{1, p.right(std::move(one))})).why;
  };
  CHECK(judge(p.message()) == reason::facts_unreadable);
  atom one;
  one.keys = {{"k", 1}};
  CHECK(judge(one) == reason::facts_unreadable);
  one.keys.clear();
  one.source = source_tag{1, 1, nowhere};
  CHECK(judge(one) == reason::facts_unreadable);
  one.source.reset();
  one.documents = {{"c", "k", 1, "v"}};
  CHECK(judge(one) == reason::facts_unreadable);
}

TEST_CASE("partition: what is read again changes nothing") {
  partition p = with_owner();
  const auto bytes = encode(record{1, p.right(alive{})});
  CHECK(apply(p.state, p.facts, p.end, bytes).what == verdict::counted);
  const auto before = p.state;
  CHECK(apply(p.state, p.facts, p.end, bytes).why == reason::read_before);
  CHECK(p.state == before);
}

TEST_CASE("partition: a log of another name stops who reads it") {
  partition p = with_owner();
  auto other = p.right_claim("b");
  other.changelog = "another";
  CHECK(p.put({1, other}).why == reason::other_changelog);
}

TEST_CASE("partition: a claim or an owner with another history stops who reads it") {
  partition p = with_owner();
  auto other = p.right_claim("b");
  other.digest ^= 1;
  CHECK(p.put({1, other}).why == reason::digest_differs);
  other = p.right_claim("b");
  ++other.epoch;
  CHECK(p.put({1, other}).why == reason::digest_differs);
  auto strange = p.right(alive{});
  strange.digest ^= 1;
  CHECK(p.put({1, strange}).why == reason::digest_differs);
  strange = p.right(alive{});
  strange.claim = p.end + 5;
  CHECK(p.put({1, strange}).why == reason::digest_differs);
}

TEST_CASE("partition: two readers that judged otherwise are told apart at the next claim") {
  partition one = with_owner();
  auto message = one.message("s", 0);
  one.put_owned(message);
  partition other = one;
  // As if a row had been lost on the disk of one: it refuses what the other takes.
  other.facts = {};
  const auto next = record{1, one.right(one.message("s", 2))};
  CHECK(one.put(next).what == verdict::counted);
  CHECK(other.put(next).what == verdict::refused);
  CHECK(one.state.digest == other.state.digest);
  const auto claimed = record{1, one.right_claim("b")};
  CHECK(one.put(claimed).what == verdict::counted);
  CHECK(other.put(claimed).what == verdict::counted);
  const auto first = record{1, one.right(alive{})};
  CHECK(one.put(first).what == verdict::counted);
  CHECK(other.put(first).why == reason::digest_differs);
}

TEST_CASE("partition: what is known of it is stored whole or not read") {
  partition p = with_owner("a");
  p.put_owned(p.message(), 123);
  p.put_owned(release{"b"});
  const auto bytes = encode(p.state);
  const auto again = decode_partition_state(bytes);
  REQUIRE(again);
  CHECK(*again == p.state);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(decode_partition_state(std::string_view(bytes).substr(0, size)));
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    auto flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    CHECK_FALSE(decode_partition_state(flipped));
  }
}

TEST_CASE("partition: every reason has a name of its own") {
  CHECK(to_string(reason::none) == "none");
  CHECK(to_string(reason::format_not_opened) == "format_not_opened");
  CHECK(to_string(reason::key_exists) == "key_exists");
  CHECK(to_string(reason::unreadable) == "unreadable");
  CHECK(to_string(reason::facts_unreadable) == "facts_unreadable");
}
