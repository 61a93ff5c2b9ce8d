#include "core/secret.hpp"

#include <doctest/doctest.h>

#include <array>
#include <boost/json.hpp>
#include <memory>
#include <new>

#include "core/secret_json.hpp"

using namespace soma;

namespace {

constexpr std::string_view planted = "sk-planted-7f";  // short enough to lie in the string itself

template <class Holder>
struct room {
  alignas(Holder) std::array<char, sizeof(Holder)> bytes{};
  bool holds_planted() const {
    return std::string_view(bytes.data(), bytes.size()).find(planted) != std::string_view::npos;
  }
};

}  // namespace

TEST_CASE("secret: a short one leaves nothing where it was moved from or destroyed") {
  room<secret_string> first, second;
  auto* from = new (first.bytes.data()) secret_string(std::string{planted});
  CHECK(first.holds_planted());
  auto* to = new (second.bytes.data()) secret_string(std::move(*from));
  CHECK(to->reveal() == planted);
  CHECK_FALSE(first.holds_planted());
  std::destroy_at(to);
  CHECK_FALSE(second.holds_planted());
  std::destroy_at(from);
}

TEST_CASE("secret: the text that one is made of is wiped where it was") {
  room<std::string> given;
  auto* text = new (given.bytes.data()) std::string(planted);
  const secret_string kept(std::move(*text));
  CHECK(kept.reveal() == planted);
  wipe(*text);
  CHECK_FALSE(given.holds_planted());
  std::destroy_at(text);
}

TEST_CASE("secret: JSON is wiped however deep a text lies in it") {
  auto value =
      boost::json::parse(R"({"llm":{"api_key":"sk-planted-7f"},"list":[["sk-planted-7f"]]})");
  const auto& inner = value.at("llm").at("api_key").as_string();
  const auto& listed = value.at("list").at(0).at(0).as_string();
  wipe(value);
  CHECK(std::string_view(inner) == std::string(planted.size(), '\0'));
  CHECK(std::string_view(listed) == std::string(planted.size(), '\0'));
}
