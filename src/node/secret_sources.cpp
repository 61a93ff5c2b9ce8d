#include "node/secret_sources.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <string_view>

#include "core/codes.hpp"
#include "core/file_kind.hpp"
#include "core/loopback.hpp"
#include "core/may_block.hpp"
#include "core/thread_name.hpp"
#include "node/vault_client.hpp"
#include "observability/log.hpp"

namespace soma {
namespace {

constexpr std::size_t file_bytes_max = 64 * 1024;

// Secrets that are asked for at each use; the others are taken at the start.
bool is_read_at_use(const std::string& key) {
  return key.starts_with("credentials.") || key == "llm.api_key" || key.starts_with("vault.");
}

bool is_loopback_url(std::string_view url) {
  constexpr std::string_view scheme = "http://";
  if (!url.starts_with(scheme)) return false;
  url.remove_prefix(scheme.size());
  auto host = url.substr(0, url.find('/'));
  const auto port = host.rfind(':');
  if (port != host.npos && host.find(']', port) == host.npos) host = host.substr(0, port);
  return is_loopback(host);
}

class reader {
 public:
  explicit reader(std::map<std::string, std::string> environment)
      : environment_(std::move(environment)) {}

  result<secret_string> read(std::string_view reference, const config& settings) {
    const auto colon = reference.find(':');
    const auto kind = reference.substr(0, colon);
    const std::string place(reference.substr(colon + 1));
    if (kind == "env") return of_environment(place);
    if (kind == "file") return of_file(place);
    const auto& addr = settings.text("vault.addr");
    if (addr.empty()) return invalid("vault.addr says of no Vault");
    if (!addr.starts_with("https://") && !is_loopback_url(addr))
      return invalid("vault.addr must begin with https:// where it is not on this machine");
    return vault_of(settings).read(place);
  }

 private:
  static error invalid(std::string why) { return {codes::config_invalid, std::move(why)}; }

  result<secret_string> of_environment(const std::string& name) const {
    const auto found = environment_.find(name);
    if (found == environment_.end() || found->second.empty())
      return invalid("there is no variable " + name);
    return secret_string(found->second);
  }

  static result<secret_string> of_file(const std::string& path) {
    if (const auto kind = kind_if_no_file(path); !kind.empty())
      return invalid(path + " is " + std::string(kind) + ", not a file");
    auto text = text_of_file(path, file_bytes_max);
    if (!text) return text.error();
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
    if (text->empty()) return invalid(path + " is empty");
    secret_string found(*text);
    wipe(*text);
    return found;
  }

  vault_client& vault_of(const config& settings) {
    const std::lock_guard lock(mutex_);
    const auto& token = settings.secret("vault.token");
    const auto& secret_id = settings.secret("vault.secret_id");
    // Anew also where what it signs in with was changed.
    if (!vault_ || token_ != &token || secret_id_ != &secret_id) {
      token_ = &token;
      secret_id_ = &secret_id;
      vault_options options;
      options.addr = settings.text("vault.addr");
      options.role_id = settings.text("vault.role_id");
      options.name_space = settings.text("vault.namespace");
      options.ca_file = settings.text("vault.ca_file");
      options.token = token;
      options.secret_id = secret_id;
      vault_.emplace(std::move(options));
      return *vault_;
    }
    // Asked again, from the watch: whatever reads next finds a token that holds.
    (void)vault_->renew();
    return *vault_;
  }

  const std::map<std::string, std::string> environment_;
  std::mutex mutex_;
  std::optional<vault_client> vault_;
  const secret_string *token_ = nullptr, *secret_id_ = nullptr;  // that it was made with
};

}  // namespace

secret_reader make_secret_reader(std::map<std::string, std::string> environment) {
  return [from = std::make_shared<reader>(std::move(environment))](std::string_view reference,
                                                                   const config& settings) {
    return from->read(reference, settings);
  };
}

secret_watch::secret_watch(const config& settings) : settings_(settings) {
  if (settings.has_secret_references()) thread_ = std::thread([this] { run(); });
}

secret_watch::~secret_watch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void secret_watch::run() {
  name_this_thread("secrets");
  this_thread_may_block();
  const std::chrono::seconds between(settings_.number("vault.refresh_s"));
  bool failing = false;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (changed_.wait_for(lock, between, [this] { return stopping_; })) return;
    }
    const auto read = settings_.read_secrets_again([this] {
      const std::lock_guard lock(mutex_);
      return !stopping_;
    });
    for (const auto& key : read.changed)
      log(log_level::info, "secrets.changed", {{"key", key}, {"taken_up", is_read_at_use(key)}});
    // What was read before goes on; said once, until it works again.
    if (!read.failed.empty() && !failing)
      log(log_level::warn, "secrets.unread", {{"detail", read.failed.front()}});
    if (read.failed.empty() && failing) log(log_level::info, "secrets.read_again");
    failing = !read.failed.empty();
  }
}

}  // namespace soma
