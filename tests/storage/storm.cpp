#include "storm.hpp"

#include <algorithm>
#include <set>
#include <sstream>

namespace soma::storage::testing {
namespace {

constexpr int records = 25, document_names = 6;
constexpr const char* tenant_names[] = {"t", "t1", "u"};
// Prefixes of each other, and bytes at both ends of the order.
constexpr const char* session_names[] = {"s", "s1", "s11", "s\x01", "s\xff"};

std::string record_key(std::uint64_t n) {
  return "t\x1fPOST /v1/x\x1f" + std::to_string(n);
}

template <class T>
std::string code_or_ok(const result<T>& r) {
  return r ? "ok" : std::string(r.error().code);
}

void write_info(std::ostream& out, const session_info& info) {
  out << " title=" << info.title << " persona=" << info.persona_id << " user=" << info.user_id
      << " at=" << info.created_at_ms << "," << info.updated_at_ms << " n=" << info.message_count
      << (info.paused ? " paused" : "") << (info.busy ? " busy" : "");
}

void write_page(std::ostream& out, const event_page& page) {
  for (const auto& e : page.events)
    out << "  " << e.id.seq << " " << to_string(e.type) << " " << e.json << "\n";
  out << "  scanned " << page.scanned_seq << (page.end ? " end" : "") << "\n";
}

void write_session(std::ostream& out, const event_log& log, const session_key& key) {
  const auto head = log.head(key);
  out << "session " << key.tenant.value << "/" << key.session.value << ": ";
  if (!head) {
    out << head.error().code << "\n";
    return;
  }
  out << head->first_seq << ".." << head->seq << " compact=" << head->compact_seq;
  write_info(out, head->info);
  out << "\n";
  std::uint32_t epoch_before = 0;
  for (const auto& start : head->epochs) {
    if (start.epoch <= epoch_before || start.epoch > log.epoch()) out << "  EPOCHS OUT OF ORDER\n";
    epoch_before = start.epoch;
  }
  std::uint64_t expected = head->first_seq;
  read_options options;
  options.events_max = 50;
  for (bool end = false; !end;) {
    const auto page = log.read(key, options);
    if (!page) {
      out << "  CANNOT BE READ: " << page.error().code << " " << page.error().detail << "\n";
      return;
    }
    for (const auto& e : page->events) {
      if (e.id.seq != expected++) out << "  NOT DENSE\n";
      if (e.id.epoch != head->epoch_of(e.id.seq)) out << "  EPOCH IS NOT THE HEAD'S\n";
      out << "  " << e.id.seq << " " << to_string(e.type) << " " << e.json << "\n";
    }
    options.after_seq = page->scanned_seq;
    end = page->end;
  }
  if (expected != head->seq + 1) out << "  ENDS BEFORE ITS HEAD\n";
  const auto snapshot = log.snapshot(key);
  if (snapshot)
    out << "  snapshot " << snapshot->value_or("none") << "\n";
  else
    out << "  CANNOT BE READ: " << snapshot.error().code << " " << snapshot.error().detail << "\n";
}

void write_list(std::ostream& out, const event_log& log, const tenant_id& tenant) {
  out << "list " << tenant.value << ":";
  session_list_options options;
  options.limit = 3;
  do {
    const auto page = log.list(tenant, options);
    if (!page) {
      out << " " << page.error().code << " " << page.error().detail;
      break;
    }
    for (const auto& row : page->sessions) out << " " << row.session.value << "@" << row.head.seq;
    options.cursor = page->next_cursor;
  } while (!options.cursor.empty());
  out << "\n";
}

}  // namespace

const std::vector<session_key>& storm_sessions() {
  static const auto all = [] {
    std::vector<session_key> keys;
    for (const auto* tenant : tenant_names)
      for (const auto* session : session_names)
        keys.push_back({tenant_id(tenant), session_id(session)});
    return keys;
  }();
  return all;
}

encoded_event storm::next_event(std::uint64_t seq) {
  encoded_event e;
  e.seq = seq;
  e.type = static_cast<event_type>(1 + pick(event_type_max));
  if (chance(50)) e.type = event_type::llm_delta;
  std::string padding(pick(padding_max_ + 1), 'a');
  if (chance(3)) padding.assign(storm_event_bytes_max - 100 + pick(200), 'b');  // some too large
  for (std::size_t at = 0; at < padding.size(); at += 7)
    padding[at] = static_cast<char>('a' + pick(26));
  e.json = "{\"r\":" + std::to_string(random_()) + ",\"p\":\"" + padding + "\"}";
  return e;
}

session_info storm::next_info() {
  static constexpr const char* titles[] = {"", "Fox and hound", "a fox", "B\xC3\xA4r", "plain"};
  session_info info;
  info.title = titles[pick(std::size(titles))];
  info.persona_id = chance(50) ? "persona" : "";
  info.user_id = "user" + std::to_string(pick(3));
  info.created_at_ms = static_cast<std::int64_t>(pick(1000));
  info.updated_at_ms = static_cast<std::int64_t>(pick(30));  // ties are wanted
  info.message_count = pick(100);
  info.paused = chance(20);
  info.busy = chance(40);
  return info;
}

idempotency_record storm::next_record() {
  idempotency_record record{
      record_key(pick(records)), "hash" + std::to_string(pick(9)), 200 + static_cast<int>(pick(5)),
      "{\"r\":" + std::to_string(random_()) + "}", static_cast<std::int64_t>(pick(1000))};
  if (chance(60)) record.ttl_ms = static_cast<std::int64_t>(pick(400));
  return record;
}

append_op storm::next_op(const session_key& key, std::uint64_t seq, bool staged) {
  append_op op;
  op.key = key;
  op.expected_seq = chance(6) ? seq + pick(3) - 1 : seq;
  const auto events = chance(15) ? 0 : 1 + pick(5);
  for (std::uint64_t n = 1; n <= events; ++n) op.events.push_back(next_event(op.expected_seq + n));
  const auto last = op.expected_seq + events;
  if (chance(60)) op.info = next_info();
  if (chance(20)) op.compact_seq = pick(last + 2);
  if (chance(6) && !op.events.empty()) op.first_seq = last - pick(op.events.size());
  op.remove = chance(4);
  op.publish_staged = staged ? chance(80) : chance(2);
  if (chance(15)) op.snapshot = "as of " + std::to_string(last);
  while (chance(30)) op.idempotency.push_back(next_record());
  while (chance(20)) op.outbox.push_back({"kafka", "row " + std::to_string(random_())});
  return op;
}

storm_step storm::next(const event_log& log) {
  const auto& keys = storm_sessions();
  const auto seq_of = [&](const session_key& key) {
    const auto head = log.head(key);
    return head ? head->seq : 0;
  };
  storm_step step;
  const auto dice = pick(100);
  if (dice < 80) {
    step.what = storm_step::commit;
    std::map<session_key, std::uint64_t> now;  // as far as the ops of this batch go
    for (auto n = 1 + pick(4); n > 0; --n) {
      const auto& key = keys[pick(keys.size())];
      if (!now.contains(key)) now[key] = staged_.contains(key) ? staged_[key] : seq_of(key);
      step.ops.push_back(next_op(key, now[key], staged_.contains(key)));
      const auto& op = step.ops.back();
      now[key] = op.remove ? 0 : op.expected_seq + op.events.size();
    }
  } else if (dice < 86) {
    step.what = storm_step::stage;
    step.key = keys[pick(keys.size())];
    const auto from = staged_.contains(step.key) ? staged_[step.key] : 0;
    for (std::uint64_t n = 1, count = pick(6); n <= count; ++n)
      step.events.push_back(next_event(from + n));
  } else if (dice < 89) {
    step.what = storm_step::discard;
    step.key = keys[pick(keys.size())];
  } else if (dice < 92) {
    step.what = storm_step::expire;
    step.before_ms = static_cast<std::int64_t>(pick(600));
  } else if (dice < 95) {
    step.what = storm_step::record;
    step.kept = next_record();
  } else {
    step.what = chance(70) ? storm_step::document : storm_step::no_document;
    step.name = "d" + std::to_string(pick(document_names));
    step.text = std::to_string(random_());
  }
  return step;
}

std::string storm::apply(const storm_step& step, event_log& log) {
  switch (step.what) {
    case storm_step::commit: {
      std::string said = "commit";
      const auto results = log.commit(step.ops);
      for (std::size_t n = 0; n < results.size(); ++n) {
        said +=
            " " + (results[n] ? std::to_string(*results[n]) : std::string(results[n].error().code));
        if (results[n]) staged_.erase(step.ops[n].key);
      }
      return said;
    }
    case storm_step::stage: {
      const auto done = log.stage(step.key, step.events);
      if (done && !step.events.empty()) staged_[step.key] = step.events.back().seq;
      return "stage " + code_or_ok(done);
    }
    case storm_step::discard: {
      const auto done = log.discard_staged(step.key);
      if (done) staged_.erase(step.key);
      return "discard " + code_or_ok(done);
    }
    case storm_step::expire: {
      const auto done = log.expire_idempotency(step.before_ms, 1000);
      return "expire " + (done ? std::to_string(*done) : code_or_ok(done));
    }
    case storm_step::record: return "record " + code_or_ok(log.put_idempotency(step.kept));
    case storm_step::document:
      return "document " + code_or_ok(log.put_document("storm", step.name, step.text));
    case storm_step::no_document:
      return "document " + code_or_ok(log.delete_document("storm", step.name));
  }
  return {};
}

std::string storm::look(const event_log& log, std::uint64_t read_seed) const {
  std::mt19937_64 random(read_seed);
  const auto pick = [&](std::uint64_t n) { return random() % n; };
  std::ostringstream out;
  const auto& key = storm_sessions()[pick(storm_sessions().size())];
  const auto head = log.head(key);
  const auto seq = head ? head->seq : 0;
  read_options options;
  options.after_seq = pick(4) ? pick(seq + 3) : 0;
  options.before_seq = pick(4) ? UINT64_MAX : pick(seq + 3);
  options.backwards = pick(2);
  options.compact = pick(2);
  options.types = pick(2) ? 0 : static_cast<std::uint32_t>(random());
  options.events_max = pick(12);
  options.bytes_max = pick(2) ? 256 * 1024 : pick(3000);
  const auto page = log.read(key, options);
  out << code_or_ok(page) << "\n";
  if (page) write_page(out, *page);
  session_list_options listing;
  listing.query = pick(2) ? "fox" : "";
  listing.limit = pick(5);
  if (pick(2)) listing.cursor = std::to_string(pick(30)) + "-" + session_names[pick(5)];
  const auto rows = log.list(key.tenant, listing);
  out << code_or_ok(rows);
  if (rows) {
    for (const auto& row : rows->sessions) out << " " << row.session.value << "@" << row.head.seq;
    out << " next " << rows->next_cursor;
  }
  return out.str();
}

std::string dump(const event_log& log) {
  std::ostringstream out;
  out << "tenants:";
  if (const auto tenants = log.tenants())
    for (const auto& tenant : *tenants) out << " " << tenant.value;
  else
    out << " " << tenants.error().code;
  out << "\n";
  for (const auto& key : storm_sessions()) write_session(out, log, key);
  for (const auto* tenant : tenant_names) write_list(out, log, tenant_id(tenant));
  out << "busy:";
  if (const auto busy = log.busy_sessions()) {
    const std::set<session_key> sorted(busy->begin(), busy->end());
    if (sorted.size() != busy->size()) out << " TWICE";
    for (const auto& key : sorted) out << " " << key.tenant.value << "/" << key.session.value;
  } else {
    out << " " << busy.error().code;
  }
  out << "\n";
  for (int n = 0; n < records; ++n) {
    const auto found = log.find_idempotency(record_key(static_cast<std::uint64_t>(n)));
    if (!found) out << "record " << n << ": " << found.error().code << "\n";
    if (!found || !*found) continue;
    const auto& r = **found;
    out << "record " << n << ": " << r.request_hash << " " << r.status << " " << r.response_json
        << " " << r.created_at_ms << "\n";
  }
  const auto documents = log.list_documents("storm", "", 1000);
  if (!documents) out << "documents: " << documents.error().code << "\n";
  if (documents)
    for (const auto& [name, text] : *documents) out << "document " << name << ": " << text << "\n";
  return out.str();
}

void drop_stages(event_log& log) {
  for (const auto& key : storm_sessions()) (void)log.discard_staged(key);
}

std::string difference(const std::string& a, const std::string& b) {
  std::istringstream left(a), right(b);
  std::string l, r, section;
  for (int line = 1;; ++line) {
    const bool more_left = static_cast<bool>(std::getline(left, l));
    const bool more_right = static_cast<bool>(std::getline(right, r));
    if (!more_left && !more_right) return {};
    if (!more_left) l = "(nothing)";
    if (!more_right) r = "(nothing)";
    if (l != r)
      return "line " + std::to_string(line) + ", in " + section + ":\n  " + l.substr(0, 200) +
             "\n  " + r.substr(0, 200);
    if (!l.starts_with(' ')) section = l.substr(0, 60);
  }
}

}  // namespace soma::storage::testing
