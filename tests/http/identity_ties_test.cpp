#include "http/stream/identity_ties.hpp"

#include <doctest/doctest.h>

using namespace soma::http;

namespace {
stream_owner key(std::uint64_t which, std::int64_t expires_at_ms = 0) {
  return {which, 0, expires_at_ms};
}
}  // namespace

TEST_CASE("ties: what is tied ends with its identity, once, and nothing else does") {
  identity_ties ties;
  int mine = 0, others = 0;
  const auto a = ties.tie(key(1), [&] { ++mine; }), b = ties.tie(key(2), [&] { ++others; });
  auto let_go = ties.tie(key(1), [&] { ++others; });
  let_go.reset();
  ties.cut(key(1), 0);
  ties.cut(key(1), 0);
  CHECK(mine == 1);
  CHECK(others == 0);
}

TEST_CASE("ties: one that comes after its identity went is refused, for a minute") {
  identity_ties ties;
  ties.cut(key(1), 1000);
  ties.tick(61'000, 0);
  CHECK_FALSE(ties.tie(key(1), [] {}));
  CHECK(ties.tie(key(2), [] {}));
  ties.tick(61'001, 0);
  CHECK(ties.tie(key(1), [] {}));
}

TEST_CASE("ties: an identity that expires ends what it began") {
  identity_ties ties;
  int ended = 0;
  const auto a = ties.tie(key(1, 5000), [&] { ++ended; });
  ties.tick(0, 4999);
  CHECK(ended == 0);
  ties.tick(0, 5000);
  CHECK(ended == 1);
}

TEST_CASE("ties: what ends may take others with it") {
  identity_ties ties;
  std::shared_ptr<void> a, b;
  int ended = 0;
  a = ties.tie(key(1), [&] { ++ended, b.reset(); });
  b = ties.tie(key(1), [&] { ++ended, a.reset(); });
  ties.cut(key(1), 0);
  CHECK(ended == 1);
  auto outlives = ties.tie(key(2), [] {});
  {
    identity_ties gone;
    outlives = gone.tie(key(3), [] {});
  }
}
