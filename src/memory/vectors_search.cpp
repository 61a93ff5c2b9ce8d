// Searching by vectors, and what is told of them.
#include <algorithm>

#include "memory/vectors_private.hpp"

namespace soma::memory {
namespace {

constexpr std::size_t loaded_at_once = 500;

double seconds_since(std::chrono::steady_clock::time_point when) {
  if (when == std::chrono::steady_clock::time_point()) return 0;
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - when).count();
}

}  // namespace

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
  const bool knows = reader && (*reader)->begin(clock::now() + vectors_read_for).has_value();
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

vector_status vectors::last_status(const tenant_id& tenant) const {
  vector_status out;
  if (!options_.asks || options_.asks->model_of(tenant).empty()) return out;
  out.state = "building";
  const std::lock_guard lock(mutex_);
  const auto at = tenants_.find(tenant.value);
  if (at == tenants_.end()) return out;
  const auto& of = at->second;
  out.state = state_of(of);
  out.why = of.why;
  out.waiting = of.waiting;
  out.set_aside = of.aside.size();
  out.lag_s = seconds_since(of.behind_since);
  return out;
}

std::string vectors::state_of(const tenant_state& of) {
  if (!of.why.empty()) return "failing";
  return of.complete ? "ready" : "building";
}

vector_totals vectors::totals() const {
  vector_totals out;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, of] : tenants_) {
    if (of.model.empty()) continue;
    out.waiting += of.waiting;
    out.set_aside += of.aside.size();
    out.lag_s = std::max(out.lag_s, seconds_since(of.behind_since));
    ++(!of.why.empty() ? out.failing : of.complete ? out.ready : out.building);
  }
  return out;
}

vector_status vectors::status(const tenant_id& tenant) const {
  auto out = last_status(tenant);
  if (out.state == "off") return out;
  std::int64_t position = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto at = tenants_.find(tenant.value);
    if (at != tenants_.end() && at->second.generation == index_->generation())
      position = at->second.position;
  }
  auto reader = index_->read();
  if (!reader || !(*reader)->begin(clock::now() + vectors_read_for)) return out;
  if (const auto count = (*reader)->count_behind(tenant, position, waiting_counted_max))
    out.waiting = *count;
  (*reader)->end();
  return out;
}

}  // namespace soma::memory
