// Who reads the index, and that nobody does where its file is taken away.
#include "core/codes.hpp"
#include "memory/indexer.hpp"

namespace soma::memory {
namespace {

constexpr std::size_t idle_readers_max = 8;

}  // namespace

result<indexer::lease> indexer::read() {
  std::uint64_t generation = 0;
  {
    const std::lock_guard lock(mutex_);
    if (removing_) return error(codes::storage_unavailable, degraded_, 1);
    generation = generation_;
    ++leased_;
    if (!idle_.empty()) {
      auto reader = std::move(idle_.back());
      idle_.pop_back();
      return lease(*this, std::move(reader), generation);
    }
  }
  auto reader = index_reader::open(options_.path);
  if (!reader) {
    reader_closed();
    return reader.error();
  }
  return lease(*this, std::move(*reader), generation);
}

indexer::lease::~lease() {
  if (!reader_) return;
  {
    const std::lock_guard lock(from_->mutex_);
    if (generation_ == from_->generation_ && !from_->removing_ &&
        from_->idle_.size() < idle_readers_max) {
      from_->idle_.push_back(std::move(reader_));
      --from_->leased_;
      return;
    }
  }
  reader_.reset();
  from_->reader_closed();
}

void indexer::reader_closed() {
  const std::lock_guard lock(mutex_);
  if (--leased_ == 0) readers_closed_.notify_all();
}

// SQLite finds a file's log and its shared memory by their names: a connection to the file before
// this one would take the new one's for its own, cut them off under it and delete them as it
// closes.
void indexer::remove_file() {
  {
    std::unique_lock lock(mutex_);
    removing_ = true;
    ++generation_;
    idle_.clear();
    readers_closed_.wait(lock, [this] { return leased_ == 0; });
  }
  index_file::remove(options_.path);
  const std::lock_guard lock(mutex_);
  removing_ = false;
}

std::uint64_t indexer::generation() const {
  const std::lock_guard lock(mutex_);
  return generation_;
}

}  // namespace soma::memory
