#include "memory/memories.hpp"

#include <algorithm>
#include <chrono>
#include <set>

#include "core/codes.hpp"
#include "core/etag.hpp"
#include "core/fingerprint.hpp"
#include "core/limits.hpp"
#include "core/uuid.hpp"
#include "memory/words.hpp"

namespace soma::memory {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t candidates_max = 200, listed_at_once_max = 20'000;

error not_found() {
  return {codes::memory_not_found, "there is no such memory"};
}

// Whoever sees a memory reads it; to change or forget it is for whose it is.
std::optional<error> of_another(const viewer& who, const item& it) {
  if (who.sees_all || it.owner == who.user.value) return std::nullopt;
  return error(codes::policy_denied, "this is for the memory's owner and for admins")
      .by_rule("owner");
}

bool passes(const item_filter& filter, const index_row& row) {
  if (!filter.kinds.empty() &&
      std::find(filter.kinds.begin(), filter.kinds.end(), row.kind) == filter.kinds.end())
    return false;
  if (!filter.tag.empty() && row.tags.find('\n' + filter.tag + '\n') == std::string::npos)
    return false;
  if (!filter.session_id.empty() && row.session != filter.session_id) return false;
  if (!filter.state.empty() && row.state != filter.state) return false;
  return !filter.pinned || row.pinned == *filter.pinned;
}

// A key of texts: of one owner, whatever its letters' case and its spaces.
std::string text_key(const tenant_id& tenant, std::string_view owner, std::string_view text) {
  auto said = normalized(text);
  if (said.empty()) said = text;
  const auto of = fingerprint(said, fingerprint("\n", fingerprint(owner)));
  return tenant.value + '\n' + fingerprint_text(of) + '.' + std::to_string(said.size());
}

// What it says is said by a row of texts: not of messages, nor of a document's passages.
bool is_noted(const item& it) {
  return it.kind != "message" && it.attachment_id.empty();
}

bool says_the_same(std::string_view a, std::string_view b) {
  return a == b || (normalized(a) == normalized(b) && !normalized(a).empty());
}

std::optional<index_reader::place> parse_cursor(std::string_view cursor) {
  const auto dot = cursor.find('.');
  if (dot == std::string_view::npos || dot == 0 || dot > 15) return std::nullopt;
  index_reader::place place;
  place.created_at_ms = 0;
  for (const char c : cursor.substr(0, dot)) {
    if (c < '0' || c > '9') return std::nullopt;
    place.created_at_ms = place.created_at_ms * 10 + (c - '0');
  }
  place.id = cursor.substr(dot + 1);
  if (place.id.empty() || place.id.size() > 200) return std::nullopt;
  return place;
}

// A memory that others change, too, is looked at anew so often.
constexpr int changes_tried_max = 4;

// Ends a reader's moment whatever happens.
class moment {
 public:
  explicit moment(index_reader& reader) : reader_(reader) {}
  ~moment() { reader_.end(); }
  moment(const moment&) = delete;

 private:
  index_reader& reader_;
};

// Parts of a word that many have as it stands tell no more than the word: theirs are looked for
// where the word itself is rare, misspelt or bent otherwise. They are the dearer table by far.
std::vector<std::string> parts_worth_asking(const query_terms& terms,
                                            const std::vector<std::size_t>& rows_of_words) {
  constexpr std::size_t many = 256;
  std::vector<std::string> out;
  for (std::size_t i = 0; i < terms.parts.size(); ++i) {
    const auto word = terms.word_of_part[i];
    if (word == query_terms::no_word || rows_of_words[word] < many) out.push_back(terms.parts[i]);
  }
  return out;
}

}  // namespace

memories::memories(storage::event_log& log, indexer& index, memory_limits limits,
                   std::function<std::int64_t()> now_ms, vectors* near,
                   const session_sight* sessions)
    : log_(log),
      index_(index),
      limits_(limits),
      now_ms_(std::move(now_ms)),
      near_(near),
      sessions_(sessions) {}

std::string etag_of(const item& it) {
  auto same = it;
  same.state = "stored";
  return '"' + fingerprint_text(fingerprint(encode(same))) + '"';
}

// What the readers of memories hear of a change.
void memories::tell(storage::row_batch& rows, const tenant_id& tenant, const std::string& session,
                    std::string_view id, memory::change::kind what) const {
  const session_key of{tenant, session_id(session)};
  rows.outbox.push_back(to_outbox({change::kind::item, of, std::string(id)}));
  if (limits_.replicated) rows.outbox.push_back(to_outbox({what, of, std::string(id)}, brain_sink));
}

error memories::index_failed(const error& why) const {
  if (why.code == codes::storage_corrupt) index_.found_damaged();
  return {codes::storage_unavailable, why.detail, 1};
}

result<std::optional<item>> memories::read(const tenant_id& tenant, std::string_view session,
                                           std::string_view id, std::string* as_stored) const {
  auto text = log_.get_document(item_collection, item_key(tenant, session, id));
  if (!text) return text.error();
  if (!*text) return std::optional<item>();
  auto it = decode_item(**text);
  if (!it) return it.error();
  if (is_over(it->expires_at_ms, now_ms_())) return std::optional<item>();
  if (as_stored) *as_stored = std::move(**text);
  return std::optional(std::move(*it));
}

result<memories::place> memories::look_up(const viewer& who, std::string_view id) const {
  if (id.find('\n') != std::string_view::npos) return not_found();
  auto session = log_.get_document(id_collection, id_key(who.tenant, id));
  if (!session) return session.error();
  if (!*session) return not_found();
  place out;
  auto it = read(who.tenant, **session, id, &out.text);
  if (!it) return it.error();
  if (!*it || !sight(sessions_, who)((*it)->owner, **session)) return not_found();
  out.session = std::move(**session);
  out.what = std::move(**it);
  return out;
}

result<item> memories::find(const viewer& who, std::string_view id) const {
  auto there = look_up(who, id);
  if (!there) return there.error();
  return std::move(there->what);
}

result<std::optional<item>> memories::same_note(const viewer& who, const std::string& key,
                                                const new_note& note) const {
  auto where = log_.get_document(text_collection, key);
  if (!where) return where.error();
  if (!*where) return std::optional<item>();
  const auto end = (*where)->find('\n');
  if (end == std::string::npos) return std::optional<item>();
  auto there = read(who.tenant, (*where)->substr(0, end), (*where)->substr(end + 1));
  if (!there || !*there) return there;
  const auto& it = **there;
  if (it.kind != note.kind || it.owner != who.user.value || !says_the_same(it.text, note.text))
    return std::optional<item>();
  return there;
}

// The mark of a text that this item says, unless it is another's, which says the same.
result<void> memories::unmark(storage::row_batch& rows, const tenant_id& tenant,
                              const place& there) const {
  const auto& it = there.what;
  auto key = text_key(tenant, it.owner, it.text);
  auto where = log_.get_document(text_collection, key);
  if (!where) return where.error();
  if (*where && **where == there.session + '\n' + it.memory_id)
    rows.deleted.emplace_back(text_collection, std::move(key));
  return {};
}

result<saved_note> memories::save(const viewer& who, const new_note& note,
                                  const answer_of_note& answer) {
  const auto key = text_key(who.tenant, who.user.value, note.text);
  const std::lock_guard one_at_a_time(changing_);
  auto same = same_note(who, key, note);
  if (!same) return same.error();
  saved_note out;
  if (*same) {
    out.what = std::move(**same);
    out.again = true;
    if (answer)
      if (auto kept = log_.put_idempotency(answer(out)); !kept) return kept.error();
    return out;
  }
  if (auto room = has_room(who.tenant, 1, note.text.size()); !room) return room.error();
  auto& it = out.what;
  it.created_at_ms = it.updated_at_ms = now_ms_();
  it.memory_id = ids_.next(it.created_at_ms);
  it.kind = note.kind;
  it.text = note.text;
  it.tags = note.tags;
  it.importance = note.importance;
  it.session_id = note.session_id;
  it.tool_call_id = note.tool_call_id;
  it.owner = who.user.value;
  it.expires_at_ms = note.expires_at_ms;
  const std::string session = it.session_id.empty() ? std::string(no_session) : it.session_id;
  storage::row_batch rows;
  add_item(rows.documents, who.tenant, it);
  rows.documents.push_back({std::string(text_collection), key, session + '\n' + it.memory_id});
  tell(rows, who.tenant, session, it.memory_id, change::kind::item);
  if (answer) rows.idempotency.push_back(answer(out));
  if (auto written = log_.write_rows(rows); !written) return written.error();
  return out;
}

result<item> memories::change(const viewer& who, std::string_view id, const item_change& what,
                              std::string_view expected) {
  const std::lock_guard one_at_a_time(changing_);
  for (int tries = 0; tries < changes_tried_max; ++tries) {
    auto done = change_once(who, id, what, expected);
    if (!done) return done.error();
    if (*done) return std::move(**done);
  }
  return error(codes::server_busy, "others keep changing the memory", 1);
}

result<std::optional<item>> memories::change_once(const viewer& who, std::string_view id,
                                                  const item_change& what,
                                                  std::string_view expected) {
  using changed = std::optional<item>;
  auto there = look_up(who, id);
  if (!there) return there.error();
  if (auto no = of_another(who, there->what)) return *no;
  auto it = there->what;
  if (!if_match_permits(expected, etag_of(it)))
    return error(codes::memory_changed, "the memory was changed meanwhile");
  storage::row_batch rows;
  if (what.text && what.text->size() > it.text.size())
    if (auto room = has_room(who.tenant, 0, what.text->size() - it.text.size()); !room)
      return room.error();
  if (what.text && *what.text != it.text) {
    if (is_noted(it)) {
      if (auto ok = unmark(rows, who.tenant, *there); !ok) return ok.error();
      // Another that says it already is what it stays known by.
      const new_note as{*what.text, it.kind};
      viewer owner = who;
      owner.user = user_id(it.owner);
      auto key = text_key(who.tenant, it.owner, *what.text);
      auto same = same_note(owner, key, as);
      if (!same) return same.error();
      if (!*same || (*same)->memory_id == it.memory_id)
        rows.documents.push_back(
            {std::string(text_collection), std::move(key), there->session + '\n' + it.memory_id});
    }
    it.text = *what.text;
    it.cut = false;
  }
  if (what.tags) it.tags = *what.tags;
  if (what.importance) it.importance = *what.importance;
  if (what.pinned) it.pinned = *what.pinned;
  if (what.expires_at_ms) it.expires_at_ms = *what.expires_at_ms;
  if (it == there->what) return changed(std::move(it));
  it.updated_at_ms = std::max(now_ms_(), it.updated_at_ms + 1);
  it.state = "stored";
  rows.expected.push_back({std::string(item_collection), item_key(who.tenant, there->session, id),
                           std::move(there->text)});
  add_item(rows.documents, who.tenant, it);
  tell(rows, who.tenant, there->session, id, memory::change::kind::item);
  auto written = log_.write_rows(rows);
  if (!written) return written.error();
  return *written ? changed(std::move(it)) : changed();
}

// All that goes with an item, and who hears of it.
result<void> memories::add_removal(storage::row_batch& rows, const tenant_id& tenant,
                                   const place& there) const {
  const auto& id = there.what.memory_id;
  rows.deleted.emplace_back(item_collection, item_key(tenant, there.session, id));
  rows.deleted.emplace_back(id_collection, id_key(tenant, id));
  if (is_noted(there.what))
    if (auto ok = unmark(rows, tenant, there); !ok) return ok;
  tell(rows, tenant, there.session, id, memory::change::kind::gone);
  return {};
}

result<void> memories::forget(const viewer& who, std::string_view id, std::string_view expected) {
  const std::lock_guard one_at_a_time(changing_);
  auto there = look_up(who, id);
  if (!there) return there.error();
  if (auto no = of_another(who, there->what)) return *no;
  if (!if_match_permits(expected, etag_of(there->what)))
    return error(codes::memory_changed, "the memory was changed meanwhile");
  storage::row_batch rows;
  if (auto ok = add_removal(rows, who.tenant, *there); !ok) return ok;
  if (!expected.empty())
    rows.expected.push_back({std::string(item_collection), item_key(who.tenant, there->session, id),
                             std::move(there->text)});
  auto written = log_.write_rows(rows);
  if (!written) return written.error();
  if (!*written) return error(codes::memory_changed, "the memory was changed meanwhile");
  return {};
}

result<item_page> memories::list(const viewer& who, const item_filter& filter,
                                 std::string_view cursor, std::size_t limit) const {
  index_reader::place behind;
  if (!cursor.empty()) {
    const auto place = parse_cursor(cursor);
    if (!place)
      return error(codes::request_invalid_parameter, "the cursor is none of this list")
          .about("cursor");
    behind = *place;
  }
  const auto now = clock::now();
  index_.catch_up(now + std::chrono::milliseconds(limits_.catch_up_ms));
  auto reader = index_.read();
  if (!reader) return index_failed(reader.error());
  const moment as_of(**reader);
  if (auto ok = (*reader)->begin(now + std::chrono::milliseconds(limits_.search_ms)); !ok)
    return index_failed(ok.error());
  const auto at_ms = now_ms_();
  sight seen(sessions_, who);
  const auto fits = [&](const index_row& row) {
    return passes(filter, row) && !is_over(row.expires_at_ms, at_ms) &&
           seen(row.owner, row.session);
  };
  auto rows = (*reader)->list(who.tenant, behind, fits, limit, listed_at_once_max);
  if (!rows) return index_failed(rows.error());
  item_page page;
  for (const auto& row : rows->rows) {
    auto it = read(who.tenant, row.session, row.id);
    if (!it) return it.error();
    if (*it) page.items.push_back(std::move(**it));
  }
  if (rows->next)
    page.next_cursor = std::to_string(rows->next->created_at_ms) + '.' + rows->next->id;
  return page;
}

result<found_items> memories::search(const viewer& who, const search_question& question) const {
  const auto now = clock::now();
  const auto ms = question.ms > 0 ? question.ms : limits_.search_ms;
  // Asked first, and taken once the words were looked for.
  const auto asked_near =
      near_ ? near_->ask(who.tenant, who.user, question.query, ms * 9 / 10) : nullptr;
  if (question.up_to_date) index_.catch_up(now + std::chrono::milliseconds(limits_.catch_up_ms));
  found_items out;
  out.why = index_.degraded();
  out.degraded = !out.why.empty();
  const auto terms = terms_of(question.query);
  found_rows found;
  auto& [rankings, sessions] = found;
  std::unordered_map<std::string, std::string> local;  // of `sessions`, what was found here
  // Without the index nothing is found, and the answer says so.
  const auto degraded = [&](const error& why) {
    out.degraded = true;
    if (out.why.empty()) out.why = index_failed(why).detail;
  };
  if (auto reader = index_.read(); !reader) {
    degraded(reader.error());
  } else {
    const moment as_of(**reader);
    if (auto ok = (*reader)->begin(now + std::chrono::milliseconds(ms)); !ok) {
      degraded(ok.error());
      return out;
    }
    out.as_of = question.at > 0 ? std::min(question.at, (*reader)->last()) : (*reader)->last();
    const std::set<std::string_view> held(question.held_message_ids.begin(),
                                          question.held_message_ids.end());
    const auto at_ms = now_ms_();
    sight seen(sessions_, who);
    const auto fits = [&](const index_row& row) {
      return passes(question.filter, row) && !is_over(row.expires_at_ms, at_ms) &&
             (row.message_id.empty() || !held.contains(row.message_id)) &&
             seen(row.owner, row.session);
    };
    const auto add = [&](index_reader::table which, const std::vector<std::string>& words,
                         double weight) -> result<std::vector<std::size_t>> {
      auto found = (*reader)->rank(who.tenant, which, words, out.as_of, fits, candidates_max);
      if (!found) return found.error();
      ranking one{{}, weight};
      for (auto& row : found->rows) {
        one.ids.push_back(row.row.id);
        sessions.emplace(std::move(row.row.id), std::move(row.row.session));
      }
      rankings.push_back(std::move(one));
      return std::move(found->rows_of_terms);
    };
    auto asked = add(index_reader::table::words, terms.words, words_weight);
    if (asked)
      asked = add(index_reader::table::parts, parts_worth_asking(terms, *asked), parts_weight);
    if (!asked) {
      const bool late = (*reader)->late();
      degraded(late ? error(codes::storage_unavailable, "looking through it took too long")
                    : asked.error());
    }
    // Meanwhile the question is made a vector.
    ranking more{{}, remote_weight};
    std::unordered_map<std::string, std::string> theirs;
    if (question.from_afar && question.at == 0) {
      const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - now);
      const auto why = rank_from_afar(who, question, afar_ms(ms, limits_.recall_ms, spent.count()),
                                      fits, more, theirs);
      out.degraded = out.degraded || !why.empty();
      if (out.why.empty()) out.why = why;
    }
    if (asked && asked_near) {
      const auto until = now + std::chrono::milliseconds(ms * 9 / 10);
      if (auto near = add_near(who, *asked_near, **reader, fits, until, found, out); !near) {
        out.by_words_alone = !out.degraded;
        degraded(near.error());
      }
    }
    local = sessions;
    rankings.push_back(std::move(more));
    sessions.merge(theirs);
  }
  std::set<std::string> said;
  for (auto& one : fuse(rankings)) {
    if (out.items.size() == question.limit) break;
    auto it = read(who.tenant, sessions[one.id], one.id);
    if (!it) return it.error();
    if (!*it) continue;  // deleted meanwhile
    if (question.once_each && !said.insert(normalized((*it)->text)).second) continue;
    out.items.push_back({std::move(**it), one.score, !local.contains(one.id)});
  }
  return out;
}

result<recall_answer> memories::recall(const recall_question& question, int ms) const {
  search_question asked;
  asked.query = question.query;
  asked.held_message_ids = question.held_message_ids;
  asked.limit = std::min(candidates_max, question.items_max * 4);
  asked.up_to_date = false;
  asked.once_each = true;
  asked.from_afar = true;
  asked.ms = ms > 0 ? ms : limits_.recall_ms;
  viewer who;
  who.tenant = question.key.tenant;
  who.user = question.user;
  auto found = search(who, asked);
  if (!found) return found.error();
  recall_answer out;
  out.degraded = found->degraded;
  out.by_words_alone = found->by_words_alone;
  out.why = std::move(found->why);
  out.as_of = found->as_of;
  std::vector<std::string_view> sessions;
  for (const auto& one : found->items) sessions.push_back(told_with(one.what));
  // One long text leaves room for others.
  const auto of_one = std::max<std::size_t>(question.bytes_max / 3, 200);
  auto room = question.bytes_max;
  for (const auto at : diversified(sessions)) {
    if (out.items.size() == question.items_max) break;
    const auto& it = found->items[at].what;
    auto text = excerpt(it.text, question.query, std::min(of_one, question.bytes_max));
    if (text.empty() || text.size() > room) continue;
    room -= text.size();
    recalled_item one;
    one.memory_id = it.memory_id;
    one.text = std::move(text);
    one.kind = it.kind;
    one.session_id = it.session_id;
    one.message_id = it.message_id;
    one.place_json = it.place_json;
    one.score = found->items[at].score;
    one.created_at_ms = it.created_at_ms;
    out.items.push_back(std::move(one));
  }
  std::stable_sort(out.items.begin(), out.items.end(),
                   [](const auto& a, const auto& b) { return a.score > b.score; });
  return out;
}

}  // namespace soma::memory
