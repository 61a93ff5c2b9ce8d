// Attachments: files of a tenant, each with an id of its own, over bytes that are kept once however
// many attachments have them. See docs/decisions/0091-attachments-by-hash-with-counted-uses.md.
//
// An attachment is *used* by every session with a message that names it, and by the session whose
// tool made it. Unused, it goes `unclaimed_ms` after it came, or after its last session was
// deleted; what has gone is remembered for `gone_kept_ms`, so that its readers are told 410 and not
// 404. The bytes go with the last attachment that has them.
//
// Thread-safe; all calls block on the disk. Errors of all: storage.unavailable, storage.full.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/event.hpp"
#include "core/ids.hpp"
#include "core/may_block.hpp"
#include "files/checked_files.hpp"
#include "files/content_files.hpp"
#include "files/scanner.hpp"
#include "security/secrets/tenant_keys.hpp"
#include "storage/event_log.hpp"
#include "tools/attachments.hpp"

namespace soma::files {

enum class attachment_state : std::uint8_t { clean, pending, quarantined, deleted, expired };
std::string_view to_string(attachment_state state);

struct stored_attachment {
  tenant_id tenant;
  std::string id, filename, content_type, sha256, user_id;
  std::uint64_t size_bytes = 0;
  std::int64_t created_at_ms = 0, gone_at_ms = 0;
  attachment_state state = attachment_state::pending;
  // Of its file: the name, and the hash of what it has. Both are `sha256` where it is not sealed.
  std::string content, stored_sha256;
  // Filename and hash as they are kept where it is sealed; else empty. Those above are then empty,
  // too, where its tenant was erased.
  std::string sealed_names;

  bool sealed() const { return !sealed_names.empty(); }
  bool gone() const {
    return state == attachment_state::deleted || state == attachment_state::expired;
  }
};

struct store_options {
  std::string folder;
  std::uint64_t min_free_bytes = 0;
  std::uint64_t file_bytes_max = 1ull << 30;
  std::int64_t unclaimed_ms = 24ll * 3600 * 1000;
  std::int64_t gone_kept_ms = 30ll * 24 * 3600 * 1000;
  std::vector<std::string> types, types_refused;  // patterns of media types; see type_matches
  security::tenant_keys* keys = nullptr;          // what they are sealed by; null: nothing is
  // Ends what was made of an attachment that is gone; called again until it succeeds, and perhaps
  // after that. Blocks on the disk.
  std::function<result<void>(const tenant_id&, std::string_view id)> on_gone{};
  // Whether a user sees a session, and with it what it names; blocks on the disk. Empty: a file is
  // for who sent it.
  std::function<bool(const tenant_id&, std::string_view user, std::string_view session)> sees{};
};

using tools::attachment_reader;

// Whose a new attachment is, and what is said of it.
struct origin_of_file {
  tenant_id tenant;
  std::string user_id, filename, claimed_type;
  std::string id{};       // of an import: the id it had; empty: a new one
  bool sees_all = false;  // who sends it, of what is known

  attachment_reader reader() const { return {tenant, user_id, sees_all}; }
};

class attachment_store final : public tools::attachment_source {
 public:
  // `scanner` may be null: then every file is clean. Both outlive the store.
  static result<std::unique_ptr<attachment_store>> open(storage::event_log& log,
                                                        store_options options, scanner* judge);

  // ---- coming ----
  // Bytes are appended through `append`, which also bounds them: upload.too_large.
  struct incoming {
    content_writer writer;
    std::string beginning;  // for telling its type
  };
  // Errors besides: tenant.erased.
  result<incoming> begin(const tenant_id& tenant) const;
  result<void> append(incoming& file, std::string_view bytes) const;
  // A file that is whole and no attachment yet. Destroying it removes its bytes, on the disk.
  struct whole_file {
    stored_attachment what;
    content_writer bytes;  // of none: they are here already
  };
  // Syncs, tells the type, scans. Errors: upload.type_refused.
  result<whole_file> finish(incoming file, const origin_of_file& from) const;
  // One over bytes of a file that its sender may read; nullopt where there is none. Others' bytes
  // count as unknown, so that nobody gets a file for knowing its hash; and so do those that lie
  // there in the clear while new ones are sealed.
  result<std::optional<whole_file>> find_known(std::string_view sha256,
                                               const origin_of_file& from) const;
  // Makes them attachments, and keeps the answer that names them, if one is given: all of it or
  // nothing, also where the process is killed. Errors: idempotency.exists; attachment.not_found
  // where known bytes have gone since.
  result<std::vector<stored_attachment>> add_all(
      std::vector<whole_file> files, const storage::idempotency_record* answer = nullptr);
  // `finish` and `add_all` of one.
  result<stored_attachment> add(incoming file, const origin_of_file& from);

  // ---- reading ----
  // Errors: attachment.not_found, attachment.pending, attachment.quarantined, attachment.expired.
  result<stored_attachment> look(const tenant_id& tenant, std::string_view id) const;
  // The same for who may see it; what he may not is attachment.not_found, whatever its state.
  result<stored_attachment> look(const attachment_reader& who, std::string_view id) const;
  // What the tenant has or had under that id, in whatever state.
  result<std::optional<stored_attachment>> get(const tenant_id& tenant, std::string_view id) const;
  // Who sent it may, and whoever sees a session that names it.
  result<bool> may_see(const attachment_reader& who, const stored_attachment& a) const;
  std::string path_of(const stored_attachment& a) const { return content_.path_of(a.content); }
  // Its bytes, which were found to be the ones that came (checked_files.hpp). Errors:
  // storage.corrupt, and logged as attachment.damaged; as look, where it is gone meanwhile. Without
  // `may_read` the handle is empty where all of them would have to be read first.
  result<file_handle> open_bytes(const stored_attachment& a, bool may_read = true) const;
  // As a message names them; the first that cannot be named is the error.
  result<std::vector<attachment_ref>> name(const attachment_reader& who,
                                           const std::vector<std::string>& ids) const;

  result<tools::attachment> find(const attachment_reader& who,
                                 std::string_view attachment_id) override;
  result<tools::attachment> keep(const session_key& session, std::string_view filename,
                                 std::string_view content_type, std::string_view bytes) override;

  // ---- going ----
  // Final. Errors: as look, but what is pending or quarantined can be removed.
  result<void> remove(const tenant_id& tenant, std::string_view id);

  // Does what is due by now: scans what is pending, lets go what is unused, forgets what has gone.
  // At most rows_max rows; returns how many it dealt with. Bytes whose rows the store refused go,
  // once it says that it has none of them.
  result<std::size_t> tidy(std::int64_t now_ms, std::size_t rows_max);
  // The uses of sessions that were deleted. Returns those sessions, whose other files may go too;
  // they are named again until `forget_session`.
  result<std::vector<session_key>> drop_uses_of_deleted(std::size_t sessions_max);
  result<void> forget_session(const session_key& session);
  // Removes bytes that no attachment has: what a crash between bytes and row leaves. Nothing while
  // the store takes no writes. Returns how many files.
  std::size_t remove_orphans();

 private:
  attachment_store(storage::event_log& log, store_options options, scanner* judge,
                   content_files content);

  using rows = std::vector<std::pair<std::string, std::string>>;
  result<std::optional<stored_attachment>> row(const tenant_id& tenant, std::string_view id) const;
  result<void> settle(std::vector<whole_file>& files, rows with,
                      const storage::idempotency_record* answer);
  result<std::string> whole_form_of(const stored_attachment& a,
                                    const security::value_key& key) const;
  result<void> correct_forms(const stored_attachment& a, rows& with) const;
  result<void> name_bytes(std::vector<whole_file>& files, rows& with);
  using changes = std::vector<storage::document_change>;
  result<void> write(const rows& all, const storage::idempotency_record* answer = nullptr);
  result<void> change(const changes& all);
  result<bool> any(const std::string& prefix) const;
  bool tells_the_truth();
  bool remove_unnamed(const std::string& content);
  void remove_refused();
  result<void> release(const stored_attachment& a);
  result<void> make_gone(stored_attachment a, attachment_state how, std::int64_t now_ms);
  result<void> drop_uses(const session_key& session);
  result<std::optional<std::int64_t>> deal_with(stored_attachment& a, std::int64_t now_ms,
                                                bool& scans);
  attachment_state judged(const std::string& path, const stored_attachment& a) const;
  using key_of_values = std::shared_ptr<const security::value_key>;
  // Null: it is not sealed.
  result<key_of_values> key_of(const stored_attachment& a) const;
  // What a program can read it by, where it is sealed: a plain copy in memory.
  result<copy_in_memory> copy_of(const std::string& path, const stored_attachment& a) const;
  // Of a new one, once its name and its file are known.
  static void seal_names(stored_attachment& a, const key_of_values& key);
  result<tools::attachment> for_tools(const stored_attachment& a) const;
  std::size_t place_of(std::string_view content) const;  // of its lock
  disk_mutex& lock_of(std::string_view content) { return locks_[place_of(content)]; }

  storage::event_log& log_;
  const store_options options_;
  scanner* const scanner_;
  const content_files content_;
  mutable checked_files checked_;
  // Bytes are given a name and a row, or lose both, under the lock of that name. Whoever takes
  // several takes them in their order.
  std::array<disk_mutex, 64> locks_;
  quick_mutex refused_mutex_;
  std::set<std::string> refused_;  // names of bytes whose rows may or may not be there
};

}  // namespace soma::files
