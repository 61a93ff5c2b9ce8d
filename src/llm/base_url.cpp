#include "llm/base_url.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/codes.hpp"

namespace soma::llm {
namespace {

// What people copy along from documentation.
constexpr std::string_view endpoint_paths[] = {"/chat/completions", "/messages", "/responses",
                                               "/embeddings", "/models"};
// Where every API of the kinds that are spoken here has its root unless it says otherwise.
constexpr std::string_view default_path = "/v1";

error invalid(std::string_view why) {
  return error(codes::config_invalid, "base URL: " + std::string(why));
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

bool printable_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c < 0x7f && c != '\\' && c != '"'; });
}

bool only(std::string_view text, std::string_view allowed) {
  return !text.empty() && text.find_first_not_of(allowed) == text.npos;
}

bool valid_host(std::string_view host) {
  if (host.starts_with('[')) {
    return host.ends_with(']') && host.find(':') != host.npos &&
           only(host.substr(1, host.size() - 2), "0123456789abcdef:.");
  }
  return only(host, "abcdefghijklmnopqrstuvwxyz0123456789-._") && !host.starts_with('.');
}

std::optional<std::uint16_t> read_port(std::string_view digits) {
  std::uint16_t port = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (ec != std::errc{} || end != digits.data() + digits.size() || port == 0) return std::nullopt;
  return port;
}

// Splits "host", "host:port" and "[v6]:port"; the port is empty where there is none.
std::pair<std::string_view, std::string_view> split_authority(std::string_view authority) {
  const auto after_v6 = authority.starts_with('[') ? authority.find(']') : 0;
  if (after_v6 == authority.npos) return {authority, {}};
  const auto colon = authority.find(':', after_v6);
  if (colon == authority.npos) return {authority, {}};
  return {authority.substr(0, colon), authority.substr(colon + 1)};
}

std::string normal_path(std::string_view path) {
  std::string out;
  for (const char c : path)
    if (c != '/' || !out.ends_with('/')) out += c;
  while (out.ends_with('/')) out.pop_back();
  for (const auto endpoint : endpoint_paths)
    if (out.ends_with(endpoint)) {
      out.resize(out.size() - endpoint.size());
      break;
    }
  return out.empty() ? std::string(default_path) : out;
}

bool has_dot_segment(std::string_view path) {
  const std::string closed = std::string(path) + "/";
  return closed.find("/./") != closed.npos || closed.find("/../") != closed.npos;
}

}  // namespace

result<std::string> normalize_base_url(std::string_view url) {
  url = trim(url);
  if (!printable_ascii(url)) return invalid("it holds a space or a character outside ASCII");
  const auto colon = url.find("://");
  const auto scheme = lower(url.substr(0, colon));
  if (colon == url.npos || (scheme != "http" && scheme != "https"))
    return invalid("it must begin with http:// or https://");
  if (url.find_first_of("?#") != url.npos) return invalid("a query or fragment is not allowed");
  const auto rest = url.substr(colon + 3);
  const auto slash = std::min(rest.find('/'), rest.size());
  const auto authority = rest.substr(0, slash);
  if (authority.find('@') != authority.npos) return invalid("a user name is not allowed");
  const auto [host_text, port_text] = split_authority(authority);
  const auto host = lower(host_text);
  if (!valid_host(host)) return invalid("the host is not valid");
  std::string out = scheme + "://" + host;
  if (host_text.size() != authority.size()) {
    const auto port = read_port(port_text);
    if (!port) return invalid("the port is not a number from 1 to 65535");
    if (*port != (scheme == "https" ? 443 : 80)) out += ":" + std::to_string(*port);
  }
  const auto path = normal_path(rest.substr(slash));
  if (has_dot_segment(path)) return invalid("the path holds . or ..");
  return out + path;
}

url_parts split_base_url(std::string_view normalized) {
  url_parts out;
  out.tls = normalized.starts_with("https://");
  const auto rest = normalized.substr(std::min<std::size_t>(normalized.size(), out.tls ? 8 : 7));
  const auto slash = std::min(rest.find('/'), rest.size());
  out.host_header = rest.substr(0, slash);
  out.path = rest.substr(slash);
  const auto [host, port] = split_authority(out.host_header);
  out.host = host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
  out.port = read_port(port).value_or(out.tls ? 443 : 80);
  return out;
}

}  // namespace soma::llm
