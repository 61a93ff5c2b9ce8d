#include "app/operations.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace soma::app;

TEST_CASE("operations: each has its own name, and its own method and path") {
  std::set<std::string_view> names;
  std::set<std::pair<method, std::string_view>> places;
  for (const auto& one : operations()) {
    CHECK_MESSAGE(names.insert(one.id).second, one.id);
    CHECK_MESSAGE(places.insert({one.method, one.path}).second, one.id);
  }
}

TEST_CASE("operations: what is judged is recorded, and what changes something however it ends") {
  for (const auto& one : operations()) {
    CHECK_MESSAGE((one.audited == audited::no) == one.action.empty(), one.id);
    if (!one.same_as.empty()) {
      const auto& other = operation_named(one.same_as);
      CHECK_MESSAGE(other.action == one.action, one.id);
      CHECK_MESSAGE(other.keyed == one.keyed, one.id);
    }
    if (one.method == method::get) CHECK_MESSAGE(one.audited != audited::always, one.id);
  }
}

TEST_CASE("operations: what is asked of policy is a part of the path, the query or the body") {
  for (const auto& one : operations()) {
    if (one.resource.empty()) continue;
    const auto colon = one.resource.find(':');
    REQUIRE_MESSAGE(colon != std::string_view::npos, one.id);
    const auto from = one.resource.substr(0, colon);
    const auto name = "{" + std::string(one.resource.substr(colon + 1)) + "}";
    if (from == "path")
      CHECK_MESSAGE(one.path.find(name) != std::string_view::npos, one.id);
    else if (from == "body")
      CHECK_MESSAGE((one.body == body::json || one.body == body::optional_json), one.id);
    else
      CHECK_MESSAGE(from == "query", one.id);
  }
}
