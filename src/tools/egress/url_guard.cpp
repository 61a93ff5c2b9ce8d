#include "tools/egress/url_guard.hpp"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netdb.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <utility>

#include "core/codes.hpp"

namespace soma::tools {
namespace {

constexpr std::size_t url_bytes_max = 4096, host_bytes_max = 253, addresses_max = 16;

error refused(std::string why) {
  return {codes::policy_denied, std::move(why)};
}
error no_url(std::string why) {
  return {codes::tool_invalid_inputs, std::move(why)};
}

std::string part_of(const parsed_url& url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url.get(), part, &text, flags) != CURLUE_OK) return {};
  std::string out(text);
  curl_free(text);
  return out;
}

std::string lower(std::string text) {
  for (auto& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// What stands before the "://" or ":" of an address that names its scheme; npos where it names
// none.
std::size_t scheme_end(std::string_view text) {
  const auto colon = text.find(':');
  return colon < text.find_first_of("/?#") ? colon : std::string_view::npos;
}

// The host and all that stands with it; empty in what is relative to another address.
std::string_view authority_of(std::string_view text) {
  const auto end = scheme_end(text);
  text.remove_prefix(end == std::string_view::npos ? 0 : end + 1);
  if (!text.starts_with("//")) return {};
  text.remove_prefix(2);
  return text.substr(0, text.find_first_of("/?#"));
}

// Spellings on which readers of addresses disagree.
result<void> usual_spelling(std::string_view text) {
  if (text.size() > url_bytes_max) return no_url("the address is too long");
  for (const unsigned char c : text)
    if (c <= 32 || c == 127 || c == '\\')
      return refused("the address has a character that must be escaped");
  for (const unsigned char c : authority_of(text)) {
    if (c == '@') return refused("an address with a user name is refused");
    if (c == '%' || c >= 128)
      return refused("a host is written in ASCII letters, digits, hyphens and dots");
  }
  return {};
}

bool is_name(const std::string& host) {
  if (host.empty() || host.size() > host_bytes_max) return false;
  for (std::size_t from = 0; from <= host.size();) {
    const auto end = std::min(host.find('.', from), host.size());
    if (end == from || end - from > 63) return false;
    from = end + 1;
  }
  return std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_' || c == '.';
  });
}

// "127.1", "0x7f.0.0.1", "2130706433": many programs take these for addresses.
bool looks_like_a_number(const std::string& host) {
  const auto last = host.substr(host.rfind('.') + 1);
  return last.starts_with("0x") ||
         std::all_of(last.begin(), last.end(), [](unsigned char c) { return std::isdigit(c); });
}

bool is_inner_name(const std::string& host) {
  if (host.find('.') == std::string::npos) return true;  // found by a search list, if at all
  for (const char* ending : {".localhost", ".local", ".internal", ".intranet", ".lan", ".home",
                             ".corp", ".home.arpa", ".onion"})
    if (host.ends_with(ending)) return true;
  return false;
}

bool in_list(const std::string& host, const std::vector<std::string>& hosts) {
  return hosts.empty() || std::any_of(hosts.begin(), hosts.end(), [&](const std::string& given) {
           const auto known = lower(given);
           return known.starts_with("*.") ? host.ends_with(known.substr(1)) : host == known;
         });
}

result<std::vector<ip_address>> addresses_of(const std::string& host, const std::string& spelled,
                                             const url_rules& rules) {
  if (const auto literal = parse_ip(host)) {
    // The reader of addresses has made this of another spelling.
    if (!spelled.starts_with(host) && !spelled.starts_with("["))
      return refused("an address in numbers is written as four decimal ones");
    return std::vector{*literal};
  }
  if (!is_name(host) || looks_like_a_number(host)) return refused("that is no name of a host");
  if (is_inner_name(host)) return refused("names of an inner network are refused");
  auto found = rules.resolve(host);
  if (found && found->empty()) return error{codes::tool_failed, "the host has no address"};
  if (found && found->size() > addresses_max) found->resize(addresses_max);
  return found;
}

// The host as it is asked for, in lower case, without brackets and final dot.
result<std::string> take_host(const parsed_url& url) {
  auto host = lower(part_of(url, CURLUPART_HOST));
  if (host.starts_with("[") && host.ends_with("]")) return host.substr(1, host.size() - 2);
  if (!host.ends_with(".")) return host;
  host.pop_back();
  if (curl_url_set(url.get(), CURLUPART_HOST, host.c_str(), 0) != CURLUE_OK)
    return refused("that is no name of a host");
  return host;
}

}  // namespace

void freeing_url::operator()(Curl_URL* url) const {
  curl_url_cleanup(url);
}

bool is_public_host(const ip_address& address) {
  // Azure's own services answer its machines here.
  return is_public(address) && address != from_v4(168u << 24 | 63u << 16 | 129u << 8 | 16u);
}

name_resolver system_resolver() {
  return [](const std::string& host) -> result<std::vector<ip_address>> {
    addrinfo hints{}, *list = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    // The dot: no search list.
    if (getaddrinfo((host + ".").c_str(), nullptr, &hints, &list) != 0)
      return error{codes::tool_failed, "the host " + host + " is not known"};
    std::vector<ip_address> out;
    for (const addrinfo* at = list; at; at = at->ai_next) {
      if (at->ai_family == AF_INET)
        out.push_back(
            from_v4(ntohl(reinterpret_cast<const sockaddr_in*>(at->ai_addr)->sin_addr.s_addr)));
      if (at->ai_family != AF_INET6) continue;
      ip_address six;
      std::memcpy(six.data(), &reinterpret_cast<const sockaddr_in6*>(at->ai_addr)->sin6_addr, 16);
      out.push_back(six);
    }
    freeaddrinfo(list);
    return out;
  };
}

result<judged_url> judge_url(const std::string& text, const judged_url* base,
                             const url_rules& rules) {
  if (auto usual = usual_spelling(text); !usual) return usual.error();
  judged_url out;
  out.url.reset(base ? curl_url_dup(base->url.get()) : curl_url());
  // libcurl would forgive one slash or three.
  const auto authority = authority_of(text);
  const bool whole = !base || scheme_end(text) != std::string::npos || text.starts_with("//");
  if (whole && authority.empty()) return no_url("an address starts with http:// or https://");
  if (!out.url || curl_url_set(out.url.get(), CURLUPART_URL, text.c_str(),
                               CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
    return no_url("that is no address of the web");
  const auto scheme = lower(part_of(out.url, CURLUPART_SCHEME));
  if (scheme != "http" && scheme != "https") return refused("only http and https are allowed");
  if (!part_of(out.url, CURLUPART_USER).empty() || !part_of(out.url, CURLUPART_PASSWORD).empty())
    return refused("an address with a user name is refused");
  out.port = static_cast<std::uint16_t>(
      std::atoi(part_of(out.url, CURLUPART_PORT, CURLU_DEFAULT_PORT).c_str()));
  if (std::find(rules.ports.begin(), rules.ports.end(), out.port) == rules.ports.end())
    return refused("port " + std::to_string(out.port) + " is refused");
  auto host = take_host(out.url);
  if (!host) return host.error();
  out.host = *host;
  const auto spelled = authority.empty() ? out.host : lower(std::string(authority));
  if (!in_list(out.host, rules.hosts))
    return refused("the host " + out.host + " is not among those that this tool may reach");
  auto addresses = addresses_of(out.host, spelled, rules);
  if (!addresses) return addresses.error();
  const auto allowed = rules.allowed ? rules.allowed : is_public_host;
  for (const auto& address : *addresses)
    if (!allowed(address)) return refused("the host's address is not a public one");
  out.addresses = std::move(*addresses);
  curl_url_set(out.url.get(), CURLUPART_FRAGMENT, nullptr, 0);
  out.text = part_of(out.url, CURLUPART_URL);
  return out;
}

}  // namespace soma::tools
