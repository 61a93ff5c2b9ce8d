// How attachments go, and what is due to them.
#include <charconv>
#include <mutex>

#include "core/codes.hpp"
#include "core/time.hpp"
#include "core/uuid.hpp"
#include "files/attachment_keys.hpp"
#include "files/attachment_store.hpp"

namespace soma::files {
namespace {

constexpr std::int64_t skipped_scan_after_ms = 1'000;
// What a message names is not let go while the message is on its way.
constexpr std::int64_t grace_ms = 600'000;
constexpr std::size_t rows_at_once = 500;

}  // namespace

// Ends an attachment's hold on its bytes. May be done again.
result<void> attachment_store::release(const stored_attachment& a) {
  if (options_.on_gone)
    if (auto done = options_.on_gone(a.tenant, a.id); !done) return done;
  const std::lock_guard lock(lock_of(a.content));
  if (auto done = log_.delete_document(attachment_collection, sha_key(a)); !done) return done;
  auto held = any(attachment_key({"sha", a.content}));
  if (!held) return held.error();
  return *held ? result<void>() : content_.remove(a.content);
}

result<void> attachment_store::make_gone(stored_attachment a, attachment_state how,
                                         std::int64_t now_ms) {
  a.state = how;
  a.gone_at_ms = now_ms;
  // Due at once: should this end here, `tidy` goes on with it.
  auto written = write({{row_key(a.tenant, a.id), encode_row(a)}, {due_key(now_ms + 1, a), {}}});
  // A full disk takes no rows, but this makes room: it is then forgotten at once.
  if (!written && written.error().code == codes::storage_full)
    written = log_.delete_document(attachment_collection, row_key(a.tenant, a.id));
  if (!written) return written;
  return release(a);
}

result<void> attachment_store::remove(const tenant_id& tenant, std::string_view id) {
  if (!is_uuid(id)) return unknown_attachment();
  auto found = row(tenant, id);
  if (!found) return found.error();
  if (!*found) return unknown_attachment();
  if ((*found)->gone()) return may_be_read(**found);
  return make_gone(std::move(**found), attachment_state::deleted, now_ms());
}

// When it is to be looked at next; nullopt: never.
result<std::optional<std::int64_t>> attachment_store::deal_with(stored_attachment& a,
                                                                std::int64_t now_ms, bool& scans) {
  using next = std::optional<std::int64_t>;
  if (a.gone()) {
    if (auto released = release(a); !released) return released.error();
    const auto end = a.gone_at_ms + options_.gone_kept_ms;
    if (now_ms < end) return next(end);
    auto forgotten = log_.delete_document(attachment_collection, row_key(a.tenant, a.id));
    if (!forgotten) return forgotten.error();
    return next();
  }
  const bool scanned = a.state == attachment_state::pending && scans;
  if (scanned) {
    a.state = judged(path_of(a), a);
    scans = a.state != attachment_state::pending;
    if (scans)
      if (auto kept = write({{row_key(a.tenant, a.id), encode_row(a)}}); !kept) return kept.error();
  }
  auto used = any(attachment_key({"by", a.tenant.value, a.id}));
  if (!used) return used.error();
  const auto end = a.created_at_ms + options_.unclaimed_ms;
  if (!*used && end + grace_ms <= now_ms) {
    auto gone = make_gone(a, attachment_state::expired, now_ms);
    if (!gone) return gone.error();
    return next();
  }
  if (a.state == attachment_state::pending)
    return next(now_ms + (scanned ? rescan_after_ms : skipped_scan_after_ms));
  return *used ? next() : next(std::max(end + grace_ms, now_ms + 1));
}

result<std::size_t> attachment_store::tidy(std::int64_t now_ms, std::size_t rows_max) {
  remove_refused();
  auto due = log_.list_documents(attachment_collection, "due\n", rows_max);
  if (!due) return due.error();
  std::size_t dealt = 0;
  // After one that stays undecided the scanner is left alone until the next call: it may be away,
  // and each try takes as long as it may. Those passed over then come first.
  bool scans = true;
  for (const auto& [key, value] : *due) {
    const auto parts = parts_of(key);
    std::int64_t when_ms = 0;
    if (parts.size() == 4)
      std::from_chars(parts[1].data(), parts[1].data() + parts[1].size(), when_ms);
    if (when_ms > now_ms) break;
    changes with;
    if (parts.size() == 4) {
      auto found = row(tenant_id(std::string(parts[2])), parts[3]);
      if (!found && found.error().code != codes::storage_corrupt) return found.error();
      if (found && *found) {
        auto next = deal_with(**found, now_ms, scans);
        if (!next) return next.error();
        if (*next) with.push_back({due_key(**next, **found), std::string()});
      }
    }
    with.push_back({key, {}});
    if (auto done = change(with); !done) return done.error();
    ++dealt;
  }
  return dealt;
}

result<void> attachment_store::drop_uses(const session_key& session) {
  const auto prefix = attachment_key({"of", session.tenant.value, session.session.value}) + '\n';
  for (;;) {
    auto uses = log_.list_documents(attachment_collection, prefix, rows_at_once);
    if (!uses) return uses.error();
    if (uses->empty()) return {};
    changes dropped;
    for (const auto& [key, value] : *uses) {
      const std::string id(parts_of(key).back());
      auto found = row(session.tenant, id);
      if (!found && found.error().code != codes::storage_corrupt) return found.error();
      // Whether it is used by another is asked when it is due.
      if (found && *found && !(*found)->gone())
        dropped.push_back({due_key(0, **found), std::string()});
      dropped.push_back(
          {attachment_key({"by", session.tenant.value, id, session.session.value}), {}});
      dropped.push_back({key, {}});
    }
    if (auto done = change(dropped); !done) return done;
  }
}

result<std::vector<session_key>> attachment_store::drop_uses_of_deleted(std::size_t sessions_max) {
  auto gone = log_.list_documents(attachment_collection, "gone\n", sessions_max);
  if (!gone) return gone.error();
  std::vector<session_key> dropped;
  for (const auto& [key, value] : *gone) {
    const auto parts = parts_of(key);
    if (parts.size() != 3) continue;
    session_key session{tenant_id(std::string(parts[1])), session_id(std::string(parts[2]))};
    // An import may have given the same id again.
    if (auto head = log_.head(session); !head && head.error().code == codes::session_not_found) {
      if (auto done = drop_uses(session); !done) return done.error();
      dropped.push_back(std::move(session));
    } else if (!head) {
      return head.error();
    } else if (auto done = forget_session(session); !done) {
      return done.error();
    }
  }
  return dropped;
}

result<void> attachment_store::forget_session(const session_key& session) {
  return log_.delete_document(attachment_collection, storage::session_gone_row(session).key);
}

std::size_t attachment_store::remove_orphans() {
  std::size_t removed = 0;
  if (!tells_the_truth()) return removed;
  content_.each([&](const std::string& content) {
    const std::lock_guard lock(lock_of(content));
    removed += remove_unnamed(content);
  });
  return removed;
}

// ---- what nobody has ----

// Under the lock of its place.
bool attachment_store::remove_unnamed(const std::string& content) {
  const auto held = any(attachment_key({"sha", content}));
  return held && !*held && content_.remove(content);
}

// After a failed commit the store takes the next one only once it was opened anew, and then its log
// was read: from there on what it shows is all there is.
bool attachment_store::tells_the_truth() {
  return change({{attachment_key({"none"}), {}}}).has_value();
}

void attachment_store::remove_refused() {
  std::set<std::string> all;
  {
    const std::lock_guard lock(refused_mutex_);
    all.swap(refused_);
  }
  if (all.empty()) return;
  if (!tells_the_truth()) {
    const std::lock_guard lock(refused_mutex_);
    return refused_.merge(all);
  }
  for (const auto& content : all) {
    const std::lock_guard lock(lock_of(content));
    (void)remove_unnamed(content);
  }
}

}  // namespace soma::files
