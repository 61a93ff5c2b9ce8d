#include "files/attachment_store.hpp"

#include <fcntl.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <mutex>
#include <set>

#include "core/codes.hpp"
#include "core/file_kind.hpp"
#include "core/time.hpp"
#include "core/uuid.hpp"
#include "files/attachment_keys.hpp"
#include "files/file_type.hpp"
#include "observability/log.hpp"

namespace soma::files {
namespace {

constexpr std::size_t refused_max = 4096;  // beyond them `remove_orphans` finds them
// Of the sessions that name a file, and of the files with the same bytes, so many are looked at.
constexpr std::size_t sessions_asked_max = 1000, holders_asked_max = 32;

// That of a sealed file is not for the log: by it anybody could see which bytes these are.
std::string_view hash_to_tell(const stored_attachment& a) {
  return a.sealed() ? std::string_view("sealed") : std::string_view(a.sha256);
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

std::size_t attachment_store::place_of(std::string_view content) const {
  return std::hash<std::string_view>{}(content) % locks_.size();
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
  if (!a->sealed()) return a;
  const auto key = key_of(*a);
  // Of a tenant that was erased it goes as any other does, and has no name.
  if (!key && key.error().code == codes::tenant_erased) return a;
  if (!key) return key.error();
  if (!open_names(*a, **key))
    return error(codes::storage_corrupt, "the row of an attachment does not open");
  return a;
}

result<attachment_store::key_of_values> attachment_store::key_of(const stored_attachment& a) const {
  if (!a.sealed()) return key_of_values();
  if (!options_.keys) return error(codes::secret_key_missing, "there is no key of its tenant");
  return options_.keys->for_reading(a.tenant);
}

void attachment_store::seal_names(stored_attachment& a, const key_of_values& key) {
  a.sealed_names = key ? sealed_names_of(a, *key) : std::string();
}

result<copy_in_memory> attachment_store::copy_of(const std::string& path,
                                                 const stored_attachment& a) const {
  const auto key = key_of(a);
  if (!key) return key.error();
  const file_handle file(open_without_waiting(path.c_str(), O_RDONLY | O_NOFOLLOW));
  if (file.get() < 0) return error(codes::storage_corrupt, "its bytes are not there");
  const auto by = file_unsealer::open(**key, file.get(), a.size_bytes);
  if (!by) return by.error();
  return copy_to_memory(**by, file.get(), a.size_bytes);
}

result<tools::attachment> attachment_store::for_tools(const stored_attachment& a) const {
  tools::attachment out{a.id, a.filename, a.content_type, a.sha256, a.size_bytes, path_of(a), {}};
  if (!a.sealed()) return out;
  auto copy = copy_of(out.path, a);
  if (!copy) return copy.error();
  out.path = std::move(copy->path);
  out.held = std::move(copy->held);
  return out;
}

// ---- coming ----

result<attachment_store::incoming> attachment_store::begin(const tenant_id& tenant) const {
  key_of_values key;
  if (options_.keys) {
    auto known = options_.keys->for_writing(tenant);
    if (!known) return known.error();
    key = std::move(*known);
  }
  auto writer = content_.begin(std::move(key));
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
  log_context about;
  about.tenant_id = a.tenant.value;
  scan_result said;
  if (!a.sealed())
    said = scanner_->scan(path);
  else if (const auto copy = copy_of(path, a))
    said = scanner_->scan(copy->path);
  else
    said.reason = copy.error().detail;
  if (said.what == verdict::harmful)
    log(log_level::warn, "attachment.quarantined",
        {{"attachment_id", a.id}, {"sha256", hash_to_tell(a)}, {"signature", said.reason}}, about);
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
  a.content = file.writer.name();
  a.stored_sha256 = file.writer.stored_sha256();
  a.size_bytes = file.writer.size_bytes();
  seal_names(a, file.writer.key());
  a.state = judged(file.writer.path(), a);
  return whole_file{std::move(a), std::move(file.writer)};
}

result<std::optional<attachment_store::whole_file>> attachment_store::find_known(
    std::string_view sha256, const origin_of_file& from) const {
  std::vector<std::string> names{std::string(sha256)};
  if (options_.keys) {
    auto seals = options_.keys->for_writing(from.tenant);
    if (!seals) return seals.error();
    // What lies there in the clear is sent again, and sealed.
    if (*seals) names.clear();
    if (const auto key = options_.keys->for_reading(from.tenant))
      names.insert(names.begin(), sealed_file_name(**key, sha256));
  }
  rows holders;
  for (const auto& name : names) {
    const auto prefix = attachment_key({"sha", name, from.tenant.value}) + '\n';
    auto found = log_.list_documents(attachment_collection, prefix, holders_asked_max);
    if (!found) return found.error();
    std::move(found->begin(), found->end(), std::back_inserter(holders));
  }
  std::optional<stored_attachment> known;
  for (const auto& [key, value] : holders) {
    auto one = row(from.tenant, parts_of(key).back());
    if (!one) return one.error();
    if (!*one) continue;
    const auto seen = may_see(from.reader(), **one);
    if (!seen) return seen.error();
    if (!*seen) continue;
    known = std::move(*one);
    break;
  }
  if (!known) return std::optional<whole_file>();
  stored_attachment a = std::move(*known);
  // Damaged ones are sent again, which mends those that are here.
  if (auto whole = open_bytes(a); !whole) {
    if (whole.error().code == codes::storage_unavailable) return whole.error();
    return std::optional<whole_file>();
  }
  a.id = new_uuid();
  a.user_id = from.user_id;
  a.gone_at_ms = 0;
  if (!from.filename.empty()) a.filename = safe_filename(from.filename);
  const auto key = key_of(a);
  if (!key) return key.error();
  seal_names(a, *key);
  a.state = judged(path_of(a), a);
  return std::optional<whole_file>(whole_file{std::move(a), {}});
}

// Gives the bytes their names and the attachments their rows: from here on they are there.
result<void> attachment_store::settle(std::vector<whole_file>& files, rows with,
                                      const storage::idempotency_record* answer) {
  std::set<std::size_t> places;
  for (const auto& file : files) places.insert(place_of(file.what.content));
  std::vector<std::unique_lock<disk_mutex>> locks;
  for (const auto place : places) locks.emplace_back(locks_[place]);
  auto done = name_bytes(files, with);
  for (auto& file : files) {
    auto& a = file.what;
    a.created_at_ms = now_ms();
    const bool pending = a.state == attachment_state::pending;
    with.emplace_back(row_key(a.tenant, a.id), encode_row(a));
    with.emplace_back(sha_key(a), std::string());
    with.emplace_back(
        due_key(a.created_at_ms + (pending ? rescan_after_ms : options_.unclaimed_ms), a),
        std::string());
  }
  if (done) done = write(with, answer);
  if (done) return done;
  // Where the disk failed or was full nobody knows yet what it kept: a commit that failed may stand
  // in the log all the same, and be there after the next opening.
  const auto& why = done.error().code;
  const bool unknown = why == codes::storage_unavailable || why == codes::storage_full ||
                       why == codes::cluster_timeout;
  for (const auto& file : files) {
    if (!unknown) (void)remove_unnamed(file.what.content);
    const std::lock_guard lock(refused_mutex_);
    if (unknown && refused_.size() < refused_max) refused_.insert(file.what.content);
  }
  return done;
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
  auto file = begin(session.tenant);
  if (!file) return file.error();
  if (auto taken = append(*file, bytes); !taken) return taken.error();
  if (auto whole = file->writer.finish(); !whole) return whole.error();
  stored_attachment a;
  a.tenant = session.tenant;
  a.filename = safe_filename(filename);
  a.content_type = content_type.empty() ? file_type_of(bytes) : std::string(content_type);
  a.id = new_uuid();
  a.sha256 = file->writer.sha256();
  a.content = file->writer.name();
  a.stored_sha256 = file->writer.stored_sha256();
  a.size_bytes = bytes.size();
  seal_names(a, file->writer.key());
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
  // Whoever keeps a file has its bytes already: no copy is made of a sealed one.
  return tools::attachment{
      made.id,     made.filename,   made.content_type,
      made.sha256, made.size_bytes, made.sealed() ? std::string() : path_of(made),
      {}};
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
  const auto key = key_of(a);
  if (!key) return key.error();
  auto opened = checked_.open(path_of(a), a.sha256, a.size_bytes, may_read, key->get());
  if (opened) return opened;
  // Deleted between the look and the opening; or the disk lost what it was given.
  if (auto again = look(a.tenant, a.id); !again) return again.error();
  if (opened.error().code == codes::storage_corrupt) {
    log_context about;
    about.tenant_id = a.tenant.value;
    log(log_level::error, "attachment.damaged",
        {{"attachment_id", a.id}, {"sha256", hash_to_tell(a)}, {"what", opened.error().detail}},
        about);
  }
  return error(opened.error().code, "attachment " + a.id + ": " + opened.error().detail);
}

result<stored_attachment> attachment_store::look(const attachment_reader& who,
                                                 std::string_view id) const {
  if (!is_uuid(id)) return unknown_attachment();
  auto found = row(who.tenant, id);
  if (!found) return found.error();
  if (!*found) return unknown_attachment();
  const auto seen = may_see(who, **found);
  if (!seen) return seen.error();
  if (!*seen) return unknown_attachment();
  if (auto readable = may_be_read(**found); !readable) return readable.error();
  return std::move(**found);
}

result<std::optional<stored_attachment>> attachment_store::get(const tenant_id& tenant,
                                                               std::string_view id) const {
  if (!is_uuid(id)) return std::optional<stored_attachment>();
  return row(tenant, id);
}

result<bool> attachment_store::may_see(const attachment_reader& who,
                                       const stored_attachment& a) const {
  if (who.sees_all) return true;
  if (who.user_id.empty()) return false;
  if (a.user_id == who.user_id) return true;
  if (!options_.sees) return false;
  const auto prefix = attachment_key({"by", a.tenant.value, a.id}) + '\n';
  auto uses = log_.list_documents(attachment_collection, prefix, sessions_asked_max);
  if (!uses) return uses.error();
  for (const auto& [key, value] : *uses)
    if (options_.sees(a.tenant, who.user_id, std::string_view(key).substr(prefix.size())))
      return true;
  return false;
}

result<std::vector<attachment_ref>> attachment_store::name(
    const attachment_reader& who, const std::vector<std::string>& ids) const {
  std::vector<attachment_ref> named;
  for (const auto& id : ids) {
    auto a = look(who, id);
    if (!a) return a.error();
    if (std::any_of(named.begin(), named.end(), [&](const auto& n) { return n.id == a->id; }))
      continue;
    named.push_back({a->id, a->filename, a->content_type, a->size_bytes});
  }
  return named;
}

result<tools::attachment> attachment_store::find(const attachment_reader& who,
                                                 std::string_view attachment_id) {
  auto a = look(who, attachment_id);
  if (!a) return a.error();
  if (auto whole = open_bytes(*a); !whole) return whole.error();
  return for_tools(*a);
}

}  // namespace soma::files
