#include "node/tenant_erasure.hpp"

#include <array>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/codes.hpp"
#include "core/json_member.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "files/attachment_row.hpp"
#include "files/content_files.hpp"
#include "files/work_folder.hpp"
#include "node/audit.hpp"
#include "node/memory_index_place.hpp"
#include "node/secrets.hpp"
#include "security/secrets/tenant_keys.hpp"
#include "security/secrets/value_seal.hpp"
#include "storage/attachment_rows.hpp"
#include "storage/event_log.hpp"

namespace soma {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t rows_at_once = 500, sessions_at_once = 100;
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

  result<void> open() {
    storage::store_options options;
    options.data_dir = settings_.text("storage.data_dir");
    std::error_code ec;
    if (!fs::exists(options.data_dir, ec))
      return error(codes::storage_unavailable, "there is no folder " + options.data_dir);
    auto log = storage::open_rocksdb_event_log(options);
    if (!log && log.error().code == codes::storage_locked)
      return error(codes::storage_locked,
                   "a server runs on " + options.data_dir + ": stop it first");
    if (!log) return log.error();
    log_ = std::move(*log);
    auto keys = open_tenant_keys(settings_);
    if (!keys) return keys.error();
    keys_ = std::move(*keys);
    // One that was erased before had one, too: what comes now is the rest of it.
    const auto known = keys_->for_reading(tenant_);
    had_key_ = known || known.error().code == codes::tenant_erased;
    return {};
  }

  security::tenant_keys& keys() { return *keys_; }
  const erased_tenant& found() const { return found_; }

  result<void> run(bool deletes) {
    deletes_ = deletes;
    found_ = {};
    found_.had_key = had_key_;
    if (auto done = sessions(); !done) return done;
    if (auto done = attachments(); !done) return done;
    for (const auto collection : collections) {
      auto count = documents(collection, tenant_.value + '\n');
      if (!count) return count.error();
      if (collection == "memory") found_.memories = *count;
    }
    for (const auto* collection : {"keys", "browser_sessions"})
      if (auto done = identities(collection); !done) return done;
    if (!deletes_) return {};
    std::error_code ec;
    const auto& data_dir = settings_.text("storage.data_dir");
    fs::remove_all(files::tenant_work_folder(data_dir + "/work", tenant_), ec);
    if (ec)
      return error(codes::storage_unavailable,
                   "the work folders cannot be deleted: " + ec.message());
    remove_memory_index(settings_);
    return {};
  }

 private:
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
    return {};
  }

  // Those whose keys begin so.
  result<std::size_t> documents(std::string_view collection, const std::string& prefix) {
    return rows(collection, prefix, [](const auto&, const auto&) { return true; });
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
      if (const auto a = files::decode_row(value); a && !a->gone()) {
        contents.insert(a->content);
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
  std::unique_ptr<security::tenant_keys> keys_;
  erased_tenant found_;
};

std::string told(const tenant_id& tenant, const erased_tenant& what) {
  std::string data;
  json_writer w(data);
  w.begin_object().field("tenant_id", tenant.value).key("had_key").boolean(what.had_key);
  w.field("sessions", what.sessions).field("events", what.events);
  w.field("memories", what.memories).field("attachments", what.attachments);
  w.field("identities", what.identities).field("plain_events", what.plain_events).end_object();
  return data;
}

}  // namespace

result<erased_tenant> look_at_tenant(const config& settings, const tenant_id& tenant) {
  eraser looks(settings, tenant);
  if (auto opened = looks.open(); !opened) return opened.error();
  if (auto done = looks.run(false); !done) return done.error();
  return looks.found();
}

result<erased_tenant> erase_tenant(const config& settings, const tenant_id& tenant) {
  eraser erases(settings, tenant);
  if (auto opened = erases.open(); !opened) return opened.error();
  if (auto there = erases.run(false); !there) return there.error();
  if (erases.found() == erased_tenant())  // a slip of the pen would be erased for ever
    return error(codes::config_invalid, "there is no tenant " + tenant.value);
  auto record = recorded_command::begin(settings, "tenant.erase", "tenant erase");
  if (!record) return record.error();
  auto destroyed = erases.keys().erase(tenant, now_ms());
  auto done = destroyed ? erases.run(true) : result<void>(destroyed.error());
  record->end(done, tenant.value, told(tenant, erases.found()));
  if (!done) return done.error();
  return erases.found();
}

}  // namespace soma
