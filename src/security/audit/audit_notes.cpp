#include "security/audit/audit_notes.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <set>
#include <system_error>

#include "core/codes.hpp"
#include "core/fingerprint.hpp"

namespace soma::security {
namespace {

constexpr std::size_t file_bytes = audit_notes::places * audit_notes::place_bytes;

error failed(const std::string& path, int why) {
  return {codes::storage_unavailable, path + ": " + std::generic_category().message(why)};
}

enum state : std::uint32_t { nothing = 0, begun = 1, ended = 2 };

// Tells a place that is whole from one that a loss of power left half: eight bytes at a time, since
// each operation has two of them.
std::uint64_t mark_of(std::string_view json, std::uint64_t number, std::uint32_t what) {
  constexpr std::uint64_t odd = 0x9e3779b97f4a7c15ull;
  auto mark = json.size() * odd;
  const auto take = [&mark](std::uint64_t word) {
    mark = (mark ^ word) * odd;
    mark ^= mark >> 32;
  };
  for (; json.size() >= sizeof(std::uint64_t); json.remove_prefix(sizeof(std::uint64_t))) {
    std::uint64_t word = 0;
    std::memcpy(&word, json.data(), sizeof word);
    take(word);
  }
  std::uint64_t rest = 0;
  std::memcpy(&rest, json.data(), json.size());
  take(rest);
  return mark ^ (number * 4 + what);
}

// As versions before made it, one of which may have been killed.
std::uint64_t older_mark_of(std::string_view json, std::uint64_t number, std::uint32_t what) {
  return fingerprint(json) ^ (number * 4 + what);
}

}  // namespace

// As it stands in the file. `what` is set last and cleared first: a place is whole or free.
struct audit_notes::slot {
  std::atomic<std::uint32_t> what;
  std::uint32_t size;
  std::uint64_t number;  // of the operation: what ended has that of what was begun
  std::uint64_t mark;
  char json[text_bytes];
};

result<std::unique_ptr<audit_notes>> audit_notes::open(const std::string& folder) {
  static_assert(sizeof(slot) == place_bytes);
  const auto path = folder + "/open";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return failed(path, errno);
  // A page that has no block would end the process where the disk is full.
  const int room = ::posix_fallocate(file, 0, static_cast<off_t>(file_bytes));
  void* memory = room != 0
                     ? MAP_FAILED
                     : ::mmap(nullptr, file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  const int why = room != 0 ? room : errno;
  ::close(file);
  if (memory == MAP_FAILED) return failed(path, why);
  std::unique_ptr<audit_notes> made(new audit_notes());
  made->memory_ = memory;
  made->read_found();
  return made;
}

audit_notes::~audit_notes() {
  if (memory_) ::munmap(memory_, file_bytes);
}

audit_notes::slot& audit_notes::at(std::uint32_t place) const {
  return static_cast<slot*>(memory_)[place - 1];
}

std::string audit_notes::text(std::uint32_t place) const {
  return {at(place).json, at(place).size};
}

void audit_notes::read_found() {
  std::vector<std::pair<std::uint64_t, left>> all;
  std::set<std::uint64_t> ended_ones;
  for (std::uint32_t place = 1; place <= places; ++place) {
    const auto& one = at(place);
    const auto what = one.what.load();
    if ((what != begun && what != ended) || one.size > sizeof one.json) continue;
    std::string json(one.json, one.size);
    if (one.mark != mark_of(json, one.number, what) &&
        one.mark != older_mark_of(json, one.number, what))
      continue;
    if (what == ended) ended_ones.insert(one.number);
    all.emplace_back(one.number, left{what == ended, std::move(json)});
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [number, one] : all) {
    next_ = std::max(next_, number + 1);
    if (one.ended || !ended_ones.contains(number)) found_.push_back(std::move(one));
  }
  for (std::uint32_t place = places; place > 0; --place)
    if (at(place).what.load() == nothing) free_.push_back(place);
  let_go();
}

// All of it was looked through; used are few, the lowest first. The rest is the file's alone.
void audit_notes::let_go() const {
  ::madvise(memory_, file_bytes, MADV_DONTNEED);
}

void audit_notes::clear() {
  const std::lock_guard lock(mutex_);
  free_.clear();
  for (std::uint32_t place = places; place > 0; --place) {
    if (auto& one = at(place); one.what.load() != nothing) one.what.store(nothing);
    free_.push_back(place);
  }
  found_.clear();
  let_go();
}

std::uint32_t audit_notes::keep(std::string_view json, std::uint32_t of) {
  if (json.size() > sizeof(slot::json)) return 0;
  std::uint32_t place = 0;
  std::uint64_t number = of > 0 ? at(of).number : 0;
  {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return 0;
    place = free_.back();
    free_.pop_back();
    if (number == 0) number = next_++;
  }
  auto& one = at(place);
  const std::uint32_t what = of > 0 ? ended : begun;
  one.size = static_cast<std::uint32_t>(json.size());
  one.number = number;
  std::memcpy(one.json, json.data(), json.size());
  one.mark = mark_of(json, number, what);
  one.what.store(what, std::memory_order_release);
  return place;
}

std::uint32_t audit_notes::end(std::uint32_t of, std::string_view json) {
  if (of == 0) {
    // A record of nothing that was begun: what ended has a number of its own.
    const auto place = keep(json, 0);
    if (place == 0) return 0;
    auto& one = at(place);
    one.what.store(nothing, std::memory_order_release);
    one.mark = mark_of(json, one.number, ended);
    one.what.store(ended, std::memory_order_release);
    return place;
  }
  const auto place = keep(json, of);
  if (place == 0) return of;
  free(of);
  return place;
}

void audit_notes::free(std::uint32_t place) {
  if (place == 0) return;
  at(place).what.store(nothing, std::memory_order_release);
  const std::lock_guard lock(mutex_);
  free_.push_back(place);
}

}  // namespace soma::security
