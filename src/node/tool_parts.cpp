#include "node/tool_parts.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "app/operations.hpp"
#include "core/codes.hpp"
#include "core/time.hpp"
#include "embedded/soma_embedded_config.hpp"
#include "files/file_tools.hpp"
#include "llm/picture.hpp"
#include "memory/memory_tools.hpp"
#include "memory/stored_notes.hpp"
#include "node/mcp_parts.hpp"
#include "observability/log.hpp"
#include "security/digest.hpp"
#include "storage/documents.hpp"
#include "tools/builtin/calculator.hpp"
#include "tools/builtin/clock.hpp"
#include "tools/builtin/code_execute.hpp"
#include "tools/builtin/document_ingest.hpp"
#include "tools/builtin/echo.hpp"
#include "tools/builtin/http_fetch.hpp"
#include "tools/egress/egress_proxy.hpp"
#include "tools/worker_pool.hpp"

namespace soma {
namespace {

constexpr std::string_view collection = "catalog";

// A tenant's changes as documents of the store.
class stored_catalog final : public tools::catalog_store {
 public:
  explicit stored_catalog(storage::event_log& log) : log_(log) {}

  result<std::vector<row>> load() override {
    std::vector<row> rows;
    const auto take = [&](const std::string& key, std::string& document) -> result<void> {
      if (const auto cut = key.find('\n'); cut != key.npos)
        rows.push_back({tenant_id(key.substr(0, cut)), key.substr(cut + 1), std::move(document)});
      return {};
    };
    if (auto read = storage::each_document(log_, collection, "", take); !read) return read.error();
    return rows;
  }
  result<void> put(const row& changed) override {
    return log_.put_document(collection, changed.tenant.value + '\n' + changed.tool_id,
                             changed.change_json);
  }
  std::string digest(std::string_view text) const override {
    return security::hex(security::bytes_of(security::sha256(text)));
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

namespace {

// A policy file written for a version that judged less denies what is new: the operator hears of
// it.
void say_unnamed_actions(const security::policy& rules) {
  std::set<std::string_view> unnamed;
  for (const auto& one : app::operations())
    if (!one.action.empty() && !rules.names(one.action)) unnamed.insert(one.action);
  std::string list;
  for (const auto action : unnamed) list.append(list.empty() ? "" : ", ").append(action);
  if (!list.empty())
    log(log_level::warn, "policy.unnamed_actions",
        {{"denied", list}, {"reason", "no rule of policy.file names them"}});
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
        attachments(from.files.attachments()),
        catalog(std::move(entries), store),
        notes(from.events),
        workers(worker_threads, waiting_max),
        fetchers(fetch_threads, waiting_max),
        reader(box, tools::installed_extract_program()),
        runner({catalog,
                [this](const auto& who, auto id, const auto& inputs) {
                  return judge(who, id, inputs);
                },
                &from.files.attachments()}),
        mcp_store(from.events, from.vault),
        mcp({catalog, runner, box, mcp_store}, mcp_options_of(from.settings)),
        gateway{catalog, runner, *policy, from.audit, mcp} {
    auto& folders = from.files.folders();
    auto& pool = from.files.tool_threads();
    runner.add("calculator", tools::make_calculator());
    runner.add("clock", tools::make_clock(now_ms));
    runner.add("echo", tools::make_echo());
    runner.add("canvas_append", files::make_canvas_append(folders, pool));
    runner.add("memory_save", memory::make_memory_save(notes, pool));
    runner.add("memory_recall", memory::make_memory_recall(notes, pool));
    // A program writes by itself: it is not begun where there is no room to write.
    const auto min_free =
        static_cast<std::uint64_t>(from.settings.number("storage.min_free_bytes"));
    auto place = [&folders, min_free](const session_key& session) -> result<std::string> {
      auto folder = folders.place(session);
      if (!folder) return folder;
      auto used = folders.used(session);
      if (!used) return used.error();
      if (used->bytes >= folders.limits().bytes_max)
        return error(codes::workdir_full, "the work folder is full");
      if (auto room = folders.tenant_has_room(session, 1); !room) return room.error();
      std::error_code ec;
      if (const auto space = std::filesystem::space(*folder, ec); !ec && space.available < min_free)
        return error(codes::storage_full, "the disk is nearly full");
      return folder;
    };
    auto put = [&folders](const session_key& session, std::string_view path,
                          std::string_view bytes) { return folders.write(session, path, bytes); };
    runner.add("code_execute", tools::make_code_execute({box, workers, egress, place, put}));
    runner.add("document_ingest",
               tools::make_document_ingest({reader, workers, from.files.attachments()}));
    runner.add("http_fetch", tools::make_http_fetch({fetchers, &reader, {}}));
    if (!box.unavailable().empty())
      log(log_level::warn, "tools.no_sandbox", {{"reason", box.unavailable()}});
  }

  // Inside a session nobody knows the caller's role any more.
  tools::verdict judge(const tools::tool_caller& who, std::string_view tool_id,
                       const boost::json::object& inputs) const {
    const auto ask = [&](std::string_view action, std::string_view resource) {
      auto said = policy->decide_now({who.session.tenant.value, who.user_id, {}, action, resource});
      return tools::verdict{said.allow, std::move(said.rule), std::move(said.reason)};
    };
    auto said = ask("tool.execute", tool_id);
    const auto* named = inputs.if_contains("attachment_id");
    if (!said.allow || tool_id != "document_ingest" || !named || !named->is_string()) return said;
    return ask("attachment.read", std::string_view(named->get_string()));
  }

  std::vector<actors::loaded_picture> load(const actors::llm_caller& who,
                                           const std::vector<attachment_ref>& files) const {
    std::vector<actors::loaded_picture> out;
    for (const auto& file : files) {
      const auto said =
          policy->decide_now({who.tenant.value, who.user, {}, "attachment.read", file.id});
      if (!said.allow) continue;
      const auto found = attachments.find(who.tenant, file.id);
      if (!found) continue;
      if (auto picture = llm::read_picture(file.content_type, found->path))
        out.push_back({file.id, std::move(*picture)});
    }
    return out;
  }

  static constexpr std::size_t worker_threads = 2, fetch_threads = 8, waiting_max = 256;

  std::unique_ptr<security::policy> policy;
  stored_catalog store;
  tools::attachment_source& attachments;
  tools::catalog catalog;
  memory::stored_notes notes;
  tools::egress_proxy egress;  // before what runs with leases of it
  tools::sandbox box;
  tools::worker_pool workers, fetchers;
  tools::extractor reader;
  tools::catalog_runner runner;  // after what its tools stand on
  stored_mcp_servers mcp_store;
  tools::mcp::servers mcp;  // after the runner, whose tools it adds
  app::tool_gateway gateway;
};

tool_parts::tool_parts(std::unique_ptr<parts> made) : parts_(std::move(made)) {}
tool_parts::~tool_parts() = default;

result<std::unique_ptr<tool_parts>> tool_parts::make(const needs& from) {
  auto rules = policy_of(from.settings);
  if (!rules) return rules.error();
  auto entries = built_in_entries();
  if (!entries) return entries.error();
  say_unnamed_actions(**rules);
  auto made = std::make_unique<parts>(from, std::move(*rules), std::move(*entries));
  if (auto loaded = made->catalog.load(); !loaded) return loaded.error();
  return std::unique_ptr<tool_parts>(new tool_parts(std::move(made)));
}

result<void> tool_parts::connect(const config& settings,
                                 std::function<void(const std::optional<tenant_id>&)> on_change) {
  auto configured = mcp_servers_of(settings);
  if (!configured) return configured.error();
  return parts_->mcp.start(std::move(*configured), std::move(on_change));
}

app::tool_gateway& tool_parts::gateway() {
  return parts_->gateway;
}

void tool_parts::serve(actors::node_services& node) {
  node.load_pictures = [this](const actors::llm_caller& who, std::vector<attachment_ref> files,
                              std::function<void(std::vector<actors::loaded_picture>)> done) {
    auto load = [this, who, files = std::move(files), done] { done(parts_->load(who, files)); };
    if (!parts_->workers.post(std::move(load))) done({});
  };
}

tools::catalog_runner& tool_parts::runner() {
  return parts_->runner;
}

}  // namespace soma
