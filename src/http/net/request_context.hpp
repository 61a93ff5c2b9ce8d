// One request as its handler sees it. Lives in the connection's coroutine until the answer is
// written; every view points into it or into the connection's buffer, so a handler that outlives
// the request (a takeover) copies what it needs. Used on one io thread only.
#pragma once

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/json/value.hpp>
#include <chrono>
#include <cstdint>
#include <forward_list>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/body_source.hpp"
#include "app/caller.hpp"
#include "core/error.hpp"
#include "core/ids.hpp"
#include "http/net/verb.hpp"

namespace soma::app {
class admitted;
}

namespace soma::http {

namespace asio = boost::asio;

struct header_field {
  std::string_view name;
  std::string_view value;
};

// A body read in pieces, on routes registered with body_mode::streamed.
using body_reader = app::body_source;

// Tells when the peer closes while its request is served.
class peer_watch {
 public:
  virtual ~peer_watch() = default;
  // `gone` is called at most once, on the io thread, and not after the connection has ended. A peer
  // that only sends no more counts as gone.
  virtual void when_gone(std::function<void()> gone) = 0;
};

class request_context {
 public:
  http::verb verb = http::verb::other;
  std::string_view path;   // raw, as sent
  std::string_view query;  // raw, without '?'
  std::vector<header_field> headers;
  std::string request_id;
  app::caller caller;
  asio::ip::address peer;
  std::chrono::steady_clock::time_point started_at;
  std::size_t io_thread = 0;
  bool is_tls = false;           // of the connection, to this server itself
  bool has_certificate = false;  // of the client, signed by the configured authority
  std::string_view operation_id = "unmatched";
  app::admitted* admitted = nullptr;  // where policy judged the operation
  std::string_view body;              // whole, unless the route streams it
  boost::json::value json;            // the body parsed and checked, on routes with a body schema
  body_reader* stream = nullptr;      // set on routes that stream their body
  http::peer_watch* peer_watch = nullptr;  // where a handler that waits for others can listen
  bool openai_errors = false;              // of the path
  bool of_node = false;  // another node of the cluster sent it on, and is believed who asks

  // Decoded value of a `{name}` segment; empty when the route has none of that name.
  std::string_view path_parameter(std::string_view name) const;
  // First field of that name, compared without case; empty when absent.
  std::string_view header(std::string_view name) const;
  bool has_header(std::string_view name) const;

  // 32 hexadecimal digits: from `traceparent` where it is well-formed, else made on first use.
  std::string_view trace_id();
  // 16 hexadecimal digits: from the same field; empty where there is none. After trace_id().
  std::string_view parent_span_id() const { return parent_span_id_; }

  // Percent-decodes into storage of this request; nullopt for a bad escape, NUL or invalid UTF-8.
  std::optional<std::string_view> decode(std::string_view raw, bool plus_is_space);

  void add_path_parameter(std::string_view name, std::string_view value);
  void clear();

 private:
  std::array<std::pair<std::string_view, std::string_view>, 4> path_parameters_;
  std::size_t path_parameter_count_ = 0;
  std::forward_list<std::string> decoded_;
  std::string trace_id_, parent_span_id_;
};

// Reads a query strictly: take what the route knows, then refuse the rest by name.
//   query_reader q(ctx); auto after = q.take("after"); if (auto bad = q.rest()) …
class query_reader {
 public:
  explicit query_reader(request_context& ctx);
  std::optional<std::string_view> take(std::string_view name);
  // request.invalid_parameter for a malformed, repeated or unknown parameter; else nullopt.
  std::optional<error> rest();

 private:
  struct parameter {
    std::string_view name, value;
    bool taken = false;
  };
  std::vector<parameter> parameters_;
  bool malformed_ = false;
  std::string_view malformed_name_;  // where it can be told
};

}  // namespace soma::http
