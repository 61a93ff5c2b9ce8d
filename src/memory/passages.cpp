#include "memory/passages.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <utility>

#include "core/utf8.hpp"

namespace soma::memory {
namespace {

// A section shorter than this stands in one passage with the next.
constexpr std::size_t section_characters_min = 200;
constexpr std::size_t heading_bytes_max = 200;  // of a title, in the headings that are told
constexpr std::size_t closing_marks_max = 8;    // behind a sentence's end

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool is_blank(std::string_view text) {
  return std::all_of(text.begin(), text.end(), is_space);
}

bool begins_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
}

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// The end of a sentence in scripts that put no space behind it: 。 ！ ？ ； and the Devanagari
// danda.
bool ends_wide_sentence(std::string_view at) {
  for (const std::string_view mark : {"。", "！", "？", "；", "।", "॥"})
    if (at.starts_with(mark)) return true;
  return false;
}

// 0: none. Closing quotes and brackets belong to the sentence.
std::size_t sentence_end_at(std::string_view text, std::size_t at) {
  if (ends_wide_sentence(text.substr(at))) {
    auto end = at + 3;
    for (std::size_t n = 0; n < closing_marks_max; ++n, end += 3) {
      const auto next = text.substr(end);
      if (!next.starts_with("」") && !next.starts_with("』") && !next.starts_with("”") &&
          !next.starts_with("）"))
        break;
    }
    return end;
  }
  if (text[at] != '.' && text[at] != '!' && text[at] != '?') return 0;
  auto end = at + 1;
  while (end < text.size() && end - at <= closing_marks_max &&
         std::string_view("\"')]").find(text[end]) != std::string_view::npos)
    ++end;
  return end == text.size() || is_space(text[end]) ? end : 0;
}

// How many # a heading begins with; 0: it is none.
std::size_t heading_level(std::string_view line) {
  const auto level = line.find_first_not_of('#');
  if (level == 0 || level == std::string_view::npos || level > 6) return 0;
  return is_space(line[level]) && !is_blank(line.substr(level)) ? level : 0;
}

// The run of ` or ~ that opens or closes a block of code; empty: none.
std::string_view fence_of(std::string_view line) {
  const auto at = line.find_first_not_of(' ');
  if (at == std::string_view::npos || at > 3 || (line[at] != '`' && line[at] != '~')) return {};
  const auto end = std::min(line.find_first_not_of(line[at], at), line.size());
  return end - at >= 3 ? line.substr(at, end - at) : std::string_view();
}

struct piece {
  enum class kind { words, row, code, heading } what = kind::words;
  std::size_t from = 0, to = 0;    // bytes
  std::size_t first = 0, end = 0;  // characters
  std::size_t page = 0;
  std::shared_ptr<const std::string> heading{};  // the path
  std::size_t group_end = 0;  // characters: where the paragraph ends that begins here; else 0
};

// The document as pieces that are not cut any more, one after the other: a document may have
// millions of them.
class reader {
 public:
  // `take`: false ends it.
  reader(std::string_view text, const passage_options& how, std::function<bool(const piece&)> take)
      : text_(text),
        how_(how),
        piece_max_(std::max<std::size_t>(how.characters / 2, 1)),
        take_(std::move(take)) {}

  void read() {
    const bool paged = how_.paged || text_.find('\f') != std::string_view::npos;
    for (std::size_t at = 0; !over_;) {
      if (paged) ++page_;
      const auto end = std::min(text_.find('\f', at), text_.size());
      read_page(at, end);
      if (end == text_.size()) return;
      at = end + 1;
    }
  }

 private:
  std::string_view line_at(std::size_t at, std::size_t end) const {
    const auto rest = text_.substr(at, end - at);
    return rest.substr(0, rest.find('\n'));
  }
  std::size_t behind(std::size_t at, std::string_view line, std::size_t end) const {
    return std::min(at + line.size() + 1, end);
  }
  bool is_row(std::string_view line) const {
    if (how_.rows) return true;
    const auto inside = trimmed(line);
    return inside.find('\t') != std::string_view::npos ||
           (how_.headings && inside.starts_with('|'));
  }
  bool begins_other(std::string_view line) const {
    return is_blank(line) || !fence_of(line).empty() || is_row(line) ||
           (how_.headings && heading_level(line) > 0);
  }

  void read_page(std::size_t at, std::size_t end) {
    while (at < end && !over_) {
      const auto line = line_at(at, end);
      const auto next = behind(at, line, end);
      if (is_blank(line)) {
        at = next;
      } else if (const auto fence = fence_of(line); !fence.empty() && !how_.rows) {
        at = read_code(at, next, end, fence);
      } else if (const auto level = how_.headings ? heading_level(line) : 0; level > 0) {
        add_heading(level, trimmed(line.substr(level)));
        if (line.size() <= passage_whole_bytes_max)
          add(piece::kind::heading, at, at + line.size());
        else
          add_sentences(at, at + line.size());
        at = next;
      } else if (is_row(line)) {
        at = read_row(at, end);
      } else {
        at = read_paragraph(at, end);
      }
    }
  }

  std::size_t read_code(std::size_t from, std::size_t at, std::size_t end, std::string_view fence) {
    auto last = at;
    while (at < end) {
      const auto line = line_at(at, end);
      at = behind(at, line, end);
      last = at;
      const auto closes = fence_of(line);
      if (closes.size() >= fence.size() && closes[0] == fence[0] && trimmed(line) == closes) break;
    }
    add_whole(piece::kind::code, from, last);
    return at;
  }

  // With quotes that are open at its end, a row of CSV goes on in the next line.
  std::size_t read_row(std::size_t from, std::size_t end) {
    auto at = from;
    std::size_t quotes = 0;
    do {
      const auto line = line_at(at, end);
      quotes += static_cast<std::size_t>(std::count(line.begin(), line.end(), '"'));
      at = behind(at, line, end);
    } while (how_.rows && quotes % 2 == 1 && at < end && at - from < passage_whole_bytes_max);
    add_whole(piece::kind::row, from, at);
    return at;
  }

  std::size_t read_paragraph(std::size_t from, std::size_t end) {
    auto at = from, last = from;
    while (at < end) {
      const auto line = line_at(at, end);
      if (at > from && begins_other(line)) break;
      last = at + line.size();
      at = behind(at, line, end);
    }
    while (last > from && is_space(text_[last - 1])) --last;
    group_end_ = characters_before(from) + count_characters(text_.substr(from, last - from));
    add_sentences(from, last);
    return at;
  }

  // Sentences, and parts of those that are too long: between words, else between characters.
  void add_sentences(std::size_t from, std::size_t end) {
    const auto words = text_.substr(0, end);
    std::size_t begin = from, characters = 0, space = 0;
    for (auto at = from; at < end && !over_;) {
      if (const auto behind = sentence_end_at(words, at); behind > 0) {
        at = behind;
      } else {
        if (is_space(words[at])) space = at;
        const auto length = utf8_sequence_length(words.substr(at));
        at += std::max<std::size_t>(length, 1);
        if (++characters < piece_max_) continue;
        if (space > begin) at = space;
      }
      add(piece::kind::words, begin, at);
      while (at < end && is_space(words[at])) ++at;
      begin = at;
      characters = 0;
    }
    add(piece::kind::words, begin, end);
  }

  // As one, or where it is too long between lines, else between characters.
  void add_whole(piece::kind what, std::size_t from, std::size_t end) {
    while (end - from > passage_whole_bytes_max && !over_) {
      const auto part = text_.substr(from, passage_whole_bytes_max);
      auto length = part.rfind('\n');
      if (length == std::string_view::npos || length == 0) length = utf8_complete_prefix(part);
      if (length == 0) length = part.size();
      add(what, from, from + length);
      from += length;
    }
    add(what, from, end);
  }

  void add(piece::kind what, std::size_t from, std::size_t to) {
    while (to > from && is_space(text_[to - 1])) --to;
    while (from < to && text_[from] == '\n') ++from;
    if (from == to || over_) return;
    piece made;
    made.what = what;
    made.from = from;
    made.to = to;
    made.first = characters_before(from);
    made.end = characters_before(to);
    made.page = page_;
    made.heading = heading_;
    made.group_end = std::exchange(group_end_, 0);
    over_ = !take_(made);
  }

  void add_heading(std::size_t level, std::string_view title) {
    title = title.substr(0, utf8_complete_prefix(title.substr(0, heading_bytes_max)));
    path_[level - 1] = title;
    for (auto below = level; below < path_.size(); ++below) path_[below] = {};
    std::string all;
    for (const auto one : path_) {
      if (one.empty()) continue;
      if (!all.empty()) all += " > ";
      all += one;
    }
    heading_ = std::make_shared<const std::string>(std::move(all));
  }

  // Asked in the order of the text.
  std::size_t characters_before(std::size_t at) {
    characters_ += count_characters(text_.substr(counted_to_, at - counted_to_));
    counted_to_ = at;
    return characters_;
  }

  const std::string_view text_;
  const passage_options how_;
  const std::size_t piece_max_;
  const std::function<bool(const piece&)> take_;
  bool over_ = false;
  std::size_t page_ = 0, counted_to_ = 0, characters_ = 0;
  std::size_t group_end_ = 0;  // of the next piece
  std::array<std::string_view, 6> path_{};
  std::shared_ptr<const std::string> heading_ = std::make_shared<const std::string>();
};

// Pieces, put together as long as they fit.
class packer {
 public:
  packer(std::string_view text, const passage_options& how) : text_(text), how_(how) {}

  // False: there are as many as may be.
  bool take(const piece& next) {
    if (!held_.empty()) make_room_for(next);
    if (out_.more) return false;
    only_headings_ = is_heading(next) && (held_.empty() || only_headings_);
    held_.push_back(next);
    return true;
  }

  cut_document finish() {
    if (!out_.more) give();
    return std::move(out_);
  }

 private:
  static bool is_heading(const piece& one) { return one.what == piece::kind::heading; }
  std::size_t held_characters() const { return held_.back().end - held_.front().first; }

  void make_room_for(const piece& next) {
    if (next.page != held_.back().page ||
        (is_heading(next) && !is_heading(held_.back()) &&
         held_characters() >= std::min(section_characters_min, how_.characters))) {
      begin_anew();
      return;
    }
    const auto with = [&](std::size_t end) { return end - held_.front().first; };
    const bool full = with(next.end) > how_.characters;
    if (only_headings_) {  // what stands under a heading stays with it
      if (full && is_heading(next)) begin_anew();
      return;
    }
    // A paragraph that has no room begins the next one where this is well filled.
    const bool better_next = next.group_end > 0 && with(next.group_end) > how_.characters &&
                             held_characters() >= how_.characters * 3 / 5;
    if (full || better_next) begin_next(next);
  }

  void begin_anew() {
    give();
    held_.clear();
    carried_ = 0;
  }

  // The last sentences, or the headings that next stands under, are held again.
  void begin_next(const piece& next) {
    auto keep = held_.end();
    while (keep != held_.begin() && is_heading(*(keep - 1))) --keep;
    const std::vector<piece> headings(keep, held_.end());
    held_.erase(keep, held_.end());
    if (!headings.empty()) {
      give();
      held_ = headings;
      only_headings_ = true;
      carried_ = 0;
      return;
    }
    give();
    auto first = held_.end();
    const auto may_repeat = [&](const piece& one) {
      return (one.what == piece::kind::words || one.what == piece::kind::row) &&
             held_.back().end - one.first <= how_.overlap &&
             next.end - one.first <= how_.characters;
    };
    while (first != held_.begin() && may_repeat(*(first - 1))) --first;
    held_.erase(held_.begin(), first);
    carried_ = held_.size();
  }

  void give() {
    if (held_.size() <= carried_) return;
    if (out_.passages.size() >= how_.passages_max) {
      out_.more = true;
      return;
    }
    const auto& first = held_.front();
    passage made;
    made.text = text_.substr(first.from, held_.back().to - first.from);
    made.page = first.page;
    // Of what is new in it.
    auto named = std::find_if_not(held_.begin() + static_cast<std::ptrdiff_t>(carried_),
                                  held_.end(), is_heading);
    if (named == held_.end()) --named;
    made.heading = *named->heading;
    made.from = first.first;
    made.to = held_.back().end;
    out_.passages.push_back(std::move(made));
  }

  const std::string_view text_;
  const passage_options& how_;
  std::vector<piece> held_;
  bool only_headings_ = false;  // so far
  std::size_t carried_ = 0;     // of held_, that the passage before had, too
  cut_document out_;
};

}  // namespace

cut_document cut_passages(std::string_view text, const passage_options& how) {
  packer into(text, how);
  reader(text, how, [&](const piece& next) { return into.take(next); }).read();
  return into.finish();
}

}  // namespace soma::memory
