// A folder as a zip archive, made while it is sent: never whole in memory or on the disk. Files and
// folders only, whatever stands there when they are come upon; links, pipes and devices are left
// out. Names are told in what every unpacker takes: what is no UTF-8, a control character or a
// backslash is `_`, and no two in a folder are the same.
//
// Used by one thread at a time; blocks on the disk.
#pragma once

#include <memory>
#include <string>

#include "core/error.hpp"
#include "files/work_folder.hpp"

namespace soma::files {

class folder_zip {
 public:
  explicit folder_zip(work_handle folder);
  ~folder_zip();
  // The next bytes; "" at the end. A failure (workdir.*, storage.unavailable) is final.
  result<std::string> next();

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace soma::files
