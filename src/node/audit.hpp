// The audit of a node: a chain in its data folder, and the copy of it where one is configured; open
// from the start to the end. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/config.hpp"
#include "core/error.hpp"
#include "security/audit/audit_log.hpp"

namespace soma {

// Of the data folder.
std::string audit_folder(const config& settings);

// Makes the key that signs it at the first start. Blocks on the disk. Errors: config.invalid where
// there is a chain and no key, or the key is none; storage.locked where another process has it;
// storage.unavailable.
result<std::unique_ptr<security::audit_log>> open_node_audit(const config& settings);

// Whether there is one already: a command makes none where no server ever was.
bool has_audit(const config& settings);

// Of a command on a data folder that no server has meanwhile: what is noted before its work begins,
// and how that ended.
class recorded_command {
 public:
  // `what` and `operation` outlive it. Errors: those of open_node_audit.
  static result<recorded_command> begin(const config& settings, std::string_view what,
                                        std::string_view operation);
  // `data`: a JSON object.
  void end(const result<void>& how, std::string_view resource = {}, std::string_view data = "{}");

 private:
  recorded_command(std::unique_ptr<security::audit_log> audit, std::string_view what,
                   std::string_view operation);

  std::unique_ptr<security::audit_log> audit_;
  security::audit_record what_;
  std::uint32_t begun_ = 0;
};

// That it serves, with what its configuration has besides the defaults; secrets are masked.
void record_start(security::audit_log& audit, const config& settings, std::uint16_t port);
void record_stopping(security::audit_log& audit);

// At the end, when nobody writes any more: the last record, and a head over all of them. Waits for
// what is on its way, but not for a disk that is full; what is lost then is logged.
void end_audit(security::audit_log& audit, bool in_time);

}  // namespace soma
