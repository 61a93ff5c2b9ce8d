#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>

#include "core/codes.hpp"
#include "core/file_kind.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "observability/line_writer.hpp"
#include "observability/log.hpp"
#include "security/audit/audit_log.hpp"

namespace soma::security {
namespace {

// Records that wait for a disk that is slow, full or away: some 35,000.
constexpr std::size_t waiting_bytes_max = 16 * 1024 * 1024;
constexpr std::size_t gathered_bytes_max = 64 * 1024;  // of one write
constexpr std::chrono::milliseconds gathered_for{2};

std::string why() {
  return std::generic_category().message(errno);
}

// A pipe may stand in its place, which the writer's thread then waits for; but not one that nobody
// reads: the opening would wait, too.
int open_to_append(const std::string& path) {
  const int file = open_without_waiting(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (file >= 0) (void)::fcntl(file, F_SETFL, ::fcntl(file, F_GETFL) & ~O_NONBLOCK);
  return file;
}

// The file as the writer's thread has it; shared with that thread.
struct open_file {
  open_file(std::string p, int f, const audit_bounds& b) : path(std::move(p)), file(f), bounds(b) {}
  ~open_file() { ::close(file); }

  // A whole line or nothing of it: half of one would take the next one with it.
  bool append(std::string_view line) {
    if (reopen.exchange(false)) open_again();
    struct stat before {};
    const bool is_file = ::fstat(file, &before) == 0 && S_ISREG(before.st_mode);
    if (is_file && !makes_room(static_cast<std::uint64_t>(before.st_size), line.size()))
      return false;
    if (is_file) (void)::fstat(file, &before);
    std::size_t written = 0;
    if (write_all(file, line, written)) {
      failing = false;
      return true;
    }
    log(log_level::error, "audit.not_written", {{"reason", why()}});
    failing = true;
    if (written > 0 && (!is_file || ::ftruncate(file, before.st_size) != 0)) return true;
    return false;
  }

  // Rotates what is full. False: the disk is below its reserve, and the line waits.
  bool makes_room(std::uint64_t there, std::uint64_t coming) {
    if (bounds.bytes_max > 0 && there > 0 && there + coming > bounds.bytes_max) {
      if (!rotate_audit(path, bounds.files_max))
        log(log_level::error, "audit.not_rotated", {{"reason", why()}});
      open_again();
    }
    if (audit_has_room(file, coming, bounds.min_free_bytes)) return true;
    if (!failing.exchange(true))
      log(log_level::error, "audit.not_written",
          {{"reason", "the disk has less than storage.min_free_bytes left"}});
    return false;
  }

  void open_again() {
    const int fresh = open_to_append(path);
    if (fresh < 0 || ::dup3(fresh, file, O_CLOEXEC) < 0)
      log(log_level::error, "audit.not_reopened", {{"reason", why()}});
    if (fresh >= 0) ::close(fresh);
  }

  const std::string path;
  const int file;
  const audit_bounds bounds;
  std::atomic<bool> reopen{false}, failing{false};
};

std::string lost_line(std::uint64_t count) {
  std::string line;
  json_writer w(line);
  w.begin_object().field("at", format_rfc3339(now_ms())).field("action", "audit.lost");
  w.field("records", count).end_object();
  return line;
}

class audit_file final : public audit_log {
 public:
  explicit audit_file(std::shared_ptr<open_file> file)
      : file_(std::move(file)), lines_(options_for(file_)) {}
  ~audit_file() override { (void)flush(std::chrono::seconds(1)); }

  void write(std::string_view json) override { (void)lines_.write(json); }
  bool flush(std::chrono::milliseconds at_most) override { return lines_.flush(at_most); }
  void reopen() override { file_->reopen = true; }
  bool failing() const override { return file_->failing; }
  std::uint64_t lost() const override { return lines_.dropped(); }
  std::size_t waiting() const override { return lines_.waiting(); }

 private:
  static line_writer::options options_for(std::shared_ptr<open_file> file) {
    line_writer::options how;
    how.gathered_for = gathered_for;
    how.gathered_bytes_max = gathered_bytes_max;
    if (const auto most = file->bounds.bytes_max;
        most > 0)  // what is written at once is in one file
      how.gathered_bytes_max =
          static_cast<std::size_t>(std::min<std::uint64_t>(most, gathered_bytes_max));
    how.sink = [file = std::move(file)](std::string_view line) { return file->append(line); };
    how.dropped_line = lost_line;
    how.bytes_max = waiting_bytes_max;
    return how;
  }

  const std::shared_ptr<open_file> file_;
  line_writer lines_;
};

}  // namespace

result<std::unique_ptr<audit_log>> open_audit_file(const std::string& path,
                                                   const audit_bounds& bounds) {
  const int file = open_to_append(path);
  if (file < 0 && errno == ENXIO)
    return error(codes::storage_unavailable,
                 "the audit file " + path + " cannot be opened: it is " +
                     std::string(kind_if_no_file(path)) + " that nobody reads");
  if (file < 0)
    return error(codes::storage_unavailable,
                 "the audit file " + path + " cannot be opened: " + why());
  return std::unique_ptr<audit_log>(
      std::make_unique<audit_file>(std::make_shared<open_file>(path, file, bounds)));
}

}  // namespace soma::security
