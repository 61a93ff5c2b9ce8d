#include "http/net/response_head.hpp"

#include <doctest/doctest.h>
#include <type_traits>

#include "http/net_world.hpp"

namespace soma::http {

// A view of a temporary once stood in Cache-Control, and sent what the heap held after it.
static_assert(!std::is_assignable_v<decltype(response::cache_control)&, std::string>);
static_assert(!std::is_assignable_v<decltype(response::content_type)&, std::string&>);
static_assert(!std::is_assignable_v<decltype(response::content_security_policy)&, std::string>);
static_assert(!std::is_constructible_v<header_list::field::first_type, const std::string&>);

TEST_CASE("response head: a header that is computed stands in the place of the usual one") {
  response r;
  r.cache_control = {};
  r.headers.emplace_back("Cache-Control", "private, max-age=" + std::to_string(60));
  std::string head;
  append_head(head, r, {.date = {}, .request_id = "r1", .content_length = 0});
  CHECK(header_of(head, "Cache-Control") == "private, max-age=60");
  CHECK(head.find("no-store") == std::string::npos);
}

}  // namespace soma::http
