#include "node/vault_client.hpp"

#include <boost/json.hpp>

#include <initializer_list>
#include <optional>

#include "core/codes.hpp"
#include "core/json_writer.hpp"

namespace soma {
namespace {

error unavailable(const std::string& why) {
  return {codes::dependency_unavailable, "vault: " + why};
}

error refused(const outbox::http_answer& answer, const std::string& what) {
  if (answer.status == 0) return unavailable("it does not answer: " + answer.why);
  if (answer.status == 403) return unavailable("it does not let us " + what);
  return unavailable("it answers " + std::to_string(answer.status) + " where we " + what);
}

std::string without_end(std::string addr) {
  while (!addr.empty() && addr.back() == '/') addr.pop_back();
  return addr;
}

// The text under these names, one in the other.
std::optional<secret_string> text_at(const std::string& document,
                                     std::initializer_list<std::string_view> names) {
  boost::json::error_code ec;
  const auto whole = boost::json::parse(document, ec);
  const auto* at = ec ? nullptr : &whole;
  for (const auto name : names) {
    const auto* object = at ? at->if_object() : nullptr;
    at = object ? object->if_contains(boost::json::string_view(name.data(), name.size())) : nullptr;
  }
  if (!at || !at->is_string()) return std::nullopt;
  return secret_string(std::string(at->get_string().c_str()));
}

// A path is sent as it is: what would end it, or lead elsewhere, is none.
bool is_path(std::string_view path) {
  if (path.empty() || path.front() == '/' || path.find("..") != path.npos) return false;
  return path.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
             "/_.-") == path.npos;
}

}  // namespace

vault_client::vault_client(vault_options options)
    : options_(std::move(options)),
      http_(without_end(options_.addr), secret_string(), options_.ca_file),
      token_(options_.token) {}

vault_client::header_list vault_client::headers() const {
  header_list out;
  if (!token_.empty()) out.emplace_back("X-Vault-Token", std::string(token_.reveal()));
  if (!options_.name_space.empty()) out.emplace_back("X-Vault-Namespace", options_.name_space);
  return out;
}

result<void> vault_client::sign_in() {
  if (options_.role_id.empty())
    return unavailable("it needs vault.token, or vault.role_id with vault.secret_id");
  std::string body;
  json_writer w(body);
  w.begin_object().field("role_id", options_.role_id);
  w.field("secret_id", options_.secret_id.reveal()).end_object();
  token_ = {};
  auto answer =
      http_.post("/v1/auth/approle/login", body, headers(), deadline_ms, answer_bytes_max);
  wipe(body);
  if (answer.status != 200) return refused(answer, "sign in as that AppRole");
  auto token = text_at(answer.body, {"auth", "client_token"});
  wipe(answer.body);
  if (!token) return unavailable("it gave no token");
  token_ = std::move(*token);
  return {};
}

outbox::http_answer vault_client::get(const std::string& path) {
  return http_.get(path, deadline_ms, answer_bytes_max, headers());
}

result<secret_string> vault_client::read(std::string_view place) {
  const auto slash = place.find('/'), hash = place.find('#');
  if (slash == place.npos || hash == place.npos || hash < slash || hash + 1 == place.size() ||
      !is_path(place.substr(0, hash)))
    return unavailable("a secret is named as vault:mount/path#field");
  const std::string path = "/v1/" + std::string(place.substr(0, slash)) + "/data" +
                           std::string(place.substr(slash, hash - slash));
  const auto what = "read " + std::string(place.substr(0, hash));
  const std::lock_guard lock(mutex_);
  if (token_.empty())
    if (auto done = sign_in(); !done) return done.error();
  auto answer = get(path);
  // A token that ran out: the AppRole takes another.
  if (answer.status == 403 && !options_.role_id.empty()) {
    if (auto done = sign_in(); !done) return done.error();
    answer = get(path);
  }
  if (answer.status != 200) return refused(answer, what);
  auto found = text_at(answer.body, {"data", "data", place.substr(hash + 1)});
  wipe(answer.body);
  if (!found) return unavailable("there is no such field where we " + what);
  if (found->empty()) return unavailable("the field is empty where we " + what);
  return std::move(*found);
}

result<void> vault_client::renew() {
  const std::lock_guard lock(mutex_);
  if (token_.empty()) return sign_in();
  const auto now = clock::now();
  if (now < renew_at_) return {};
  renew_at_ = now + renew_between;
  const auto answer =
      http_.post("/v1/auth/token/renew-self", "{}", headers(), deadline_ms, answer_bytes_max);
  if (answer.status == 200) return {};
  // One that cannot be renewed, as a root's, holds until it ends.
  if (answer.status == 400) return {};
  return options_.role_id.empty() ? result<void>(refused(answer, "renew the token")) : sign_in();
}

}  // namespace soma
