#include "memory/index_reader.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "memory/index_file.hpp"

namespace soma::memory {
namespace {

// Rows of a term that are looked at: one that more have says little, and is left out where others
// of the question say more. All of a question's share a sum, which bounds what a long one costs:
// some two milliseconds of a core.
constexpr std::size_t rows_of_a_term_max = 5000, rows_of_words_max = 10'000,
                      rows_of_parts_max = 4'000, rows_of_a_term_at_least = 256;
// BM25 with every word counted once, a constant in place of the corpus's usual length, and its size
// in steps as of the question: what is added later changes no score.
constexpr double k1 = 1.2, b = 0.4, usual_bytes = 400;
// Of passages, which are as long as they were cut and say no less by it.
constexpr double usual_passage_bytes = 1200;

double rareness(std::size_t rows, double corpus) {
  const auto with = static_cast<double>(rows);
  return std::log(1 + (std::max(corpus, with) - with + 0.5) / (with + 0.5));
}

// Long texts have many words by chance. A short one is no better for being shorter than another.
double length_factor(const index_row& row) {
  const auto usual = row.kind == "knowledge" ? usual_passage_bytes : usual_bytes;
  const auto length = std::max(1.0, static_cast<double>(row.bytes) / usual);
  return (k1 + 1) / (1 + k1 * (1 - b + b * length));
}

constexpr std::string_view columns =
    "number, session, id, kind, message_id, owner, state, tags, pinned, created_at, bytes, "
    "expires_at";

index_row row_of(const sqlite_statement& s) {
  index_row row;
  row.number = s.number(0);
  row.session = s.text(1);
  row.id = s.text(2);
  row.kind = s.text(3);
  row.message_id = s.text(4);
  row.owner = s.text(5);
  row.state = s.text(6);
  row.tags = s.text(7);
  row.pinned = s.number(8) != 0;
  row.created_at_ms = s.number(9);
  row.bytes = static_cast<std::size_t>(s.number(10));
  row.expires_at_ms = s.number(11);
  return row;
}

struct term_rows {
  std::vector<std::int64_t> rows;  // the newest first
  bool common = false;
  bool skipped = false;  // known to be common, and not looked at
};

result<term_rows> rows_of(sqlite_statement& find, const std::string& term, std::int64_t at,
                          std::size_t rows_max) {
  term_rows out;
  find.bind(1, term).bind(2, at).bind(3, static_cast<std::int64_t>(rows_max + 1));
  for (;;) {
    auto more = find.step();
    if (!more) return more.error();
    if (!*more) break;
    out.rows.push_back(find.number(0));
  }
  find.reset();
  out.common = out.rows.size() > rows_max;
  if (out.common) out.rows.pop_back();
  return out;
}

bool any_rare(const std::vector<term_rows>& terms) {
  return std::any_of(terms.begin(), terms.end(),
                     [](const auto& t) { return !t.common && !t.rows.empty(); });
}

using scored = std::pair<double, std::int64_t>;

// A heap by what they have of the terms, newest first among equals, so that looking can end early.
std::vector<scored> scores_of(const std::vector<term_rows>& terms, double corpus) {
  const bool rare = any_rare(terms);
  std::vector<std::pair<std::int64_t, double>> all;
  std::size_t size = 0;
  for (const auto& term : terms) size += term.rows.size();
  all.reserve(size);
  for (const auto& term : terms) {
    if (rare && term.common) continue;
    const auto worth = rareness(term.rows.size(), corpus);
    for (const auto row : term.rows) all.emplace_back(row, worth);
  }
  // Equal rows in the order of their terms: a sum is the same however they came together.
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& x, const auto& y) { return x.first > y.first; });
  std::vector<scored> out;
  for (const auto& [row, worth] : all) {
    if (out.empty() || out.back().second != row) out.emplace_back(0, row);
    out.back().first += worth;
  }
  std::make_heap(out.begin(), out.end());
  return out;
}

}  // namespace

result<std::unique_ptr<index_reader>> index_reader::open(const std::string& path) {
  auto db = sqlite_file::open(path, sqlite_file::access::read);
  if (!db) return db.error();
  // Each write makes a reader's own cache worthless: what is mapped is read without one.
  if (auto ok =
          (*db)->run("PRAGMA query_only=1; PRAGMA cache_size=-8192; PRAGMA mmap_size=268435456");
      !ok)
    return ok.error();
  return std::unique_ptr<index_reader>(new index_reader(std::move(*db)));
}

result<void> index_reader::begin(std::chrono::steady_clock::time_point until) {
  db_->set_deadline(until);
  if (auto ok = db_->run("BEGIN"); !ok) return ok;
  last_ = 0;
  building_ = false;
  auto kept = db_->kept("SELECT name, value FROM marks WHERE name IN ('last', 'building')");
  if (!kept) return kept.error();
  auto& marks = **kept;
  for (;;) {
    auto row = marks.step();
    if (!row) return row.error();
    if (!*row) break;
    const auto value = marks.text(1);
    if (marks.text(0) == "building")
      building_ = true;
    else
      std::from_chars(value.data(), value.data() + value.size(), last_);
  }
  marks.reset();
  return {};
}

void index_reader::end() {
  db_->set_deadline(std::chrono::steady_clock::time_point::max());
  (void)db_->run("ROLLBACK");
}

result<std::int64_t> index_reader::tenant_number(const tenant_id& tenant) {
  auto find = db_->kept("SELECT no FROM tenants WHERE tenant=?");
  if (!find) return find.error();
  auto row = (*find)->bind(1, tenant.value).step();
  if (!row) return row.error();
  const auto no = *row ? (*find)->number(0) : 0;
  (*find)->reset();
  return no;
}

result<std::int64_t> index_reader::size_as_of(std::int64_t tenant, std::int64_t at) {
  auto find = db_->kept("SELECT max(items) FROM sizes WHERE tenant=? AND number<=?");
  if (!find) return find.error();
  auto row = (*find)->bind(1, tenant).bind(2, at).step();
  if (!row) return row.error();
  const auto size = *row ? (*find)->number(0) : 0;
  (*find)->reset();
  return std::max(size_min, size);
}

bool index_reader::is_known_common(const std::string& term, std::int64_t at,
                                   std::size_t rows) const {
  const auto known = common_.find(term);
  return known != common_.end() && known->second.at <= at && known->second.rows >= rows;
}

void index_reader::note_common(std::string term, std::int64_t at, std::size_t rows) {
  if (common_.size() >= common_terms_max) common_.clear();
  common_.insert_or_assign(std::move(term), common_term{at, rows});
}

result<index_reader::ranked> index_reader::rank(const tenant_id& tenant, table which,
                                                const std::vector<std::string>& terms,
                                                std::int64_t at, const row_filter& passes,
                                                std::size_t rows_max) {
  ranked answer;
  auto& out = answer.rows;
  answer.rows_of_terms.resize(terms.size());
  auto no = tenant_number(tenant);
  if (!no) return no.error();
  if (*no == 0) return answer;
  const auto name = which == table::words ? words_table(*no) : parts_table(*no);
  auto find = db_->kept("SELECT rowid FROM " + name + " WHERE " + name +
                        " MATCH ? AND rowid<=? ORDER BY rowid DESC LIMIT ?");
  if (!find) return find.error();
  std::vector<term_rows> found(terms.size());
  const auto rows_of_all = which == table::words ? rows_of_words_max : rows_of_parts_max;
  const auto rows_of_each = std::clamp(rows_of_all / std::max<std::size_t>(1, terms.size()),
                                       rows_of_a_term_at_least, rows_of_a_term_max);
  const auto look = [&](std::size_t i) -> result<void> {
    auto rows = rows_of(**find, terms[i], at, rows_of_each);
    if (!rows) return rows.error();
    found[i] = std::move(*rows);
    if (found[i].common) note_common(name + ' ' + terms[i], at, rows_of_each);
    return {};
  };
  for (std::size_t i = 0; i < terms.size(); ++i) {
    if (is_known_common(name + ' ' + terms[i], at, rows_of_each))
      found[i].common = found[i].skipped = true;
    else if (auto ok = look(i); !ok)
      return ok.error();
  }
  if (!any_rare(found))  // then what is common is all there is
    for (std::size_t i = 0; i < terms.size(); ++i)
      if (found[i].skipped)
        if (auto ok = look(i); !ok) return ok.error();
  const auto size = size_as_of(*no, at);
  if (!size) return size.error();
  auto show = db_->kept("SELECT " + std::string(columns) + " FROM items WHERE number=?");
  if (!show) return show.error();
  auto scores = scores_of(found, static_cast<double>(*size));
  while (!scores.empty() && out.size() < rows_max) {
    std::pop_heap(scores.begin(), scores.end());
    const auto [sum, number] = scores.back();
    scores.pop_back();
    auto there = (*show)->bind(1, number).step();
    if (!there) return there.error();
    if (*there) {
      auto row = row_of(**show);
      if (passes(row)) {
        const auto score = sum * length_factor(row);
        out.push_back({std::move(row), score});
      }
    }
    (*show)->reset();
  }
  std::sort(out.begin(), out.end(), [](const ranked_row& x, const ranked_row& y) {
    return x.score != y.score ? x.score > y.score : x.row.id < y.row.id;
  });
  for (std::size_t i = 0; i < terms.size(); ++i)
    answer.rows_of_terms[i] = found[i].skipped ? rows_of_each : found[i].rows.size();
  return answer;
}

result<index_reader::list_page> index_reader::list(const tenant_id& tenant, const place& behind,
                                                   const row_filter& passes, std::size_t rows_max,
                                                   std::size_t looked_at_max) {
  list_page page;
  auto no = tenant_number(tenant);
  if (!no) return no.error();
  auto show = db_->prepare("SELECT " + std::string(columns) +
                           " FROM items WHERE tenant=? AND (created_at, id) < (?, ?)"
                           " ORDER BY created_at DESC, id DESC LIMIT ?");
  if (!show) return show.error();
  show->bind(1, *no).bind(2, behind.created_at_ms).bind(3, behind.id);
  show->bind(4, static_cast<std::int64_t>(looked_at_max + 1));
  std::size_t looked_at = 0;
  place last = behind;
  for (;;) {
    auto there = show->step();
    if (!there) return there.error();
    if (!*there) return page;
    auto row = row_of(*show);
    const bool fits = passes(row);
    if (looked_at == looked_at_max || (fits && page.rows.size() == rows_max)) {
      page.next = last;
      return page;
    }
    ++looked_at;
    last = {row.created_at_ms, row.id};
    if (fits) page.rows.push_back(std::move(row));
  }
}

result<index_reader::amounts> index_reader::amounts_of(const tenant_id& tenant) {
  auto find = db_->prepare("SELECT items, bytes FROM tenants WHERE tenant=?");
  if (!find) return find.error();
  auto row = find->bind(1, tenant.value).step();
  if (!row) return row.error();
  amounts out;
  if (!*row) return out;
  out.items = static_cast<std::uint64_t>(find->number(0));
  out.bytes = static_cast<std::uint64_t>(find->number(1));
  return out;
}

result<std::uint64_t> index_reader::count(const tenant_id& tenant) {
  const auto all = amounts_of(tenant);
  return all ? result<std::uint64_t>(all->items) : result<std::uint64_t>(all.error());
}

result<index_reader::states> index_reader::count_states(const tenant_id& tenant) {
  auto no = tenant_number(tenant);
  if (!no) return no.error();
  auto find = db_->prepare(
      "SELECT state, count(*) FROM items WHERE tenant=? AND state<>'stored' GROUP BY state");
  if (!find) return find.error();
  find->bind(1, *no);
  states out;
  for (;;) {
    auto row = find->step();
    if (!row) return row.error();
    if (!*row) return out;
    const auto many = static_cast<std::uint64_t>(find->number(1));
    (find->text(0) == "failed" ? out.failed : out.replicated) += many;
  }
}

result<std::vector<std::string>> index_reader::tenants() {
  std::vector<std::string> out;
  auto all = db_->prepare("SELECT tenant FROM tenants ORDER BY tenant");
  if (!all) return all.error();
  for (;;) {
    auto row = all->step();
    if (!row) return row.error();
    if (!*row) return out;
    out.emplace_back(all->text(0));
  }
}

result<std::vector<index_text>> index_reader::texts_behind(const tenant_id& tenant,
                                                           std::int64_t number,
                                                           std::size_t rows_max) {
  std::vector<index_text> out;
  auto no = tenant_number(tenant);
  if (!no) return no.error();
  auto find = db_->prepare(
      "SELECT number, session, id, text FROM items WHERE tenant=? AND number>?"
      " ORDER BY number LIMIT ?");
  if (!find) return find.error();
  find->bind(1, *no).bind(2, number).bind(3, static_cast<std::int64_t>(rows_max));
  for (;;) {
    auto row = find->step();
    if (!row) return row.error();
    if (!*row) return out;
    out.push_back({find->number(0), std::string(find->text(1)), std::string(find->text(2)),
                   std::string(find->text(3))});
  }
}

result<std::size_t> index_reader::count_behind(const tenant_id& tenant, std::int64_t number,
                                               std::size_t counted_max) {
  auto no = tenant_number(tenant);
  if (!no) return no.error();
  auto count = db_->prepare(
      "SELECT count(*) FROM (SELECT 1 FROM items WHERE tenant=? AND number>? LIMIT ?)");
  if (!count) return count.error();
  count->bind(1, *no).bind(2, number).bind(3, static_cast<std::int64_t>(counted_max));
  auto row = count->step();
  if (!row) return row.error();
  return *row ? static_cast<std::size_t>(count->number(0)) : 0;
}

result<std::optional<index_row>> index_reader::find(const tenant_id& tenant, std::string_view id) {
  auto no = tenant_number(tenant);
  if (!no) return no.error();
  auto show = db_->kept("SELECT " + std::string(columns) + " FROM items WHERE tenant=? AND id=?");
  if (!show) return show.error();
  auto there = (*show)->bind(1, *no).bind(2, id).step();
  if (!there) return there.error();
  std::optional<index_row> out;
  if (*there) out = row_of(**show);
  (*show)->reset();
  return out;
}

}  // namespace soma::memory
