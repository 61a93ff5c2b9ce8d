#include "security/identity/ticket.hpp"

#include <charconv>
#include <optional>

#include "core/codes.hpp"
#include "security/digest.hpp"

namespace soma::security {
namespace {

constexpr std::size_t mac_bytes = 32;
// Longer than any ticket of ours; what is longer is not even decoded.
constexpr std::size_t ticket_chars_max = 1024;

// Each part as its length and itself, so that no two lists of parts read the same.
void put(std::string& out, std::string_view part) {
  out += std::to_string(part.size());
  out += ':';
  out += part;
}

std::optional<std::string> take(std::string_view& in) {
  std::size_t size = 0;
  const auto [end, ec] = std::from_chars(in.data(), in.data() + in.size(), size);
  const auto digits = static_cast<std::size_t>(end - in.data());
  if (ec != std::errc{} || digits >= in.size() || *end != ':' || size > in.size() - digits - 1)
    return std::nullopt;
  std::string part(in.substr(digits + 1, size));
  in.remove_prefix(digits + 1 + size);
  return part;
}

}  // namespace

ticket_office::ticket_office(const secret_string& server_key)
    : key_(std::string(bytes_of(hmac_sha256(server_key.reveal(), "soma ticket v1")))) {}

std::string ticket_office::issue(const ticket_claims& claims) const {
  std::string said;
  put(said, claims.key.tenant.value);
  put(said, claims.user.value);
  put(said, claims.key.session.value);
  put(said, std::to_string(claims.expires_at_ms));
  put(said, claims.key_id);
  put(said, claims.cookie_hash);
  put(said, to_string(claims.role));
  return base64url(std::string(bytes_of(hmac_sha256(key_.reveal(), said))) + said);
}

result<identity> ticket_office::redeem(std::string_view ticket, const session_id& asked,
                                       std::int64_t now_ms) const {
  const error invalid(codes::ticket_invalid, "the ticket is unknown, expired or another session's");
  if (ticket.size() > ticket_chars_max) return invalid;
  const auto bytes = parse_base64url(ticket);
  if (!bytes || bytes->size() <= mac_bytes) return invalid;
  std::string_view said = std::string_view(*bytes).substr(mac_bytes);
  const auto expected = hmac_sha256(key_.reveal(), said);
  if (!constant_time_equal(bytes_of(expected), std::string_view(*bytes).substr(0, mac_bytes)))
    return invalid;
  const auto tenant = take(said), user = take(said), session = take(said), expiry = take(said);
  // Tickets of before had no key, or no browser, or no role.
  const auto key_id = said.empty() ? std::optional(std::string()) : take(said);
  const auto cookie = said.empty() ? std::optional(std::string()) : take(said);
  const auto is = said.empty() ? std::optional(std::string()) : take(said);
  if (!tenant || !user || !session || !expiry || !key_id || !cookie || !is || !said.empty())
    return invalid;
  std::int64_t expires_at_ms = 0;
  const auto [end, ec] =
      std::from_chars(expiry->data(), expiry->data() + expiry->size(), expires_at_ms);
  if (ec != std::errc{} || end != expiry->data() + expiry->size()) return invalid;
  if (now_ms >= expires_at_ms || *session != asked.value || asked.empty()) return invalid;
  const auto as = *is == to_string(role::admin) ? role::admin : role::user;
  identity who{tenant_id{*tenant}, user_id{*user}, *key_id, as, via::ticket, asked};
  who.expires_at_ms = expires_at_ms;
  who.cookie_hash = *cookie;
  return who;
}

}  // namespace soma::security
