// What is under way and what waits to be written, in memory that outlives the process: a file of
// the audit's folder, mapped. So a kill takes no record with it, and of what it interrupted there
// is one, too. An operation is noted before its work begins; its record takes the note's place; and
// once the chain has it, the place is free again.
//
// Thread-safe; makes no call of the system once it is open (the file's blocks are there from the
// start). The kernel writes the pages to the disk by itself, and whoever writes to one just then
// may have to wait for that. A loss of power may take what was noted in the last half minute; what
// is damaged is left out.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace soma::security {

class audit_notes {
 public:
  static constexpr std::size_t places = 16'384, place_bytes = 1024;
  static constexpr std::size_t text_bytes = place_bytes - 24;  // longer ones get no place

  struct left {
    bool ended = false;  // a whole record; else what was begun
    std::string json;
  };

  // Opens FOLDER/open, or makes it, and gives what a process that did not end in order left there.
  // Errors: storage.unavailable.
  static result<std::unique_ptr<audit_notes>> open(const std::string& folder);
  ~audit_notes();
  audit_notes(const audit_notes&) = delete;

  const std::vector<left>& found() const { return found_; }
  // Once what was found is recorded: all places are free.
  void clear();

  // 0: there is no place, or the text is too long for one.
  std::uint32_t begin(std::string_view json) { return keep(json, 0); }
  // The record of what was begun in `begun`, whose place is free then; 0 of both as above. Where
  // there is no place for it, what was begun stays, and is what is given.
  std::uint32_t end(std::uint32_t begun, std::string_view json);
  void free(std::uint32_t place);
  // What stands in a place that was not freed since it was given.
  std::string text(std::uint32_t place) const;

 private:
  struct slot;

  audit_notes() = default;
  std::uint32_t keep(std::string_view json, std::uint32_t begun);
  slot& at(std::uint32_t place) const;
  void read_found();
  void let_go() const;

  void* memory_ = nullptr;
  std::vector<left> found_;
  std::mutex mutex_;  // of what follows
  std::vector<std::uint32_t> free_;
  std::uint64_t next_ = 1;
};

}  // namespace soma::security
