#include "security/pii/scanner.hpp"

#include <algorithm>
#include <boost/container/static_vector.hpp>
#include <initializer_list>
#include <optional>
#include <string>

#include "security/pii/checksums.hpp"
#include "security/pii/glyphs.hpp"

namespace soma::security::pii {
namespace {

constexpr std::size_t local_max = 64, domain_max = 253, number_glyphs_max = 44,
                      word_before_max = 24;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}

// Bytes of the one blank or dash that stands there; 0: none does.
std::size_t gap_at(std::string_view text, std::size_t at) {
  const auto one = glyph_at(text, at);
  const char kind = separator_of(one.c);
  return kind == ' ' || kind == '-' ? one.bytes : 0;
}

// Whether one of the words stands shortly before, as in `tel: `.
bool is_behind(std::string_view text, std::size_t begin,
               std::initializer_list<std::string_view> words) {
  const auto from = begin > word_before_max ? begin - word_before_max : 0;
  std::string before;
  for (const char c : text.substr(from, begin - from))
    before.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    const auto at = before.rfind(word);
    if (at == before.npos) return false;
    const auto end = at + word.size();
    // `f(1234567)` is something else.
    if (before.find_first_of("()[]{}<>;", end) != before.npos) return false;
    return stands_alone(before, at, end);
  });
}

// ---- mail ----

std::optional<match> mail_at(std::string_view text, std::size_t at_sign) {
  const auto is_local = [](char c) {
    return is_digit(c) || is_letter(c) ||
           std::string_view("._%+-'").find(c) != std::string_view::npos;
  };
  auto begin = at_sign;
  while (begin > 0 && at_sign - begin < local_max && is_local(text[begin - 1]) &&
         glyph_before(text, begin).bytes == 1)
    --begin;
  while (begin < at_sign && (text[begin] == '.' || text[begin] == '\'' || text[begin] == '-'))
    ++begin;
  if (begin == at_sign || text[at_sign - 1] == '.') return std::nullopt;
  auto end = at_sign + 1;
  const auto most = std::min(text.size(), end + domain_max);
  while (end < most && (is_digit(text[end]) || is_letter(text[end]) || text[end] == '-' ||
                        (text[end] == '.' && end + 1 < most &&
                         (is_digit(text[end + 1]) || is_letter(text[end + 1])))))
    ++end;
  const auto domain = text.substr(at_sign + 1, end - at_sign - 1);
  const auto dot = domain.rfind('.');
  if (dot == domain.npos || dot == 0 || domain.size() - dot < 3 || domain.front() == '-')
    return std::nullopt;
  const auto top = domain.substr(dot + 1);
  if (!std::all_of(top.begin(), top.end(),
                   [](char c) { return is_letter(c) || c == '-' || is_digit(c); }) ||
      !is_letter(top.front()))
    return std::nullopt;
  if (begin > 0 && (text[begin - 1] == '@' || text[begin - 1] == '/')) return std::nullopt;
  return match{kind::mail, begin, end - begin, {}};
}

// ---- numbers ----

// Groups of digits and what stands between them: a blank, `-`, `.`, `/`; `=` two blanks, `_` a dash
// between two, `~` anything else.
struct number {
  std::size_t end = 0;
  std::string digits;
  // How many digits each has, and where it ends.
  boost::container::static_vector<std::size_t, number_glyphs_max> groups, ends;
  std::string between;
  boost::container::static_vector<bool, number_glyphs_max> opens;  // a bracket, before each
  bool plus = false;
  char behind = 0;  // as `between`, where more groups follow; 0: none does

  bool bracket() const { return std::find(opens.begin(), opens.end(), true) != opens.end(); }
  // One that more groups follow after a blank or more, and that is no row of such groups itself.
  bool is_apart() const {
    return is_last() || (behind == ' ' && (groups.size() == 1 ||
                                           between.find_first_not_of(' ') != std::string::npos));
  }
  // None follows, or after more than one character.
  bool is_last() const { return behind != ' ' && behind != '-' && behind != '.' && behind != '/'; }
  void drop_last() {
    digits.resize(digits.size() - groups.back());
    groups.pop_back(), ends.pop_back(), opens.pop_back();
    end = ends.empty() ? 0 : ends.back();
    behind = between.empty() ? '\0' : between.back();
    if (!between.empty()) between.pop_back();
  }
};

char kind_of_gap(std::string_view gap) {
  if (gap.size() == 1) return gap.front();
  return gap == "  " ? '=' : gap == " - " ? '_' : '~';
}

// Of the text from `begin`, which is a digit, `+` or `(`.
number number_at(std::string_view text, std::size_t begin) {
  number n;
  auto at = begin;
  if (text[at] == '+') n.plus = true, ++at;
  std::string gap;
  bool in_group = false;
  for (std::size_t seen = 0; at < text.size() && seen < number_glyphs_max; ++seen) {
    if (is_digit(text[at])) {
      if (!in_group) {
        if (!n.groups.empty()) n.between.push_back(kind_of_gap(gap));
        n.opens.push_back(gap.find('(') != gap.npos);
        n.groups.push_back(0), n.ends.push_back(0);
        in_group = true;
        gap.clear();
      }
      n.digits.push_back(text[at]);
      ++n.groups.back();
      n.end = n.ends.back() = ++at;
      continue;
    }
    in_group = false;
    const auto one = glyph_at(text, at);
    const char between = separator_of(one.c);
    if (between == 0 || gap.size() > 2 || (gap.size() == 2 && (gap != " -" || between != ' ')))
      break;
    gap.push_back(between);
    at += one.bytes;
  }
  // A group that goes on is longer than any number that is looked for.
  if (in_group && at < text.size() && is_digit(text[at])) n.drop_last();
  return n;
}

bool groups_are(const number& n, std::initializer_list<std::size_t> wanted) {
  return std::equal(n.groups.begin(), n.groups.end(), wanted.begin(), wanted.end());
}

bool only(const number& n, std::string_view allowed) {
  return n.between.find_first_not_of(allowed) == std::string::npos;
}

// What follows it may be its date or its code, however that is joined; 4111.5 is something else.
bool is_card(const number& n) {
  if (n.behind == '.') return false;
  const auto size = n.digits.size();
  if (n.plus || n.bracket() || size < 13 || size > 19 || !only(n, " -=_")) return false;
  const auto first = n.digits.front();
  if (first < '2' || first > '6') return false;  // networks of banks
  const bool plain = n.groups.size() == 1, amex = groups_are(n, {4, 6, 5}),
             diners = groups_are(n, {4, 6, 4});
  const bool fours =
      std::all_of(n.groups.begin(), n.groups.end() - 1, [](auto g) { return g == 4; }) &&
      n.groups.back() <= 4;
  if (!plain && !amex && !diners && !fours) return false;
  if (first == '3' && size != 14 && size != 15 && size != 16) return false;
  if (first == '4' && size != 13 && size != 16 && size != 19) return false;
  if (first != '3' && first != '4' && size < 16) return false;
  return n.digits.find_first_not_of(first) != std::string::npos && luhn(n.digits);
}

std::string_view national_of(std::string_view text, std::size_t begin, const number& n) {
  const auto& d = n.digits;
  if (n.plus || n.bracket()) return {};
  if (d.size() == 15 && only(n, " ") && (n.is_last() || n.behind == ' ') && nir(d)) return "fr.nir";
  // In a row of numbers with blanks between them some are like it; a word says which.
  if (d.size() < 9) return {};
  if (!n.is_apart() && (n.behind != ' ' ||
                        !is_behind(text, begin, {"ssn", "social", "aadhaar", "steuer-id", "idnr"})))
    return {};
  const bool plain = n.groups.size() == 1;
  if (groups_are(n, {3, 2, 4}) && (n.between == "--" || n.between == "  ")) {
    const bool good = !d.starts_with("000") && !d.starts_with("666") && d.front() != '9' &&
                      d.substr(3, 2) != "00" && d.substr(5) != "0000";
    if (good) return "us.ssn";
  }
  if (groups_are(n, {3, 4, 4, 2}) && n.between == "..." && d.starts_with("756") && ean13(d))
    return "ch.ahv";
  if (plain && d.size() == 13 && d.starts_with("756") && ean13(d)) return "ch.ahv";
  if (groups_are(n, {3, 3, 3, 2}) && n.between == "..-" && cpf(d)) return "br.cpf";
  if (plain && cpf(d) && is_behind(text, begin, {"cpf"})) return "br.cpf";
  if (groups_are(n, {4, 4, 4}) && only(n, " ") && d.front() >= '2' && verhoeff(d))
    return "in.aadhaar";
  if (plain && d.size() == 12 && verhoeff(d) && is_behind(text, begin, {"aadhaar"}))
    return "in.aadhaar";
  if ((groups_are(n, {6, 4}) || groups_are(n, {8, 4})) && n.between == "-") {
    const auto ten = d.substr(d.size() - 10);
    if (is_day(std::stoi(ten.substr(2, 2)), std::stoi(ten.substr(4, 2)) % 60) && luhn(ten))
      return "se.personnummer";
  }
  if (plain && pesel(d) && is_behind(text, begin, {"pesel"})) return "pl.pesel";
  if ((plain || groups_are(n, {2, 3, 3, 3})) && only(n, " ") && steuer_id(d) &&
      (!plain || is_behind(text, begin,
                           {"steuer-id", "steuer-idnr", "steuerid", "steuernummer", "idnr", "tin",
                            "tax id"})))
    return "de.steuer_id";
  if (plain && bsn(d) && is_behind(text, begin, {"bsn", "burgerservicenummer", "sofi"}))
    return "nl.bsn";
  return {};
}

bool begins_with_date(const number& n) {
  constexpr std::size_t days_first[] = {2, 2, 4}, years_first[] = {4, 2, 2};
  return n.groups.size() >= 3 &&
         (std::equal(std::begin(days_first), std::end(days_first), n.groups.begin()) ||
          std::equal(std::begin(years_first), std::end(years_first), n.groups.begin()));
}

bool is_phone(std::string_view text, std::size_t begin, const number& n) {
  const auto size = n.digits.size();
  if (size < 7 || size > 15 || n.groups.size() > 8) return false;
  const bool abroad = n.plus || (n.is_last() && n.digits.starts_with("00") && n.digits[2] != '0' &&
                                 n.groups.size() > 1);
  if (abroad) return size >= 8 && n.digits.front() != (n.plus ? '0' : ' ');
  if (!n.is_last() && n.behind != ' ') return false;  // a part of a longer chain
  const bool american =
      (groups_are(n, {3, 3, 4}) || (groups_are(n, {1, 3, 3, 4}) && n.digits.front() == '1')) &&
      (n.bracket() || only(n, "-") || only(n, "."));
  if (american) {
    const auto ten = n.digits.substr(size - 10);
    return ten[0] >= '2' && ten[3] >= '2';
  }
  if (!begins_with_date(n) &&
      is_behind(text, begin, {"tel",   "phone",    "call",     "mobile", "cell",      "fax",
                              "handy", "whatsapp", "ring",     "sms",    "mobil",     "telefon",
                              "fon",   "telefono", "teléfono", "móvil",  "téléphone", "rufnummer",
                              "电话",  "電話",     "手机",     "手機",   "전화"}))
    return true;
  // At home, with its leading zero.
  return n.is_apart() && n.digits.front() == '0' && n.digits[1] != '0' && size >= 9 && size <= 12 &&
         only(n, " /-") &&
         (groups_are(n, {2, 2, 2, 2, 2}) || (n.groups.size() >= 2 && n.groups.front() >= 3));
}

// ---- letters and digits ----

// Letters and digits from `begin`, capital, without the single blanks or dashes between groups.
struct code {
  std::string text;
  std::vector<std::size_t> ends;  // in the text, after each character
};

bool is_code(std::string_view text, std::size_t at) {
  return at < text.size() && (is_digit(text[at]) || is_letter(text[at]));
}

code code_at(std::string_view text, std::size_t begin, bool with_gaps) {
  code out;
  for (auto at = begin; at < text.size() && out.text.size() < 34;) {
    if (is_code(text, at)) {
      out.text.push_back(upper(text[at]));
      out.ends.push_back(++at);
      continue;
    }
    const auto gap = with_gaps ? gap_at(text, at) : 0;
    if (gap == 0 || !is_code(text, at + gap)) break;
    at += gap;
  }
  return out;
}

struct country {
  std::string_view name;
  std::size_t size;
};
constexpr country ibans[] = {
    {"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16}, {"BG", 22},
    {"BH", 22}, {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28}, {"CZ", 24}, {"DE", 22},
    {"DK", 18}, {"DO", 28}, {"EE", 20}, {"EG", 29}, {"ES", 24}, {"FI", 18}, {"FO", 18}, {"FR", 27},
    {"GB", 22}, {"GE", 22}, {"GI", 23}, {"GL", 18}, {"GR", 27}, {"GT", 28}, {"HR", 21}, {"HU", 28},
    {"IE", 22}, {"IL", 23}, {"IQ", 23}, {"IS", 26}, {"IT", 27}, {"JO", 30}, {"KW", 30}, {"KZ", 20},
    {"LB", 28}, {"LC", 32}, {"LI", 21}, {"LT", 20}, {"LU", 20}, {"LV", 21}, {"MC", 27}, {"MD", 24},
    {"ME", 22}, {"MK", 19}, {"MR", 27}, {"MT", 31}, {"MU", 30}, {"NL", 18}, {"NO", 15}, {"PK", 24},
    {"PL", 28}, {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22}, {"SA", 24}, {"SC", 31},
    {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27}, {"TL", 23}, {"TN", 24}, {"TR", 26}, {"UA", 29},
    {"VA", 22}, {"VG", 24}, {"XK", 20}};

// Two letters, and two digits behind them: what most words are not.
bool may_be_iban(std::string_view text, std::size_t begin) {
  if (begin + 3 >= text.size() || !is_letter(text[begin + 1])) return false;
  if (is_digit(text[begin + 2])) return true;
  const auto gap = gap_at(text, begin + 2);
  return gap > 0 && begin + 2 + gap < text.size() && is_digit(text[begin + 2 + gap]);
}

std::optional<match> iban_at(std::string_view text, std::size_t begin) {
  if (!may_be_iban(text, begin)) return std::nullopt;
  const auto one = code_at(text, begin, true);
  const auto* known = std::find_if(std::begin(ibans), std::end(ibans), [&](const country& c) {
    return std::string_view(one.text).starts_with(c.name);
  });
  if (known == std::end(ibans) || one.text.size() < known->size) return std::nullopt;
  const auto end = one.ends[known->size - 1];
  if (!stands_alone(text, begin, end) || !mod97(std::string_view(one.text).substr(0, known->size)))
    return std::nullopt;
  return match{kind::iban, begin, end - begin, {}};
}

bool is_nino(std::string_view s) {
  constexpr std::string_view never = "DFIQUV";
  if (s.size() != 9 || s.back() < 'A' || s.back() > 'D') return false;
  if (!is_letter(s[0]) || !is_letter(s[1]) || never.find(s[0]) != never.npos ||
      never.find(s[1]) != never.npos || s[1] == 'O')
    return false;
  const auto prefix = s.substr(0, 2);
  for (const auto* bad : {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"})
    if (prefix == bad) return false;
  return std::all_of(s.begin() + 2, s.end() - 1, is_digit);
}

// Each of them has digits and one of these lengths; AB 12 34 56 C begins with a word of two.
bool may_be_coded(std::string_view text, std::size_t begin) {
  auto end = begin;
  bool digits = false;
  for (; end < text.size() && end - begin < 17 && (is_digit(text[end]) || is_letter(text[end]));
       ++end)
    digits = digits || is_digit(text[end]);
  const auto size = end - begin;
  if (size == 2) {
    const auto next = end + gap_at(text, end);
    return next < text.size() && is_digit(text[next]);
  }
  return digits && (size == 6 || size == 8 || size == 9 || size == 11 || size == 16);
}

std::optional<match> coded_at(std::string_view text, std::size_t begin) {
  if (!may_be_coded(text, begin)) return std::nullopt;
  const auto whole = code_at(text, begin, false);
  std::string_view s = whole.text;
  const auto found = [&](std::size_t size, std::string_view scheme) -> std::optional<match> {
    const auto end = whole.ends[size - 1];
    if (!stands_alone(text, begin, end)) return std::nullopt;
    return match{kind::national, begin, end - begin, scheme};
  };
  if (s.size() == 16 && codice_fiscale(s)) return found(16, "it.codice_fiscale");
  if (s.size() == 9 && dni(s)) return found(9, "es.dni");
  if (s.size() == 9 && is_nino(s)) return found(9, "uk.nino");
  if (s.size() == 8 || s.size() == 2) {  // 12345678-Z; AB 12 34 56 C
    std::string parts(s);
    auto end = whole.ends.back();
    for (auto gap = gap_at(text, end); parts.size() < 9 && gap > 0 && is_code(text, end + gap);
         gap = gap_at(text, end)) {
      end += gap;
      while (parts.size() < 9 && is_code(text, end)) parts.push_back(upper(text[end++]));
    }
    if (parts.size() == 9 && stands_alone(text, begin, end) &&
        (s.size() == 8 ? dni(parts) : is_nino(parts)))
      return match{kind::national, begin, end - begin, s.size() == 8 ? "es.dni" : "uk.nino"};
  }
  if (s.size() == 6) {  // 131052-308T
    const auto mark = glyph_at(text, begin + 6);
    const char sign = mark.c == U'+' ? '+' : separator_of(mark.c);
    const auto end = begin + 6 + mark.bytes + 4;
    if ((sign == '-' || sign == '+') && end <= text.size() && stands_alone(text, begin, end)) {
      auto eleven = std::string(s).append(1, sign).append(text.substr(end - 4, 4));
      eleven.back() = upper(eleven.back());
      if (hetu(eleven)) return match{kind::national, begin, end - begin, "fi.hetu"};
    }
  }
  if (s.size() == 11 && hetu(s)) return found(11, "fi.hetu");
  return std::nullopt;
}

// ---- all ----

// A decimal fraction, or a part of a longer chain, such as of an address or a version. What stands
// behind a comma may be the next of a row, too.
bool is_chained(std::string_view text, std::size_t begin, const number& n) {
  const char before = begin > 0 ? text[begin - 1] : ' ';
  if (before == '.' || before == '-' || before == '/') return !begins_word(text, begin - 1);
  if (before != ',' || n.plus) return false;
  std::size_t digits = 0;
  while (digits < 4 && digits + 1 < begin && is_digit(text[begin - 2 - digits])) ++digits;
  if (digits == 1 && text[begin - 2] == '0') return true;  // 0,4111
  return digits >= 1 && digits <= 3 && n.groups.front() == 3;
}

// As many groups as fit: what goes on behind them is a date, a code or a count.
std::optional<match> numbered_at(std::string_view text, std::size_t begin) {
  auto n = number_at(text, begin);
  if (n.groups.empty() || is_chained(text, begin, n)) return std::nullopt;
  for (; !n.groups.empty(); n.drop_last()) {
    if (n.behind == 0 && !stands_alone(text, begin, n.end)) continue;
    if (is_card(n)) return match{kind::card, begin, n.end - begin, {}};
    if (const auto scheme = national_of(text, begin, n); !scheme.empty())
      return match{kind::national, begin, n.end - begin, scheme};
    if (is_phone(text, begin, n)) return match{kind::phone, begin, n.end - begin, {}};
  }
  return std::nullopt;
}

// Where a number ends that was none of what is looked for: its parts are looked at no more.
std::size_t end_of_number(std::string_view text, std::size_t begin) {
  auto at = begin;
  while (at < text.size() && is_digit(text[at])) ++at;
  return std::max(at, begin + 1);
}

}  // namespace

std::string_view to_string(kind k) {
  switch (k) {
    case kind::mail: return "mail";
    case kind::phone: return "phone";
    case kind::card: return "card";
    case kind::iban: return "iban";
    case kind::national: break;
  }
  return "national_id";
}

std::vector<match> find(std::string_view text) {
  std::vector<match> found;
  const auto take = [&](const match& one) {
    // A mail address begins before its sign, where something may have been found.
    while (!found.empty() && found.back().begin >= one.begin) found.pop_back();
    if (found.empty() || found.back().begin + found.back().bytes <= one.begin) found.push_back(one);
    return one.begin + one.bytes;
  };
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '@') {
      if (const auto one = mail_at(text, at)) {
        at = std::max(at + 1, take(*one));
        continue;
      }
    } else if (c == '\\') {
      at += glyph_at(text, at).bytes;
      continue;
    } else if (is_digit(c) || is_letter(c) || c == '+' || c == '(') {
      const bool begins = begins_word(text, at);
      std::optional<match> one;
      if (begins && is_letter(c)) one = iban_at(text, at);
      if (begins && !one && (is_letter(c) || is_digit(c))) one = coded_at(text, at);
      if (begins && !one && !is_letter(c)) one = numbered_at(text, at);
      if (one) {
        at = take(*one);
        continue;
      }
      if (is_digit(c)) {
        at = end_of_number(text, at);
        continue;
      }
    }
    ++at;
  }
  return found;
}

std::array<std::size_t, kinds> count(const std::vector<match>& found) {
  std::array<std::size_t, kinds> out{};
  for (const auto& one : found) ++out[static_cast<std::size_t>(one.kind)];
  return out;
}

}  // namespace soma::security::pii
