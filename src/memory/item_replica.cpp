// What another site says of its memories, beside what people change of them here.
#include <charconv>

#include "core/codes.hpp"
#include "memory/memories.hpp"
#include "memory/replicator.hpp"

namespace soma::memory {
namespace {

constexpr int tries_max = 3;

std::string mark_of_put(std::uint64_t pass, std::string_view session) {
  return "put\n" + std::to_string(pass) + '\n' + std::string(session);
}

}  // namespace

std::optional<replica_mark> read_mark(std::string_view value) {
  replica_mark out;
  if (value == "gone") {
    out.gone = true;
    return out;
  }
  if (!value.starts_with("put\n")) return std::nullopt;
  value.remove_prefix(4);
  const auto end = value.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const auto read = std::from_chars(value.data(), value.data() + end, out.pass);
  if (read.ec != std::errc() || read.ptr != value.data() + end) return std::nullopt;
  out.session = value.substr(end + 1);
  return out;
}

// One change, as rows. True: it changes what is remembered.
result<bool> memories::add_foreign(storage::row_batch& rows, const tenant_id& tenant,
                                   const foreign_change& what, std::uint64_t pass) const {
  const auto key = id_key(tenant, what.id);
  const auto marked = log_.get_document(replica_collection, key);
  if (!marked) return marked.error();
  const auto mark = *marked ? read_mark(**marked) : std::nullopt;
  if (mark && mark->gone) return false;
  const auto known = log_.get_document(id_collection, key);
  if (!known) return known.error();
  const auto session = what.session.empty() ? std::string(no_session) : what.session;
  // Whatever it was of here.
  const auto here = *known ? **known : session;
  std::string text;
  auto there = read(tenant, here, what.id, &text);
  if (!there) return there.error();
  const auto set_mark = [&](std::string to) {
    if (*marked && **marked == to) return;
    rows.documents.push_back({std::string(replica_collection), key, std::move(to)});
  };
  if (!what.put) {
    set_mark("gone");
    if (!*there) return false;
    rows.deleted.emplace_back(item_collection, item_key(tenant, here, what.id));
    rows.deleted.emplace_back(id_collection, key);
    const place of{here, {}, **there};
    const bool noted = of.what.kind != "message" && of.what.attachment_id.empty();
    if (noted)
      if (auto ok = unmark(rows, tenant, of); !ok) return ok.error();
    tell(rows, tenant, here, what.id, change::kind::gone);
    return true;
  }
  if (mark && !*there) {  // it went here
    set_mark("gone");
    return false;
  }
  if (*there && here != session)
    return error(codes::request_invalid, "a memory is of another session than it was")
        .about("lines");
  set_mark(mark_of_put(pass, session));
  if (*there && (*there)->updated_at_ms >= what.put->updated_at_ms) return false;
  if (*there)
    rows.expected.push_back(
        {std::string(item_collection), item_key(tenant, session, what.id), std::move(text)});
  add_item(rows.documents, tenant, *what.put);
  tell(rows, tenant, session, what.id, change::kind::item);
  return true;
}

result<std::uint64_t> memories::apply(const tenant_id& tenant,
                                      std::span<const foreign_change> changes, std::uint64_t pass,
                                      std::span<const storage::document_row> beside) {
  const std::lock_guard one_at_a_time(changing_);
  for (int tries = 0; tries < tries_max; ++tries) {
    storage::row_batch rows;
    std::uint64_t changed = 0;
    // Of changes of one memory the last counts: what is read here is what was before all of them.
    std::unordered_map<std::string_view, std::size_t> last;
    for (std::size_t i = 0; i < changes.size(); ++i) {
      const auto [at, fresh] = last.emplace(changes[i].id, i);
      if (!fresh && changes[at->second].put) at->second = i;  // what went stays gone
    }
    for (std::size_t i = 0; i < changes.size(); ++i) {
      if (last.at(changes[i].id) != i) continue;
      const auto added = add_foreign(rows, tenant, changes[i], pass);
      if (!added) return added.error();
      changed += *added;
    }
    rows.documents.insert(rows.documents.end(), beside.begin(), beside.end());
    const auto written = log_.write_rows(rows);
    if (!written) return written.error();
    if (*written) return changed;  // else one of them went with its session meanwhile
  }
  return error(codes::server_busy, "what is remembered is changed by others", 1);
}

}  // namespace soma::memory
