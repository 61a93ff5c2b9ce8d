#include "memory/vectors.hpp"

#include <algorithm>
#include <set>

#include "core/fingerprint.hpp"
#include "core/thread_name.hpp"
#include "core/uuid.hpp"
#include "memory/vectors_private.hpp"

namespace soma::memory {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t rows_at_once = 256, texts_at_once = 32, points_at_once = 64;
constexpr std::string_view probe = "a word";  // that any provider takes which takes any
constexpr milliseconds slice(100), counted_every(1'000);

// Another text may well be taken.
bool is_of_the_text(const error& why) {
  return why.code == codes::llm_bad_request || why.code == codes::llm_context_exceeded;
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
  // Where nodes share them one deletes them for all.
  if (log_.keeps_documents())
    if (auto written = log_.write_rows(rows); !written) return written.error();
  const std::lock_guard lock(mutex_);
  const auto of = tenants_.find(tenant.value);
  if (of == tenants_.end()) return {};
  for (const auto& id : ids) {
    of->second.aside.erase(id);
    of->second.attempts.erase(id);
    if (of->second.set) of->second.set->erase(id);
  }
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
  if (!reader || !(*reader)->begin(clock::now() + vectors_read_for)) return out;
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
    std::unique_lock lock(mutex_);
    auto& of = tenants_[tenant.value];
    if (of.retry_at > clock::now()) {
      const bool again = of.counted_at + counted_every < clock::now();
      lock.unlock();
      if (again) count_waiting(tenant);
      return step::failed;
    }
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
  auto count = result<std::uint64_t>(std::uint64_t{0});
  // Not held while a provider is asked: an index that is damaged waits for its readers.
  const auto read = [&]() -> result<std::vector<index_text>> {
    auto reader = index_->read();
    if (!reader) return reader.error();
    if (auto ok = (*reader)->begin(clock::now() + vectors_read_for); !ok) return ok.error();
    auto found = (*reader)->texts_behind(tenant, position, rows_at_once);
    if (too_large) count = (*reader)->count(tenant);
    (*reader)->end();
    return found;
  };
  const auto rows = read();
  if (!rows) return step::idle;
  if (too_large && count) {  // so many went meanwhile that the others have room
    const std::lock_guard lock(mutex_);
    auto& of = tenants_[tenant.value];
    of.too_large =
        vector_set::bytes_of(*count, of.dimension, options_.exact_max) > options_.bytes_max;
  }
  if (rows->size() == rows_at_once)
    count_waiting(tenant);
  else
    note_waiting(tenant, rows->size());
  if (!rows->empty()) return embed_some(tenant, *rows);
  const std::lock_guard lock(mutex_);
  tenants_[tenant.value].complete = true;
  return growing ? step::more : step::idle;
}

void vectors::count_waiting(const tenant_id& tenant) {
  std::int64_t position = 0;
  {
    const std::lock_guard lock(mutex_);
    position = tenants_[tenant.value].position;
  }
  auto reader = index_->read();
  if (!reader || !(*reader)->begin(clock::now() + vectors_read_for)) return;
  const auto count = (*reader)->count_behind(tenant, position, waiting_counted_max);
  (*reader)->end();
  if (count) note_waiting(tenant, *count);
}

void vectors::note_waiting(const tenant_id& tenant, std::size_t count) {
  const std::lock_guard lock(mutex_);
  auto& of = tenants_[tenant.value];
  of.waiting = count;
  of.counted_at = clock::now();
  if (count == 0)
    of.behind_since = {};
  else if (of.behind_since == clock::time_point())
    of.behind_since = of.counted_at;
}

vectors::step vectors::embed_some(const tenant_id& tenant, const std::vector<index_text>& rows) {
  work of;
  std::set<std::string> blamed;
  {
    const std::lock_guard lock(mutex_);
    const auto& now = tenants_[tenant.value];
    of = now;
    for (const auto& [id, times] : now.attempts) blamed.insert(id);
  }
  std::vector<const index_text*> missing;
  auto behind = rows.back().number;
  // Where nodes share them one has them made; the others wait for what it keeps.
  const bool makes = log_.keeps_documents();
  bool waits = false;
  auto passed = of.position;
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
    if (current && kept.values.empty()) note_aside(tenant, row.id);
    if (current && (kept.values.empty() || kept.values.size() == of.dimension)) {
      if (!makes && !kept.values.empty()) take_in(tenant, row.id, kept);
      passed = row.number;
      continue;
    }
    if (!makes) {
      waits = true;
      behind = passed;
      break;
    }
    missing.push_back(&row);
    if (missing.size() < texts_at_once) continue;
    behind = row.number;
    break;
  }
  const bool alone = std::any_of(missing.begin(), missing.end(),
                                 [&](const auto* row) { return blamed.contains(row->id); });
  if (!missing.empty())
    if (const auto ended = alone ? each_alone(tenant, of, missing) : together(tenant, of, missing))
      return *ended;
  const std::lock_guard lock(mutex_);
  auto& now = tenants_[tenant.value];
  if (now.model != of.model || now.generation != of.generation) return step::more;
  now.position = behind;
  now.failed_at = -1;
  now.attempts.clear();
  now.why.clear();
  now.back_off = milliseconds(0);
  return waits ? step::idle : step::more;
}

// One that another node made.
void vectors::take_in(const tenant_id& tenant, const std::string& id, const stored_vector& what) {
  const std::lock_guard lock(mutex_);
  auto& of = tenants_[tenant.value];
  of.aside.erase(id);
  if (of.set && what.model == of.model_number && what.values.size() == of.set->dimension()) {
    of.set->put(id, what.values);
    if (!make_room(tenant.value, of.set->bytes())) drop(of, true);
  }
}

// None: all of them are kept.
std::optional<vectors::step> vectors::together(const tenant_id& tenant, const work& of,
                                               const std::vector<const index_text*>& rows) {
  // An outage is no text's fault: the first failure is waited out, and where nothing is taken not
  // much is sent.
  const bool again = of.failed_at == of.position;
  if (again)
    if (auto answers = embedded(tenant, {std::string(probe)}); !answers)
      return failed(tenant, answers.error(), of.position);
  std::vector<std::string> texts;
  for (const auto* row : rows) texts.push_back(embedded_text(row->text));
  auto made = embedded(tenant, texts);
  if (stopping()) return step::idle;
  if (!made && (again || is_of_the_text(made.error()))) return each_alone(tenant, of, rows);
  if (!made) return failed(tenant, made.error(), of.position);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto kept = keep_made(tenant, of, *rows[i], std::move((*made)[i]));
    if (!kept) return failed(tenant, kept.error());
    if (!*kept) return step::more;
  }
  return std::nullopt;
}

void vectors::note_aside(const tenant_id& tenant, const std::string& id) {
  const std::lock_guard lock(mutex_);
  auto& aside = tenants_[tenant.value].aside;
  if (aside.size() < waiting_counted_max) aside.insert(id);
}

// Until it is there, its time is over or this stops.
result<std::vector<embedding>> vectors::embedded(const tenant_id& tenant,
                                                 const std::vector<std::string>& texts) {
  auto call = options_.asks->begin(tenant, {}, texts, static_cast<int>(options_.embed_for.count()));
  const auto end = clock::now() + options_.embed_for;
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

// They failed together: one may be at fault. Each is asked for by itself; where one fails while the
// provider takes another text, it is that text that failed, and after so many times it is set aside
// with an empty vector, so that the others are not held up. None: none is left to be asked for.
std::optional<vectors::step> vectors::each_alone(const tenant_id& tenant, const work& of,
                                                 const std::vector<const index_text*>& rows) {
  const auto asked = [&] { return embedded(tenant, {std::string(probe)}); };
  if (auto answers = asked(); !answers) return failed(tenant, answers.error(), of.position);
  std::optional<error> left;
  for (const auto* row : rows) {
    auto one = embedded(tenant, {embedded_text(row->text)});
    if (stopping()) return step::idle;
    if (!one) {
      const bool certain = is_of_the_text(one.error());
      if (!certain)
        if (auto answers = asked(); !answers) return failed(tenant, answers.error(), of.position);
      if (!certain && !is_given_up(tenant, row->id)) {
        left = one.error();
        continue;
      }
      if (options_.on_notice)
        options_.on_notice("a memory is set aside, and found by its words alone: " +
                           std::string(one.error().code));
    }
    auto kept = keep_made(tenant, of, *row, one ? std::move(one->front()) : embedding());
    if (!kept) return failed(tenant, kept.error());
    if (!*kept) return step::more;
  }
  if (left) return failed(tenant, *left, of.position);
  return std::nullopt;
}

// Whether it has failed alone as often as may be.
bool vectors::is_given_up(const tenant_id& tenant, const std::string& id) {
  const std::lock_guard lock(mutex_);
  return ++tenants_[tenant.value].attempts[id] >= options_.attempts_max;
}

bool vectors::stopping() const {
  const std::lock_guard lock(mutex_);
  return stop_;
}

// False: it is of another dimension, and all are made anew.
result<bool> vectors::keep_made(const tenant_id& tenant, const work& of, const index_text& row,
                                embedding values) {
  stored_vector what;
  what.model = of.model_number;
  what.text = fingerprint(row.text);
  what.values = std::move(values);
  if (!what.values.empty() && !found_dimension(tenant, what.values.size())) return false;
  if (auto kept = keep(tenant, row, std::move(what)); !kept) return kept.error();
  return true;
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
  rows.expected.push_back({std::string(item_collection), item_key(tenant, row.session, row.id)});
  rows.documents.push_back(
      {std::string(vector_collection), vector_key(tenant, row.id), encode(what)});
  auto written = log_.write_rows(rows);
  if (!written || !*written) return written;
  if (what.values.empty()) note_aside(tenant, row.id);
  const std::lock_guard lock(mutex_);
  auto& of = tenants_[tenant.value];
  if (!what.values.empty()) of.aside.erase(row.id);
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

}  // namespace soma::memory
