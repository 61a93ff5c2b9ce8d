// What must hold of a partition's history as nodes show it and clients are told of it. Independent
// of the rule on purpose: it must not share its mistakes.
//
//   - Every node shows one history: one that is behind shows a beginning of it.
//   - An attempt that was told written is there, once, where it was told; one that was told refused
//     or not written never is.
//   - What a client asked for is there once at most, whatever was sent again.
//   - seq is dense, an epoch never falls, an id is never given twice; nothing follows a removal.
//   - A document's versions are one line; rows derived from a source come once and in its order.
//   - At one moment one node acts, and none of an epoch before one that has acted.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace soma::testing {

struct violation : std::runtime_error {
  using runtime_error::runtime_error;
};

struct log_record {
  std::int64_t offset = 0;
  std::string bytes;
};

struct shown_event {
  std::size_t attempt = 0;
  std::int64_t offset = 0;
  std::string session;  // empty: of none
  std::uint64_t seq = 0;
  std::uint32_t epoch = 0;
  std::string document;  // empty: none was written
  std::int64_t version_before = -1, source = -1;
  bool removed = false;

  bool operator==(const shown_event&) const = default;
};

class cluster_invariants {
 public:
  enum class told { nothing, written, nothing_written };

  // Attempts are numbered from 0. `op`: what the client asks for.
  std::size_t new_attempt(std::size_t op) {
    attempts_.push_back({op, told::nothing, -1, -1});
    return attempts_.size() - 1;
  }
  std::size_t operation_of(std::size_t attempt) const { return attempts_[attempt].op; }
  told told_of(std::size_t attempt) const { return attempts_[attempt].what; }
  // Where an attempt is in the history; -1: no node has shown it.
  std::int64_t place_of(std::size_t attempt) const { return attempts_[attempt].place; }
  std::int64_t offset_of(std::size_t attempt) const { return attempts_[attempt].offset; }

  // A node shows what stands at `place` of its history.
  void show(std::size_t place, const shown_event& e) {
    if (place < history_.size()) {
      require(history_[place] == e, "every node shows the same history");
      return;
    }
    require(place == history_.size(), "a history is shown without holes");
    append(e);
  }

  void tell_written(std::size_t attempt, std::int64_t offset, std::uint64_t seq) {
    auto& one = attempts_[attempt];
    require(one.what == told::nothing, "an attempt is answered once");
    require(one.place >= 0, "what is told written is there");
    const auto& e = history_[static_cast<std::size_t>(one.place)];
    require(e.offset == offset && e.seq == seq, "what is told written is where it was told");
    one.what = told::written;
  }
  void tell_nothing_written(std::size_t attempt) {
    auto& one = attempts_[attempt];
    require(one.what == told::nothing, "an attempt is answered once");
    one.what = told::nothing_written;
    require(one.place < 0, "what is told not written is not there");
  }
  // It is told written before anybody has read it.
  void promise(std::size_t attempt) { attempts_[attempt].what = told::written; }
  // An attempt was refused for its key: the one kept is at this place, and of the same operation.
  void tell_kept(std::size_t attempt, std::int64_t offset) {
    tell_nothing_written(attempt);
    for (const auto& other : attempts_)
      if (other.offset == offset && other.place >= 0) {
        require(other.op == attempts_[attempt].op, "a key is one operation's");
        return;
      }
    throw violation("what a key is kept for is there");
  }

  void acts(int node, std::uint32_t epoch, int tick) {
    require(epoch >= acting_epoch_, "none acts of an epoch before one that has acted");
    require(tick != acting_tick_ || node == acting_node_, "one node acts at a time");
    acting_epoch_ = epoch;
    acting_tick_ = tick;
    acting_node_ = node;
  }

  // Nothing is on its way any more.
  void at_rest() const {
    for (const auto& one : attempts_)
      require(one.what != told::written || one.place >= 0, "what is told written is there");
  }

  const std::vector<shown_event>& history() const { return history_; }
  bool written(std::size_t op) const { return by_operation_.count(op) != 0; }

  static void require(bool held, const char* what) {
    if (!held) throw violation(what);
  }

 private:
  struct attempt {
    std::size_t op;
    told what;
    std::int64_t place, offset;
  };
  struct session {
    std::uint64_t seq = 0;
    std::uint32_t epoch = 0;
    bool removed = false;
  };

  void append(const shown_event& e) {
    require(e.attempt < attempts_.size(), "only what was sent is there");
    auto& one = attempts_[e.attempt];
    require(one.place < 0, "an attempt is there once");
    require(one.what != told::nothing_written, "what was told not written is not there");
    one.place = static_cast<std::int64_t>(history_.size());
    one.offset = e.offset;
    require(++by_operation_[one.op] == 1, "what a client asked for is there once");
    if (!e.session.empty()) {
      auto& s = sessions_[e.session];
      require(!s.removed, "nothing follows a removal");
      require(e.seq == s.seq + 1, "seq is dense");
      require(e.epoch >= s.epoch, "an epoch never falls");
      s = {e.seq, e.epoch, e.removed};
    }
    if (!e.document.empty()) {
      const auto [found, fresh] = versions_.emplace(e.document, -1);
      require(found->second == e.version_before, "a document's versions are one line");
      found->second = e.offset;
    }
    if (e.source >= 0) require(e.source == ++last_source_, "derived rows come once and in order");
    history_.push_back(e);
  }

  std::vector<shown_event> history_;
  std::vector<attempt> attempts_;
  std::map<std::size_t, int> by_operation_;
  std::map<std::string, session> sessions_;
  std::map<std::string, std::int64_t> versions_;
  std::int64_t last_source_ = 0;
  std::uint32_t acting_epoch_ = 0;
  int acting_tick_ = -1, acting_node_ = -1;
};

}  // namespace soma::testing
