// Beast's parser with strict rules around it. The head is scanned as bytes before Beast sees it
// (bare CR or LF, NUL, folded lines), and its fields are kept as views, without a copy or an
// allocation a field; framing that two parsers could read in two ways is refused (RFC 9112, 6.3).
// One request an object; not thread-safe. Private to connection.cpp.
#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <boost/optional.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "http/net/request_context.hpp"

namespace soma::http {

// Scans as bytes arrive. Feed it the whole head so far; it remembers how far it looked.
class head_scanner {
 public:
  enum class outcome : std::uint8_t { incomplete, complete, malformed };
  outcome scan(std::string_view bytes);
  std::size_t head_size() const { return at_; }  // with the empty line, once complete

 private:
  std::size_t at_ = 0;
  std::size_t line_begin_ = 0;
};

class request_parser final : public boost::beast::http::basic_parser<true> {
 public:
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;

  request_parser(request_context& ctx, std::size_t header_count_max)
      : ctx_(ctx), header_count_max_(header_count_max) {
    body_limit(boost::none);
    header_limit(UINT32_MAX);  // the caller's buffer is the bound
  }

  // HTTP/1.2 and later are processed as HTTP/1.1, whose name is written in their place (RFC 9110,
  // 2.5). Before parse_head().
  static void take_minor_version(char* head, std::size_t size);

  // `head` is what the scanner called complete. Views in the context point into it.
  std::optional<error> parse_head(std::string_view head);

  struct progress {
    std::size_t used = 0;
    std::optional<error> failure;
  };
  // Appends decoded body bytes to `out`; fails with request.too_large past `bytes_max` in all.
  progress parse_body(std::string_view bytes, std::string& out, std::uint64_t bytes_max);

  bool has_body() const { return chunked_ || content_length_.value_or(0) > 0; }
  std::optional<std::uint64_t> declared_length() const { return content_length_; }
  bool keeps_alive() const { return keeps_alive_; }
  bool expects_continue() const { return expects_continue_; }
  bool is_http10() const { return http10_; }
  std::string_view host() const { return host_; }

 private:
  void on_request_impl(boost::beast::http::verb, string_view method, string_view target,
                       int version, error_code& ec) override;
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_field_impl(boost::beast::http::field name, string_view name_text, string_view value,
                     error_code& ec) override;
  void on_header_impl(error_code& ec) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view bytes, error_code& ec) override;
  void on_chunk_header_impl(std::uint64_t size, string_view extensions, error_code& ec) override;
  std::size_t on_chunk_body_impl(std::uint64_t left, string_view bytes, error_code& ec) override;
  void on_finish_impl(error_code&) override {}

  void fail(error_code& ec, std::string_view code, const char* detail);
  static bool is_malformed_chunk_head(std::string_view bytes);
  bool split_target(std::string_view target, error_code& ec);

  request_context& ctx_;
  const std::size_t header_count_max_;
  std::optional<error> failure_;
  std::string_view host_, authority_;
  std::optional<std::uint64_t> content_length_;
  std::uint64_t body_bytes_ = 0, body_bytes_max_ = 0;
  std::string* out_ = nullptr;
  std::size_t host_count_ = 0, transfer_encoding_count_ = 0;
  bool chunked_ = false, keeps_alive_ = true, expects_continue_ = false, http10_ = false;
  bool head_done_ = false, closes_ = false, in_chunk_ = false;
};

}  // namespace soma::http
