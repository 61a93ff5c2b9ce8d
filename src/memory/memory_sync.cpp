#include "memory/memory_sync.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "core/codes.hpp"
#include "core/fingerprint.hpp"

namespace soma::memory {
namespace {

constexpr std::size_t at_once = 500;
// Rows of a session that are put in order.
constexpr std::size_t of_session_max = 100'000;
constexpr int busy_s = 2;
// Rows that wait for SomaBrain and are known as such. Where there are as many nothing is queued:
// what is not known might be among them, and each look would double it.
constexpr std::size_t waiting_max = 2'000'000;

struct place {
  std::string_view tenant, session, id;
};
std::optional<place> place_in(std::string_view key) {
  const auto first = key.find('\n'), second = key.find('\n', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return std::nullopt;
  return place{key.substr(0, first), key.substr(first + 1, second - first - 1),
               key.substr(second + 1)};
}

error stopped() {
  return {codes::server_busy, "the server is stopping", busy_s};
}

storage::outbox_row row_of(const place& of, change::kind what) {
  change out;
  out.what = what;
  out.key = {tenant_id(std::string(of.tenant)), session_id(std::string(of.session))};
  out.id = of.id;
  return to_outbox(out, brain_sink);
}

}  // namespace

memory_sync::memory_sync(storage::event_log& log, std::int64_t every_ms,
                         std::function<void(const result<sync_outcome>&)> told)
    : log_(log), every_ms_(every_ms), told_(std::move(told)), thread_([this] { run(); }) {}

memory_sync::~memory_sync() {
  stop();
  thread_.join();
}

void memory_sync::stop() {
  const std::lock_guard lock(mutex_);
  stop_ = true;
  wake_.notify_all();
}

void memory_sync::end_look() {
  const std::lock_guard lock(mutex_);
  looking_ = false;
  wake_.notify_all();
}

bool memory_sync::stopping() const {
  const std::lock_guard lock(mutex_);
  return stop_;
}

void memory_sync::run() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stop_ || !looking_; });
      if (stop_) return;
      looking_ = true;
    }
    // By one for all that share these documents.
    const auto found = log_.keeps_documents() ? look_at({}) : result<sync_outcome>(sync_outcome());
    end_look();
    if (told_ && !stopping() && (!found || found->queued > 0)) told_(found);
    std::unique_lock lock(mutex_);
    if (wake_.wait_for(lock, std::chrono::milliseconds(every_ms_), [&] { return stop_; })) return;
  }
}

result<sync_outcome> memory_sync::look(const tenant_id& tenant) {
  {
    const std::lock_guard lock(mutex_);
    if (stop_) return stopped();
    if (looking_) return error(codes::server_busy, "memories are being compared already", busy_s);
    looking_ = true;
  }
  const auto prefix = tenant.value + '\n';
  auto out = look_at(prefix);
  if (out)
    if (auto done = queue_gone(prefix, *out); !done) out = done.error();
  end_look();
  if (out && stopping()) return stopped();
  return out;
}

result<sync_outcome> memory_sync::look_at(const std::string& prefix) {
  sync_outcome out;
  const auto known = waiting();
  if (!known) return known.error();
  if (known->size() >= waiting_max || stopping()) return out;
  if (auto done = queue_items(prefix, *known, out); !done) return done.error();
  return out;
}

result<memory_sync::known_rows> memory_sync::waiting() const {
  known_rows out;
  for (std::uint64_t after = 0; out.size() < waiting_max;) {
    const auto page = log_.read_outbox(brain_sink, after, at_once);
    if (!page) return page.error();
    for (const auto& row : page->rows) out.insert(fingerprint(row.payload));
    after = page->scanned;
    if (page->end || stopping()) break;
  }
  return out;
}

result<void> memory_sync::queue_items(const std::string& prefix, const known_rows& waiting,
                                      sync_outcome& out) {
  // Documents are in the order of their ids; a session's are sent in that in which they were made.
  struct late {
    std::int64_t created_at_ms = 0;
    storage::outbox_row row;
  };
  std::vector<late> of_session;
  std::string session, after;
  const auto queue = [&]() -> result<void> {
    std::stable_sort(of_session.begin(), of_session.end(), [](const late& a, const late& b) {
      return a.created_at_ms < b.created_at_ms;
    });
    for (std::size_t at = 0; at < of_session.size(); at += at_once) {
      storage::row_batch rows;
      const auto end = std::min(of_session.size(), at + at_once);
      for (auto n = at; n < end; ++n) rows.outbox.push_back(std::move(of_session[n].row));
      if (const auto written = log_.write_rows(rows); !written) return written.error();
      out.queued += rows.outbox.size();
    }
    of_session.clear();
    return {};
  };
  for (;;) {
    const auto page = log_.list_documents(item_collection, prefix, at_once, after);
    if (!page) return page.error();
    for (const auto& [key, text] : *page) {
      const auto it = decode_item(text);
      const auto of = place_in(key);
      if (!it || !of) continue;
      ++out.looked_at;
      if (of->session != session || of_session.size() == of_session_max) {
        if (auto done = queue(); !done) return done;
        session = of->session;
      }
      if (it->state != "stored") continue;
      auto row = row_of(*of, change::kind::item);
      if (!waiting.contains(fingerprint(row.payload)))
        of_session.push_back({it->created_at_ms, std::move(row)});
    }
    if (page->size() < at_once || stopping()) return queue();
    after = page->back().first;
  }
}

// An id whose item is not there counts as absent: of a session that was deleted while the index did
// not know it.
result<void> memory_sync::queue_gone(const std::string& prefix, sync_outcome& out) {
  std::string after;
  for (;;) {
    const auto page = log_.list_documents(id_collection, prefix, at_once, after);
    if (!page) return page.error();
    storage::row_batch rows;
    for (const auto& [key, session] : *page) {
      const auto end = key.find('\n');
      if (end == std::string::npos) continue;
      const auto tenant = tenant_id(key.substr(0, end));
      const auto id = key.substr(end + 1);
      const auto there = log_.get_document(item_collection, item_key(tenant, session, id));
      if (!there) return there.error();
      if (*there) continue;
      rows.deleted.emplace_back(id_collection, key);
      rows.outbox.push_back(row_of({tenant.value, session, id}, change::kind::gone));
    }
    if (!rows.outbox.empty()) {
      if (const auto written = log_.write_rows(rows); !written) return written.error();
      out.gone += rows.outbox.size();
    }
    if (page->size() < at_once || stopping()) return {};
    after = page->back().first;
  }
}

}  // namespace soma::memory
