#include "tools/egress/proxy_head.hpp"

#include <algorithm>
#include <cctype>

#include "core/codes.hpp"

namespace soma::tools {
namespace {

constexpr std::uint16_t http_port = 80;

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// Words between commas and blanks.
std::vector<std::string> words_of(const std::string& list) {
  std::vector<std::string> out(1);
  for (const char c : list)
    if (c == ',' || c == ' ' || c == '\t')
      out.emplace_back();
    else
      out.back() += c;
  return out;
}

bool frames_body(const std::string& header) {
  return header == "content-length" || header == "transfer-encoding";
}

// "/path?query" of an address that was judged.
std::string path_of(const judged_url& where) {
  const auto at = where.text.find('/', where.text.find("://") + 3);
  return at == std::string::npos ? "/" : where.text.substr(at);
}

}  // namespace

result<std::string> address_of(const proxy_request& request) {
  const auto& target = request.target;
  if (request.tunnel()) {
    const auto colon = target.rfind(':');
    if (colon != std::string::npos && colon > 0 && target.find('/') == std::string::npos)
      return "https://" + target + "/";
  } else if (lower(target.substr(0, 7)) == "http://") {
    return target;
  }
  return error{codes::tool_invalid_inputs, "this is a proxy: CONNECT host:port, or GET http://…"};
}

std::string head_for_host(const proxy_request& request, const judged_url& where) {
  std::vector<std::string> left_out{"connection", "keep-alive", "host", "upgrade", "te"};
  for (const auto& [name, value] : request.headers)
    if (lower(name) == "connection")
      for (const auto& word : words_of(value))
        if (!frames_body(lower(word))) left_out.push_back(lower(word));
  std::string out = request.method + " " + path_of(where) + " HTTP/1.1\r\nHost: " + where.host;
  if (where.port != http_port) out += ":" + std::to_string(where.port);
  out += "\r\n";
  for (const auto& [name, value] : request.headers) {
    const auto known = lower(name);
    if (known.starts_with("proxy-") ||
        std::find(left_out.begin(), left_out.end(), known) != left_out.end())
      continue;
    out += name + ": " + value + "\r\n";
  }
  return out + "Connection: close\r\n\r\n";
}

}  // namespace soma::tools
