// The folded part of a session's state as bytes, so that an activation need not read its whole log;
// and when such a snapshot is due. It is a cache: whatever is not understood is no snapshot, and
// the log is folded. Pure; values of one thread.
//
// Whoever changes what `apply` leaves, or what is encoded, raises `snapshot_version`: the fold of
// an old snapshot and new events would be that of neither program.
// tests/core/session_snapshot_test.cpp holds both to stored fingerprints.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/session_state.hpp"

namespace soma {

inline constexpr std::uint8_t snapshot_version = 3;

// Larger ones are not kept: a turn that goes on, and messages that wait, have bounds of their own.
inline constexpr std::size_t snapshot_bytes_max = 32u << 20;

// `state` with its seq, its bound on turns and its epoch, which is that of the program's opening of
// the store; without its key and what else is of this incarnation only.
std::string encode_snapshot(const session_state& state);

// The state that the log has at the snapshot's seq. Errors: storage.format (of another version, or
// kept with another bound: nothing is wrong), storage.corrupt (damaged).
result<session_state> decode_snapshot(std::string_view bytes, std::uint64_t turns_bytes_max);

// When a session is to take one: bounded by what an activation reads and by what writing them
// costs.
class snapshot_pace {
 public:
  // Events that an activation reads; those behind the last snapshot of a session that leaves
  // memory.
  static constexpr std::uint64_t events_between = 1024, events_left_behind = 512;
  // Or bytes of events, where these are few and large.
  static constexpr std::uint64_t bytes_between = 4u << 20, bytes_left_behind = 1u << 20;
  // Bytes of events for each byte of snapshots, so that these are at most half of what is written
  // besides; of a session that leaves memory, which may be often, at most twice that.
  static constexpr std::uint64_t bytes_for_a_byte = 2;

  snapshot_pace() = default;
  // Of a state that was folded from the snapshot at `seq` of so many bytes, and events of so many.
  snapshot_pace(std::uint64_t seq, std::size_t bytes, std::uint64_t bytes_since)
      : seq_(seq), bytes_(bytes), bytes_since_(bytes_since) {}

  void appended(std::size_t bytes) { bytes_since_ += bytes; }
  void taken(std::uint64_t seq, std::size_t bytes) { *this = {seq, bytes, 0}; }

  bool due(std::uint64_t seq) const {
    return (seq >= seq_ + events_between || bytes_since_ >= bytes_between) &&
           bytes_since_ >= bytes_for_a_byte * bytes_;
  }
  bool due_on_leaving(std::uint64_t seq) const {
    return (seq >= seq_ + events_left_behind || bytes_since_ >= bytes_left_behind) &&
           bytes_since_ >= bytes_ / 2;
  }

 private:
  std::uint64_t seq_ = 0, bytes_ = 0, bytes_since_ = 0;
};

}  // namespace soma
