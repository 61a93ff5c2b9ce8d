#include "security/audit/audit_writer.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <numeric>
#include <system_error>

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "core/uuid.hpp"
#include "observability/line_writer.hpp"
#include "security/audit/audit_record.hpp"
#include "security/audit/audit_rotation.hpp"

namespace soma::security {
namespace {

constexpr std::size_t day_size = 10;        // of format_rfc3339
constexpr std::size_t chained_bytes = 180;  // that a line grows by
constexpr std::int64_t day_ms = 24 * 3'600'000;

std::string why_now() {
  return std::generic_category().message(errno);
}

std::string node_record(std::string_view what, std::string_view data_json) {
  audit_record r;
  r.what = what;
  r.door = "node";
  r.data_json = data_json;
  return audit_line(r, now_ms()) + "\n";
}

int open_segment(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                0600);
}

// Of a line that each_audit_line gave.
std::string text_in(std::string_view line, std::string_view name) {
  const auto wanted = "\"" + std::string(name) + "\":\"";
  const auto at = line.find(wanted);
  if (at == line.npos) return {};
  const auto from = at + wanted.size();
  return std::string(line.substr(from, line.find('"', from) - from));
}

std::vector<std::uint64_t> bytes_of(const std::vector<audit_segment>& segments) {
  std::vector<std::uint64_t> out;
  for (const auto& one : segments) {
    std::error_code ec;
    const auto size = std::filesystem::file_size(one.path, ec);
    out.push_back(ec ? 0 : size);
  }
  return out;
}

std::uint64_t total_of(const std::vector<std::uint64_t>& bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0});
}

}  // namespace

audit_writer::audit_writer(audit_chain_options how, audit_key key)
    : how_(std::move(how)), key_(std::move(key)) {}

audit_writer::~audit_writer() {
  if (file_ >= 0) ::close(file_);
  let_go();
}

void audit_writer::let_go() {
  if (locked_ >= 0) ::close(locked_);
  locked_ = -1;
}

// Two that write one chain would each number its own records. The kernel lets go of it with the
// process.
result<void> audit_writer::lock() {
  locked_ = ::open(how_.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (locked_ < 0) return error(codes::storage_unavailable, how_.folder + ": " + why_now());
  if (::flock(locked_, LOCK_EX | LOCK_NB) == 0) return {};
  // Some file systems know no locks; the store's own keeps servers out there.
  if (errno != EWOULDBLOCK) return {};
  return error(codes::storage_locked, how_.folder + " is written by another process");
}

result<std::unique_ptr<audit_writer>> audit_writer::open(const audit_chain_options& how,
                                                         audit_key key) {
  std::unique_ptr<audit_writer> made(new audit_writer(how, std::move(key)));
  if (auto begun = made->begin(); !begun) return begun.error();
  return made;
}

result<void> audit_writer::begin() {
  if (::mkdir(how_.folder.c_str(), 0700) != 0 && errno != EEXIST)
    return error(codes::storage_unavailable, how_.folder + ": " + why_now());
  if (auto alone = lock(); !alone) return alone;
  const auto checkpoint = audit_checkpoint(how_.folder);
  if (!checkpoint) return checkpoint.error();
  auto segments = audit_segments(how_.folder);
  if (*checkpoint) {
    if (auto fits = fit(**checkpoint, segments); !fits) return fits;
    chain_ = (*checkpoint)->chain;
    place_ = {(*checkpoint)->seq, (*checkpoint)->hash};
    tree_.add(place_.hash);
    tree_first_ = head_seq_ = place_.seq;
  }
  // What was to be removed when the process ended.
  while (*checkpoint && segments.size() > 1 && segments[1].first <= (*checkpoint)->seq + 1) {
    (void)::unlink(segments.front().path.c_str());
    segments.erase(segments.begin());
  }
  if (!segments.empty() && chain_.empty()) {
    const auto first = [this](std::string_view line) {
      chain_ = text_in(line, "chain");
      return false;
    };
    (void)each_audit_line(segments.front().path, first);
  }
  if (auto left = set_aside(segments); !left) return left;
  if (!segments.empty()) return take_up(segments);
  if (auto begun = begin_segment(); !begun) return begun;
  chain_ = new_uuid();
  std::string data;
  json_writer w(data);
  w.begin_object().field("chain", chain_).field("key_id", key_.id());
  w.field("public_key", key_.public_text()).end_object();
  // Signed at once: so there is no time at which a chain has no head.
  if (!append(node_record("audit.begun", data.substr(1, data.size() - 2))) || !sign() || !sync())
    return error(codes::storage_unavailable, how_.folder + ": " + why_);
  return {};
}

// Whether it is this chain's, which has to be known before anything is removed for it.
result<void> audit_writer::fit(const audit_head& checkpoint,
                               const std::vector<audit_segment>& segments) const {
  const auto corrupt = [this](const char* why) {
    return error(codes::storage_corrupt, how_.folder + "/checkpoint.json: " + why);
  };
  if (!is_well_signed(checkpoint) || checkpoint.public_key != key_.public_text())
    return corrupt("is not signed by the key of the data folder");
  const auto next = std::find_if(segments.begin(), segments.end(),
                                 [&](const auto& one) { return one.first == checkpoint.seq + 1; });
  if (next == segments.end())
    return corrupt("the segment that follows what was removed is missing");
  bool follows = false;
  const auto first = [&](std::string_view line) {
    const auto link = audit_link_of(line);
    follows = link && link->seq == next->first && link->prev_hash == checkpoint.hash;
    return false;
  };
  if (auto read = each_audit_line(next->path, first); !read) return read.error();
  return follows ? result<void>() : corrupt("the segment behind it does not follow it");
}

// Newest segments that have no whole record say nothing of how the chain goes on: a kill may leave
// one that was just begun, or half of its first line.
result<void> audit_writer::set_aside(std::vector<audit_segment>& segments) {
  while (!segments.empty()) {
    const auto& last = segments.back();
    bool has_line = false, has_record = false;
    const auto take = [&](std::string_view line) {
      has_line = true;
      has_record = audit_link_of(line).has_value();
      return !has_record;
    };
    const auto torn = each_audit_line(last.path, take);
    if (!torn) return torn.error();
    if (has_record) return {};
    if (segments.size() == 1 && (has_line || last.first != 1))
      return error(codes::storage_corrupt,
                   last.path + ": has no whole record, and nothing stands before it");
    if (has_line) damaged_by(last.path + " has no record");
    const bool gone = has_line
                          ? std::rename(last.path.c_str(), (last.path + ".damaged").c_str()) == 0
                          : ::unlink(last.path.c_str()) == 0;
    if (!gone) return error(codes::storage_unavailable, last.path + ": " + why_now());
    bytes_cut_ += torn->size();
    set_aside_first_ = last.first;
    segments.pop_back();
  }
  return {};
}

void audit_writer::damaged_by(std::string why) {
  if (damage_.empty()) damage_ = std::move(why);
}

bool audit_writer::is_right_head(const audit_head& head) const {
  return !head.is_checkpoint && head.seq == place_.seq && head.hash == place_.hash &&
         head.chain == chain_ && head.public_key == key_.public_text() && is_well_signed(head);
}

// The newest record of the segment before: a head, which the next one's first tree begins with.
void audit_writer::take_end(const audit_segment& before, std::uint64_t next) {
  std::string newest, second;
  const auto keep = [&](std::string_view line) {
    second.swap(newest);
    newest.assign(line);
    return true;
  };
  const auto read = each_audit_line(before.path, keep);
  const auto link = audit_link_of(newest), of = audit_link_of(second);
  auto head = link ? head_in(newest) : std::nullopt;
  // What the head speaks of is the record before it, which may stand in the segment before.
  if (of)
    place_ = {of->seq, std::string(of->hash)};
  else if (link)
    place_ = {link->seq - 1, std::string(link->prev_hash)};
  const bool right = read && read->empty() && link && link->what == audit_head_what &&
                     link->seq + 1 == next && link->prev_hash == place_.hash &&
                     audit_hash_of(newest) == link->hash && head && is_right_head(*head);
  if (!right) return damaged_by("what stands before record " + std::to_string(next));
  place_ = {link->seq, std::string(link->hash)};
  head_ = std::move(*head);
}

bool audit_writer::take_line(std::string_view line, std::uint64_t first) {
  const auto link = audit_link_of(line);
  if (!link) {
    damaged_by("a line behind record " + std::to_string(place_.seq));
    return true;
  }
  const auto name = "record " + std::to_string(link->seq);
  if (link->seq != place_.seq + 1 || link->prev_hash != place_.hash ||
      audit_hash_of(line) != link->hash)
    damaged_by(name);
  if (link->seq == first && first > 1) {
    tree_ = {};
    tree_.add(link->prev_hash);
    tree_first_ = head_seq_ = first - 1;
  }
  if (day_.empty()) day_ = std::string(link->at.substr(0, day_size));
  if (link->what == audit_head_what) {
    auto head = head_in(line);
    const bool right =
        head && is_right_head(*head) && head->first == tree_first_ && head->root == tree_.root();
    if (!right) damaged_by(name);
    if (head) head_ = std::move(*head);
    tree_ = {};
    tree_first_ = head_seq_ = link->seq;
  } else if (link->seq - head_seq_ > audit_unsigned_max) {
    damaged_by(name + " and those before it, which nobody signed");
  }
  place_ = {link->seq, std::string(link->hash)};
  tree_.add(link->hash);
  return true;
}

result<void> audit_writer::take_up(const std::vector<audit_segment>& segments) {
  const auto& last = segments.back();
  if (segments.size() > 1)
    take_end(segments[segments.size() - 2], last.first);
  else if (place_.seq + 1 != last.first)
    damaged_by("what stands before record " + std::to_string(last.first));
  std::uint64_t whole = 0;
  const auto take = [&](std::string_view line) {
    whole += line.size() + 1;
    return take_line(line, last.first);
  };
  const auto torn = each_audit_line(last.path, take);
  if (!torn) return torn.error();
  if (set_aside_first_ > 0 && place_.seq + 1 != set_aside_first_)
    damaged_by("record " + std::to_string(place_.seq + 1));
  if (head_.seq > 0 && is_well_signed(head_) && head_.public_key != key_.public_text())
    return error(codes::config_invalid, how_.folder + " was signed by the key " + head_.key_id +
                                            ", and secret/audit.key is " + key_.id() +
                                            ": bring that one back, or move that folder away");
  // The first record is signed with the next step of whoever writes it.
  if (head_seq_ == 0 && place_.seq > 1) damaged_by("records that nobody signed");
  file_ = open_segment(last.path);
  if (file_ < 0) return error(codes::storage_unavailable, last.path + ": " + why_now());
  size_ = whole;
  bytes_cut_ += torn->size();
  if (!torn->empty() && ::ftruncate(file_, static_cast<off_t>(size_)) != 0)
    return error(codes::storage_unavailable, last.path + ": " + why_now());
  say_found();
  return {};
}

// What is signed from now on is told apart from what was there and had not been.
void audit_writer::say_found() {
  if (bytes_cut_ > 0 || !is_signed()) {
    std::string data;
    json_writer w(data);
    w.begin_object().field("bytes_cut", bytes_cut_).field("unsigned", unsigned_records());
    w.end_object();
    to_say_ += node_record("audit.recovered", data.substr(1, data.size() - 2));
  }
  if (damaged()) {
    std::string data;
    json_writer w(data);
    w.begin_object().field("which", damage_).end_object();
    to_say_ += node_record(audit_damaged_what, data.substr(1, data.size() - 2));
  }
  // Where the disk is full it comes before what is written next.
  if (!to_say_.empty()) (void)append({});
}

result<void> audit_writer::begin_segment() {
  const auto path = audit_segment_path(how_.folder, place_.seq + 1);
  const int fresh = open_segment(path);
  if (fresh < 0) return error(codes::storage_unavailable, path + ": " + why_now());
  if (!sync_audit_folder(how_.folder)) {
    const auto why = why_now();
    ::close(fresh);
    return error(codes::storage_unavailable, how_.folder + ": " + why);
  }
  if (file_ >= 0) ::close(file_);
  file_ = fresh;
  size_ = 0;
  day_.clear();
  return {};
}

bool audit_writer::fail(std::string why) {
  why_ = std::move(why);
  return false;
}

bool audit_writer::write(std::string_view out) {
  if (must_cut_ && ::ftruncate(file_, static_cast<off_t>(size_)) != 0) return fail(why_now());
  must_cut_ = false;
  if (!audit_has_room(file_, out.size(), how_.min_free_bytes))
    return fail("the disk has less than storage.min_free_bytes left");
  std::size_t written = 0;
  if (write_all(file_, out, written)) {
    size_ += out.size();
    dirty_ = true;
    return true;
  }
  const auto why = why_now();
  // Half a line is no record; who reads meanwhile does not take it for one.
  must_cut_ = written > 0 && ::ftruncate(file_, static_cast<off_t>(size_)) != 0;
  return fail(why);
}

bool audit_writer::is_full(std::size_t coming) const {
  return size_ > 0 && (size_ + coming > how_.segment_bytes ||
                       day_ != std::string_view(format_rfc3339(now_ms())).substr(0, day_size));
}

// A segment ends with a head, so that each can be checked with what stands before it gone.
bool audit_writer::roll() {
  if (!sign_now() || !sync()) return false;
  const auto begun = begin_segment();
  return begun ? true : fail(begun.error().detail);
}

bool audit_writer::append(std::string_view lines) {
  if (to_say_.empty()) return append_now(lines);
  if (!append_now(to_say_ + std::string(lines))) return false;
  to_say_.clear();
  return true;
}

bool audit_writer::append_now(std::string_view lines) {
  const auto coming = static_cast<std::uint64_t>(std::count(lines.begin(), lines.end(), '\n'));
  if (unsigned_records() + coming > audit_unsigned_max && !sign_now()) return false;
  if (is_full(lines.size()) && !roll()) return false;
  auto place = place_;
  auto tree = tree_;
  std::string out, day = day_;
  out.reserve(lines.size() + chained_bytes * 4);
  for (std::size_t from = 0; from < lines.size();) {
    const auto end = lines.find('\n', from);
    auto line = lines.substr(from, end - from);
    from = end + 1;
    // What stands before the object is its giver's own.
    line.remove_prefix(std::min(line.find('{'), line.size()));
    if (line.size() < 2) continue;
    const auto chained = audit_chained(place, line.substr(1, line.size() - 2));
    tree.add(place.hash);
    if (day.empty()) {
      const auto link = audit_link_of(chained);
      if (link) day = std::string(link->at.substr(0, day_size));
    }
    out.append(chained).push_back('\n');
  }
  if (!write(out)) return false;
  place_ = std::move(place);
  tree_ = std::move(tree);
  day_ = std::move(day);
  written_ += out;
  return true;
}

bool audit_writer::sign() {
  return (to_say_.empty() || append({})) && sign_now();
}

bool audit_writer::sign_now() {
  if (is_signed() || place_.seq == 0) return true;
  audit_head head;
  head.chain = chain_;
  head.first = tree_first_;
  head.seq = place_.seq;
  head.hash = place_.hash;
  head.root = tree_.root();
  head.at = format_rfc3339(now_ms());
  sign_head(head, key_);
  auto place = place_;
  auto line = audit_chained(place, head_members(head)) + "\n";
  if (!write(line)) return false;
  place_ = std::move(place);
  tree_ = {};
  tree_.add(place_.hash);
  tree_first_ = head_seq_ = place_.seq;
  head_ = std::move(head);
  written_ += line;
  return true;
}

bool audit_writer::sync() {
  if (lost_by_disk_) return fail("the disk failed and may have lost records; see what is there");
  if (!dirty_) return true;
  if (::fdatasync(file_) != 0) {
    // Linux tells it once and takes the pages for clean: a next one that succeeds proves nothing.
    lost_by_disk_ = errno == EIO;
    if (lost_by_disk_) damaged_by("what the disk lost, up to record " + std::to_string(place_.seq));
    return fail(why_now());
  }
  dirty_ = false;
  return true;
}

bool audit_writer::remove_old() {
  if (how_.keep_days <= 0 && how_.keep_bytes == 0) return true;
  const auto segments = audit_segments(how_.folder);
  const auto copied = how_.copied ? how_.copied() : std::numeric_limits<std::uint64_t>::max();
  const auto oldest = format_rfc3339(how_.keep_days > 0 ? now_ms() - how_.keep_days * day_ms : 0);
  auto bytes = bytes_of(segments);
  // A segment is as young as what the next one begins with; the one that is written stays.
  std::size_t gone = 0;
  audit_head checkpoint;
  for (std::size_t i = 1; i < segments.size(); ++i) {
    std::string at, before;
    const auto first = [&](std::string_view line) {
      const auto link = audit_link_of(line);
      if (link) at = std::string(link->at), before = std::string(link->prev_hash);
      return false;
    };
    const auto read = each_audit_line(segments[i].path, first);
    const bool too_many = how_.keep_bytes > 0 && total_of(bytes) > how_.keep_bytes;
    if (!read || at.empty() || (at >= oldest && !too_many)) break;
    if (segments[i].first - 1 > copied) break;
    bytes[i - 1] = 0;
    gone = i;
    checkpoint.seq = segments[i].first - 1;
    checkpoint.hash = before;
  }
  if (gone == 0) return true;
  checkpoint.chain = chain_;
  checkpoint.first = segments.front().first;
  checkpoint.at = format_rfc3339(now_ms());
  checkpoint.is_checkpoint = true;
  sign_head(checkpoint, key_);
  std::string data;
  json_writer w(data);
  w.begin_object().field("first", checkpoint.first).field("last", checkpoint.seq);
  w.field("hash", checkpoint.hash).end_object();
  // Where the checkpoint cannot be written it is tried again, and said once.
  if (removed_to_ != checkpoint.seq &&
      !append(node_record("audit.removed", data.substr(1, data.size() - 2))))
    return false;
  removed_to_ = checkpoint.seq;
  if (!sync()) return false;
  if (!keep_audit_checkpoint(how_.folder, checkpoint)) return fail(why_now());
  for (std::size_t i = 0; i < gone; ++i) (void)::unlink(segments[i].path.c_str());
  return true;
}

}  // namespace soma::security
