#include "http/net/trusted_proxies.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/codes.hpp"
#include "http/net/ascii.hpp"

namespace soma::http {
namespace {

namespace ip = boost::asio::ip;

ip::address_v6::bytes_type bytes_of(const ip::address& a) {
  return (a.is_v4() ? ip::make_address_v6(ip::v4_mapped, a.to_v4()) : a.to_v6()).to_bytes();
}

std::optional<ip::address> address_of(std::string_view text) {
  boost::system::error_code ec;
  auto found = ip::make_address(std::string(text), ec);
  if (ec) return std::nullopt;
  return found;
}

// "192.0.2.1", "192.0.2.1:4711", "2001:db8::1", "[2001:db8::1]:4711"
std::optional<ip::address> node_of(std::string_view text) {
  text = trim(text);
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    return end == std::string_view::npos ? std::nullopt : address_of(text.substr(1, end - 1));
  }
  if (std::count(text.begin(), text.end(), ':') == 1) text = text.substr(0, text.find(':'));
  return address_of(text);
}

// The node that one element of Forwarded names: for=192.0.2.1;proto=https, for="[2001:db8::1]:80"
std::optional<ip::address> forwarded_for(std::string_view element) {
  while (!element.empty()) {
    const auto semicolon = std::min(element.find(';'), element.size());
    auto pair = trim(element.substr(0, semicolon));
    element.remove_prefix(std::min(semicolon + 1, element.size()));
    if (pair.size() < 4 || !iequals(pair.substr(0, 4), "for=")) continue;
    pair.remove_prefix(4);
    if (pair.size() >= 2 && pair.front() == '"' && pair.back() == '"')
      pair = pair.substr(1, pair.size() - 2);
    return node_of(pair);
  }
  return std::nullopt;
}

}  // namespace

result<trusted_proxies> trusted_proxies::make(const std::vector<std::string>& networks,
                                              std::string_view header) {
  trusted_proxies made;
  for (const std::string_view text : networks) {
    const auto slash = text.find('/');
    const auto address = address_of(text.substr(0, slash));
    const error bad(codes::config_invalid, "not an address or network: " + std::string(text));
    if (!address) return bad;
    const unsigned own = address->is_v4() ? 32 : 128;
    unsigned bits = own;
    if (slash != std::string_view::npos) {
      const auto digits = text.substr(slash + 1);
      const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
      if (ec != std::errc{} || end != digits.data() + digits.size() || bits > own) return bad;
    }
    made.networks_.push_back({bytes_of(*address), bits + (128 - own)});
  }
  made.forwarded_ = iequals(header, "forwarded");
  if (!made.forwarded_ && !iequals(header, "x-forwarded-for"))
    return error(codes::config_invalid, "neither x-forwarded-for nor forwarded");
  return made;
}

bool trusted_proxies::trusts(const ip::address& address) const {
  if (networks_.empty()) return false;
  const auto bytes = bytes_of(address);
  return std::any_of(networks_.begin(), networks_.end(), [&](const network& n) {
    const auto whole = n.bits / 8, rest = n.bits % 8;
    if (!std::equal(bytes.begin(), bytes.begin() + whole, n.bytes.begin())) return false;
    return rest == 0 || (bytes[whole] ^ n.bytes[whole]) >> (8 - rest) == 0;
  });
}

ip::address trusted_proxies::client_of(const ip::address& peer, const request_context& ctx) const {
  if (!trusts(peer)) return peer;
  auto client = peer;
  const std::string_view name = forwarded_ ? "Forwarded" : "X-Forwarded-For";
  // Each proxy adds to the end, be it of a field or as a field of its own.
  for (auto field = ctx.headers.rbegin(); field != ctx.headers.rend(); ++field) {
    if (!iequals(field->name, name)) continue;
    for (auto list = field->value; !list.empty();) {
      const auto comma = list.rfind(',');
      const auto last = trim(comma == std::string_view::npos ? list : list.substr(comma + 1));
      list = comma == std::string_view::npos ? std::string_view{} : list.substr(0, comma);
      const auto node = forwarded_ ? forwarded_for(last) : node_of(last);
      if (!node) return client;
      client = *node;
      if (!trusts(client)) return client;
    }
  }
  return client;
}

}  // namespace soma::http
