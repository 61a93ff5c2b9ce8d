#include "http_text.hpp"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace soma::bench {
namespace {

bool starts_with_nocase(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         ::strncasecmp(text.data(), prefix.data(), prefix.size()) == 0;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The size of a whole chunked body at the front of `text`; 0 when its end is not there yet.
std::size_t chunked_size(std::string_view text) {
  std::size_t at = 0;
  for (;;) {
    std::size_t size = 0, digits = 0;
    while (at < text.size() && hex_digit(text[at]) >= 0 && ++digits <= 8) {
      size = size * 16 + static_cast<std::size_t>(hex_digit(text[at++]));
    }
    at = text.find("\r\n", at);
    if (at == text.npos || digits == 0 || at + 2 + size + 2 > text.size()) return 0;
    at += 2 + size + 2;
    if (size == 0) return at;
  }
}

}  // namespace

std::string to_text(const http_request& r) {
  std::string out = r.method + ' ' + r.target + " HTTP/1.1\r\nHost: localhost\r\n";
  if (!r.authorization.empty()) out += "Authorization: " + r.authorization + "\r\n";
  if (!r.accept.empty()) out += "Accept: " + r.accept + "\r\n";
  if (r.close) out += "Connection: close\r\n";
  if (r.method != "GET") {
    out += "Content-Type: application/json\r\nContent-Length: " + std::to_string(r.body.size()) +
           "\r\n";
  }
  return out + "\r\n" + r.body;
}

http_head parse_http_head(std::string_view text) {
  http_head head;
  const auto end = text.find("\r\n\r\n");
  if (end == text.npos || text.size() < 12) return head;
  head.size = end + 4;
  std::from_chars(text.data() + 9, text.data() + 12, head.status);
  for (auto at = text.find("\r\n"); at < end; at = text.find("\r\n", at + 2)) {
    const auto line = text.substr(at + 2, end - at);
    constexpr std::string_view length = "content-length:", coding = "transfer-encoding: chunked";
    if (starts_with_nocase(line, length)) {
      const auto digit = line.find_first_not_of(' ', length.size());
      std::from_chars(line.data() + digit, line.data() + line.size(), head.content_length);
    } else if (starts_with_nocase(line, coding)) {
      head.chunked = true;
    }
  }
  return head;
}

reply parse_http_reply(std::string_view text) {
  reply r;
  const auto head = parse_http_head(text);
  if (head.size == 0) {
    r.malformed = text.size() > 65536 || (text.size() >= 5 && !text.starts_with("HTTP/"));
    return r;
  }
  const auto rest = text.substr(head.size);
  r.ok = head.status >= 200 && head.status < 300;
  if (head.chunked) {
    const auto size = chunked_size(rest);
    if (size == 0) return r;
    r.consumed = head.size + size;
    r.body = rest.substr(0, size);
    return r;
  }
  const auto length = static_cast<std::size_t>(std::max(head.content_length, 0L));
  if (rest.size() < length) return r;
  r.consumed = head.size + length;
  r.body = rest.substr(0, length);
  return r;
}

std::size_t dechunker::strip(char* data, std::size_t size) {
  std::size_t out = 0;
  for (std::size_t in = 0; in < size;) {
    if (state_ == state::payload) {
      const auto n = std::min(left_, size - in);
      std::memmove(data + out, data + in, n);
      out += n, in += n, left_ -= n;
      if (left_ == 0) state_ = state::after_payload;
      continue;
    }
    const char c = data[in++];
    switch (state_) {
      case state::size:
        if (const int digit = hex_digit(c); digit >= 0) {
          left_ = left_ * 16 + static_cast<std::size_t>(digit);
          break;
        }
        [[fallthrough]];
      case state::size_line:
        state_ = state::size_line;
        if (c == '\n') state_ = left_ == 0 ? state::end : state::payload;
        break;
      case state::after_payload:
        if (c == '\n') state_ = state::size;
        break;
      default: return out;
    }
  }
  return out;
}

std::string_view json_text(std::string_view json, std::string_view key) {
  const auto mark = '"' + std::string(key) + "\":\"";
  const auto at = json.find(mark);
  if (at == json.npos) return {};
  const auto begin = at + mark.size();
  const auto end = json.find('"', begin);
  return end == json.npos ? std::string_view{} : json.substr(begin, end - begin);
}

}  // namespace soma::bench
