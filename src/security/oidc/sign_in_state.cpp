#include "security/oidc/sign_in_state.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "security/digest.hpp"
#include "security/secrets/sealed_text.hpp"

namespace soma::security::oidc {
namespace {

constexpr std::string_view bound_to = "soma oidc sign-in v1";
constexpr std::size_t cookie_bytes_max = 4096;  // as browsers take
constexpr std::string_view page = "/ui/";

bool is_plain(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

int digit_of(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

// As scripts of the page read what stands behind '#'.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escapes = text[i] == '%' && i + 2 < text.size() && digit_of(text[i + 1]) >= 0 &&
                         digit_of(text[i + 2]) >= 0;
    out +=
        escapes ? static_cast<char>(digit_of(text[i + 1]) * 16 + digit_of(text[i + 2])) : text[i];
    if (escapes) i += 2;
  }
  return out;
}

}  // namespace

bool is_page_path(std::string_view text) {
  if (!text.starts_with(page) || text.size() > return_to_bytes_max) return false;
  // What browsers read otherwise than it is written, and what a header cannot carry.
  for (const char c : text)
    if (c <= 0x20 || c >= 0x7f || c == '\\' || c == '"' || c == '<' || c == '>') return false;
  const auto path = text.substr(0, text.find_first_of("?#"));
  const auto in_path = [](char c) { return is_plain(c) || c == '/'; };
  return std::all_of(path.begin(), path.end(), in_path) && path.find("//") == path.npos &&
         path.find("..") == path.npos && unescaped(text).find("signin") == std::string::npos;
}

pending_sign_in pending_sign_in::begin(std::string return_to, std::int64_t now_ms) {
  pending_sign_in out;
  for (auto* one : {&out.state, &out.nonce, &out.verifier}) *one = base64url(random_bytes(32));
  out.return_to = std::move(return_to);
  out.ends_at_ms = now_ms + sign_in_ms_max;
  return out;
}

std::string pending_sign_in::challenge() const {
  return base64url(bytes_of(sha256(verifier)));
}

std::string pending_sign_in::seal(const secret_string& key) const {
  std::string text;
  json_writer w(text);
  w.begin_object().field("state", state).field("nonce", nonce).field("verifier", verifier);
  w.field("return_to", return_to);
  w.field("ends_at_ms", static_cast<std::uint64_t>(ends_at_ms)).end_object();
  return security::seal(key, bound_to, text);
}

result<pending_sign_in> pending_sign_in::unseal(const secret_string& key, std::string_view cookie,
                                                std::int64_t now_ms) {
  const error none(codes::auth_invalid, "this browser began no sign-in, or too long ago");
  if (cookie.empty() || cookie.size() > cookie_bytes_max) return none;
  const auto text = security::unseal(key, bound_to, cookie);
  if (!text) return none;
  boost::json::error_code ec;
  const auto value = boost::json::parse({text->reveal().data(), text->reveal().size()}, ec);
  if (ec || !value.is_object()) return none;
  const auto& members = value.get_object();
  pending_sign_in out;
  out.state = text_of(members, "state");
  out.nonce = text_of(members, "nonce");
  out.verifier = text_of(members, "verifier");
  out.return_to = text_of(members, "return_to");
  const auto* ends = members.if_contains("ends_at_ms");
  if (!ends || !ends->is_number() || out.state.empty() || out.nonce.empty()) return none;
  boost::system::error_code no_number;
  out.ends_at_ms = ends->to_number<std::int64_t>(no_number);
  if (no_number || now_ms >= out.ends_at_ms) return none;
  return out;
}

bool once_set::use(std::string_view text, std::int64_t now_ms) {
  std::string key(bytes_of(sha256(text)));
  const std::lock_guard lock(mutex_);
  while (!order_.empty() && (order_.size() >= most_ || now_ms >= until_[order_.front()])) {
    until_.erase(order_.front());
    order_.pop_front();
  }
  if (!until_.emplace(key, now_ms + kept_ms_).second) return false;
  order_.push_back(std::move(key));
  return true;
}

void once_set::give_back(std::string_view text) {
  const std::string key(bytes_of(sha256(text)));
  const std::lock_guard lock(mutex_);
  if (until_.erase(key) > 0) std::erase(order_, key);
}

std::size_t once_set::size() const {
  const std::lock_guard lock(mutex_);
  return order_.size();
}

std::string form_text(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (is_plain(c))
      out += c;
    else
      out += '%' + hex({&c, 1});
  return out;
}

std::string form_of(const form_fields& fields) {
  std::string out;
  for (const auto& [name, value] : fields)
    out += (out.empty() ? "" : "&") + form_text(name) + '=' + form_text(value);
  return out;
}

}  // namespace soma::security::oidc
