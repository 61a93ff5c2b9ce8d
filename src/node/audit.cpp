#include "node/audit.hpp"

#include <chrono>

#include "core/codes.hpp"
#include "core/file_kind.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "core/version.hpp"
#include "observability/log.hpp"
#include "security/audit/audit_chain_log.hpp"
#include "security/audit/audit_folder.hpp"

namespace soma {
namespace {

// A disk that is full does not keep the process.
constexpr std::chrono::milliseconds waits_at_most{5000};

std::uint64_t size_of(const config& settings, const char* key) {
  return static_cast<std::uint64_t>(settings.number(key));
}

security::audit_chain_options chain_of(const config& settings) {
  security::audit_chain_options how;
  how.folder = audit_folder(settings);
  how.segment_bytes = size_of(settings, "audit.segment_bytes");
  how.keep_days = settings.number("audit.keep_days");
  how.keep_bytes = size_of(settings, "audit.keep_bytes");
  how.min_free_bytes = size_of(settings, "storage.min_free_bytes");
  return how;
}

result<security::audit_key> key_of(const config& settings) {
  const auto& data_dir = settings.text("storage.data_dir");
  if (security::audit_key::is_in(data_dir)) return security::audit_key::load(data_dir);
  // Another key would say of the past that it is not ours.
  if (!security::audit_segments(audit_folder(settings)).empty())
    return error(codes::config_invalid,
                 security::audit_key::file_in(data_dir) + " is missing, and " +
                     audit_folder(settings) +
                     " was signed by it: bring it back, or move that folder away");
  return security::audit_key::make(data_dir);
}

void record_node(security::audit_log& audit, std::string_view what, std::string_view outcome,
                 const std::string& data) {
  security::audit_record r;
  r.what = what;
  r.door = "node";
  r.outcome = outcome;
  if (data.size() > 2) r.data_json = std::string_view(data).substr(1, data.size() - 2);
  audit.record(r);
}

}  // namespace

std::string audit_folder(const config& settings) {
  return settings.text("storage.data_dir") + "/audit";
}

result<std::unique_ptr<security::audit_log>> open_node_audit(const config& settings) {
  auto key = key_of(settings);
  if (!key) return key.error();
  security::audit_log_options how;
  how.chain = chain_of(settings);
  how.sign_after = std::chrono::seconds(settings.number("audit.sign_s"));
  if (const auto& file = settings.text("audit.file"); !file.empty()) {
    security::audit_bounds bounds;
    bounds.bytes_max = size_of(settings, "audit.bytes_max");
    bounds.files_max = size_of(settings, "audit.files_max");
    bounds.min_free_bytes = how.chain.min_free_bytes;
    auto copy = security::open_audit_file(file, bounds);
    if (!copy) return copy.error();
    how.copy = std::move(*copy);
  }
  how.copies_folder = settings.text("audit.copies_dir");
  return security::open_audit_chain(std::move(how), std::move(*key));
}

recorded_command::recorded_command(std::unique_ptr<security::audit_log> audit,
                                   std::string_view operation)
    : audit_(std::move(audit)) {
  what_.what = "key.manage";
  what_.operation = operation;
  what_.door = "cli";
  what_.outcome = "interrupted";
  what_.when_ms = now_ms();
  begun_ = audit_->begin(what_);
}

result<recorded_command> recorded_command::begin(const config& settings,
                                                 std::string_view operation) {
  auto audit = open_node_audit(settings);
  if (!audit) return audit.error();
  return recorded_command(std::move(*audit), operation);
}

void recorded_command::end(const result<void>& how, std::string_view resource,
                           std::string_view data) {
  what_.outcome = how ? "done" : "failed";
  if (!how) what_.why = how.error().code;
  what_.resource = resource;
  what_.data_json = data.substr(1, data.size() - 2);
  audit_->end(begun_, what_);
  (void)audit_->sign(waits_at_most);
}

void record_start(security::audit_log& audit, const config& settings, std::uint16_t port) {
  std::string data;
  json_writer w(data);
  w.begin_object().field("version", version).field("port", std::uint64_t{port});
  w.key("config").begin_object();
  for (const auto& [name, value] : settings.changed()) w.field(name, value);
  w.end_object().end_object();
  record_node(audit, "server.started", "done", data);
}

void record_stopping(security::audit_log& audit) {
  record_node(audit, "server.stopping", "done", {});
}

void end_audit(security::audit_log& audit, bool in_time) {
  record_node(audit, "server.stopped", in_time ? "done" : "failed", {});
  (void)audit.sign(waits_at_most);
  if (!audit.flush(waits_at_most))
    log(log_level::error, "audit.not_flushed", {{"records", audit.waiting()}});
}

}  // namespace soma
