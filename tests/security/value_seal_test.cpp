#include "security/secrets/value_seal.hpp"

#include <doctest/doctest.h>

#include <set>
#include <thread>
#include <vector>

using namespace soma;
using namespace soma::security;

namespace {

value_key key_of(char c) {
  return value_key(secret_string(std::string(32, c)));
}

}  // namespace

TEST_CASE("value seal: what was sealed opens at its place under its key, and nowhere else") {
  const auto key = key_of('a'), other = key_of('b');
  for (const auto& text :
       std::vector<std::string>{"", "x", "{\"said\":\"at noon\"}", std::string(70'000, 'y')}) {
    auto sealed = text;
    key.seal(sealed, "place");
    CHECK(sealed.size() == text.size() + seal_overhead_bytes);
    CHECK(is_sealed(sealed));
    if (text.size() > 3) CHECK(sealed.find(text) == std::string::npos);
    auto opened = sealed;
    CHECK(key.unseal(opened, "place"));
    CHECK(opened == text);
    auto elsewhere = sealed, by_other = sealed;
    CHECK_FALSE(key.unseal(elsewhere, "another place"));
    CHECK(elsewhere.empty());
    CHECK_FALSE(other.unseal(by_other, "place"));
  }
}

TEST_CASE("value seal: no byte of it can be changed, left out or added") {
  const auto key = key_of('a');
  std::string sealed = "{\"said\":\"at noon\"}";
  key.seal(sealed, "place");
  for (std::size_t at = 0; at < sealed.size(); ++at) {
    auto changed = sealed;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    CHECK_FALSE(key.unseal(changed, "place"));
    auto shorter = sealed;
    shorter.erase(at, 1);
    CHECK_FALSE(key.unseal(shorter, "place"));
  }
}

TEST_CASE("value seal: the same text is never sealed alike, on any thread") {
  const auto key = key_of('a');
  std::vector<std::set<std::string>> found(4);
  std::vector<std::thread> threads;
  for (auto& mine : found)
    threads.emplace_back([&] {
      for (int n = 0; n < 2000; ++n) {
        std::string text = "same";
        key.seal(text, {});
        mine.insert(text);
      }
    });
  for (auto& t : threads) t.join();
  std::set<std::string> all;
  for (auto& mine : found) all.merge(mine);
  CHECK(all.size() == 8000);
}

TEST_CASE("value seal: JSON is never taken for a sealed value") {
  CHECK_FALSE(is_sealed(std::string(100, '{') + "}"));
  CHECK_FALSE(is_sealed(""));
}

TEST_CASE("value seal: another key on the same thread does not use the one before") {
  const auto a = key_of('a'), b = key_of('b');
  std::string first = "one", second = "two";
  a.seal(first, "p");
  b.seal(second, "p");
  CHECK(a.unseal(first, "p"));
  CHECK(b.unseal(second, "p"));
  CHECK(first + second == "onetwo");
  CHECK(a.derive("x").reveal() != a.derive("y").reveal());
  CHECK(a.derive("x").reveal() == key_of('a').derive("x").reveal());
}
