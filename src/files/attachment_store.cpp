#include "files/attachment_store.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <mutex>
#include <set>

#include "core/codes.hpp"
#include "core/time.hpp"
#include "core/uuid.hpp"
#include "files/attachment_row.hpp"
#include "files/file_type.hpp"
#include "observability/log.hpp"
#include "storage/attachment_rows.hpp"

namespace soma::files {
namespace {

using storage::attachment_collection;
using storage::attachment_key;
using storage::attachment_time;

constexpr std::int64_t rescan_after_ms = 60'000, skipped_scan_after_ms = 1'000;
// What a message names is not let go while the message is on its way.
constexpr std::int64_t grace_ms = 600'000;
constexpr std::size_t rows_at_once = 500;

error unknown_attachment() {
  return {codes::attachment_not_found, "there is no such attachment"};
}

std::string row_key(const tenant_id& tenant, std::string_view id) {
  return attachment_key({"row", tenant.value, id});
}
std::string due_key(std::int64_t when_ms, const stored_attachment& a) {
  return attachment_key({"due", attachment_time(when_ms), a.tenant.value, a.id});
}
std::string sha_key(const stored_attachment& a) {
  return attachment_key({"sha", a.sha256, a.tenant.value, a.id});
}

std::vector<std::string_view> parts_of(std::string_view key) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = std::min(key.find('\n'), key.size());
    parts.push_back(key.substr(0, end));
    if (end == key.size()) return parts;
    key.remove_prefix(end + 1);
  }
}

result<void> may_be_read(const stored_attachment& a) {
  switch (a.state) {
    case attachment_state::clean: return {};
    case attachment_state::pending:
      return error(codes::attachment_pending, "the attachment is not scanned yet", 5);
    case attachment_state::quarantined:
      return error(codes::attachment_quarantined, "the scanner holds the attachment for harmful");
    case attachment_state::deleted:
    case attachment_state::expired: break;
  }
  return error(codes::attachment_expired, "the attachment was deleted or is expired");
}

}  // namespace

attachment_store::attachment_store(storage::event_log& log, store_options options, scanner* judge,
                                   content_files content)
    : log_(log), options_(std::move(options)), scanner_(judge), content_(std::move(content)) {}

result<std::unique_ptr<attachment_store>> attachment_store::open(storage::event_log& log,
                                                                 store_options options,
                                                                 scanner* judge) {
  auto content = content_files::open(options.folder, options.min_free_bytes);
  if (!content) return content.error();
  return std::unique_ptr<attachment_store>(
      new attachment_store(log, std::move(options), judge, std::move(*content)));
}

std::size_t attachment_store::place_of(std::string_view sha256) const {
  return std::hash<std::string_view>{}(sha256) % locks_.size();
}

result<void> attachment_store::write(const rows& all, const storage::idempotency_record* answer) {
  if (!answer) return log_.put_documents(attachment_collection, all);
  std::vector<storage::document_row> documents;
  for (const auto& [key, value] : all)
    documents.push_back({std::string(attachment_collection), key, value});
  return log_.put_idempotency(*answer, documents);
}

result<void> attachment_store::change(const changes& all) {
  return log_.change_documents(attachment_collection, all);
}

result<bool> attachment_store::any(const std::string& prefix) const {
  auto found = log_.list_documents(attachment_collection, prefix + '\n', 1);
  if (!found) return found.error();
  return !found->empty();
}

result<std::optional<stored_attachment>> attachment_store::row(const tenant_id& tenant,
                                                               std::string_view id) const {
  auto text = log_.get_document(attachment_collection, row_key(tenant, id));
  if (!text) return text.error();
  if (!*text) return std::optional<stored_attachment>();
  auto a = decode_row(**text);
  if (!a) return error(codes::storage_corrupt, "the row of an attachment cannot be read");
  a->tenant = tenant;
  a->id = id;
  return a;
}

// ---- coming ----

result<attachment_store::incoming> attachment_store::begin() const {
  auto writer = content_.begin();
  if (!writer) return writer.error();
  return incoming{std::move(*writer), {}};
}

result<void> attachment_store::append(incoming& file, std::string_view bytes) const {
  if (file.writer.size_bytes() + bytes.size() > options_.file_bytes_max)
    return error(codes::upload_too_large, "the file is larger than uploads.file_bytes_max");
  if (file.beginning.size() < type_bytes_max)
    file.beginning.append(bytes.substr(0, type_bytes_max - file.beginning.size()));
  return file.writer.append(bytes);
}

attachment_state attachment_store::judged(const std::string& path,
                                          const stored_attachment& a) const {
  if (!scanner_) return attachment_state::clean;
  const auto said = scanner_->scan(path);
  log_context about;
  about.tenant_id = a.tenant.value;
  if (said.what == verdict::harmful)
    log(log_level::warn, "attachment.quarantined",
        {{"attachment_id", a.id}, {"sha256", a.sha256}, {"signature", said.reason}}, about);
  if (said.what == verdict::undecided)
    log(log_level::warn, "attachment.not_scanned",
        {{"attachment_id", a.id}, {"reason", said.reason}}, about);
  return said.what == verdict::clean     ? attachment_state::clean
         : said.what == verdict::harmful ? attachment_state::quarantined
                                         : attachment_state::pending;
}

result<attachment_store::whole_file> attachment_store::finish(incoming file,
                                                              const origin_of_file& from) const {
  stored_attachment a;
  a.tenant = from.tenant;
  a.user_id = from.user_id;
  a.filename = safe_filename(from.filename);
  a.content_type = file_type_of(file.beginning, from.claimed_type);
  if (!type_matches(options_.types, a.content_type) ||
      type_matches(options_.types_refused, a.content_type))
    return error(codes::upload_type_refused, "files of type " + a.content_type + " are not taken");
  if (auto whole = file.writer.finish(); !whole) return whole.error();
  a.id = from.id.empty() ? new_uuid() : from.id;
  a.sha256 = file.writer.sha256();
  a.size_bytes = file.writer.size_bytes();
  a.state = judged(file.writer.path(), a);
  return whole_file{std::move(a), std::move(file.writer)};
}

result<std::optional<attachment_store::whole_file>> attachment_store::find_known(
    std::string_view sha256, const origin_of_file& from) const {
  const auto prefix = attachment_key({"sha", sha256, from.tenant.value}) + '\n';
  auto holders = log_.list_documents(attachment_collection, prefix, 1);
  if (!holders) return holders.error();
  if (holders->empty()) return std::optional<whole_file>();
  auto known = row(from.tenant, parts_of(holders->front().first).back());
  if (!known) return known.error();
  if (!*known) return std::optional<whole_file>();
  stored_attachment a = std::move(**known);
  // Damaged ones are sent again, which mends those that are here.
  if (auto whole = open_bytes(a); !whole) {
    if (whole.error().code == codes::storage_unavailable) return whole.error();
    return std::optional<whole_file>();
  }
  a.id = new_uuid();
  a.user_id = from.user_id;
  a.gone_at_ms = 0;
  if (!from.filename.empty()) a.filename = safe_filename(from.filename);
  a.state = judged(path_of(a), a);
  return std::optional<whole_file>(whole_file{std::move(a), {}});
}

// Gives the bytes their names and the attachments their rows: from here on they are there.
result<void> attachment_store::settle(std::vector<whole_file>& files, rows with,
                                      const storage::idempotency_record* answer) {
  std::set<std::size_t> places;
  for (auto& file : files) {
    auto& a = file.what;
    a.created_at_ms = now_ms();
    const bool pending = a.state == attachment_state::pending;
    with.emplace_back(row_key(a.tenant, a.id), encode_row(a));
    with.emplace_back(sha_key(a), std::string());
    with.emplace_back(
        due_key(a.created_at_ms + (pending ? rescan_after_ms : options_.unclaimed_ms), a),
        std::string());
    places.insert(place_of(a.sha256));
  }
  std::vector<std::unique_lock<disk_mutex>> locks;
  for (const auto place : places) locks.emplace_back(locks_[place]);
  auto done = name_bytes(files);
  if (done) done = write(with, answer);
  // Where the disk failed nobody knows what it kept: `remove_orphans` finds out.
  if (!done && done.error().code != codes::storage_unavailable)
    for (const auto& file : files)
      if (auto held = any(attachment_key({"sha", file.what.sha256})); held && !*held)
        (void)content_.remove(file.what.sha256);
  return done;
}

result<void> attachment_store::name_bytes(std::vector<whole_file>& files) {
  for (auto& [a, bytes] : files) {
    if (!bytes.path().empty()) {
      if (auto named = content_.publish(bytes); !named) return named;
    } else if (auto held = any(attachment_key({"sha", a.sha256})); !held || !*held) {
      return held ? unknown_attachment() : held.error();  // gone since they were looked for
    }
  }
  return {};
}

result<std::vector<stored_attachment>> attachment_store::add_all(
    std::vector<whole_file> files, const storage::idempotency_record* answer) {
  std::vector<stored_attachment> made;
  if (files.empty() && !answer) return made;
  if (auto settled = settle(files, {}, answer); !settled) return settled.error();
  for (auto& file : files) made.push_back(std::move(file.what));
  return made;
}

result<stored_attachment> attachment_store::add(incoming file, const origin_of_file& from) {
  auto whole = finish(std::move(file), from);
  if (!whole) return whole.error();
  std::vector<whole_file> one;
  one.push_back(std::move(*whole));
  auto made = add_all(std::move(one));
  if (!made) return made.error();
  return std::move(made->front());
}

result<tools::attachment> attachment_store::keep(const session_key& session,
                                                 std::string_view filename,
                                                 std::string_view content_type,
                                                 std::string_view bytes) {
  auto file = begin();
  if (!file) return file.error();
  if (auto taken = append(*file, bytes); !taken) return taken.error();
  if (auto whole = file->writer.finish(); !whole) return whole.error();
  stored_attachment a;
  a.tenant = session.tenant;
  a.filename = safe_filename(filename);
  a.content_type = content_type.empty() ? file_type_of(bytes) : std::string(content_type);
  a.id = new_uuid();
  a.sha256 = file->writer.sha256();
  a.size_bytes = bytes.size();
  a.state = attachment_state::clean;  // of our own making
  rows uses;
  uses.emplace_back(attachment_key({"of", session.tenant.value, session.session.value, a.id}),
                    std::string());
  uses.emplace_back(attachment_key({"by", session.tenant.value, a.id, session.session.value}),
                    std::string());
  std::vector<whole_file> one;
  one.push_back({std::move(a), std::move(file->writer)});
  if (auto settled = settle(one, std::move(uses), nullptr); !settled) return settled.error();
  const auto& made = one.front().what;
  // A session that was deleted while its tool ran has been dealt with: it is once more.
  if (auto head = log_.head(session); !head && head.error().code == codes::session_not_found)
    if (auto again = write({{storage::session_gone_row(session).key, {}}}); !again)
      return again.error();
  return tools::attachment{made.id,     made.filename,   made.content_type,
                           made.sha256, made.size_bytes, path_of(made)};
}

// ---- reading ----

result<stored_attachment> attachment_store::look(const tenant_id& tenant,
                                                 std::string_view id) const {
  if (!is_uuid(id)) return unknown_attachment();
  auto found = row(tenant, id);
  if (!found) return found.error();
  if (!*found) return unknown_attachment();
  if (auto readable = may_be_read(**found); !readable) return readable.error();
  return std::move(**found);
}

result<file_handle> attachment_store::open_bytes(const stored_attachment& a, bool may_read) const {
  auto opened = checked_.open(path_of(a), a.sha256, a.size_bytes, may_read);
  if (opened) return opened;
  // Deleted between the look and the opening; or the disk lost what it was given.
  if (auto again = look(a.tenant, a.id); !again) return again.error();
  if (opened.error().code == codes::storage_corrupt) {
    log_context about;
    about.tenant_id = a.tenant.value;
    log(log_level::error, "attachment.damaged",
        {{"attachment_id", a.id}, {"sha256", a.sha256}, {"what", opened.error().detail}}, about);
  }
  return error(opened.error().code, "attachment " + a.id + ": " + opened.error().detail);
}

result<bool> attachment_store::has(const tenant_id& tenant, std::string_view id) const {
  auto found = row(tenant, id);
  if (!found) return found.error();
  return found->has_value();
}

result<std::vector<attachment_ref>> attachment_store::name(
    const tenant_id& tenant, const std::vector<std::string>& ids) const {
  std::vector<attachment_ref> named;
  for (const auto& id : ids) {
    auto a = look(tenant, id);
    if (!a) return a.error();
    if (std::any_of(named.begin(), named.end(), [&](const auto& n) { return n.id == a->id; }))
      continue;
    named.push_back({a->id, a->filename, a->content_type, a->size_bytes});
  }
  return named;
}

result<tools::attachment> attachment_store::find(const tenant_id& tenant,
                                                 std::string_view attachment_id) {
  auto a = look(tenant, attachment_id);
  if (!a) return a.error();
  if (auto whole = open_bytes(*a); !whole) return whole.error();
  return tools::attachment{a->id,     a->filename,   a->content_type,
                           a->sha256, a->size_bytes, path_of(*a)};
}

// ---- going ----

// Ends an attachment's hold on its bytes. May be done again.
result<void> attachment_store::release(const stored_attachment& a) {
  const std::lock_guard lock(lock_of(a.sha256));
  if (auto done = log_.delete_document(attachment_collection, sha_key(a)); !done) return done;
  auto held = any(attachment_key({"sha", a.sha256}));
  if (!held) return held.error();
  return *held ? result<void>() : content_.remove(a.sha256);
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
  content_.each([&](const std::string& sha256) {
    const std::lock_guard lock(lock_of(sha256));
    const auto held = any(attachment_key({"sha", sha256}));
    if (held && !*held && content_.remove(sha256)) ++removed;
  });
  return removed;
}

}  // namespace soma::files
