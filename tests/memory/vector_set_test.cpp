#include "memory/vector_set.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>

#include "support/seed.hpp"

using namespace soma::memory;

namespace {

std::vector<float> drawn(std::mt19937_64& random, std::size_t dimension) {
  std::normal_distribution<float> one;
  std::vector<float> v(dimension);
  for (auto& x : v) x = one(random);
  REQUIRE(make_unit(v));
  return v;
}

// As texts lie: around some subjects.
std::vector<float> drawn_near(std::mt19937_64& random, const std::vector<float>& centre,
                              float spread) {
  std::normal_distribution<float> one(0, spread);
  auto v = centre;
  for (auto& x : v) x += one(random);
  REQUIRE(make_unit(v));
  return v;
}

std::vector<std::string> ids_of(const near_vectors& all) {
  std::vector<std::string> out;
  for (const auto& one : all.found) out.push_back(one.id);
  return out;
}

}  // namespace

TEST_CASE("vectors: a product is the sum of products, whatever the length") {
  std::mt19937_64 random(soma::testing::seed_of("dot"));
  for (std::size_t n : {1u, 3u, 15u, 16u, 17u, 100u, 384u, 1536u}) {
    const auto a = drawn(random, n), b = drawn(random, n);
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * b[i];
    CHECK(dot(a, b) == doctest::Approx(sum).epsilon(1e-4));
    CHECK(dot(a, a) == doctest::Approx(1).epsilon(1e-4));
  }
}

TEST_CASE("vectors: what has no direction is refused") {
  std::vector<float> none(8), infinite(8, std::numeric_limits<float>::infinity()),
      strange(8, std::numeric_limits<float>::quiet_NaN()), good{3, 4};
  CHECK_FALSE(make_unit(none));
  CHECK_FALSE(make_unit(infinite));
  CHECK_FALSE(make_unit(strange));
  REQUIRE(make_unit(good));
  CHECK(good[0] == doctest::Approx(0.6));
}

TEST_CASE("vectors: they are read back as they were written, and anything else is none") {
  stored_vector v{7, 9, {1.5f, -2, 0}}, back;
  const auto bytes = encode(v);
  REQUIRE(decode_vector(bytes, back));
  CHECK(back.model == 7);
  CHECK(back.text == 9);
  CHECK(back.values == v.values);
  REQUIRE(decode_vector(encode({1, 2, {}}), back));
  CHECK(back.values.empty());
  for (std::size_t n = 0; n < bytes.size(); ++n)
    CHECK_FALSE(decode_vector(bytes.substr(0, n), back));
  CHECK_FALSE(decode_vector(bytes + "x", back));
}

TEST_CASE("vectors: few are looked through exactly, ties by id") {
  vector_set all(2, 100);
  all.put("c", std::vector<float>{1, 0});
  all.put("a", std::vector<float>{1, 0});
  all.put("b", std::vector<float>{0, 1});
  all.put("d", std::vector<float>{-1, 0});
  const std::vector<float> east{1, 0};
  CHECK(ids_of(all.nearest(east, 10)) == std::vector<std::string>{"a", "c", "b", "d"});
  CHECK(ids_of(all.nearest(east, 1)) == std::vector<std::string>{"a"});
  CHECK_FALSE(all.nearest(east, 10).approximate);
  all.put("a", std::vector<float>{0, -1});
  CHECK(ids_of(all.nearest(east, 1)) == std::vector<std::string>{"c"});
  all.put("c", std::vector<float>{0, -1}, false);
  CHECK(ids_of(all.nearest(east, 1)) == std::vector<std::string>{"c"});
  all.erase("c");
  all.erase("never");
  CHECK(all.size() == 3);
  CHECK(ids_of(all.nearest(east, 10)) == std::vector<std::string>{"a", "b", "d"});
  CHECK(all.nearest(std::vector<float>{1, 0, 0}, 10).found.empty());
}

TEST_CASE("vectors: many are found by the graph as by looking through all, and ranked exactly") {
  std::mt19937_64 random(soma::testing::seed_of("graph"));
  constexpr std::size_t dimension = 48, count = 6000;
  std::vector<std::vector<float>> centres;
  for (int i = 0; i < 60; ++i) centres.push_back(drawn(random, dimension));
  vector_set exact(dimension, count + 1), graph(dimension, 500);
  for (std::size_t i = 0; i < count; ++i) {
    const auto v = drawn_near(random, centres[i % centres.size()], 0.12f);
    exact.put(std::to_string(i), v);
    graph.put(std::to_string(i), v);
  }
  while (graph.grow(500)) {
  }
  std::size_t same = 0, asked = 0;
  for (int round = 0; round < 200; ++round) {
    const auto q = drawn_near(random, centres[random() % centres.size()], 0.12f);
    const auto right = exact.nearest(q, 10), found = graph.nearest(q, 10);
    CHECK(found.approximate);
    CHECK_FALSE(right.approximate);
    std::set<std::string> ids;
    for (const auto& one : right.found) ids.insert(one.id);
    for (std::size_t i = 0; i < found.found.size(); ++i) {
      same += ids.contains(found.found[i].id);
      if (i > 0) CHECK(found.found[i - 1].score >= found.found[i].score);
    }
    asked += right.found.size();
  }
  CHECK(same >= asked * 95 / 100);
  MESSAGE("recall@10 of the graph: " << static_cast<double>(same) / static_cast<double>(asked));
  // What came after the graph was made is found, what was removed or replaced is not.
  const auto q = drawn(random, dimension);
  graph.put("late", q);
  CHECK(graph.nearest(q, 1).found.at(0).id == "late");
  graph.erase("late");
  CHECK(graph.nearest(q, 1).found.at(0).id != "late");
  for (std::size_t i = 0; i < count / 2; ++i) graph.erase(std::to_string(i));
  for (int round = 0; round < 50; ++round)
    for (const auto& one : graph.nearest(drawn_near(random, centres[0], 0.1f), 50).found)
      CHECK(std::stoul(one.id) >= count / 2);
  CHECK(graph.size() == count - count / 2);
}

TEST_CASE("vectors: one that is replaced again and again takes no more memory") {
  std::mt19937_64 random(soma::testing::seed_of("vectors"));
  vector_set set(8, 100);
  std::vector<float> last;
  for (int i = 0; i < 5000; ++i) {
    last = drawn(random, 8);
    set.put("a", last);
    set.put(std::to_string(i % 10), last);
  }
  CHECK(set.size() == 11);
  CHECK(set.bytes() <= vector_set::bytes_of(1100, 8, 100));
  CHECK(set.nearest(last, 1).found.at(0).score > 0.99f);
}
