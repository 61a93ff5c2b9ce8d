#include "tool_parts.hpp"

#include <fstream>
#include <iterator>

#include "core/codes.hpp"
#include "embedded/soma_embedded_config.hpp"
#include "observability/log.hpp"

namespace soma {
namespace {

constexpr std::string_view collection = "catalog";
constexpr std::size_t changes_max = 100'000;

// A tenant's changes as documents of the store.
class stored_catalog final : public tools::catalog_store {
 public:
  explicit stored_catalog(storage::event_log& log) : log_(log) {}

  result<std::vector<row>> load() override {
    auto documents = log_.list_documents(collection, "", changes_max);
    if (!documents) return documents.error();
    std::vector<row> rows;
    for (auto& [key, document] : *documents)
      if (const auto cut = key.find('\n'); cut != key.npos)
        rows.push_back({tenant_id(key.substr(0, cut)), key.substr(cut + 1), std::move(document)});
    return rows;
  }
  result<void> put(const row& changed) override {
    return log_.put_document(collection, changed.tenant.value + '\n' + changed.tool_id,
                             changed.change_json);
  }

 private:
  storage::event_log& log_;
};

// The entries built in. One that cannot be read is a fault of the build.
result<std::vector<tools::catalog_entry>> built_in_entries() {
  std::vector<tools::catalog_entry> entries;
  for (const auto& file : embedded::soma_embedded_config_files()) {
    if (!file.name.starts_with("tools/")) continue;
    auto entry = tools::parse_entry(file.text);
    if (!entry) return error(codes::internal, std::string(file.name) + ": " + entry.error().detail);
    entries.push_back(std::move(*entry));
  }
  return entries;
}

}  // namespace

result<std::unique_ptr<security::policy>> policy_of(const config& settings) {
  const auto& path = settings.text("policy.file");
  if (path.empty())
    return security::make_rules_policy(embedded::find_soma_embedded_config("policy.toml"));
  std::ifstream file(path);
  if (!file) return error(codes::config_invalid, "policy.file: " + path + " cannot be read");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto made = security::make_rules_policy(text);
  if (!made) return error(codes::config_invalid, path + ": " + made.error().detail);
  return made;
}

struct tool_parts::parts {
  parts(const needs& from, std::unique_ptr<security::policy> rules,
        std::vector<tools::catalog_entry> entries)
      : policy(std::move(rules)),
        store(from.events),
        catalog(std::move(entries), store),
        runner({catalog, [this](const auto& who, auto id) { return judge(who, id); },
                from.attachments}),
        gateway{catalog, runner, *policy, from.audit} {}

  // Inside a session nobody knows the caller's role any more.
  tools::verdict judge(const tools::tool_caller& who, std::string_view tool_id) const {
    auto said =
        policy->decide({who.session.tenant.value, who.user_id, {}, "tool.execute", tool_id});
    return {said.allow, std::move(said.rule), std::move(said.reason)};
  }

  std::unique_ptr<security::policy> policy;
  stored_catalog store;
  tools::catalog catalog;
  tools::catalog_runner runner;
  http::tool_gateway gateway;
};

tool_parts::tool_parts(std::unique_ptr<parts> made) : parts_(std::move(made)) {}
tool_parts::~tool_parts() = default;

result<std::unique_ptr<tool_parts>> tool_parts::make(const needs& from) {
  auto rules = policy_of(from.settings);
  if (!rules) return rules.error();
  auto entries = built_in_entries();
  if (!entries) return entries.error();
  auto made = std::make_unique<parts>(from, std::move(*rules), std::move(*entries));
  if (auto loaded = made->catalog.load(); !loaded) return loaded.error();
  return std::unique_ptr<tool_parts>(new tool_parts(std::move(made)));
}

http::tool_gateway& tool_parts::gateway() {
  return parts_->gateway;
}

tools::catalog_runner& tool_parts::runner() {
  return parts_->runner;
}

}  // namespace soma
