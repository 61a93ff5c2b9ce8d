// Refusals that come again and again: of those that differ in nothing but their request (nor in
// what they were refused, nor in the address of `data.peer`), the first of a second are recorded
// one by one, the rest is counted; and so are those beyond `singles_max` of all. So who is refused
// without an end cannot fill the disk with it. Thread-safe; never blocks.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "security/audit/audit_record.hpp"

namespace soma::security {

class audit_refusals {
 public:
  static constexpr std::uint32_t each_max = 20;      // in a second
  static constexpr std::uint32_t singles_max = 256;  // in a second, of all kinds
  static constexpr std::size_t kinds_max = 256;      // those beyond are one kind, of nobody
  static constexpr std::int64_t window_ms = 1000;

  // True: it is to be recorded by itself. False: it is counted.
  bool take(const audit_record& what, std::int64_t now);
  // What was counted in windows that are over: the last of each kind, with data.repeated. Once a
  // second.
  std::vector<std::string> counted(std::int64_t now);
  // Also of windows that are not over: at the end.
  std::vector<std::string> rest(std::int64_t now);

 private:
  std::vector<std::string> counted_before(std::int64_t now, std::int64_t begun);

  struct kind {
    std::int64_t since_ms = 0;
    std::uint32_t single = 0;
    std::uint64_t more = 0;
    std::string last = {};  // as a line, of those that were only counted
  };

  std::mutex mutex_;
  std::map<std::string, kind> kinds_;
  kind others_;
  std::int64_t since_ms_ = 0;
  std::uint32_t singles_ = 0;  // since then
};

}  // namespace soma::security
