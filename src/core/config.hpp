// The configuration: what schemas/config.schema.json names, from defaults, a TOML file, the
// environment and the command line, each winning over the one before. The schema is embedded, so
// keys, types, bounds, defaults and the names of variables stand in one place.
//
// Immutable once loaded, thread-safe to read. Asking for a key that the schema does not have, or
// as another type, is a bug and aborts with the key's name.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/error.hpp"
#include "core/secret.hpp"

namespace soma {

struct config_sources {
  std::string file;                                        // path of a TOML file; empty: none
  std::map<std::string, std::string> env;                  // an empty value counts as unset
  std::vector<std::pair<std::string, std::string>> flags;  // "section.key", value; last one wins
};

class config {
 public:
  std::int64_t number(std::string_view key) const;
  double real(std::string_view key) const;
  const std::string& text(std::string_view key) const;
  bool flag(std::string_view key) const;
  const std::vector<std::string>& list(std::string_view key) const;
  const secret_string& secret(std::string_view key) const;

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
  using value = std::variant<std::int64_t, double, bool, std::string, std::vector<std::string>,
                             secret_string>;
  struct entry {
    value what;
    std::string source;
  };
  const entry& at(std::string_view key) const;
  template <class T>
  const T& get(std::string_view key) const;

  std::map<std::string, entry, std::less<>> entries_;
  std::vector<std::string> warnings_;
};

// Fails with config.invalid; the detail names file:line, variable or flag, the key, and why. A
// secret's value is never in it. Blocks only to read the file.
result<config> load_config(const config_sources& sources);

}  // namespace soma
