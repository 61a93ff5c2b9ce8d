// What tools there are, what they take and what a call of them may use up: the server's own
// entries, and over them what each tenant changed (enabled, limits, egress).
//
// Thread-safe. `of` gives a snapshot that does not change; looking up costs a lock and a map.
// `change` blocks on the store. Lifetime: the store outlives the catalog.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/may_block.hpp"
#include "tools/input_schema.hpp"
#include "tools/tool.hpp"

namespace soma::tools {

struct catalog_entry {
  std::string tool_id, title, description;
  std::string executor = "builtin";  // builtin, sandbox, mcp
  std::string inputs_schema_json = "{}", outputs_schema_json = "{}";
  bool idempotent = false;  // as declared; the tool itself judges each call
  execution_profile limits;
  std::vector<std::string> egress;
  bool enabled = true;
  input_schema inputs;                     // compiled
  std::string offered_inputs_json = "{}";  // as models are told of it; see offered_schema
  std::string origin;                      // of a server's tool: where the server is
  std::string pin;  // the catalog's own: what an admin who switches it on sees
};

// One entry as config/tools/*.json has it. Errors: tool.entry_invalid, naming the member.
result<catalog_entry> parse_entry(std::string_view json);
std::string to_json(const catalog_entry& entry);

// A tenant's changes over an entry, as PUT gives them; unset is as the server has it.
// Errors: tool.entry_invalid, naming the member.
result<catalog_entry> apply_change(catalog_entry entry, std::string_view change_json);

// Where changes are kept. Thread-safe, blocks on the disk.
class catalog_store {
 public:
  struct row {
    tenant_id tenant;
    std::string tool_id, change_json;  // with what it was made for, where that may become another
  };
  virtual ~catalog_store() = default;
  virtual result<std::vector<row>> load() = 0;
  virtual result<void> put(const row& changed) = 0;
  // A digest that nobody finds a second text for. Pure.
  virtual std::string digest(std::string_view text) const = 0;
};

// What one tenant has, at one moment.
struct tool_set {
  std::map<std::string, catalog_entry, std::less<>> entries;
  std::string etag;  // quoted, as the header has it

  const catalog_entry* find(std::string_view tool_id) const {
    const auto at = entries.find(tool_id);
    return at == entries.end() ? nullptr : &at->second;
  }
};

class catalog {
 public:
  catalog(std::vector<catalog_entry> defaults, catalog_store& store);

  // Errors: those of the store. Until it has succeeded every tenant's set is empty: fail closed.
  result<void> load();

  std::shared_ptr<const tool_set> of(const tenant_id& tenant);

  // Errors: tool.unknown, tool.entry_invalid, tool.entry_changed (the set's ETag is not
  // `if_match`), those of the store.
  result<catalog_entry> change(const tenant_id& tenant, std::string_view tool_id,
                               std::string_view change_json, std::string_view if_match);

  // Entries that come and go with their server, as those of MCP: all whose id begins with `prefix`
  // are replaced; with a tenant, those that it alone has. A tool that a tenant switched on is on
  // for it as long as it is the one it was then: of the same server, with the same title,
  // description and inputs.
  void replace(std::string_view prefix, std::vector<catalog_entry> entries,
               const tenant_id& tenant = {});

 private:
  using entries = std::map<std::string, catalog_entry, std::less<>>;
  struct kept_change {
    std::string json;
    std::string pin;  // empty: of an entry that is the server's own
  };
  static kept_change read_change(std::string row_json);

  std::shared_ptr<const tool_set> make_set(const tenant_id& tenant) const;
  void add_to(tool_set& set, const tenant_id& tenant, const catalog_entry& entry) const;

  catalog_store& store_;
  disk_mutex change_mutex_;  // of `change` as a whole: store and memory in one order
  quick_mutex mutex_;
  bool loaded_ = false;
  entries defaults_;
  std::map<tenant_id, entries> own_;  // win over the defaults
  std::map<tenant_id, std::map<std::string, kept_change, std::less<>>> changes_;
  std::map<tenant_id, std::shared_ptr<const tool_set>> sets_;
};

}  // namespace soma::tools
