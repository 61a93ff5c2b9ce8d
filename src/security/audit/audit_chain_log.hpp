// The audit as a chain in a folder of the data folder, written by a thread of its own, with heads
// that are signed from time to time and at the end.
#pragma once

#include <chrono>
#include <memory>

#include "security/audit/audit_log.hpp"
#include "security/audit/audit_writer.hpp"

namespace soma::security {

struct audit_log_options {
  audit_chain_options chain;
  std::chrono::seconds sign_after{60};
  // Gets what the chain has, line for line; may be none. What it cannot take is not in the way of
  // the chain.
  std::unique_ptr<audit_log> copy;
  // Where segments are copied to by day (audit_copies.hpp); empty: nowhere. What is not there yet
  // is not removed.
  std::string copies_folder;
};

// Takes up the chain there, or begins one. Blocks. Errors: those of audit_writer::open.
result<std::unique_ptr<audit_log>> open_audit_chain(audit_log_options how, audit_key key);

}  // namespace soma::security
