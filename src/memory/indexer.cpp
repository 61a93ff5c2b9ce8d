#include "memory/indexer.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include "core/codes.hpp"
#include "core/remembered.hpp"
#include "core/thread_name.hpp"
#include "core/time.hpp"
#include "storage/node_rows.hpp"

namespace soma::memory {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t documents_at_once = 500, counted_max = 10'000;
constexpr unsigned pages_between_checkpoints = 16;  // or the log grows as large as the index
constexpr std::size_t taken_max = 2000;             // rows that wait for a checkpoint
constexpr std::chrono::seconds settle_after(2), try_again_after(1);
// What is written meanwhile shares a transaction: one of few rows costs as much as one of many.
constexpr std::chrono::milliseconds gather(20);
// Of this node's index. Before there were several nodes it was kept beside what is of all.
constexpr std::string_view rebuild_mark = "memory.index.rebuild";
constexpr std::string_view mark_collection_before = "memory.index", mark_before = "rebuild";

// The store's fault, by which nothing is known of the index.
error of_store(error why) {
  why.code = codes::storage_unavailable;
  return why;
}

}  // namespace

indexer::indexer(storage::event_log& log, indexer_options options)
    : log_(log), options_(std::move(options)) {
  log_.on_outbox([this](std::uint64_t last) {
    if (options_.on_rows) options_.on_rows();
    const std::lock_guard lock(mutex_);
    told_ = std::max(told_, last);
    if (sleeps_) wake_.notify_one();
  });
  thread_ = std::thread([this] {
    name_this_thread("memory.index");
    run();
  });
}

indexer::~indexer() {
  log_.on_outbox({});
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    wake_.notify_one();
    caught_up_.notify_all();
  }
  thread_.join();
}

void indexer::catch_up(clock::time_point until) {
  std::unique_lock lock(mutex_);
  const auto wanted = told_;
  const auto done = [&] {
    return stop_ || (scanned_all_ && done_ >= wanted) || !degraded_.empty();
  };
  if (done()) return;
  ++hurried_;
  wake_.notify_one();
  caught_up_.wait_until(lock, until, done);
  --hurried_;
}

std::string indexer::degraded() const {
  const std::lock_guard lock(mutex_);
  return degraded_;
}

std::string indexer::uses_degraded() const {
  const std::lock_guard lock(mutex_);
  if (!degraded_.empty() || uses_whole_) return degraded_;
  return "where memories were used is being looked up";
}

indexer::lag indexer::waiting() const {
  lag out;
  std::uint64_t after = 0;
  {
    const std::lock_guard lock(mutex_);
    after = done_;
  }
  while (out.waiting < counted_max) {
    const auto page = log_.read_outbox(outbox_sink, after, 1000);
    if (!page) break;
    out.waiting += page->rows.size();
    after = page->scanned;
    if (!page->rows.empty() && out.oldest_at_ms == 0) {
      const auto first = read_change(page->rows.front().payload);
      if (first && first->what == change::kind::item) {
        const auto& key = first->key;
        const auto text =
            log_.get_document(item_collection, item_key(key.tenant, key.session.value, first->id));
        if (text && *text)
          if (const auto it = decode_item(**text)) out.oldest_at_ms = it->updated_at_ms;
      }
    }
    if (page->end) break;
  }
  return out;
}

std::uint64_t indexer::waiting_at_most() const {
  const std::lock_guard lock(mutex_);
  if (!scanned_all_ || !degraded_.empty()) return std::numeric_limits<std::uint64_t>::max();
  return told_ - std::min(told_, done_);
}

void indexer::found_damaged() {
  const std::lock_guard lock(mutex_);
  damaged_ = true;
  wake_.notify_one();
}

void indexer::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    const bool damaged = std::exchange(damaged_, false);
    const auto told = told_;
    lock.unlock();
    bool more = false;
    if (damaged) build_anew("it is damaged");
    if (!index_ && !open_index()) {
      drop_backlog();
    } else if (index_->building()) {
      build_some();
      more = index_ != nullptr;
    } else {
      more = take_rows();
      if (index_ && index_->building_uses()) {
        build_uses();
        more = index_ != nullptr;
      }
      if (index_) settle(!more);
    }
    const bool usable = index_ != nullptr;
    lock.lock();
    if (more || damaged_) continue;
    // Rows that wait for their checkpoint want another look, and so does what failed.
    const auto pause = usable && taken_.empty() ? std::chrono::seconds(3600)
                       : usable                 ? settle_after
                                                : try_again_after;
    sleeps_ = true;
    wake_.wait_for(lock, pause, [&] { return stop_ || damaged_ || told_ != told; });
    sleeps_ = false;
    if (told_ != told)
      wake_.wait_for(lock, gather, [&] { return stop_ || damaged_ || hurried_ > 0; });
  }
  lock.unlock();
  if (index_) settle(true);
}

bool indexer::open_index() {
  const auto wanted = log_.get_document(storage::node_collection, rebuild_mark);
  const auto wanted_before = log_.get_document(mark_collection_before, mark_before);
  if ((wanted && *wanted) || (wanted_before && *wanted_before)) {
    remove_file();
    notice("the index of memories is built anew: changes were not kept for it");
  }
  auto opened = index_file::open(options_.path);
  if (!opened && opened.error().code == codes::storage_corrupt) {
    notice("the index of memories is built anew: " + opened.error().detail);
    remove_file();
    opened = index_file::open(options_.path);
  }
  if (opened && (*opened)->position() >> 32 > log_.epoch()) {
    notice("the index of memories is built anew: it is of another store");
    opened->reset();
    remove_file();
    opened = index_file::open(options_.path);
  }
  if (!opened) {
    failed(opened.error());
    return false;
  }
  index_ = std::move(*opened);
  scanned_ = 0;
  taken_.clear();
  if (wanted && *wanted) (void)log_.delete_document(storage::node_collection, rebuild_mark);
  if (wanted_before && *wanted_before)
    (void)log_.delete_document(mark_collection_before, mark_before);
  const std::lock_guard lock(mutex_);
  degraded_ = index_->building() ? "the index of memories is being built" : "";
  uses_whole_ = !index_->building_uses();
  scanned_all_ = false;
  idle_.clear();
  ++generation_;
  return true;
}

void indexer::build_anew(const std::string& why) {
  notice("the index of memories is built anew: " + why);
  index_.reset();
  {
    const std::lock_guard lock(mutex_);
    degraded_ = "the index of memories is being built";
    uses_whole_ = false;
  }
  remove_file();
}

void indexer::build_some() {
  const auto behind = *index_->building();
  auto page = log_.list_documents(item_collection, {}, documents_at_once, behind);
  auto done = [&]() -> result<void> {
    if (!page) return of_store(page.error());
    if (auto ok = index_->begin(); !ok) return ok;
    for (const auto& [key, text] : *page) {
      const auto it = decode_item(text);
      const auto first = key.find('\n'), second = key.find('\n', first + 1);
      if (!it || second == std::string::npos) continue;  // no item, or one that cannot be read
      const auto session = key.substr(first + 1, second - first - 1);
      if (auto ok = index_->put(tenant_id(key.substr(0, first)), session, *it, 0); !ok) return ok;
    }
    const bool all = page->size() < documents_at_once;
    if (auto ok = index_->set_building(all ? std::nullopt : std::optional(page->back().first)); !ok)
      return ok;
    return index_->commit();
  }();
  if (!done) {
    index_->roll_back();
    return failed(done.error());
  }
  const bool complete = !index_->building();
  if (complete || ++built_pages_ % pages_between_checkpoints == 0) (void)index_->checkpoint();
  if (!complete) return;
  const std::lock_guard lock(mutex_);
  degraded_.clear();
}

void indexer::build_uses() {
  auto page = log_.list_documents(use_collection, {}, documents_at_once, *index_->building_uses());
  auto done = [&]() -> result<void> {
    if (!page) return of_store(page.error());
    if (auto ok = index_->begin(); !ok) return ok;
    for (const auto& [key, nothing] : *page) {
      const auto first = key.find('\n'), second = key.find('\n', first + 1);
      if (second == std::string::npos) continue;
      const session_key of{tenant_id(key.substr(0, first)),
                           session_id(key.substr(first + 1, second - first - 1))};
      if (auto ok = take_use(of, key.substr(second + 1)); !ok) return ok;
    }
    const bool all = page->size() < documents_at_once;
    auto behind = all ? std::nullopt : std::optional(page->back().first);
    if (auto ok = index_->set_building_uses(behind); !ok) return ok;
    return index_->commit();
  }();
  if (!done) {
    index_->roll_back();
    return failed(done.error());
  }
  if (index_->building_uses()) return;
  const std::lock_guard lock(mutex_);
  uses_whole_ = true;
}

bool indexer::take_rows() {
  auto page = log_.read_outbox(outbox_sink, scanned_, options_.rows_at_once);
  if (!page) {
    failed(of_store(page.error()));
    return false;
  }
  if (auto ok = apply(page->rows); !ok) {
    index_->roll_back();
    failed(ok.error());
    return false;
  }
  scanned_ = page->scanned;
  for (const auto& row : page->rows) taken_.push_back(row.number);
  for (const auto& tenant : std::exchange(changed_, {}))
    if (options_.on_changed) options_.on_changed(tenant);
  const std::lock_guard lock(mutex_);
  done_ = std::max(done_, scanned_);
  if (page->end) {
    scanned_all_ = true;
    caught_up_.notify_all();
  }
  return !page->end && !stop_;
}

result<void> indexer::apply(const std::vector<storage::outbox_entry>& rows) {
  changed_.clear();
  gone_.clear();
  // After a crash some are there again that were taken.
  const auto taken = [&](const auto& row) { return row.number <= index_->position(); };
  if (std::all_of(rows.begin(), rows.end(), taken)) return {};
  if (auto ok = index_->begin(); !ok) return ok;
  for (const auto& row : rows)
    if (!taken(row))
      if (auto ok = apply_one(row); !ok) return ok;
  if (options_.on_gone)
    for (const auto& [tenant, ids] : gone_)
      if (auto ok = options_.on_gone(tenant, ids); !ok) return of_store(ok.error());
  if (auto ok = index_->set_position(rows.back().number); !ok) return ok;
  return index_->commit();
}

// None: it is gone, or cannot be read, which is no reason to stand still.
result<std::optional<item>> indexer::document_of(const change& what, std::string_view id) const {
  const auto& [tenant, session] = what.key;
  auto text = log_.get_document(item_collection, item_key(tenant, session.value, id));
  if (!text && text.error().code != codes::storage_corrupt) return text.error();
  if (!text || !*text) return std::optional<item>();
  auto it = decode_item(**text);
  return it ? std::optional(std::move(*it)) : std::optional<item>();
}

// The document is asked: however late a row is taken, the index gets what is there now.
result<void> indexer::apply_one(const storage::outbox_entry& row) {
  const auto what = read_change(row.payload);
  if (!what) return {};  // of no version that is known: nothing can be made of it
  const auto& [tenant, session] = what->key;
  changed_.insert(tenant);
  if (what->what == change::kind::used) return take_use(what->key, what->id);
  if (what->what == change::kind::unused) return drop_uses(what->key);
  if (what->what == change::kind::session) {
    if (auto ok = drop_uses(what->key); !ok) return ok;
    auto gone = index_->erase_session(tenant, session.value);
    if (!gone) return gone.error();
    // Those that were written after the session's end are its no more, but are there.
    storage::row_batch ids;
    for (const auto& id : *gone) {
      auto it = document_of(*what, id);
      if (!it) return it.error();
      if (!*it) {
        ids.deleted.emplace_back(id_collection, id_key(tenant, id));
        if (options_.replicated)
          ids.outbox.push_back(to_outbox({change::kind::gone, what->key, id}, brain_sink));
        if (auto ok = forget(tenant, id); !ok) return ok;
      } else if (auto ok = index_->put(tenant, session.value, **it, row.number); !ok) {
        return ok;
      }
    }
    // By one for all nodes; what it misses when that changes is found by a sync.
    if (ids.deleted.empty() || !log_.keeps_documents()) return {};
    auto written = log_.write_rows(ids);
    return written ? result<void>() : of_store(written.error());
  }
  auto it = document_of(*what, what->id);
  if (!it) return it.error();
  if (!*it) {
    if (auto ok = forget(tenant, what->id); !ok) return ok;
    return index_->erase(tenant, what->id);
  }
  return index_->put(tenant, session.value, **it, row.number);
}

// What was made of an item that is gone.
result<void> indexer::forget(const tenant_id& tenant, const std::string& id) {
  gone_[tenant].push_back(id);
  return index_->erase_uses_of(tenant, id);
}

// The log says what the turn was told; one that was reset or deleted meanwhile says nothing.
result<void> indexer::take_use(const session_key& key, std::string_view number) {
  use_row use;
  use.session = key.session.value;
  std::from_chars(number.data(), number.data() + number.size(), use.seq);
  const auto there = log_.get_document(use_collection, use_key(key, number));
  if (!there) return of_store(there.error());
  if (!*there || use.seq == 0) return index_->erase_use(key.tenant, use.session, use.seq);
  storage::read_options one;
  one.after_seq = use.seq - 1;
  one.before_seq = use.seq + 1;
  const auto page = log_.read(key, one);
  const bool passing = !page && page.error().code == codes::storage_unavailable;
  if (passing) return page.error();
  if (!page || page->events.empty()) return {};  // as with an item that cannot be read
  const auto& stored = page->events.front();
  const auto said = decode(stored.json);
  const auto* told = said ? std::get_if<body::memory_recall>(&said->body) : nullptr;
  if (!told) return {};
  use.at_ms = said->meta.created_at_ms;
  use.event_id = to_string(stored.id);
  use.turn_id = told->turn_id;
  std::vector<std::string> ids;
  for (auto& item : parse_remembered(told->items_json)) ids.push_back(std::move(item.memory_id));
  return index_->put_use(key.tenant, use, ids);
}

// Those whose documents are there came after what this row tells of.
result<void> indexer::drop_uses(const session_key& key) {
  const auto known = index_->uses_in(key.tenant, key.session.value);
  if (!known) return known.error();
  for (const auto seq : *known) {
    const auto there = log_.get_document(use_collection, use_key(key, use_number(seq)));
    if (!there) return of_store(there.error());
    if (*there) continue;
    if (auto ok = index_->erase_use(key.tenant, key.session.value, seq); !ok) return ok;
  }
  return {};
}

void indexer::settle(bool idle) {
  const auto ready = taken_by_all(taken_);
  if (ready.empty()) return;
  const auto now = clock::now();
  bool stopping = false;
  {
    const std::lock_guard lock(mutex_);
    stopping = stop_;
  }
  if (!stopping && ready.size() < taken_max && !(idle && now - settled_at_ > settle_after)) return;
  settled_at_ = now;
  const auto moved = index_->checkpoint();
  if (!moved) return failed(moved.error());
  if (!*moved) return;
  if (const auto ok = log_.delete_outbox(outbox_sink, ready); !ok) return;  // the next time
  taken_.erase(taken_.begin(), taken_.begin() + static_cast<std::ptrdiff_t>(ready.size()));
}

// Of numbers in their order.
std::vector<std::uint64_t> indexer::taken_by_all(const std::vector<std::uint64_t>& numbers) const {
  if (!options_.taken_by_others) return numbers;
  return {numbers.begin(),
          std::upper_bound(numbers.begin(), numbers.end(), options_.taken_by_others())};
}

void indexer::failed(const error& why) {
  index_.reset();
  if (why.code == codes::storage_corrupt) return build_anew(why.detail);
  {
    const std::lock_guard lock(mutex_);
    if (degraded_ != why.detail) notice("the index of memories cannot be written: " + why.detail);
    degraded_ = why.detail;
    caught_up_.notify_all();
  }
}

void indexer::drop_backlog() {
  std::vector<std::uint64_t> numbers;
  for (std::uint64_t after = 0;;) {
    const auto page = log_.read_outbox(outbox_sink, after, 5000);
    if (!page) return;
    for (const auto& row : page->rows) numbers.push_back(row.number);
    after = page->scanned;
    if (page->end) break;
  }
  if (numbers.size() <= options_.backlog_max) return;
  if (!log_.put_document(storage::node_collection, rebuild_mark, "1")) return;
  (void)log_.delete_outbox(outbox_sink, taken_by_all(numbers));
}

}  // namespace soma::memory
