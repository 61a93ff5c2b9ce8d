#include "storage/store_log.hpp"

#include <rocksdb/env.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <mutex>

#include "core/time.hpp"

namespace soma::storage {
namespace {

constexpr std::size_t bytes_max = 1u << 20;

class store_log final : public rocksdb::Logger {
 public:
  explicit store_log(const std::string& folder) : path_(folder + "/LOG") { begin(); }
  ~store_log() override {
    if (file_) std::fclose(file_);
  }

  using Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    const std::lock_guard lock(mutex_);
    if (bytes_ > bytes_max) begin();
    if (!file_) return;
    const int stamp = std::fprintf(file_, "%s ", format_rfc3339(now_ms()).c_str());
    const int text = std::vfprintf(file_, format, arguments);
    std::fputc('\n', file_);
    bytes_ += static_cast<std::size_t>(std::max(0, stamp) + std::max(0, text));
    if (std::fflush(file_) != 0) std::clearerr(file_);
  }

 private:
  void begin() {
    if (file_) std::fclose(file_);
    std::rename(path_.c_str(), (path_ + ".old").c_str());
    file_ = std::fopen(path_.c_str(), "we");
    bytes_ = 0;
  }

  const std::string path_;
  std::mutex mutex_;
  std::FILE* file_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace

std::shared_ptr<rocksdb::Logger> make_store_log(const std::string& folder) {
  return std::make_shared<store_log>(folder);
}

}  // namespace soma::storage
