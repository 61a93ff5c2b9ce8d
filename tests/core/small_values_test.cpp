#include <doctest/doctest.h>

#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "core/boxed.hpp"
#include "core/etag.hpp"
#include "core/small_queue.hpp"

using namespace soma;

TEST_CASE("small queue: first in, first out, as a deque, whatever the order of pushes and pops") {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    small_queue<std::vector<int>> queue;
    std::deque<std::vector<int>> model;
    for (int n = 0; n < 400; ++n) {
      if (model.empty() || random() % 5 < 3) {
        queue.push_back({n, round});
        model.push_back({n, round});
      } else {
        REQUIRE(queue.front() == model.front());
        queue.pop_front();
        model.pop_front();
      }
      REQUIRE(queue.size() == model.size());
      REQUIRE(queue.empty() == model.empty());
      if (model.empty()) continue;
      REQUIRE(queue.back() == model.back());
      REQUIRE(std::vector(queue.begin(), queue.end()) == std::vector(model.begin(), model.end()));
    }
    queue.clear();
    CHECK(queue.empty());
  }
}

TEST_CASE("small queue: what has left it is gone at once") {
  small_queue<std::shared_ptr<int>> queue;
  const auto one = std::make_shared<int>(1);
  for (int n = 0; n < 3; ++n) queue.push_back(one);
  CHECK(one.use_count() == 4);
  queue.pop_front();
  CHECK(one.use_count() == 3);
  auto moved = std::move(queue);
  CHECK(moved.size() == 2);
  CHECK(queue.empty());  // NOLINT: what was moved from can be used again
  queue.push_back(one);
  CHECK(queue.front() == one);
  queue = std::move(moved);
  CHECK(queue.size() == 2);
  CHECK(moved.empty());  // NOLINT
  queue.clear();
  CHECK(one.use_count() == 1);
}

TEST_CASE("boxed: as an optional, copied deeply") {
  boxed<std::vector<int>> one;
  CHECK(!one);
  one = std::vector<int>{1};
  auto other = one;
  other->push_back(2);
  CHECK(*one == std::vector<int>{1});
  CHECK(*other == std::vector<int>{1, 2});
  one = other;
  one = *&one;
  CHECK(*one == *other);
  const auto moved = std::move(one);
  CHECK(moved.has_value());
  other.emplace(3u, 4);
  CHECK(*other == std::vector<int>{4, 4, 4});
  other.reset();
  CHECK(!other.has_value());
  other = moved;
  CHECK(other.has_value());
  other = std::nullopt;
  CHECK(!other);
}

TEST_CASE("etag: If-Match permits by nothing, by any, by one and by a list, and only strongly") {
  for (const char* yes :
       {"", " ", "*", "\"a\"", " \"a\" ", "\"b\", \"a\"", "\"b\",\"a\",", ",\"a\""}) {
    CAPTURE(yes);
    CHECK(if_match_permits(yes, "\"a\""));
  }
  for (const char* no :
       {"a", "W/\"a\"", "\"b\"", "\"b\", W/\"a\"", "\"a", ",", "\"a\" \"b\"", "\"b\", *"}) {
    CAPTURE(no);
    CHECK_FALSE(if_match_permits(no, "\"a\""));
  }
  CHECK(if_match_permits("", ""));
  CHECK_FALSE(if_match_permits("*", ""));
}
