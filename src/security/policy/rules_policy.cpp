#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <algorithm>
#include <set>
#include <vector>

#include "core/codes.hpp"
#include "security/policy/policy.hpp"

namespace soma::security {
namespace {

constexpr std::size_t rules_max = 1000, patterns_max = 256;

error invalid(std::string_view rule, std::string_view why) {
  return {codes::config_invalid, "policy: rule " + std::string(rule) + ": " + std::string(why)};
}

// Literally, or up to a final `*`.
bool fits(const std::vector<std::string>& patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(), [&](std::string_view pattern) {
    if (!pattern.ends_with('*')) return pattern == text;
    pattern.remove_suffix(1);
    return text.starts_with(pattern);
  });
}

struct rule {
  std::string id, reason;
  bool allow = false, owned = false;
  std::vector<std::string> actions, resources, users, roles, tenants;

  // A list that is not given fits everything.
  bool is_for(const policy_input& in) const {
    const auto one = [](const std::vector<std::string>& list, std::string_view text) {
      return list.empty() || fits(list, text);
    };
    // A role that is not known may be any: it fits what denies, and nothing that allows.
    const bool role_fits = in.role.empty() && !roles.empty() ? !allow : one(roles, in.role);
    // An owner likewise.
    const bool owner_fits = !owned || (in.owner ? *in.owner == in.user : !allow);
    return owner_fits && fits(actions, in.action) && one(resources, in.resource) &&
           one(users, in.user) && role_fits && one(tenants, in.tenant);
  }
};

class rules_policy final : public policy {
 public:
  explicit rules_policy(std::vector<rule> rules) : rules_(std::move(rules)) {}

  bool decide(std::span<const policy_input> asked, std::span<decision> answers,
              std::function<void()>) const override {
    for (std::size_t i = 0; i < asked.size(); ++i) answers[i] = judge(asked[i]);
    return true;
  }

  bool names(std::string_view action) const override {
    return std::any_of(rules_.begin(), rules_.end(),
                       [&](const rule& r) { return fits(r.actions, action); });
  }

  bool wants_owner(std::string_view action) const override {
    return std::any_of(rules_.begin(), rules_.end(),
                       [&](const rule& r) { return r.owned && fits(r.actions, action); });
  }

 private:
  decision judge(const policy_input& in) const {
    if (in.tenant.empty() || in.user.empty()) return {false, "identity", "nobody is signed in"};
    for (const auto& r : rules_)
      if (r.is_for(in))
        return {r.allow, r.id,
                r.allow             ? std::string()
                : !r.reason.empty() ? r.reason
                                    : std::string(in.action) + " is not allowed here"};
    return {false, "default", "no rule allows " + std::string(in.action)};
  }

  const std::vector<rule> rules_;
};

class rule_reader {
 public:
  rule_reader(const toml::table& from, std::string name) : from_(from), name_(std::move(name)) {}

  result<rule> read() {
    rule r;
    r.id = text("id");
    if (!r.id.empty()) name_ = r.id;
    r.reason = text("reason");
    const auto effect = text("effect");
    r.allow = effect == "allow";
    r.actions = list("actions");
    r.resources = list("resources");
    r.users = list("users");
    r.roles = list("roles");
    r.tenants = list("tenants");
    r.owned = flag("owned");
    for (const auto& [key, value] : from_)
      if (!known_.contains(key.str())) complain(std::string(key.str()) + " is no member");
    if (r.id.empty()) complain("id is missing");
    if (effect != "allow" && effect != "deny") complain("effect must be allow or deny");
    if (r.actions.empty()) complain("actions is missing");
    if (!why_.empty()) return invalid(name_, why_);
    return r;
  }

 private:
  void complain(std::string why) {
    if (why_.empty()) why_ = std::move(why);
  }
  std::string text(std::string_view key) {
    known_.insert(key);
    const auto* node = from_.get(key);
    if (!node) return {};
    if (!node->is_string()) complain(std::string(key) + " must be text");
    return node->value_or(std::string());
  }
  bool flag(std::string_view key) {
    known_.insert(key);
    const auto* node = from_.get(key);
    if (node && !node->is_boolean()) complain(std::string(key) + " must be true or false");
    return node && node->value_or(false);
  }
  std::vector<std::string> list(std::string_view key) {
    known_.insert(key);
    std::vector<std::string> out;
    const auto* node = from_.get(key);
    if (!node) return out;
    const auto* array = node->as_array();
    // An empty list would fit everything, which nobody means who writes one.
    if (!array || array->empty() || array->size() > patterns_max) {
      complain(std::string(key) + " must be a list of texts");
      return out;
    }
    for (const auto& item : *array) {
      if (!item.is_string()) complain(std::string(key) + " must be a list of texts");
      out.push_back(item.value_or(std::string()));
    }
    return out;
  }

  const toml::table& from_;
  std::string name_, why_;
  std::set<std::string_view> known_;
};

}  // namespace

result<std::unique_ptr<policy>> make_rules_policy(std::string_view text) {
  const auto parsed = toml::parse(text);
  if (!parsed) {
    const auto& at = parsed.error().source().begin;
    return error(codes::config_invalid,
                 "policy: line " + std::to_string(at.line) + ": it is not TOML");
  }
  const toml::table& document = parsed.table();
  for (const auto& [key, value] : document)
    if (key.str() != "rule") return invalid(key.str(), "only [[rule]] is known");
  std::vector<rule> rules;
  if (const auto* node = document.get("rule")) {
    const auto* list = node->as_array();
    if (!list || list->size() > rules_max) return invalid("list", "write rules as [[rule]]");
    for (const auto& item : *list) {
      const auto* table = item.as_table();
      if (!table) return invalid("list", "write rules as [[rule]]");
      auto read = rule_reader(*table, "number " + std::to_string(rules.size() + 1)).read();
      if (!read) return read.error();
      const bool twice =
          std::any_of(rules.begin(), rules.end(), [&](const rule& r) { return r.id == read->id; });
      if (twice) return invalid(read->id, "the id is there twice");
      rules.push_back(std::move(*read));
    }
  }
  return std::unique_ptr<policy>(std::make_unique<rules_policy>(std::move(rules)));
}

}  // namespace soma::security
