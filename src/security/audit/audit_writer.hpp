// Writes the chain: numbers records, chains, signs, begins segments and removes old ones. By one
// thread at a time; blocks on the disk.
//
// Of what it is given all is written or nothing: what could not be is given again. It goes on where
// the folder's newest record is, cuts off what a kill left of a line, and then says so in a record
// (`audit.recovered`), as it does where records were there that nobody had signed. At the open the
// newest segment is looked through, with the end of the one before. Damage there stops nothing and
// is never mended: `damaged` says so, a record does (`audit.damaged`), and whoever verifies the
// chain finds it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "security/audit/audit_chain.hpp"
#include "security/audit/audit_folder.hpp"
#include "security/audit/audit_key.hpp"

namespace soma::security {

struct audit_chain_options {
  std::string folder;  // made where it is missing, for its owner alone
  std::uint64_t segment_bytes = 16 * 1024 * 1024;
  std::int64_t keep_days = 0;        // 0: for ever
  std::uint64_t keep_bytes = 0;      // of all segments; 0: no bound
  std::uint64_t min_free_bytes = 0;  // of the disk
  // Up to which record there are copies elsewhere: nothing else is removed. Unset: nobody copies.
  // Called by the thread that writes.
  std::function<std::uint64_t()> copied = {};
};

class audit_writer {
 public:
  // Errors: storage.unavailable; storage.corrupt where nothing there says how the chain goes on, or
  // where the checkpoint is not that of the segments, of which none is removed then; config.invalid
  // where another key signed the newest head; storage.locked where another writer has the folder.
  static result<std::unique_ptr<audit_writer>> open(const audit_chain_options& how, audit_key key);
  ~audit_writer();
  audit_writer(const audit_writer&) = delete;

  // Lines with their ends, each the object of a record. False: none is written; `why` says it.
  bool append(std::string_view lines);
  // A head over what came since the last one, if anything did. False: as above.
  bool sign();
  // What is written is on the disk afterwards. False: nobody knows; and where the disk itself
  // failed that stays so until the next open, since what it lost is not told again.
  bool sync();
  // Ends a segment of a day that is over, so that it can be copied. False: as above.
  bool end_day() { return is_full(0) ? roll() : true; }
  // Removes segments all of whose records are older than `keep_days`, and the oldest where all are
  // more than `keep_bytes`. False: as above.
  bool remove_old();

  // Others may write the folder from now on; nothing more is asked of this one.
  void let_go();

  const std::string& chain() const { return chain_; }  // its id
  const std::string& why() const { return why_; }
  // What was written since this was asked, as the chain has it.
  std::string take_written() { return std::exchange(written_, {}); }
  const audit_head& head() const { return head_; }  // its seq is 0: there is none
  bool is_signed() const { return place_.seq <= head_seq_; }
  std::uint64_t unsigned_records() const { return place_.seq - head_seq_; }
  const audit_place& place() const { return place_; }
  // Records that are not right were found at the open, or the disk lost some since. `damage` says
  // which.
  bool damaged() const { return !damage_.empty(); }
  const std::string& damage() const { return damage_; }

 private:
  audit_writer(audit_chain_options how, audit_key key);
  result<void> lock();
  result<void> begin();
  result<void> fit(const audit_head& checkpoint, const std::vector<audit_segment>& segments) const;
  result<void> set_aside(std::vector<audit_segment>& segments);
  result<void> take_up(const std::vector<audit_segment>& segments);
  void take_end(const audit_segment& before, std::uint64_t next);
  bool take_line(std::string_view line, std::uint64_t first);
  bool is_right_head(const audit_head& head) const;
  void damaged_by(std::string why);
  void say_found();
  bool append_now(std::string_view lines);
  bool sign_now();
  result<void> begin_segment();
  bool roll();
  bool is_full(std::size_t coming) const;
  bool write(std::string_view out);
  bool fail(std::string why);

  const audit_chain_options how_;
  const audit_key key_;
  std::string chain_;
  int file_ = -1, locked_ = -1;  // the segment, and the folder
  std::uint64_t size_ = 0;       // of the segment, as of what is written
  bool must_cut_ = false;        // what stands behind `size_`
  std::string day_;              // of the segment's first record
  audit_place place_;
  audit_tree tree_;
  std::uint64_t tree_first_ = 1, head_seq_ = 0;
  audit_head head_;
  std::string damage_;
  bool dirty_ = false, lost_by_disk_ = false;
  std::uint64_t bytes_cut_ = 0, set_aside_first_ = 0;  // at the open
  std::uint64_t removed_to_ = 0;                       // that a record says were removed
  std::string to_say_;                                 // of the open, not written yet
  std::string why_, written_;
};

}  // namespace soma::security
