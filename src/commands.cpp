#include "commands.hpp"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string_view>

#include "core/codes.hpp"
#include "core/time.hpp"
#include "core/version.hpp"
#include "observability/log.hpp"
#include "security/key_file.hpp"
#include "serve.hpp"
#include "sign_in_door.hpp"
#include "storage/store_repair.hpp"
#include "store_documents.hpp"
#include "terminal.hpp"

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
  return from;
}

int run_serve(const config_sources& from) {
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  configure_log(level_of(settings->text("log.level")),
                settings->text("log.format") == "text" ? log_format::text : log_format::json);
  return serve(*settings);
}

int check_config(const config_sources& from) {
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  if (auto good = check_settings(*settings); !good) return refuse(good.error());
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
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  const auto& data_dir = settings->text("storage.data_dir");
  auto server_key = security::load_server_key(data_dir);
  if (!server_key) return refuse(server_key.error());
  storage::store_options options;
  options.data_dir = data_dir;
  auto log = storage::open_rocksdb_event_log(options);
  if (!log) return refuse(log.error());
  store_documents documents(**log);
  security::key_store keys(documents, *server_key);
  security::new_api_key key;
  key.name = wanted.name;
  key.role = wanted.role == "admin" ? security::role::admin : security::role::user;
  key.tenant = tenant_id(wanted.tenant);
  key.user = user_id(wanted.user);
  auto made = keys.create(key, now_ms());
  if (!made) return refuse(made.error());
  std::printf("%s\n", std::string(made->text.reveal()).c_str());
  std::fprintf(stderr, "This key is shown once. Send it as: Authorization: Bearer <key>\n");
  return 0;
}

int repair(const config_sources& from) {
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  const auto report = storage::repair_store(settings->text("storage.data_dir"));
  if (!report) return refuse(report.error());
  if (report->files.empty()) {
    std::puts("The write-ahead logs are whole: nothing was changed.");
    return 0;
  }
  for (const auto& file : report->files)
    std::printf("%s: %s; %llu of %llu bytes kept\n", file.name.c_str(), file.why.c_str(),
                static_cast<unsigned long long>(file.bytes_kept),
                static_cast<unsigned long long>(file.bytes));
  std::printf("These files are kept whole in %s\n", report->folder.c_str());
  for (const auto& kept : report->last_commit)
    std::printf("The last commit kept: session %s %s up to %s\n", kept.key.tenant.value.c_str(),
                kept.key.session.value.c_str(), to_string(kept.id).c_str());
  std::printf("Gone: the damaged commit, and %llu behind it\n",
              static_cast<unsigned long long>(report->commits_lost));
  for (const auto& lost : report->sessions)
    std::printf("  session %s %s: %llu events; %s\n", lost.key.tenant.value.c_str(),
                lost.key.session.value.c_str(), static_cast<unsigned long long>(lost.events),
                lost.last_kept.seq == 0 ? "nothing of it is kept"
                                        : ("kept up to " + to_string(lost.last_kept)).c_str());
  std::puts("The store opens again.");
  return 0;
}

// Files of attachments never change, so that links do where the file system is the same.
std::error_code copy_attachments(const std::filesystem::path& from,
                                 const std::filesystem::path& to) {
  namespace fs = std::filesystem;
  std::error_code ec;
  if (!fs::exists(from, ec)) return ec;
  fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::create_hard_links, ec);
  if (ec) {
    ec.clear();
    fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::skip_existing, ec);
  }
  return ec;
}

// The server's key goes along: without it API keys and cookies are void.
int back_up(const config_sources& from, const std::string& folder) {
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  storage::store_options options;
  options.data_dir = settings->text("storage.data_dir");
  std::error_code ec;
  if (!std::filesystem::exists(options.data_dir, ec))
    return refuse({codes::storage_unavailable, "there is no folder " + options.data_dir});
  {
    auto log = storage::open_rocksdb_event_log(options);
    if (!log) return refuse(log.error());
    if (auto copied = (*log)->checkpoint(folder); !copied) return refuse(copied.error());
  }
  const auto secret = std::filesystem::path(options.data_dir) / "secret";
  if (std::filesystem::exists(secret, ec))
    std::filesystem::copy(secret, std::filesystem::path(folder) / "secret",
                          std::filesystem::copy_options::recursive, ec);
  if (ec)
    return refuse({codes::storage_unavailable, "cannot copy the server's key: " + ec.message()});
  ec = copy_attachments(options.data_dir + "/attachments", folder + "/attachments");
  if (ec) return refuse({codes::storage_unavailable, "cannot copy attachments: " + ec.message()});
  ::sync();
  if (auto good = storage::verify_store(folder); !good) return refuse(good.error());
  std::printf("Copied to %s, and checked.\n", folder.c_str());
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
  auto count = security::add_key_to_file(file);
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

void print_version() {
  std::printf("soma %s\n", std::string(version).c_str());
}

}  // namespace soma
