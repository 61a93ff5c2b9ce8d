#include "cli/commands.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string_view>

#include "app/operations.hpp"
#include "cli/terminal.hpp"
#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/plain_id.hpp"
#include "core/time.hpp"
#include "core/version.hpp"
#include "node/audit.hpp"
#include "node/descriptors.hpp"
#include "node/secret_sources.hpp"
#include "node/secrets.hpp"
#include "node/serve.hpp"
#include "node/settings_checks.hpp"
#include "node/sign_in_door.hpp"
#include "node/store_documents.hpp"
#include "observability/log.hpp"
#include "sealing/repair_values.hpp"
#include "security/secrets/key_file.hpp"
#include "storage/store_repair.hpp"

namespace soma {
namespace {

int refuse(const error& why) {
  complain(why.detail);
  return 1;
}

log_level level_of(std::string_view name) {
  if (name == "trace") return log_level::trace;
  if (name == "debug") return log_level::debug;
  if (name == "warn") return log_level::warn;
  if (name == "error") return log_level::error;
  return log_level::info;
}

// What a repair found and took away, as its record has it.
std::string members_of(const storage::repair_report& report) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("files", std::uint64_t{report.files.size()});
  w.field("tables", std::uint64_t{report.tables.size()});
  w.field("commits_lost", report.commits_lost);
  w.field("sessions", std::uint64_t{report.sessions.size()}).field_if("folder", report.folder);
  w.end_object();
  return out;
}

void show_repair(const storage::repair_report& report) {
  if (report.files.empty() && report.tables.empty()) {
    std::puts("The store is whole: nothing was changed.");
    return;
  }
  for (const auto& file : report.files)
    std::printf("%s: %s; %llu of %llu bytes kept\n", file.name.c_str(), file.why.c_str(),
                static_cast<unsigned long long>(file.bytes_kept),
                static_cast<unsigned long long>(file.bytes));
  for (const auto& table : report.tables) std::printf("%s\n", table.c_str());
  if (!report.files.empty())
    std::printf("These files are kept whole in %s\n", report.folder.c_str());
  if (!report.tables.empty())
    std::printf("The store was written anew; the damaged one is kept whole in %s/store\n",
                report.folder.c_str());
  for (const auto& kept : report.last_commit)
    std::printf("The last commit kept: session %s %s up to %s\n", kept.key.tenant.value.c_str(),
                kept.key.session.value.c_str(), to_string(kept.id).c_str());
  if (!report.files.empty())
    std::printf("Gone: the damaged commit, and %llu behind it\n",
                static_cast<unsigned long long>(report.commits_lost));
  for (const auto& lost : report.also_lost) std::printf("Gone: %s\n", lost.c_str());
  if (report.heads_made > 0)
    std::printf(
        "Titles and places in the list of %llu sessions were damaged, and are made anew of "
        "their events.\n",
        static_cast<unsigned long long>(report.heads_made));
  if (report.sessions.empty() && !report.tables.empty()) std::puts("No session has lost anything.");
  for (const auto& lost : report.sessions)
    std::printf("  session %s %s: %s events; %s\n", lost.key.tenant.value.c_str(),
                lost.key.session.value.c_str(),
                lost.events == 0 ? "nobody knows how many" : std::to_string(lost.events).c_str(),
                lost.last_kept.seq == 0 ? "nothing of it is kept"
                                        : ("kept up to " + to_string(lost.last_kept)).c_str());
  std::puts("The store opens again.");
}

}  // namespace

config_sources process_sources(const std::string& file) {
  config_sources from;
  from.file = file;
  for (char** one = environ; *one; ++one) {
    const std::string_view entry(*one);
    const auto equals = entry.find('=');
    if (equals != std::string_view::npos)
      from.env.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  from.read_secret = make_secret_reader(from.env);
  return from;
}

int run_serve(const config_sources& from) {
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  configure_log(level_of(settings->text("log.level")),
                settings->text("log.format") == "text" ? log_format::text : log_format::json);
  for (const auto& one : settings->warnings())
    log(log_level::warn, "config.unknown_variable", {{"what", one}});
  const auto ended = serve(*settings);
  if (ended) return *ended;
  flush_log(std::chrono::seconds(1));  // the sentence comes last
  return refuse(ended.error());
}

int check_config(const config_sources& from) {
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  if (auto good = check_settings(*settings); !good) return refuse(good.error());
  const auto files = plan_descriptors(raise_descriptor_limit(), connections_wanted(*settings),
                                      io_threads_of(*settings));
  if (!files) return refuse(files.error());
  for (const auto& one : settings->warnings()) std::fprintf(stderr, "soma: %s\n", one.c_str());
  if (!files->said.empty()) std::fprintf(stderr, "soma: %s\n", files->said.c_str());
  std::puts("the configuration is good");
  return 0;
}

int print_config(const config_sources& from) {
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  std::fputs(settings->to_toml().c_str(), stdout);
  return 0;
}

int make_key(const config_sources& from, const new_key_options& wanted) {
  for (const auto* id : {&wanted.tenant, &wanted.user})
    if (!is_plain_id(*id)) return refuse({codes::config_invalid, std::string(plain_id_rule)});
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  const auto& data_dir = settings->text("storage.data_dir");
  storage::store_options options;
  options.data_dir = data_dir;
  auto log = storage::open_rocksdb_event_log(options);
  if (!log) return refuse(log.error());
  auto server_key = server_key_of(data_dir, **log);
  if (!server_key) return refuse(server_key.error());
  store_documents documents(**log);
  security::key_store keys(documents, *server_key);
  security::new_api_key key;
  key.name = wanted.name;
  key.role = wanted.role == "admin" ? security::role::admin : security::role::user;
  key.tenant = tenant_id(wanted.tenant);
  key.user = user_id(wanted.user);
  auto record = recorded_command::begin(*settings, "key.manage", "key new");
  if (!record) return refuse(record.error());
  auto made = keys.create(key, now_ms());
  std::string data;
  json_writer w(data);
  w.begin_object().field("tenant_id", wanted.tenant).field("user_id", wanted.user);
  w.field("role", wanted.role).end_object();
  record->end(made ? result<void>() : result<void>(made.error()),
              made ? std::string_view(made->key.id) : std::string_view(), data);
  if (!made) return refuse(made.error());
  std::printf("%s\n", std::string(made->text.reveal()).c_str());
  std::fprintf(stderr, "This key is shown once. Send it as: Authorization: Bearer <key>\n");
  return 0;
}

int void_keys(const config_sources& from) {
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  storage::store_options options;
  options.data_dir = settings->text("storage.data_dir");
  auto log = storage::open_rocksdb_event_log(options);
  if (!log) return refuse(log.error());
  auto record = recorded_command::begin(*settings, "key.manage", "key void");
  if (!record) return refuse(record.error());
  std::size_t count = 0;
  for (const auto* collection : {"keys", "browser_sessions"}) {
    std::vector<storage::document_change> gone;
    const auto take = [&](std::string& key, std::string&) -> result<void> {
      gone.push_back({std::move(key), std::nullopt});
      return {};
    };
    if (auto read = storage::each_document(**log, collection, "", take); !read)
      return refuse(read.error());
    if (auto done = (*log)->change_documents(collection, gone); !done) return refuse(done.error());
    count += gone.size();
  }
  if (auto made = security::load_server_key(options.data_dir); !made) return refuse(made.error());
  record->end({});
  std::printf("%zu API keys and sign-ins are void\n", count);
  return 0;
}

int repair(const config_sources& from) {
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  std::optional<recorded_command> record;
  if (has_audit(*settings)) {
    auto begun = recorded_command::begin(*settings, "store.repair", "repair");
    // Who has the audit has the store, too, which says so better.
    if (!begun && begun.error().code != codes::storage_locked) return refuse(begun.error());
    if (begun) record.emplace(std::move(*begun));
  }
  sealing::repair_values sealed([&] { return open_tenant_keys(*settings); });
  const auto report = storage::repair_store(settings->text("storage.data_dir"), &sealed);
  if (record)
    record->end(report ? result<void>() : result<void>(report.error()), {},
                report ? members_of(*report) : std::string("{}"));
  if (!report) return refuse(report.error());
  show_repair(*report);
  return 0;
}

int rotate_secrets(const config_sources& from) {
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  const auto& file = settings->text("auth.enc_key_file");
  if (file.empty())
    return refuse({codes::config_invalid,
                   "auth.enc_key_file names no file (keys of auth.enc_key are rotated by starting "
                   "the server with GATEWAY_ENC_KEY=new,old)"});
  // A server that runs has the audit, sees the file and records it; so does the next start.
  std::optional<recorded_command> record;
  if (has_audit(*settings)) {
    auto begun = recorded_command::begin(*settings, "secrets.rotate", "secrets rotate");
    if (!begun && begun.error().code != codes::storage_locked) return refuse(begun.error());
    if (begun) record.emplace(std::move(*begun));
  }
  auto count = security::add_key_to_file(file);
  if (record) record->end(count ? result<void>() : result<void>(count.error()));
  if (!count) return refuse(count.error());
  std::printf("%s: a new key stands before %zu old ones\n", file.c_str(), *count - 1);
  std::fprintf(stderr,
               "A running server seals its secrets under it within seconds and logs "
               "secrets.rotated; then the lines of the old keys may go.\n");
  return 0;
}

int sign_in(const config_sources& from) {
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  const auto link = ask_for_sign_in_link(settings->text("storage.data_dir"));
  if (!link) return refuse(link.error());
  show(*link + "\n");
  write_to(stderr, "It signs in one browser as admin, once, within 15 minutes.\n");
  return 0;
}

void print_operations() {
  std::fputs(app::operations_ndjson().c_str(), stdout);
}

void print_version() {
  std::printf("soma %s\n", std::string(version).c_str());
}

}  // namespace soma
