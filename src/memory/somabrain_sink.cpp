#include "memory/somabrain_sink.hpp"

#include <algorithm>

#include "core/codes.hpp"

namespace soma::memory {

using outbox::attempt;
using outbox::row_outcome;

std::optional<outbox::row_facts> somabrain_sink::facts(std::string_view payload) const {
  if (const auto said = read_rating(payload)) {
    outbox::row_facts out;
    out.tenant = said->key.tenant.value;
    out.session = said->key.session.value;
    // A rating that is refused holds up no memory.
    out.group = out.tenant + "\nfeedback";
    out.order = out.tenant + '\n' + out.session + "\nfeedback\n";
    return out;
  }
  const auto what = read_change(payload);
  if (!what || what->what == change::kind::session) return std::nullopt;
  const auto& [tenant, session] = what->key;
  outbox::row_facts out;
  out.tenant = out.group = tenant.value;
  // What is of no session has no order but that of its own changes.
  const bool of_none = session.value == no_session;
  if (!of_none) out.session = session.value;
  out.order = tenant.value + '\n' + session.value + (of_none ? '\n' + what->id : std::string());
  return out;
}

// None: it is gone, or cannot be read, and no other try would change that.
result<std::optional<item>> somabrain_sink::item_of(const change& what) const {
  const auto& [tenant, session] = what.key;
  const auto text = log_.get_document(item_collection, item_key(tenant, session.value, what.id));
  if (!text && text.error().code != codes::storage_corrupt) return text.error();
  if (!text || !*text) return std::optional<item>();
  auto it = decode_item(**text);
  return it ? std::optional(std::move(*it)) : std::optional<item>();
}

attempt somabrain_sink::send(const std::vector<std::string>& payloads) {
  if (read_rating(payloads.front())) {  // a group has none or nothing else
    std::vector<rating> ratings;
    for (const auto& payload : payloads) ratings.push_back(*read_rating(payload));
    return ratings_.send(ratings);
  }
  const auto store_failed = [](const error& why) {
    attempt out;
    out.how = attempt::kind::away;
    out.why = "the store: " + why.detail;
    return out;
  };
  attempt out;
  out.rows.assign(payloads.size(), row_outcome::open);
  std::vector<brain_item> items;
  std::vector<std::size_t> places;  // in `payloads`
  std::vector<memories::new_state> states;
  tenant_id tenant;
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    const auto what = read_change(payloads[i]);
    tenant = what->key.tenant;
    auto it = item_of(*what);
    if (!it) return store_failed(it.error());
    const bool stone_wanted = what->what == change::kind::gone;
    // A stone is not for what is there again, and what went meanwhile has its own row behind.
    if (stone_wanted == it->has_value() || (*it && (*it)->state == "replicated")) {
      out.rows[i] = row_outcome::done;
      continue;
    }
    places.push_back(i);
    items.push_back(stone_wanted ? stone(what->id) : to_brain(**it));
    states.push_back({what->key.session.value, what->id, *it ? (*it)->updated_at_ms : -1});
  }
  if (items.empty()) return out;
  auto came = to_.remember(tenant, items);
  std::vector<memories::new_state> told;
  for (std::size_t k = 0; k < places.size() && k < came.rows.size(); ++k) {
    out.rows[places[k]] = came.rows[k];
    if (came.rows[k] == row_outcome::done && !items[k].gone) told.push_back(std::move(states[k]));
  }
  out.how = came.how;
  out.why = std::move(came.why);
  out.retry_after_ms = came.retry_after_ms;
  if (told.empty()) return out;
  // What is not written down was not acknowledged: it is sent again.
  if (auto written = kept_.set_states(tenant, told, "replicated"); !written)
    return store_failed(written.error());
  return out;
}

void somabrain_sink::gave_up(std::string_view payload) {
  const auto what = read_change(payload);
  if (!what || what->what != change::kind::item) return;
  (void)kept_.set_states(what->key.tenant, {{what->key.session.value, what->id, 0}}, "failed");
}

std::int64_t somabrain_sink::since_ms(std::string_view payload) const {
  const auto what = read_change(payload);
  if (!what) return 0;
  const auto it = item_of(*what);
  return it && *it ? (*it)->updated_at_ms : 0;
}

}  // namespace soma::memory
