#include "http/net/request_parser.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <charconv>

#include "core/codes.hpp"
#include "http/net/ascii.hpp"

namespace soma::http {
namespace {

namespace beast = boost::beast;

verb verb_of(beast::http::verb v) {
  switch (v) {
    case beast::http::verb::get: return verb::get;
    case beast::http::verb::head: return verb::head;
    case beast::http::verb::post: return verb::post;
    case beast::http::verb::put: return verb::put;
    case beast::http::verb::patch: return verb::patch;
    case beast::http::verb::delete_: return verb::delete_;
    case beast::http::verb::options: return verb::options;
    default: return verb::other;
  }
}

error framing_error(const beast::error_code& ec) {
  using beast::http::error;
  if (ec == error::bad_content_length || ec == error::multiple_content_length ||
      ec == error::bad_transfer_encoding)
    return {codes::request_ambiguous_framing, "The framing of the body is ambiguous"};
  return {codes::request_malformed, "The request is not HTTP/1.1: " + ec.message()};
}

// uri-host [ ":" port ], by its characters (RFC 3986, 3.2.2 and 3.2.3); empty is allowed.
bool is_host(std::string_view text) {
  constexpr std::string_view of_name =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%!$&'()*+,;=";
  std::size_t end = text.find(':');
  if (text.starts_with('[')) {
    const auto bracket = text.find(']');
    if (bracket == std::string_view::npos) return false;
    if (text.substr(1, bracket - 1).find_first_not_of("0123456789abcdefABCDEFvV:.") !=
        std::string_view::npos)
      return false;
    if (bracket + 1 == text.size()) return true;
    if (text[bracket + 1] != ':') return false;
    end = bracket + 1;
  } else if (text.substr(0, end).find_first_not_of(of_name) != std::string_view::npos) {
    return false;
  }
  return end == std::string_view::npos ||
         text.substr(end + 1).find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// A quoted value of a chunk's extension ends in its line.
bool has_open_quote(std::string_view line) {
  bool open = false;
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (open && line[at] == '\\')
      ++at;
    else if (line[at] == '"')
      open = !open;
  }
  return open;
}

std::string_view view(beast::string_view s) {
  return {s.data(), s.size()};
}

}  // namespace

head_scanner::outcome head_scanner::scan(std::string_view bytes) {
  for (; at_ < bytes.size(); ++at_) {
    const auto c = static_cast<unsigned char>(bytes[at_]);
    if (c >= 0x20 && c != 0x7f) {
      // A line that begins with a space would continue the one before (obs-fold).
      if (c == ' ' && at_ == line_begin_) return outcome::malformed;
      continue;
    }
    if (c == '\t' && at_ != line_begin_ && line_begin_ != 0) continue;
    if (c == '\r') {
      if (at_ + 1 == bytes.size()) return outcome::incomplete;
      if (bytes[at_ + 1] != '\n') return outcome::malformed;
      if (at_ == 0) return outcome::malformed;
      const bool empty_line = at_ == line_begin_;
      ++at_;
      line_begin_ = at_ + 1;
      if (!empty_line) continue;
      ++at_;
      return outcome::complete;
    }
    return outcome::malformed;
  }
  return outcome::incomplete;
}

std::optional<error> request_parser::parse_head(std::string_view head) {
  error_code ec;
  put(boost::asio::const_buffer(head.data(), head.size()), ec);
  if (failure_) return failure_;
  if (ec) return framing_error(ec);
  if (!is_header_done())
    return error(codes::request_malformed, "The request is not HTTP/1.1: its head is cut off");
  head_done_ = true;
  return std::nullopt;
}

request_parser::progress request_parser::parse_body(std::string_view bytes, std::string& out,
                                                    std::uint64_t bytes_max) {
  progress done;
  out_ = &out;
  body_bytes_max_ = bytes_max;
  while (done.used < bytes.size() && !is_done()) {
    const auto rest = bytes.substr(done.used);
    // Beast judges a chunk's header, and all trailers, once their end is there, and takes more than
    // is taken here. One judgement for what is whole and for what is not: a request means the same
    // however it is cut, and what can be no such end is not waited for.
    if (chunked_ && !in_chunk_ && is_malformed_chunk_head(rest)) {
      done.failure.emplace(codes::request_malformed, "A chunk's header or a trailer is malformed");
      break;
    }
    error_code ec;
    const auto used = put(boost::asio::const_buffer(rest.data(), rest.size()), ec);
    done.used += used;
    if (failure_) {
      done.failure = failure_;
      break;
    }
    if (ec == beast::http::error::need_more || (!ec && used == 0)) break;
    if (ec) {
      done.failure = framing_error(ec);
      break;
    }
  }
  return done;
}

// `bytes` begin with the end of the chunk before, or with a chunk's header. That is a line as those
// of a head are, and after the last one so are the trailers.
bool request_parser::is_malformed_chunk_head(std::string_view bytes) {
  if (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
  const auto zeros = std::min(bytes.find_first_not_of('0'), bytes.size());
  const bool is_last = zeros == bytes.size() || !is_hex(bytes[zeros]);
  const auto end = bytes.find("\r\n");
  if (end != std::string_view::npos) {
    if (has_open_quote(bytes.substr(0, end))) return true;
    if (!is_last) bytes = bytes.substr(0, end + 2);
  }
  return head_scanner().scan(bytes) == head_scanner::outcome::malformed;
}

void request_parser::take_minor_version(char* head, std::size_t size) {
  constexpr std::string_view version = " HTTP/1.";
  const auto line = std::string_view(head, size).substr(0, std::string_view(head, size).find('\r'));
  if (line.size() <= version.size()) return;
  const auto before = line.substr(line.size() - version.size() - 1, version.size());
  if (before == version && line.back() >= '2' && line.back() <= '9') head[line.size() - 1] = '1';
}

void request_parser::fail(error_code& ec, std::string_view code, const char* detail) {
  failure_.emplace(code, detail);
  ec = beast::http::error::bad_value;
}

bool request_parser::split_target(std::string_view target, error_code& ec) {
  const bool visible = std::all_of(target.begin(), target.end(),
                                   [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
  if (!visible) {
    fail(ec, codes::request_malformed, "The request target holds characters that are not allowed");
    return false;
  }
  if (target == "*" && ctx_.verb == verb::options) {
    ctx_.path = target;
    return true;
  }
  if (!target.starts_with('/')) {
    const std::string_view scheme = iequals(target.substr(0, 7), "http://")    ? "http://"
                                    : iequals(target.substr(0, 8), "https://") ? "https://"
                                                                               : "";
    if (scheme.empty()) {
      fail(ec, codes::request_malformed, "The request target is neither a path nor a URL");
      return false;
    }
    target.remove_prefix(scheme.size());
    const auto end = std::min(target.find_first_of("/?"), target.size());
    authority_ = target.substr(0, end);
    target.remove_prefix(end);
    if (authority_.empty()) {
      fail(ec, codes::request_malformed, "The URL in the request line has no host");
      return false;
    }
  }
  const auto mark = target.find('?');
  ctx_.path = mark == 0 || target.empty() ? std::string_view("/") : target.substr(0, mark);
  if (mark != std::string_view::npos) ctx_.query = target.substr(mark + 1);
  return true;
}

void request_parser::on_request_impl(beast::http::verb v, string_view, string_view target,
                                     int version, error_code& ec) {
  if (version != 10 && version != 11)
    return fail(ec, codes::request_malformed, "Only HTTP/1.0 and HTTP/1.1 are spoken here");
  http10_ = version == 10;
  keeps_alive_ = !http10_;
  ctx_.verb = verb_of(v);
  split_target(view(target), ec);
}

void request_parser::on_field_impl(beast::http::field name, string_view name_text,
                                   string_view value_text, error_code& ec) {
  // Trailers arrive here too. They say nothing that this server trusts, and their bytes do not
  // last.
  if (head_done_) return;
  const auto value = view(value_text);
  if (ctx_.headers.size() == header_count_max_)
    return fail(ec, codes::request_header_too_large, "The request has too many header fields");
  ctx_.headers.push_back({view(name_text), value});
  switch (name) {
    case beast::http::field::host:
      ++host_count_;
      host_ = value;
      break;
    case beast::http::field::content_length: {
      std::uint64_t length = 0;
      const auto [end, bad] = std::from_chars(value.data(), value.data() + value.size(), length);
      if (content_length_ || bad != std::errc{} || end != value.data() + value.size())
        return fail(ec, codes::request_ambiguous_framing,
                    "Content-Length is repeated or not a number");
      content_length_ = length;
      break;
    }
    case beast::http::field::transfer_encoding:
      if (++transfer_encoding_count_ > 1 || !iequals(value, "chunked") || http10_)
        return fail(ec, codes::request_ambiguous_framing,
                    "Transfer-Encoding is taken once, as 'chunked', in HTTP/1.1");
      chunked_ = true;
      break;
    case beast::http::field::connection:
      // Over all fields of that name, close wins (RFC 9112, 9.6).
      if (list_has(value, "close"))
        closes_ = true, keeps_alive_ = false;
      else if (http10_ && !closes_ && list_has(value, "keep-alive"))
        keeps_alive_ = true;
      break;
    case beast::http::field::expect:
      // Other expectations may be passed over (RFC 9110, 10.1.1).
      if (!http10_ && list_has(value, "100-continue")) expects_continue_ = true;
      break;
    default: break;
  }
}

void request_parser::on_header_impl(error_code& ec) {
  if (chunked_ && content_length_)
    return fail(ec, codes::request_ambiguous_framing,
                "Content-Length and Transfer-Encoding contradict each other");
  if (host_count_ > 1 || (host_count_ == 0 && !http10_))
    return fail(ec, codes::request_malformed, "A request has exactly one Host");
  if (host_count_ > 0 && !is_host(host_))
    return fail(ec, codes::request_malformed, "Host is not a name or address with a port");
  if (!authority_.empty() && !iequals(authority_, host_))
    return fail(ec, codes::request_malformed, "The URL in the request line and Host differ");
}

std::size_t request_parser::on_body_impl(string_view bytes, error_code& ec) {
  body_bytes_ += bytes.size();
  if (body_bytes_ > body_bytes_max_) {
    fail(ec, codes::request_too_large, "The body is larger than this route takes");
    return 0;
  }
  out_->append(bytes.data(), bytes.size());
  return bytes.size();
}

void request_parser::on_chunk_header_impl(std::uint64_t size, string_view, error_code& ec) {
  in_chunk_ = size > 0;
  if (size > body_bytes_max_ - body_bytes_)
    fail(ec, codes::request_too_large, "The body is larger than this route takes");
}

std::size_t request_parser::on_chunk_body_impl(std::uint64_t left, string_view bytes,
                                               error_code& ec) {
  in_chunk_ = left > bytes.size();
  return on_body_impl(bytes, ec);
}

}  // namespace soma::http
