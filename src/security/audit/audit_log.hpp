// What happened, for those who must be able to prove it: one JSON object a line. A port: behind it
// is a chain in the data folder (audit_chain.hpp), or a file alone.
//
// Thread-safe; nothing but `flush` and `sign` blocks: records are written by a thread of their own,
// whole lines in the order they came. A chain loses none of them by a kill (audit_notes.hpp). While
// they cannot be written (a full disk) they wait and are
// tried again; past what may wait they are lost, which the audit itself says afterwards
// (`audit.lost`), as do health and metrics. No secret and no text of a conversation belongs in one.
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
  // `json` is one object without a newline, that begins with `at` and `what`.
  virtual void write(std::string_view json) = 0;
  void record(const audit_record& what) { write(audit_line(what, now_ms())); }
  // A refusal: where very many come that are alike, some are only counted (audit_refusals.hpp).
  virtual void refused(const audit_record& what) { record(what); }
  // An operation that begins, and that its record comes once it ends: where the process ends
  // before, the next start records what is given here. 0: that could not be arranged.
  virtual std::uint32_t begin(const audit_record&) { return 0; }
  virtual void end(std::uint32_t /*begun*/, const audit_record& what) { record(what); }
  // Waits until what was given before is written, at most so long. False: it is not.
  virtual bool flush(std::chrono::milliseconds at_most) = 0;
  // The next record goes to what has the file's name then: for those who rotate by renaming.
  virtual void reopen() = 0;
  virtual bool failing() const = 0;         // the last attempt to write
  virtual std::uint64_t lost() const = 0;   // records, since the start
  virtual std::size_t waiting() const = 0;  // records that are not written yet

  // False: so much waits that nothing more should be begun that has to be recorded.
  virtual bool has_room() const { return true; }
  // Whether records that are not right were found at the start.
  virtual bool damaged() const { return false; }
  // Why segments could not be copied elsewhere the last time; empty: they could, or need not be.
  virtual std::string not_copied() const { return {}; }
  // What is done from time to time (signing, syncing, removing what is old) where it is due. Once a
  // second.
  virtual void tick() {}
  // Signs what was written since the last head, if anything was, and syncs it; at most so long.
  // False: it is not.
  virtual bool sign(std::chrono::milliseconds) { return false; }
  // The newest head that is on the disk, as JSON (audit_head.hpp); empty: there is none.
  virtual std::string head() const { return {}; }
  // Where the chain is (audit_folder.hpp); empty: it is none.
  virtual std::string folder() const { return {}; }
};

// Appends to a file that is made with mode 0600, within the bounds (audit_rotation.hpp). Errors:
// storage.unavailable.
result<std::unique_ptr<audit_log>> open_audit_file(const std::string& path,
                                                   const audit_bounds& bounds = {});

}  // namespace soma::security
