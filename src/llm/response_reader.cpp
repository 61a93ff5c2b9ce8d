#include "llm/response_reader.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "llm/provider_limits.hpp"

namespace soma::llm {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

namespace {
constexpr auto header_bytes_max = static_cast<std::uint32_t>(limits::header_bytes_max);

// "HTTP/1.1 200" without the blank that RFC 9112 wants behind it, as some servers write it.
constexpr std::size_t bare_status_line = 12;

// What is asked for of a provider's headers: they send twenty, and an answer takes minutes.
constexpr std::string_view kept_fields[] = {"content-encoding", "retry-after", "retry-after-ms"};
}  // namespace

struct response_reader::parser final : http::basic_parser<false> {
  explicit parser(const on_body& body) : body_(body) {
    eager(true);
    header_limit(header_bytes_max);
    body_limit(boost::none);  // bounded by who reads the body
  }

  unsigned status = 0;
  std::vector<std::pair<std::string_view, std::string>> fields;

 private:
  void on_request_impl(http::verb, string_view, string_view, int, error_code&) override {}
  void on_response_impl(int code, string_view, int, error_code&) override {
    status = static_cast<unsigned>(code);
  }
  void on_field_impl(http::field, string_view name, string_view value, error_code&) override {
    for (const auto kept : kept_fields)
      if (boost::beast::iequals(name, {kept.data(), kept.size()}))
        fields.emplace_back(kept, std::string(value.data(), value.size()));
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view body, error_code&) override {
    body_({body.data(), body.size()});
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code&) override {
    body_({body.data(), body.size()});
    return body.size();
  }
  void on_finish_impl(error_code&) override {}

  const on_body& body_;
};

response_reader::response_reader(on_body body)
    : body_(std::move(body)), parser_(std::make_unique<parser>(body_)) {}
response_reader::~response_reader() = default;

bool response_reader::feed(std::string_view bytes) {
  std::string joined;
  if (!unread_.empty()) {
    joined = std::move(unread_) + std::string(bytes);
    unread_.clear();
    bytes = joined;
  }
  while (!bytes.empty()) {
    if (parser_->is_done()) return false;
    if (at_start_) {
      // Empty lines before it are passed over, as RFC 9112 2.2 has it for requests.
      bytes.remove_prefix(std::min(bytes.find_first_not_of("\r\n"), bytes.size()));
      const auto end = bytes.find("\r\n");
      if (end == bytes.npos && bytes.size() <= bare_status_line + 1) break;
      at_start_ = false;
      if (end == bare_status_line) {
        joined = std::string(bytes.substr(0, end)) + ' ' + std::string(bytes.substr(end));
        bytes = joined;
      }
    }
    error_code ec;
    const auto taken = parser_->put(boost::asio::const_buffer(bytes.data(), bytes.size()), ec);
    bytes.remove_prefix(taken);
    if (ec && ec != http::error::need_more) return false;
    if (parser_->is_done() && parser_->status < 200) {
      parser_ = std::make_unique<parser>(body_);
      at_start_ = true;
    } else if (taken == 0 || ec == http::error::need_more) {
      break;
    }
  }
  unread_ = bytes;
  return unread_.size() <= header_bytes_max;
}

bool response_reader::end_of_connection() {
  if (parser_->is_done()) return true;
  if (!parser_->is_header_done() || !unread_.empty()) return false;
  error_code ec;
  parser_->put_eof(ec);
  return !ec && parser_->is_done();
}

bool response_reader::has_header() const {
  return parser_->is_header_done();
}
bool response_reader::done() const {
  return parser_->is_done();
}
bool response_reader::keep_alive() const {
  return parser_->keep_alive();
}
unsigned response_reader::status() const {
  return parser_->status;
}

std::string response_reader::header(std::string_view name) const {
  std::string value;
  for (const auto& [field, said] : parser_->fields)
    if (field == name) value = said;  // the last one counts
  return value;
}

}  // namespace soma::llm
