// Cold copies of the audit: each segment that gets no more records, in a folder of its day on what
// may be another disk or another machine's, with a signed manifest beside it:
//
//   TO/CHAIN/2026-11-30/0000000000000001.ndjson …, manifest.json
//   TO/CHAIN/heads.ndjson   the heads as they come, a line each
//
// What is there is never changed, but for a manifest that gets a line more. Blocks on both disks;
// one thread at a time, but for `copied` and `why`.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "core/error.hpp"
#include "security/audit/audit_folder.hpp"
#include "security/audit/audit_key.hpp"

namespace soma::security {

class audit_copies {
 public:
  // `folder` is the chain's, `chain` its id.
  audit_copies(std::string folder, std::string chain, std::string to, audit_key key);

  // Copies what is not there yet, the oldest first, but segments that are not right, and adds this
  // head (JSON) where it is another than the last time; empty: none. False: it could not be, and
  // `why` says it.
  bool look(const std::string& head = {});

  // The number of the newest record that is there with all before it; 0: not known yet.
  std::uint64_t copied() const { return copied_; }
  // Of the last look that failed; empty: it did not.
  std::string why() const;

 private:
  struct wrong_one {
    std::string version;  // of its file
    error why;
  };

  result<void> look_through();
  result<void> copy_once(const audit_segment& one, std::uint64_t last);
  result<void> add_head(const std::string& head);
  result<void> copy(const audit_segment& one, std::uint64_t last);

  const std::string folder_, chain_, to_;
  const audit_key key_;
  std::atomic<std::uint64_t> copied_{0};
  std::string head_;  // that was added last
  // By their first record, at most as many as there are segments: those that are not right, and
  // those that are copied behind one of them.
  std::map<std::uint64_t, wrong_one> wrong_;
  std::set<std::uint64_t> ahead_;
  mutable std::mutex mutex_;  // of what follows
  std::string why_;
};

}  // namespace soma::security
