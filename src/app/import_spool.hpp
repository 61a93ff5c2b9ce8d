// Where the body of an import waits until all of it is there: a file without a name in the data
// folder, gone when it is closed or the server dies. Lines are cut and handed on as bytes arrive,
// and again when the file is read back.
//
// All calls block on the disk: reader threads only. One thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace soma::app {

// Documents that say which session a document became: tenant, line feed, its hash.
inline constexpr std::string_view imports_collection = "imports";

// Cuts bytes into lines, holding at most one line and a byte.
class line_cutter {
 public:
  using line_handler = std::function<result<void>(std::string_view line)>;
  explicit line_cutter(std::size_t line_bytes_max) : line_bytes_max_(line_bytes_max) {}

  // A line longer than the limit is handed on cut to one byte more, and nothing after it is looked
  // at: the handler refuses it. Returns the handler's first failure.
  result<void> feed(std::string_view bytes, const line_handler& handle);
  // A last line without its newline.
  result<void> end(const line_handler& handle);

 private:
  std::size_t line_bytes_max_;
  std::string held_;
};

class import_spool {
 public:
  import_spool() = default;
  ~import_spool();
  import_spool(const import_spool&) = delete;
  import_spool& operator=(const import_spool&) = delete;

  // Errors: storage.full, storage.unavailable; those of `append` too.
  result<void> open(const std::string& folder, std::uint64_t min_free_bytes);
  result<void> append(std::string_view bytes);

  result<void> rewind();
  // The next bytes, "" at the end.
  result<std::string_view> read_some();

 private:
  int file_ = -1;
  std::uint64_t min_free_bytes_ = 0;
  std::string piece_;
};

}  // namespace soma::app
