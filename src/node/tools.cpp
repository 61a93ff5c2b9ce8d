#include "node/tools.hpp"

#include <filesystem>
#include <utility>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "embedded/soma_embedded_config.hpp"
#include "files/file_tools.hpp"
#include "llm/picture.hpp"
#include "memory/memory_tools.hpp"
#include "node/egress_screen.hpp"
#include "node/policy.hpp"
#include "node/policy_file.hpp"
#include "observability/log.hpp"
#include "tools/builtin/calculator.hpp"
#include "tools/builtin/clock.hpp"
#include "tools/builtin/code_execute.hpp"
#include "tools/builtin/document_ingest.hpp"
#include "tools/builtin/echo.hpp"
#include "tools/builtin/http_fetch.hpp"

namespace soma {
namespace {

constexpr std::size_t worker_threads = 2, fetch_threads = 8, waiting_max = 256;

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

// Where a program runs. It writes by itself, so it is not begun where there is no room to write.
result<std::string> place_for(files::work_folders& folders, const session_key& session,
                              std::uint64_t min_free_bytes) {
  auto folder = folders.place(session);
  if (!folder) return folder;
  auto used = folders.used(session);
  if (!used) return used.error();
  if (used->bytes >= folders.limits().bytes_max)
    return error(codes::workdir_full, "the work folder is full");
  if (auto room = folders.tenant_has_room(session, 1); !room) return room.error();
  std::error_code ec;
  if (const auto space = std::filesystem::space(*folder, ec);
      !ec && space.available < min_free_bytes)
    return error(codes::storage_full, "the disk is nearly full");
  return folder;
}

// A view of the call, of `data`, and of what its caller was at the door.
security::audit_record record_of(const tools::tool_caller& who, const actor_then& was,
                                 const body::tool_call& call, std::int64_t began_ms,
                                 std::string_view found_json, std::string& data) {
  json_writer w(data);
  w.begin_object().field("tool_call_id", call.tool_call_id);
  w.field_if("requested_by", call.requested_by).field_if("turn_id", call.turn_id);
  if (!found_json.empty()) w.key("pii").raw(found_json);
  w.end_object();
  security::audit_record r;
  r.what = "tool.execute";
  r.when_ms = began_ms;
  r.tenant_id = who.session.tenant.value;
  r.user_id = who.user_id;
  r.role = was.role;
  r.key_id = was.key_id;
  r.door = "session";
  r.resource = call.tool_id;
  r.session_id = who.session.session.value;
  r.request_id = who.request_id;
  r.trace_id = who.trace_id;
  r.data_json = std::string_view(data).substr(1, data.size() - 2);
  return r;
}

std::uint32_t note_call(security::audit_log& audit, const tools::tool_caller& who,
                        const body::tool_call& call, std::int64_t began_ms) {
  std::string data;
  const auto was = read_actor(who.actor_json);
  auto r = record_of(who, was, call, began_ms, {}, data);
  r.outcome = "interrupted";
  return audit.begin(r);
}

void record_call(security::audit_log& audit, const tools::call_ended& call) {
  std::string data;
  const auto was = read_actor(call.who.actor_json);
  auto r = record_of(call.who, was, call.what, call.began_ms, call.found_json, data);
  r.outcome = call.status;
  r.why = call.rule.empty() ? call.code : call.rule;
  audit.end(call.noted, r);
}

// What cannot be looked up counts as gone.
bool has_left(node_identities& users, const asker& who) {
  if (!who.was.key_id.empty() && !users.keys().find(who.was.key_id, now_ms())) return true;
  const auto row = users.users().find(who.tenant, user_id(who.user));
  if (!row) return true;
  return row->disabled || (who.was.role == "admin" && row->role == security::role::user);
}

}  // namespace

node_tools::node_tools(const needs& from, std::unique_ptr<security::policy> rules,
                       std::vector<tools::catalog_entry> entries)
    : guard_(from.guard),
      policy_(std::move(rules)),
      in_sessions_(*policy_, from.store.lanes().quick,
                   [&users = from.identities](const asker& who) { return has_left(users, who); }),
      store_(from.store.events()),
      attachments_(from.files.attachments()),
      catalog_(std::move(entries), store_),
      workers_(worker_threads, waiting_max),
      fetchers_(fetch_threads, waiting_max),
      reader_(box_, tools::installed_extract_program()),
      documents_({reader_, workers_, from.files.attachments(), &from.knowledge, &imports_}),
      runner_({catalog_,
               [this](const auto& who, auto id, const auto& inputs, auto then) {
                 in_sessions_.judge(who, id, inputs, std::move(then));
               },
               &from.files.attachments(),
               [&audit = from.store.audit()](const auto& who, const auto& call, auto began_ms) {
                 return note_call(audit, who, call, began_ms);
               },
               [&audit = from.store.audit()](const auto& call) { record_call(audit, call); },
               [this](const auto& who, const auto& call, auto then) {
                 screen_tool_call(guard_, who, call, std::move(then));
               }}),
      mcp_store_(from.store.events(), from.store.secrets().vault()),
      mcp_({catalog_, runner_, box_, mcp_store_},
           mcp_options_of(from.settings,
                          [&feeds = from.feeds](const std::optional<tenant_id>& tenant) {
                            feeds.tools_changed(tenant);
                          })),
      gateway_{catalog_, runner_, *policy_, from.store.audit(), mcp_, documents_} {
  add_built_in(from);
  guard_.ask_by([this](auto what, auto then) {
    in_sessions_.judge_leaving(std::move(what), std::move(then));
  });
  if (!box_.unavailable().empty())
    log(log_level::warn, "tools.no_sandbox", {{"reason", box_.unavailable()}});
}

result<std::unique_ptr<node_tools>> node_tools::open(const needs& from) {
  auto rules = make_policy(from.settings);
  if (!rules) return rules.error();
  auto entries = built_in_entries();
  if (!entries) return entries.error();
  say_unnamed_actions(**rules);
  std::unique_ptr<node_tools> made(new node_tools(from, std::move(*rules), std::move(*entries)));
  if (auto loaded = made->catalog_.load(); !loaded) return loaded.error();
  auto servers = mcp_servers_of(from.settings);
  if (!servers) return servers.error();
  if (auto begun = made->mcp_.start(std::move(*servers)); !begun) return begun.error();
  return made;
}

// Whoever waits for an answer is told before what he would use is gone.
node_tools::~node_tools() {
  policy_->stop();
  guard_.ask_by({});
}

void node_tools::add_built_in(const needs& from) {
  auto& folders = from.files.folders();
  auto& pool = from.files.tool_threads();
  runner_.add("calculator", tools::make_calculator());
  runner_.add("clock", tools::make_clock(now_ms));
  runner_.add("echo", tools::make_echo());
  runner_.add("canvas_append", files::make_canvas_append(folders, pool));
  runner_.add("memory_save", memory::make_memory_save(from.memories, pool));
  runner_.add("memory_recall", memory::make_memory_recall(from.memories, pool));
  runner_.add("memory_forget", memory::make_memory_forget(from.memories, pool));
  runner_.add("file_read", files::make_file_read(folders, pool));
  runner_.add("file_write", files::make_file_write(folders, pool));
  runner_.add("file_list", files::make_file_list(folders, pool));
  const auto min_free = static_cast<std::uint64_t>(from.settings.number("storage.min_free_bytes"));
  auto place = [&folders, min_free](const session_key& session) {
    return place_for(folders, session, min_free);
  };
  auto put = [&folders](const session_key& session, std::string_view path, std::string_view bytes) {
    return folders.write(session, path, bytes);
  };
  runner_.add("code_execute", tools::make_code_execute({box_, workers_, egress_, place, put}));
  runner_.add("document_ingest",
              tools::make_document_ingest(
                  {reader_, workers_, from.files.attachments(), &from.knowledge, &imports_}));
  runner_.add("http_fetch", tools::make_http_fetch({fetchers_, &reader_, {}}));
}

void node_tools::load(const actors::llm_caller& who, std::vector<attachment_ref> files, done then) {
  auto work = [this, who, files = std::move(files), then] { then(pictures_of(who, files)); };
  if (!workers_.post(std::move(work))) then({});
}

std::vector<actors::loaded_picture> node_tools::pictures_of(
    const actors::llm_caller& who, const std::vector<attachment_ref>& files) const {
  std::vector<actors::loaded_picture> out;
  std::vector<std::string> ids;
  for (const auto& file : files) ids.push_back(file.id);
  const auto may = in_sessions_.may_read(
      {who.tenant, who.user, who.session, who.request_id, read_actor(who.actor_json)}, ids);
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (!may[i]) continue;
    const auto& file = files[i];
    const auto found = attachments_.find({who.tenant, who.user, false}, file.id);
    if (!found) continue;
    if (auto picture = llm::read_picture(file.content_type, found->path))
      out.push_back({file.id, std::move(*picture)});
  }
  return out;
}

}  // namespace soma
