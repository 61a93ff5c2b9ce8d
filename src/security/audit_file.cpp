#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "core/codes.hpp"
#include "security/audit_log.hpp"

namespace soma::security {
namespace {

class audit_file final : public audit_log {
 public:
  explicit audit_file(int file) : file_(file) {}
  ~audit_file() override { ::close(file_); }

  // One write a line: with O_APPEND lines of several threads do not mix.
  void write(std::string_view json) override {
    const auto line = std::string(json) + '\n';
    if (::write(file_, line.data(), line.size()) == static_cast<ssize_t>(line.size())) return;
    std::fprintf(stderr, "soma: an audit record could not be written: %s\n",
                 std::generic_category().message(errno).c_str());
  }

 private:
  const int file_;
};

}  // namespace

result<std::unique_ptr<audit_log>> open_audit_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0)
    return error(codes::storage_unavailable, "the audit file " + path + " cannot be opened: " +
                                                 std::generic_category().message(errno));
  return std::unique_ptr<audit_log>(std::make_unique<audit_file>(file));
}

}  // namespace soma::security
