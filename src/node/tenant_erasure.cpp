#include "node/tenant_erasure.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backup/backup.hpp"
#include "core/codes.hpp"
#include "core/json_member.hpp"
#include "core/json_writer.hpp"
#include "core/plain_id.hpp"
#include "core/time.hpp"
#include "files/attachment_row.hpp"
#include "files/content_files.hpp"
#include "files/work_folder.hpp"
#include "memory/item.hpp"
#include "node/audit.hpp"
#include "node/memory_index_place.hpp"
#include "node/secrets.hpp"
#include "sealing/sealed_event_log.hpp"
#include "security/secrets/tenant_keys.hpp"
#include "security/secrets/value_seal.hpp"
#include "storage/attachment_rows.hpp"
#include "storage/event_log.hpp"

namespace soma {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t rows_at_once = 500, sessions_at_once = 100;
constexpr std::string_view admins_tenant = "default";  // SOMA_ADMIN_KEY's
// Whose keys begin with the tenant. Usage, which bills, and the audit stay: they hold no text.
constexpr std::array<std::string_view, 19> collections = {"memory",
                                                          "memory.ids",
                                                          "memory.texts",
                                                          "memory.uses",
                                                          "memory.vectors",
                                                          "memory.documents",
                                                          "memory.documents_gone",
                                                          "memory.wal",
                                                          "memory.wal.at",
                                                          "memory.follow",
                                                          "memory.replica",
                                                          "feedback",
                                                          "dlq",
                                                          "imports",
                                                          "profiles",
                                                          "catalog",
                                                          "mcp",
                                                          "credentials",
                                                          "users"};

// Of the store as it is: nothing is opened, and nothing sealed.
class eraser {
 public:
  eraser(const config& settings, const tenant_id& tenant) : settings_(settings), tenant_(tenant) {}

  // A store that is damaged keeps no key from being destroyed: `run` has its error then.
  result<void> open() {
    storage::store_options options;
    options.data_dir = settings_.text("storage.data_dir");
    std::error_code ec;
    if (!fs::exists(options.data_dir, ec))
      return error(codes::storage_unavailable, "there is no folder " + options.data_dir);
    if (auto ours = be_its_owner(options.data_dir); !ours) return ours;
    auto log = storage::open_rocksdb_event_log(options);
    if (!log && log.error().code == codes::storage_locked)
      return error(codes::storage_locked,
                   "a server runs on " + options.data_dir + ": stop it first");
    if (log)
      log_ = std::move(*log);
    else
      no_log_ = log.error();
    auto keys = open_tenant_keys_to_erase(settings_);
    if (!keys) return keys.error();
    keys_ = std::move(*keys);
    // One that was erased before had one, too: what comes now is the rest of it.
    had_key_ = keys_->had_key(tenant_);
    return {};
  }

  security::tenant_keys& keys() { return *keys_; }
  const erased_tenant& found() const { return found_; }

  // Goes on over errors, the first of which it has in the end.
  result<void> run(bool deletes) {
    deletes_ = deletes;
    found_ = {};
    found_.had_key = had_key_;
    if (!log_) return *no_log_;
    result<void> all;
    const auto with = [&](const result<void>& done) {
      if (!done && all) all = done;
    };
    with(sessions());
    with(attachments());
    for (const auto collection : collections) with(documents(collection, tenant_.value + '\n'));
    for (const auto collection : {memory::outbox_sink, memory::brain_sink})
      with(outbox(collection));
    for (const auto* collection : {"keys", "browser_sessions"}) with(identities(collection));
    if (!deletes_) return all;
    for (const auto* collection : {"memory.follow", "egress"})
      with(log_->delete_document(collection, tenant_.value));
    std::error_code ec;
    const auto& data_dir = settings_.text("storage.data_dir");
    fs::remove_all(files::tenant_work_folder(data_dir + "/work", tenant_), ec);
    if (ec)
      with(
          error(codes::storage_unavailable, "the work folders cannot be deleted: " + ec.message()));
    backup::forget_unfinished(data_dir);
    remove_memory_index(settings_);
    return all;
  }

 private:
  // What another writes here, root too, the server could not read; and the index in memory is
  // found by its user.
  static result<void> be_its_owner(const std::string& data_dir) {
    struct stat store {};
    if (::stat((data_dir + "/store").c_str(), &store) != 0 || store.st_uid == ::geteuid())
      return {};
    return error(codes::config_invalid,
                 data_dir + " is another user's: run it as the user that the server runs as");
  }

  result<void> sessions() {
    std::string cursor;
    for (;;) {
      storage::session_list_options page_of;
      page_of.limit = sessions_at_once;
      page_of.cursor = cursor;
      auto page = log_->list(tenant_, page_of);
      if (!page) return page.error();
      std::vector<storage::append_op> gone;
      for (const auto& row : page->sessions) {
        const session_key key{tenant_, row.session};
        const auto& title = row.head.info.title;
        found_.plain_values += !title.empty() && !security::is_sealed(title);
        if (auto done = count_events(key, row.head); !done) return done;
        storage::append_op op;
        op.key = key;
        op.expected_seq = row.head.seq;
        op.remove = true;
        gone.push_back(std::move(op));
      }
      if (deletes_ && !gone.empty())
        for (const auto& done : log_->commit(gone))
          if (!done) return done.error();
      cursor = page->next_cursor;
      if (cursor.empty()) return {};
    }
  }

  result<void> count_events(const session_key& key, const storage::session_head& head) {
    ++found_.sessions;
    storage::read_options from;
    from.after_seq = head.first_seq - 1;
    for (bool end = false; !end;) {
      const auto page = log_->read(key, from);
      // What is damaged is not readable either, and goes with the rest.
      if (!page) return page.error().code == codes::storage_corrupt ? result<void>() : page.error();
      for (const auto& e : page->events) found_.plain_events += !security::is_sealed(e.json);
      found_.events += page->events.size();
      from.after_seq = page->scanned_seq;
      end = page->end || page->events.empty();
    }
    const auto snapshot = log_->snapshot(key);
    found_.plain_values += snapshot && *snapshot && !security::is_sealed(**snapshot);
    return {};
  }

  // Those whose keys begin so.
  result<void> documents(std::string_view collection, const std::string& prefix) {
    const bool seals = sealing::sealed_collection(collection);
    const auto count = [&](const auto&, const std::string& value) {
      found_.plain_values += seals && !value.empty() && !security::is_sealed(value);
      found_.memories += collection == memory::item_collection;
      return true;
    };
    auto done = rows(collection, prefix, count);
    return done ? result<void>() : done.error();
  }

  // Rows that wait for a sink: their second line is the tenant's.
  result<void> outbox(std::string_view sink) {
    for (std::uint64_t after = 0;;) {
      const auto page = log_->read_outbox(sink, after, rows_at_once);
      if (!page) return page.error();
      std::vector<std::uint64_t> hers;
      for (const auto& row : page->rows) {
        const auto at = row.payload.find('\n');
        const auto rest = at == row.payload.npos ? std::string() : row.payload.substr(at + 1);
        if (rest.substr(0, rest.find('\n')) == tenant_.value) hers.push_back(row.number);
      }
      found_.outbox_rows += hers.size();
      if (deletes_ && !hers.empty())
        if (auto done = log_->delete_outbox(sink, hers); !done) return done;
      if (page->end) return {};
      after = page->scanned;
    }
  }

  template <class Mine>
  result<std::size_t> rows(std::string_view collection, std::string_view prefix, Mine mine) {
    std::size_t count = 0;
    std::string after;
    for (;;) {
      auto page = log_->list_documents(collection, prefix, rows_at_once, after);
      if (!page) return page.error();
      if (page->empty()) return count;
      after = page->back().first;
      std::vector<storage::document_change> gone;
      for (const auto& [key, value] : *page) {
        if (!mine(key, value)) continue;
        ++count;
        gone.push_back({key, std::nullopt});
      }
      if (deletes_)
        if (auto done = log_->change_documents(collection, gone); !done) return done.error();
    }
  }

  result<void> identities(const char* collection) {
    const auto mine = [&](const std::string&, const std::string& value) {
      return json_member(value, "tenant") == '"' + tenant_.value + '"';
    };
    auto count = rows(collection, "", mine);
    if (!count) return count.error();
    found_.identities += *count;
    return {};
  }

  // Rows whose third part is the tenant's, of those that begin with something else.
  result<void> attachment_rows(std::string_view kind) {
    const auto mine = [&](const std::string& key, const std::string&) {
      const auto first = key.find('\n'), second = key.find('\n', first + 1);
      return second != key.npos &&
             key.compare(second + 1, tenant_.value.size() + 1, tenant_.value + '\n') == 0;
    };
    auto done = rows(storage::attachment_collection, kind, mine);
    return done ? result<void>() : done.error();
  }

  result<void> attachments() {
    const auto folder = settings_.text("storage.data_dir") + "/attachments";
    std::set<std::string> contents;
    const auto look = [&](const std::string&, const std::string& value) {
      const auto a = files::decode_row(value);
      if (a) contents.insert(a->content);  // also of what is gone, whose file may not be yet
      if (a && !a->gone()) {
        found_.plain_files += !a->sealed();
        ++found_.attachments;
      }
      return true;
    };
    const auto of = [&](const char* kind) {
      return storage::attachment_key({kind, tenant_.value}) + '\n';
    };
    if (auto done = rows(storage::attachment_collection, of("row"), look); !done)
      return done.error();
    for (const auto* kind : {"of", "by", "gone"})
      if (auto done = documents(storage::attachment_collection, of(kind)); !done)
        return done.error();
    for (const auto* kind : {"sha\n", "due\n"})
      if (auto done = attachment_rows(kind); !done) return done;
    if (!deletes_) return {};
    for (const auto& content : contents) {
      auto others = log_->list_documents(storage::attachment_collection,
                                         storage::attachment_key({"sha", content}) + '\n', 1);
      if (!others) return others.error();
      std::error_code ec;
      if (others->empty()) fs::remove(files::content_path(folder, content), ec);
      if (ec)
        return error(codes::storage_unavailable,
                     "the file of an attachment cannot be deleted: " + ec.message());
    }
    return {};
  }

  const config& settings_;
  const tenant_id tenant_;
  bool deletes_ = false, had_key_ = false;
  std::unique_ptr<storage::event_log> log_;
  std::optional<error> no_log_;
  std::unique_ptr<security::tenant_keys> keys_;
  erased_tenant found_;
};

std::string told(const tenant_id& tenant, const erased_tenant& what) {
  std::string data;
  json_writer w(data);
  w.begin_object().field("tenant_id", tenant.value).key("had_key").boolean(what.had_key);
  w.field("sessions", what.sessions).field("events", what.events);
  w.field("memories", what.memories).field("attachments", what.attachments);
  w.field("identities", what.identities).field("outbox_rows", what.outbox_rows);
  w.field("plain_events", what.plain_events).field("plain_values", what.plain_values).end_object();
  return data;
}

}  // namespace

result<void> may_be_erased(const tenant_id& tenant, bool with_admin_key) {
  if (!is_plain_id(tenant.value))
    return error(codes::config_invalid, "that is no tenant's id: " + std::string(plain_id_rule));
  if (tenant.value != admins_tenant || with_admin_key) return {};
  return error(
      codes::config_invalid,
      "SOMA_ADMIN_KEY is of the tenant `default`: erased, that key is refused on this data "
      "folder for ever, for all tenants, and nothing undoes it. Where it is the only tenant, "
      "delete the data folder, its backups and copies of tenant-keys/ instead; "
      "--with-admin-key erases it all the same");
}

result<erased_tenant> look_at_tenant(const config& settings, const tenant_id& tenant,
                                     bool with_admin_key) {
  if (auto may = may_be_erased(tenant, with_admin_key); !may) return may.error();
  eraser looks(settings, tenant);
  if (auto opened = looks.open(); !opened) return opened.error();
  if (auto done = looks.run(false); !done && !looks.found().had_key) return done.error();
  return looks.found();
}

result<erased_tenant> erase_tenant(const config& settings, const tenant_id& tenant,
                                   bool with_admin_key) {
  if (auto may = may_be_erased(tenant, with_admin_key); !may) return may.error();
  eraser erases(settings, tenant);
  if (auto opened = erases.open(); !opened) return opened.error();
  const auto there = erases.run(false);
  if (!there && !erases.found().had_key) return there.error();
  if (there && erases.found() == erased_tenant())  // a slip of the pen would be erased for ever
    return error(codes::config_invalid, "there is no tenant " + tenant.value);
  auto record = recorded_command::begin(settings, "tenant.erase", "tenant erase");
  if (!record) return record.error();
  auto destroyed = erases.keys().erase(tenant, now_ms());
  auto done = destroyed ? erases.run(true) : result<void>(destroyed.error());
  record->end(done, tenant.value, told(tenant, erases.found()));
  if (done) return erases.found();
  if (!destroyed) return destroyed.error();
  return error(done.error().code,
               "its key is destroyed, and not all of the rest is done: " + done.error().detail +
                   ". Mend that (soma repair), and erase it once more");
}

}  // namespace soma
