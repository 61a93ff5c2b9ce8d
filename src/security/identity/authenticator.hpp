// From what a request brings to who asks. Thread-safe. A request whose proof is in the cache does
// not block; any other reads the store once, so call it where blocking is allowed, or ask `cached`
// first on a thread that must not block.
//
// Fails with auth.required (nothing brought), auth.invalid, ticket.invalid, quota.exceeded (too
// many failures of one peer: retry_after_s says when again, see failed_attempts.hpp), or the
// store's own error. Such a peer is let in all the same with what cannot be guessed: an address may
// be that of many behind a proxy, and whoever fails there must not lock out the others. A proof
// that is brought and wrong is never passed over in favour of another one.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/error.hpp"
#include "core/may_block.hpp"
#include "core/secret.hpp"
#include "security/identity/api_keys.hpp"
#include "security/identity/browser_sessions.hpp"
#include "security/identity/failed_attempts.hpp"
#include "security/identity/ticket.hpp"
#include "security/identity/users.hpp"

namespace soma::security {

struct credentials {
  std::string_view authorization;  // the header's value; empty: none
  std::string_view cookie;         // the header's value; empty: none
  std::string_view ticket;         // of the query; empty: none
  session_id session;              // the stream a ticket is for
  std::string_view peer;           // address without port
};

// What deleting an identity came to. What it names is gone also where the store failed: nobody
// knows whether it is still there, and it would be judged anew.
struct removal {
  result<void> done;
  gone_identity gone;
};

class authenticator {
 public:
  static constexpr std::size_t cache_entries_max = 4096;
  // A removed key's other traces are gone at once; this bounds what a second process could change.
  static constexpr std::int64_t cache_ttl_ms = 60'000;
  // In place of that, where other processes do change it. Before anybody is judged.
  void believe_for(std::int64_t ms) { ttl_ms_ = ms; }
  static constexpr int failures_max = failed_attempts::free_max;
  static constexpr std::int64_t failure_window_ms = failed_attempts::window_ms;
  // Networks from which the admin key came when it was good; a short one is judged for them always.
  static constexpr std::size_t admin_networks_max = 64;

  // From here on an admin key cannot be guessed, however often it is tried.
  static constexpr std::size_t strong_admin_key_chars = 24;

  // Runs what may wait for the disk, such as noting that a key was used; may drop it.
  using run_later = std::function<void(std::function<void()>)>;

  // The references outlive this object. `clock` gives milliseconds since 1970. Without `later` what
  // it would run runs at once.
  // `users`: whose state counts; null: nobody's.
  authenticator(
      key_store& keys, browser_sessions& sessions, const ticket_office& tickets,
      const secret_string& admin_key, std::function<std::int64_t()> clock,
      run_later later = [](auto job) { job(); }, user_store* users = nullptr);

  // Reads the store, and never waits for a write of it.
  result<identity> authenticate(const credentials& given);
  // The answer where it is known without the store; nothing otherwise.
  std::optional<result<identity>> cached(const credentials& given);

  // A proof that is judged elsewhere, as the sign-in link is: its failures count with the others.
  // It is one that cannot be guessed. Errors: auth.invalid, quota.exceeded.
  result<void> attempt(std::string_view peer, const std::function<bool()>& proves);

  // Each deletes in the store and then forgets, so that what is gone is gone with the return; of
  // what is still open for it, such as streams, the caller has to end all.
  [[nodiscard]] removal remove_key(const tenant_id& tenant, std::string_view id);
  [[nodiscard]] removal close_session(std::string_view token);
  // By its id. Errors: sign_in.not_found, also for another's.
  [[nodiscard]] removal close_session_of(const tenant_id& tenant, const user_id& user,
                                         std::string_view id);
  // What a user was let in for ends, where he may do less from now on: he comes in again as he may.
  // The key of the configuration is its operator's, and ends with the configuration.
  struct user_changed {
    result<user_record> now;
    gone_identity gone;
  };
  [[nodiscard]] user_changed change_user(const tenant_id& tenant, const user_id& user,
                                         const user_change& what);

 private:
  struct known {
    identity who;
    std::int64_t until_ms = 0;
  };

  // What is brought, or why it cannot be judged.
  struct proof {
    via kind{};
    std::string_view text;
  };
  result<proof> proof_in(const credentials& given) const;
  std::optional<result<identity>> judge_without_store(const proof& p, const credentials& given,
                                                      std::int64_t now_ms);
  result<known> judge(const proof& p, const credentials& given, std::int64_t now_ms);
  result<known> judge_proof(const proof& p, const credentials& given, std::int64_t now_ms);
  // Whether a peer that failed too often is judged all the same: not where it could be guessing.
  bool is_judged_always(const proof& p, std::string_view peer);
  // `wait`: what a peer that failed too often is told in place of a failure.
  result<identity> note(result<identity> outcome, const std::optional<error>& wait,
                        std::string_view peer, std::int64_t now_ms);
  std::optional<error> blocked(std::string_view peer, std::int64_t now_ms);
  // Whether this very proof was good before; of the admin key, from there. Behind a proxy all share
  // an address: one who guesses must not lock out those who are in.
  bool held_before(const proof& p, std::string_view peer);
  void admin_came_from(std::string_view peer);
  bool is_admins(std::string_view hashed) const;
  void forget(const std::function<bool(const std::string&, const known&)>& which);

  key_store& keys_;
  browser_sessions& sessions_;
  user_store* const users_;
  const ticket_office& tickets_;
  std::string admin_hash_;  // empty: no admin key
  const bool admin_is_strong_, admin_is_like_ours_;
  const std::function<std::int64_t()> clock_;
  const run_later later_;

  quick_mutex mutex_;
  // What was good lately; past its time it is judged anew. By hash of the proof: it holds no
  // secret.
  std::int64_t ttl_ms_ = cache_ttl_ms;  // constant once it runs
  std::unordered_map<std::string, known> cache_;
  std::uint64_t generation_ = 0;  // grows with each deletion: what was read before is not kept
  failed_attempts failed_;
  std::deque<std::string> admin_networks_;  // the oldest first
};

}  // namespace soma::security
