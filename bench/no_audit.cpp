// In place of node/audit_open.cpp: a server that records nothing, which the bench holds against one
// that does. No server for people is made of it.
#include "node/audit.hpp"

namespace soma {
namespace {

class no_audit final : public security::audit_log {
 public:
  void write(std::string_view) override {}
  void end(std::uint32_t, const security::audit_record&) override {}
  void refused(const security::audit_record&) override {}
  bool flush(std::chrono::milliseconds) override { return true; }
  void reopen() override {}
  bool failing() const override { return false; }
  std::uint64_t lost() const override { return 0; }
  std::size_t waiting() const override { return 0; }
  bool sign(std::chrono::milliseconds) override { return true; }
};

}  // namespace

result<std::unique_ptr<security::audit_log>> open_node_audit(const config&) {
  return std::unique_ptr<security::audit_log>(std::make_unique<no_audit>());
}

}  // namespace soma
