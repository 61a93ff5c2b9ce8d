#include "memory/memory_wal.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <chrono>
#include <set>
#include <utility>

#include "core/codes.hpp"
#include "core/fingerprint.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "core/uuid.hpp"
#include "memory/memories.hpp"
#include "memory/replicator.hpp"

namespace soma::memory {
namespace {

namespace json = boost::json;

constexpr std::string_view log_key = "log", gone_prefix = "gone\n";
constexpr std::chrono::seconds try_again_after(1);
constexpr std::chrono::milliseconds gathered_for(20);
constexpr std::size_t number_digits = 20;

std::string digits(std::uint64_t number) {
  auto text = std::to_string(number);
  return std::string(number_digits - text.size(), '0') + text;
}

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size())
    return std::nullopt;
  return number;
}

std::uint64_t number_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (!value) return 0;
  if (value->is_uint64()) return value->get_uint64();
  return value->is_int64() && value->get_int64() > 0
             ? static_cast<std::uint64_t>(value->get_int64())
             : 0;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0;;) {
    const auto end = text.find('\n', at);
    out.push_back(text.substr(at, end == std::string_view::npos ? end : end - at));
    if (end == std::string_view::npos) return out;
    at = end + 1;
  }
}

error unreadable() {
  return {codes::storage_corrupt, "the log of memories cannot be read"};
}

error unknown_position() {
  return error(
             codes::request_invalid_parameter,
             "this is no position of this log, or none any more: it has to be read from its start")
      .about("after");
}

std::string row_key(std::string_view tenant, std::uint64_t number) {
  return std::string(tenant) + '\n' + digits(number);
}

}  // namespace

std::string memory_wal::encode(const log_state& of) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("log", of.id).field("last", of.last).field_bool("whole", of.whole);
  w.key("starts").begin_array();
  for (const auto& one : of.starts)
    w.begin_object().field("id", one.id).field("first", one.first).end_object();
  w.end_array().end_object();
  return out;
}

result<memory_wal::log_state> memory_wal::decode(std::string_view text) {
  boost::system::error_code ec;
  const auto value = json::parse({text.data(), text.size()}, ec);
  if (ec || !value.is_object()) return unreadable();
  const auto& o = value.get_object();
  log_state out;
  out.id = text_of(o, "log");
  out.last = number_of(o, "last");
  const auto* whole = o.if_contains("whole");
  out.whole = whole && whole->is_bool() && whole->get_bool();
  const auto* starts = o.if_contains("starts");
  if (out.id.empty() || !starts || !starts->is_array()) return unreadable();
  for (const auto& one : starts->get_array())
    if (one.is_object())
      out.starts.push_back({text_of(one.get_object(), "id"), number_of(one.get_object(), "first")});
  return out;
}

memory_wal::memory_wal(storage::event_log& log, wal_options options)
    : log_(log), options_(std::move(options)), thread_([this] { run(); }) {}

memory_wal::~memory_wal() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    wake_.notify_all();
  }
  thread_.join();
}

void memory_wal::wake() {
  const std::lock_guard lock(mutex_);
  ++told_;
  wake_.notify_one();
}

std::uint64_t memory_wal::lag() const {
  const std::lock_guard lock(mutex_);
  return told_ - done_;
}

std::uint64_t memory_wal::told() const {
  const std::lock_guard lock(mutex_);
  return told_;
}

std::uint64_t memory_wal::done() const {
  const std::lock_guard lock(mutex_);
  return done_;
}

result<void> memory_wal::not_kept(storage::event_log& log) {
  const auto text = log.get_document(wal_state_collection, log_key);
  if (!text) return text.error();
  if (!*text) return {};
  auto state = decode(**text);
  if (!state) return state.error();
  if (!state->whole) return {};
  state->whole = false;
  return log.put_document(wal_state_collection, log_key, encode(*state));
}

// ---- the thread ----

void memory_wal::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    const auto told = told_;
    lock.unlock();
    const auto more = step();
    if (!more && more.error().detail != trouble_ && options_.on_notice)
      options_.on_notice("the log of memories cannot be written: " + more.error().detail);
    trouble_ = more ? std::string() : more.error().detail;
    lock.lock();
    if (!more) {
      wake_.wait_for(lock, try_again_after, [&] { return stop_; });
      continue;
    }
    if (*more) continue;
    done_ = told;
    wake_.wait(lock, [&] { return stop_ || told_ != told; });
    // What comes at once is one write: each syncs, and others wait for that.
    wake_.wait_for(lock, gathered_for, [&] { return stop_; });
  }
}

result<bool> memory_wal::step() {
  if (!opened_)
    if (auto ok = open(); !ok) return ok.error();
  return state_.whole ? take_rows() : compare_some();
}

result<void> memory_wal::open() {
  const auto text = log_.get_document(wal_state_collection, log_key);
  if (!text) return text.error();
  log_state state;
  if (*text) {
    auto read = decode(**text);
    if (!read) return read.error();
    state = std::move(*read);
  } else {
    state.id = new_uuid();
  }
  std::map<std::string, stones> gone;
  auto counted = storage::each_document(
      log_, wal_state_collection, gone_prefix,
      [&](const std::string& key, const std::string& value) -> result<void> {
        const auto parts = lines_of(value);
        if (parts.size() != 2) return unreadable();
        gone[key.substr(gone_prefix.size())] = {number_in(parts[0]).value_or(0),
                                                number_in(parts[1]).value_or(0)};
        return {};
      });
  if (!counted) return counted;
  opened_ = true;
  publish(std::move(state), std::move(gone));
  return {};
}

void memory_wal::publish(log_state state, std::map<std::string, stones> gone) {
  const std::lock_guard lock(mutex_);
  state_ = std::move(state);
  gone_ = std::move(gone);
}

result<bool> memory_wal::take_rows() {
  auto page = log_.read_outbox(outbox_sink, scanned_, options_.rows_at_once);
  if (!page) return page.error();
  std::vector<place> touched;
  std::set<std::string> known;
  const auto touch = [&](place of) {
    if (known.insert(item_key(tenant_id(of.tenant), of.session, of.id)).second)
      touched.push_back(std::move(of));
  };
  for (const auto& row : page->rows) {
    const auto what = read_change(row.payload);
    if (!what) continue;  // of no version that is known
    if (what->what == change::kind::item || what->what == change::kind::gone)
      touch({what->key.tenant.value, what->key.session.value, what->id});
    if (what->what != change::kind::session) continue;
    std::vector<place> of_session;
    if (auto ok = add_session(of_session, *what); !ok) return ok.error();
    for (auto& one : of_session) touch(std::move(one));
  }
  if (auto ok = write(touched); !ok) return ok.error();
  scanned_ = page->scanned;
  taken_.store(scanned_, std::memory_order_release);
  return !page->end;
}

// Those that the log knows: of the others nobody was told.
result<void> memory_wal::add_session(std::vector<place>& out, const change& of) const {
  const auto& [tenant, session] = of.key;
  const auto prefix = item_key(tenant, session.value, {});
  return storage::each_document(
      log_, wal_at_collection, prefix,
      [&](const std::string& key, const std::string&) -> result<void> {
        out.push_back({tenant.value, session.value, key.substr(prefix.size())});
        return {};
      });
}

// First all items, then all that the log knows: what is only there is new, what is only here went.
result<bool> memory_wal::compare_some() {
  const auto collection = comparing_rows_ ? wal_at_collection : item_collection;
  auto page = log_.list_documents(collection, {}, options_.rows_at_once, behind_);
  if (!page) return page.error();
  std::vector<place> touched;
  for (const auto& [key, value] : *page) {
    const auto parts = lines_of(key);
    if (parts.size() == 3)
      touched.push_back({std::string(parts[0]), std::string(parts[1]), std::string(parts[2])});
  }
  if (auto ok = write(touched); !ok) return ok.error();
  if (page->size() == options_.rows_at_once) {
    behind_ = page->back().first;
    return true;
  }
  behind_.clear();
  if (!std::exchange(comparing_rows_, true)) return true;
  comparing_rows_ = false;
  auto state = state_;
  state.whole = true;
  if (auto ok = log_.put_document(wal_state_collection, log_key, encode(state)); !ok)
    return ok.error();
  publish(std::move(state), gone_);
  return true;
}

// A batch at a time, each in an atom with the state of the log.
result<void> memory_wal::write(const std::vector<place>& touched) {
  for (std::size_t at = 0; at < touched.size();) {
    auto state = state_;
    auto gone = gone_;
    const auto before = state.last;
    if (!started_) {
      state.starts.push_back({fingerprint_text(random_u64()), state.last + 1});
      if (state.starts.size() > options_.starts_max) state.starts.erase(state.starts.begin());
    }
    storage::row_batch rows;
    std::set<std::string> tenants;
    for (std::size_t n = 0; n < options_.rows_at_once && at < touched.size(); ++n, ++at) {
      const auto last = state.last;
      if (auto ok = add(rows, touched[at], state, gone); !ok) return ok;
      if (state.last != last) tenants.insert(touched[at].tenant);
    }
    if (state.last == before) continue;
    rows.documents.push_back(
        {std::string(wal_state_collection), std::string(log_key), encode(state)});
    for (const auto& tenant : tenants) {
      const auto& [count, dropped_to] = gone[tenant];
      rows.documents.push_back({std::string(wal_state_collection),
                                std::string(gone_prefix) + tenant,
                                std::to_string(count) + '\n' + std::to_string(dropped_to)});
    }
    if (const auto written = log_.write_rows(rows); !written) return written.error();
    started_ = true;
    publish(std::move(state), std::move(gone));
    moved_.fetch_add(1, std::memory_order_acq_rel);
    for (const auto& tenant : tenants)
      if (gone_[tenant].count > options_.gone_max)
        if (auto ok = drop_stones(tenant); !ok) return ok;
  }
  return {};
}

// The document is asked: however late a row is taken, the log says what is there now.
result<void> memory_wal::add(storage::row_batch& rows, const place& of, log_state& state,
                             std::map<std::string, stones>& gone) const {
  const auto key = item_key(tenant_id(of.tenant), of.session, of.id);
  const auto text = log_.get_document(item_collection, key);
  const auto at = log_.get_document(wal_at_collection, key);
  if (!at) return at.error();
  // What cannot be read is neither told nor gone.
  if (!text) return text.error().code == codes::storage_corrupt ? result<void>() : text.error();
  const auto parts = *at ? lines_of(**at) : std::vector<std::string_view>();
  std::string now;
  if (*text) {
    const auto it = decode_item(**text);
    if (!it) return {};
    now = etag_of(*it);  // whether SomaBrain has it changes nothing
    if (parts.size() == 2 && parts[1] == now) return {};
  } else if (!*at) {
    // Nobody was told of it, unless it is another site's, which knows it: that has to hear that it
    // went, also where it did before it came into the log.
    const auto foreign = log_.get_document(replica_collection, id_key(tenant_id(of.tenant), of.id));
    if (!foreign) return foreign.error();
    if (!*foreign) return {};
  }
  const auto number = ++state.last;
  if (parts.size() == 2)
    rows.deleted.emplace_back(wal_collection, row_key(of.tenant, number_in(parts[0]).value_or(0)));
  const auto end = '\n' + state.starts.back().id + '\n' + of.session + '\n' + of.id;
  auto row = now.empty() ? "gone" + end + '\n' + std::to_string(now_ms()) : "put" + end;
  rows.documents.push_back(
      {std::string(wal_collection), row_key(of.tenant, number), std::move(row)});
  if (now.empty()) {
    rows.deleted.emplace_back(wal_at_collection, key);
    ++gone[of.tenant].count;
  } else {
    rows.documents.push_back(
        {std::string(wal_at_collection), key, std::to_string(number) + '\n' + now});
  }
  return {};
}

result<void> memory_wal::drop_stones(const std::string& tenant) {
  auto gone = gone_;
  auto& mine = gone[tenant];
  const auto wanted = options_.gone_max - options_.gone_max / 10;
  auto after = row_key(tenant, mine.dropped_to);
  while (mine.count > wanted) {
    const auto page =
        log_.list_documents(wal_collection, tenant + '\n', options_.rows_at_once, after);
    if (!page) return page.error();
    storage::row_batch rows;
    for (const auto& [key, value] : *page) {
      after = key;
      if (!value.starts_with("gone\n") || mine.count == wanted) continue;
      rows.deleted.emplace_back(wal_collection, key);
      --mine.count;
      mine.dropped_to = number_in(std::string_view(key).substr(tenant.size() + 1)).value_or(0);
    }
    rows.documents.push_back({std::string(wal_state_collection), std::string(gone_prefix) + tenant,
                              std::to_string(mine.count) + '\n' + std::to_string(mine.dropped_to)});
    if (const auto written = log_.write_rows(rows); !written) return written.error();
    if (page->size() < options_.rows_at_once) break;
  }
  publish(state_, std::move(gone));
  return {};
}

// ---- reading ----

// Of a start that is not known any more the first that is stands in its place.
std::string memory_wal::position_at(std::string_view start_id, std::uint64_t number) const {
  const std::lock_guard lock(mutex_);
  const bool known = std::any_of(state_.starts.rbegin(), state_.starts.rend(),
                                 [&](const start& one) { return one.id == start_id; });
  return (known ? std::string(start_id) : state_.starts.front().id) + '.' + std::to_string(number);
}

result<wal_page> memory_wal::read(const tenant_id& tenant, std::string_view after,
                                  std::size_t rows_max, std::size_t bytes_max) const {
  wal_page out;
  std::uint64_t number = 0, newest = 0;
  bool whole = false;
  {
    const std::lock_guard lock(mutex_);
    newest = state_.last;
    out.log = state_.id;
    whole = state_.whole;
    if (!after.empty()) {
      const auto dot = after.find('.');
      const auto given =
          number_in(after.substr(dot == std::string_view::npos ? after.size() : dot + 1));
      const auto at =
          std::find_if(state_.starts.begin(), state_.starts.end(),
                       [&](const start& one) { return one.id == after.substr(0, dot); });
      if (!given || at == state_.starts.end()) return unknown_position();
      const auto next = std::next(at);
      const auto last = next == state_.starts.end() ? state_.last : next->first - 1;
      const auto kept = gone_.find(tenant.value);
      if (*given > last || (at != state_.starts.begin() && *given < at->first) ||
          (kept != gone_.end() && *given < kept->second.dropped_to))
        return unknown_position();
      number = *given;
    }
  }
  if (out.log.empty())
    return error(codes::storage_unavailable, "the log of memories is being opened", 1);
  out.position = after;
  const auto rows =
      log_.list_documents(wal_collection, tenant.value + '\n', rows_max,
                          number == 0 ? std::string() : row_key(tenant.value, number));
  if (!rows) return rows.error();
  std::size_t bytes = 0;
  bool all = rows->size() < rows_max;
  for (const auto& [key, value] : *rows) {
    if (bytes >= bytes_max) {
      all = false;
      break;
    }
    const auto parts = lines_of(value);
    const auto mine = number_in(std::string_view(key).substr(tenant.value.size() + 1));
    if (parts.size() < 4 || !mine) return unreadable();
    if (*mine > newest) break;  // written, and not yet a position of this log
    wal_entry one;
    one.position = out.position = position_at(parts[1], *mine);
    if (parts[2] != no_session) one.session = parts[2];
    one.id = parts[3];
    if (parts[0] == "put") {
      const auto text = log_.get_document(item_collection, item_key(tenant, parts[2], parts[3]));
      if (!text && text.error().code != codes::storage_corrupt) return text.error();
      if (!text || !*text) continue;  // it went meanwhile, of which a later row tells
      auto it = decode_item(**text);
      if (!it) continue;
      bytes += it->text.size();
      one.put = std::move(*it);
    } else if (parts.size() == 5) {
      one.gone_at_ms = static_cast<std::int64_t>(number_in(parts[4]).value_or(0));
    }
    out.entries.push_back(std::move(one));
  }
  out.caught_up = all && whole;
  return out;
}

void write_begin(std::string& out, std::string_view log, std::string_view position) {
  json_writer(out)
      .begin_object()
      .field("type", "begin")
      .field("log", log)
      .field("position", position)
      .end_object();
  out += '\n';
}

void write_line(std::string& out, const wal_entry& one) {
  json_writer w(out);
  w.begin_object().field("type", one.put ? "put" : "gone").field("position", one.position);
  if (one.put)
    w.key("item").raw(encode(*one.put));
  else
    w.field("memory_id", one.id).field_if("session_id", one.session);
  if (!one.put) w.field("at", static_cast<std::uint64_t>(one.gone_at_ms));
  w.end_object();
  out += '\n';
}

void write_head(std::string& out, std::string_view position, std::int64_t at_ms) {
  json_writer(out)
      .begin_object()
      .field("type", "head")
      .field("position", position)
      .field("at", static_cast<std::uint64_t>(at_ms))
      .end_object();
  out += '\n';
}

void write_alive(std::string& out) {
  out += "{\"type\":\"alive\"}\n";
}

}  // namespace soma::memory
