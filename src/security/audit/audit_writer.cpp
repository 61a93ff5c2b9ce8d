#include "security/audit/audit_writer.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
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
  const auto checkpoint = audit_checkpoint(how_.folder);
  if (!checkpoint) return checkpoint.error();
  auto segments = audit_segments(how_.folder);
  if (*checkpoint) {
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
  // One that was begun and got nothing does not say what its tree begins with.
  while (segments.size() > 1) {
    std::error_code ec;
    if (std::filesystem::file_size(segments.back().path, ec) > 0 || ec) break;
    std::filesystem::remove(segments.back().path, ec);
    if (ec) break;
    segments.pop_back();
  }
  if (!segments.empty())
    if (auto taken = take_up(segments.back()); !taken) return taken;
  if (file_ < 0)
    if (auto begun = begin_segment(); !begun) return begun;
  if (place_.seq > 0) return {};
  chain_ = new_uuid();
  std::string data;
  json_writer w(data);
  w.begin_object().field("chain", chain_).field("key_id", key_.id());
  w.field("public_key", key_.public_text()).end_object();
  if (!append(node_record("audit.begun", data.substr(1, data.size() - 2))) || !sync())
    return error(codes::storage_unavailable, how_.folder + ": " + why_);
  return {};
}

result<void> audit_writer::take_up(const audit_segment& last) {
  bool begun = false;
  std::uint64_t whole = 0;
  const auto take = [&](std::string_view line) {
    whole += line.size() + 1;
    const auto link = audit_link_of(line);
    if (!link) return damaged_ = true;
    if (!begun) {
      begun = true;
      day_ = std::string(link->at.substr(0, day_size));
      if (link->seq > 1) {  // the segment before ended with a head
        tree_ = {};
        tree_.add(link->prev_hash);
        tree_first_ = head_seq_ = link->seq - 1;
      }
    }
    if (audit_hash_of(line) != link->hash) damaged_ = true;
    place_ = {link->seq, std::string(link->hash)};
    if (link->what == audit_head_what) {
      if (auto head = head_in(line)) head_ = std::move(*head);
      tree_ = {};
      tree_first_ = head_seq_ = link->seq;
    }
    tree_.add(link->hash);
    return true;
  };
  const auto torn = each_audit_line(last.path, take);
  if (!torn) return torn.error();
  file_ = open_segment(last.path);
  if (file_ < 0) return error(codes::storage_unavailable, last.path + ": " + why_now());
  size_ = whole;
  if (torn->empty()) return {};
  if (::ftruncate(file_, static_cast<off_t>(size_)) != 0)
    return error(codes::storage_unavailable, last.path + ": " + why_now());
  if (place_.seq == 0) return {};
  const auto data = "\"bytes_cut\":" + std::to_string(torn->size());
  if (!append(node_record("audit.recovered", data)))
    return error(codes::storage_unavailable, last.path + ": " + why_);
  return {};
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
  if (!sign() || !sync()) return false;
  const auto begun = begin_segment();
  return begun ? true : fail(begun.error().detail);
}

bool audit_writer::append(std::string_view lines) {
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
  if (!dirty_) return true;
  if (::fdatasync(file_) != 0) return fail(why_now());
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
  if (!append(node_record("audit.removed", data.substr(1, data.size() - 2)))) return false;
  if (!sync()) return false;
  if (!keep_audit_checkpoint(how_.folder, checkpoint)) return fail(why_now());
  for (std::size_t i = 0; i < gone; ++i) (void)::unlink(segments[i].path.c_str());
  return true;
}

}  // namespace soma::security
