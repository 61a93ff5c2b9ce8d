// The configuration: what schemas/config.schema.json names, from defaults, a TOML file, the
// environment and the command line, each winning over the one before. The schema is embedded, so
// keys, types, bounds, defaults and the names of variables stand in one place.
//
// Immutable once loaded, but for secrets that are kept elsewhere; thread-safe to read. Asking for a
// key that the schema does not have, or as another type, is a bug and aborts with the key's name.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/error.hpp"
#include "core/secret.hpp"

namespace soma {

class config;

// A secret's value may name where it is kept: "env:NAME", "file:/path", "vault:mount/path#field".
// What reads it is given the configuration as far as it is read: all that is no secret, and of
// secrets those of section `vault`. May block. Thread-safe. The error's detail never has a secret.
using secret_reader =
    std::function<result<secret_string>(std::string_view reference, const config& settings)>;
bool is_secret_reference(std::string_view value);

struct config_sources {
  std::string file;                                        // path of a TOML file; empty: none
  std::map<std::string, std::string> env;                  // an empty value counts as unset
  std::vector<std::pair<std::string, std::string>> flags;  // "section.key", value; last one wins
  secret_reader read_secret{};                             // may be empty: references are errors
};

// What a secret is now, and all that it was.
class kept_secret {
 public:
  explicit kept_secret(secret_string value) : kept_(std::make_shared<cell>()) {
    replace(std::move(value));
  }
  const secret_string& now() const { return *kept_->now.load(std::memory_order_acquire); }
  void replace(secret_string value) const {
    const std::lock_guard lock(kept_->mutex);
    kept_->all.push_back(std::move(value));
    kept_->now.store(&kept_->all.back(), std::memory_order_release);
  }

 private:
  struct cell {
    std::mutex mutex;
    std::deque<secret_string> all;  // whose elements never move
    std::atomic<const secret_string*> now{nullptr};
  };
  std::shared_ptr<cell> kept_;
};

class config {
 public:
  std::int64_t number(std::string_view key) const;
  double real(std::string_view key) const;
  const std::string& text(std::string_view key) const;
  bool flag(std::string_view key) const;
  const std::vector<std::string>& list(std::string_view key) const;
  const secret_string& secret(std::string_view key) const;

  // Reads anew what references name. A secret that changed is given from then on; references to the
  // one before stay good as long as this configuration. The keys that changed, and why one could
  // not be read. Thread-safe; blocks as the reader does.
  struct secrets_read {
    std::vector<std::string> changed;
    std::vector<std::string> failed;
  };
  // `goes_on` is asked before each; what is away is not asked for the others that are kept there.
  secrets_read read_secrets_again(const std::function<bool()>& goes_on = {}) const;
  bool has_secret_references() const;

  // Where each value came from: "default", "soma.toml:12", "env SOMA_DATA_DIR", "flag".
  std::vector<std::pair<std::string, std::string>> sources() const;

  // What was given and is not used, a sentence each: variables that look like ours and are not.
  const std::vector<std::string>& warnings() const { return warnings_; }

  // What is no default: each key with its value as TOML, a secret's masked.
  std::vector<std::pair<std::string, std::string>> changed() const;

  // All keys as TOML, with secrets masked and the source of what is not a default as a comment.
  std::string to_toml() const;

 private:
  friend class config_loader;
  using value =
      std::variant<std::int64_t, double, bool, std::string, std::vector<std::string>, kept_secret>;
  struct entry {
    value what;
    std::string source;
    std::string reference{};  // of a secret that is kept elsewhere
  };
  const entry& at(std::string_view key) const;
  template <class T>
  const T& get(std::string_view key) const;

  std::map<std::string, entry, std::less<>> entries_;
  std::vector<std::string> warnings_;
  secret_reader read_secret_;
};

// Fails with config.invalid; the detail names file:line, variable or flag, the key, and why. A
// secret's value is never in it. Blocks only to read the file.
result<config> load_config(const config_sources& sources);

}  // namespace soma
