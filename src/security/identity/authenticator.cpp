#include "security/identity/authenticator.hpp"

#include <algorithm>

#include "core/codes.hpp"
#include "security/digest.hpp"
#include "security/peer_network.hpp"

namespace soma::security {
namespace {

constexpr std::string_view key_begin = "soma_";  // see api_keys.hpp

std::string hash(via kind, std::string_view text) {
  return std::string(1, static_cast<char>(kind)) + std::string(bytes_of(sha256(text)));
}

bool is_bearer(std::string_view scheme) {
  constexpr std::string_view name = "bearer";
  return scheme.size() == name.size() &&
         std::equal(scheme.begin(), scheme.end(), name.begin(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

bool refused(const error& e) {
  return e.code == codes::auth_invalid || e.code == codes::ticket_invalid;
}

// Drops what is over; where that is nothing, drops all: a full table means an attack or a misuse.
template <class Map, class Over>
void make_room(Map& map, std::size_t entries_max, Over over) {
  if (map.size() < entries_max) return;
  std::erase_if(map, over);
  if (map.size() >= entries_max) map.clear();
}

}  // namespace

authenticator::authenticator(key_store& keys, browser_sessions& sessions,
                             const ticket_office& tickets, const secret_string& admin_key,
                             std::function<std::int64_t()> clock, run_later later,
                             user_store* users)
    : keys_(keys),
      sessions_(sessions),
      users_(users),
      tickets_(tickets),
      admin_hash_(admin_key.empty() ? std::string() : hash(via::admin_key, admin_key.reveal())),
      admin_is_strong_(admin_key.empty() || admin_key.reveal().size() >= strong_admin_key_chars),
      admin_is_like_ours_(admin_key.reveal().starts_with(key_begin)),
      clock_(std::move(clock)),
      later_(std::move(later)) {}

result<authenticator::proof> authenticator::proof_in(const credentials& given) const {
  if (!given.authorization.empty()) {
    const auto space = given.authorization.find(' ');
    if (is_bearer(given.authorization))
      return error(codes::auth_required, "Authorization names no key: Bearer <key>");
    if (space == std::string_view::npos || !is_bearer(given.authorization.substr(0, space)))
      return error(codes::auth_invalid, "Authorization must be: Bearer <key>");
    auto text = given.authorization.substr(space + 1);
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    return proof{via::api_key, text};
  }
  if (!given.ticket.empty()) return proof{via::ticket, given.ticket};
  const auto token = sessions_.token_in(given.cookie);
  if (!token.empty()) return proof{via::cookie, token};
  return error(codes::auth_required, "this route needs an API key or a signed-in browser");
}

// Whether it is the admin key's, but for the kind of proof it begins with.
bool authenticator::is_admins(std::string_view hashed) const {
  return !admin_hash_.empty() &&
         constant_time_equal(std::string_view(admin_hash_).substr(1), hashed.substr(1));
}

std::optional<result<identity>> authenticator::judge_without_store(const proof& p,
                                                                   const credentials& given,
                                                                   std::int64_t now_ms) {
  if (p.kind == via::ticket) {
    auto who = tickets_.redeem(p.text, given.session, now_ms);
    // What it goes with is known to the store alone.
    if (!who || (who->key_id.empty() && who->cookie_hash.empty())) return who;
  }
  const auto hashed = hash(p.kind, p.text);
  if (p.kind == via::api_key && is_admins(hashed)) {
    admin_came_from(given.peer);
    return result<identity>(
        identity{tenant_id{"default"}, user_id{"admin"}, {}, role::admin, via::admin_key, {}});
  }
  const std::lock_guard lock(mutex_);
  const auto it = cache_.find(hashed);
  if (it == cache_.end() || now_ms >= it->second.until_ms) return std::nullopt;
  return result<identity>(it->second.who);
}

std::optional<result<identity>> authenticator::cached(const credentials& given) {
  const auto now_ms = clock_();
  const auto p = proof_in(given);
  if (p.has_error() && p.error().code == codes::auth_required) return result<identity>(p.error());
  const auto wait = blocked(given.peer, now_ms);
  if (p.has_error()) return note(p.error(), wait, given.peer, now_ms);
  if (wait && !is_judged_always(*p, given.peer)) return result<identity>(*wait);
  auto known = judge_without_store(*p, given, now_ms);
  if (!known) return std::nullopt;
  return note(std::move(*known), wait, given.peer, now_ms);
}

result<identity> authenticator::authenticate(const credentials& given) {
  if (auto known = cached(given)) return std::move(*known);
  const auto now_ms = clock_();
  const auto p = proof_in(given);
  std::uint64_t generation = 0;
  {
    const std::lock_guard lock(mutex_);
    generation = generation_;
  }
  auto found = judge(*p, given, now_ms);
  if (found.has_error())
    return note(found.error(), blocked(given.peer, now_ms), given.peer, now_ms);
  const std::lock_guard lock(mutex_);
  if (generation == generation_) {
    make_room(cache_, cache_entries_max,
              [&](const auto& item) { return now_ms >= item.second.until_ms; });
    cache_[hash(p->kind, p->text)] = *found;
  }
  return std::move(found->who);
}

// What was brought is good; whose it is may come in, and do no more than he may.
result<authenticator::known> authenticator::judge(const proof& p, const credentials& given,
                                                  std::int64_t now_ms) {
  auto found = judge_proof(p, given, now_ms);
  if (!found || !users_) return found;
  auto& who = found->who;
  const auto user = users_->find(who.tenant, who.user);
  if (!user) return user.error();
  if (user->disabled)
    return error(p.kind == via::ticket ? codes::ticket_invalid : codes::auth_invalid,
                 "the user is disabled");
  if (user->role == role::user) who.role = role::user;
  if (now_ms - user->last_seen_at_ms >= user_store::seen_step_ms)
    later_([users = users_, seen = *user, now_ms] { (void)users->touch(seen, now_ms); });
  return found;
}

result<authenticator::known> authenticator::judge_proof(const proof& p, const credentials& given,
                                                        std::int64_t now_ms) {
  const auto kept = [now_ms, ttl_ms = ttl_ms_](identity who) {
    const auto until = now_ms + ttl_ms, ends = who.expires_at_ms;
    return known{std::move(who), ends == 0 ? until : std::min(until, ends)};
  };
  const auto sooner = [](std::int64_t a, std::int64_t b) {
    return a == 0 || b == 0 ? std::max(a, b) : std::min(a, b);
  };
  if (p.kind == via::ticket) {
    auto who = tickets_.redeem(p.text, given.session, now_ms);
    if (!who) return who.error();
    // It goes with the key it was asked for with, and with the browser's session.
    const auto goes_with = [&who, &sooner](const auto& found) -> std::optional<error> {
      if (!found && found.error().code == codes::auth_invalid)
        return error(codes::ticket_invalid, "what the ticket was asked for with is gone");
      if (!found) return found.error();
      who->expires_at_ms = sooner(who->expires_at_ms, found->expires_at_ms);
      return std::nullopt;
    };
    if (!who->key_id.empty())
      if (auto bad = goes_with(keys_.find(who->key_id, now_ms))) return *bad;
    if (!who->cookie_hash.empty())
      if (auto bad = goes_with(sessions_.find_id(who->cookie_hash, now_ms))) return *bad;
    return kept(std::move(*who));
  }
  if (p.kind == via::cookie) {
    auto session = sessions_.find(p.text, now_ms);
    if (!session) return session.error();
    session->who.expires_at_ms = session->expires_at_ms;
    // A browser that signed in with a key goes with it.
    if (!session->who.key_id.empty()) {
      const auto key = keys_.find(session->who.key_id, now_ms);
      if (!key) return key.error();
      session->who.expires_at_ms = sooner(session->expires_at_ms, key->expires_at_ms);
    }
    return kept(std::move(session->who));
  }
  const auto key = keys_.verify(p.text, now_ms);
  if (!key) return key.error();
  // A use that cannot be noted does not lock anybody out: it proves nothing. It is a write, and who
  // asks does not wait for the disk.
  if (now_ms - key->last_used_at_ms >= key_store::last_used_step_ms)
    later_([&keys = keys_, used = *key, now_ms] { (void)keys.touch(used, now_ms); });
  identity who{key->tenant, key->user, key->id, key->role, via::api_key, {}};
  who.expires_at_ms = key->expires_at_ms;
  return kept(std::move(who));
}

result<void> authenticator::attempt(std::string_view peer, const std::function<bool()>& proves) {
  const auto now_ms = clock_();
  if (proves()) return {};
  const error failed(codes::auth_invalid, "the sign-in link is used up or expired");
  return note(failed, blocked(peer, now_ms), peer, now_ms).error();
}

std::optional<error> authenticator::blocked(std::string_view peer, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  const auto left_ms = failed_.wait_ms(peer, now_ms);
  if (left_ms == 0) return std::nullopt;
  return error(codes::quota_exceeded, "too many failed attempts",
               static_cast<int>((left_ms + 999) / 1000));
}

// Keys, tickets and cookies are random or signed; an admin key is what somebody thought of.
bool authenticator::is_judged_always(const proof& p, std::string_view peer) {
  const bool ours = p.text.starts_with(key_begin) && !admin_is_like_ours_;
  return p.kind != via::api_key || ours || admin_is_strong_ || held_before(p, peer);
}

bool authenticator::held_before(const proof& p, std::string_view peer) {
  const auto hashed = hash(p.kind, p.text);
  const bool is_known_place = [&] {
    const auto network = network_of(peer).own;
    const std::lock_guard lock(mutex_);
    return std::find(admin_networks_.begin(), admin_networks_.end(), network) !=
           admin_networks_.end();
  }();
  if (p.kind == via::api_key && is_known_place && is_admins(hashed)) return true;
  const std::lock_guard lock(mutex_);
  return cache_.count(hashed) > 0;
}

// Elsewhere whoever waits learns nothing of it: not even by being let in.
void authenticator::admin_came_from(std::string_view peer) {
  if (admin_is_strong_) return;
  auto network = network_of(peer).own;
  const std::lock_guard lock(mutex_);
  if (std::find(admin_networks_.begin(), admin_networks_.end(), network) != admin_networks_.end())
    return;
  if (admin_networks_.size() >= admin_networks_max) admin_networks_.pop_front();
  admin_networks_.push_back(std::move(network));
}

result<identity> authenticator::note(result<identity> outcome, const std::optional<error>& wait,
                                     std::string_view peer, std::int64_t now_ms) {
  if (outcome.has_value() || !refused(outcome.error())) return outcome;
  if (wait) return *wait;
  const std::lock_guard lock(mutex_);
  failed_.failed(peer, now_ms);
  return outcome;
}

void authenticator::forget(const std::function<bool(const std::string&, const known&)>& which) {
  const std::lock_guard lock(mutex_);
  ++generation_;
  std::erase_if(cache_, [&](const auto& item) { return which(item.first, item.second); });
}

removal authenticator::remove_key(const tenant_id& tenant, std::string_view id) {
  auto done = keys_.remove(tenant, id);
  // Also after a failure: what may be gone must be read again.
  forget([&](const std::string&, const known& k) { return k.who.key_id == id; });
  // Who names a key of others removes nothing, and ends nothing of theirs.
  if (!done && done.error().code == codes::key_not_found) return {std::move(done), {}};
  return {std::move(done), {std::string(id), {}}};
}

removal authenticator::close_session_of(const tenant_id& tenant, const user_id& user,
                                        std::string_view id) {
  auto done = sessions_.close_of(tenant, user, id);
  if (!done && done.error().code == codes::sign_in_not_found) return {std::move(done), {}};
  forget([&](const std::string&, const known& k) { return k.who.cookie_hash == id; });
  return {std::move(done), {{}, std::string(id)}};
}

authenticator::user_changed authenticator::change_user(const tenant_id& tenant, const user_id& user,
                                                       const user_change& what) {
  auto now = users_->change(tenant, user, what);
  forget([&](const std::string&, const known& k) {
    return k.who.tenant == tenant && k.who.user == user;
  });
  const bool may_less = what.disabled.value_or(false) || what.role == role::user;
  // Also after a failure: what may have been changed is judged anew.
  if (!may_less) return {std::move(now), {}};
  return {std::move(now), {{}, {}, tenant, user}};
}

removal authenticator::close_session(std::string_view token) {
  auto done = sessions_.close(token);
  auto gone = sessions_.id_of(token);
  forget([&](const std::string&, const known& k) { return k.who.cookie_hash == gone; });
  return {std::move(done), {{}, std::move(gone)}};
}

}  // namespace soma::security
