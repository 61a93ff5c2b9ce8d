// A folder of a test's own, gone with it. One in memory, where the machine has such, is for tests
// that say themselves what a sync is.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>

namespace soma::testing {

class temp_folder {
 public:
  enum class place { disk, memory };

  explicit temp_folder(place where = place::disk) {
    const std::filesystem::path memory = "/dev/shm";
    const bool in_memory = where == place::memory && access(memory.c_str(), W_OK) == 0;
    auto name = ((in_memory ? memory : std::filesystem::temp_directory_path()) / "soma-test-XXXXXX")
                    .string();
    if (!mkdtemp(name.data())) throw std::runtime_error("cannot make the folder " + name);
    path_ = name;
  }
  ~temp_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  temp_folder(const temp_folder&) = delete;
  temp_folder& operator=(const temp_folder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace soma::testing
