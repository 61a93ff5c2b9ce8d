#include "security/audit/audit_chain_log.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <deque>
#include <mutex>
#include <set>

#include "core/codes.hpp"
#include "core/fingerprint.hpp"
#include "observability/line_writer.hpp"
#include "observability/log.hpp"
#include "security/audit/audit_copies.hpp"
#include "security/audit/audit_notes.hpp"
#include "security/audit/audit_refusals.hpp"

namespace soma::security {
namespace {

// Records that wait for a disk that is slow, hangs, is full or away: some 35,000. What has to be
// recorded is not begun any more where half of those bytes wait, or so many that those under way
// might have no place among the notes.
constexpr std::size_t waiting_bytes_max = 16 * 1024 * 1024;
constexpr std::size_t waiting_records_max = audit_notes::places * 3 / 4;
// Records that have a place stay there where no more than this is left of those bytes.
constexpr std::size_t spare_bytes = 1024 * 1024;
constexpr std::size_t gathered_bytes_max = 64 * 1024;  // of one write
// So many records are one write, whose cost hardly grows with them; who waits for it ends it.
constexpr std::chrono::milliseconds gathered_for{5};
constexpr std::int64_t removed_every_ms = 3'600'000;
// Copies are looked after so often, in ticks.
constexpr std::uint64_t copied_every = 10;
// A line among the records: what was given before it is to be signed.
constexpr std::string_view sign_mark = "!\n";

std::string lost_line(std::uint64_t count) {
  audit_record r;
  r.what = "audit.lost";
  r.door = "node";
  const auto data = "\"records\":" + std::to_string(count);
  r.data_json = data;
  return audit_line(r, now_ms());
}

// The chain as the writing thread has it; shared with that thread.
struct chain_file {
  chain_file(std::unique_ptr<audit_writer> to, std::unique_ptr<audit_notes> kept,
             std::unique_ptr<audit_log> also, std::chrono::seconds after)
      : writer(std::move(to)),
        notes(std::move(kept)),
        copy(std::move(also)),
        sign_after_ms(after.count() * 1000),
        damaged(writer->damaged()) {
    told_head();
  }

  static std::uint64_t marks_in(std::string_view lines) {
    std::uint64_t count = 0;
    for (auto at = lines.find(sign_mark); at != lines.npos; at = lines.find(sign_mark, at + 1))
      count += at == 0 || lines[at - 1] == '\n' ? 1 : 0;
    return count;
  }

  // Lines with their ends; an empty one only wakes the thread for what is wanted beside them.
  bool take(std::string_view lines) {
    const auto marks = marks_in(lines);
    if (lines.find('{') != lines.npos) {
      if (!writer->append(lines)) return say_failing();
      free_places(lines);
      to_copy();
      is_signed = false;
    }
    // The records are written: what fails from here on is tried again with the next tick.
    marks_seen += marks;
    const bool by_wish = sign_wanted || marks > 0;
    const bool well = by_wish ? sign_synced() : !tick_wanted.exchange(false) || look();
    sign_wanted = by_wish && !well;
    if (by_wish && well) marks_served = marks_seen;
    if (well) {
      failing = false;
    } else {
      (void)say_failing();
    }
    return true;
  }

  void free_places(std::string_view lines) {
    for (std::size_t from = 0; from < lines.size(); from = lines.find('\n', from) + 1) {
      std::uint32_t place = 0;
      (void)std::from_chars(lines.data() + from, lines.data() + lines.size(), place);
      notes->free(place);
    }
  }

  bool sign() {
    const bool done = writer->sign();
    if (done) to_copy();
    is_signed = writer->is_signed();
    return done;
  }

  // A head is told only once it and what it speaks of are on the disk: whoever keeps it would else
  // find its records missing after a loss of power.
  bool sign_synced() {
    if (!sign() || !writer->sync()) return false;
    told_head();
    return true;
  }

  bool look() {
    const auto now = now_ms();
    if (writer->is_signed())
      unsigned_since = 0;
    else if (unsigned_since == 0)
      unsigned_since = now;
    const bool due = unsigned_since > 0 && now - unsigned_since >= sign_after_ms;
    if ((due || writer->unsigned_records() >= audit_unsigned_max) && !sign()) return false;
    if (!writer->end_day()) return false;
    if (now - removed_at >= removed_every_ms) {
      if (!writer->remove_old()) return false;
      to_copy();
      removed_at = now;
    }
    if (!writer->sync()) return false;
    told_head();
    return true;
  }

  void to_copy() {
    const auto written = writer->take_written();
    if (!copy) return;
    std::string_view all = written;
    for (auto end = all.find('\n'); end != all.npos; end = all.find('\n')) {
      copy->write(all.substr(0, end));
      all.remove_prefix(end + 1);
    }
  }

  void told_head() {
    is_signed = writer->is_signed();
    if (writer->head().seq == 0) return;
    const std::lock_guard lock(mutex);
    head = to_json(writer->head());
  }

  bool say_failing() {
    damaged = writer->damaged();
    if (!failing.exchange(true))
      log(log_level::error, "audit.not_written", {{"reason", writer->why()}});
    return false;
  }

  const std::unique_ptr<audit_writer> writer;
  const std::unique_ptr<audit_notes> notes;
  const std::unique_ptr<audit_log> copy;
  const std::int64_t sign_after_ms;
  std::int64_t unsigned_since = 0, removed_at = 0;
  bool sign_wanted = false;
  std::uint64_t marks_seen = 0;
  std::atomic<std::uint64_t> marks_served{0};  // of all that were given: their heads are synced
  std::atomic<bool> damaged, is_signed{false}, failing{false}, tick_wanted{false};
  std::mutex mutex;  // of what follows
  std::string head;
};

// Copies in a thread of its own, which a disk or a network that hangs may keep for good: nobody
// waits for it.
class copier {
 public:
  explicit copier(std::shared_ptr<audit_copies> copies)
      : copies_(std::move(copies)), thread_(options_for(copies_)) {}

  void tick(const std::string& head) {
    if (ticks_++ % copied_every == 0 && thread_.waiting() == 0) (void)thread_.write(head);
  }
  std::string why() const { return copies_->why(); }

 private:
  static line_writer::options options_for(std::shared_ptr<audit_copies> copies) {
    line_writer::options how;
    how.sink = [copies = std::move(copies)](std::string_view head) {
      // Again with a later tick.
      (void)copies->look(std::string(head.substr(0, head.size() - 1)));
      return true;
    };
    how.dropped_line = [](std::uint64_t) { return std::string(); };
    return how;
  }

  const std::shared_ptr<audit_copies> copies_;
  line_writer thread_;
  std::uint64_t ticks_ = 0;  // of the one thread that ticks
};

class chain_log final : public audit_log {
 public:
  chain_log(std::string folder, std::shared_ptr<chain_file> file,
            std::shared_ptr<audit_copies> copies)
      : folder_(std::move(folder)), file_(std::move(file)), lines_(options_for(file_)) {
    if (copies) copier_ = std::make_unique<copier>(std::move(copies));
  }
  // Where all is written its thread ends a moment later, and does nothing more meanwhile.
  ~chain_log() override {
    if (flush(std::chrono::seconds(1))) file_->writer->let_go();
  }

  void write(std::string_view json) override { put(0, json); }
  std::uint32_t begin(const audit_record& what) override {
    return file_->notes->begin(audit_line(what, now_ms()));
  }
  void end(std::uint32_t begun, const audit_record& what) override {
    put(begun, audit_line(what, now_ms()));
  }
  bool flush(std::chrono::milliseconds at_most) override {
    put_held();
    bool done = lines_.flush(at_most);
    {
      const std::lock_guard lock(held_mutex_);
      done = done && held_.empty();
    }
    return (!file_->copy || file_->copy->flush(at_most)) && done;
  }
  void reopen() override {
    if (file_->copy) file_->copy->reopen();
  }
  bool failing() const override {
    return file_->failing || (file_->copy && file_->copy->failing());
  }
  std::uint64_t lost() const override {
    return lines_.dropped() + (file_->copy ? file_->copy->lost() : 0);
  }
  std::size_t waiting() const override {
    const std::lock_guard lock(held_mutex_);
    return lines_.waiting() + held_.size();
  }
  bool has_room() const override {
    return lines_.waiting() < waiting_records_max && lines_.waiting_bytes() < waiting_bytes_max / 2;
  }

  void refused(const audit_record& what) override {
    if (refusals_.take(what, now_ms())) record(what);
  }

  void tick() override {
    if (copier_) copier_->tick(head());
    for (const auto& line : refusals_.counted(now_ms())) write(line);
    put_held();
    // What is written is synced by the tick after it; a quiet node writes nothing.
    const bool quiet = !unwritten_.exchange(false) && file_->is_signed && !file_->failing;
    if (quiet && ++quiet_ticks_ % quiet_ticks_max != 0) return;
    file_->tick_wanted = true;
    (void)lines_.write({});
  }
  bool sign(std::chrono::milliseconds at_most) override {
    for (const auto& line : refusals_.rest(now_ms())) write(line);
    std::uint64_t mark = 0;
    {
      const std::lock_guard lock(marks_mutex_);
      if (!lines_.write(sign_mark.substr(0, 1))) return false;
      mark = ++marks_given_;
    }
    (void)lines_.flush(at_most);
    return file_->marks_served >= mark;
  }
  std::string head() const override {
    const std::lock_guard lock(file_->mutex);
    return file_->head;
  }
  std::string folder() const override { return folder_; }
  bool damaged() const override { return file_->damaged; }
  std::string not_copied() const override { return copier_ ? copier_->why() : std::string(); }

 private:
  static constexpr std::uint64_t quiet_ticks_max = 600;  // old segments are looked for all the same

  // The number of its place stands before a line, for the thread that writes it.
  void put(std::uint32_t begun, std::string_view json) {
    const auto place = file_->notes->end(begun, json);
    unwritten_ = true;
    // Else there was no place for it, and the note is of what was begun.
    const bool is_kept = place > 0 && place != begun;
    if (is_kept && !has_spare()) {
      const std::lock_guard lock(held_mutex_);
      held_.push_back(place);
      return;
    }
    (void)lines_.write(json, name_of(place));
  }
  static std::string name_of(std::uint32_t place) {
    return place > 0 ? std::to_string(place) : std::string();
  }
  bool has_spare() const { return lines_.waiting_bytes() + spare_bytes < waiting_bytes_max; }
  // What was left in its place while there was no room for it.
  void put_held() {
    const std::lock_guard lock(held_mutex_);
    for (; !held_.empty() && has_spare(); held_.pop_front())
      if (!lines_.write(file_->notes->text(held_.front()), name_of(held_.front()))) return;
  }

  static line_writer::options options_for(std::shared_ptr<chain_file> file) {
    line_writer::options how;
    how.gathered_for = gathered_for;
    how.gathered_bytes_max = gathered_bytes_max;
    how.sink = [file = std::move(file)](std::string_view lines) { return file->take(lines); };
    how.dropped_line = lost_line;
    how.bytes_max = waiting_bytes_max;
    return how;
  }

  const std::string folder_;
  const std::shared_ptr<chain_file> file_;
  line_writer lines_;
  std::mutex marks_mutex_;          // of what follows: numbers are in the order of the lines
  std::uint64_t marks_given_ = 0;   // that are among the lines
  mutable std::mutex held_mutex_;   // of what follows
  std::deque<std::uint32_t> held_;  // places, at most as many as there are
  std::unique_ptr<copier> copier_;  // null: nobody wants copies
  audit_refusals refusals_;
  std::atomic<bool> unwritten_{true};
  std::uint64_t quiet_ticks_ = 0;  // of the one thread that ticks
};

// ---- what a process that was killed left ----

// Records that the newest segments have: by what they say, and by the operation that they are of.
struct tail {
  std::set<std::uint64_t> said, of;
};

constexpr std::size_t tail_segments = 2;  // more than half a minute can fill

std::uint64_t operation_of(std::string_view json) {
  const auto value = [json](std::string_view name) {
    const auto at = json.find(name);
    if (at == json.npos) return std::string_view();
    const auto from = at + name.size();
    return json.substr(from, json.find('"', from) - from);
  };
  // The request's id is its sender's choice and may come again; the moment makes it one. A request
  // may have several calls of tools.
  auto of = fingerprint_of_nothing;
  for (const auto* name : {"\"what\":\"", "\"operation\":\"", "\"request_id\":\"", "\"when\":\"",
                           "\"tool_call_id\":\""})
    of = fingerprint("\n", fingerprint(value(name), of));
  return of;
}

std::uint64_t said_by(std::string_view json) {
  return fingerprint(json.substr(1, json.size() - 2));
}

result<tail> tail_of(const std::string& folder) {
  tail out;
  const auto segments = audit_segments(folder);
  const auto from = segments.size() - std::min(segments.size(), tail_segments);
  const auto take = [&out](std::string_view line) {
    const auto begin = line.find(",\"at\":"), end = line.rfind(",\"prev_hash\":");
    if (begin == line.npos || end == line.npos || end < begin) return true;
    out.said.insert(fingerprint(line.substr(begin + 1, end - begin - 1)));
    out.of.insert(operation_of(line));
    return true;
  };
  for (auto i = from; i < segments.size(); ++i)
    if (auto read = each_audit_line(segments[i].path, take); !read) return read.error();
  return out;
}

// `{"at":"TIME"` as of now: it is recorded only now.
std::string recorded_now(std::string json) {
  constexpr std::size_t at = 7;
  const auto now = format_rfc3339(now_ms());
  if (json.size() > at + now.size()) json.replace(at, now.size(), now);
  return json;
}

result<void> record_left(audit_writer& writer, audit_notes& notes, const std::string& folder) {
  if (notes.found().empty()) return {};
  const auto there = tail_of(folder);
  if (!there) return there.error();
  std::string lines;
  for (const auto& one : notes.found()) {
    if (one.ended ? there->said.contains(said_by(one.json))
                  : there->of.contains(operation_of(one.json)))
      continue;
    lines.append(one.ended ? one.json : recorded_now(one.json)).push_back('\n');
  }
  if (!lines.empty() && (!writer.append(lines) || !writer.sync()))
    return error(codes::storage_unavailable, folder + ": " + writer.why());
  notes.clear();
  return {};
}

}  // namespace

result<std::unique_ptr<audit_log>> open_audit_chain(audit_log_options how, audit_key key) {
  auto folder = how.chain.folder;
  // What they have is known only once the chain is open.
  const auto copies = std::make_shared<std::shared_ptr<audit_copies>>();
  if (!how.copies_folder.empty())
    how.chain.copied = [copies] { return *copies ? (*copies)->copied() : 0; };
  auto writer = audit_writer::open(how.chain, key);
  if (!writer) return writer.error();
  if (!how.copies_folder.empty())
    *copies = std::make_shared<audit_copies>(folder, (*writer)->chain(), how.copies_folder,
                                             std::move(key));
  auto notes = audit_notes::open(folder);
  if (!notes) return notes.error();
  if (auto left = record_left(**writer, **notes, folder); !left) return left.error();
  if ((*writer)->damaged())
    log(log_level::error, "audit.damaged",
        {{"folder", folder}, {"which", (*writer)->damage()}, {"remedy", "soma audit verify"}});
  auto file = std::make_shared<chain_file>(std::move(*writer), std::move(*notes),
                                           std::move(how.copy), how.sign_after);
  return std::unique_ptr<audit_log>(
      std::make_unique<chain_log>(std::move(folder), std::move(file), *copies));
}

}  // namespace soma::security
