// What a reader of a partition may say to be there, and not to be there. Pure; one thread at a
// time.
//
// Nothing is said not to be there (404, a stream's reset, a version that differs) before the node
// has applied all that was in the log when the question came: else a client that was told 202 by
// one node is told 404 by the next.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/record.hpp"
#include "core/ids.hpp"

namespace soma::cluster {

// "<partition>.<offset>", as answers carry it (`Soma-Position`): the last record that they rest on.
struct read_position {
  std::uint32_t partition = 0;
  log_offset offset = 0;

  bool operator==(const read_position&) const = default;
};
std::string to_string(const read_position& position);
// Accepts exactly what to_string writes.
std::optional<read_position> parse_read_position(std::string_view text);

// Whether a node that has applied all before `next` has what such an answer rests on.
bool covers(log_offset next, log_offset position);

// Whether an event that is ahead of a session's head may be on its way. What was shown anywhere is
// counted everywhere, so only an id of an epoch before the newest claim's can be of a log that
// this is not (it was restored), and resets its reader.
bool may_still_come(const event_id& asked, std::uint64_t head_seq, std::uint32_t newest_epoch);

// Questions that wait until a partition is read as far as it went when they came. One look at the
// log's end is under way at a time and serves all who came before it began; a look that had begun
// before a question may have seen an end before it, and says nothing to it.
class catch_up {
 public:
  struct step {
    bool look = false;                   // ask for the log's end, and tell `end_is`
    std::vector<std::uint64_t> ready;    // may be answered from what is applied now
    std::vector<std::uint64_t> unknown;  // the end could not be had: another node has to answer
  };

  step ask(std::uint64_t token);
  // The answer to the look under way: the offset behind the last record. `next`: what is applied.
  step end_is(log_offset end, log_offset next);
  step end_unknown();
  step applied(log_offset next);
  // Its time is over, or it is answered otherwise.
  void forget(std::uint64_t token);

  std::size_t waiting() const;

 private:
  step begin_look(step so_far);

  std::vector<std::uint64_t> coming_, looking_;  // before a look, and in it
  std::multimap<log_offset, std::uint64_t> reading_;
  bool under_way_ = false;
};

}  // namespace soma::cluster
