#include "memory/vectors.hpp"

#include <algorithm>
#include <set>

#include "core/codes.hpp"
#include "core/fingerprint.hpp"
#include "core/thread_name.hpp"
#include "core/utf8.hpp"
#include "core/uuid.hpp"

namespace soma::memory {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t rows_at_once = 256, texts_at_once = 32, loaded_at_once = 500;
constexpr std::size_t points_at_once = 64, counted_max = 10'000;
constexpr milliseconds embed_ms(30'000), read_ms(2'000), slice(100);

std::string vector_key(const tenant_id& tenant, std::string_view id) {
  return tenant.value + '\n' + std::string(id);
}

std::string embedded_text(std::string_view text) {
  return std::string(text.substr(0, utf8_complete_prefix(text.substr(0, embedded_bytes_max))));
}

// Another text may well be taken.
bool is_of_the_text(const error& why) {
  return why.code == codes::llm_bad_request || why.code == codes::llm_context_exceeded;
}

// As well as the provider: a server that cannot take one text may say that it failed.
bool may_be_of_the_text(const error& why) {
  return is_of_the_text(why) || why.code == codes::llm_provider_error;
}

error not_yet(std::string why) {
  return {codes::storage_unavailable, std::move(why), 1};
}

}  // namespace

vectors::vectors(storage::event_log& log, vector_options options)
    : log_(log), options_(std::move(options)) {
  const auto some = log_.list_documents(vector_collection, {}, 1);
  any_ = !some || !some->empty();
}

vectors::~vectors() {
  stop();
}

void vectors::start(indexer& index) {
  index_ = &index;
  if (options_.asks)
    thread_ = std::thread([this] {
      name_this_thread("memory.vectors");
      run();
    });
}

void vectors::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void vectors::changed() {
  const std::lock_guard lock(mutex_);
  changed_ = true;
  wake_.notify_all();
}

result<void> vectors::gone(const tenant_id& tenant, const std::vector<std::string>& ids) {
  if (!any_ || ids.empty()) return {};
  storage::row_batch rows;
  for (const auto& id : ids) rows.deleted.emplace_back(vector_collection, vector_key(tenant, id));
  if (auto written = log_.write_rows(rows); !written) return written.error();
  const std::lock_guard lock(mutex_);
  if (const auto of = tenants_.find(tenant.value); of != tenants_.end() && of->second.set)
    for (const auto& id : ids) of->second.set->erase(id);
  return {};
}

// ---- the thread ----

void vectors::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    changed_ = false;
    lock.unlock();
    bool more = false;
    auto next = clock::now() + options_.look_every;
    for (const auto& tenant : tenants()) {
      const auto done = look_after(tenant);
      more = more || done == step::more;
      const std::lock_guard again(mutex_);
      if (stop_) return;
      if (done == step::failed) next = std::min(next, tenants_[tenant.value].retry_at);
    }
    lock.lock();
    if (!more) wake_.wait_until(lock, next, [&] { return stop_ || changed_; });
  }
}

// Those with memories; what was a tenant's model is looked at again here.
std::vector<tenant_id> vectors::tenants() {
  std::vector<tenant_id> out;
  auto reader = index_->read();
  if (!reader || !(*reader)->begin(clock::now() + read_ms)) return out;
  const auto names = (*reader)->tenants();
  (*reader)->end();
  if (!names) return out;
  std::set<std::string> all(names->begin(), names->end());
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, of] : tenants_) all.insert(name);
  }
  for (const auto& name : all) {
    tenant_id tenant(name);
    auto model = options_.asks->model_of(tenant);
    const std::lock_guard lock(mutex_);
    auto& of = tenants_[name];
    if (of.model != model) set_model(of, std::move(model));
    if (!of.model.empty()) out.push_back(std::move(tenant));
  }
  return out;
}

void vectors::set_model(tenant_state& of, std::string model) {
  const bool loading = of.loading;
  of = tenant_state();
  of.loading = loading;
  of.model = std::move(model);
  of.model_number = fingerprint(of.model);
}

vectors::step vectors::look_after(const tenant_id& tenant) {
  std::int64_t position = 0;
  std::shared_ptr<vector_set> set;
  bool too_large = false;
  const auto generation = index_->generation();
  {
    const std::lock_guard lock(mutex_);
    auto& of = tenants_[tenant.value];
    if (of.retry_at > clock::now()) return step::failed;
    if (of.generation != generation) {  // its numbers begin anew
      of.generation = generation;
      of.position = 0;
      of.failed_at = -1;
    }
    position = of.position;
    set = of.set;
    too_large = of.too_large;
  }
  if (!index_->degraded().empty()) return step::idle;
  const bool growing = set && set->grow(points_at_once);
  auto reader = index_->read();
  if (!reader || !(*reader)->begin(clock::now() + read_ms)) return step::idle;
  auto rows = (*reader)->texts_behind(tenant, position, rows_at_once);
  const auto count = too_large ? (*reader)->count(tenant) : result<std::uint64_t>(std::uint64_t{0});
  (*reader)->end();
  if (!rows) return step::idle;
  if (too_large && count) {  // so many went meanwhile that the others have room
    const std::lock_guard lock(mutex_);
    auto& of = tenants_[tenant.value];
    of.too_large =
        vector_set::bytes_of(*count, of.dimension, options_.exact_max) > options_.bytes_max;
  }
  if (!rows->empty()) return embed_some(tenant, *rows);
  const std::lock_guard lock(mutex_);
  tenants_[tenant.value].complete = true;
  return growing ? step::more : step::idle;
}

vectors::step vectors::embed_some(const tenant_id& tenant, const std::vector<index_text>& rows) {
  tenant_state of;
  {
    const std::lock_guard lock(mutex_);
    of = tenants_[tenant.value];
  }
  std::vector<const index_text*> missing;
  auto behind = rows.back().number;
  for (const auto& row : rows) {
    auto there = log_.get_document(vector_collection, vector_key(tenant, row.id));
    if (!there) return failed(tenant, there.error());
    stored_vector kept;
    const bool current = *there && decode_vector(**there, kept) && kept.model == of.model_number &&
                         kept.text == fingerprint(row.text);
    if (current && of.dimension == 0 && !kept.values.empty()) {
      const std::lock_guard lock(mutex_);
      of.dimension = tenants_[tenant.value].dimension = kept.values.size();
    }
    if (current && (kept.values.empty() || kept.values.size() == of.dimension)) continue;
    missing.push_back(&row);
    if (missing.size() < texts_at_once) continue;
    behind = row.number;
    break;
  }
  if (!missing.empty()) {
    std::vector<std::string> texts;
    for (const auto* row : missing) texts.push_back(embedded_text(row->text));
    auto made = embedded(tenant, texts);
    const bool again = of.failed_at == of.position;
    if (!made && (is_of_the_text(made.error()) || (again && may_be_of_the_text(made.error()))))
      made = one_by_one(tenant, texts);
    if (!made) return failed(tenant, made.error(), of.position);
    for (std::size_t i = 0; i < missing.size(); ++i) {
      stored_vector what;
      what.model = of.model_number;
      what.text = fingerprint(missing[i]->text);
      what.values = std::move((*made)[i]);
      if (!what.values.empty() && !found_dimension(tenant, what.values.size())) return step::more;
      if (auto kept = keep(tenant, *missing[i], std::move(what)); !kept)
        return failed(tenant, kept.error());
    }
  }
  const std::lock_guard lock(mutex_);
  auto& now = tenants_[tenant.value];
  if (now.model != of.model || now.generation != of.generation) return step::more;
  now.position = behind;
  now.failed_at = -1;
  now.why.clear();
  now.back_off = milliseconds(0);
  return step::more;
}

// Until it is there, its time is over or this stops.
result<std::vector<embedding>> vectors::embedded(const tenant_id& tenant,
                                                 const std::vector<std::string>& texts) {
  auto call = options_.asks->begin(tenant, {}, texts, static_cast<int>(embed_ms.count()));
  const auto end = clock::now() + embed_ms;
  while (clock::now() < end) {
    if (auto answer = call->wait(clock::now() + slice)) {
      if (*answer && (*answer)->size() != texts.size())
        return error(codes::llm_provider_error,
                     "the provider gave another number of vectors than it was asked for");
      if (*answer)
        for (auto& v : **answer)
          if (!make_unit(v))
            return error(codes::llm_bad_request, "the provider gave a vector without a direction");
      return std::move(*answer);
    }
    const std::lock_guard lock(mutex_);
    if (stop_) break;
  }
  return not_yet("the provider gave no vectors in time");
}

// One of them is refused: it gets an empty vector, so that the others are not held up. Where every
// text is refused, none of them is to blame, nor where the provider went away meanwhile.
result<std::vector<embedding>> vectors::one_by_one(const tenant_id& tenant,
                                                   const std::vector<std::string>& texts) {
  const std::vector<std::string> word{"a word"};
  if (auto probe = embedded(tenant, word); !probe) return probe.error();
  std::vector<embedding> out;
  for (const auto& text : texts) {
    auto one = embedded(tenant, {text});
    if (!one && !may_be_of_the_text(one.error())) return one.error();
    if (!one && !is_of_the_text(one.error()))
      if (auto probe = embedded(tenant, word); !probe) return probe.error();
    out.push_back(one ? std::move(one->front()) : embedding());
  }
  return out;
}

// False: all were of another dimension before, and are made anew.
bool vectors::found_dimension(const tenant_id& tenant, std::size_t dimension) {
  const std::lock_guard lock(mutex_);
  auto& of = tenants_[tenant.value];
  if (of.dimension == dimension) return true;
  const bool known = of.dimension != 0;
  if (known) set_model(of, of.model);
  of.dimension = dimension;
  if (known) changed_ = true;
  if (known) wake_.notify_all();
  return !known;
}

// False: the item is gone meanwhile.
result<bool> vectors::keep(const tenant_id& tenant, const index_text& row, stored_vector what) {
  any_ = true;
  storage::row_batch rows;
  rows.expected.emplace_back(item_collection, item_key(tenant, row.session, row.id));
  rows.documents.push_back(
      {std::string(vector_collection), vector_key(tenant, row.id), encode(what)});
  auto written = log_.write_rows(rows);
  if (!written || !*written) return written;
  const std::lock_guard lock(mutex_);
  auto& of = tenants_[tenant.value];
  if (!of.set || what.model != of.model_number) return true;
  if (what.values.size() == of.set->dimension())
    of.set->put(row.id, what.values);
  else
    of.set->erase(row.id);
  if (!make_room(tenant.value, of.set->bytes())) drop(of, true);
  return true;
}

vectors::step vectors::failed(const tenant_id& tenant, const error& why, std::int64_t at) {
  const std::lock_guard lock(mutex_);
  auto& of = tenants_[tenant.value];
  of.failed_at = at;
  if (of.why.empty() && options_.on_notice)
    options_.on_notice("vectors of memories wait: " + why.detail);
  of.why = why.detail.empty() ? std::string(why.code) : why.detail;
  of.back_off = std::clamp(of.back_off * 2, options_.back_off_first, options_.back_off_max);
  const auto jitter =
      milliseconds(random_u64() % (static_cast<std::uint64_t>(of.back_off.count()) / 4 + 1));
  of.retry_at =
      clock::now() + std::max(of.back_off, milliseconds(why.retry_after_s * 1000)) + jitter;
  return step::failed;
}

// ---- searching ----

void vectors::drop(tenant_state& of, bool too_large) {
  of.set.reset();
  of.loaded_to.clear();
  of.loaded = false;
  of.too_large = too_large;
}

bool vectors::make_room(const std::string& tenant, std::size_t bytes) {
  std::size_t used = bytes;
  for (const auto& [name, of] : tenants_)
    if (name != tenant && of.set) used += of.set->bytes();
  while (used > options_.bytes_max) {
    auto oldest = tenants_.end();
    for (auto one = tenants_.begin(); one != tenants_.end(); ++one)
      if (one->first != tenant && one->second.set &&
          (oldest == tenants_.end() || one->second.used_at < oldest->second.used_at))
        oldest = one;
    if (oldest == tenants_.end()) return false;
    used -= oldest->second.set->bytes();
    drop(oldest->second, false);
  }
  return true;
}

// None: they are to be read from the store.
std::optional<result<std::shared_ptr<vector_set>>> vectors::at_hand(tenant_state& of) const {
  using answer = result<std::shared_ptr<vector_set>>;
  of.used_at = clock::now();
  if (of.too_large)
    return answer(not_yet("the tenant's vectors take more than memory.vectors_bytes_max"));
  if (of.loaded && of.set) return answer(of.set);
  if (of.dimension == 0) return answer(not_yet("vectors of memories are being made"));
  return std::nullopt;
}

// What was begun goes on with the next question where the time is over. One reads at a time, of one
// tenant; the others wait for it.
result<std::shared_ptr<vector_set>> vectors::loaded(const tenant_id& tenant,
                                                    clock::time_point until) {
  std::unique_lock lock(mutex_);
  for (;;) {
    auto& of = tenants_[tenant.value];
    if (auto there = at_hand(of)) return std::move(*there);
    if (clock::now() > until) return not_yet("vectors of memories are being read");
    if (of.loading) {
      read_.wait_until(lock, until);
      continue;
    }
    if (!of.set) of.set = std::make_shared<vector_set>(of.dimension, options_.exact_max);
    const auto set = of.set;
    const auto behind = of.loaded_to;
    const auto model = of.model_number;
    of.loading = true;
    lock.unlock();
    auto page = read_some(tenant, behind, model, *set);
    lock.lock();
    auto& now = tenants_[tenant.value];
    now.loading = false;
    read_.notify_all();
    if (!page) return page.error();
    if (now.set != set) continue;  // of another model by now
    now.loaded = page->count < loaded_at_once;
    if (!page->last.empty()) now.loaded_to = std::move(page->last);
    if (!make_room(tenant.value, set->bytes())) drop(now, true);
    changed_ = true;  // to grow a graph
    wake_.notify_all();
  }
}

// The next of them, behind a key. Those whose item is gone go, too: the index was lost before it
// had them deleted.
result<vectors::page_read> vectors::read_some(const tenant_id& tenant, const std::string& behind,
                                              std::uint64_t model, vector_set& into) {
  auto page = log_.list_documents(vector_collection, tenant.value + '\n', loaded_at_once, behind);
  if (!page) return page.error();
  auto reader = index_->read();
  const bool knows = reader && (*reader)->begin(clock::now() + read_ms).has_value();
  const auto unknown = [&](const std::string& id) {
    if (!knows) return false;
    const auto row = (*reader)->find(tenant, id);
    return row && !*row;
  };
  std::vector<std::string> left;
  stored_vector one;
  for (const auto& [key, bytes] : *page) {
    auto id = key.substr(tenant.value.size() + 1);
    if (unknown(id) && is_gone(tenant, id)) {
      left.push_back(std::move(id));
      continue;
    }
    if (decode_vector(bytes, one) && one.model == model && one.values.size() == into.dimension())
      into.put(id, one.values, false);
  }
  if (knows) (*reader)->end();
  if (auto deleted = gone(tenant, left); !deleted) return deleted.error();
  page_read out;
  out.count = page->size();
  if (!page->empty()) out.last = std::move(page->back().first);
  return out;
}

// Certainly: the index may only not know it yet.
bool vectors::is_gone(const tenant_id& tenant, const std::string& id) const {
  const auto session = log_.get_document(id_collection, id_key(tenant, id));
  if (!session) return false;
  if (!*session) return true;
  const auto it = log_.get_document(item_collection, item_key(tenant, **session, id));
  return it && !*it;
}

std::unique_ptr<vectors::question> vectors::ask(const tenant_id& tenant, const user_id& user,
                                                std::string_view query, int ms) {
  auto model = options_.asks ? options_.asks->model_of(tenant) : std::string();
  if (model.empty()) return nullptr;
  {
    const std::lock_guard lock(mutex_);
    auto& of = tenants_[tenant.value];
    if (of.model != model) {
      set_model(of, std::move(model));
      changed_ = true;
      wake_.notify_all();
    }
  }
  std::unique_ptr<question> out(new question);
  out->from_ = this;
  out->tenant_ = tenant;
  out->why_ = degraded(tenant);
  if (!out->why_.empty()) return out;  // it would be asked for nothing
  out->call_ = options_.asks->begin(tenant, user, {embedded_text(query)}, ms);
  return out;
}

result<void> vectors::question::wait(clock::time_point until) {
  if (!call_) return not_yet(why_);
  auto answer = call_->wait(until);
  if (!answer) return not_yet("the question was not made a vector in time");
  if (!*answer)
    return not_yet("the question could not be made a vector: " + answer->error().detail);
  if ((*answer)->size() != 1) return not_yet("the question could not be made a vector");
  unit_ = std::move((*answer)->front());
  if (!make_unit(unit_)) return not_yet("the question could not be made a vector");
  if (!from_->found_dimension(tenant_, unit_.size()))
    return not_yet("vectors of memories are being made");
  auto set = from_->loaded(tenant_, until);
  if (!set) return set.error();
  set_ = std::move(*set);
  if (auto why = from_->degraded(tenant_); !why.empty()) return not_yet(std::move(why));
  return {};
}

std::string vectors::degraded(const tenant_id& tenant) const {
  const std::lock_guard lock(mutex_);
  const auto at = tenants_.find(tenant.value);
  if (at == tenants_.end() || at->second.model.empty()) return {};
  if (!at->second.why.empty()) return "vectors of memories wait: " + at->second.why;
  return at->second.complete ? std::string() : "vectors of memories are being made";
}

vector_status vectors::status(const tenant_id& tenant) const {
  vector_status out;
  if (!options_.asks || options_.asks->model_of(tenant).empty()) return out;
  out.state = "building";
  std::int64_t position = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto at = tenants_.find(tenant.value);
    if (at != tenants_.end()) {
      if (at->second.complete) out.state = "ready";
      if (!at->second.why.empty()) out.state = "failing";
      out.why = at->second.why;
      if (at->second.generation == index_->generation()) position = at->second.position;
    }
  }
  auto reader = index_->read();
  if (!reader || !(*reader)->begin(clock::now() + read_ms)) return out;
  if (const auto count = (*reader)->count_behind(tenant, position, counted_max))
    out.waiting = *count;
  (*reader)->end();
  return out;
}

}  // namespace soma::memory
