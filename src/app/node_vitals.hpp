// What this process stands on, as it was last looked at: the disk, the store's answers,
// descriptors, memory. Health and metrics read it; nobody who asks waits for a look at the disk.
//
// Thread-safe. `sample` reads files and folders: about once a second, of one thread that may block.
// The rest is atomics.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>

#include "storage/observed_event_log.hpp"

namespace soma::app {

class node_vitals final : public storage::store_observer {
 public:
  explicit node_vitals(std::string data_dir) : data_dir_(std::move(data_dir)) {}

  void sample();

  // Logged, at a bounded rate; damage once for each session, or in the same words.
  void on_store_failed(const error& why, const session_key* session) override;
  void on_session_cleared(const session_key& session) override;
  void on_store_wrote() override { refusing_.store(false, std::memory_order_relaxed); }

  // Of the data folder's file system; false: it could not be looked at.
  bool disk_seen() const { return disk_seen_; }
  std::uint64_t free_bytes() const { return free_bytes_; }
  // Where the file system counts none, as many as can be.
  std::uint64_t free_inodes() const { return free_inodes_; }
  std::uint64_t store_bytes() const { return store_bytes_; }
  std::uint64_t files_open() const { return files_open_; }
  std::uint64_t files_max() const { return files_max_; }
  std::uint64_t resident_bytes() const { return resident_bytes_; }

  // Whether the store refused the last write: it is full, or cannot be written.
  bool refusing() const { return refusing_; }
  // Since the start.
  std::uint64_t full() const { return full_; }
  std::uint64_t damaged() const { return damaged_; }
  // Damage that is still there, as far as is known: that of a session goes with the session.
  std::size_t damage() const;
  std::uint64_t unavailable() const { return unavailable_; }

 private:
  void look_at_disk();
  void look_at_process();
  void look_at_store();

  const std::string data_dir_;
  std::uint64_t looks_ = 0;  // of sample's thread
  mutable std::mutex damage_mutex_;
  std::set<session_key> damaged_sessions_;
  std::set<std::string> other_damage_;
  std::atomic<bool> disk_seen_{false}, refusing_{false};
  std::atomic<std::uint64_t> free_bytes_{0}, free_inodes_{0}, store_bytes_{0}, files_open_{0},
      files_max_{0}, resident_bytes_{0}, full_{0}, damaged_{0}, unavailable_{0};
};

}  // namespace soma::app
