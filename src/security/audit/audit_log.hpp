// What happened, for those who must be able to prove it: one JSON object a line. A port; the file
// behind it is the first of its kind.
//
// Thread-safe; nothing but `flush` blocks: records are written by a thread of their own, whole
// lines in the order they came, without an fsync. While the file cannot be written (a full disk)
// they wait and are tried again; past what may wait they are lost, which the file itself says
// afterwards (`audit.lost`), as do health and metrics. No secret and no text of a conversation
// belongs in one.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/time.hpp"
#include "security/audit/audit_record.hpp"
#include "security/audit/audit_rotation.hpp"

namespace soma::security {

class audit_log {
 public:
  virtual ~audit_log() = default;
  // `json` is one object without a newline.
  virtual void write(std::string_view json) = 0;
  void record(const audit_record& what) { write(audit_line(what, now_ms())); }
  // Waits until what was given is written, at most so long; before the end. False: it is not.
  virtual bool flush(std::chrono::milliseconds at_most) = 0;
  // The next record goes to what has the file's name then: for those who rotate by renaming.
  virtual void reopen() = 0;
  virtual bool failing() const = 0;         // the last attempt to write
  virtual std::uint64_t lost() const = 0;   // records, since the start
  virtual std::size_t waiting() const = 0;  // records that are not written yet
};

// Appends to a file that is made with mode 0600, within the bounds (audit_rotation.hpp). Errors:
// storage.unavailable.
result<std::unique_ptr<audit_log>> open_audit_file(const std::string& path,
                                                   const audit_bounds& bounds = {});

}  // namespace soma::security
