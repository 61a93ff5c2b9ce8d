#include "node/audit.hpp"

#include <chrono>

#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "core/version.hpp"
#include "observability/log.hpp"
#include "security/audit/audit_folder.hpp"

namespace soma {
namespace {

// A disk that is full does not keep the process.
constexpr std::chrono::milliseconds waits_at_most{5000};

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

bool has_audit(const config& settings) {
  return !security::audit_segments(audit_folder(settings)).empty();
}

recorded_command::recorded_command(std::unique_ptr<security::audit_log> audit,
                                   std::string_view what, std::string_view operation)
    : audit_(std::move(audit)) {
  what_.what = what;
  what_.operation = operation;
  what_.door = "cli";
  what_.outcome = "interrupted";
  what_.when_ms = now_ms();
  begun_ = audit_->begin(what_);
}

result<recorded_command> recorded_command::begin(const config& settings, std::string_view what,
                                                 std::string_view operation) {
  auto audit = open_node_audit(settings);
  if (!audit) return audit.error();
  return recorded_command(std::move(*audit), what, operation);
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
