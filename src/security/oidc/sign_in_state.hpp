// What a sign-in by an OpenID provider is between its beginning and its end: it lives with the
// browser alone, sealed in a cookie, so that whichever node the browser comes back to can end it,
// and nothing piles up here of those who never do.
//
// Pure but for random bytes; thread-safe, `once_set` too.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/may_block.hpp"
#include "core/secret.hpp"

namespace soma::security::oidc {

inline constexpr std::int64_t sign_in_ms_max = 10 * 60 * 1000;  // from its beginning to its end
inline constexpr std::size_t return_to_bytes_max = 1024;

// Whether a browser may be sent there after it: the page's own paths, and no address with a
// one-time token in it, by which it would be signed in as another.
bool is_page_path(std::string_view text);

struct pending_sign_in {
  std::string state, nonce, verifier;  // each 256 random bits as base64url
  std::string return_to;               // a path of the page
  std::int64_t ends_at_ms = 0;

  static pending_sign_in begin(std::string return_to, std::int64_t now_ms);
  std::string challenge() const;  // S256 of the verifier (RFC 7636)

  // As the cookie carries it. Errors: auth.invalid for one of another server, a changed one, and
  // one that is over.
  std::string seal(const secret_string& key) const;
  static result<pending_sign_in> unseal(const secret_string& key, std::string_view cookie,
                                        std::int64_t now_ms);
};

// Remembers what was used until it would not be taken any more for its age. Of too many the oldest
// go first: they are of use to nobody who has not also what they came with.
class once_set {
 public:
  once_set(std::size_t most, std::int64_t kept_ms) : most_(most), kept_ms_(kept_ms) {}
  // True once for each text.
  bool use(std::string_view text, std::int64_t now_ms);
  // What it was used for came to nothing: it may be used again.
  void give_back(std::string_view text);
  std::size_t size() const;

 private:
  const std::size_t most_;
  const std::int64_t kept_ms_;
  mutable quick_mutex mutex_;
  std::unordered_map<std::string, std::int64_t> until_;
  std::deque<std::string> order_;
};

// application/x-www-form-urlencoded, which queries are, too.
using form_fields = std::vector<std::pair<std::string, std::string>>;
std::string form_text(std::string_view text);
std::string form_of(const form_fields& fields);

}  // namespace soma::security::oidc
