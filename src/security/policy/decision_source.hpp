// How somebody outside is asked, and what his answers mean: OPA and OpenFGA. Pure; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "security/policy/policy.hpp"
#include "security/policy/policy_wire.hpp"

namespace soma::security {

class decision_source {
 public:
  static constexpr std::size_t rule_bytes_max = 200, reason_bytes_max = 500;

  virtual ~decision_source() = default;
  virtual std::string_view name() const = 0;
  // Questions of one call at most.
  virtual std::size_t batch_max() const = 0;
  virtual std::string path(std::size_t questions) const = 0;
  virtual std::string body(std::span<const policy_input> asked, std::int64_t now_ms) const = 0;
  // Of a status 200. Errors: dependency.unavailable with why, for what is not an answer to so many
  // questions.
  virtual result<std::vector<decision>> read(std::string_view body,
                                             std::span<const policy_input> asked) const = 0;
};

// `decision_path`: of the document that is asked, such as soma/policy/decision. Where it ends so,
// several questions go to `…/decisions` at once; else one by one.
std::unique_ptr<decision_source> make_opa(std::string decision_path);

struct openfga_store {
  std::string store_id, model_id;  // no model: the store's newest
};
std::unique_ptr<decision_source> make_openfga(openfga_store where);

// What an id is called in OpenFGA's names: blanks, `:`, `#`, `*`, `%`, `/` and what is not
// printable ASCII by their bytes as %XX. A group is `group:TENANT/GROUP`, each part so.
std::string openfga_name(std::string_view id);

}  // namespace soma::security
