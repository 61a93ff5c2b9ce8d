// Finds the handler of a method and path. Built before the server starts and not changed after, so
// lookups need no lock. Segments of a pattern are literal, `{name}` (one segment, not empty) or, at
// the end, `{name*}` (the rest). A literal wins over a parameter: `/v1/session/@me/events` is not
// `/v1/session/{id}/events`.
#pragma once

#include <array>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/operations.hpp"
#include "http/net/request_context.hpp"
#include "http/net/response.hpp"

namespace soma::http {

enum class body_mode : std::uint8_t {
  none,      // a body is refused
  whole,     // read before the handler runs, up to body_bytes_max
  streamed,  // the handler reads it through request_context::stream
};

using handler = std::function<asio::awaitable<response>(request_context&)>;

struct route {
  http::verb verb;
  std::string pattern;
  std::string operation_id;  // as in schemas/openapi.yaml
  http::handler handler;
  app::access auth = app::access::user;
  body_mode body = body_mode::none;
  std::uint64_t body_bytes_max = 0;  // 0: net_limits::body_bytes_max
  std::string body_schema{};         // schemas/requests/<name>.schema.json; empty: not JSON
  bool body_optional = false;        // an empty body skips the schema
  bool body_is_secret = false;       // wiped from memory once the request is served
};

class router {
 public:
  router();
  ~router();
  router(router&&) noexcept;
  router& operator=(router&&) noexcept;

  // A pattern that is registered twice for one method, or malformed, is a bug and aborts.
  void add(route r);

  enum class outcome : std::uint8_t { found, not_found, method_not_allowed, malformed_path };
  struct match {
    router::outcome outcome = outcome::not_found;
    const http::route* route = nullptr;
    std::string_view allow;  // value of the Allow header where the path is known
  };
  // Decodes each segment by itself, so an escaped slash never makes a segment; refuses `.` and
  // `..`. HEAD finds the GET route. Path parameters go into `ctx`.
  match find(request_context& ctx) const;

  // Every route, in the order of registration: for checks against the published contract.
  std::vector<const http::route*> routes() const;

 private:
  struct node;
  std::unique_ptr<node> root_;
  std::vector<std::unique_ptr<http::route>> routes_;
};

}  // namespace soma::http
