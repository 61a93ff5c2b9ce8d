#include "http/net/host_guard.hpp"

#include <algorithm>

#include "core/codes.hpp"
#include "http/net/ascii.hpp"

namespace soma::http {
namespace {

// "name[:port]" → name, or empty when it is not of that form.
std::string_view name_of(std::string_view host) {
  std::size_t colon;
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    if (end == std::string_view::npos) return {};
    colon = end + 1 == host.size() ? std::string_view::npos : end + 1;
    if (colon != std::string_view::npos && host[colon] != ':') return {};
  } else {
    colon = host.find(':');
  }
  const auto name = host.substr(0, colon);
  if (colon == std::string_view::npos) return name;
  const auto port = host.substr(colon + 1);
  const bool number = !port.empty() && port.size() <= 5 &&
                      port.find_first_not_of("0123456789") == std::string_view::npos;
  return number ? name : std::string_view{};
}

bool changes_state(verb v) {
  return v != verb::get && v != verb::head && v != verb::options;
}

}  // namespace

std::string_view host_of_url(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  url.remove_prefix(scheme + 3);
  return url.substr(0, url.find_first_of("/?#"));
}

host_guard::host_guard(std::vector<std::string> hosts, std::vector<std::string> origins)
    : hosts_(std::move(hosts)), origins_(std::move(origins)) {}

bool host_guard::accepts_host(std::string_view host) const {
  const auto name = name_of(host);
  if (name.empty()) return false;
  if (iequals(name, "localhost") || name == "127.0.0.1" || name == "[::1]") return true;
  return configured(host);
}

bool host_guard::accepts_origin(std::string_view origin, std::string_view host) const {
  const auto colon = std::min(origin.find("://"), origin.size());
  const auto scheme = origin.substr(0, colon);
  if (!iequals(scheme, "http") && !iequals(scheme, "https")) return false;
  const auto text = origin.substr(std::min(colon + 3, origin.size()));
  if (name_of(text).empty()) return false;
  return iequals(text, host) || configured(text);
}

std::optional<error> host_guard::check(std::string_view host, const request_context& ctx) const {
  if (!accepts_host(host))
    return error(codes::host_refused, "The Host header names no host this server answers for");
  std::string_view site;
  bool origin_given = false, cookie = false, shared = false;
  for (const auto& field : ctx.headers) {
    switch (field.name.size()) {
      case 6:
        if (iequals(field.name, "Origin")) {
          origin_given = true;
          shared = shares_with(field.value);
          if (!shared && !accepts_origin(field.value, host))
            return error(codes::origin_refused, "The page that asks is of a foreign origin");
        } else if (iequals(field.name, "Cookie")) {
          cookie = true;
        }
        break;
      case 14:
        if (iequals(field.name, "Sec-Fetch-Site")) site = field.value;
        break;
      default: break;
    }
  }
  if (shared && cookie && !accepts_origin(ctx.header("Origin"), host))
    return error(codes::origin_refused, "Pages of other origins ask with a bearer token alone");
  const bool foreign_site =
      !site.empty() && !iequals(site, "same-origin") && !iequals(site, "none");
  if (!origin_given && foreign_site && cookie && changes_state(ctx.verb))
    return error(codes::origin_refused, "The page that asks is of a foreign site");
  return std::nullopt;
}

bool host_guard::shares_with(std::string_view origin) const {
  return std::any_of(origins_.begin(), origins_.end(),
                     [&](const std::string& known) { return iequals(known, origin); });
}

bool host_guard::configured(std::string_view host) const {
  const auto name = name_of(host);
  return std::any_of(hosts_.begin(), hosts_.end(), [&](const std::string& known) {
    return iequals(known, host) || iequals(known, name);
  });
}

}  // namespace soma::http
