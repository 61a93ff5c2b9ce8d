// A chain in a folder of the test's own, as a node has one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "security/audit/audit_chain.hpp"
#include "security/audit/audit_chain_log.hpp"
#include "security/audit/audit_folder.hpp"
#include "security/audit/audit_verifier.hpp"
#include "support/temp_folder.hpp"

namespace soma::testing {

inline std::string record_number(int n) {
  security::audit_record r;
  r.what = "conversation.send";
  r.tenant_id = "default";
  r.user_id = "ann";
  const auto request = "request-" + std::to_string(n);
  r.request_id = request;
  r.outcome = "done";
  return security::audit_line(r, now_ms());
}

struct audit_world {
  std::string folder() const { return data / "audit"; }

  security::audit_key key() const {
    const auto dir = data.path().string();
    auto made = security::audit_key::is_in(dir) ? security::audit_key::load(dir)
                                                : security::audit_key::make(dir);
    return std::move(*made);
  }
  std::unique_ptr<security::audit_writer> writer() const {
    auto how = options;
    how.folder = folder();
    return std::move(*security::audit_writer::open(how, key()));
  }
  std::unique_ptr<security::audit_log> log() const {
    security::audit_log_options how;
    how.chain = options;
    how.chain.folder = folder();
    return std::move(*security::open_audit_chain(std::move(how), key()));
  }
  security::audit_verdict verdict(security::audit_check how = {}) const {
    if (how.public_key.empty()) how.public_key = key().public_text();
    return *security::verify_audit(folder(), how);
  }
  std::vector<std::string> lines() const {
    std::vector<std::string> out;
    for (const auto& one : security::audit_segments(folder()))
      (void)security::each_audit_line(one.path, [&](std::string_view line) {
        out.emplace_back(line);
        return true;
      });
    return out;
  }
  // `count` records, with a head behind every `heads`.
  void fill(int count, int heads = 50) const {
    const auto to = writer();
    for (int n = 1; n <= count; ++n) {
      (void)to->append(record_number(n) + "\n");
      if (n % heads == 0) (void)to->sign();
    }
    (void)to->sign();
  }

  const temp_folder data;
  security::audit_chain_options options;
};

}  // namespace soma::testing
